// POST /api/projects/{id}/query/: a question in PostHog's query JSON, answered from the lake.
// POST /api/projects/{id}/query/estimate/: what answering it would have the engine read.
// POST /api/projects/{id}/query/batch/: several, each answered as if it had come alone.
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
    question.must_estimate = route().endpoint == RouteKind::kQueryEstimate;
    request_ = &question;
    return read_body();
  }

  Reply write(std::string answer) override {
    return answer_as_asked(head(), std::move(answer), memory());
  }

  std::optional<Fault> read_body() {
    if (std::optional<Fault> refused = refuse_question_body(*this, body().size())) return refused;
    if (memory().hold(body().size() * limits::kQueryReplyMemoryShare)) {
      return memory_busy("other requests take the memory that this one needs: ask again");
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
    } else if (member.key_is("partial")) {
      if (!value.is_bool() && !value.is_null()) return invalid("partial", "must be true or false");
      request_->must_be_whole = value.is_false();
    } else if (member.key_is("async")) {
      if (value.is_true()) return invalid("async", "is not done here: every answer waits");
    } else if (!member.key_is("name") && !value.is_null()) {
      return invalid(
          member.key().substr(0, 100),
          "is not known here; there are query, refresh, partial, client_query_id and name");
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

// Looks at what all questions share and hands their requests back to the host, which runs each by
// itself, a few at a time, and streams the answers as they come (js-shim/batch.js).
class QueryBatchTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects&) override {
    std::string requests;
    if (std::optional<Fault> refused = read(turn, requests)) return respond(fault_reply(*refused));
    respond({207,
             {{"Content-Type", "application/x-ndjson"}, {"Cache-Control", "no-store"}},
             std::move(requests)});
  }
  void resume(const Turn&, EffectResult, Effects&) override {}

 private:
  std::optional<Fault> read(const Turn& turn, std::string& requests) {
    if (std::optional<Fault> refused = refuse_asking(turn.config, request(), turn.now_ms)) {
      return refused;
    }
    if (asked_project(turn.config, route().argument) == nullptr) return no_project();
    if (std::optional<Fault> refused = refuse_question_body(*this, body().size())) return refused;
    MemoryShare memory(state().request_memory_bytes);
    if (memory.hold(body().size() * limits::kQueryReplyMemoryShare)) {
      return memory_busy("other requests take the memory that this one needs: ask again");
    }
    return read_queries(requests);
  }

  // The requests' bodies, each ended by a NUL, which no JSON has.
  std::optional<Fault> read_queries(std::string& requests) {
    const auto document = json::Document::parse_const(body(), 2);
    const bool is_object = document.ok() && document.value().root().is_object() &&
                           body().find('\0') == std::string::npos;
    const json::Value queries = is_object ? document.value().root().find("queries") : json::Value();
    if (!queries.exists() || !queries.is_array()) {
      return Fault{.code = "parse_error",
                   .detail =
                       "the body must be JSON such as {\"queries\": [{\"query\": {\"kind\": "
                       "\"TrendsQuery\", \"series\": []}}]}"};
    }
    for (const json::Member member : document.value().root().members()) {
      if (member.key_is("queries")) continue;
      return invalid(member.key().substr(0, 100),
                     "is not known here: refresh and the like stand beside each query");
    }
    size_t count = 0;
    for (const json::Value one : queries.elements()) {
      if (!one.is_object()) {
        return invalid("queries." + std::to_string(count), "must be an object with a query");
      }
      requests.append(one.raw()).push_back('\0');
      ++count;
    }
    if (count > 0 && count <= limits::kBatchQuestionsMax) return std::nullopt;
    return invalid("queries", "must have 1 to " + std::to_string(limits::kBatchQuestionsMax) +
                                  " members; it has " + std::to_string(count));
  }
};

}  // namespace

std::unique_ptr<Task> make_query_task(CoreState& state, std::unique_ptr<HttpRequest> request) {
  if (request->route.endpoint == RouteKind::kQueryBatch) {
    return std::make_unique<QueryBatchTask>(state, std::move(request));
  }
  if (request->route.endpoint == RouteKind::kQuery ||
      request->route.endpoint == RouteKind::kQueryEstimate) {
    return std::make_unique<QueryTask>(state, std::move(request));
  }
  return make_list_task(state, std::move(request));
}

}  // namespace hogflare
