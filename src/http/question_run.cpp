#include "question_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "hogflare/insights_limits.h"
#include "hogflare/json.h"
#include "json/fields.h"

namespace hogflare {
namespace {

// Basin SQL's own code for "ask again" (basin-sql/troubleshooting).
constexpr int64_t kAskAgainCode = 80001;

struct EngineError {
  int64_t code = 0;
  std::string message;
};

// {"errors": [{"code", "message"}]}; whatever else came is no words of the engine's.
EngineError read_error(std::string_view body) {
  EngineError error;
  const auto document = json::Document::parse_const(body, 4);
  if (!document.ok()) return error;
  for (const json::Value each : document.value().root().find("errors").exists()
                                    ? document.value().root().find("errors").elements()
                                    : document.value().root().elements()) {
    const json::Value message = each.find("message");
    error.code = number_of(each, "code");
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

// Whether the engine might answer the same for less time.
bool is_for_less_time(const Fault& fault) {
  return fault.code == "engine_timeout" || fault.code == "scan_budget" ||
         fault.code == "engine_unavailable";
}

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
  if (result.http_status >= 300 && result.http_status < 400) {
    return {.status = 503,
            .type = kServer,
            .code = "engine_moved",
            .detail = fmt::format("the SQL engine answers with a redirect ({}), which is not "
                                  "followed: HOGFLARE_SQL_URL says where it is",
                                  result.http_status)};
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

// False: a column has no name.
bool read_names(const json::Value& schema, std::vector<std::string>& names) {
  for (const json::Value column : schema.elements()) {
    const json::Value name = column.find("name");
    if (!name.exists() || !name.is_string()) return false;
    names.push_back(name.text());
  }
  return true;
}

// An answer that says itself that it is none, whatever its status.
bool is_failure(const json::Value& root) {
  const json::Value success = root.find("success");
  const json::Value errors = root.find("errors");
  return (success.exists() && success.is_false()) ||
         (errors.exists() && errors.is_array() && !errors.elements().empty());
}

Fault unreadable() {
  return {.status = 502,
          .type = kServer,
          .code = "engine_unreadable",
          .detail = "the SQL engine's answer is not what it should be: ask again"};
}

}  // namespace

void QuestionRun::start(const Turn& turn, insights::Plan plan, std::string path, Effects& effects,
                        Parts parts) {
  plan_ = std::move(plan);
  path_ = std::move(path);
  parts_ = parts;
  bucket_ = turn.config.sql_bucket;
  cost_.began_at_ms = turn.now_ms;
  for (const insights::Statement& statement : plan_->statements) {
    asked_.push_back({.statement = &statement, .of = asked_.size()});
  }
  begin_more(turn, effects);
}

bool QuestionRun::owns(uint32_t effect_id) const {
  return std::any_of(asked_.begin(), asked_.end(), [effect_id](const Asked& asked) {
    return asked.effect == effect_id || asked.wait == effect_id;
  });
}

void QuestionRun::ask(size_t index, Effects& effects) {
  Asked& asked = asked_[index];
  asked.is_begun = true;
  asked.wait = 0;
  asked.effect = effects.add(RunQuery{asked.statement->sql, timeout_ms_});
  cost_.statements += 1;
}

void QuestionRun::begin_more(const Turn& turn, Effects& effects) {
  if (finished_) return;
  size_t in_flight = 0;
  for (const Asked& asked : asked_) in_flight += asked.effect != 0 || asked.wait != 0 ? 1 : 0;
  const bool is_late = turn.now_ms - cost_.began_at_ms > limits::kQuestionMs;
  for (size_t i = 0; i < asked_.size() && in_flight < limits::kQueriesInFlight; ++i) {
    if (asked_[i].is_begun) continue;
    if (is_late && days_.empty()) return fail(no_answer({}));
    if (is_late) {
      asked_[i].is_begun = true;
      ++ended_;
      continue;
    }
    ask(i, effects);
    ++in_flight;
  }
  if (ended_ < asked_.size()) return;
  finished_ = true;
  if (!days_.empty()) end_days();
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
  if (!result.ok) return miss(turn, no_answer(result), effects);
  if (result.http_status != 200) {
    if (!asked.is_again && read_error(result.body).code == kAskAgainCode) {
      asked.is_again = true;
      asked.wait = effects.add(Wait{limits::kQueryRetryMs});
      return;
    }
    Fault fault = refusal_of(result, bucket_, plan_->is_free_sql());
    if (fault.status < 500 && fault.attr.empty()) fault.attr = path_;
    return miss(turn, std::move(fault), effects);
  }
  if (memory_.hold_more(result.body.size() * limits::kQueryReplyMemoryShare)) {
    return fail({.status = 503,
                 .type = kServer,
                 .code = "memory_busy",
                 .detail = "other requests take the memory that this answer needs: ask again",
                 .retry_after_s = 1});
  }
  if (std::optional<Fault> fault = read_reply(asked, std::move(result.body))) {
    if (fault->status < 500 && fault->attr.empty()) fault->attr = path_;
    return miss(turn, std::move(*fault), effects);
  }
  asked.is_answered = true;
  ++ended_;
  begin_more(turn, effects);
}

void QuestionRun::miss(const Turn& turn, Fault fault, Effects& effects) {
  if (days_.empty()) {
    if (!is_for_less_time(fault) || parts_ == Parts::kRefused || !begin_days()) {
      return fail(std::move(fault));
    }
    whole_fault_ = std::move(fault);
    return begin_more(turn, effects);
  }
  if (!is_for_less_time(fault) && fault.code != "engine_throttled") return fail(std::move(fault));
  ++ended_;
  ++misses_;
  const bool is_any_answered =
      std::any_of(asked_.begin(), asked_.end(), [](const Asked& each) { return each.is_answered; });
  if (!is_any_answered && misses_ >= limits::kDaysGivenUpAfter) {
    return fail(std::move(*whole_fault_));
  }
  begin_more(turn, effects);
}

// False: the question is not the sum of its days.
bool QuestionRun::begin_days() {
  days_ = plan_->by_day();
  if (days_.empty()) return false;
  asked_.clear();
  ended_ = 0;
  for (size_t day = days_.size(); day-- > 0;) {
    for (size_t of = 0; of < days_[day].statements.size(); ++of) {
      asked_.push_back({.statement = &days_[day].statements[of], .of = of, .day = day});
    }
  }
  return true;
}

// A day without the rows of all its statements is missing whole.
void QuestionRun::end_days() {
  for (size_t day = 0; day < days_.size(); ++day) {
    const bool is_missing = std::any_of(asked_.begin(), asked_.end(), [day](const Asked& asked) {
      return asked.day == day && !asked.is_answered;
    });
    if (is_missing) missing_.push_back(day);
  }
  if (missing_.size() == days_.size()) fault_ = std::move(whole_fault_);
}

std::vector<std::string> QuestionRun::days_missing() const {
  std::vector<std::string> out;
  for (const size_t day : missing_) out.push_back(days_[day].day);
  return out;
}

// {"result": {"schema": [{"name", "descriptor": {"type": {"name"}}}], "rows": [{…}], "metrics":
// {…}}}
std::optional<Fault> QuestionRun::read_reply(Asked& asked, std::string body) {
  // Down to the cells of rows, and with free SQL to the names of types.
  const bool is_free = asked.statement->columns.empty();
  asked.body = std::move(body);
  auto document = json::Document::parse_const(asked.body, is_free ? 6 : 4);
  if (!document.ok() || !document.value().root().is_object()) return unreadable();
  asked.document = std::move(document.value());
  if (is_failure(asked.document->root())) {
    EffectResult failure;
    failure.http_status = 200;
    failure.body = asked.body;
    if (read_error(failure.body).message.empty()) return unreadable();
    return refusal_of(failure, bucket_, is_free);
  }
  const json::Value result = asked.document->root().find("result");
  if (!result.exists() || !result.is_object()) return unreadable();
  asked.rows = result.find("rows");
  if (!asked.rows.exists() || !asked.rows.is_array()) return unreadable();
  const json::Value metrics = result.find("metrics");
  if (metrics.exists()) cost_.bytes_scanned += number_of(metrics, "bytes_scanned");
  const json::Value schema = result.find("schema");
  // Of a question's own statements the names are known: an engine may leave its own out.
  if (!is_free) {
    if (schema.exists() && !read_names(schema, asked.names)) return unreadable();
    return std::nullopt;
  }
  if (!read_schema(schema.exists() ? schema : asked.rows, asked.names)) return unreadable();
  for (const json::Value row : asked.rows.elements()) {
    if (!row.is_object() && !row.is_array()) return unreadable();
  }
  return std::nullopt;
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
  std::vector<insights::EngineRows> rows(plan_->statements.size());
  for (const Asked& asked : asked_) {
    if (!asked.is_answered) continue;
    rows[asked.of].lists.push_back(asked.rows);
    rows[asked.of].columns = asked.names;
  }
  insights::Answered answered =
      plan_->answer(rows, more, missing_, [this](size_t bytes) { return memory_.take(bytes); });
  if (!answered.refusal) return std::move(answered.json);
  using Why = insights::Answered::Why;
  if (answered.why == Why::kUnreadable) {
    fault_ = unreadable();
  } else if (answered.why == Why::kNoMemory) {
    fault_ = memory_busy("other requests take the memory that this answer needs: ask again");
  } else {
    const bool is_too_large = answered.why == Why::kTooLarge;
    fault_ = Fault{.code = is_too_large ? "answer_too_large" : "too_many_rows",
                   .detail = path_ + " " + answered.refusal->sentence,
                   .attr = path_};
  }
  return {};
}

void QuestionRun::fail(Fault fault) {
  fault_ = std::move(fault);
  finished_ = true;
}

}  // namespace hogflare
