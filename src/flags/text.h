// Text rules of the property operators beside those of hogflare/text.h: case folding and numbers.
//
//   unicode_lower("ÀÉ") == "àé"; ascii_lower("ÀB") == "Àb"; parse_number("1e3") == 1000.0
//
// Source: F-4; the lower-case mapping is that of Unicode, final sigma included,
// as Rust's str::to_lowercase has it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hogflare::flags {

// A-Z only.
std::string ascii_lower(std::string_view text);

// Full Unicode lower case. Input that is not UTF-8 passes through byte by byte.
std::string unicode_lower(std::string_view text);

// A float as Rust's f64::from_str reads it: no surrounding space, no hex, no underscores; `inf`,
// `infinity`, `nan` in any case, `.5`, `6.` and `+6` are numbers.
std::optional<double> parse_number(std::string_view text);

// `text` without ASCII and Unicode white space at both ends.
std::string_view trim(std::string_view text);

// Code points, as the regular expressions of pattern.h need them. Beyond Unicode: kNotUtf8, one
// byte that is not UTF-8.
inline constexpr uint32_t kNotUtf8 = 0xffffffff;
struct Decoded {
  uint32_t point;
  size_t bytes;
};
// The point at `at`, which is below the text's size.
Decoded decode(std::string_view text, size_t at);
void append_utf8(uint32_t point, std::string& out);

// \w, \d and \s of Rust's regex crate: Alphabetic, Mark, Decimal_Number, Connector_Punctuation and
// Join_Control; Decimal_Number; White_Space.
bool is_word_point(uint32_t point);
bool is_digit_point(uint32_t point);
bool is_space_point(uint32_t point);

// The small letter of a capital; `point` itself when it is none.
uint32_t lower_point(uint32_t point);
// The capital of a small letter; `point` itself when there is none.
uint32_t upper_point(uint32_t point);

}  // namespace hogflare::flags
