#include "properties.h"

#include "columns.h"
#include "hogflare/ascii.h"
#include "hogflare/capitals.h"
#include "hogflare/short_bytes.h"
#include "hogflare/text.h"

namespace hogflare::rows {
namespace {

struct Entry {
  std::string_view name;
  KnownProperty known;
};

constexpr KnownProperty lifted(Column column, Role role = Role::kPlain) {
  return {role, 0, static_cast<uint8_t>(column)};
}

constexpr auto kOwn = std::to_array<Entry>({
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
    {"$os", lifted(Column::kOs, Role::kOs)},
    {"$os_name", {Role::kOsName, 0}},
    {"$is_server", {Role::kIsServer, 0}},
    {"$session_id", {Role::kSessionId, 0}},
    {"$elements", {Role::kElements, 0}},
    {"$elements_chain", {Role::kElementsChain, 0}},
    {"$exception_list", {Role::kExceptionList, 0}},
    {"$exception_fingerprint", {Role::kExceptionFingerprint, 0}},
    {"$window_id", lifted(Column::kWindowId)},
    {"$current_url", lifted(Column::kCurrentUrl)},
    {"$host", lifted(Column::kHost)},
    {"$pathname", lifted(Column::kPathname)},
    {"$screen_name", lifted(Column::kScreenName)},
    {"$referrer", lifted(Column::kReferrer)},
    {"$referring_domain", lifted(Column::kReferringDomain)},
    {"utm_source", lifted(Column::kUtmSource)},
    {"utm_medium", lifted(Column::kUtmMedium)},
    {"utm_campaign", lifted(Column::kUtmCampaign)},
    {"utm_term", lifted(Column::kUtmTerm)},
    {"utm_content", lifted(Column::kUtmContent)},
    {"$browser", lifted(Column::kBrowser)},
    {"$browser_version", lifted(Column::kBrowserVersion)},
    {"$os_version", lifted(Column::kOsVersion)},
    {"$device_type", lifted(Column::kDeviceType)},
    {"$lib", lifted(Column::kLib)},
    {"$lib_version", lifted(Column::kLibVersion)},
    {"$is_identified", lifted(Column::kIsIdentified)},
    {"$feature_flag", lifted(Column::kFeatureFlag)},
    {"$feature_flag_response", lifted(Column::kFeatureFlagVariant)},
    {"$exception_type", lifted(Column::kExceptionType)},
    {"$exception_message", lifted(Column::kExceptionMessage)},
});

constexpr size_t kEntries = kOwn.size() + kEnrichedNames.size();
constexpr size_t kSlots = 256;
constexpr size_t kSizeFactor = 1;
constexpr size_t kLastFactor = 47;
constexpr size_t kLastButOneFactor = 13;
constexpr size_t kNameMin = 3;
constexpr uint8_t kEmptySlot = 255;
constexpr KnownProperty kPlain;
static_assert(kEntries < kEmptySlot);

// The column of an enriched name: the client's own value goes there as well.
constexpr uint8_t column_of_enriched(size_t index) {
  switch (index) {
    case kEnrichedCountryCode:
      return static_cast<uint8_t>(Column::kCountryCode);
    case kEnrichedCity:
      return static_cast<uint8_t>(Column::kCity);
    case kEnrichedRegion:
      return static_cast<uint8_t>(Column::kRegion);
    default:
      return KnownProperty::kNone;
  }
}

constexpr std::array<Entry, kEntries> all_entries() {
  std::array<Entry, kEntries> entries{};
  size_t count = 0;
  for (const Entry& entry : kOwn) entries[count++] = entry;
  for (size_t i = 0; i < kEnrichedNames.size(); ++i) {
    entries[count++] = {kEnrichedNames[i],
                        {Role::kEnriched, static_cast<uint8_t>(i), column_of_enriched(i)}};
  }
  return entries;
}
constexpr std::array<Entry, kEntries> kAll = all_entries();

// Where a name stands in the table: by its length and its last two characters. The factors are ones
// that give every entry a slot of its own.
constexpr size_t slot_of(const char* name, size_t size) {
  const auto last = static_cast<unsigned char>(name[size - 1]);
  const auto last_but_one = static_cast<unsigned char>(name[size - 2]);
  return (size * kSizeFactor + last * kLastFactor + last_but_one * kLastButOneFactor) % kSlots;
}

constexpr std::array<uint8_t, kSlots> make_table() {
  std::array<uint8_t, kSlots> table{};
  for (uint8_t& slot : table) slot = kEmptySlot;
  for (size_t i = 0; i < kAll.size(); ++i) {
    table[slot_of(kAll[i].name.data(), kAll[i].name.size())] = static_cast<uint8_t>(i);
  }
  return table;
}
constexpr std::array<uint8_t, kSlots> kTable = make_table();

constexpr bool every_entry_has_its_slot() {
  for (size_t i = 0; i < kAll.size(); ++i) {
    const std::string_view name = kAll[i].name;
    if (name.size() < kNameMin || kTable[slot_of(name.data(), name.size())] != i) return false;
  }
  return true;
}
static_assert(every_entry_has_its_slot(), "two names share a slot: choose other factors");

}  // namespace

const KnownProperty& known_property(std::string_view name) {
  if (name.size() < kNameMin) return kPlain;
  const uint8_t slot = kTable[slot_of(name.data(), name.size())];
  if (slot == kEmptySlot) return kPlain;
  const Entry& entry = kAll[slot];
  const bool same =
      entry.name.size() == name.size() && same_bytes(entry.name.data(), name.data(), name.size());
  return same ? entry.known : kPlain;
}

std::string_view session_id_of(std::string_view raw, std::string& scratch) {
  constexpr size_t kUuidBytes = 38;  // with its quotes
  if (raw.size() != kUuidBytes || raw.front() != '"' || !may_have_capital(raw)) return raw;
  bool has_capital = false;
  for (size_t i = 1; i + 1 < raw.size(); ++i) {
    const char c = raw[i];
    const bool is_hyphen = i == 9 || i == 14 || i == 19 || i == 24;
    const bool is_capital = c >= 'A' && c <= 'F';
    if (is_hyphen ? c != '-' : !is_hex_digit(c)) return raw;
    has_capital = has_capital || is_capital;
  }
  if (!has_capital) return raw;
  scratch = to_lower(raw);
  return scratch;
}

}  // namespace hogflare::rows
