// Bounds of what stays in memory for a while. Rules as in limits.h.
#pragma once

#include <cstddef>

namespace hogflare::limits {

// --- Memory of small requests ---

// On top of kRequestMemoryBytesMax, for requests that hold little: whoever fills the memory with
// large ones keeps out large ones only. An event of 2 KB takes some 40 KB, with its index.
inline constexpr size_t kSmallRequestBytesMax = 512u << 10;
inline constexpr size_t kSmallRequestsBytesMax = 3u << 20;

// Form with a token, of the routes that read no other body; it waits with its request for the
// flags document.
inline constexpr size_t kTokenFormBytesMax = 4u << 10;

// --- Texts of people and groups in memory ---

// A name to unset counts for so much beside its letters: it has a place in several lists on its
// way.
inline constexpr size_t kUnsetPlaceBytes = 16;

// Property texts of people, with their changes, that a request keeps until the rows of a window are
// written, and those of groups; rows beyond it are without them, and one row says how many.
inline constexpr size_t kKeptTextsBytesMax = 20u << 20;
inline constexpr size_t kKeptGroupTextsBytesMax = 12u << 20;
// Texts that any answer of a person or group may have beside what its call brings, however little
// memory there is: nearly everybody has fewer.
inline constexpr size_t kReplyTextsBytesMin = 32u << 10;

// --- Rows of people ---

// Ids in one row of the persons stream, in bytes of JSON: with them the largest person stays below
// a row's limit. Further ids take further rows, each with the person's properties again.
inline constexpr size_t kPersonRowIdsBytesMax = 200u << 10;

}  // namespace hogflare::limits
