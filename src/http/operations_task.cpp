// /healthz, /metrics and /admin: what an operator looks at.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "asking.h"
#include "health.h"
#include "http_task.h"
#include "hogflare/must_wait.h"
#include "hogflare/outbox.h"
#include "hogflare/url.h"
#include "hogflare/version.h"
#include "hogflare/whole_number.h"
#include "hogflare/wire.h"
#include "json/dom.h"

namespace hogflare {
namespace {

using Json = nlohmann::ordered_json;

Json health_of_config(const Config& config) {
  Json bindings = Json::object();
  for (const std::string_view name : config_bindings()) {
    bindings[std::string(name)] =
        std::find(config.bindings.begin(), config.bindings.end(), name) != config.bindings.end();
  }
  static constexpr const char* kSinkNames[] = {"none", "http", "binding"};
  Json sinks = Json::object();
  for (int i = 0; i < kStreamCount; ++i) {
    sinks[std::string(name_of(static_cast<Stream>(i)))] =
        kSinkNames[static_cast<int>(config.sink(i))];
  }
  return {{"bindings", std::move(bindings)},
          {"variables_set", config.variables},
          {"sinks", std::move(sinks)},
          {"projects", config.projects.size()}};
}

// The figures without the sinks' own words, which /admin/outbox has.
Json figures_of(const OutboxStats& stats) {
  Json figures = json::dom_of<Json>(write_outbox_stats(stats));
  if (!figures.is_object()) return Json::object();
  for (Json& stream : figures["streams"]) stream.erase("last_reason");
  return figures;
}

class OperationsTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects& effects) override {
    const RouteKind kind = route().endpoint;
    if (kind != RouteKind::kHealth) {
      if (state().config.admin_token.empty()) {
        return respond(error_reply(
            head(), {ErrorCode::kNotFound, "set HOGFLARE_ADMIN_TOKEN to use this path"}));
      }
      if (!bears(head(), state().config.admin_token)) {
        return respond(error_reply(head(), {ErrorCode::kUnauthorized,
                                            "send Authorization: Bearer <HOGFLARE_ADMIN_TOKEN>"}));
      }
    }
    if (kind == RouteKind::kHealth || kind == RouteKind::kMetrics) {
      // A fresh isolate must not call flags missing that nobody has asked for yet.
      if (kind == RouteKind::kHealth && state().flags.kv_is_due(turn.now_ms)) {
        kv_effect_ = effects.add(ReadKv{turn.config.flags_kv_key});
      }
      has_stats_ = kind == RouteKind::kHealth && has_fresh_stats(turn);
      if (!has_stats_) {
        state().outbox_stats_asked_at_ms = turn.now_ms;
        stats_.start(turn, effects);
      }
      return conclude(turn);
    }
    start_admin(turn, effects);
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    if (admin_ != nullptr) {
      admin_->resume(turn, std::move(result), effects);
      return conclude(turn);
    }
    if (kv_effect_ != 0 && result.id == kv_effect_) {
      kv_effect_ = 0;
      state().flags.take_kv(result, turn.now_ms);
    } else if (stats_.owns(result.id)) {
      stats_.resume(turn, std::move(result), effects);
    }
    conclude(turn);
  }

 private:
  void start_admin(const Turn& turn, Effects& effects) {
    AdminQuery query;
    query.shard = whole_number<uint32_t>(form_value(head().query, "shard").value_or(""));
    query.after = form_value(head().query, "after").value_or("");
    admin_ = make_admin_task(admin_kind(), std::move(query));
    admin_->start(turn, effects);
    conclude(turn);
  }

  AdminKind admin_kind() const {
    switch (route().endpoint) {
      case RouteKind::kAdminDrain:
        return AdminKind::kDrain;
      case RouteKind::kAdminQuarantine:
        return AdminKind::kQuarantine;
      case RouteKind::kAdminRedrive:
        return AdminKind::kRedriveQuarantine;
      default:
        return AdminKind::kOutbox;
    }
  }

  void conclude(const Turn& turn) {
    if (finished()) return;
    if (admin_ != nullptr) {
      if (admin_->finished()) respond(admin_->reply());
      return;
    }
    if (kv_effect_ != 0 || (!has_stats_ && !stats_.finished())) return;
    if (!has_stats_) {
      state().outbox_stats = stats_.stats();
      state().outbox_stats_at_ms = turn.now_ms;
      state().outbox_stats_asked_at_ms = 0;
    }
    if (route().endpoint == RouteKind::kHealth) return respond(health());
    respond({200,
             {{"Content-Type", std::string(kPrometheusContentType)}},
             write_prometheus(state().metrics, stats_.stats(), state().isolate)});
  }

  // Those of a moment ago, and while somebody asks those of before: anybody may come, and outboxes
  // that hang must not be asked ever more.
  bool has_fresh_stats(const Turn& turn) {
    const int64_t at_ms = state().outbox_stats_at_ms;
    if (must_wait(at_ms + limits::kHealthAgeMs, turn.now_ms, limits::kHealthAgeMs)) return true;
    const int64_t asked_ms = state().outbox_stats_asked_at_ms;
    constexpr int64_t kAnswerMsMax = 2 * int64_t{limits::kObjectTimeoutMs};
    return at_ms != 0 && asked_ms != 0 &&
           must_wait(asked_ms + kAnswerMsMax, turn.now_ms, kAnswerMsMax);
  }

  Reply health() {
    const Config& config = state().config;
    Json problems = Json::array();
    for (const Config::Problem& problem : config.problems) {
      problems.push_back({{"fatal", problem.fatal}, {"message", problem.message}});
    }
    for (const std::string& problem : state().flags.problems()) {
      problems.push_back({{"fatal", false}, {"message", problem}});
    }
    for (std::string& problem : state().cohort_lists.problems()) {
      problems.push_back({{"fatal", false}, {"message", std::move(problem)}});
    }
    for (std::string& problem : problems_of_outbox(state().outbox_stats)) {
      problems.push_back({{"fatal", false}, {"message", std::move(problem)}});
    }
    const bool fatal = config.has_fatal_problem();
    Json health = {
        {"status", fatal              ? "error"
                   : problems.empty() ? "ok"
                                      : "degraded"},
        {"version", kVersion},
    };
    // Anybody may ask; values of mis-set variables, tokens and depths are the operator's.
    if (bears(head(), config.admin_token)) {
      health["problems"] = std::move(problems);
      health["configuration"] = health_of_config(config);
      health["flags"] = json::dom_of<Json>(state().flags.describe());
      health["outbox"] = figures_of(state().outbox_stats);
      health["traps"] = state().metrics.traps;
    }
    return {static_cast<uint16_t>(fatal ? 503 : 200),
            {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
            json::indented_text_of(health) + "\n"};
  }

  uint32_t kv_effect_ = 0;  // 0: none under way
  bool has_stats_ = false;  // those of a moment ago serve
  OutboxStatsRun stats_;
  std::unique_ptr<Task> admin_;
};

}  // namespace

std::unique_ptr<Task> make_operations_task(CoreState& state, std::unique_ptr<HttpRequest> request) {
  return std::make_unique<OperationsTask>(state, std::move(request));
}

}  // namespace hogflare
