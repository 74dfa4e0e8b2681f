// The release, as package.json has it.
#pragma once

#include <string_view>

namespace hogflare {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace hogflare
