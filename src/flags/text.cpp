#include "flags/text.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <limits>

#include "hogflare/text.h"
#include "hogflare/ascii.h"

namespace hogflare::flags {
namespace {

struct CaseRange {
  uint32_t first;
  uint32_t last;
  uint32_t stride;
  int32_t delta;
};

struct PointRange {
  uint32_t first;
  uint32_t last;
};

#include "flags/unicode_tables.inc"

constexpr uint32_t kCapitalSigma = 0x3a3;
constexpr uint32_t kSmallSigma = 0x3c3;
constexpr uint32_t kFinalSigma = 0x3c2;
constexpr uint32_t kCapitalIWithDot = 0x130;

template <typename Range, size_t kCount>
const Range* find_range(const Range (&ranges)[kCount], uint32_t point) {
  const Range* after =
      std::upper_bound(std::begin(ranges), std::end(ranges), point,
                       [](uint32_t value, const Range& range) { return value < range.first; });
  if (after == std::begin(ranges)) return nullptr;
  const Range* range = after - 1;
  return point <= range->last ? range : nullptr;
}

// Unicode's Final_Sigma: after a cased letter, and not before one; case-ignorable characters
// (accents, apostrophes) between do not count.
bool is_final_sigma(std::string_view text, size_t at, size_t bytes) {
  bool cased_before = false;
  for (size_t i = at; i > 0 && !cased_before;) {
    --i;
    while (i > 0 && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) --i;
    const uint32_t point = decode(text, i).point;
    if (find_range(kCaseIgnorable, point) != nullptr) continue;
    if (find_range(kCased, point) == nullptr) return false;
    cased_before = true;
  }
  if (!cased_before) return false;
  for (size_t i = at + bytes; i < text.size();) {
    const Decoded next = decode(text, i);
    i += next.bytes;
    if (find_range(kCaseIgnorable, next.point) != nullptr) continue;
    return find_range(kCased, next.point) == nullptr;
  }
  return true;
}

// digits [. digits] | . digits, then an optional exponent: what strtod would also take beyond
// (hex, locale points, spaces) is kept from it.
bool is_decimal(std::string_view text) {
  size_t i = 0;
  size_t digits = 0;
  while (i < text.size() && is_digit(text[i])) ++i, ++digits;
  if (i < text.size() && text[i] == '.') {
    ++i;
    while (i < text.size() && is_digit(text[i])) ++i, ++digits;
  }
  if (digits == 0) return false;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    const size_t exponent = i;
    while (i < text.size() && is_digit(text[i])) ++i;
    if (i == exponent) return false;
  }
  return i == text.size();
}

}  // namespace

Decoded decode(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
  if (length == 0 || at + length > text.size()) return {kNotUtf8, 1};
  uint32_t point = lead & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return {kNotUtf8, 1};
    point = (point << 6) | (byte(at + i) & 0x3f);
  }
  return {point, length};
}

void append_utf8(uint32_t point, std::string& out) {
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out.push_back(static_cast<char>(0xc0 | (point >> 6)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  } else if (point < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | (point >> 12)));
    out.push_back(static_cast<char>(0x80 | ((point >> 6) & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  } else {
    out.push_back(static_cast<char>(0xf0 | (point >> 18)));
    out.push_back(static_cast<char>(0x80 | ((point >> 12) & 0x3f)));
    out.push_back(static_cast<char>(0x80 | ((point >> 6) & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3f)));
  }
}

uint32_t lower_point(uint32_t point) {
  const CaseRange* range = find_range(kLowerRanges, point);
  if (range == nullptr || (point - range->first) % range->stride != 0) return point;
  return static_cast<uint32_t>(static_cast<int64_t>(point) + range->delta);
}

uint32_t upper_point(uint32_t point) {
  for (const CaseRange& range : kLowerRanges) {
    const int64_t upper = static_cast<int64_t>(point) - range.delta;
    if (upper >= range.first && upper <= range.last && (upper - range.first) % range.stride == 0) {
      return static_cast<uint32_t>(upper);
    }
  }
  return point;
}

bool is_space_point(uint32_t point) {
  return point == ' ' || (point >= 9 && point <= 13) || point == 0x85 || point == 0xa0 ||
         point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x2028 ||
         point == 0x2029 || point == 0x202f || point == 0x205f || point == 0x3000;
}

bool is_word_point(uint32_t point) {
  if (point < 0x80) {
    return (point >= '0' && point <= '9') || (point >= 'A' && point <= 'Z') || point == '_' ||
           (point >= 'a' && point <= 'z');
  }
  return find_range(kWordPoints, point) != nullptr;
}

bool is_digit_point(uint32_t point) {
  return point < 0x80 ? point >= '0' && point <= '9' : find_range(kDigitPoints, point) != nullptr;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string unicode_lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      out.push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
      ++i;
      continue;
    }
    const Decoded decoded = decode(text, i);
    if (decoded.point == kNotUtf8) {
      out.push_back(text[i]);
    } else if (decoded.point == kCapitalSigma) {
      append_utf8(is_final_sigma(text, i, decoded.bytes) ? kFinalSigma : kSmallSigma, out);
    } else if (decoded.point == kCapitalIWithDot) {
      out.append("i\u0307");
    } else {
      append_utf8(lower_point(decoded.point), out);
    }
    i += decoded.bytes;
  }
  return out;
}

std::optional<double> parse_number(std::string_view text) {
  std::string_view unsigned_text = text;
  bool negative = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    negative = text[0] == '-';
    unsigned_text.remove_prefix(1);
  }
  double value = 0;
  if (equals_ignoring_case(unsigned_text, "inf") ||
      equals_ignoring_case(unsigned_text, "infinity")) {
    value = std::numeric_limits<double>::infinity();
  } else if (equals_ignoring_case(unsigned_text, "nan")) {
    value = std::numeric_limits<double>::quiet_NaN();
  } else if (is_decimal(unsigned_text)) {
    value = std::strtod(std::string(unsigned_text).c_str(), nullptr);
  } else {
    return std::nullopt;
  }
  return negative ? -value : value;
}

std::string_view trim(std::string_view text) {
  size_t begin = 0;
  while (begin < text.size()) {
    const Decoded decoded = decode(text, begin);
    if (!is_space_point(decoded.point)) break;
    begin += decoded.bytes;
  }
  text.remove_prefix(begin);
  while (!text.empty()) {
    size_t at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
    if (!is_space_point(decode(text, at).point)) break;
    text.remove_suffix(text.size() - at);
  }
  return text;
}

}  // namespace hogflare::flags
