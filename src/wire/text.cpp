#include "hogflare/text.h"

#include "hogflare/ascii.h"

namespace hogflare {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool is_ascii_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Bytes of the UTF-8 sequence that starts with `lead`; 1 for what cannot start one.
size_t sequence_length(char lead) {
  const unsigned char byte = static_cast<unsigned char>(lead);
  if (byte < 0xC0) return 1;
  if (byte < 0xE0) return 2;
  return byte < 0xF0 ? 3 : 4;
}

// Bytes of the white-space character that starts at `at`, or 0.
size_t white_space_length(std::string_view utf8, size_t at) {
  const auto byte = [&](size_t i) -> unsigned {
    return at + i < utf8.size() ? static_cast<unsigned char>(utf8[at + i]) : 0;
  };
  if (byte(0) == ' ' || (byte(0) >= 0x09 && byte(0) <= 0x0D)) return 1;
  if (byte(0) == 0xC2) return byte(1) == 0x85 || byte(1) == 0xA0 ? 2 : 0;  // NEL, NBSP
  const unsigned tail = byte(1) << 8 | byte(2);
  if (byte(0) == 0xE1) return tail == 0x9A80 ? 3 : 0;  // U+1680
  if (byte(0) == 0xE3) return tail == 0x8080 ? 3 : 0;  // U+3000
  if (byte(0) != 0xE2) return 0;
  const bool spaces = tail >= 0x8080 && tail <= 0x808A;  // U+2000 to U+200A
  const bool separators = tail == 0x80A8 || tail == 0x80A9 || tail == 0x80AF || tail == 0x819F;
  return spaces || separators ? 3 : 0;
}

}  // namespace

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (size_t i = 0; i < left.size(); ++i) {
    if (lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

std::string_view trim_ascii(std::string_view text) {
  while (!text.empty() && is_ascii_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_ascii_space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<int64_t> parse_int64(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  // 18 digits always fit; no caller needs the last factor of nine.
  if (text.empty() || text.size() > 18) return std::nullopt;
  int64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return negative ? -value : value;
}

std::string_view first_bytes(std::string_view utf8, size_t bytes_max) {
  if (utf8.size() <= bytes_max) return utf8;
  const auto is_tail = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  while (bytes_max > 0 && is_tail(utf8[bytes_max])) --bytes_max;
  return utf8.substr(0, bytes_max);
}

std::string_view first_code_points(std::string_view utf8, size_t count) {
  if (utf8.size() <= count) return utf8;
  size_t at = 0;
  for (; count > 0 && at < utf8.size(); --count) at += sequence_length(utf8[at]);
  return utf8.substr(0, at);
}

std::string_view first_utf16_units(std::string_view utf8, size_t count) {
  if (utf8.size() <= count) return utf8;
  size_t at = 0;
  while (at < utf8.size()) {
    const size_t length = sequence_length(utf8[at]);
    const size_t units = length == 4 ? 2 : 1;
    if (units > count) break;
    count -= units;
    at += length;
  }
  return utf8.substr(0, at);
}

bool is_blank(std::string_view utf8) {
  for (size_t at = 0; at < utf8.size();) {
    const size_t length = white_space_length(utf8, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

void replace_nul(std::string& utf8) {
  size_t nul = utf8.find('\0');
  if (nul == std::string::npos) return;
  // One pass: a name of a million NULs would be moved a million times.
  std::string out;
  size_t from = 0;
  for (; nul != std::string::npos; nul = utf8.find('\0', from)) {
    out.append(utf8, from, nul - from);
    out += "\xEF\xBF\xBD";
    from = nul + 1;
  }
  out.append(utf8, from);
  utf8 = std::move(out);
}

}  // namespace hogflare
