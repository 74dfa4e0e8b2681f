#include "hogflare/enrich.h"

#include <bit>

#include "hogflare/ascii.h"
#include "hogflare/cookieless.h"
#include "hogflare/json.h"
#include "hogflare/text.h"

namespace hogflare {
namespace {

// Text that JSON takes as a number: what Cloudflare gives for coordinates.
bool is_plain_number(std::string_view text) {
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  if (text.empty() || !is_digit(text.front())) return false;
  if (text.size() > 1 && text[0] == '0' && text[1] != '.') return false;
  size_t dots = 0;
  for (const char c : text) {
    if (c == '.') {
      ++dots;
    } else if (!is_digit(c)) {
      return false;
    }
  }
  return dots <= 1 && text.back() != '.';
}

// Empty: nobody knows it, or it is to be a number and is none.
std::string_view known_value(const EdgeInfo& edge, const EdgeField& field) {
  const std::string_view value = edge.*field.member;
  return field.form == EdgeForm::kText || is_plain_number(value) ? value : std::string_view();
}

void append_value(std::string& out, std::string_view value, EdgeForm form) {
  if (form == EdgeForm::kNumber) {
    out += value;
  } else {
    json::append_string(out, value);
  }
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
  constexpr size_t kPrefix = std::string_view("$geoip_").size();
  for (const EdgeField& field : kEdgeFields) {
    const std::string_view value = known_value(head.edge, field);
    if (value.empty() || !is_geoip_name(field.property)) continue;
    std::string raw;
    append_value(raw, value, field.form);
    add(field.property.substr(kPrefix), raw);
  }
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
  const auto add = [&](std::string_view value, EdgeForm form) {
    if (!value.empty()) {
      made.members_.append(",\"").append(kEnrichedNames[index]).append("\":");
      append_value(made.members_, value, form);
    }
    made.ends_[index++] = made.members_.size();
  };
  add(policy == IpPolicy::kKeep ? connection_ip(head) : std::string_view(), EdgeForm::kText);
  for (const EdgeField& field : kEdgeFields) add(known_value(head.edge, field), field.form);
  add(trim_ascii(head.cf_ray), EdgeForm::kText);
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
