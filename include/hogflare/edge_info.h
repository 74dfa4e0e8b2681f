// What Cloudflare knows of a connection, as far as rows show it: members of `request.cf`
// (developers.cloudflare.com/workers/runtime-apis/request, IncomingRequestCfProperties). One more
// is a member and its row here, and its name at the same place of HEAD_CF in js-shim/abi.js.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace hogflare {

struct EdgeInfo {
  std::string_view country;  // ISO 3166-1 alpha-2
  std::string_view city;
  std::string_view continent;  // two letters
  std::string_view latitude;   // decimal text, as Cloudflare gives it
  std::string_view longitude;
  std::string_view postal_code;
  std::string_view region_code;  // of the first subdivision
  std::string_view region;
  std::string_view timezone;  // IANA name
  std::string_view asn;       // digits
  std::string_view as_organization;
  std::string_view colo;  // the data centre
  std::string_view metro_code;
};

// What a value tells of who is connected.
enum class EdgeTells : uint8_t {
  kLand,     // where, so coarsely that no visitor is told apart by it
  kPlace,    // where
  kNetwork,  // by what, which is true wherever the event is from
};

enum class EdgeForm : uint8_t {
  kText,
  kNumber,  // a JSON number; left out when it is none
};

struct EdgeField {
  std::string_view EdgeInfo::*member;
  std::string_view property;  // of rows
  EdgeTells tells;
  EdgeForm form = EdgeForm::kText;
};

// In the order of rows and of HEAD_CF.
inline constexpr std::array<EdgeField, 13> kEdgeFields = {{
    {&EdgeInfo::country, "$geoip_country_code", EdgeTells::kLand},
    {&EdgeInfo::city, "$geoip_city_name", EdgeTells::kPlace},
    {&EdgeInfo::continent, "$geoip_continent_code", EdgeTells::kLand},
    {&EdgeInfo::latitude, "$geoip_latitude", EdgeTells::kPlace, EdgeForm::kNumber},
    {&EdgeInfo::longitude, "$geoip_longitude", EdgeTells::kPlace, EdgeForm::kNumber},
    {&EdgeInfo::postal_code, "$geoip_postal_code", EdgeTells::kPlace},
    {&EdgeInfo::region_code, "$geoip_subdivision_1_code", EdgeTells::kPlace},
    {&EdgeInfo::region, "$geoip_subdivision_1_name", EdgeTells::kPlace},
    {&EdgeInfo::timezone, "$geoip_time_zone", EdgeTells::kPlace},
    {&EdgeInfo::asn, "cf_asn", EdgeTells::kNetwork, EdgeForm::kNumber},
    {&EdgeInfo::as_organization, "cf_as_organization", EdgeTells::kNetwork},
    {&EdgeInfo::colo, "cf_colo", EdgeTells::kNetwork},
    {&EdgeInfo::metro_code, "cf_metro_code", EdgeTells::kPlace},
}};

}  // namespace hogflare
