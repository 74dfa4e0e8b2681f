// Questions: PostHog's query JSON → checked question → SQL for a dialect; rows → answer in
// PostHog's result shape. Pure: the same project, question and rows give the same text, natively
// and in wasm.
//
//   Asked asked = ask({.project = project_json, .question = question_json, .dialect =
//   Dialect::kDuckdb}); if (asked.refusal) return bad_request(asked.refusal->path,
//   asked.refusal->sentence); std::vector<std::string> rows = run(asked.plan->statements);   //
//   each a JSON array of rows Answered answered = asked.plan->answer(rows);
//
// What a question says is either done or refused by its path, never ignored: docs/INSIGHTS.md lists
// both. No text of a question reaches the SQL but through the functions of insights/sql_text.h,
// which write literals and JSON keys.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/json.h"
#include "hogflare/zones.h"

namespace hogflare::insights {

enum class Dialect : uint8_t { kDuckdb, kBasin };

// Why a question is not answered: `path` names the part ("series.0.math"; empty for the whole).
struct Refusal {
  std::string path;
  std::string sentence;
};

struct Statement {
  std::string sql;
  std::vector<std::string> columns;  // names of the result's columns, in order; none: the engine's
  // Those of them that hold a number in every row: counts and places of buckets. Rows without them
  // are no answer.
  std::vector<std::string> numbers = {};
};

// What answering a plan gives: PostHog's envelope as JSON text, or why not.
struct Answered {
  std::string json;
  std::optional<Refusal> refusal;
  enum class Why : uint8_t {
    kTooManyRows,  // as many as the limit allows: they may have been cut
    kUnreadable,   // these are no rows of the statement
    kTooLarge,     // the answer would be over limits::kAnswerBytesMax
    kNoMemory,     // whoever was asked for the answer's memory has none just now
  };
  Why why = Why::kTooManyRows;  // of a refusal
};

// A statement's rows where they lie: arrays of rows (one, or one a day), each row an array in the
// order of the statement's columns or an object by their names, indexed down to the cells.
struct EngineRows {
  std::vector<json::Value> lists;
  // As the engine names them, where it does: of free SQL's rows, and what a row may leave out.
  std::span<const std::string> columns = {};
};

// A day of a question: statements that give its rows, as many as the plan's and in their order.
struct DayPart {
  std::string day;  // "2026-11-20"
  std::vector<Statement> statements;
};

class Plan {
 public:
  std::vector<Statement> statements;
  // End of the time that the question is about, in microseconds since 1970; 0: it has none.
  int64_t until_us = 0;
  // The statements hold the very moment of asking, so that they are others a moment later.
  bool is_momentary = false;
  // Days of the time that the question is about, begun ones whole and those it is compared with
  // too; 0: it has no time, or all.
  int64_t days = 0;
  std::string kind;  // of the question within its wrapping

  // `rows`: for each statement in order a JSON array of its rows, each an array in the order of
  // `columns` or an object by their names. A statement without `columns` (free SQL) takes arrays
  // only. Members of the JSON object `more` are added to the answer, or take the place of its own.
  Answered answer(const std::vector<std::string>& rows, std::string_view more = "{}") const;
  // The same out of rows that are indexed already; they have to live until it returns.
  // `days_missing`: places in by_day() of days without rows, whose numbers are null in the answer.
  // `take` is asked for the memory of a long answer before any of it is made.
  using TakeMemory = std::function<bool(size_t bytes)>;
  Answered answer(std::span<const EngineRows> rows, std::string_view more,
                  std::span<const size_t> days_missing = {}, const TakeMemory& take = {}) const;
  // The days of a question that is the sum of them, oldest first: trends by day whose bucket is
  // made from its own day's events. Empty for every other.
  std::vector<DayPart> by_day() const;
  // Whether some statement is the asker's own SQL.
  bool is_free_sql() const;

  struct Reader;
  std::shared_ptr<const Reader> reader;
};

struct Asking {
  // {"now", "timezone", "week_start_day", "team_id", "tables": {"events", "persons",
  // "distinct_ids"}, "cohorts": {id: {"name", "person_ids" | "members" | "properties"}},
  // "test_account_filters": [], "actions": []}; docs/INSIGHTS.md.
  std::string_view project;
  std::string_view question;
  Dialect dialect = Dialect::kDuckdb;
  // Where the project's time zone is looked up, and must outlive the plan; null: no IANA name is
  // known.
  Zones* zones = nullptr;
};

struct Asked {
  std::optional<Plan> plan;
  std::optional<Refusal> refusal;  // set exactly when there is no plan
};

Asked ask(const Asking& asking);

// Input: {"project": {...}, "question": {...}, "dialect": "duckdb" | "basin", "rows":
// [[row...]...]?}. Output: {"ok": true, "statements": [{"sql", "columns"}]} or, with rows, {"ok":
// true, "answer": {...}}; or
// {"ok": false, "path", "error"}.
std::string tool_insights(std::string_view arguments, Zones* zones);

}  // namespace hogflare::insights
