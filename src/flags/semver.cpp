#include "flags/semver.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "flags/text.h"

namespace hogflare::flags {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<uint64_t> parse_part(std::string_view text) {
  if (!all_digits(text)) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    const auto digit = static_cast<uint64_t>(c - '0');
    if (value > (std::numeric_limits<uint64_t>::max() - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t start = 0;;) {
    const size_t end = text.find(separator, start);
    if (end == std::string_view::npos) {
      parts.push_back(text.substr(start));
      return parts;
    }
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
}

// Dot-separated identifiers of [0-9A-Za-z-]; numeric ones of a pre-release without leading zero.
enum class LeadingZero : uint8_t { kAllowed, kRefused };

bool valid_identifiers(std::string_view text, LeadingZero leading_zero) {
  for (const std::string_view part : split(text, '.')) {
    if (part.empty()) return false;
    const bool legal = std::all_of(part.begin(), part.end(), [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    });
    if (!legal) return false;
    if (leading_zero == LeadingZero::kRefused && all_digits(part) && part.size() > 1 &&
        part[0] == '0') {
      return false;
    }
  }
  return true;
}

std::string_view clean(std::string_view text) {
  if (!text.empty() && text[0] == 'v') text.remove_prefix(1);
  return trim(text);
}

int compare_numeric_text(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
  return left.compare(right);
}

std::string_view without_leading_zeros(std::string_view text) {
  const size_t first = text.find_first_not_of('0');
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

// Identifier by identifier: numeric ones as numbers and below the others; a prefix is below.
int compare_identifiers(std::string_view left, std::string_view right) {
  const std::vector<std::string_view> lefts = split(left, '.');
  const std::vector<std::string_view> rights = split(right, '.');
  for (size_t i = 0; i < std::min(lefts.size(), rights.size()); ++i) {
    const bool left_number = all_digits(lefts[i]);
    const bool right_number = all_digits(rights[i]);
    int order = 0;
    if (left_number && right_number) {
      order = compare_numeric_text(without_leading_zeros(lefts[i]),
                                   without_leading_zeros(rights[i]));
      // Build metadata may hold zeros in front: 01 is above 1.
      if (order == 0) order = compare_numeric_text(lefts[i], rights[i]);
    } else if (left_number != right_number) {
      order = left_number ? -1 : 1;
    } else {
      order = lefts[i].compare(rights[i]);
    }
    if (order != 0) return order;
  }
  return static_cast<int>(lefts.size()) - static_cast<int>(rights.size());
}

}  // namespace

std::optional<Version> parse_version(std::string_view text) {
  text = clean(text);
  Version version;
  const size_t plus = text.find('+');
  if (plus != std::string_view::npos) {
    version.build = std::string(text.substr(plus + 1));
    if (!valid_identifiers(version.build, LeadingZero::kAllowed)) return std::nullopt;
    text = text.substr(0, plus);
  }
  const size_t dash = text.find('-');
  if (dash != std::string_view::npos) {
    version.pre_release = std::string(text.substr(dash + 1));
    if (!valid_identifiers(version.pre_release, LeadingZero::kRefused)) return std::nullopt;
    text = text.substr(0, dash);
  }
  const std::vector<std::string_view> parts = split(text, '.');
  if (parts.size() > 3) return std::nullopt;
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::optional<uint64_t> part = parse_part(parts[i]);
    if (!part) return std::nullopt;
    version.triple[i] = *part;
  }
  return version;
}

int compare(const Version& left, const Version& right) {
  if (left.triple != right.triple) return left.triple < right.triple ? -1 : 1;
  if (left.pre_release.empty() != right.pre_release.empty()) {
    return left.pre_release.empty() ? 1 : -1;
  }
  if (!left.pre_release.empty()) {
    const int order = compare_identifiers(left.pre_release, right.pre_release);
    if (order != 0) return order;
  }
  if (left.build.empty() != right.build.empty()) return left.build.empty() ? -1 : 1;
  return left.build.empty() ? 0 : compare_identifiers(left.build, right.build);
}

std::optional<VersionRange> VersionRange::tilde(std::string_view text) {
  std::optional<Version> low = parse_version(text);
  if (!low) return std::nullopt;
  VersionRange range;
  range.high_ = {low->triple[0], low->triple[1] + 1, 0};
  range.low_ = std::move(*low);
  return range;
}

std::optional<VersionRange> VersionRange::caret(std::string_view text) {
  std::optional<Version> low = parse_version(text);
  if (!low) return std::nullopt;
  VersionRange range;
  const auto& [major, minor, patch] = low->triple;
  if (major > 0) {
    range.high_ = {major + 1, 0, 0};
  } else if (minor > 0) {
    range.high_ = {0, minor + 1, 0};
  } else {
    range.high_ = {0, 0, patch + 1};
  }
  range.low_ = std::move(*low);
  return range;
}

std::optional<VersionRange> VersionRange::wildcard(std::string_view text) {
  const std::string_view cleaned = clean(text);
  if (cleaned.find('*') == std::string_view::npos) return caret(text);
  const std::vector<std::string_view> parts = split(cleaned, '.');
  if (parts.size() > 3) return std::nullopt;
  VersionRange range;
  size_t fixed = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == "*") continue;
    const std::optional<uint64_t> part = parse_part(parts[i]);
    if (!part || fixed != i) return std::nullopt;  // a number behind a star: 1.*.3
    range.low_.triple[fixed++] = *part;
  }
  if (fixed == 1) range.high_ = {range.low_.triple[0] + 1, 0, 0};
  if (fixed == 2) range.high_ = {range.low_.triple[0], range.low_.triple[1] + 1, 0};
  return range;
}

bool VersionRange::contains(const Version& version) const {
  if (!version.pre_release.empty() &&
      (low_.pre_release.empty() || low_.triple != version.triple)) {
    return false;
  }
  // Requirements carry no build metadata: 1.2.3+b satisfies ^1.2.3 on the strength of its triple.
  Version plain = version;
  plain.build.clear();
  Version low = low_;
  low.build.clear();
  if (compare(plain, low) < 0) return false;
  return !high_ || version.triple < *high_;
}

}  // namespace hogflare::flags
