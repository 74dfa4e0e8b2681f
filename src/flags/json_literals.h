// Literals that other JSON writers send and the parser does not know.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hogflare::flags {

// `json` with NaN and the infinities as null and -0 as -0.0, outside of texts; absent when it has
// none.
std::optional<std::string> rewrite_literals(std::string_view json);

}  // namespace hogflare::flags
