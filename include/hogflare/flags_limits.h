// Bounds of the flag evaluator beside those of limits.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hogflare::limits {

// Values in one definitions document. One of 1,000 flags with three conditions each holds about
// 60,000; two sets of that many stand beside each other while one replaces the other.
inline constexpr size_t kFlagsNodesMax = 150'000;
// Values in other texts that flags are read with: a stored person, a cohort's list of members.
inline constexpr size_t kFlagValuesMax = 400'000;
// Bytes of one property's text that operators look into; a list or an object counts by the texts in
// it. A longer text is equal to nothing, no number, version or date, and what else would look into
// it fails its flag. An address takes 2 KB.
inline constexpr size_t kFlagPropertyTextBytesMax = 64u << 10;
// Values in one /flags or OFREP body: properties of one person and of their groups.
inline constexpr size_t kFlagsRequestNodesMax = 100'000;
// A definitions document. A Worker variable holds 5 KB, a KV value 25 MiB; 1,000 flags take 1 MiB.
inline constexpr size_t kFlagDefinitionsBytesMax = 4u << 20;
// Flags in one document.
inline constexpr size_t kFlagsMax = 10'000;
// Variants of one flag or of one of its conditions.
inline constexpr size_t kVariantsMax = 1'000;
// Flags that the definitions feed lists before one that depends on them; SDKs ask the server where
// there are more.
inline constexpr size_t kDependencyChainMax = 100;
// Cohorts in one document.
inline constexpr size_t kCohortsMax = 10'000;
// Property groups within groups of one cohort below the outermost; the reader and the evaluation
// recurse once per level. PostHog: cohort_operations.rs.
inline constexpr int kCohortGroupDepthMax = 64;
// Ids in one cohort's list of members; a uuid takes 41 bytes.
inline constexpr size_t kCohortMembersMax = 100'000;
// Bytes of one list in KV: 100,000 ids of 80 bytes.
inline constexpr size_t kCohortListBytesMax = 8u << 20;
// Bytes of lists that an isolate keeps beside the request at hand.
inline constexpr size_t kCohortListsBytesMax = 16u << 20;
// Lists that one request reads from KV, one after the other; a request may make 1,000 such reads.
inline constexpr size_t kCohortReadsMax = 50;
// Memory RE2 may use for one pattern's program and caches, in bytes.
inline constexpr int64_t kRegexBytesMax = 1 << 20;
// Bytes that the different patterns of one document may use together, for programs and for what
// running them keeps, and bytes of them written out for RE2. A usual pattern uses 48 KiB.
inline constexpr size_t kRegexesBytesMax = 16u << 20;
inline constexpr size_t kRegexesTranslatedBytesMax = 4u << 20;
// Bytes of one regular expression.
inline constexpr size_t kRegexPatternBytesMax = 2048;
// Bytes of a pattern written out for RE2; a class of Unicode has some hundred.
inline constexpr size_t kRegexTranslatedBytesMax = 256u << 10;
// Groups within groups; the reader recurses once per level.
inline constexpr int kRegexDepthMax = 100;
// Counts of one repeat ({n}); RE2 takes 1,000 at once, more is written as several.
inline constexpr int kRegexRepeatMax = 10'000;
// Characters beyond ASCII that a pattern may name before subjects are taken as they are.
inline constexpr uint64_t kRegexNamedPointsMax = 1'024;
// Bytes of a version, and of a version requirement: a longer text is none. Versions of releases
// with a commit and a date behind them have 60.
inline constexpr size_t kVersionBytesMax = 256;
inline constexpr size_t kVersionRequirementBytesMax = 4'096;
// Comparators of one version requirement (`>1.0, <2.0` has two). The Rust crate `semver`: parse.rs.
inline constexpr size_t kVersionComparatorsMax = 32;
// Relative dates stop here ("10000d" is not one). PostHog: property_matching.rs.
inline constexpr int kRelativeDateMax = 10'000;
// Bytes of a relative date behind its sign; leading zeros count.
inline constexpr size_t kRelativeDateBytesMax = 20;

// Days of time zones that an isolate remembers (zones.h), 50 bytes each: today and the other days
// of definitions' and persons' dates, in the zones of the earth, of which there are 600.
inline constexpr size_t kZoneDaysMax = 4'096;
// Bytes of a zone's name; the longest of the IANA database has 32.
inline constexpr size_t kZoneNameBytesMax = 64;

// Of the rules format, all from PostHog's contract (config_v2.rs): a flag's filters in bytes, rules
// of a flag, predicates of a rule, variants of a rule, characters of a seed, levels of an object's
// value.
inline constexpr size_t kRulesBytesMax = 512u << 10;
inline constexpr size_t kRulesMax = 100;
inline constexpr size_t kRulePredicatesMax = 100;
inline constexpr size_t kRuleVariantsMax = 20;
inline constexpr size_t kRuleSeedCharsMax = 400;
inline constexpr int kRuleValueDepthMax = 20;

// People of a cohort's list that stay in the flags' document: as many as a question may name
// (kFilterValuesMax).
inline constexpr size_t kCohortMembersKeptMax = 1'000;

}  // namespace hogflare::limits
