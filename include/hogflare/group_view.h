// What the groups part found out about one event; the row shows it (I-10).
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "hogflare/limits.h"

namespace hogflare {

struct GroupView {
  // Column groupN: the group's key as text; empty: the event has no group of that type.
  std::array<std::string, limits::kGroupTypes> keys;
  // Property $group_N: the key's JSON as the client sent it; empty: none. Borrowed from the event.
  std::array<std::string_view, limits::kGroupTypes> raw_values;
  // Column group_properties: a JSON object by group type; empty: none.
  std::string group_properties_json;
  bool properties_left_out = false;  // of some group: there was no memory for them
};

}  // namespace hogflare
