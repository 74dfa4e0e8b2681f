// What a person's object keeps under its key: who it is in the merge protocol, and the person. What
// grows with a person's history has rows of its own: ids (person_ids.h), tombstones to dismiss and
// merges to report (person_notes.h), and the operation of a merge under way when it is large.
//
//   std::optional<StoredFault> fault;
//   PersonRecord record = load_record(storage, bounds, fault);
//   …
//   store_record(storage, record);
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/person.h"
#include "hogflare/person_object.h"
#include "hogflare/stored_fault.h"
#include "hogflare/task.h"

namespace hogflare {

// Of the record and of every row beside it.
inline constexpr uint8_t kPersonStoredVersion = 2;

enum class RecordState : uint8_t { kEmpty = 0, kOwner = 1, kRedirect = 2 };

// A merge under way at the surviving object. While it is stored the object is locked: nobody reads
// or changes the person, and it surrenders to nobody.
struct Intent {
  uint64_t sequence = 0;  // of the survivor's merges
  std::string self;       // the survivor's distinct id
  std::string target;     // the object being asked now; moves along redirects
  bool into_existed = false;
  bool exact = false;
  int64_t since_ms = 0;
  int64_t team_id = 1;
  std::string op;  // bytes of the PersonOp
};

// A survivor was told that its merge up to `sequence` was cancelled: it must never be granted.
struct CancelNote {
  std::string survivor;
  uint64_t sequence = 0;
};

struct PersonRecord {
  RecordState state = RecordState::kEmpty;
  bool personless = false;      // exact mode: events came while nobody was there
  std::string redirect_to;      // kRedirect
  uint64_t given_sequence = 0;  // kRedirect: the survivor's merge that took the person
  bool has_person = false;      // kOwner, or a redirect's tombstone
  // Its `unreported` is empty: those notes have rows of their own.
  Person person;
  uint64_t sequence = 0;  // of the last merge begun here
  std::optional<Intent> intent;
  std::vector<uint64_t> applied;  // the last merges carried out, newest last
  std::vector<CancelNote> cancelled;
  uint64_t next_dismissal = 0;  // numbers of notes, person_notes.h
  uint64_t first_report = 0;
  uint64_t next_report = 0;

  PersonBounds bounds;
  // The merge whose operation stands in the row of its own; 0: none does.
  uint64_t apart_sequence = 0;

  bool was_applied(uint64_t merge) const;
  void note_applied(uint64_t merge);
};

// What is stored, an empty record when nothing is. A value that cannot be read sets `fault`, and
// what is returned then is of no use. A record of version 1 with lists in it is written anew at
// once.
PersonRecord load_record(Storage& storage, const PersonBounds& bounds,
                         std::optional<StoredFault>& fault);
// Moves ids beyond a bound to pages first.
void store_record(Storage& storage, PersonRecord& record, std::optional<StoredFault>& fault);

// Whether everything that others rely on is there: uuids that are uuids, properties that are an
// object. For what comes without a checksum: a record of version 1, and another object's reply.
bool is_sound(const Person& person);

// The fault of a stored value that is there (`bytes`) but cannot be read.
StoredFault unreadable(std::string_view key, std::string_view bytes);
// The fault of a value that another one says is there.
StoredFault missing(std::string_view key);

}  // namespace hogflare
