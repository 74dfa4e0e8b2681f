#include "identity/person_operation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "hogflare/limits.h"
#include "hogflare/uuid.h"
#include "identity/person_ids.h"

namespace hogflare {
namespace {

void note_recent(Person& person, const PersonOp& op, std::string_view merged_uuid = {},
                 uint64_t merged_version = 0) {
  person.recent.note({op.event_uuid, content_hash(op), merged_uuid, merged_version});
}

bool shows_hash_keys(PersonAccess access) {
  return access == PersonAccess::kRead || access == PersonAccess::kWriteHashKeys;
}

size_t bytes_of(const std::vector<HashKey>& keys) {
  size_t bytes = 0;
  for (const HashKey& key : keys) bytes += key.flag.size() + key.hash_key.size();
  return bytes;
}

}  // namespace

// The person's ids, as keys of no flag; an empty one at the end says that there are more.
void Operation::show_ids() {
  constexpr uint32_t kPagesMax = 32;  // 1 MiB, about 20,000 ids
  const Person& person = work_.record().person;
  const auto add = [this](const std::vector<PersonId>& ids) {
    for (const PersonId& id : ids) result_.hash_keys.push_back({{}, id.distinct_id});
  };
  add(person.ids);
  for (uint32_t page = 0; page < std::min(person.id_pages, kPagesMax); ++page) {
    const std::string body = load_id_page(work_.storage(), page, work_.fault());
    if (work_.failed()) return;
    ByteReader in(body);
    std::vector<PersonId> ids;
    if (!read_ids(in, ids)) return;
    add(ids);
  }
  if (person.id_pages > kPagesMax) result_.hash_keys.emplace_back();
}

void Operation::apply(IdentifiedChange identified) {
  if (!work_.record().has_person) {
    if (op_.access != PersonAccess::kUpdate) {
      note_personless();
      return;
    }
    // I-7.2: whoever a merge was refused to is identified all the same.
    create(Uuid::of_person(place_.team_id, place_.self).text(), result_.refused);
    return;
  }
  if (op_.access == PersonAccess::kRead) {
    show({});
    if (!op_.unset.empty()) show_ids();
    return;
  }
  if (op_.covered || is_redelivered()) {
    show_again();
    return;
  }
  if (op_.access == PersonAccess::kWriteHashKeys) {
    write_hash_keys();
    show({});
    return;
  }
  if (op_.access == PersonAccess::kPersonless) {
    constexpr int64_t kGraceMs = 60'000;
    result_.upgraded =
        op_.may_upgrade && op_.timestamp_ms > work_.record().person.created_at_ms + kGraceMs;
    show({});
    return;
  }
  update(identified, ChangeKind::kUpdate);
}

void Operation::fold(SurrenderReply&& reply, const std::string& target) {
  PersonRecord& record = work_.record();
  if (!record.has_person && !reply.has_person) {
    create_of_two(reply.personless);
  } else if (!reply.has_person) {
    attach(target, reply.personless);
  } else if (!record.has_person) {
    adopt(std::move(reply));
  } else {
    absorb(std::move(reply));
  }
}

bool Operation::is_redelivered() const {
  std::optional<uint64_t> content;
  RecentChanges::Reader recent(work_.record().person.recent);
  while (recent.next()) {
    if (recent.change().event_uuid != op_.event_uuid) continue;
    if (!content.has_value()) content = content_hash(op_);
    if (recent.change().content == *content) return true;
  }
  return false;
}

void Operation::show_person() {
  row_ = op_.wants_text ? std::string_view(work_.properties_text()) : std::string_view();
}

void Operation::show(std::string row) {
  const Person& person = work_.record().person;
  result_.exists = true;
  result_.uuid = person.uuid;
  result_.created_at_ms = person.created_at_ms;
  result_.is_identified = person.is_identified;
  result_.hash_keys = shows_hash_keys(op_.access) ? person.hash_keys : std::vector<HashKey>();
  row_storage_ = std::move(row);
  if (row_storage_.empty()) {
    show_person();
  } else {
    row_ = row_storage_;
  }
  report_again();
}

void Operation::show_again() {
  if (!has_good_texts(op_)) return work_.refuse_call();
  // Whoever carried a merge out did not say how it ended; the list of ids does.
  result_.refused = op_.merge != MergeKind::kNone && !has_other();
  result_.is_full =
      result_.refused && count_of_ids(work_.record().person) >= work_.record().bounds.ids;
  result_.is_changed = true;
  show(shown_properties(work_.bag(), op_));
}

// A redelivered event changes nothing, but its report may have been lost with its request.
void Operation::report_again() {
  if (!changes_.wanted()) return;
  RecentChanges::Reader reader(work_.record().person.recent);
  while (reader.next()) {
    const RecentChange& recent = reader.change();
    if (recent.event_uuid != op_.event_uuid) continue;
    // A merge that was refused left the other id where it was.
    const bool merged = op_.merge != MergeKind::kNone && has_other();
    changes_.changed(merged ? ChangeKind::kMerge : ChangeKind::kUpdate, op_);
    if (merged) changes_.concerns(op_.other);
    if (!recent.merged_uuid.empty()) {
      changes_.deleted(std::string(recent.merged_uuid), recent.merged_version,
                       work_.record().person.created_at_ms, op_);
    }
  }
}

void Operation::note_personless() {
  PersonRecord& record = work_.record();
  const bool remembers =
      op_.access == PersonAccess::kPersonless || op_.access == PersonAccess::kIfExists;
  if (!exact() || !remembers || record.personless) return;
  record.personless = true;
  work_.touch_record();
}

void Operation::create(std::string uuid, bool identified) {
  PersonRecord& record = work_.record();
  const Created created = create_properties(work_.bag(), op_);
  if (created == Created::kBad) return work_.refuse_call();
  record.state = RecordState::kOwner;
  record.has_person = true;
  record.person = {};
  record.person.uuid = std::move(uuid);
  record.person.created_at_ms = op_.timestamp_ms;
  record.person.is_identified = identified;
  record.person.ids.push_back({std::string(place_.self), 0});
  result_.too_large = created == Created::kTooLarge;
  result_.created = true;
  result_.is_changed = true;
  note_recent(record.person, op_);
  work_.touch_person();
  changes_.changed(ChangeKind::kCreate, op_);
  show({});
}

void Operation::update(IdentifiedChange identified, ChangeKind kind) {
  Update update = update_person(work_.record().person, work_.bag(), op_, identified);
  if (update.is_bad) return work_.refuse_call();
  result_.too_large = update.too_large;
  if (update.persisted || kind == ChangeKind::kMerge) result_.is_changed = true;
  if (update.persisted) {
    work_.touch_person();
    note_recent(work_.record().person, op_);
    changes_.changed(kind, op_);
  }
  show(std::move(update.row_properties));
}

void Operation::create_of_two(bool other_personless) {
  PersonRecord& record = work_.record();
  // Stateless mode cannot know which id has rows of its own; the anonymous one usually has.
  const bool into_personless = exact() ? record.personless : false;
  const bool swaps = exact() ? other_personless && !into_personless : true;
  create(Uuid::of_person(place_.team_id, swaps ? op_.other : place_.self).text(), true);
  if (work_.failed()) return;
  const bool overrides_other = exact() && other_personless && into_personless;
  record.person.ids.push_back({std::string(op_.other), overrides_other ? 1u : 0u});
  changes_.concerns(op_.other);
  if (!exact()) record.person.ids[0].version = 1;
}

void Operation::attach(const std::string& target, bool other_personless) {
  PersonRecord& record = work_.record();
  record.person.ids.push_back({target, !exact() || other_personless ? 1u : 0u});
  force_persist();
}

void Operation::adopt(SurrenderReply&& reply) {
  PersonRecord& record = work_.record();
  const bool into_personless = record.personless;
  record.state = RecordState::kOwner;
  take_reports(reply.person);
  work_.adopt(std::move(reply.person));
  record.person.id_pages = 0;
  changes_.concerns_all(record.person.ids);
  take_pages(reply.pages, 0);
  record.person.ids.push_back({std::string(place_.self), !exact() || into_personless ? 1u : 0u});
  force_persist();
}

void Operation::absorb(SurrenderReply&& reply) {
  PersonRecord& record = work_.record();
  const std::string merged_uuid = reply.person.uuid;
  const uint64_t merged_version = reply.person.version + kDeletedVersionStep;
  const int64_t merged_created_at_ms = reply.person.created_at_ms;
  changes_.concerns_all(reply.person.ids);
  take_reports(reply.person);
  take_pages(reply.pages, 1);
  const bool too_large = absorb_person(record.person, work_.bag(), std::move(reply.person));
  // One version for the merge and the event's own properties together.
  const uint64_t version = record.person.version;
  update(IdentifiedChange::kIdentify, ChangeKind::kMerge);
  record.person.version = version;
  result_.too_large = result_.too_large || too_large;
  note_recent(record.person, op_, merged_uuid, merged_version);
  work_.touch_person();
  changes_.changed(ChangeKind::kMerge, op_);
  changes_.concerns(op_.other);
  changes_.deleted(merged_uuid, merged_version, merged_created_at_ms, op_);
  if (row_storage_.empty()) show_person();
}

// The list of ids changed, so the person is stored whatever the update says.
void Operation::force_persist() {
  const uint64_t version = work_.record().person.version;
  update(IdentifiedChange::kIdentify, ChangeKind::kMerge);
  work_.record().person.version = version + 1;
  note_recent(work_.record().person, op_);
  work_.touch_person();
  changes_.changed(ChangeKind::kMerge, op_);
  changes_.concerns(op_.other);
  if (row_storage_.empty()) show_person();
}

// Pages of another person's ids become pages of this one. The call does not list them among what it
// has changed, for they may be many: the alarm's report does.
void Operation::take_pages(const std::vector<std::string>& pages, uint64_t version_step) {
  std::vector<PersonId> ids;
  for (const std::string& page : pages) {
    ByteReader in(page);
    HF_ASSERT(read_ids(in, ids));  // read_surrender_reply has looked at it
  }
  for (PersonId& id : ids) id.version += version_step;
  work_.take_ids(std::move(ids));
}

void Operation::take_reports(Person& other) {
  for (const UnreportedMerge& merge : other.unreported) {
    note_report(work_.storage(), work_.record(), merge);
  }
  other.unreported.clear();
}

void Operation::write_hash_keys() {
  std::vector<HashKey>& keys = work_.record().person.hash_keys;
  for (const std::string_view flag : op_.unset) {
    const auto same = [&](const HashKey& key) { return key.flag == flag; };
    const auto known = std::find_if(keys.begin(), keys.end(), same);
    // An older version stored empty keys, which say nothing.
    if (known != keys.end() && !known->hash_key.empty()) continue;
    if (bytes_of(keys) + flag.size() + op_.other.size() > limits::kHashKeysBytesMax) return;
    if (known == keys.end()) {
      keys.push_back({std::string(flag), std::string(op_.other)});
    } else {
      known->hash_key = std::string(op_.other);
    }
    work_.touch_record();
  }
}

}  // namespace hogflare
