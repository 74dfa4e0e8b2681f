// What the edge knows about a request and rows show as properties: `$ip`, `$geoip_*`, `cf_*`, as
// docs/SCHEMAS.md lists them. Made once per request; an event's own value of a name always wins.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "hogflare/request.h"

namespace hogflare {

// Names in the order rows hold them: the address, what the edge says of the connection, the ray.
inline constexpr auto kEnrichedNames = [] {
  std::array<std::string_view, kEdgeFields.size() + 2> names{};
  names.front() = "$ip";
  for (size_t i = 0; i < kEdgeFields.size(); ++i) names[i + 1] = kEdgeFields[i].property;
  names.back() = "cf_ray";
  return names;
}();

// Where a name stands. A name that there is not does not compile, where a constant is asked for.
constexpr size_t enriched_index(std::string_view name) {
  size_t index = 0;
  while (kEnrichedNames[index] != name) ++index;
  return index;
}
inline constexpr size_t kEnrichedIp = enriched_index("$ip");
inline constexpr size_t kEnrichedCountryCode = enriched_index("$geoip_country_code");
inline constexpr size_t kEnrichedCity = enriched_index("$geoip_city_name");
inline constexpr size_t kEnrichedRegion = enriched_index("$geoip_subdivision_1_name");

// Sets of names are bits.
inline constexpr uint32_t kEnrichedAllMask = (1u << kEnrichedNames.size()) - 1;
inline constexpr uint32_t kEnrichedIpMask = 1u << kEnrichedIp;

constexpr uint32_t enriched_mask(bool (*has)(const EdgeField&)) {
  uint32_t mask = 0;
  for (size_t i = 0; i < kEdgeFields.size(); ++i) {
    if (has(kEdgeFields[i])) mask |= 1u << (i + 1);
  }
  return mask;
}

// True for the names whose presence says that the client knows the place itself.
constexpr bool is_geoip_name(std::string_view name) {
  return name.size() > 7 && name.substr(0, 7) == "$geoip_" && name != "$geoip_disable";
}
inline constexpr uint32_t kEnrichedGeoMask =
    enriched_mask([](const EdgeField& field) { return is_geoip_name(field.property); });
// All that say where the connection is. Away they stay when `$geoip_disable` is true and when the
// client names an address or a place of its own.
inline constexpr uint32_t kEnrichedPlaceMask =
    enriched_mask([](const EdgeField& field) { return field.tells != EdgeTells::kNetwork; });
// What could tell a visitor from others.
inline constexpr uint32_t kEnrichedFineMask =
    kEnrichedAllMask &
    ~enriched_mask([](const EdgeField& field) { return field.tells == EdgeTells::kLand; });

enum class IpPolicy : uint8_t { kKeep, kAnonymize };

class Enrichment {
 public:
  // With kAnonymize there is no `$ip`.
  static Enrichment of(const RequestHead& head, IpPolicy policy);

  // Appends the members that are known and not in `left_out` (a bit per name), each behind a comma.
  void append_members(std::string& out, uint32_t left_out) const;

  // JSON of what the edge says for a name; empty: nothing.
  std::string_view value_of(size_t index) const {
    const size_t begin = index == 0 ? 0 : ends_[index - 1];
    if (ends_[index] == begin) return {};
    // ,"name":
    const size_t before = kEnrichedNames[index].size() + 4;
    return std::string_view(members_).substr(begin + before, ends_[index] - begin - before);
  }
  IpPolicy ip_policy() const { return policy_; }
  // Whether an event with that `$ip` (JSON text) came from this connection's client.
  bool is_address(std::string_view ip_raw) const;

 private:
  // ,"name":value of all that the edge says, joined, and where each name's part ends: most events
  // leave nothing out, or neighbours.
  std::string members_;
  std::array<size_t, kEnrichedNames.size()> ends_{};
  IpPolicy policy_ = IpPolicy::kKeep;
  std::string address_raw_;  // a JSON string, with kAnonymize only: else members_ has it
};

// Where the request's connection is, as PostHog's GeoIP keeps it on people: `$set.$geoip_…` and
// `$set_once.$initial_geoip_…` (nodejs/src/cdp/templates/_transformations/geoip/geoip.template.ts).
struct ConnectionPlace {
  static ConnectionPlace of(const RequestHead& head);

  // Whether an event with that `$ip` (JSON text) came from this connection's client.
  bool is_address(std::string_view ip_raw) const;

  std::string address_raw;  // a JSON string; "" when nobody knows it
  std::string set;          // members without braces; empty: no place is known
  std::string set_once;
};

}  // namespace hogflare
