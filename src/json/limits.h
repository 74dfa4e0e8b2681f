// Bounds of documents that are read as trees (dom.h): unit, reason, source.
#pragma once

#include <cstddef>

namespace hogflare::limits {

// Values of one document: as many as one of flags may have (kFlagsNodesMax).
inline constexpr size_t kDomValuesMax = 400'000;
// Comparisons of names while one is read: an object that keeps its members' order looks at all of
// them for each new one. One object of 20,000 members makes so many.
inline constexpr size_t kDomLookupsMax = 200'000'000;
// What a value takes at most besides its text, while its list grows: an empty list within a list 70
// bytes, a value of flags' definitions 100.
inline constexpr size_t kDomValueBytes = 100;

}  // namespace hogflare::limits
