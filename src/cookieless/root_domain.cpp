// The site of a host, as browsers draw its border.
#include <algorithm>
#include <array>
#include <iterator>

#include "hogflare/cookieless.h"
#include "hogflare/text.h"
#include "hogflare/ascii.h"

namespace hogflare {
namespace {

#include "cookieless/public_suffixes.inc"

// FNV-1a, which scripts/make-public-suffixes.py uses.
uint32_t hash_of(std::string_view mark, std::string_view rule) {
  uint32_t value = 0x811C9DC5;
  for (const std::string_view part : {mark, rule}) {
    for (const char c : part) value = (value ^ static_cast<uint8_t>(c)) * 0x01000193u;
  }
  return value;
}

bool is_rule(std::string_view mark, std::string_view domain) {
  return std::binary_search(std::begin(kPublicSuffixes), std::end(kPublicSuffixes),
                            hash_of(mark, domain));
}

std::string_view parent_of(std::string_view domain) {
  const size_t dot = domain.find('.');
  return dot == std::string_view::npos ? std::string_view() : domain.substr(dot + 1);
}

// The list's algorithm (publicsuffix.org/list): an exception wins, else the longest rule, else the
// last label. The registrable domain is one label more.
std::string_view registrable(std::string_view host) {
  std::string_view inner;  // one label longer than `domain`
  for (std::string_view domain = host; !domain.empty(); domain = parent_of(domain)) {
    const std::string_view parent = parent_of(domain);
    if (is_rule("!", domain)) return domain;
    const bool is_suffix = parent.empty() || is_rule("", domain) || is_rule("*.", parent);
    if (is_suffix) return inner.empty() ? host : inner;
    inner = domain;
  }
  return host;
}

bool is_ipv4(std::string_view host) {
  int parts = 0;
  while (true) {
    const size_t dot = host.find('.');
    const std::string_view part = host.substr(0, dot);
    if (part.empty() || part.size() > 3 || !std::all_of(part.begin(), part.end(), is_digit) ||
        *parse_int64(part) > 255) {
      return false;
    }
    ++parts;
    if (dot == std::string_view::npos) return parts == 4;
    host.remove_prefix(dot + 1);
  }
}

using Ipv6 = std::array<uint16_t, 8>;

std::optional<uint16_t> hex_group(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  uint16_t value = 0;
  for (const char c : text) {
    const bool letter = c >= 'a' && c <= 'f';
    if (!is_digit(c) && !letter) return std::nullopt;
    value = static_cast<uint16_t>(value * 16 + (letter ? c - 'a' + 10 : c - '0'));
  }
  return value;
}

// The groups on one side of "::"; false when they are none.
bool read_groups(std::string_view text, std::vector<uint16_t>& groups) {
  while (!text.empty()) {
    const size_t colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    if (colon == std::string_view::npos && is_ipv4(part)) {
      uint32_t address = 0;
      std::string_view rest = part;
      for (int i = 0; i < 4; ++i) {
        const size_t dot = rest.find('.');
        address = address * 256 + static_cast<uint32_t>(*parse_int64(rest.substr(0, dot)));
        rest.remove_prefix(dot == std::string_view::npos ? rest.size() : dot + 1);
      }
      groups.push_back(static_cast<uint16_t>(address >> 16));
      groups.push_back(static_cast<uint16_t>(address));
      return true;
    }
    const std::optional<uint16_t> group = hex_group(part);
    if (!group) return false;
    groups.push_back(*group);
    if (colon == std::string_view::npos) return true;
    text.remove_prefix(colon + 1);
    if (text.empty()) return false;  // ends in a single colon
  }
  return true;
}

// RFC 4291 §2.2, in lower case.
std::optional<Ipv6> parse_ipv6(std::string_view text) {
  const size_t gap = text.find("::");
  std::vector<uint16_t> head;
  std::vector<uint16_t> tail;
  if (!read_groups(text.substr(0, gap), head)) return std::nullopt;
  if (gap != std::string_view::npos && !read_groups(text.substr(gap + 2), tail)) {
    return std::nullopt;
  }
  const size_t given = head.size() + tail.size();
  if (gap == std::string_view::npos ? given != 8 : given > 7) return std::nullopt;
  Ipv6 address{};
  std::copy(head.begin(), head.end(), address.begin());
  std::copy(tail.begin(), tail.end(), address.end() - static_cast<std::ptrdiff_t>(tail.size()));
  return address;
}

// The shortest form (RFC 5952 §4), in brackets.
std::string ipv6_text(const Ipv6& address) {
  size_t zeros_at = 0;
  size_t zeros = 1;  // a single group is not shortened
  for (size_t i = 0; i < address.size(); ++i) {
    size_t end = i;
    while (end < address.size() && address[end] == 0) ++end;
    if (end - i > zeros) {
      zeros_at = i;
      zeros = end - i;
    }
    i = std::max(i, end);
  }
  const bool shortened = zeros > 1;
  std::string out = "[";
  for (size_t i = 0; i < address.size(); ++i) {
    if (shortened && i == zeros_at) {
      out += "::";
      i += zeros - 1;
      continue;
    }
    if (out.size() > 1 && out.back() != ':') out += ':';
    static constexpr char kHex[] = "0123456789abcdef";
    bool begun = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
      const int digit = (address[i] >> shift) & 0xF;
      begun |= digit != 0 || shift == 0;
      if (begun) out += kHex[digit];
    }
  }
  return out + "]";
}

// A URL's authority taken apart (WHATWG URL §4.4): in lower case, without user and default port.
struct Authority {
  std::string host;  // IPv6 without brackets
  std::string port;
  bool is_ipv6 = false;
};

std::optional<Authority> authority_of(std::string_view text) {
  std::string_view default_port = "80";
  const size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) {
    if (equals_ignoring_case(text.substr(0, scheme), "https")) default_port = "443";
    text.remove_prefix(scheme + 3);
  }
  text = text.substr(0, text.find_first_of("/?#\\"));
  const size_t user = text.rfind('@');
  if (user != std::string_view::npos) text.remove_prefix(user + 1);
  const std::string lower = to_lower(text);
  Authority found;
  size_t end = lower.find(':');
  if (parse_ipv6(lower)) {
    found.host = lower;
    found.is_ipv6 = true;
    return found;
  }
  if (!lower.empty() && lower[0] == '[') {
    const size_t bracket = lower.find(']');
    if (bracket == std::string::npos) return std::nullopt;
    found.host = lower.substr(1, bracket - 1);
    found.is_ipv6 = true;
    end = bracket + 1 == lower.size() ? std::string::npos : bracket + 1;
    if (end != std::string::npos && lower[end] != ':') return std::nullopt;
  } else {
    found.host = lower.substr(0, end);
  }
  if (end != std::string::npos) found.port = lower.substr(end + 1);
  if (!std::all_of(found.port.begin(), found.port.end(), is_digit)) return std::nullopt;
  if (found.port.size() > 5) return std::nullopt;
  if (found.port == default_port) found.port.clear();
  const bool odd = std::any_of(found.host.begin(), found.host.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= ' ' || byte == 0x7F ||
           std::string_view("<>^|%\"`{}[]").find(c) != std::string_view::npos;
  });
  if (odd || found.host.empty()) return std::nullopt;
  return found;
}

}  // namespace

std::string cookieless_root_domain(std::string_view host) {
  if (host.empty() || host.size() > limits::kCookielessHostBytesMax) return std::string(host);
  const std::optional<Authority> authority = authority_of(trim_ascii(host));
  if (!authority) return std::string(host);
  std::string root;
  if (authority->is_ipv6) {
    const std::optional<Ipv6> address = parse_ipv6(authority->host);
    if (!address) return std::string(host);
    root = ipv6_text(*address);
  } else if (authority->host == "localhost") {
    root = "127.0.0.1";
  } else if (is_ipv4(authority->host)) {
    root = authority->host;
  } else {
    std::string_view name = authority->host;
    if (name.back() == '.') name.remove_suffix(1);
    if (name.empty()) return std::string(host);
    root = registrable(name);
  }
  if (!authority->port.empty()) root += ":" + authority->port;
  return root;
}

}  // namespace hogflare
