// The merge protocol and the operations of a person's object. Every entry reads the record, decides,
// and stores it before it returns: turns of several calls interleave, and any of them may be the
// last one before a crash.
#include "hogflare/person_object.h"

#include <algorithm>
#include <list>
#include <optional>
#include <utility>

#include "hogflare/delivery.h"
#include "hogflare/limits.h"
#include "hogflare/people_run.h"
#include "hogflare/person_calls.h"
#include "hogflare/uuid.h"
#include "hogflare/stored_fault.h"
#include "identity/person_record.h"

namespace hogflare {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::string_view kClassName = "person";
constexpr std::string_view kNextKey = "next";  // of the counter
// §6.4: the absorbed person is published once more with this much added, so that it stays deleted.
constexpr uint64_t kDeletedVersionStep = 100;

// --- Surrender: the survivor asks another object for its person ---

struct SurrenderRequest {
  std::string_view self;      // the object asked
  std::string_view survivor;  // who asks
  uint64_t sequence = 0;      // of the survivor's merges
  bool unless_identified = false;
};

enum class SurrenderStatus : uint8_t {
  kGiven = 0,
  kMoved = 1,      // ask moved_to
  kRefused = 2,    // identified, and the kind of merge does not allow that
  kBusy = 3,       // a merge of its own is under way; ask again
  kCancelled = 4,  // the same, and this merge will never be granted: begin another
};

struct SurrenderReply {
  SurrenderStatus status = SurrenderStatus::kBusy;
  std::string moved_to;
  bool personless = false;
  bool has_person = false;
  Person person;
  std::vector<std::string> pages;
};

std::string write_surrender(const SurrenderRequest& request) {
  ByteWriter out;
  out.u8(kVersion);
  out.u8(static_cast<uint8_t>(PersonCall::kSurrender));
  out.text(request.self);
  out.text(request.survivor);
  out.number(request.sequence);
  out.u8(request.unless_identified ? 1 : 0);
  return out.take();
}

std::string write_surrender_reply(const SurrenderReply& reply) {
  ByteWriter out;
  out.u8(kVersion);
  out.u8(static_cast<uint8_t>(reply.status));
  out.text(reply.moved_to);
  out.u8(static_cast<uint8_t>((reply.personless ? 1 : 0) | (reply.has_person ? 2 : 0)));
  if (reply.has_person) write_person(out, reply.person);
  out.number(reply.pages.size());
  for (const std::string& page : reply.pages) out.text(page);
  return out.take();
}

std::optional<SurrenderReply> read_surrender_reply(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != kVersion) return std::nullopt;
  SurrenderReply reply;
  const uint8_t status = in.u8();
  if (status > static_cast<uint8_t>(SurrenderStatus::kCancelled)) return std::nullopt;
  reply.status = static_cast<SurrenderStatus>(status);
  reply.moved_to = in.text();
  const uint8_t flags = in.u8();
  reply.personless = (flags & 1) != 0;
  reply.has_person = (flags & 2) != 0;
  if (reply.has_person && !read_person(in, reply.person)) return std::nullopt;
  const size_t pages = in.count();
  for (size_t i = 0; i < pages; ++i) {
    reply.pages.emplace_back(in.text());
    if (!is_id_page(reply.pages.back())) return std::nullopt;
  }
  if (!in.done()) return std::nullopt;
  return reply;
}

bool is_cancelled(const PersonRecord& record, const SurrenderRequest& request) {
  return std::any_of(record.cancelled.begin(), record.cancelled.end(), [&](const CancelNote& note) {
    return note.survivor == request.survivor && note.sequence >= request.sequence;
  });
}

void note_cancelled(PersonRecord& record, const SurrenderRequest& request) {
  const auto same = [&](const CancelNote& note) { return note.survivor == request.survivor; };
  record.cancelled.erase(std::remove_if(record.cancelled.begin(), record.cancelled.end(), same),
                         record.cancelled.end());
  record.cancelled.push_back({std::string(request.survivor), request.sequence});
  if (record.cancelled.size() > limits::kCancelNotesMax) record.cancelled.erase(record.cancelled.begin());
}

SurrenderReply given(Storage& storage, const PersonRecord& record,
                     std::optional<StoredFault>& fault) {
  SurrenderReply reply;
  reply.status = SurrenderStatus::kGiven;
  reply.personless = record.personless;
  reply.has_person = record.has_person;
  reply.person = record.person;
  if (!record.has_person) return reply;
  // Found out here, the survivor keeps what it has; there, the two would be half one.
  if (PropertyBag bag; !bag.add_text(record.person.properties)) fault = properties_fault();
  reply.pages = load_id_pages(storage, record.person, fault);
  return reply;
}

SurrenderReply surrender_redirect(Storage& storage, const PersonRecord& record,
                                  const SurrenderRequest& request, const ProtocolFaults& faults,
                                  std::optional<StoredFault>& fault) {
  const bool is_repeated =
      record.redirect_to == request.survivor && record.given_sequence == request.sequence;
  if (is_repeated && !faults.forget_surrender_sequence) return given(storage, record, fault);
  SurrenderReply reply;
  reply.status = SurrenderStatus::kMoved;
  reply.moved_to = record.redirect_to;
  return reply;
}

// A merge of one's own is under way. Waiting follows one direction of the names, so that no circle
// of merges waits for itself; the other direction gives way and begins again.
SurrenderReply surrender_locked(Storage& storage, PersonRecord& record,
                                const SurrenderRequest& request, const ProtocolFaults& faults) {
  SurrenderReply reply;
  reply.status = SurrenderStatus::kBusy;
  if (request.survivor < request.self) return reply;
  reply.status = SurrenderStatus::kCancelled;
  if (faults.skip_cancel_note) return reply;
  note_cancelled(record, request);
  store_record(storage, record);
  return reply;
}

SurrenderReply surrender(Storage& storage, const SurrenderRequest& request,
                         const ProtocolFaults& faults, std::optional<StoredFault>& fault) {
  PersonRecord record = load_record(storage, fault);
  if (fault.has_value()) return {};
  if (record.state == RecordState::kRedirect) {
    return surrender_redirect(storage, record, request, faults, fault);
  }
  SurrenderReply reply;
  if (is_cancelled(record, request)) {
    reply.status = SurrenderStatus::kCancelled;
    return reply;
  }
  if (record.intent.has_value() && !faults.surrender_while_locked) {
    return surrender_locked(storage, record, request, faults);
  }
  if (record.has_person && record.person.is_identified && request.unless_identified) {
    reply.status = SurrenderStatus::kRefused;
    return reply;
  }
  reply = given(storage, record, fault);
  if (fault.has_value()) return {};
  record.state = RecordState::kRedirect;
  record.redirect_to = request.survivor;
  record.given_sequence = request.sequence;
  record.cancelled.clear();
  record.intent.reset();
  if (faults.drop_record_on_surrender) record.has_person = false;
  store_record(storage, record);
  return reply;
}

std::string write_acknowledge() {
  ByteWriter out;
  out.u8(kVersion);
  out.u8(static_cast<uint8_t>(PersonCall::kAcknowledge));
  return out.take();
}

// The survivor holds the person now: the tombstone goes.
void acknowledge(Storage& storage, std::optional<StoredFault>& fault) {
  PersonRecord record = load_record(storage, fault);
  if (record.state != RecordState::kRedirect || !record.has_person) return;
  erase_id_pages(storage, record.person);
  record.has_person = false;
  record.person = {};
  store_record(storage, record);
}

void repoint(Storage& storage, std::string_view expected, std::string_view to,
             const ProtocolFaults& faults, std::optional<StoredFault>& fault) {
  PersonRecord record = load_record(storage, fault);
  if (record.state != RecordState::kRedirect) return;
  if (record.redirect_to != expected && !faults.redirect_backwards) return;
  // The survivor that took this tombstone may still ask for it again under its own name.
  if (record.has_person) return;
  record.redirect_to = to;
  store_record(storage, record);
}

// --- Apply and alarm: both finish the merge under way first ---

// The record while one turn works on it.
class PersonWork {
 public:
  PersonWork(const Turn& turn, std::optional<StoredFault>& fault)
      : turn_(turn), fault_(fault), record_(load_record(*turn.storage, fault)) {}

  // Something stored cannot be read: the turn must end without doing anything, and ends in an error.
  bool failed() const { return fault_.has_value(); }
  std::optional<StoredFault>& fault() { return fault_; }
  void properties_are_broken() { fault_ = properties_fault(); }

  PersonRecord& record() { return record_; }
  Storage& storage() { return *turn_.storage; }

  PropertyBag& bag() {
    if (!bag_loaded_) {
      stored_properties_ = std::move(record_.person.properties);
      if (!bag_.add_text(stored_properties_)) properties_are_broken();
      bag_loaded_ = true;
    }
    return bag_;
  }

  const std::string& properties_text() {
    if (!bag_loaded_) return record_.person.properties;
    if (!person_touched_) return stored_properties_;
    if (text_stale_) {
      text_ = bag_.text();
      text_stale_ = false;
    }
    return text_;
  }

  // The person of another object becomes this one's.
  void adopt(Person person) {
    HF_ASSERT(!record_.has_person && !bag_loaded_);
    record_.has_person = true;
    record_.person = std::move(person);
  }

  // A copy that lives as long as this, for views the bag may come to hold.
  std::string_view keep(std::string bytes) {
    kept_.push_back(std::move(bytes));
    return kept_.back();
  }

  void touch_record() { dirty_ = true; }
  void touch_person() {
    dirty_ = true;
    person_touched_ = true;
    text_stale_ = true;
  }

  void commit() {
    if (!dirty_ || failed()) return;
    if (bag_loaded_ && record_.has_person) record_.person.properties = properties_text();
    store_record(storage(), record_);
    dirty_ = false;
  }

 private:
  const Turn& turn_;
  std::optional<StoredFault>& fault_;
  PersonRecord record_;
  std::list<std::string> kept_;
  std::string stored_properties_;  // what the bag's views show
  PropertyBag bag_;
  bool bag_loaded_ = false;
  bool person_touched_ = false;    // the bag may differ from them
  std::string text_;
  bool text_stale_ = true;
  bool dirty_ = false;
};

// What the call at hand has changed so far, for the persons stream.
class ChangeLog {
 public:
  explicit ChangeLog(bool wanted) : wanted_(wanted) {}
  bool wanted() const { return wanted_; }

  void changed(ChangeKind kind, const PersonOp& op) {
    if (!wanted_) return;
    is_changed_ = true;
    if (kind != ChangeKind::kUpdate) current_.kind = kind;
    current_.distinct_id = op.distinct_id;
    current_.event_uuid = op.event_uuid;
    concerns(op.distinct_id);
  }

  void concerns(std::string_view distinct_id) {
    if (!wanted_) return;
    auto& ids = current_.distinct_ids;
    if (std::find(ids.begin(), ids.end(), distinct_id) == ids.end()) ids.emplace_back(distinct_id);
  }

  void concerns_all(const std::vector<PersonId>& ids) {
    if (!wanted_) return;
    for (const PersonId& id : ids) {
      if (id.distinct_id != current_.distinct_id) current_.distinct_ids.push_back(id.distinct_id);
    }
  }

  void deleted(std::string uuid, uint64_t version, int64_t created_at_ms, const PersonOp& op) {
    if (!wanted_) return;
    PersonChange change;
    change.kind = ChangeKind::kDelete;
    change.uuid = std::move(uuid);
    change.version = version;
    change.created_at_ms = created_at_ms;
    change.distinct_id = op.distinct_id;
    change.event_uuid = op.event_uuid;
    deleted_.push_back(std::move(change));
  }

  // Takes the person's present state when this call changed it.
  void snapshot(PersonWork& work) {
    if (!is_changed_ || !work.record().has_person) return;
    const Person& person = work.record().person;
    current_.uuid = person.uuid;
    current_.id = person.id;
    current_.version = person.version;
    current_.is_identified = person.is_identified;
    current_.created_at_ms = person.created_at_ms;
    current_.properties = work.properties_text();
    for (PersonChange& change : deleted_) change.merged_into = person.uuid;
  }

  // Hands everything over; the call is at its end.
  std::vector<PersonChange> take() {
    std::vector<PersonChange> all;
    if (is_changed_ && !current_.uuid.empty()) all.push_back(std::move(current_));
    for (PersonChange& change : deleted_) all.push_back(std::move(change));
    return all;
  }

 private:
  bool wanted_;
  bool is_changed_ = false;
  PersonChange current_;
  std::vector<PersonChange> deleted_;
};

void note_recent(Person& person, const PersonOp& op, std::string_view merged_uuid = {},
                 uint64_t merged_version = 0) {
  person.recent.note({op.event_uuid, content_hash(op), merged_uuid, merged_version});
}

// One operation's work on the record at hand. Everything here is one turn.
class Operation {
 public:
  Operation(PersonWork& work, ChangeLog& changes, const PersonOp& op, int64_t team_id,
            std::string_view self, PersonlessMode mode)
      : work_(work), changes_(changes), op_(op), team_id_(team_id), self_(self), mode_(mode) {}

  // The result's views and row text are valid until the next operation.
  OpResult& result() { return result_; }
  std::string_view row_properties() { return row_; }

  // §4, §5: an operation without a merge, or after one was refused (§7) or turned out to be none.
  void apply(IdentifiedChange identified) {
    if (!work_.record().has_person) {
      if (op_.access != PersonAccess::kUpdate) {
        note_personless();
        return;
      }
      create(Uuid::of_person(team_id_, self_).text(), false);
      return;
    }
    if (op_.access == PersonAccess::kRead) {
      show({});
      return;
    }
    if (op_.covered || is_redelivered()) {
      // Whoever carried a merge out did not say how it ended; the list of ids does.
      result_.refused = op_.merge != MergeKind::kNone && !has_other();
      show(shown_properties(work_.bag(), op_));
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

  // §6.1, §6.3, §6.4: the other object has surrendered.
  void fold(SurrenderReply&& reply, const std::string& target) {
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

 private:
  bool exact() const { return mode_ == PersonlessMode::kExact; }
  // Copies of a call may come late, when the values they bring are no longer the last ones.
  bool is_redelivered() const {
    std::optional<uint64_t> content;
    RecentChanges::Reader recent(work_.record().person.recent);
    while (recent.next()) {
      if (recent.change().event_uuid != op_.event_uuid) continue;
      if (!content.has_value()) content = content_hash(op_);
      if (recent.change().content == *content) return true;
    }
    return false;
  }
  bool has_other() const {
    return has_distinct_id(work_.storage(), work_.record().person, op_.other, work_.fault());
  }

  void show(std::string row) {
    const Person& person = work_.record().person;
    result_.exists = true;
    result_.uuid = person.uuid;
    result_.created_at_ms = person.created_at_ms;
    result_.hash_keys = op_.access == PersonAccess::kRead ||
                                op_.access == PersonAccess::kWriteHashKeys
                            ? person.hash_keys
                            : std::vector<HashKey>();
    row_storage_ = std::move(row);
    row_ = row_storage_.empty() ? std::string_view(work_.properties_text()) : row_storage_;
    report_again();
  }

  // A redelivered event changes nothing, but its report may have been lost with its request.
  void report_again() {
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

  void note_personless() {
    PersonRecord& record = work_.record();
    const bool remembers = op_.access == PersonAccess::kPersonless ||
                           op_.access == PersonAccess::kIfExists;
    if (!exact() || !remembers || record.personless) return;
    record.personless = true;
    work_.touch_record();
  }

  void create(std::string uuid, bool identified) {
    PersonRecord& record = work_.record();
    record.state = RecordState::kOwner;
    record.has_person = true;
    record.person = {};
    record.person.uuid = std::move(uuid);
    record.person.created_at_ms = op_.timestamp_ms;
    record.person.is_identified = identified;
    record.person.ids.push_back({std::string(self_), 0});
    result_.too_large = create_properties(work_.bag(), op_);
    result_.created = true;
    note_recent(record.person, op_);
    work_.touch_person();
    changes_.changed(ChangeKind::kCreate, op_);
    show({});
  }

  void update(IdentifiedChange identified, ChangeKind kind) {
    Update update = update_person(work_.record().person, work_.bag(), op_, identified);
    result_.too_large = update.too_large;
    if (update.persisted) {
      work_.touch_person();
      note_recent(work_.record().person, op_);
      changes_.changed(kind, op_);
    }
    show(std::move(update.row_properties));
  }

  void create_of_two(bool other_personless) {
    PersonRecord& record = work_.record();
    // Stateless mode cannot know which id has rows of its own; the anonymous one usually has.
    const bool into_personless = exact() ? record.personless : false;
    const bool swaps = exact() ? other_personless && !into_personless : true;
    create(Uuid::of_person(team_id_, swaps ? op_.other : self_).text(), true);
    const bool overrides_other = exact() && other_personless && into_personless;
    record.person.ids.push_back({std::string(op_.other), overrides_other ? 1u : 0u});
    changes_.concerns(op_.other);
    if (!exact()) record.person.ids[0].version = 1;
  }

  void attach(const std::string& target, bool other_personless) {
    PersonRecord& record = work_.record();
    record.person.ids.push_back({target, !exact() || other_personless ? 1u : 0u});
    force_persist();
  }

  void adopt(SurrenderReply&& reply) {
    PersonRecord& record = work_.record();
    const bool into_personless = record.personless;
    record.state = RecordState::kOwner;
    work_.adopt(std::move(reply.person));
    record.person.id_pages = 0;
    take_pages(reply.pages, 0);
    changes_.concerns_all(record.person.ids);
    record.person.ids.push_back({std::string(self_), !exact() || into_personless ? 1u : 0u});
    force_persist();
  }

  void absorb(SurrenderReply&& reply) {
    PersonRecord& record = work_.record();
    const std::string merged_uuid = reply.person.uuid;
    const uint64_t merged_version = reply.person.version + kDeletedVersionStep;
    const int64_t merged_created_at_ms = reply.person.created_at_ms;
    changes_.concerns_all(reply.person.ids);
    take_pages(reply.pages, 1);
    const bool too_large = absorb_person(record.person, work_.bag(), std::move(reply.person));
    work_.touch_person();
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
    if (row_storage_.empty()) row_ = work_.properties_text();
  }

  // The list of ids changed, so the person is stored whatever the update says.
  void force_persist() {
    const uint64_t version = work_.record().person.version;
    update(IdentifiedChange::kIdentify, ChangeKind::kMerge);
    work_.record().person.version = version + 1;
    note_recent(work_.record().person, op_);
    work_.touch_person();
    changes_.changed(ChangeKind::kMerge, op_);
    changes_.concerns(op_.other);
    if (row_storage_.empty()) row_ = work_.properties_text();
  }

  // Pages of another person's ids become pages of this one.
  void take_pages(const std::vector<std::string>& pages, uint64_t version_step) {
    for (const std::string& page : pages) {
      std::vector<PersonId> ids;
      ByteReader in(page);
      HF_ASSERT(read_ids(in, ids));
      for (PersonId& id : ids) id.version += version_step;
      changes_.concerns_all(ids);
      append_id_page(work_.storage(), work_.record().person, ids);
    }
  }

  void write_hash_keys() {
    std::vector<HashKey>& keys = work_.record().person.hash_keys;
    for (const std::string_view flag : op_.unset) {
      const auto same = [&](const HashKey& key) { return key.flag == flag; };
      if (std::any_of(keys.begin(), keys.end(), same)) continue;
      keys.push_back({std::string(flag), std::string(op_.other)});
      work_.touch_record();
    }
  }

  PersonWork& work_;
  ChangeLog& changes_;
  const PersonOp& op_;
  int64_t team_id_;
  std::string_view self_;
  PersonlessMode mode_;
  OpResult result_;
  std::string row_storage_;
  std::string_view row_;
};

// Common part of a call and an alarm: ask the other side of the merge under way, and what its answer
// means. A subclass says what comes when no merge is in the way.
class MergingTask : public Task {
 public:
  void start(const Turn& turn, Effects& effects) final {
    begin(turn, effects);
    refuse_faulty(turn, effects);
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) final {
    go_on(turn, std::move(result), effects);
    refuse_faulty(turn, effects);
  }

 protected:
  explicit MergingTask(const ProtocolFaults& faults) : faults_(faults) {}

  virtual void begin(const Turn& turn, Effects& effects) = 0;
  virtual void go_on(const Turn& turn, EffectResult result, Effects& effects) = 0;

  // Ends the task, unless the turn has met a stored value that it cannot read.
  void finish_well(Reply reply) {
    if (!fault_.has_value()) finish(std::move(reply));
  }

  enum class Answer { kSettled, kAskAgain, kCancelled };

  // Sends the surrender request of the intent that is stored.
  void ask(const Intent& intent, Effects& effects) {
    if (faults_.skip_intent || faults_.fold_twice) asked_ = intent;
    PersonOp op;
    ByteReader in(intent.op);
    HF_ASSERT(read_op(in, op));  // load_record has read it
    asked_sequence_ = intent.sequence;
    asked_target_ = intent.target;
    SurrenderRequest request;
    request.self = intent.target;
    request.survivor = intent.self;
    request.sequence = intent.sequence;
    request.unless_identified = intent.into_existed && op.merge != MergeKind::kDangerously;
    effects.add(CallObject{ObjectClass::kPerson, person_object_name(intent.team_id, intent.target),
                           write_surrender(request)});
  }

  // Whether the record still holds the intent that was asked for: else another call or the alarm was
  // faster.
  bool is_current(PersonRecord& record) const {
    const bool pretends = faults_.fold_twice || (faults_.skip_intent && !record.intent.has_value());
    if (pretends && asked_.has_value()) record.intent = asked_;
    return record.intent.has_value() && record.intent->sequence == asked_sequence_ &&
           (record.intent->target == asked_target_ || faults_.forget_next_target);
  }

  // Carries the answer out in the record, which must still hold the intent that was asked for.
  // `result` and `row`, when not null, get what the operation's own task reports.
  Answer settle(PersonWork& work, SurrenderReply&& reply, ChangeLog& changes,
                OpResult* result, std::string* row) {
    PersonRecord& record = work.record();
    if (reply.status == SurrenderStatus::kBusy) return Answer::kAskAgain;
    if (reply.status == SurrenderStatus::kCancelled) {
      record.intent.reset();
      work.touch_record();
      return Answer::kCancelled;
    }
    const Intent intent = *record.intent;
    if (reply.status == SurrenderStatus::kMoved && reply.moved_to != intent.self) {
      record.intent->target = std::move(reply.moved_to);
      if (!faults_.forget_next_target) work.touch_record();
      return Answer::kAskAgain;
    }
    carry_out(work, intent, std::move(reply), changes, result, row);
    return Answer::kSettled;
  }

  void carry_out(PersonWork& work, const Intent& intent, SurrenderReply&& reply, ChangeLog& changes,
                 OpResult* result, std::string* row) {
    PersonRecord& record = work.record();
    PersonOp op;
    ByteReader in(work.keep(intent.op));
    HF_ASSERT(read_op(in, op));  // load_record has read it
    Operation operation(work, changes, op, intent.team_id, intent.self,
                        intent.exact ? PersonlessMode::kExact : PersonlessMode::kStateless);
    const bool took_person = reply.status == SurrenderStatus::kGiven && reply.has_person;
    UnreportedMerge note;
    if (took_person && record.has_person) {
      note.merged_uuid = reply.person.uuid;
      note.merged_version = reply.person.version + kDeletedVersionStep;
      note.merged_created_at_ms = reply.person.created_at_ms;
    }
    if (reply.status == SurrenderStatus::kGiven) {
      operation.fold(std::move(reply), intent.target);
    } else {
      operation.result().refused = reply.status == SurrenderStatus::kRefused;
      operation.apply(IdentifiedChange::kIdentify);
    }
    record.intent.reset();
    record.note_applied(intent.sequence);
    if (changes.wanted() && !faults_.skip_report) note_unreported(record, intent, op, std::move(note));
    if (took_person) {
      record.unacknowledged.push_back(person_object_name(intent.team_id, intent.target));
    }
    work.touch_record();
    if (result != nullptr) {
      *result = operation.result();
      *row = operation.row_properties();
    }
  }

  // Who asked for the merge may be gone, or its answer lost: the alarm reports it in any case.
  static void note_unreported(PersonRecord& record, const Intent& intent, const PersonOp& op,
                              UnreportedMerge note) {
    note.event_uuid = op.event_uuid;
    note.distinct_id = op.distinct_id;
    note.team_id = intent.team_id;
    std::vector<UnreportedMerge>& notes = record.person.unreported;
    notes.push_back(std::move(note));
    if (notes.size() > limits::kUnreportedMergesMax) notes.erase(notes.begin());
  }

  const ProtocolFaults faults_;
  std::optional<StoredFault> fault_;  // of the turn at hand, which then does nothing
  uint64_t asked_sequence_ = 0;
  std::string asked_target_;
  std::optional<Intent> asked_;  // only with faults that need it

 private:
  void refuse_faulty(const Turn& turn, Effects& effects) {
    if (!fault_.has_value()) return;
    effects.take();
    finish(refuse_stored(turn, kClassName, *fault_));
  }
};

int64_t alarm_delay_ms(int64_t age_ms) {
  return std::clamp(age_ms, limits::kMergeAlarmMs, limits::kMergeAlarmMsMax);
}

void make_sure_of_alarm(const Turn& turn, const ProtocolFaults& faults) {
  if (faults.skip_alarm) return;
  const int64_t at_ms = turn.now_ms + limits::kMergeAlarmMs;
  const int64_t set_ms = turn.storage->alarm();
  if (set_ms == 0 || set_ms > at_ms) turn.storage->set_alarm(at_ms);
}

class ApplyTask final : public MergingTask {
 public:
  ApplyTask(std::string bytes, const ProtocolFaults& faults)
      : MergingTask(faults), bytes_(std::move(bytes)), changes_(false) {}

  void begin(const Turn& turn, Effects& effects) override {
    std::optional<ApplyRequest> request = read_apply(bytes_);
    if (!request.has_value()) {
      end(ApplyStatus::kBad);
      return;
    }
    request_ = std::move(*request);
    changes_ = ChangeLog(request_.wants_changes);
    run(turn, effects);
  }

  void go_on(const Turn& turn, EffectResult result, Effects& effects) override {
    if (waits_) {
      waits_ = false;
      run(turn, effects);
      return;
    }
    if (early_reply_.has_value()) {
      answered(turn, SurrenderReply(*early_reply_), effects);
      return;
    }
    if (!result.ok) {
      if (++attempts_ >= 2) {
        end(ApplyStatus::kFailed);
      } else {
        run(turn, effects);
      }
      return;
    }
    std::optional<SurrenderReply> reply = read_surrender_reply(result.body);
    if (!reply.has_value()) {
      end(ApplyStatus::kFailed);
      return;
    }
    answered(turn, std::move(*reply), effects);
  }

 private:
  void answered(const Turn& turn, SurrenderReply&& reply, Effects& effects) {
    PersonWork work(turn, fault_);
    if (work.failed()) return;
    PersonRecord& record = work.record();
    if (!is_current(record)) {
      // run() finds out how it went.
      run_on(work, turn, effects);
      return;
    }
    if (faults_.acknowledge_before_fold && reply.has_person && !early_reply_.has_value()) {
      early_reply_ = std::move(reply);
      effects.add(CallObject{ObjectClass::kPerson,
                             person_object_name(record.intent->team_id, asked_target_),
                             write_acknowledge()});
      return;
    }
    early_reply_.reset();
    const bool is_mine = merge_sequence_ == asked_sequence_;
    OpResult result;
    std::string row;
    const Answer answer = settle(work, std::move(reply), changes_, is_mine ? &result : nullptr, &row);
    if (work.failed()) return;
    if (answer == Answer::kSettled) {
      if (is_mine) done_with(result, row);
      asked_.reset();
      run_on(work, turn, effects);
      return;
    }
    if (answer == Answer::kCancelled && is_mine) merge_sequence_ = 0;
    const bool moved_on = record.intent.has_value() && record.intent->target != asked_target_;
    commit(work);
    if (moved_on) {
      if (++hops_ > limits::kRedirectHopsMax) {
        end(ApplyStatus::kFailed);
        return;
      }
      ask(*record.intent, effects);
      return;
    }
    wait_or_give_up(turn, effects);
  }

  void wait_or_give_up(const Turn& turn, Effects& effects) {
    if (++attempts_ >= limits::kPersonAttemptsMax) {
      end(ApplyStatus::kBusy);
      return;
    }
    waits_ = true;
    const uint64_t spread_ms = 10ull << attempts_;
    effects.add(Wait{static_cast<uint32_t>(10 + turn.entropy.below(spread_ms))});
  }

  void run(const Turn& turn, Effects& effects) {
    PersonWork work(turn, fault_);
    run_on(work, turn, effects);
  }

  void run_on(PersonWork& work, const Turn& turn, Effects& effects) {
    if (work.failed()) return;
    PersonRecord& record = work.record();
    if (record.state == RecordState::kRedirect) {
      const bool covered = merge_sequence_ != 0 && record.was_applied(merge_sequence_);
      end(ApplyStatus::kMoved, record.redirect_to, covered);
      return;
    }
    if (record.intent.has_value() && !faults_.skip_intent_help) {
      commit(work);
      make_sure_of_alarm(turn, faults_);
      ask(*record.intent, effects);
      return;
    }
    while (next_ < request_.ops.size()) {
      if (writer_.size() > limits::kPersonReplyBytesMax) break;
      PersonOp& op = request_.ops[next_];
      if (!belongs_here(op)) break;
      const bool begins = begins_merge(work, op);
      if (work.failed()) return;
      if (begins) {
        begin_merge(work, turn, op, effects);
        return;
      }
      apply(work, op);
      if (work.failed()) return;
    }
    take_offered_id(work);
    commit(work);
    end(next_ == request_.ops.size() ? ApplyStatus::kDone : ApplyStatus::kPartial);
  }

  bool belongs_here(const PersonOp& op) const {
    if (!op.needs_merge) return true;
    return std::find(merged_.begin(), merged_.end(), op.distinct_id) != merged_.end();
  }

  // False when the operation has no merge, or one that is known to be done.
  bool begins_merge(PersonWork& work, PersonOp& op) {
    if (op.merge == MergeKind::kNone || op.covered) return false;
    if (merge_sequence_ != 0 && work.record().was_applied(merge_sequence_)) {
      op.covered = true;
      return false;
    }
    if (op.other == request_.self) return false;
    return !work.record().has_person ||
           !has_distinct_id(work.storage(), work.record().person, op.other, work.fault());
  }

  void begin_merge(PersonWork& work, const Turn& turn, const PersonOp& op, Effects& effects) {
    PersonRecord& record = work.record();
    Intent intent;
    intent.sequence = ++record.sequence;
    intent.self = request_.self;
    intent.target = op.other;
    intent.into_existed = record.has_person;
    intent.exact = request_.personless == PersonlessMode::kExact;
    intent.since_ms = turn.now_ms;
    intent.team_id = request_.team_id;
    ByteWriter bytes;
    write_op(bytes, op);
    intent.op = bytes.take();
    merge_sequence_ = intent.sequence;
    if (!faults_.skip_intent) record.intent = intent;
    work.touch_record();
    commit(work);
    make_sure_of_alarm(turn, faults_);
    ask(intent, effects);
  }

  void apply(PersonWork& work, const PersonOp& op) {
    Operation operation(work, changes_, op, request_.team_id, request_.self, request_.personless);
    // An operation whose ids are one person already still identifies it (§6.1 case 4).
    operation.apply(op.merge == MergeKind::kNone ? IdentifiedChange::kKeep
                                                 : IdentifiedChange::kIdentify);
    done_with(operation.result(), operation.row_properties());
  }

  void done_with(const OpResult& result, std::string_view row) {
    const PersonOp& op = request_.ops[next_];
    writer_.add(result, row, op.access);
    if (op.merge != MergeKind::kNone && !result.refused) merged_.emplace_back(op.other);
    merge_sequence_ = 0;
    ++next_;
  }

  void take_offered_id(PersonWork& work) {
    PersonRecord& record = work.record();
    if (request_.offered_id == 0 || took_id_ || !record.has_person || record.person.id != 0) return;
    record.person.id = request_.offered_id;
    took_id_ = true;
    work.touch_record();
  }

  void commit(PersonWork& work) {
    changes_.snapshot(work);
    work.commit();
  }

  void end(ApplyStatus status, std::string_view moved_to = {}, bool covered = false) {
    Reply reply;
    reply.body = writer_.finish(status, moved_to, covered, took_id_, changes_.take());
    finish_well(std::move(reply));
  }

  std::string bytes_;
  ApplyRequest request_;
  ApplyReplyWriter writer_;
  ChangeLog changes_;
  size_t next_ = 0;
  uint64_t merge_sequence_ = 0;  // of the merge begun for request_.ops[next_]; 0: none
  std::vector<std::string> merged_;
  int attempts_ = 0;
  std::optional<SurrenderReply> early_reply_;  // only with acknowledge_before_fold
  int hops_ = 0;
  bool waits_ = false;
  bool took_id_ = false;
};

// Finishes the merge a crash left behind, tells surrendered objects that they may forget, and reports
// merges to the persons stream. Each step leaves its note in the record until it is done.
class AlarmTask final : public MergingTask {
 public:
  explicit AlarmTask(const ProtocolFaults& faults) : MergingTask(faults), changes_(false) {}

  void begin(const Turn& turn, Effects& effects) override {
    changes_ = ChangeLog(turn.config.sinks[index_of(Stream::kPersons)] != SinkKind::kNone);
    PersonWork work(turn, fault_);
    if (work.failed()) {
      come_back_later(turn);
      return;
    }
    PersonRecord& record = work.record();
    if (!has_work(record)) {
      finish_well({});
      return;
    }
    // Set before anything can go wrong: the host repeats a failed alarm only a few times.
    const int64_t age_ms = record.intent.has_value() ? turn.now_ms - record.intent->since_ms : 0;
    turn.storage->set_alarm(turn.now_ms + alarm_delay_ms(age_ms));
    run(work, turn, effects);
  }

  void go_on(const Turn& turn, EffectResult result, Effects& effects) override {
    PersonWork work(turn, fault_);
    if (work.failed()) return;
    if (report_.has_value()) {
      report_->resume(turn, std::move(result), effects);
      if (report_->finished()) reported(work, turn, effects);
    } else if (acknowledging_) {
      acknowledged(work, turn, result, effects);
    } else {
      answered(work, turn, result, effects);
    }
  }

 private:
  // The code that can read the record may be back, after a rollback for instance. This turn is to
  // stand, so it ends without an error.
  void come_back_later(const Turn& turn) {
    refuse_stored(turn, kClassName, *fault_);
    fault_.reset();
    turn.storage->set_alarm(turn.now_ms + limits::kMergeAlarmMsMax);
    finish({});
  }

  static bool has_work(const PersonRecord& record) {
    return record.intent.has_value() || !record.unacknowledged.empty() || owes_report(record);
  }

  // A person that was surrendered took its notes along.
  static bool owes_report(const PersonRecord& record) {
    return record.state == RecordState::kOwner && !record.person.unreported.empty();
  }

  void run(PersonWork& work, const Turn& turn, Effects& effects) {
    PersonRecord& record = work.record();
    if (record.intent.has_value()) {
      ask(*record.intent, effects);
    } else if (!record.unacknowledged.empty() && !has_acknowledged_) {
      acknowledge_some(record, effects);
    } else if (owes_report(record) && !has_reported_) {
      report(work, turn, effects);
    } else {
      if (!has_work(record)) turn.storage->set_alarm(0);
      finish_well({});
    }
  }

  void answered(PersonWork& work, const Turn& turn, const EffectResult& result, Effects& effects) {
    std::optional<SurrenderReply> reply;
    if (result.ok) reply = read_surrender_reply(result.body);
    PersonRecord& record = work.record();
    if (!reply.has_value() || ++steps_ > limits::kRedirectHopsMax) {
      finish_well({});
      return;
    }
    if (is_current(record)) {
      const Answer answer = settle(work, std::move(*reply), changes_, nullptr, nullptr);
      if (work.failed()) return;
      work.commit();
      const bool moved_on = record.intent.has_value() && record.intent->target != asked_target_;
      if (answer == Answer::kAskAgain && !moved_on) {
        finish_well({});
        return;
      }
    }
    asked_.reset();
    run(work, turn, effects);
  }

  void acknowledge_some(const PersonRecord& record, Effects& effects) {
    acknowledging_ = true;
    has_acknowledged_ = true;
    const size_t count = std::min(record.unacknowledged.size(), limits::kAcknowledgeAtOnce);
    for (size_t i = 0; i < count; ++i) {
      const std::string& object = record.unacknowledged[i];
      pending_.emplace_back(
          effects.add(CallObject{ObjectClass::kPerson, object, write_acknowledge()}), object);
    }
  }

  void acknowledged(PersonWork& work, const Turn& turn, const EffectResult& result,
                    Effects& effects) {
    const auto found = std::find_if(pending_.begin(), pending_.end(),
                                    [&](const auto& sent) { return sent.first == result.id; });
    HF_ASSERT(found != pending_.end());
    if (result.ok) done_.push_back(found->second);
    pending_.erase(found);
    if (!pending_.empty()) return;
    acknowledging_ = false;
    std::vector<std::string>& waiting = work.record().unacknowledged;
    for (const std::string& object : done_) {
      waiting.erase(std::remove(waiting.begin(), waiting.end(), object), waiting.end());
    }
    if (!done_.empty()) {
      work.touch_record();
      work.commit();
    }
    run(work, turn, effects);
  }

  // The person as it is now with all its ids, and a deletion for each person it absorbed.
  void report(PersonWork& work, const Turn& turn, Effects& effects) {
    const Person& person = work.record().person;
    const UnreportedMerge& newest = person.unreported.back();
    Project project;
    project.team_id = newest.team_id;
    PersonOp op;
    op.distinct_id = newest.distinct_id;
    op.event_uuid = newest.event_uuid;
    ChangeLog log(true);
    log.changed(ChangeKind::kMerge, op);
    log.concerns_all(person.ids);
    for (const std::string& page : load_id_pages(work.storage(), person, work.fault())) {
      std::vector<PersonId> ids;
      ByteReader in(page);
      HF_ASSERT(read_ids(in, ids));
      log.concerns_all(ids);
    }
    if (work.failed()) return;
    for (const UnreportedMerge& merge : person.unreported) {
      reported_.push_back(merge.event_uuid);
      if (merge.merged_uuid.empty()) continue;
      op.distinct_id = merge.distinct_id;
      op.event_uuid = merge.event_uuid;
      log.deleted(merge.merged_uuid, merge.merged_version, merge.merged_created_at_ms, op);
    }
    log.snapshot(work);
    RowBatch rows(Stream::kPersons);
    for (const PersonChange& change : log.take()) {
      append_person_rows(rows, change, project, {}, turn.now_ms);
    }
    has_reported_ = true;
    std::vector<RowBatch> batches;
    batches.push_back(std::move(rows));
    report_.emplace(std::move(batches), sink_health_);
    report_->start(turn, effects);
    if (report_->finished()) reported(work, turn, effects);
  }

  void reported(PersonWork& work, const Turn& turn, Effects& effects) {
    const bool is_kept = report_->outcome(Stream::kPersons).failed == 0;
    report_.reset();
    PersonRecord& record = work.record();
    if (is_kept && owes_report(record)) {
      std::vector<UnreportedMerge>& notes = record.person.unreported;
      const auto is_done = [&](const UnreportedMerge& note) {
        return std::find(reported_.begin(), reported_.end(), note.event_uuid) != reported_.end();
      };
      notes.erase(std::remove_if(notes.begin(), notes.end(), is_done), notes.end());
      work.touch_record();
      work.commit();
    }
    run(work, turn, effects);
  }

  ChangeLog changes_;
  bool acknowledging_ = false;
  bool has_acknowledged_ = false;
  std::vector<std::pair<uint32_t, std::string>> pending_;
  std::vector<std::string> done_;
  SinkHealth sink_health_;
  std::optional<DeliveryRun> report_;
  bool has_reported_ = false;
  std::vector<std::string> reported_;  // event uuids
  int steps_ = 0;
};

// Calls that are over in one turn.
class OneTurnTask final : public Task {
 public:
  OneTurnTask(std::string bytes, const ProtocolFaults& faults)
      : bytes_(std::move(bytes)), faults_(faults) {}

  void start(const Turn& turn, Effects&) override {
    ByteReader in(bytes_);
    const bool known = in.u8() == kVersion;
    const auto call = static_cast<PersonCall>(in.u8());
    Reply reply;
    std::optional<StoredFault> fault;
    if (known && call == PersonCall::kSurrender) {
      SurrenderRequest request;
      request.self = in.text();
      request.survivor = in.text();
      request.sequence = in.number();
      request.unless_identified = in.u8() != 0;
      if (in.done()) reply.body = write_surrender_reply(surrender(*turn.storage, request, faults_, fault));
    } else if (known && call == PersonCall::kAcknowledge) {
      if (in.done()) acknowledge(*turn.storage, fault);
    } else if (known && call == PersonCall::kRepoint) {
      in.text();
      const std::string_view expected = in.text();
      const std::string_view to = in.text();
      if (in.done()) repoint(*turn.storage, expected, to, faults_, fault);
    }
    if (fault.has_value()) reply = refuse_stored(turn, kClassName, *fault);
    if (!known || !in.done()) reply.status = 400;
    finish(std::move(reply));
  }

  void resume(const Turn&, EffectResult, Effects&) override { HF_ASSERT(false); }

 private:
  std::string bytes_;
  ProtocolFaults faults_;
};

class CounterTask final : public Task {
 public:
  explicit CounterTask(std::string bytes) : bytes_(std::move(bytes)) {}

  void start(const Turn& turn, Effects&) override {
    ByteReader in(bytes_);
    const bool known = in.u8() == kVersion;
    const uint64_t count = in.number();
    Reply reply;
    if (!known || !in.done() || count == 0 || count > 1'000'000) {
      reply.status = 400;
      finish(std::move(reply));
      return;
    }
    std::string stored;
    uint64_t next = 1;
    if (turn.storage->get(kNextKey, stored)) {
      ByteReader next_in(stored);
      next = next_in.number();
      // The number has no version: its bytes are all there is to tell by.
      if (!next_in.done() || next == 0) {
        finish(refuse_stored(turn, "counter", {std::string(kNextKey), kVersion, kVersion}));
        return;
      }
    }
    ByteWriter after;
    after.number(next + count);
    turn.storage->put(kNextKey, after.bytes());
    ByteWriter out;
    out.u8(kVersion);
    out.number(next);
    reply.body = out.take();
    finish(std::move(reply));
  }

  void resume(const Turn&, EffectResult, Effects&) override { HF_ASSERT(false); }

 private:
  std::string bytes_;
};

}  // namespace

std::unique_ptr<Task> make_person_call(std::string request) {
  return make_person_call(std::move(request), ProtocolFaults{});
}

std::unique_ptr<Task> make_person_call(std::string request, const ProtocolFaults& faults) {
  ByteReader in(request);
  in.u8();
  if (static_cast<PersonCall>(in.u8()) == PersonCall::kApply) {
    return std::make_unique<ApplyTask>(std::move(request), faults);
  }
  return std::make_unique<OneTurnTask>(std::move(request), faults);
}

std::unique_ptr<Task> make_person_alarm() { return make_person_alarm(ProtocolFaults{}); }

std::unique_ptr<Task> make_person_alarm(const ProtocolFaults& faults) {
  return std::make_unique<AlarmTask>(faults);
}

std::unique_ptr<Task> make_counter_call(std::string request) {
  return std::make_unique<CounterTask>(std::move(request));
}

std::string counter_object_name(int64_t team_id) { return std::to_string(team_id) + ":counter"; }

std::string write_lease(uint64_t count) {
  ByteWriter out;
  out.u8(kVersion);
  out.number(count);
  return out.take();
}

uint64_t read_lease_reply(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != kVersion) return 0;
  const uint64_t first = in.number();
  return in.done() ? first : 0;
}

StoredPerson read_stored_person(Storage& storage) {
  std::optional<StoredFault> fault;
  const PersonRecord record = load_record(storage, fault);
  StoredPerson stored;
  stored.state = static_cast<StoredPerson::State>(record.state);
  stored.redirect_to = record.redirect_to;
  stored.has_intent = record.intent.has_value();
  stored.has_tombstone = record.state == RecordState::kRedirect && record.has_person;
  stored.has_unacknowledged = !record.unacknowledged.empty();
  stored.has_unreported = record.has_person && !record.person.unreported.empty();
  const Person& person = record.person;
  stored.uuid = person.uuid;
  stored.created_at_ms = person.created_at_ms;
  stored.id = person.id;
  stored.version = person.version;
  stored.is_identified = person.is_identified;
  stored.properties = person.properties;
  for (const std::string& page : load_id_pages(storage, person, fault)) {
    std::vector<PersonId> ids;
    ByteReader in(page);
    HF_ASSERT(read_ids(in, ids));
    for (const PersonId& id : ids) stored.distinct_ids.emplace_back(id.distinct_id, id.version);
  }
  for (const PersonId& id : person.ids) stored.distinct_ids.emplace_back(id.distinct_id, id.version);
  return stored;
}

}  // namespace hogflare
