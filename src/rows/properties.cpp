#include "properties.h"

#include "hogflare/short_bytes.h"
#include "hogflare/text.h"

namespace hogflare::rows {
namespace {

struct Entry {
  std::string_view name;
  KnownProperty known;
};

constexpr std::array<Entry, 20> kOwn = {{
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
    {"$os", {Role::kOs, 0}},
    {"$os_name", {Role::kOsName, 0}},
    {"$is_server", {Role::kIsServer, 0}},
    {"$session_id", {Role::kSessionId, 0}},
    {"$elements", {Role::kElements, 0}},
    {"$elements_chain", {Role::kElementsChain, 0}},
}};

constexpr size_t kEntries = kOwn.size() + kEnrichedNames.size();
constexpr size_t kSlots = 128;
constexpr size_t kSizeFactor = 6;
constexpr size_t kLastFactor = 22;
constexpr size_t kNameMin = 3;

constexpr std::array<Entry, kEntries> all_entries() {
  std::array<Entry, kEntries> entries{};
  size_t count = 0;
  for (const Entry& entry : kOwn) entries[count++] = entry;
  for (size_t i = 0; i < kEnrichedNames.size(); ++i) {
    entries[count++] = {kEnrichedNames[i], {Role::kEnriched, static_cast<uint8_t>(i)}};
  }
  return entries;
}
constexpr std::array<Entry, kEntries> kAll = all_entries();

// Where a name stands in the table: by its length and its last two characters. The factors are ones
// that give every entry a slot of its own.
constexpr size_t slot_of(const char* name, size_t size) {
  const auto last = static_cast<unsigned char>(name[size - 1]);
  const auto last_but_one = static_cast<unsigned char>(name[size - 2]);
  return (size * kSizeFactor + last * kLastFactor + last_but_one) % kSlots;
}

constexpr std::array<Entry, kSlots> make_table() {
  std::array<Entry, kSlots> table{};
  for (const Entry& entry : kAll) table[slot_of(entry.name.data(), entry.name.size())] = entry;
  return table;
}
constexpr std::array<Entry, kSlots> kTable = make_table();

constexpr bool every_entry_has_its_slot() {
  for (const Entry& entry : kAll) {
    if (entry.name.size() < kNameMin) return false;
    if (kTable[slot_of(entry.name.data(), entry.name.size())].name != entry.name) return false;
  }
  return true;
}
static_assert(every_entry_has_its_slot(), "two names share a slot: choose other factors");

}  // namespace

KnownProperty known_property(std::string_view name) {
  if (name.size() < kNameMin) return {};
  const Entry& entry = kTable[slot_of(name.data(), name.size())];
  const bool same = entry.name.size() == name.size() &&
                    same_bytes(entry.name.data(), name.data(), name.size());
  return same ? entry.known : KnownProperty{};
}

std::string_view session_id_of(std::string_view raw, std::string& scratch) {
  constexpr size_t kUuidBytes = 38;  // with its quotes
  if (raw.size() != kUuidBytes || raw.front() != '"') return raw;
  bool has_capital = false;
  for (size_t i = 1; i + 1 < raw.size(); ++i) {
    const char c = raw[i];
    const bool is_hyphen = i == 9 || i == 14 || i == 19 || i == 24;
    const bool is_capital = c >= 'A' && c <= 'F';
    const bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || is_capital;
    if (is_hyphen ? c != '-' : !is_hex) return raw;
    has_capital = has_capital || is_capital;
  }
  if (!has_capital) return raw;
  scratch = to_lower(raw);
  return scratch;
}

}  // namespace hogflare::rows
