// Before every request of the console's API where Cloudflare Access is configured: who asks. The
// keys are read when they are needed, and then the request's own task goes on as if nothing had
// been.
#include "console_task.h"

namespace hogflare {
namespace {

class GateTask final : public ConsoleTask {
 public:
  GateTask(CoreState& state, std::unique_ptr<HttpRequest> request, ConsoleMaker make)
      : ConsoleTask(state, nullptr), request_(std::move(request)), make_(make) {}

  void start(const Turn& turn, Effects& effects) override {
    if (state().access_keys.are_due(turn.now_ms, false)) return read_keys(turn, effects);
    decide(turn, effects);
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    if (inner_ != nullptr) {
      inner_->resume(turn, std::move(result), effects);
      return conclude();
    }
    const bool is_read = result.ok && result.http_status == 200 &&
                         state().access_keys.take(result.body, turn.now_ms);
    if (!is_read) {
      turn.metrics.log.add(
          LogLevel::kWarn, "access_keys_unavailable",
          {{"status", result.http_status}, {"reason", result.ok ? "" : result.body}});
    }
    decide(turn, effects);
  }

 private:
  void read_keys(const Turn& turn, Effects& effects) {
    state().access_keys.note_asked(turn.now_ms);
    effects.add(FetchDocument{console::access_keys_url(turn.config), limits::kAccessKeysTimeoutMs});
  }

  void decide(const Turn& turn, Effects& effects) {
    const std::string_view jwt = request_->console.access_jwt;
    const console::AccessAnswer answer = state().access_keys.verify(turn.config, jwt, turn.now_ms);
    const bool is_unknown = answer.verdict == console::AccessAnswer::Verdict::kUnknownKey;
    if (is_unknown && state().access_keys.are_due(turn.now_ms, true))
      return read_keys(turn, effects);
    if (answer.verdict == console::AccessAnswer::Verdict::kGood) {
      request_->who = answer.who;
      inner_ = make_(state(), std::move(request_));
    } else {
      inner_ = make_console_refusal_task(
          state(), std::move(request_),
          {401, "access_required",
           "Cloudflare Access has not let this request through: " +
               std::string(jwt.empty() ? "its token is missing" : answer.why)});
    }
    inner_->start(turn, effects);
    conclude();
  }

  void conclude() {
    if (inner_->finished()) finish(inner_->reply());
  }

  std::unique_ptr<HttpRequest> request_;
  ConsoleMaker make_;
  std::unique_ptr<Task> inner_;
};

}  // namespace

std::unique_ptr<Task> make_console_gate_task(CoreState& state, std::unique_ptr<HttpRequest> request,
                                             ConsoleMaker make) {
  return std::make_unique<GateTask>(state, std::move(request), make);
}

}  // namespace hogflare
