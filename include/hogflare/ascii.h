// Classes of ASCII characters, whatever the locale.
#pragma once

namespace hogflare {

constexpr bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }
constexpr bool is_letter(char c) { return static_cast<unsigned char>((c | 0x20) - 'a') < 26; }
constexpr bool is_alphanumeric(char c) { return is_letter(c) || is_digit(c); }

// The value of a hexadecimal digit of either case; -1: it is none.
constexpr int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char small = static_cast<char>(c | 0x20);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}
constexpr bool is_hex_digit(char c) { return hex_digit(c) >= 0; }

}  // namespace hogflare
