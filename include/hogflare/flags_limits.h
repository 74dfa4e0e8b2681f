// Bounds of the flag evaluator beside those of limits.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hogflare::limits {

// Values in one definitions document or one /flags body; 100 bytes each. A document of 1,000 flags
// with three conditions each holds about 60,000.
inline constexpr size_t kFlagsNodesMax = 400'000;
// A definitions document. A Worker variable holds 5 KB, a KV value 25 MiB; 1,000 flags take 1 MiB.
inline constexpr size_t kFlagDefinitionsBytesMax = 8u << 20;
// Flags in one document.
inline constexpr size_t kFlagsMax = 10'000;
// Cohorts in one document.
inline constexpr size_t kCohortsMax = 10'000;
// Levels of cohorts that refer to cohorts; evaluation recurses once per level.
inline constexpr int kCohortDepthMax = 32;
// Memory RE2 may use for one pattern's program and caches, in bytes.
inline constexpr int64_t kRegexBytesMax = 1 << 20;
// Bytes of one regular expression.
inline constexpr size_t kRegexPatternBytesMax = 2048;
// Relative dates stop here ("10000d" is not one). PostHog: property_matching.rs.
inline constexpr int kRelativeDateMax = 10'000;

}  // namespace hogflare::limits
