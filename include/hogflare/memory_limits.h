// Bounds of what stays in memory for a while. Rules as in limits.h.
#pragma once

#include <cstddef>

namespace hogflare::limits {

// --- Texts of people and groups in memory ---

// Property texts of people, with their changes, that a request keeps until the rows of a window are
// written, and those of groups; rows beyond it are without them, and one row says how many.
inline constexpr size_t kKeptTextsBytesMax = 20u << 20;
inline constexpr size_t kKeptGroupTextsBytesMax = 12u << 20;

}  // namespace hogflare::limits
