// Small questions about text that several decoders ask. ASCII unless said otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hogflare {

// Equal when letters A-Z count as a-z.
bool equals_ignoring_case(std::string_view left, std::string_view right);
std::string to_lower(std::string_view text);
// Without leading and trailing space, tab, CR, LF.
std::string_view trim_ascii(std::string_view text);
// A decimal integer with optional sign and nothing else; nullopt when malformed or out of range.
std::optional<int64_t> parse_int64(std::string_view text);
// The prefix of `utf8` with at most `bytes_max` bytes; never half a character.
std::string_view first_bytes(std::string_view utf8, size_t bytes_max);
// The prefix of `utf8` with at most `count` code points.
std::string_view first_code_points(std::string_view utf8, size_t count);
// The prefix of `utf8` with at most `count` UTF-16 code units; never half a surrogate pair.
std::string_view first_utf16_units(std::string_view utf8, size_t count);
// True when `utf8` holds nothing but Unicode white space (property White_Space), or nothing.
bool is_blank(std::string_view utf8);
// Replaces every NUL byte by U+FFFD.
void replace_nul(std::string& utf8);

}  // namespace hogflare
