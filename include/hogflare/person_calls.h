// The calls a person's object takes and their replies. One object per (project, distinct id), named
// person_object_name(); protocol: docs/adr/0002-merge-protocol.md.
//
//   CallObject{ObjectClass::kPerson, person_object_name(team_id, id), write_apply(request)}
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/person.h"

namespace hogflare {

// "{team}:{distinct_id}"
std::string person_object_name(int64_t team_id, std::string_view distinct_id);

// Of a person's uuid as objects store it and tell it: hyphenated.
inline constexpr size_t kUuidTextBytes = 36;
bool is_uuid_text(std::string_view text);

enum class PersonCall : uint8_t {
  kApply = 1,
  kSurrender = 2,
  kAcknowledge = 3,
  kRepoint = 4,
  kDescribe = 5
};

// All operations of one request on one person, in order.
struct ApplyRequest {
  int64_t team_id = 1;
  std::string_view self;    // the distinct id of the object
  uint64_t offered_id = 0;  // the sequential id to use when this creates a person; 0: none
  PersonlessMode personless = PersonlessMode::kStateless;
  bool wants_changes = false;     // the reply lists what changed, for the persons stream
  bool wants_identified = false;  // the reply says who is identified
  // Of the reply's property texts, and of the changes' where it lists them; as told_bytes() has it.
  size_t texts_bytes_max = SIZE_MAX;
  std::vector<PersonOp> ops;
};

enum class ApplyStatus : uint8_t {
  kDone = 0,
  kMoved = 1,    // the rest belongs to the person of `moved_to`
  kBusy = 2,     // another merge is in the way: send the rest again a little later
  kPartial = 3,  // the reply is full, or the next operation is not this person's: send the rest
  kFailed = 4,   // another object did not answer: send the rest again later
  kBad = 5,      // the request cannot be read
};

enum class ChangeKind : uint8_t { kCreate, kUpdate, kMerge, kDelete };

// A change of a person, for the persons stream.
struct PersonChange {
  ChangeKind kind = ChangeKind::kUpdate;
  std::string uuid;
  uint64_t id = 0;
  uint64_t version = 0;
  bool is_identified = false;
  int64_t created_at_ms = 0;
  std::string properties = "{}";
  std::string distinct_id;                // of the event that caused it
  std::vector<std::string> distinct_ids;  // those this change concerns
  std::string merged_into;                // kDelete: the survivor's uuid
  std::string event_uuid;
};

// What became of one operation.
struct OpResult {
  bool exists = false;  // there is a person; the fields below describe it as of this event
  bool created = false;
  bool refused = false;    // cannot_merge_already_identified, unless
  bool is_full = false;    // refused because of the number of ids: person_merge_move_limit_hit
  bool too_large = false;  // person_properties_size_violation
  bool upgraded = false;   // kPersonless: force_upgrade
  // Of a reply that was asked for it: an object of an older deployment says nothing.
  std::optional<bool> is_identified;
  bool is_changed = false;  // the operation changed the person; of the same replies
  std::string_view uuid;
  int64_t created_at_ms = 0;
  uint32_t properties = 0;           // index into ApplyReply::property_texts
  bool properties_left_out = false;  // the object or the reader had no room for them
  std::vector<HashKey> hash_keys;    // kRead and kWriteHashKeys only
};

struct ApplyReply {
  ApplyStatus status = ApplyStatus::kBad;
  std::string moved_to;
  bool next_is_covered = false;  // kMoved: the first operation not answered was carried out already
  bool took_id = false;
  bool left_out_change = false;   // the request had no room for it
  std::vector<OpResult> results;  // of the first operations of the request
  std::vector<std::string_view> property_texts;
  std::vector<PersonChange> changes;
  // Owners of the views, which moving a reply leaves valid.
  std::string bytes;
  std::list<std::string> joined_texts;  // those not sent in one piece
};

// The largest number up to `bytes` that a request can say: a few bits of it.
size_t told_bytes(size_t bytes);
std::string write_apply(const ApplyRequest& request);
// Views point into `bytes`.
std::optional<ApplyRequest> read_apply(std::string_view bytes);
// Nullopt when the bytes are no reply of this version.
// Property texts that were sent as differences are put together up to limits::kPersonReplyBytesMax
// in all, the rest is left out.
std::optional<ApplyReply> read_apply_reply(std::string bytes);
// What a reply's views keep in memory.
size_t memory_of(const ApplyReply& reply);
// Lets go of all texts but uuids, and of the changes.
void leave_out_texts(ApplyReply& reply);

// Shortens a redirect: `self` led to `expected`, which leads on to `to`.
std::string write_repoint(std::string_view self, std::string_view expected, std::string_view to);

// Asks what the object knows, for an operator's eyes. The reply is JSON:
// {"state": "empty" | "person" | "redirect", "personless", "redirect_to"?, "uuid", "id", "version",
//  "is_identified", "created_at", "properties", "distinct_ids": [{"distinct_id", "version"}],
//  "distinct_ids_count", "changes": [{"event_uuid", "merged_uuid"?}], "merge_under_way"?: {"with",
//  "since"}}, of ids the first thousand. An object of an older version answers 400.
std::string write_describe();

// Builds a reply operation by operation; property texts are sent as differences.
class ApplyReplyWriter {
 public:
  // Whether the reply says of each result who is identified and changed. Before the first add().
  void show_identified(bool shows) { shows_identified_ = shows; }
  // Texts have at most so many bytes, and changes as many; what is beyond is left out.
  void bound_texts(size_t bytes_max) { texts_bytes_max_ = bytes_max; }
  // Revisions of earlier turns say nothing.
  void begin_turn() { last_revision_ = 0; }
  // `revision` is the same for the same text of a turn, and 0 where that is not known.
  struct Properties {
    std::string_view text;
    uint64_t revision = 0;
  };
  void add(const OpResult& result, const Properties& properties, const PersonOp& op);
  size_t size() const { return results_.size(); }
  // The texts of further operations are left out: a large person that every operation changes would
  // be written, compared and read as often. Half a reply is free, and more comes with the
  // operations' own bytes, as rows may carry it.
  bool is_full() const;
  uint32_t count() const { return count_; }
  std::string finish(ApplyStatus status, std::string_view moved_to, bool next_is_covered,
                     bool took_id, const std::vector<PersonChange>& changes);

 private:
  // A text that was written whole is remembered by its place in results_.
  struct Place {
    size_t at = 0;
    size_t size = 0;
  };
  Place write_text(std::string_view text);
  std::string_view at(const Place& place) const {
    return std::string_view(results_.bytes()).substr(place.at, place.size);
  }
  std::string_view last_properties() const {
    return last_is_joined_ ? std::string_view(joined_properties_) : at(last_properties_);
  }
  bool is_last(const Properties& properties) const;
  bool has_room(size_t bytes) const {
    return text_bytes_ <= texts_bytes_max_ && bytes <= texts_bytes_max_ - text_bytes_;
  }
  void write_properties(std::string_view properties);

  ByteWriter results_;
  uint32_t count_ = 0;
  Place last_uuid_;
  int64_t last_created_at_ms_ = 0;
  Place last_properties_;
  std::string joined_properties_;  // the last ones, when they were written as a difference
  bool last_is_joined_ = false;
  uint64_t last_revision_ = 0;
  uint64_t text_bytes_ = 0;  // of the texts so far, those sent as differences too
  size_t texts_bytes_max_ = SIZE_MAX;
  uint64_t op_bytes_ = 0;  // of the operations so far
  bool has_last_ = false;
  bool shows_identified_ = false;
  std::string identified_;  // a byte for each result, of kIsIdentified and kIsChanged
};

}  // namespace hogflare
