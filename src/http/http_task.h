// What every HTTP request's task shares: the parsed head, CORS on every answer, counting.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "console/session.h"
#include "http/state.h"
#include "hogflare/request.h"
#include "hogflare/routes.h"
#include "hogflare/task.h"

namespace hogflare {

// A request whose head has been read. The head's views point into `input`, so it stays where it is.
struct HttpRequest {
  HttpInput input;
  RequestHead head;
  // As the client wrote it: links in answers begin with head.own_origin and this.
  std::string_view url_path;
  ConsoleHead console;
  // Team ids of projects that somebody looks at, with commas between; empty nearly always. Of a
  // capture request.
  std::string_view watched;
  // Who Cloudflare Access says asks; empty where it is not asked.
  std::string who;
  std::string_view mcp_protocol_version;  // the header; of the paths that have a ConsoleHead
  // As whom a task asks that makes this request itself and has looked at the caller's rights
  // (mcp_task.cpp); nobody: the request's own credential says it.
  console::Role vouched_for = console::Role::kNobody;
  Route route;
  // The path that an alias stands for; head.path points here then.
  std::string path;
  // The shim did not read the body: it is over every limit.
  bool body_is_too_large = false;
  // The shim did not bring the body over: other requests take the memory.
  bool body_is_kept_out = false;
};

std::unique_ptr<HttpRequest> read_request(const Config& config, HttpInput input);

class HttpTask : public Task {
 public:
  HttpTask(CoreState& state, std::unique_ptr<HttpRequest> request)
      : state_(state), request_(std::move(request)) {}

  const RequestHead& head() const { return request_->head; }
  const Route& route() const { return request_->route; }
  // Why the shim has not brought the body over.
  std::optional<Error> missing_body() const {
    if (request_->body_is_too_large) {
      return Error(ErrorCode::kTooLarge, "the body is over this path's limit");
    }
    if (!request_->body_is_kept_out) return std::nullopt;
    return Error(ErrorCode::kMemoryBusy,
                 "other requests take the memory this one needs; nothing was stored");
  }

 protected:
  // Why no request can be answered while the configuration cannot be used: whose events, people and
  // flags these are is not known.
  std::optional<Error> refuse_unusable() const {
    if (!state_.config.has_fatal_problem()) return std::nullopt;
    return Error(ErrorCode::kSinkUnavailable,
                 "this deployment's configuration is not usable; see /healthz");
  }
  // Ends the task: adds the CORS headers that `reply` lacks and counts it.
  void respond(Reply reply);
  CoreState& state() { return state_; }
  const HttpRequest& request() const { return *request_; }
  std::string& body() { return request_->input.body; }

 private:
  CoreState& state_;
  std::unique_ptr<HttpRequest> request_;
};

// Paths of an operator and of those who may read the data: no other site's page has business with
// them.
inline bool is_for_operators(const Route& route) {
  return route.metric == MetricRoute::kAdmin || route.metric == MetricRoute::kQuery;
}

// Makes the task of the request's route.
std::unique_ptr<Task> make_http_task(CoreState& state, HttpInput input);

// One maker per kind of route; each takes over the request.
std::unique_ptr<Task> make_capture_task(CoreState& state, std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_flags_task(CoreState& state, std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_project_task(CoreState& state, std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_query_task(CoreState& state, std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_mcp_task(CoreState& state, std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_list_task(CoreState& state, std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_operations_task(CoreState& state, std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_recordings_task(CoreState& state, std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_symbols_task(CoreState& state, std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_console_task(CoreState& state, std::unique_ptr<HttpRequest> request);

}  // namespace hogflare
