// POST /api/projects/{id}/query/: a question in PostHog's query JSON, answered from the lake.
#include <fmt/format.h>

#include <algorithm>

#include "asking_task.h"
#include "hogflare/insights_limits.h"
#include "hogflare/json.h"

namespace hogflare {
namespace {

// PostHog's names for how fresh an answer must be (posthog/hogql_queries/query_runner.py,
// ExecutionMode).
constexpr std::string_view kRefreshes[] = {"blocking",    "force_blocking",
                                           "async",       "force_async",
                                           "force_cache", "async_except_on_cache_miss",
                                           "lazy_async"};

Fault invalid(std::string_view attr, std::string_view sentence) {
  return {.code = "invalid_input",
          .detail = std::string(attr) + " " + std::string(sentence),
          .attr = std::string(attr)};
}

class QueryTask final : public AskingTask {
 public:
  using AskingTask::AskingTask;

 private:
  std::optional<Fault> read(Question& question) override {
    question.path = "query";
    request_ = &question;
    return read_body();
  }

  Reply write(std::string answer) override { return answer_as_asked(head(), std::move(answer)); }

  std::optional<Fault> read_body() {
    if (std::optional<Error> missing = missing_body()) {
      const bool is_busy = missing->code == ErrorCode::kMemoryBusy;
      return Fault{.status = missing->http_status(),
                   .type = is_busy ? "server_error" : "validation_error",
                   .code = std::string(missing->tag()),
                   .detail = missing->detail};
    }
    if (body().size() > limits::kQuestionBodyBytesMax) {
      return Fault{
          .status = 413,
          .code = "too_large",
          .detail = fmt::format("a question may have {} bytes", limits::kQuestionBodyBytesMax)};
    }
    if (!head().content_encoding.empty() && head().content_encoding != "identity") {
      return Fault{.status = 415,
                   .code = "unsupported_encoding",
                   .detail = "send the question's JSON as it is, without Content-Encoding"};
    }
    if (memory().hold(body().size() * limits::kQueryReplyMemoryShare)) {
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
                   .detail =
                       "the body must be JSON such as {\"query\": {\"kind\": "
                       "\"TrendsQuery\", \"series\": []}}"};
    }
    for (const json::Member member : document.value().root().members()) {
      if (std::optional<Fault> refused = read_member(member)) return refused;
    }
    if (request_->query.empty()) return invalid("query", "is missing");
    return std::nullopt;
  }

  std::optional<Fault> read_member(const json::Member& member) {
    const json::Value& value = member.value;
    if (member.key_is("query")) {
      if (!value.is_object()) return invalid("query", "must be an object with a kind");
      request_->query = value.raw();
    } else if (member.key_is("client_query_id")) {
      if (value.is_null()) return std::nullopt;
      if (!value.is_string() || value.raw().size() > limits::kClientQueryIdBytesMax) {
        return invalid("client_query_id", "must be a short text");
      }
      request_->query_id = value.text();
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

  std::optional<Fault> read_refresh(const json::Value& value) {
    request_->must_ask = value.is_true();
    if (value.is_bool() || value.is_null()) return std::nullopt;
    const std::string mode = value.is_string() ? value.text() : std::string();
    request_->must_ask = mode.rfind("force_", 0) == 0 && mode != "force_cache";
    request_->must_not_ask = mode == "force_cache";
    if (std::find(std::begin(kRefreshes), std::end(kRefreshes), mode) == std::end(kRefreshes)) {
      return invalid("refresh",
                     "must be true, false, blocking, force_blocking, force_cache, async "
                     "or another of PostHog's");
    }
    return std::nullopt;
  }

  Question* request_ = nullptr;
};

}  // namespace

std::unique_ptr<Task> make_query_task(CoreState& state, std::unique_ptr<HttpRequest> request) {
  if (request->route.endpoint != RouteKind::kQuery) {
    return make_list_task(state, std::move(request));
  }
  return std::make_unique<QueryTask>(state, std::move(request));
}

}  // namespace hogflare
