// The key of HOGFLARE_PROJECTS that stands for every token without an entry of its own.
#pragma once

#include <string_view>

namespace hogflare {

inline constexpr std::string_view kAnyToken = "*";

}  // namespace hogflare
