#include "properties.h"

namespace hogflare::rows {
namespace {

struct Entry {
  std::string_view name;
  KnownProperty known;
};

constexpr std::array<Entry, 14> kOwn = {{
    {"$set", {Role::kSet, 0}},
    {"$set_once", {Role::kSet, 1}},
    {"$unset", {Role::kUnset, 0}},
    {"$process_person_profile", {Role::kProcessPersonProfile, 0}},
    {"$group_0", {Role::kGroup, 0}},
    {"$group_1", {Role::kGroup, 1}},
    {"$group_2", {Role::kGroup, 2}},
    {"$group_3", {Role::kGroup, 3}},
    {"$group_4", {Role::kGroup, 4}},
    {"$geoip_disable", {Role::kGeoipDisable, 0}},
    {"capture_internal", {Role::kCaptureInternal, 0}},
    {"ph_product_tours", {Role::kBloat, 0}},
    {"$product_tours_activated", {Role::kBloat, 0}},
    {"$override_feature_flag_payloads", {Role::kBloat, 0}},
}};

constexpr size_t kLengthMax = 31;
constexpr size_t kEntries = kOwn.size() + kEnrichedNames.size();

// All entries ordered by length, with where each length starts.
struct Table {
  std::array<Entry, kEntries> entries{};
  std::array<uint8_t, kLengthMax + 2> starts{};
};

constexpr Table make_table() {
  Table table;
  size_t count = 0;
  for (size_t length = 0; length <= kLengthMax; ++length) {
    table.starts[length] = static_cast<uint8_t>(count);
    for (const Entry& entry : kOwn) {
      if (length > 0 && entry.name.size() == length) table.entries[count++] = entry;
    }
    for (size_t i = 0; i < kEnrichedNames.size(); ++i) {
      if (kEnrichedNames[i].size() != length) continue;
      table.entries[count++] = {kEnrichedNames[i], {Role::kEnriched, static_cast<uint8_t>(i)}};
    }
  }
  table.starts[kLengthMax + 1] = static_cast<uint8_t>(count);
  return table;
}

constexpr Table kTable = make_table();

}  // namespace

KnownProperty known_property(std::string_view name) {
  if (name.size() > kLengthMax) return {};
  for (size_t i = kTable.starts[name.size()]; i < kTable.starts[name.size() + 1]; ++i) {
    if (kTable.entries[i].name == name) return kTable.entries[i].known;
  }
  return {};
}

}  // namespace hogflare::rows
