#include "identity/person_work.h"

#include "hogflare/result.h"

namespace hogflare {

PropertyBag& PersonWork::bag() {
  if (!bag_loaded_) {
    stored_properties_ = std::move(record_.person.properties);
    // Stored texts are checked when the record is read.
    if (!bag_.add_text(stored_properties_)) {
      fault_ = StoredFault{"person", kPersonStoredVersion, kPersonStoredVersion};
    }
    bag_loaded_ = true;
  }
  return bag_;
}

const std::string& PersonWork::properties_text() {
  if (!bag_loaded_) return record_.person.properties;
  if (!person_touched_) return stored_properties_;
  if (text_stale_) {
    text_ = bag_.text();
    text_stale_ = false;
  }
  return text_;
}

void PersonWork::adopt(Person person) {
  HF_ASSERT(!record_.has_person && !bag_loaded_);
  record_.has_person = true;
  record_.person = std::move(person);
}

void PersonWork::take_ids(std::vector<PersonId> ids) {
  append_ids(storage_, record_.person, std::move(ids), record_.bounds, fault_);
  finder_.forget();
}

void PersonWork::commit() {
  if (!dirty_ || failed()) return;
  if (bag_loaded_ && record_.has_person) record_.person.properties = properties_text();
  store_record(storage_, record_, fault_);
  finder_.forget();
  dirty_ = false;
}

void ChangeLog::changed(ChangeKind kind, const PersonOp& op) {
  if (!wanted_) return;
  is_changed_ = true;
  if (kind != ChangeKind::kUpdate) current_.kind = kind;
  current_.distinct_id = op.distinct_id;
  current_.event_uuid = op.event_uuid;
  concerns(op.distinct_id);
}

void ChangeLog::concerns(std::string_view distinct_id) {
  if (!wanted_ || seen_.find(distinct_id) != seen_.end()) return;
  seen_.emplace(distinct_id);
  current_.distinct_ids.emplace_back(distinct_id);
}

void ChangeLog::concerns_all(const std::vector<PersonId>& ids) {
  for (const PersonId& id : ids) concerns(id.distinct_id);
}

void ChangeLog::deleted(std::string uuid, uint64_t version, int64_t created_at_ms,
                        const PersonOp& op) {
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

void ChangeLog::snapshot(PersonWork& work) {
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

std::vector<PersonChange> ChangeLog::take() {
  std::vector<PersonChange> all;
  if (is_changed_ && !current_.uuid.empty()) all.push_back(std::move(current_));
  for (PersonChange& change : deleted_) all.push_back(std::move(change));
  return all;
}

}  // namespace hogflare
