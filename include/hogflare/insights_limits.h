// Bounds of questions (insights.h), beside those of limits.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hogflare::limits {

// Bytes of one question's or project's JSON; an exported insight has some kilobytes.
inline constexpr size_t kQuestionBytesMax = 256u << 10;
// Bytes of the rows one statement may answer with: 10,000 rows of some hundred bytes.
inline constexpr size_t kAnswerRowsBytesMax = 16u << 20;
// Series of one question; PostHog names them A to Z in formulas.
inline constexpr size_t kQuestionSeriesMax = 26;
// Steps of one funnel; each is a bit of a row's mask.
inline constexpr size_t kFunnelStepsMax = 20;
// Buckets of one time axis: five years of days; 31 days of hours take 744.
inline constexpr size_t kAxisBucketsMax = 2'000;
// Filters in one question, nested groups counted.
inline constexpr size_t kQuestionFiltersMax = 500;
// Groups of filters within groups; the reader recurses once per level.
inline constexpr int kFilterDepthMax = 8;
// Values of one filter's list, and people of one cohort that a statement names.
inline constexpr size_t kFilterValuesMax = 1'000;
// Values of one breakdown kept apart from "Other"; PostHog's default is 25.
inline constexpr int64_t kBreakdownValuesMax = 500;
// Rows of one statement in Basin SQL: LIMIT takes no more (basin-sql reference, "LIMIT 1-10,000").
inline constexpr int64_t kBasinRowsMax = 10'000;
// Rows of one statement in DuckDB, for the memory of who reads them.
inline constexpr int64_t kDuckdbRowsMax = 100'000;
// Bytes of one statement; Basin SQL takes a request body of some hundred kilobytes.
inline constexpr size_t kStatementBytesMax = 512u << 10;
// Bytes a lifted text column is cut at (schemas/events.json): filters compare with the cut text.
inline constexpr size_t kLiftedTextBytesMax = 1'024;
// JSON texts from this size on are refused by Basin SQL's JSON functions, in bytes.
inline constexpr int kBasinJsonBytesMax = 2'000;

// Rows of one page of a list: events, people, errors, visits.
inline constexpr int64_t kListRowsMax = 1'000;
// Rows before a page: there is no OFFSET, so they are read and dropped.
inline constexpr int64_t kListOffsetMax = 5'000;
// Bytes of one formula; each may add a level of parentheses to the reader's stack.
inline constexpr size_t kFormulaBytesMax = 500;
// Cohorts one breakdown may name; each is a statement of its own.
inline constexpr size_t kBreakdownCohortsMax = 20;

}  // namespace hogflare::limits
