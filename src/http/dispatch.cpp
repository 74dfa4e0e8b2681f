// Which task a request becomes.
#include "http_task.h"
#include "hogflare/wire.h"

namespace hogflare {
namespace {

// Answers what needs no more than the head: unknown paths, methods, preflights, liveness.
class ImmediateTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn&, Effects&) override { respond(answer()); }
  void resume(const Turn&, EffectResult, Effects&) override {}

  // True when this task is the one to answer.
  bool applies() const {
    return route().endpoint == RouteKind::kNone || route().endpoint == RouteKind::kLiveness ||
           is_preflight() || !method_is_allowed();
  }

  HttpInput release() { return {std::move(head_text()), std::move(body())}; }

 private:
  bool is_preflight() const { return head().method == "OPTIONS"; }

  bool method_is_allowed() const {
    const std::string_view method = head().method;
    const uint8_t bit = method == "GET"    ? kGet
                        : method == "POST" ? kPost
                        : method == "HEAD" ? kHead
                                           : 0;
    return (route().methods & bit) != 0;
  }

  Reply answer() {
    if (route().endpoint == RouteKind::kNone) {
      return error_reply(head(), {ErrorCode::kNotFound, "PostHog's paths are listed in README.md"});
    }
    if (is_preflight()) return options_reply(head());
    if (!method_is_allowed()) {
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
    return methods + "OPTIONS";
  }
};

}  // namespace

std::unique_ptr<Task> make_http_task(CoreState& state, HttpInput input) {
  auto immediate = std::make_unique<ImmediateTask>(state, std::move(input));
  if (immediate->applies()) return immediate;
  switch (immediate->route().metric) {
    case MetricRoute::kCapture:
    case MetricRoute::kCaptureV1:
    case MetricRoute::kReplay:
    case MetricRoute::kAiCapture:
      return make_capture_task(state, immediate->release());
    case MetricRoute::kFlags:
    case MetricRoute::kFlagDefinitions:
    case MetricRoute::kRemoteConfig:
      return make_flags_task(state, immediate->release());
    default:
      return make_operations_task(state, immediate->release());
  }
}

}  // namespace hogflare
