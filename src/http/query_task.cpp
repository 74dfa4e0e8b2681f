// POST /api/projects/{id}/query/: a question in PostHog's query JSON, answered from the lake.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "asking.h"
#include "hogflare/insights_limits.h"
#include "hogflare/json.h"
#include "hogflare/timestamp.h"
#include "http_task.h"
#include "question_run.h"

namespace hogflare {
namespace {

using Json = nlohmann::json;

// PostHog's names for how fresh an answer must be (posthog/hogql_queries/query_runner.py, ExecutionMode).
constexpr std::string_view kRefreshes[] = {
    "blocking",    "force_blocking",            "async",      "force_async",
    "force_cache", "async_except_on_cache_miss", "lazy_async"};

Fault invalid(std::string_view attr, std::string_view sentence) {
  return {.code = "invalid_input",
          .detail = std::string(attr) + " " + std::string(sentence),
          .attr = std::string(attr)};
}

// A request's body, read.
struct Request {
  std::string query;      // JSON
  std::string query_id;   // the client's own name for it
};

class QueryTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects& effects) override {
    if (std::optional<Fault> refused = begin(turn, effects)) return respond(fault_reply(*refused));
    conclude(turn);
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    if (finished() || !run_.owns(result.id)) return;
    run_.resume(turn, std::move(result), effects);
    conclude(turn);
  }

 private:
  std::optional<Fault> begin(const Turn& turn, Effects& effects) {
    const Config& config = state().config;
    if (std::optional<Fault> refused = refuse_asking(config, request(), turn.now_ms)) return refused;
    project_ = asked_project(config, route().argument);
    if (project_ == nullptr) {
      return Fault{.status = 404,
                   .type = "invalid_request",
                   .code = "not_found",
                   .detail = "this deployment has no project with that id"};
    }
    if (std::optional<Fault> refused = read_body()) return refused;
    insights::Asked asked = insights::ask({.project = planner_project(config, *project_, turn.now_ms),
                                           .question = request_.query,
                                           .dialect = insights::Dialect::kBasin,
                                           .zones = config.zones});
    if (asked.refusal) return fault_of(*asked.refusal, "query");
    if (asked.plan->is_free_sql() && !may_ask(config, request(), turn.now_ms).may_sql) {
      return Fault{.status = 403,
                   .type = "authentication_error",
                   .code = "permission_denied",
                   .detail = "a viewer may not ask SQL; HOGFLARE_VIEWER_SQL=on allows it",
                   .attr = "query.kind"};
    }
    run_.start(turn, std::move(*asked.plan), "query", effects);
    return std::nullopt;
  }

  std::optional<Fault> read_body() {
    if (std::optional<Error> missing = missing_body()) {
      const bool is_busy = missing->code == ErrorCode::kMemoryBusy;
      return Fault{.status = missing->http_status(),
                   .type = is_busy ? "server_error" : "validation_error",
                   .code = std::string(missing->tag()),
                   .detail = missing->detail};
    }
    if (body().size() > limits::kQuestionBodyBytesMax) {
      return Fault{.status = 413,
                   .code = "too_large",
                   .detail = fmt::format("a question may have {} bytes",
                                         limits::kQuestionBodyBytesMax)};
    }
    if (!head().content_encoding.empty() && head().content_encoding != "identity") {
      return Fault{.status = 415,
                   .code = "unsupported_encoding",
                   .detail = "send the question's JSON as it is, without Content-Encoding"};
    }
    if (memory_.hold(body().size() * limits::kQueryReplyMemoryShare)) {
      return Fault{.status = 503,
                   .type = "server_error",
                   .code = "memory_busy",
                   .detail = "other requests take the memory that this one needs: ask again",
                   .retry_after_s = 1};
    }
    return read_members();
  }

  std::optional<Fault> read_members() {
    const auto document = json::Document::parse_const(body(), 2);
    if (!document.ok() || !document.value().root().is_object()) {
      return Fault{.code = "parse_error",
                   .detail = "the body must be JSON such as {\"query\": {\"kind\": "
                             "\"TrendsQuery\", \"series\": []}}"};
    }
    for (const json::Member member : document.value().root().members()) {
      if (std::optional<Fault> refused = read_member(member)) return refused;
    }
    if (request_.query.empty()) return invalid("query", "is missing");
    return std::nullopt;
  }

  std::optional<Fault> read_member(const json::Member& member) {
    const json::Value& value = member.value;
    if (member.key_is("query")) {
      if (!value.is_object()) return invalid("query", "must be an object with a kind");
      request_.query = value.raw();
    } else if (member.key_is("client_query_id")) {
      if (value.is_null()) return std::nullopt;
      if (!value.is_string() || value.raw().size() > limits::kClientQueryIdBytesMax) {
        return invalid("client_query_id", "must be a short text");
      }
      request_.query_id = value.text();
    } else if (member.key_is("refresh")) {
      return read_refresh(value);
    } else if (member.key_is("async")) {
      if (value.is_true()) return invalid("async", "is not done here: every answer waits");
    } else if (!member.key_is("name") && !value.is_null()) {
      return invalid(member.key().substr(0, 100),
                     "is not known here; there are query, refresh, client_query_id and name");
    }
    return std::nullopt;
  }

  static std::optional<Fault> read_refresh(const json::Value& value) {
    if (value.is_bool() || value.is_null()) return std::nullopt;
    const std::string mode = value.is_string() ? value.text() : std::string();
    if (std::find(std::begin(kRefreshes), std::end(kRefreshes), mode) == std::end(kRefreshes)) {
      return invalid("refresh", "must be true, false, blocking, force_blocking, force_cache, async "
                                "or another of PostHog's");
    }
    return std::nullopt;
  }

  void conclude(const Turn& turn) {
    if (!run_.finished()) return;
    if (run_.fault()) return respond(fault_reply(*run_.fault()));
    std::string answer = run_.answer(envelope(turn).dump(-1, ' ', false,
                                                         Json::error_handler_t::replace));
    if (run_.fault()) return respond(fault_reply(*run_.fault()));
    respond(json_answer(std::move(answer)));
  }

  // What stands beside the planner's answer.
  Json envelope(const Turn& turn) const {
    std::string as_of;
    append_rfc3339(as_of, run_.cost().began_at_ms);
    Json sql = Json::array();
    for (const insights::Statement& statement : run_.plan().statements) sql.push_back(statement.sql);
    Json more = {
        {"is_cached", false},
        {"query_status",
         {{"id", request_.query_id.empty() ? Json() : Json(request_.query_id)},
          {"team_id", project_->team_id},
          {"query_async", false},
          {"complete", true},
          {"error", false},
          {"error_message", nullptr}}},
        {"hogflare",
         {{"bytes_scanned", run_.cost().bytes_scanned},
          {"duration_ms", turn.now_ms - run_.cost().began_at_ms},
          {"as_of", as_of},
          {"data_until", nullptr},
          {"sql", std::move(sql)},
          {"warnings", Json::array()}}}};
    if (!run_.columns().empty()) {
      more["columns"] = Json::parse(run_.columns(), nullptr, false);
      more["types"] = Json::parse(run_.types(), nullptr, false);
    }
    return more;
  }

  const Project* project_ = nullptr;
  Request request_;
  MemoryShare memory_{state().request_memory_bytes};
  QuestionRun run_{memory_};
};

}  // namespace

std::unique_ptr<Task> make_query_task(CoreState& state, std::unique_ptr<HttpRequest> request) {
  return std::make_unique<QueryTask>(state, std::move(request));
}

}  // namespace hogflare
