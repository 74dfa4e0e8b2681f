// /app/api/session: signing in and out, and what the page may know once it is.
#include <algorithm>

#include "config/any_token.h"
#include "console_task.h"
#include "hogflare/timestamp.h"
#include "hogflare/version.h"

namespace hogflare {
namespace {

class SessionTask final : public ConsoleTask {
 public:
  using ConsoleTask::ConsoleTask;

  void start(const Turn& turn, Effects&) override {
    if (!console::has_tokens(turn.config)) {
      return refuse(503, "no_token", "set HOGFLARE_ADMIN_TOKEN or HOGFLARE_VIEWER_TOKEN");
    }
    if (is("POST")) return sign_in(turn);
    if (is("DELETE")) return sign_out(turn);
    if (admit(turn, console::Role::kViewer)) answer(200, describe(turn, caller()));
  }
  void resume(const Turn&, EffectResult, Effects&) override {}

 private:
  void sign_in(const Turn& turn) {
    if (const auto why = console::refuse_foreign(console())) return refuse(403, "forged", *why);
    console::Attempts& attempts = state().sign_in_attempts;
    const std::string_view address = head().cf_connecting_ip;
    if (const uint32_t wait_s = attempts.seconds_until_free(address, turn.now_ms); wait_s > 0) {
      return refuse(429, "too_many_attempts", "too many wrong tokens came from this address",
                    {{"retry_after_s", wait_s}});
    }
    ConsoleJson body;
    if (!read_body(body, limits::kSignInBodyBytesMax)) return;
    const auto given = body.find("token");
    const console::Role role = given != body.end() && given->is_string()
                                   ? console::role_of_token(turn.config, given->get<std::string>())
                                   : console::Role::kNobody;
    if (role == console::Role::kNobody) {
      attempts.count_failure(address, turn);
      return refuse(401, "wrong_token", "this is neither the admin's token nor the viewers'");
    }
    const console::NewSession session = console::begin_session(turn.config, role, console(), turn);
    turn.metrics.log.add(LogLevel::kInfo, "console_sign_in",
                         {{"role", name_of(role)}, {"who", request().who}});
    answer(200, describe(turn, session.caller), {{"Set-Cookie", session.set_cookie}});
  }

  void sign_out(const Turn& turn) {
    if (!admit(turn, console::Role::kViewer)) return;
    answer(200, ConsoleJson::object(),
           {{"Set-Cookie", console::end_session(console())}, {"Clear-Site-Data", "\"cache\""}});
  }

  // The tokens of projects stand in their own pages; they are no secrets.
  ConsoleJson projects(const Config& config) const {
    ConsoleJson list = ConsoleJson::array();
    if (config.projects.empty()) {
      const int64_t team = config.default_project.team_id;
      list.push_back({{"team_id", team},
                      {"name", "Project " + std::to_string(team)},
                      {"token_last4", ""},
                      {"token", "phc_hogflare"},
                      {"takes_any_token", true},
                      {"time_zone", config.default_project.timezone}});
    }
    for (const auto& [token, project] : config.projects) {
      const bool takes_any = token == kAnyToken;
      const size_t end = token.size() - std::min<size_t>(4, token.size());
      list.push_back({{"team_id", project.team_id},
                      {"name", "Project " + std::to_string(project.team_id)},
                      {"token_last4", takes_any ? "" : token.substr(end)},
                      {"token", takes_any ? "phc_hogflare" : token},
                      {"takes_any_token", takes_any},
                      {"time_zone", project.timezone}});
    }
    return list;
  }

  ConsoleJson capabilities(const Config& config, console::Role role) {
    const bool has_sql = config.has_sql_engine;
    const bool has_kv = has_binding("FLAGS");
    const bool may_ask_freely = role == console::Role::kAdmin || config.viewer_sql;
    return {{"sql", has_sql},
            {"free_sql", has_sql && may_ask_freely},
            {"flags_kv", has_kv && !config.flags_kv_key.empty()},
            {"documents", has_kv},
            {"recordings", has_sql || has_binding("RECORDINGS")},
            {"live", has_binding("LIVE")},
            {"demo", false}};
  }

  ConsoleJson describe(const Turn& turn, const console::Caller& who) {
    const Config& config = turn.config;
    ConsoleJson body = {{"role", std::string(name_of(who.role))}};
    body["expires_at"] = nullptr;
    if (who.has_cookie()) {
      std::string expires;
      append_rfc3339(expires, who.expires_at_s * 1000);
      body["expires_at"] = std::move(expires);
    }
    body["csrf"] = who.csrf;
    body["who"] = request().who.empty() ? ConsoleJson(nullptr) : ConsoleJson(request().who);
    body["projects"] = projects(config);
    body["time_zone"] = config.default_project.timezone;
    body["version"] = std::string(kVersion);
    body["capabilities"] = capabilities(config, who.role);
    return body;
  }
};

}  // namespace

std::unique_ptr<Task> make_console_session_task(CoreState& state,
                                                std::unique_ptr<HttpRequest> request) {
  return std::make_unique<SessionTask>(state, std::move(request));
}

}  // namespace hogflare
