// /app/api/live: admits a page's socket, which the host then connects with the project's object.
#include "console_task.h"

namespace hogflare {
namespace {

class LiveTask final : public ConsoleTask {
 public:
  using ConsoleTask::ConsoleTask;

  void start(const Turn& turn, Effects&) override {
    int64_t team_id = 0;
    if (!admit(turn, console::Role::kViewer) || !read_team(team_id)) return;
    if (!has_binding("LIVE")) {
      return refuse(503, "no_live", "bind the Durable Object class LiveDurableObject as LIVE");
    }
    // Browsers send no preflight before a socket, but they say whose page asks.
    if (const auto why = console::refuse_foreign(console())) return refuse(403, "forged", *why);
    if (caller().has_cookie() && console().origin.empty()) {
      return refuse(403, "forged", "a page's socket says its Origin");
    }
    if (console().upgrade != "websocket") {
      return refuse(426, "no_websocket", "connect with a WebSocket");
    }
    const int64_t until_ms = caller().has_cookie() ? caller().expires_at_s * 1000
                                                   : turn.now_ms + limits::kConsoleSessionS * 1000;
    turn.metrics.log.add(LogLevel::kInfo, "console_live", {{"role", name_of(caller().role)}});
    respond({101,
             {{"x-hogflare-live-team", std::to_string(team_id)},
              {"x-hogflare-live-until", std::to_string(until_ms)}},
             ""});
  }
  void resume(const Turn&, EffectResult, Effects&) override {}
};

}  // namespace

std::unique_ptr<Task> make_console_live_task(CoreState& state,
                                             std::unique_ptr<HttpRequest> request) {
  return std::make_unique<LiveTask>(state, std::move(request));
}

}  // namespace hogflare
