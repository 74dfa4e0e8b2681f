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
// Text of an answer that is many times its rows: each line of a trend has a place for every bucket,
// with its day and label. 500 values over a year of days, or 26 series of 25 values over half a
// year.
inline constexpr size_t kAnswerBytesMax = 12u << 20;
// Memory of a value that a row of the engine's leaves out: its place, and "null" in each copy of
// the answer.
inline constexpr size_t kLeftOutCellBytes = 32;
// Copies of an answer's text on its way out.
inline constexpr size_t kAnswerCopiesMax = 3;
// Bytes of a number in an answer, with the sign behind it: a double has up to 24 digits and signs.
inline constexpr size_t kAnswerNumberBytesMax = 26;
// Filters in one question, and rules of the cohorts that it names: a cohort's count for each place
// that names it.
inline constexpr size_t kQuestionFiltersMax = 500;
inline constexpr size_t kQuestionRulesMax = 2'000;
// People of cohorts' lists in one question, counted likewise.
inline constexpr size_t kQuestionMembersMax = 20'000;
// Different regular expressions of one question, and the memory that one's program may take: each
// is compiled to see whether it is one, in up to 5 ms.
inline constexpr size_t kQuestionPatternsMax = 20;
inline constexpr int64_t kQuestionRegexBytesMax = 256 << 10;
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
// Bytes of all statements of one question: a trend has one for each series, period and cohort.
inline constexpr size_t kStatementsBytesMax = 2u << 20;
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
// Days that a decision about an issue holds: it and the exceptions since are read with every list
// of issues.
inline constexpr int64_t kDecisionDays = 365;
// Cohorts one breakdown may name; each is a statement of its own.
inline constexpr size_t kBreakdownCohortsMax = 20;

// Body of a request that asks a question: the question and what stands beside it.
inline constexpr size_t kQuestionBodyBytesMax = 272u << 10;
// Questions of one batch: the tiles of a page, and then some.
inline constexpr size_t kBatchQuestionsMax = 20;
// Engine's answer to one statement in the Worker: 10,000 rows of 400 bytes.
inline constexpr size_t kQueryReplyBytesMax = 4u << 20;
// Memory of an answer while it is read, per byte of the engine's: its text, places, cells and the
// result.
inline constexpr size_t kQueryReplyMemoryShare = 6;
// Statements of one question under way at once; Cloudflare lets six connections of a request wait.
inline constexpr size_t kQueriesInFlight = 4;
// An engine that does not answer a statement within this counts as failed; Basin SQL takes seconds.
inline constexpr uint32_t kQueryTimeoutMs = 30'000;
// No further statement of a question is begun after this; with the last one's time-out a minute and
// a half.
inline constexpr int64_t kQuestionMs = 60'000;
// Wait before a statement is asked once more that the engine could not take just then.
inline constexpr uint32_t kQueryRetryMs = 500;
// Days that a question is asked in which was too much for the engine as a whole: four at a time,
// within the minute.
inline constexpr size_t kDayPartsMax = 92;
// Statements of all of them, a subrequest each.
inline constexpr size_t kDayStatementsMax = 200;
// So many statements of the newest days without an answer, and it is no day's fault.
inline constexpr size_t kDaysGivenUpAfter = 4;
// How far back is looked for the newest row of the table, by the time it arrived; two days' files.
inline constexpr int64_t kFreshnessHours = 24;
// An answer does not wait longer for being told how fresh it is.
inline constexpr uint32_t kFreshnessTimeoutMs = 10'000;
// Bytes of the engine's own words in an answer.
inline constexpr size_t kEngineWordsBytesMax = 500;
// What definitions are read from: rows of a sample, and the days before now it is drawn from;
// events are counted over a month.
inline constexpr int64_t kDefinitionSampleRows = 500;
inline constexpr int64_t kDefinitionSampleDays = 7;
inline constexpr int64_t kDefinitionCountDays = 30;
// Definitions in one answer, and values shown of each; a value is cut at so many bytes.
inline constexpr int64_t kDefinitionsMax = 1'000;
inline constexpr size_t kDefinitionValuesMax = 10;
inline constexpr size_t kDefinitionValueBytesMax = 200;
// An answer is kept for a minute, or for a day when its time is over and had an hour to arrive
// whole.
inline constexpr uint32_t kAnswerAgeS = 60;
inline constexpr uint32_t kSettledAnswerAgeS = 86'400;
inline constexpr int64_t kSettledAfterMs = 3'600'000;
// What a question has had the engine read is remembered for a week, so that its like can be told
// beforehand.
inline constexpr uint32_t kScanKnownAgeS = 604'800;
// What the engine reads for a millionth of a dollar, and what it bills a statement at the least
// (Basin SQL's pricing: $2.50 a TB, 10 MB).
inline constexpr int64_t kMicrodollarBytes = 400'000;
inline constexpr int64_t kBilledBytesMin = 10'000'000;
// Refused merges are looked for so many days back, and of so many ids at once.
inline constexpr int64_t kRefusedMergesDays = 90;
inline constexpr size_t kRefusedMergesIdsMax = 100;
// Larger answers are asked again instead.
inline constexpr size_t kCachedAnswerBytesMax = 1u << 20;
// Bytes of a client's name for its question.
inline constexpr size_t kClientQueryIdBytesMax = 200;

}  // namespace hogflare::limits
