#include "question_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "hogflare/insights_limits.h"
#include "hogflare/json.h"

namespace hogflare {
namespace {

// Basin SQL's own code for "ask again" (basin-sql/troubleshooting).
constexpr int64_t kAskAgainCode = 80001;

struct EngineError {
  int64_t code = 0;
  std::string message;
};

int64_t integer_of(json::Value value) {
  if (!value.exists() || !value.is_number()) return 0;
  const std::string_view raw = value.raw();
  int64_t number = 0;
  std::from_chars(raw.data(), raw.data() + raw.size(), number);
  return number;
}

// {"errors": [{"code", "message"}]}; whatever else came is no words of the engine's.
EngineError read_error(std::string_view body) {
  EngineError error;
  const auto document = json::Document::parse_const(body, 4);
  if (!document.ok()) return error;
  for (const json::Value each : document.value().root().find("errors").exists()
                                    ? document.value().root().find("errors").elements()
                                    : document.value().root().elements()) {
    const json::Value message = each.find("message");
    error.code = integer_of(each.find("code"));
    if (message.exists() && message.is_string()) error.message = message.text();
    break;
  }
  if (error.message.size() > limits::kEngineWordsBytesMax) {
    error.message.resize(limits::kEngineWordsBytesMax);
  }
  return error;
}

bool says(const EngineError& error, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&error](std::string_view word) {
    return error.message.find(word) != std::string::npos;
  });
}

constexpr std::string_view kServer = "server_error";

Fault no_answer(const EffectResult& result) {
  if (result.http_status == 413) {
    return {.code = "answer_too_large",
            .detail = fmt::format("the engine's rows are more than {} bytes: ask for a shorter "
                                  "time, fewer values, or fewer and shorter columns",
                                  limits::kQueryReplyBytesMax)};
  }
  return {
      .status = 504,
      .type = kServer,
      .code = "engine_timeout",
      .detail = fmt::format("the SQL engine gave no answer within {} seconds: ask for a shorter "
                            "time, fewer series or a narrower filter",
                            limits::kQueryTimeoutMs / 1000)};
}

// What the engine's refusal means to who asked; `is_free_sql`: the text was the asker's own.
Fault refusal_of(const EffectResult& result, const std::string& bucket, bool is_free_sql) {
  const EngineError error = read_error(result.body);
  switch (result.http_status) {
    case 401:
    case 403:
      return {.status = 503,
              .type = kServer,
              .code = "engine_refuses_token",
              .detail =
                  "the SQL engine refuses HOGFLARE_SQL_TOKEN: it needs R2 SQL read, data "
                  "catalog read and storage read and write of the bucket " +
                  bucket};
    case 404:
      return {.status = 503,
              .type = kServer,
              .code = "engine_unknown",
              .detail =
                  "the SQL engine knows no such account or bucket: HOGFLARE_SQL_ACCOUNT_ID "
                  "and HOGFLARE_SQL_BUCKET (" +
                  bucket + ")"};
    case 429:
      return {.status = 429,
              .type = "throttled_error",
              .code = "engine_throttled",
              .detail = "the SQL engine takes no more questions just now: ask again in a moment",
              .retry_after_s = 5};
    default:
      break;
  }
  if (result.http_status >= 500 || error.code == kAskAgainCode) {
    return {.status = 503,
            .type = kServer,
            .code = "engine_unavailable",
            .detail = fmt::format("the SQL engine failed with {}: ask again, or for a shorter time "
                                  "if it stays so",
                                  result.http_status),
            .retry_after_s = 5};
  }
  if (says(error, {"would scan", "budget"})) {
    return {.code = "scan_budget",
            .detail =
                "the SQL engine would have to read more than it may for this: ask for a "
                "shorter time or a narrower filter (" +
                error.message + ")"};
  }
  if (!is_free_sql &&
      says(error, {"not found", "does not exist", "no such table", "No such table"})) {
    return {.status = 503,
            .type = kServer,
            .code = "no_table",
            .detail =
                "the lake has no such table or column yet: tables appear with their first "
                "rows, and HOGFLARE_SQL_NAMESPACE and HOGFLARE_SQL_TABLES name them (" +
                error.message + ")"};
  }
  if (is_free_sql) {
    return {.code = "engine_refuses_sql", .detail = "the SQL engine says: " + error.message};
  }
  return {.status = 502,
          .type = kServer,
          .code = "engine_refuses_statement",
          .detail = "the SQL engine does not take what this question became: " + error.message};
}

Fault unreadable() {
  return {.status = 502,
          .type = kServer,
          .code = "engine_unreadable",
          .detail = "the SQL engine's answer is not what it should be: ask again"};
}

}  // namespace

void QuestionRun::start(const Turn& turn, insights::Plan plan, std::string path, Effects& effects) {
  plan_ = std::move(plan);
  path_ = std::move(path);
  bucket_ = turn.config.sql_bucket;
  cost_.began_at_ms = turn.now_ms;
  asked_.resize(plan_->statements.size());
  came_.resize(plan_->statements.size());
  begin_more(turn, effects);
}

bool QuestionRun::owns(uint32_t effect_id) const {
  return std::any_of(asked_.begin(), asked_.end(), [effect_id](const Asked& asked) {
    return asked.effect == effect_id || asked.wait == effect_id;
  });
}

void QuestionRun::ask(size_t index, Effects& effects) {
  asked_[index].is_begun = true;
  asked_[index].wait = 0;
  asked_[index].effect =
      effects.add(RunQuery{plan_->statements[index].sql, limits::kQueryTimeoutMs});
  cost_.statements += 1;
}

void QuestionRun::begin_more(const Turn& turn, Effects& effects) {
  if (answered_ == asked_.size()) {
    finished_ = true;
    return;
  }
  size_t in_flight = 0;
  for (const Asked& asked : asked_) in_flight += asked.effect != 0 || asked.wait != 0 ? 1 : 0;
  const bool is_late = turn.now_ms - cost_.began_at_ms > limits::kQuestionMs;
  for (size_t i = 0; i < asked_.size() && in_flight < limits::kQueriesInFlight; ++i) {
    if (asked_[i].is_begun) continue;
    if (is_late) return fail(no_answer({}));
    ask(i, effects);
    ++in_flight;
  }
}

void QuestionRun::resume(const Turn& turn, EffectResult result, Effects& effects) {
  if (finished_) return;
  for (size_t i = 0; i < asked_.size(); ++i) {
    if (asked_[i].wait == result.id) return ask(i, effects);
    if (asked_[i].effect == result.id) return take(turn, i, result, effects);
  }
}

void QuestionRun::take(const Turn& turn, size_t index, EffectResult& result, Effects& effects) {
  Asked& asked = asked_[index];
  asked.effect = 0;
  if (!result.ok) return fail(no_answer(result));
  if (result.http_status != 200) {
    if (!asked.is_again && read_error(result.body).code == kAskAgainCode) {
      asked.is_again = true;
      asked.wait = effects.add(Wait{limits::kQueryRetryMs});
      return;
    }
    Fault fault = refusal_of(result, bucket_, plan_->is_free_sql());
    if (fault.status < 500 && fault.attr.empty()) fault.attr = path_;
    return fail(std::move(fault));
  }
  if (memory_.hold_more(result.body.size() * limits::kQueryReplyMemoryShare)) {
    return fail({.status = 503,
                 .type = kServer,
                 .code = "memory_busy",
                 .detail = "other requests take the memory that this answer needs: ask again",
                 .retry_after_s = 1});
  }
  read_reply(index, std::move(result.body));
  if (finished_) return;
  ++answered_;
  begin_more(turn, effects);
}

// {"result": {"schema": [{"name", "descriptor": {"type": {"name"}}}], "rows": [{…}], "metrics":
// {…}}}
void QuestionRun::read_reply(size_t index, std::string body) {
  // Down to the cells of rows, and with free SQL to the names of types.
  const bool is_free = plan_->statements[index].columns.empty();
  Came& came = came_[index];
  came.body = std::move(body);
  auto document = json::Document::parse_const(came.body, is_free ? 6 : 4);
  if (!document.ok()) return fail(unreadable());
  came.document = std::move(document.value());
  const json::Value result = came.document->root().find("result");
  if (!result.exists() || !result.is_object()) return fail(unreadable());
  came.rows = result.find("rows");
  if (!came.rows.exists() || !came.rows.is_array()) return fail(unreadable());
  const json::Value metrics = result.find("metrics");
  if (metrics.exists()) cost_.bytes_scanned += integer_of(metrics.find("bytes_scanned"));
  if (!is_free) return;
  const json::Value schema = result.find("schema");
  if (!read_schema(schema.exists() ? schema : came.rows, came.names)) return fail(unreadable());
  for (const json::Value row : came.rows.elements()) {
    if (!row.is_object() && !row.is_array()) return fail(unreadable());
  }
}

// False: a column has no name.
bool QuestionRun::read_schema(json::Value schema, std::vector<std::string>& names) {
  columns_ = types_ = "[";
  for (const json::Value column : schema.elements()) {
    const json::Value name = column.find("name");
    if (!name.exists() || !name.is_string()) return false;
    names.push_back(name.text());
    if (names.size() > 1) columns_ += ',', types_ += ',';
    json::append_string(columns_, names.back());
    const json::Value descriptor = column.find("descriptor");
    const json::Value type = descriptor.exists() ? descriptor.find("type") : descriptor;
    const json::Value kind = type.exists() ? type.find("name") : type;
    json::append_string(types_, kind.exists() && kind.is_string() ? kind.text() : "");
  }
  columns_ += ']';
  types_ += ']';
  return true;
}

std::string QuestionRun::answer(std::string_view more) {
  std::vector<insights::EngineRows> rows;
  for (const Came& came : came_) rows.push_back({.list = came.rows, .columns = came.names});
  insights::Answered answered = plan_->answer(rows, more);
  if (!answered.refusal) return std::move(answered.json);
  fault_ = Fault{
      .code = "too_many_rows", .detail = path_ + " " + answered.refusal->sentence, .attr = path_};
  return {};
}

void QuestionRun::fail(Fault fault) {
  fault_ = std::move(fault);
  finished_ = true;
}

}  // namespace hogflare
