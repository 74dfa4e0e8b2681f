// What the sink's answers mean, and the breaker that remembers them.
#include <algorithm>

#include "hogflare/delivery.h"
#include "hogflare/json.h"
#include "hogflare/must_wait.h"
#include "hogflare/text.h"

namespace hogflare {
namespace {

// Bytes of an answer that are worth reading; the sink's own is about 50.
constexpr size_t kAnswerBytesMax = 4'096;

// True only for JSON that says so: other sinks may answer anything.
bool says_failure(std::string_view body) {
  if (body.empty() || body.size() > kAnswerBytesMax) return false;
  const Result<json::Document> answer = json::Document::parse_const(body, 1);
  if (!answer.ok() || answer.value().root().kind() != json::Kind::kObject) return false;
  return answer.value().root().find("success").is_false();
}

bool transient_status(uint16_t status) {
  return status == 0 || status == 408 || status == 425 || status == 429 || status >= 500;
}

// Statuses that speak about the address, the credential or the way of sending, not about the rows.
bool configuration_status(uint16_t status) {
  constexpr uint16_t kStatuses[] = {401, 402, 403, 404, 405, 407, 410, 411, 415, 421, 426, 451};
  return status < 400 ||
         std::find(std::begin(kStatuses), std::end(kStatuses), status) != std::end(kStatuses);
}

}  // namespace

SinkVerdict sink_verdict(const EffectResult& result) {
  const uint16_t status = result.http_status;
  if (status >= 200 && status <= 299) {
    return result.ok && !says_failure(result.body) ? SinkVerdict::kDelivered
                                                   : SinkVerdict::kTransient;
  }
  if (transient_status(status)) return SinkVerdict::kTransient;
  if (status == 413) return SinkVerdict::kTooLarge;
  return configuration_status(status) ? SinkVerdict::kMisconfigured : SinkVerdict::kPoison;
}

std::string failure_reason(const EffectResult& result) {
  std::string reason = result.http_status == 0 ? std::string("no answer")
                                               : "status " + std::to_string(result.http_status);
  if (!result.body.empty()) {
    reason += ": ";
    reason += result.body;
  }
  reason.resize(first_bytes(reason, limits::kReasonBytesMax).size());
  return reason;
}

bool SinkHealth::allows(Stream stream, int64_t now_ms) {
  State& state = state_[index_of(stream)];
  if (state.pause_ms == 0) return true;
  constexpr uint32_t kWaitMsMax = std::max(limits::kBreakerPauseMaxMs, limits::kBreakerHangPauseMs);
  if (must_wait(state.probe_at_ms, now_ms, kWaitMsMax)) return false;
  // The next probe does not wait for this one's answer for ever: it may never come.
  state.probe_at_ms = now_ms + std::max(state.pause_ms, limits::kBreakerHangPauseMs);
  state.probing = true;
  return true;
}

void SinkHealth::reopen(State& state, int64_t now_ms) {
  if (!state.probing) return;  // sent before the breaker opened
  state.probing = false;
  state.pause_ms = std::min(state.pause_ms * 2, limits::kBreakerPauseMaxMs);
  state.probe_at_ms = now_ms + state.pause_ms;
}

void SinkHealth::note_hang(Stream stream, int64_t now_ms) {
  State& state = state_[index_of(stream)];
  if (state.pause_ms > 0) return reopen(state, now_ms);
  state.pause_ms = limits::kBreakerHangPauseMs;
  state.probe_at_ms = now_ms + state.pause_ms;
}

void SinkHealth::note(Stream stream, SinkVerdict verdict, int64_t now_ms) {
  State& state = state_[index_of(stream)];
  if (verdict != SinkVerdict::kTransient && verdict != SinkVerdict::kMisconfigured) {
    state = State{};
    return;
  }
  if (state.pause_ms > 0) return reopen(state, now_ms);
  const int64_t age_ms = now_ms - state.first_failure_ms;
  if (age_ms > limits::kBreakerWindowMs || age_ms < 0) state.failures = 0;
  if (state.failures == 0) state.first_failure_ms = now_ms;
  if (++state.failures < limits::kBreakerFailures) return;
  state.pause_ms = limits::kBreakerPauseMs;
  state.probe_at_ms = now_ms + state.pause_ms;
}

}  // namespace hogflare
