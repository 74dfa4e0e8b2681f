#include "hogflare/enrich.h"

#include <bit>

#include "hogflare/cookieless.h"
#include "hogflare/json.h"
#include "hogflare/text.h"

namespace hogflare {
namespace {

// Text that JSON takes as a number: what Cloudflare gives for coordinates.
bool is_plain_number(std::string_view text) {
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  if (text.empty() || text.front() < '0' || text.front() > '9') return false;
  if (text.size() > 1 && text[0] == '0' && text[1] != '.') return false;
  size_t dots = 0;
  for (const char c : text) {
    if (c == '.') {
      ++dots;
    } else if (c < '0' || c > '9') {
      return false;
    }
  }
  return dots <= 1 && text.back() != '.';
}

std::string address_raw(const RequestHead& head) {
  std::string raw;
  json::append_string(raw, connection_ip(head));
  return raw;
}

}  // namespace

bool ConnectionPlace::is_address(std::string_view ip_raw) const {
  return equals_ignoring_case(ip_raw, address_raw);
}

ConnectionPlace ConnectionPlace::of(const RequestHead& head) {
  ConnectionPlace place;
  const auto add = [&](std::string_view name, std::string_view value) {
    const std::string_view comma = place.set.empty() ? "" : ",";
    place.set.append(comma).append("\"$geoip_").append(name).append("\":").append(value);
    place.set_once.append(comma)
        .append("\"$initial_geoip_")
        .append(name)
        .append("\":")
        .append(value);
  };
  const auto text = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    std::string raw;
    json::append_string(raw, value);
    add(name, raw);
  };
  const auto number = [&](std::string_view name, std::string_view value) {
    if (is_plain_number(value)) add(name, value);
  };
  const EdgeInfo& edge = head.edge;
  text("country_code", edge.country);
  text("city_name", edge.city);
  text("continent_code", edge.continent);
  number("latitude", edge.latitude);
  number("longitude", edge.longitude);
  text("postal_code", edge.postal_code);
  text("subdivision_1_code", edge.region_code);
  text("subdivision_1_name", edge.region);
  text("time_zone", edge.timezone);
  if (!place.set.empty()) place.address_raw = hogflare::address_raw(head);
  return place;
}

bool Enrichment::is_address(std::string_view ip_raw) const {
  if (policy_ == IpPolicy::kAnonymize) return equals_ignoring_case(ip_raw, address_raw_);
  constexpr size_t kName = std::string_view(",\"$ip\":").size();
  if (ends_[kEnrichedIp] <= kName) return false;
  return equals_ignoring_case(ip_raw,
                              std::string_view(members_).substr(kName, ends_[kEnrichedIp] - kName));
}

Enrichment Enrichment::of(const RequestHead& head, IpPolicy policy) {
  Enrichment made;
  made.policy_ = policy;
  if (policy == IpPolicy::kAnonymize) made.address_raw_ = address_raw(head);
  size_t index = 0;
  const auto begin_member = [&] {
    made.members_ += ",\"";
    made.members_ += kEnrichedNames[index];
    made.members_ += "\":";
  };
  const auto end_member = [&] { made.ends_[index++] = made.members_.size(); };
  const auto text = [&](std::string_view value) {
    if (!value.empty()) {
      begin_member();
      json::append_string(made.members_, value);
    }
    end_member();
  };
  const auto number = [&](std::string_view value) {
    if (is_plain_number(value)) {
      begin_member();
      made.members_ += value;
    }
    end_member();
  };
  const EdgeInfo& edge = head.edge;
  text(policy == IpPolicy::kKeep ? connection_ip(head) : std::string_view());
  text(edge.country);
  text(edge.city);
  text(edge.continent);
  number(edge.latitude);
  number(edge.longitude);
  text(edge.postal_code);
  text(edge.region_code);
  text(edge.region);
  text(edge.timezone);
  number(edge.asn ? std::to_string(*edge.asn) : std::string());
  text(edge.as_organization);
  text(edge.colo);
  text(edge.metro_code);
  text(trim_ascii(head.cf_ray));
  HF_ASSERT(index == kEnrichedNames.size());
  return made;
}

void Enrichment::append_members(std::string& out, uint32_t left_out) const {
  size_t begin = 0;
  for (; left_out != 0; left_out &= left_out - 1) {
    const auto index = static_cast<size_t>(std::countr_zero(left_out));
    const size_t stop = index == 0 ? 0 : ends_[index - 1];
    if (stop > begin) out.append(members_, begin, stop - begin);
    begin = ends_[index];
  }
  out.append(members_, begin, members_.size() - begin);
}

}  // namespace hogflare
