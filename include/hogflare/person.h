// A person and the rules that change one: what PostHog's ingestion does to a row of its persons
// table, as pure functions. Rules: docs/rules/identity.md, by the numbers below.
//
//   PropertyBag bag;
//   bag.add_text(person.properties);
//   Update update = update_person(person, bag, op, IdentifiedChange::kKeep);
//   if (update.persisted) person.properties = bag.text();
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/bytes.h"
#include "hogflare/property_bag.h"

namespace hogflare {

// I-6.1: which event asks for a merge; only kDangerously may absorb an identified person.
enum class MergeKind : uint8_t { kNone, kIdentify, kAlias, kDangerously };

// What an operation wants of the person it finds.
enum class PersonAccess : uint8_t {
  kUpdate,         // create when missing, then update
  kIfExists,       // $feature_flag_called: update an existing person, create nobody
  kPersonless,     // exact mode: look up, remember the id as personless when nobody is there
  kRead,           // /flags: look up; with anything in `unset` distinct ids come as keys of no flag
  kWriteHashKeys,  // /flags: look up and keep `unset` (flag keys) → `other` (hash key), F-3.3
};

// One event's wish on one person. Views borrow from the event or the request bytes.
struct PersonOp {
  std::string_view distinct_id;
  std::string_view other;  // merge: the id to absorb
  MergeKind merge = MergeKind::kNone;
  PersonAccess access = PersonAccess::kUpdate;
  bool updates_existing = true;  // false: $exception and $$heatmap (I-5.1)
  bool writes_noisy = false;     // person events write every change (I-5.3)
  bool may_upgrade = false;      // kPersonless: the project did not opt out (I-3.3)
  // Holds only if an earlier merge of the same call brought distinct_id here.
  bool needs_merge = false;
  // Was carried out already; only the snapshot is missing.
  bool covered = false;
  // False: nobody looks at the row's properties, which then need not be made. Not part of a call.
  bool wants_text = true;
  std::string_view event_uuid;
  int64_t timestamp_ms = 0;
  std::string_view set;                 // JSON object; empty: none
  std::string_view set_once;            // JSON object; empty: none
  std::vector<std::string_view> unset;  // canonical keys
};

void write_op(ByteWriter& out, const PersonOp& op);
// At least what write_op appends.
size_t op_bytes_max(const PersonOp& op);
// False when the bytes are not an operation. Views point into the reader's bytes.
bool read_op(ByteReader& in, PersonOp& op);

// A distinct id of a person. A version above 0 is an override: rows stored under that id before it
// came to this person belong to this person now (I-6.9).
struct PersonId {
  std::string distinct_id;
  uint64_t version = 0;
};

struct HashKey {
  std::string flag;
  std::string hash_key;
};

// What a recent event changed, so that its redelivery changes nothing and reports the change once
// more. A client that gives one uuid to different events gets each of them applied.
struct RecentChange {
  std::string_view event_uuid;
  uint64_t content = 0;          // hash of the operation
  std::string_view merged_uuid;  // the person it absorbed; empty: none
  uint64_t merged_version = 0;
};

// The last of them, oldest first, kept as the bytes they are stored as: nearly every call only
// looks whether one of them is its own.
//
//   RecentChanges::Reader reader(person.recent);
//   while (reader.next()) use(reader.change());
class RecentChanges {
 public:
  class Reader {
   public:
    explicit Reader(const RecentChanges& changes) : in_(changes.bytes_), left_(changes.count_) {}
    // False behind the last one.
    bool next();
    // Borrowed from the changes, valid until they are changed.
    const RecentChange& change() const { return change_; }
    size_t bytes_left() const { return in_.rest().size(); }

   private:
    ByteReader in_;
    size_t left_;
    RecentChange change_;
  };

  // Notes `change` as the newest, in place of the newest one when that is of the same operation.
  // The oldest goes when there are too many.
  void note(const RecentChange& change);

  void write(ByteWriter& out) const;
  // False when the bytes are not changes.
  bool read(ByteReader& in);

 private:
  std::string bytes_;
  size_t count_ = 0;
};

// A merge that the persons stream may not have heard of: noted with the merge itself, gone once the
// object's alarm has sent its rows. Moves along when the person is absorbed.
struct UnreportedMerge {
  std::string event_uuid;
  std::string distinct_id;
  std::string merged_uuid;  // the person it absorbed; empty: none
  uint64_t merged_version = 0;
  int64_t merged_created_at_ms = 0;
  int64_t team_id = 1;
};

struct Person {
  std::string uuid;
  int64_t created_at_ms = 0;
  uint64_t id = 0;  // sequential; 0: none yet
  uint64_t version = 0;
  bool is_identified = false;
  std::string properties = "{}";
  std::vector<PersonId> ids;  // those not yet moved to pages
  uint32_t id_pages = 0;
  // Ids on pages and their bytes; not part of write_person's form.
  uint64_t paged_ids = 0;
  uint64_t paged_bytes = 0;
  std::vector<HashKey> hash_keys;
  RecentChanges recent;
  std::vector<UnreportedMerge> unreported;
};

// The form in which a person travels, and version 1 of the stored record.
void write_person(ByteWriter& out, const Person& person);
bool read_person(ByteReader& in, Person& person);
void write_ids(ByteWriter& out, const std::vector<PersonId>& ids);
bool read_ids(ByteReader& in, std::vector<PersonId>& ids);

enum class IdentifiedChange : uint8_t { kKeep, kIdentify };

struct Update {
  bool persisted = false;  // the person differs from before and must be stored
  bool too_large = false;  // refused: person_properties_size_violation (I-5.4)
  bool is_bad = false;     // the operation's texts are none of PropertyBag's: nothing was done
  // The row's person_properties when they are not the bag's text: suppressed changes shown, the
  // event's $set laid over (I-9.2). Empty: the bag's text.
  std::string row_properties;
};

// I-5: applies the operation to `bag`, which holds person's properties. Raises the version when it
// persists. `bag` may then hold views into the operation.
Update update_person(Person& person, PropertyBag& bag, const PersonOp& op, IdentifiedChange change);

// I-9.2: the properties in `bag` with the operation's $set laid over them. Empty: the bag's text.
std::string shown_properties(const PropertyBag& bag, const PersonOp& op);

// Whether the operation's texts are PropertyBag's.
bool has_good_texts(const PersonOp& op);

// Tells operations with the same event uuid apart.
uint64_t content_hash(const PersonOp& op);

// I-4.4: fills `bag` with a new person's properties. kBad: the operation's texts are none of
// PropertyBag's, and nothing was done.
enum class Created : uint8_t { kWhole, kTooLarge /* they were left out */, kBad };
Created create_properties(PropertyBag& bag, const PersonOp& op);

// I-6.11: lays the absorbed person's properties under `bag`, and takes the rest over. True when
// the sum is over the limit, in which case only what fits was taken.
bool absorb_person(Person& into, PropertyBag& bag, Person&& other);

// I-5.3.
bool is_noisy_property(std::string_view name);
// I-5.2: names copied from event properties to the person.
bool is_lifted_property(std::string_view name);
// The name under which a lifted property's first value stays: "$initial_os" of "$os". Empty: `name`
// is not lifted. Static text.
std::string_view initial_property(std::string_view name);

}  // namespace hogflare
