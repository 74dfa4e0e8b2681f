#include "identity/person_record.h"

#include <algorithm>
#include <utility>

#include "hogflare/json.h"
#include "hogflare/limits.h"
#include "hogflare/person_calls.h"
#include "identity/person_ids.h"
#include "identity/person_notes.h"
#include "identity/person_record_v1.h"
#include "base/stored_value.h"

namespace hogflare {
namespace {

constexpr std::string_view kRecordKey = "person";
constexpr std::string_view kOpKey = "intent";

enum RecordFlag : uint8_t { kPersonless = 1, kHasPerson = 2, kHasIntent = 4, kOpIsApart = 8 };

bool is_apart(const PersonRecord& record) {
  return record.intent.has_value() && record.intent->op.size() > record.bounds.inline_op_bytes;
}

void write_intent(ByteWriter& out, const Intent& intent, bool with_op) {
  out.number(intent.sequence);
  out.text(intent.self);
  out.text(intent.target);
  out.u8(static_cast<uint8_t>((intent.into_existed ? 1 : 0) | (intent.exact ? 2 : 0)));
  out.signed_number(intent.since_ms);
  out.signed_number(intent.team_id);
  out.text(with_op ? std::string_view(intent.op) : std::string_view());
}

Intent read_intent(ByteReader& in) {
  Intent intent;
  intent.sequence = in.number();
  intent.self = in.text();
  intent.target = in.text();
  const uint8_t flags = in.u8();
  intent.into_existed = (flags & 1) != 0;
  intent.exact = (flags & 2) != 0;
  intent.since_ms = in.signed_number();
  intent.team_id = in.signed_number();
  intent.op = in.text();
  return intent;
}

std::string write_record(const PersonRecord& record) {
  ByteWriter out;
  out.reserve(record.person.properties.size() + 256);
  out.u8(static_cast<uint8_t>(record.state));
  out.u8(static_cast<uint8_t>(
      (record.personless ? kPersonless : 0) | (record.has_person ? kHasPerson : 0) |
      (record.intent.has_value() ? kHasIntent : 0) | (is_apart(record) ? kOpIsApart : 0)));
  out.text(record.redirect_to);
  out.number(record.given_sequence);
  if (record.has_person) {
    write_person(out, record.person);
    out.number(record.person.paged_ids);
    out.number(record.person.paged_bytes);
  }
  out.number(record.sequence);
  if (record.intent.has_value()) write_intent(out, *record.intent, !is_apart(record));
  out.number(record.applied.size());
  for (const uint64_t merge : record.applied) out.number(merge);
  out.number(record.cancelled.size());
  for (const CancelNote& note : record.cancelled) {
    out.text(note.survivor);
    out.number(note.sequence);
  }
  out.number(record.next_dismissal);
  out.number(record.first_report);
  out.number(record.next_report);
  return seal(kPersonStoredVersion, out.bytes());
}

bool is_properties_text(std::string_view text) {
  PropertyBag bag;
  return bag.add_text(text) && json::Document::parse_const(text, 1).ok();
}

bool read_record(ByteReader& in, PersonRecord& record) {
  const uint8_t state = in.u8();
  if (state > static_cast<uint8_t>(RecordState::kRedirect)) return false;
  record.state = static_cast<RecordState>(state);
  const uint8_t flags = in.u8();
  record.personless = (flags & kPersonless) != 0;
  record.has_person = (flags & kHasPerson) != 0;
  record.redirect_to = in.text();
  record.given_sequence = in.number();
  if (record.has_person) {
    if (!read_person(in, record.person)) return false;
    record.person.paged_ids = in.number();
    record.person.paged_bytes = in.number();
  }
  record.sequence = in.number();
  if ((flags & kHasIntent) != 0) record.intent = read_intent(in);
  if ((flags & kOpIsApart) != 0 && record.intent.has_value()) {
    record.apart_sequence = record.intent->sequence;
  }
  const size_t applied = in.count();
  for (size_t i = 0; i < applied; ++i) record.applied.push_back(in.number());
  const size_t cancelled = in.count();
  for (size_t i = 0; i < cancelled; ++i) {
    CancelNote note;
    note.survivor = in.text();
    note.sequence = in.number();
    record.cancelled.push_back(std::move(note));
  }
  record.next_dismissal = in.number();
  record.first_report = in.number();
  record.next_report = in.number();
  return in.done();
}

bool read_op_of(Storage& storage, PersonRecord& record, std::optional<StoredFault>& fault) {
  if (!record.intent.has_value()) return true;
  if (record.apart_sequence != 0) {
    std::string value;
    if (!storage.get(kOpKey, value)) {
      fault = missing(kOpKey);
      return false;
    }
    const std::optional<std::string_view> op = unseal(value, kPersonStoredVersion);
    if (!op.has_value()) {
      fault = unreadable(kOpKey, value);
      return false;
    }
    record.intent->op = *op;
  }
  PersonOp op;
  ByteReader in(record.intent->op);
  return read_op(in, op) && in.done();
}

// Gives the lists of a record of version 1 their rows.
void spread(Storage& storage, PersonRecord& record, RecordV1Lists&& lists,
            std::optional<StoredFault>& fault) {
  const size_t pages = lists.pages.size();
  for (std::vector<PersonId>& ids : lists.pages) {
    append_ids(storage, record.person, std::move(ids), record.bounds, fault);
  }
  if (fault.has_value()) return;
  erase_pages_v1(storage, pages);
  for (const std::string& object : lists.unacknowledged) note_dismissal(storage, record, object);
  for (const UnreportedMerge& merge : lists.unreported) note_report(storage, record, merge);
  store_record(storage, record, fault);
}

PersonRecord load_v1(Storage& storage, std::string_view value, const PersonBounds& bounds,
                     std::optional<StoredFault>& fault) {
  RecordV1Lists lists;
  PersonRecord record = read_record_v1(storage, value, lists, fault);
  record.bounds = bounds;
  if (!fault.has_value() && !lists.empty()) spread(storage, record, std::move(lists), fault);
  return record;
}

}  // namespace

bool PersonRecord::was_applied(uint64_t merge) const {
  return std::find(applied.begin(), applied.end(), merge) != applied.end();
}

void PersonRecord::note_applied(uint64_t merge) {
  applied.push_back(merge);
  if (applied.size() > limits::kAppliedMergesMax) applied.erase(applied.begin());
}

bool is_sound(const Person& person) {
  if (!is_uuid_text(person.uuid) || !is_properties_text(person.properties)) return false;
  for (const UnreportedMerge& merge : person.unreported) {
    if (!merge.merged_uuid.empty() && !is_uuid_text(merge.merged_uuid)) return false;
  }
  RecentChanges::Reader recent(person.recent);
  while (recent.next()) {
    const std::string_view merged = recent.change().merged_uuid;
    if (!merged.empty() && !is_uuid_text(merged)) return false;
  }
  return true;
}

StoredFault unreadable(std::string_view key, std::string_view bytes) {
  const int found = bytes.empty() ? -1 : static_cast<uint8_t>(bytes[0]);
  return {std::string(key), found, kPersonStoredVersion};
}

StoredFault missing(std::string_view key) { return {std::string(key), -1, kPersonStoredVersion}; }

PersonRecord load_record(Storage& storage, const PersonBounds& bounds,
                         std::optional<StoredFault>& fault) {
  PersonRecord record;
  record.bounds = bounds;
  std::string value;
  if (!storage.get(kRecordKey, value)) return record;
  if (!value.empty() && value[0] == 1) return load_v1(storage, value, bounds, fault);
  // A record of a later version was written by newer code; this one must not guess.
  const std::optional<std::string_view> body = unseal(value, kPersonStoredVersion);
  ByteReader in(body.value_or(std::string_view()));
  const bool is_read =
      body.has_value() && read_record(in, record) && read_op_of(storage, record, fault);
  if (!is_read && !fault.has_value()) fault = unreadable(kRecordKey, value);
  if (fault.has_value()) return {};
  return record;
}

void store_record(Storage& storage, PersonRecord& record, std::optional<StoredFault>& fault) {
  if (record.has_person && bytes_of_ids(record.person.ids) > record.bounds.inline_ids_bytes) {
    append_ids(storage, record.person, std::exchange(record.person.ids, {}), record.bounds, fault);
  }
  if (fault.has_value()) return;
  if (!is_apart(record) && record.apart_sequence != 0) {
    storage.erase(kOpKey);
    record.apart_sequence = 0;
  } else if (is_apart(record) && record.apart_sequence != record.intent->sequence) {
    storage.put(kOpKey, seal(kPersonStoredVersion, record.intent->op));
    record.apart_sequence = record.intent->sequence;
  }
  storage.put(kRecordKey, write_record(record));
}

}  // namespace hogflare
