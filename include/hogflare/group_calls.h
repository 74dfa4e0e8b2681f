// Groups of one project: the properties of each live in one object, and one more object gives each
// group type its slot (I-10). Objects, calls and replies.
//
//   CallObject{ObjectClass::kGroup, group_object_name(team_id, "company", key),
//   write_group_call(ops)}
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/task.h"

namespace hogflare {

// "{team}:group:{type}:{key}" and "{team}:types".
std::string group_object_name(int64_t team_id, std::string_view type, std::string_view key);
std::string group_types_object_name(int64_t team_id);

// A $groupidentify event's wish on one group.
struct GroupOp {
  std::string_view set;      // JSON object
  int64_t timestamp_ms = 0;  // of the event
};

struct GroupReply {
  // The group's properties before the first operation and after each that changed them, until they
  // have as many bytes as the call has room for or its operations pay for; then only how they are
  // after the last, and where there is no room for that, "{}" alone.
  std::vector<std::string> texts;
  // For each operation the index of the text that holds after it.
  std::vector<uint32_t> after;
  std::vector<bool> too_large;  // refused: group_upsert_message_size_too_large
  bool left_out = false;        // there was no room for the texts
};

// No operation: only looks. `texts_bytes_max` is what there is room for; SIZE_MAX: nothing is said
// of it, which is the form that an object of the version before understands.
std::string write_group_call(const std::vector<GroupOp>& ops, size_t texts_bytes_max = SIZE_MAX);
std::optional<GroupReply> read_group_reply(std::string_view bytes);

// Gives slots to the types that have none, in this order, while slots are left.
std::string write_group_types_call(const std::vector<std::string_view>& types);
// The project's types in the order of their slots.
std::optional<std::vector<std::string>> read_group_types_reply(std::string_view bytes);

// A call of either kind of object.
std::unique_ptr<Task> make_group_call(std::string request);

// What a group's object holds, for tests.
struct StoredGroupRecord {
  bool exists = false;
  uint64_t version = 0;
  int64_t created_at_ms = 0;
  std::string properties;
};
StoredGroupRecord read_stored_group(Storage& storage);

}  // namespace hogflare
