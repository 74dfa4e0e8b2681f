// What a person's object keeps under its key: who it is in the merge protocol, and the person.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/person.h"
#include "hogflare/stored_fault.h"
#include "hogflare/task.h"

namespace hogflare {

enum class RecordState : uint8_t { kEmpty = 0, kOwner = 1, kRedirect = 2 };

// A merge under way at the surviving object. While it is stored the object is locked: nobody reads
// or changes the person, and it surrenders to nobody.
struct Intent {
  uint64_t sequence = 0;    // of the survivor's merges
  std::string self;         // the survivor's distinct id
  std::string target;       // the object being asked now; moves along redirects
  bool into_existed = false;
  bool exact = false;
  int64_t since_ms = 0;
  int64_t team_id = 1;
  std::string op;           // bytes of the PersonOp
};

// A survivor was told that its merge up to `sequence` was cancelled: it must never be granted.
struct CancelNote {
  std::string survivor;
  uint64_t sequence = 0;
};

struct PersonRecord {
  RecordState state = RecordState::kEmpty;
  bool personless = false;           // exact mode: events came while nobody was there
  std::string redirect_to;           // kRedirect
  uint64_t given_sequence = 0;       // kRedirect: the survivor's merge that took the person
  bool has_person = false;           // kOwner, or a redirect's tombstone
  Person person;
  uint64_t sequence = 0;             // of the last merge begun here
  std::optional<Intent> intent;
  std::vector<uint64_t> applied;     // the last merges carried out, newest last
  std::vector<std::string> unacknowledged;  // objects whose tombstones this person has folded in
  std::vector<CancelNote> cancelled;

  bool was_applied(uint64_t merge) const;
  void note_applied(uint64_t merge);
};

// What is stored, an empty record when nothing is. A value that cannot be read sets `fault`, and what
// is returned then is of no use; so with the readers of pages below.
PersonRecord load_record(Storage& storage, std::optional<StoredFault>& fault);
// Moves ids beyond a bound to pages of their own first.
void store_record(Storage& storage, PersonRecord& record);

// All pages of a person's ids, each as write_ids wrote it.
std::vector<std::string> load_id_pages(Storage& storage, const Person& person,
                                       std::optional<StoredFault>& fault);
// The fault of a record whose properties turn out not to be a text of ours.
StoredFault properties_fault();

// Whether the bytes are a page: stored ones are checked when loaded, another object's by the caller.
bool is_id_page(std::string_view bytes);
void append_id_page(Storage& storage, Person& person, const std::vector<PersonId>& ids);
void erase_id_pages(Storage& storage, const Person& person);
bool has_distinct_id(Storage& storage, const Person& person, std::string_view distinct_id,
                     std::optional<StoredFault>& fault);

}  // namespace hogflare
