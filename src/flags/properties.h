// The property maps of one request: stored values overlaid by the request's, read through slots.
//
// Source: F-3.4.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "flags/catalog.h"

namespace hogflare::flags {

class PropertyMaps {
 public:
  PropertyMaps(const Catalog& catalog, const Request& request, const StoredState& stored);

  // The property behind a slot, resolved at most once. kNone is an absent property.
  Property& at(int slot);

 private:
  struct Entry {
    Property property;
    bool resolved = false;
  };

  const Value* resolve(const Slot& slot);
  const Value* person(std::string_view key) const;
  const Value* person_with_derived(std::string_view key) const;
  const Value* group(std::string_view type, std::string_view key) const;
  const Value* seed_group(std::string_view type, std::string_view key) const;

  const Catalog& catalog_;
  const Request& request_;
  const StoredState& stored_;
  Value distinct_id_;
  Value created_at_;
  std::vector<Value> group_keys_;  // parallel to request.groups
  std::vector<Entry> entries_;
  Property absent_;
};

// The current property that fills `initial` ("$initial_browser" -> "$browser"); empty: none.
std::string_view source_of_initial(std::string_view initial);

// Whether the request alone decides the slot's value, so that nothing stored is needed.
bool request_covers(const Slot& slot, const Catalog& catalog, const Request& request);

}  // namespace hogflare::flags
