#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "hogflare/insights.h"
#include "hogflare/insights_limits.h"
#include "hogflare/json.h"
#include "insights/kinds.h"
#include "json/members.h"
#include "insights/recorded_visits.h"
#include "insights/recordings.h"
#include "insights/sql_text.h"
#include "json/dom.h"

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
  return cell.is_null() ? std::string() : json::text_of(cell);
}

Json plain(double value) {
  if (value == std::floor(value) && std::fabs(value) < 9e15) return static_cast<int64_t>(value);
  return value;
}

bool put(Built& built, Statement statement, Refusals& refusals) {
  refusals.statement_bytes += statement.sql.size();
  if (statement.sql.size() > limits::kStatementBytesMax ||
      refusals.statement_bytes > limits::kStatementsBytesMax) {
    refusals.add("", "makes too long a statement: ask for fewer buckets, values or series");
  }
  built.statements.push_back(std::move(statement));
  return !refusals.first;
}

std::string too_large(size_t bytes) {
  return fmt::format(
      "makes an answer of up to {} bytes, and one may have {}: ask for a longer interval, a "
      "shorter time or fewer values",
      bytes, limits::kAnswerBytesMax);
}

namespace {

// Depth and size are checked before a document tree is made.
std::optional<Json> parse(std::string_view text, size_t bytes_max) {
  if (text.size() > bytes_max) return std::nullopt;
  if (!json::Document::parse_const(text, 1).ok()) return std::nullopt;
  Json out = json::dom_of<Json>(text);
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
    {"_Freshness", build_freshness},
    {"_RefusedMerges", build_refused_merges},
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

// A result as long as its limit may have been cut, and half an answer is a wrong one.
bool may_be_cut(const Statement& statement, const Rows& rows, Dialect dialect) {
  return statement.sql.find("LIMIT") != std::string::npos &&
         static_cast<int64_t>(rows.size()) >= rows_max(dialect);
}

// The texts of an answer's members by their names.
std::map<std::string, std::string> texts_of(const Built& built, const std::vector<Rows>& rows) {
  std::map<std::string, std::string> texts;
  Json members;
  if (built.write) {
    Written written = built.write(rows);
    texts.emplace("results", std::move(written.results));
    members = std::move(written.members);
  } else {
    members = built.read(rows);
  }
  for (auto it = members.begin(); it != members.end(); ++it) {
    append_json(texts[it.key()], *it);
  }
  return texts;
}

}  // namespace

bool Plan::is_free_sql() const {
  return std::any_of(statements.begin(), statements.end(),
                     [](const Statement& statement) { return statement.columns.empty(); });
}

Answered Plan::answer(const std::vector<std::string>& rows, std::string_view more) const {
  std::vector<json::Document> documents;
  std::vector<EngineRows> came;
  for (const std::string& text : rows) {
    auto document = json::Document::parse_const(text, 2);
    const bool is_read = text.size() <= limits::kAnswerRowsBytesMax && document.ok();
    if (is_read) documents.push_back(std::move(document.value()));
    came.push_back(is_read ? EngineRows{{documents.back().root()}} : EngineRows{});
  }
  return answer(came, more);
}

std::vector<DayPart> Plan::by_day() const {
  return reader->built.by_day ? reader->built.by_day() : std::vector<DayPart>();
}

Answered Plan::answer(std::span<const EngineRows> came, std::string_view more,
                      std::span<const size_t> days_missing, const TakeMemory& take) const {
  using Why = Answered::Why;
  Answered out;
  const auto refuse = [&out](Why why, std::string sentence) {
    out.refusal = Refusal{"", std::move(sentence)};
    out.why = why;
    return out;
  };
  if (came.size() != statements.size()) {
    return refuse(Why::kUnreadable, "there must be one list of rows for each statement");
  }
  std::vector<Rows> rows;
  std::string sql;
  for (size_t i = 0; i < came.size(); ++i) {
    const size_t left_out =
        Rows::left_out_cells(came[i], statements[i]) * limits::kLeftOutCellBytes;
    if (left_out > limits::kAnswerBytesMax) {
      return refuse(Why::kTooLarge,
                    fmt::format("gives rows that leave out {} values, and an answer has room for "
                                "{} of these: ask for fewer columns or rows",
                                left_out / limits::kLeftOutCellBytes,
                                limits::kAnswerBytesMax / limits::kLeftOutCellBytes));
    }
    if (take && !take(left_out)) {
      return refuse(Why::kNoMemory, "needs memory for its answer that others have");
    }
    std::optional<Rows> read = Rows::read(came[i], statements[i]);
    if (!read) return refuse(Why::kUnreadable, "the engine's rows cannot be read");
    if (may_be_cut(statements[i], *read, reader->dialect)) {
      return refuse(Why::kTooManyRows,
                    "gives more rows than the engine may return: ask for a shorter time, fewer "
                    "values or a narrower filter");
    }
    read->leave_out(days_missing);
    rows.push_back(std::move(*read));
    sql += (sql.empty() ? "" : ";\n") + statements[i].sql;
  }
  if (reader->built.bytes) {
    const size_t bytes = reader->built.bytes(rows);
    if (bytes > limits::kAnswerBytesMax) return refuse(Why::kTooLarge, too_large(bytes));
    if (take && !take(bytes * limits::kAnswerCopiesMax)) {
      return refuse(Why::kNoMemory, "needs memory for its answer that others have");
    }
  }
  std::map<std::string, std::string> texts = texts_of(reader->built, rows);
  append_json_text(texts["hogql"] = {}, sql);
  texts["error"] = "null";
  texts["is_cached"] = "false";
  texts["query_status"] = "null";
  append_json_text(texts["timezone"] = {}, reader->zone);
  texts.emplace("hasMore", "false");
  MemberTexts answer;
  for (const auto& [name, text] : texts) answer.put(name, text);
  answer.put_all(more);
  out.json = answer.object();
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
  const View inner = unwrapped(View(&*question, "", &refusals));
  if (!refusals.first) reader->built = make(inner, context);
  if (!refusals.first) refusals.first = check_statements(reader->built);
  out.refusal = refusals.first;
  if (out.refusal) return out;
  out.plan = Plan{.statements = reader->built.statements,
                  .until_us = reader->built.until_us,
                  .is_momentary = reader->built.is_momentary,
                  .days = reader->built.days,
                  .kind = inner["kind"].text(),
                  .reader = reader};
  return out;
}

std::string tool_insights(std::string_view arguments, Zones* zones) {
  const Json input = json::dom_of<Json>(arguments);
  Refusals refusals;
  const View view(&input, "", &refusals);
  const auto fail = [](const Refusal& refusal) {
    return json::text_of(Json{{"ok", false}, {"path", refusal.path}, {"error", refusal.sentence}});
  };
  if (input.is_discarded() || !input.is_object())
    return fail({"", "the arguments must be a JSON object"});
  const std::string project =
      view["project"].given() ? json::text_of(view["project"].json()) : "{}";
  const std::string question = json::text_of(view["question"].json());
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
    return json::text_of(Json{{"ok", true}, {"statements", std::move(statements)}});
  }
  std::vector<std::string> rows;
  for (const View& one : view["rows"].items()) rows.push_back(json::text_of(one.json()));
  const Answered answered = asked.plan->answer(rows);
  if (answered.refusal) return fail(*answered.refusal);
  return fmt::format(R"({{"ok":true,"answer":{}}})", answered.json);
}

}  // namespace hogflare::insights
