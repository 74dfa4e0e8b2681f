// Literals that other JSON writers send and the parser does not know.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hogflare::flags {

// `json` with `not_finite` for NaN and the infinities and -0.0 for -0, outside of texts; absent
// when it has none.
std::optional<std::string> rewrite_literals(std::string_view json,
                                            std::string_view not_finite = "null");

// What stands in a definitions document instead of them.
inline constexpr std::string_view kNoNumber = "not a number (NaN or Infinity)";

}  // namespace hogflare::flags
