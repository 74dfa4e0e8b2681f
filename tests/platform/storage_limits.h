// What an object's storage refuses to take, for every stand-in of it (tests/platform/limits.json).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "platform_limits.h"

namespace hogflare::platform {

inline constexpr std::string_view kTooManySubrequests =
    "Too many subrequests by single Worker invocation.";

// Why a put is refused; empty: it is not. `value_bytes_max` is of key and value together.
inline std::string refusal_of_put(std::string_view key, std::string_view value,
                                  size_t value_bytes_max = kObjectValueBytes) {
  if (key.size() > kObjectKeyBytes) {
    return "Keys cannot be larger than " + std::to_string(kObjectKeyBytes) +
           " bytes. A key of size " + std::to_string(key.size()) + " was provided.";
  }
  if (key.size() + value.size() > value_bytes_max) return "string or blob too big: SQLITE_TOOBIG";
  return {};
}

}  // namespace hogflare::platform
