// Text rules of the property operators beside those of hogflare/text.h: case folding and numbers.
//
//   unicode_lower("ÀÉ") == "àé"; ascii_lower("ÀB") == "Àb"; parse_number("1e3") == 1000.0
//
// Source: flag-semantics.md §4; the lower-case mapping is that of Unicode, final sigma included,
// as Rust's str::to_lowercase has it.
#pragma once

#include <cstddef>
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

}  // namespace hogflare::flags
