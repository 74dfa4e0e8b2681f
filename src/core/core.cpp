#include "hogflare/core.h"

#include "http/state.h"
#include "http/http_task.h"
#include "hogflare/cookieless.h"
#include "hogflare/group_calls.h"
#include "hogflare/must_wait.h"
#include "hogflare/outbox.h"
#include "hogflare/person_object.h"

namespace hogflare {
namespace {

// A class that has no alarm got one: nothing to do, and nothing to retry.
class IdleTask final : public Task {
 public:
  void start(const Turn&, Effects&) override { finish({}); }
  void resume(const Turn&, EffectResult, Effects&) override {}
};

std::unique_ptr<Task> make_call(ObjectInput input) {
  switch (input.object_class) {
    case ObjectClass::kPerson:
      return make_person_call(std::move(input.request));
    case ObjectClass::kGroup:
      return make_group_call(std::move(input.request));
    case ObjectClass::kPersonIdCounter:
      return make_counter_call(std::move(input.request));
    case ObjectClass::kOutbox:
      return make_outbox_call(std::move(input.request));
    case ObjectClass::kCookieless:
      return make_cookieless_call(std::move(input.request));
    case ObjectClass::kLive:
      break;  // the host's own class: the core is not called for it
  }
  return std::make_unique<IdleTask>();
}

std::unique_ptr<Task> make_alarm(ObjectClass object_class, CoreState& state) {
  switch (object_class) {
    case ObjectClass::kPerson:
      return make_person_alarm(&state.sink_health);
    case ObjectClass::kOutbox:
      return make_outbox_alarm();
    case ObjectClass::kCookieless:
      return make_cookieless_alarm();
    default:
      return std::make_unique<IdleTask>();
  }
}

}  // namespace

Core::Core(std::string_view host_json, Decompressor& decompressor, ZoneHost& zones)
    : state_(std::make_unique<CoreState>(host_json, decompressor, zones)) {
  // /healthz tells them to who has the admin token; the log tells them where none is set.
  for (const Config::Problem& problem : state_->config.problems) {
    state_->metrics.log.add(problem.fatal ? LogLevel::kError : LogLevel::kWarn,
                            "configuration_problem", {{"message", problem.message}});
  }
}
Core::~Core() = default;

std::unique_ptr<Task> Core::http(HttpInput input) {
  return make_http_task(*state_, std::move(input));
}

std::unique_ptr<Task> Core::object(ObjectInput input) {
  if (input.entry == ObjectEntry::kAlarm) return make_alarm(input.object_class, *state_);
  return make_call(std::move(input));
}

const Config& Core::config() const { return state_->config; }

size_t Core::body_bytes_left() const {
  const size_t held = state_->request_memory_bytes;
  return limits::kRequestMemoryBytesMax - std::min(held, limits::kRequestMemoryBytesMax);
}

Turn Core::turn(int64_t now_ms, Entropy& entropy, Storage* storage) {
  if (state_->isolate.empty()) state_->isolate = std::to_string(entropy.next());
  return {now_ms, entropy, state_->config, state_->metrics, storage};
}

std::string Core::take_log() {
  std::string lines;
  if (state_->metrics.log.empty()) return lines;
  for (const LogEntry& entry : state_->metrics.log.take()) {
    lines += entry.line;
    lines += '\n';
  }
  return lines;
}

Metrics& Core::metrics() { return state_->metrics; }

std::string Core::take_points(int64_t now_ms) {
  if (!state_->has_analytics) return {};
  if (must_wait(state_->points_due_at_ms, now_ms, limits::kPointsIntervalMs)) return {};
  state_->points_due_at_ms = now_ms + limits::kPointsIntervalMs;
  const std::vector<MetricPoint> points = state_->metrics_delta.take(state_->metrics);
  return points.empty() ? std::string() : write_points(points);
}

void Core::set_trap_count(uint64_t traps) { state_->metrics.traps = traps; }

}  // namespace hogflare
