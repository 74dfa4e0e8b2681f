#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "hogflare/insights.h"
#include "hogflare/insights_limits.h"
#include "hogflare/json.h"
#include "insights/kinds.h"
#include "insights/recorded_visits.h"
#include "insights/recordings.h"
#include "insights/sql_text.h"

namespace hogflare::insights {

// Owns what a plan's reader refers to.
struct Plan::Reader {
  Project project;
  Dialect dialect = Dialect::kDuckdb;
  std::string zone;
  Built built;
};

double number_of(const Json& cell, double fallback) {
  if (cell.is_number()) {
    const double value = cell.get<double>();
    return std::isfinite(value) ? value : fallback;
  }
  if (cell.is_boolean()) return cell.get<bool>() ? 1 : 0;
  if (!cell.is_string()) return fallback;
  return number_in_text(cell.get_ref<const std::string&>()).value_or(fallback);
}

int64_t integer_of(const Json& cell, int64_t fallback) {
  if (cell.is_number_integer()) return cell.get<int64_t>();
  const double value = number_of(cell, static_cast<double>(fallback));
  if (std::fabs(value) > 9e15) return fallback;
  return static_cast<int64_t>(value);
}

std::string text_of(const Json& cell) {
  if (cell.is_string()) return cell.get<std::string>();
  return cell.is_null() ? std::string() : cell.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json plain(double value) {
  if (value == std::floor(value) && std::fabs(value) < 9e15) return static_cast<int64_t>(value);
  return value;
}

namespace {

// Depth and size are checked before a document tree is made.
std::optional<Json> parse(std::string_view text, size_t bytes_max) {
  if (text.size() > bytes_max) return std::nullopt;
  if (!json::Document::parse_const(text, 1).ok()) return std::nullopt;
  Json out = Json::parse(text, nullptr, false);
  if (out.is_discarded()) return std::nullopt;
  return out;
}

// An exported insight or table wraps the question.
View unwrapped(const View& question) {
  const std::string kind = question["kind"].text();
  if (kind == "InsightVizNode" || kind == "DataTableNode") return question["source"];
  return question;
}

struct Maker {
  std::string_view kind;
  Built (*make)(const View&, const Context&);
};

constexpr Maker kMakers[] = {
    {"TrendsQuery", build_trends},
    {"FunnelsQuery", build_funnel},
    {"RetentionQuery", build_retention},
    {"PathsQuery", build_paths},
    {"WebOverviewQuery", build_web_overview},
    {"WebStatsTableQuery", build_web_stats},
    {"SessionsQuery", build_sessions},
    {"_ChannelType", build_channel},
    {"_RecordedVisits", build_recorded_visits},
    {"_EventDefinitions", build_event_definitions},
    {"_PropertyDefinitions", build_property_definitions},
    {"_Recordings", build_recordings},
    {"_RecordingParts", build_recording_parts},
    {"_RecordingText", build_recording_text},
    {"EventsQuery", build_events},
    {"PersonsQuery", build_persons},
    {"ActorsQuery", build_actors},
    {"ErrorTrackingQuery", build_errors},
    {"ExperimentQuery", build_experiment},
    {"HogQLQuery", build_sql},
    {"LifecycleQuery", build_lifecycle},
    {"StickinessQuery", build_stickiness},
};

Built make(const View& question, const Context& context) {
  const std::string kind = question["kind"].text();
  for (const Maker& maker : kMakers) {
    if (maker.kind == kind) return maker.make(question, context);
  }
  question["kind"].refuse(fmt::format("'{}' is not answered here", kind));
  return {};
}

std::optional<Refusal> check_statements(const Built& built) {
  for (const Statement& statement : built.statements) {
    if (statement.sql.size() > limits::kStatementBytesMax) {
      return Refusal{"", "makes too long a statement: ask for fewer buckets, values or series"};
    }
  }
  return std::nullopt;
}

Json cell_of(const json::Value& value) {
  if (!value.exists()) return Json();
  const std::string_view raw = value.raw();
  if (value.is_string()) return Json(value.text());
  int64_t whole = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), whole);
  if (error == std::errc() && end == raw.data() + raw.size()) return Json(whole);
  return Json::parse(raw.begin(), raw.end(), nullptr, false);
}

// Rows as arrays in the order of the statement's columns; where it names none, as the engine's arrays. Out
// of the index of places: a tree of the rows would take more time than all the rest of an answer.
std::optional<Table> read_table(const std::string& text, const Statement& statement) {
  if (text.size() > limits::kAnswerRowsBytesMax) return std::nullopt;
  const auto document = json::Document::parse_const(text, 2);
  if (!document.ok() || !document.value().root().is_array()) return std::nullopt;
  Table table;
  for (const json::Value row : document.value().root().elements()) {
    Row cells;
    if (row.is_array()) {
      for (const json::Value cell : row.elements()) cells.push_back(cell_of(cell));
      if (!statement.columns.empty()) cells.resize(statement.columns.size());
    } else if (row.is_object() && !statement.columns.empty()) {
      cells.reserve(statement.columns.size());
      for (const std::string& column : statement.columns) cells.push_back(cell_of(row.find(column)));
    } else {
      return std::nullopt;
    }
    table.push_back(std::move(cells));
  }
  return table;
}

}  // namespace

bool Plan::is_free_sql() const {
  return std::any_of(statements.begin(), statements.end(),
                     [](const Statement& statement) { return statement.columns.empty(); });
}

Answered Plan::answer(const std::vector<std::string>& rows, std::string_view more) const {
  Answered out;
  if (rows.size() != statements.size()) {
    out.refusal = Refusal{"", "there must be one list of rows for each statement"};
    return out;
  }
  std::vector<Table> tables;
  std::string sql;
  for (size_t i = 0; i < rows.size(); ++i) {
    std::optional<Table> table = read_table(rows[i], statements[i]);
    if (!table) {
      out.refusal = Refusal{"", "the engine's rows cannot be read"};
      return out;
    }
    // A result as long as its limit may have been cut, and half an answer is a wrong one.
    if (statements[i].sql.find("LIMIT") != std::string::npos &&
        static_cast<int64_t>(table->size()) >= rows_max(reader->dialect)) {
      out.refusal =
          Refusal{"",
                  "gives more rows than the engine may return: ask for a shorter time, fewer "
                  "values or a narrower filter"};
      return out;
    }
    tables.push_back(std::move(*table));
    sql += (sql.empty() ? "" : ";\n") + statements[i].sql;
  }
  Json answer = reader->built.read(tables);
  answer["hogql"] = sql;
  answer["error"] = nullptr;
  answer["is_cached"] = false;
  answer["query_status"] = nullptr;
  answer["timezone"] = reader->zone;
  if (answer.find("hasMore") == answer.end()) answer["hasMore"] = false;
  const Json added = Json::parse(more, nullptr, false);
  if (added.is_object()) answer.update(added);
  out.json = answer.dump(-1, ' ', false, Json::error_handler_t::replace);
  return out;
}

Asked ask(const Asking& asking) {
  Asked out;
  Refusals refusals;
  const std::optional<Json> project = parse(asking.project, limits::kQuestionBytesMax);
  const std::optional<Json> question = parse(asking.question, limits::kQuestionBytesMax);
  if (!project || !question || !question->is_object() || !project->is_object()) {
    out.refusal = Refusal{"", "the question must be a JSON object of reasonable size"};
    return out;
  }
  auto reader = std::make_shared<Plan::Reader>();
  const View project_view(&*project, "project", &refusals);
  reader->project = read_project(project_view, asking.zones);
  reader->zone = project_view["timezone"].text("UTC");
  reader->dialect = asking.dialect;
  if (asking.dialect == Dialect::kBasin && !reader->project.typed_columns) {
    project_view["typed_columns"].refuse("Basin SQL needs the lifted columns");
  }
  const Context context{
      .project = reader->project, .dialect = asking.dialect, .refusals = refusals};
  if (!refusals.first) reader->built = make(unwrapped(View(&*question, "", &refusals)), context);
  if (!refusals.first) refusals.first = check_statements(reader->built);
  out.refusal = refusals.first;
  if (out.refusal) return out;
  out.plan = Plan{.statements = reader->built.statements,
                  .until_us = reader->built.until_us,
                  .reader = reader};
  return out;
}

std::string tool_insights(std::string_view arguments, Zones* zones) {
  const Json input = Json::parse(arguments, nullptr, false);
  Refusals refusals;
  const View view(&input, "", &refusals);
  const auto fail = [](const Refusal& refusal) {
    return Json{{"ok", false}, {"path", refusal.path}, {"error", refusal.sentence}}.dump(
        -1, ' ', false, Json::error_handler_t::replace);
  };
  if (input.is_discarded() || !input.is_object())
    return fail({"", "the arguments must be a JSON object"});
  const std::string project = view["project"].given() ? view["project"].json().dump() : "{}";
  const std::string question = view["question"].json().dump();
  const bool basin = view["dialect"].one_of({"duckdb", "basin"}) == "basin";
  const Asked asked = ask({.project = project,
                           .question = question,
                           .dialect = basin ? Dialect::kBasin : Dialect::kDuckdb,
                           .zones = zones});
  if (asked.refusal) return fail(*asked.refusal);
  if (refusals.first) return fail(*refusals.first);
  if (!view["rows"].given()) {
    Json statements = Json::array();
    for (const Statement& statement : asked.plan->statements) {
      statements.push_back(Json{{"sql", statement.sql}, {"columns", statement.columns}});
    }
    return Json{{"ok", true}, {"statements", std::move(statements)}}.dump();
  }
  std::vector<std::string> rows;
  for (const View& one : view["rows"].items()) rows.push_back(one.json().dump());
  const Answered answered = asked.plan->answer(rows);
  if (answered.refusal) return fail(*answered.refusal);
  return fmt::format(R"({{"ok":true,"answer":{}}})", answered.json);
}

}  // namespace hogflare::insights
