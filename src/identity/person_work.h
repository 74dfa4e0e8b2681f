// One turn's work on a person's record, and what the call at hand has changed so far.
#pragma once

#include <list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hogflare/person_calls.h"
#include "identity/person_ids.h"
#include "identity/person_notes.h"
#include "identity/person_record.h"

namespace hogflare {

// The record while one turn works on it.
class PersonWork {
 public:
  // `fault` must outlive it.
  PersonWork(const Turn& turn, const PersonBounds& bounds, std::optional<StoredFault>& fault)
      : storage_(*turn.storage), fault_(fault), record_(load_record(storage_, bounds, fault)) {}

  // Something stored cannot be read, or the call cannot: the turn must end without doing anything.
  bool failed() const { return fault_.has_value() || is_refused_; }
  std::optional<StoredFault>& fault() { return fault_; }
  // The call holds texts that are none of PropertyBag's.
  void refuse_call() { is_refused_ = true; }
  bool is_refused() const { return is_refused_; }

  PersonRecord& record() { return record_; }
  Storage& storage() { return storage_; }

  // The person's properties.
  PropertyBag& bag();
  const std::string& properties_text();
  bool has_id(std::string_view distinct_id) {
    return finder_.has(storage_, record_.person, distinct_id, fault_);
  }
  // The person of another object becomes this one's.
  void adopt(Person person);
  // Ids of another person, on pages of their own.
  void take_ids(std::vector<PersonId> ids);
  // A copy that lives as long as this, for views the bag may come to hold.
  std::string_view keep(std::string bytes) {
    kept_.push_back(std::move(bytes));
    return kept_.back();
  }

  void touch_record() { dirty_ = true; }
  // Another one for every text that properties_text() may return.
  uint64_t text_revision() const { return text_revision_; }
  void touch_person() {
    dirty_ = true;
    ++text_revision_;
    person_touched_ = true;
    text_stale_ = true;
  }
  // Stores what was touched, unless the turn has failed.
  void commit();

 private:
  Storage& storage_;
  std::optional<StoredFault>& fault_;
  bool is_refused_ = false;
  PersonRecord record_;
  IdFinder finder_;
  std::list<std::string> kept_;
  std::string stored_properties_;  // what the bag's views show
  PropertyBag bag_;
  bool bag_loaded_ = false;
  bool person_touched_ = false;  // the bag may differ from them
  std::string text_;
  bool text_stale_ = true;
  uint64_t text_revision_ = 1;
  bool dirty_ = false;
};

// What the call at hand has changed so far, for the persons stream.
class ChangeLog {
 public:
  explicit ChangeLog(bool wanted) : wanted_(wanted) {}
  bool wanted() const { return wanted_; }

  void changed(ChangeKind kind, const PersonOp& op);
  void concerns(std::string_view distinct_id);
  void concerns_all(const std::vector<PersonId>& ids);
  void deleted(std::string uuid, uint64_t version, int64_t created_at_ms, const PersonOp& op);
  // Takes the person's present state when this call changed it.
  void snapshot(PersonWork& work);
  // Hands everything over; the call is at its end.
  std::vector<PersonChange> take();

 private:
  bool wanted_;
  bool is_changed_ = false;
  PersonChange current_;
  std::set<std::string, std::less<>> seen_;  // current_'s distinct ids
  std::vector<PersonChange> deleted_;
};

}  // namespace hogflare
