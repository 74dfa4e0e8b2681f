// Which task a request becomes.
#include "http_task.h"
#include "recording_reading_task.h"
#include "hogflare/wire.h"

namespace hogflare {
namespace {

// An operator's paths have none: no page may call them.
bool is_preflight(const HttpRequest& request) {
  return request.head.method == "OPTIONS" && !is_for_operators(request.route);
}

bool method_is_allowed(const HttpRequest& request) {
  const std::string_view method = request.head.method;
  const uint8_t bit = method == "GET"      ? kGet
                      : method == "POST"   ? kPost
                      : method == "HEAD"   ? kHead
                      : method == "PUT"    ? kPut
                      : method == "DELETE" ? kDelete
                                           : 0;
  return (request.route.methods & bit) != 0;
}

bool needs_only_head(const HttpRequest& request) {
  return request.route.endpoint == RouteKind::kNone ||
         request.route.endpoint == RouteKind::kLiveness || is_preflight(request) ||
         !method_is_allowed(request);
}

// Answers what needs no more than the head: unknown paths, methods, preflights, liveness.
class ImmediateTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn&, Effects&) override { respond(answer()); }
  void resume(const Turn&, EffectResult, Effects&) override {}

 private:
  Reply answer() {
    if (route().endpoint == RouteKind::kNone) {
      return error_reply(head(), {ErrorCode::kNotFound,
                                  "the paths served here are listed in docs/COMPATIBILITY.md"});
    }
    if (is_preflight(request())) return options_reply(head());
    if (!method_is_allowed(request())) {
      Reply reply = error_reply(head(), {ErrorCode::kMethodNotAllowed, allowed_methods()});
      reply.headers.push_back({"Allow", allowed_methods()});
      return reply;
    }
    return {200, {{"Content-Type", "text/plain"}}, "hogflare"};
  }

  std::string allowed_methods() const {
    std::string methods;
    if (route().methods & kGet) methods += "GET, ";
    if (route().methods & kHead) methods += "HEAD, ";
    if (route().methods & kPost) methods += "POST, ";
    if (route().methods & kPut) methods += "PUT, ";
    if (route().methods & kDelete) methods += "DELETE, ";
    if (!is_for_operators(route())) return methods + "OPTIONS";
    return methods.substr(0, methods.size() - 2);
  }
};

}  // namespace

std::unique_ptr<Task> make_http_task(CoreState& state, HttpInput input) {
  std::unique_ptr<HttpRequest> request = read_request(state.config, std::move(input));
  const RouteKind endpoint = request->route.endpoint;
  if (needs_only_head(*request)) return std::make_unique<ImmediateTask>(state, std::move(request));
  if (endpoint == RouteKind::kConsole || endpoint == RouteKind::kFront) {
    return make_console_task(state, std::move(request));
  }
  switch (endpoint) {
    case RouteKind::kQuery:
      return request->route.argument.empty() ? make_mcp_task(state, std::move(request))
                                             : make_query_task(state, std::move(request));
    case RouteKind::kRecordingSnapshots:
      return make_recording_reading_task(state, std::move(request));
    case RouteKind::kRecordingRemoval:
    case RouteKind::kRecordingsRemoval:
      return make_recordings_task(state, std::move(request));
    case RouteKind::kSymbolsStart:
    case RouteKind::kSymbolsFinish:
    case RouteKind::kSymbolsUpload:
    case RouteKind::kSymbolSets:
    case RouteKind::kSymbolSet:
    case RouteKind::kSymbolDownload:
    case RouteKind::kSymbolContent:
    case RouteKind::kReleases:
    case RouteKind::kReleaseByHash:
      return make_symbols_task(state, std::move(request));
    default:
      break;
  }
  switch (request->route.metric) {
    case MetricRoute::kCapture:
    case MetricRoute::kCaptureV1:
    case MetricRoute::kReplay:
    case MetricRoute::kAiCapture:
      return make_capture_task(state, std::move(request));
    case MetricRoute::kFlags:
    case MetricRoute::kFlagDefinitions:
      return make_flags_task(state, std::move(request));
    case MetricRoute::kRemoteConfig:
      return make_project_task(state, std::move(request));
    case MetricRoute::kQuery:
      return make_query_task(state, std::move(request));
    default:
      return make_operations_task(state, std::move(request));
  }
}

}  // namespace hogflare
