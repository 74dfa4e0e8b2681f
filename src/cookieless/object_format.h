// What the Worker and the objects of class kCookieless say to each other about salts. Visitors'
// part is in hogflare/cookieless.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hogflare {

// Version of every message and of every stored value of this class.
inline constexpr uint8_t kCookielessVersion = 1;

enum class CookielessCall : uint8_t { kSalts = 1, kVisit = 2, kQuestion = 3 };

std::string write_salt_request(std::span<const int64_t> days);
// A salt a day in the request's order; empty for a day that has none. Nullopt: malformed.
std::optional<std::vector<std::string>> read_salt_reply(std::string_view bytes);

}  // namespace hogflare
