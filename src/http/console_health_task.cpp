// /app/api/health: whether anything is being lost, and what an operator can do about it.

#include "console_task.h"
#include "health.h"
#include "hogflare/outbox.h"
#include "hogflare/url.h"
#include "hogflare/version.h"
#include "hogflare/whole_number.h"
#include "json/dom.h"

namespace hogflare {
namespace {

constexpr std::string_view kSinkKinds[] = {"none", "http", "binding"};

class HealthTask final : public ConsoleTask {
 public:
  using ConsoleTask::ConsoleTask;

  void start(const Turn& turn, Effects& effects) override {
    if (!admit(turn, console::Role::kViewer)) return;
    if (state().flags.kv_is_due(turn.now_ms)) {
      kv_effect_ = effects.add(ReadKv{turn.config.flags_kv_key});
    }
    stats_.start(turn, effects);
    conclude(turn);
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    if (kv_effect_ != 0 && result.id == kv_effect_) {
      kv_effect_ = 0;
      state().flags.take_kv(result, turn.now_ms);
    } else if (stats_.owns(result.id)) {
      stats_.resume(turn, std::move(result), effects);
    }
    conclude(turn);
  }

 private:
  void conclude(const Turn& turn) {
    if (kv_effect_ != 0 || !stats_.finished()) return;
    state().outbox_stats = stats_.stats();
    state().outbox_stats_at_ms = turn.now_ms;
    const Config& config = turn.config;
    ConsoleJson found = problems(config);
    const bool is_fatal = config.has_fatal_problem();
    ConsoleJson body = {{"status", is_fatal        ? "error"
                                   : found.empty() ? "ok"
                                                   : "degraded"},
                        {"version", std::string(kVersion)}};
    body["sinks"] = sinks(config);
    body["outbox"] = outbox();
    body["quarantine"] = {{"rows", stats_.stats().quarantine_rows},
                          {"bytes", stats_.stats().quarantine_bytes}};
    body["problems"] = std::move(found);
    body["counts"] = counts(turn.metrics);
    body["flags"] = json::dom_of<ConsoleJson>(state().flags.describe());
    body["traps"] = turn.metrics.traps;
    body["bindings"] = config.bindings;
    body["variables_set"] = config.variables;
    answer(200, body);
  }

  static void add_problem(ConsoleJson& list, std::string_view severity, std::string_view code,
                          const std::string& sentence) {
    list.push_back({{"severity", severity}, {"code", code}, {"sentence", sentence}});
  }

  ConsoleJson problems(const Config& config) {
    ConsoleJson list = ConsoleJson::array();
    for (const Config::Problem& problem : config.problems) {
      add_problem(list, problem.fatal ? "error" : "warning", "configuration", problem.message);
    }
    for (const std::string& problem : state().flags.problems()) {
      add_problem(list, "warning", "flags", problem);
    }
    for (const std::string& problem : state().cohort_lists.problems()) {
      add_problem(list, "warning", "cohorts", problem);
    }
    for (const std::string& problem : problems_of_outbox(stats_.stats())) {
      add_problem(list, "warning", "outbox", problem);
    }
    return list;
  }

  ConsoleJson sinks(const Config& config) const {
    ConsoleJson list = ConsoleJson::array();
    for (int i = 0; i < kStreamCount; ++i) {
      const OutboxStreamStats& waiting = stats_.stats().streams[static_cast<size_t>(i)];
      list.push_back({{"stream", name_of(static_cast<Stream>(i))},
                      {"kind", kSinkKinds[static_cast<int>(config.sink(i))]},
                      {"waiting_rows", waiting.rows},
                      {"failures", waiting.failures},
                      {"last_status", waiting.last_status},
                      {"last_reason", waiting.last_reason},
                      {"retry_in_s", seconds_to(waiting.retry_at_ms)}});
    }
    return list;
  }

  // Null: nothing is tried again.
  ConsoleJson seconds_to(int64_t at_ms) const {
    if (at_ms == 0) return nullptr;
    return std::max<int64_t>(0, (at_ms - stats_.stats().now_ms) / 1000);
  }

  ConsoleJson outbox() const {
    const OutboxStats& stats = stats_.stats();
    return {{"rows", stats.rows()},
            {"bytes", stats.bytes()},
            {"bytes_max", stats.bytes_max},
            {"oldest_s", stats.oldest_age_ms() / 1000},
            {"shards_failed", stats.shards_failed}};
  }

  // What waits and what is quarantined stands in objects and is everybody's; the rest is what this
  // isolate has counted since it began.
  ConsoleJson counts(const Metrics& metrics) const {
    uint64_t rejected = 0;
    ConsoleJson reasons = ConsoleJson::object();
    for (size_t i = 0; i < metrics.events_rejected.size(); ++i) {
      if (metrics.events_rejected[i] == 0) continue;
      rejected += metrics.events_rejected[i];
      reasons[std::string(error_info(static_cast<ErrorCode>(i)).tag)] = metrics.events_rejected[i];
    }
    const size_t events = index_of(Stream::kEvents);
    return {{"of", "this_isolate"},
            {"accepted", metrics.events_accepted},
            {"landed", metrics.rows_delivered[events]},
            {"to_outbox", metrics.rows_to_outbox[events]},
            {"waiting", stats_.stats().streams[events].rows},
            {"rejected", rejected},
            {"quarantined", stats_.stats().quarantine_rows},
            {"failed", metrics.rows_failed[events]},
            {"rejected_by_reason", std::move(reasons)}};
  }

  uint32_t kv_effect_ = 0;  // 0: none under way
  OutboxStatsRun stats_;
};

// POST health/drain, POST health/redrive, GET health/quarantine: as /admin's.
class HealthActionTask final : public ConsoleTask {
 public:
  using ConsoleTask::ConsoleTask;

  void start(const Turn& turn, Effects& effects) override {
    // Rows that a sink refused are shown to whoever may send them again.
    if (!admit(turn, console::Role::kAdmin)) return;
    const bool looks = path() == "health/quarantine";
    if (!looks) {
      turn.metrics.log.add(LogLevel::kInfo, "console_change",
                           {{"what", path()}, {"who", caller_text()}});
    }
    AdminQuery query;
    query.shard = whole_number<uint32_t>(form_value(head().query, "shard").value_or(""));
    query.after = form_value(head().query, "after").value_or("");
    admin_ = make_admin_task(looks                      ? AdminKind::kQuarantine
                             : path() == "health/drain" ? AdminKind::kDrain
                                                        : AdminKind::kRedriveQuarantine,
                             std::move(query));
    admin_->start(turn, effects);
    conclude();
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    admin_->resume(turn, std::move(result), effects);
    conclude();
  }

 private:
  void conclude() {
    if (!finished() && admin_->finished()) respond(admin_->reply());
  }

  std::unique_ptr<Task> admin_;
};

}  // namespace

std::unique_ptr<Task> make_console_health_task(CoreState& state,
                                               std::unique_ptr<HttpRequest> request) {
  return std::make_unique<HealthTask>(state, std::move(request));
}

std::unique_ptr<Task> make_console_health_action_task(CoreState& state,
                                                      std::unique_ptr<HttpRequest> request) {
  return std::make_unique<HealthActionTask>(state, std::move(request));
}

}  // namespace hogflare
