#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include "config/checks.h"
#include "hogflare/config.h"
#include "hogflare/core.h"
#include "hogflare/limits.h"
#include "hogflare/routes.h"
#include "hogflare/signature.h"
#include "tests/no_decompressor.h"
#include "tests/table_zones.h"

namespace hogflare {
namespace {

using Vars = nlohmann::json;

const char* const kBindings[] = {"PERSONS", "PERSON_ID_COUNTER", "GROUPS",
                                 "OUTBOX",  "COOKIELESS",        "EVENTS_STREAM"};

std::string host_of(const Vars& vars) {
  return Vars{{"vars", vars}, {"bindings", kBindings}}.dump();
}

Config config_of(const Vars& vars) { return parse_config(host_of(vars)); }

// The one problem of these variables.
Config::Problem problem_of(const Vars& vars) {
  const Config config = config_of(vars);
  INFO(vars.dump());
  for (const Config::Problem& problem : config.problems) UNSCOPED_INFO(problem.message);
  REQUIRE(config.problems.size() == 1);
  return config.problems.front();
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST_CASE("A configuration that means what it says has no problem") {
  CHECK(config_of(Vars::object()).problems.empty());
  const Config config = config_of(
      {{"POSTHOG_TEAM_ID", "9223372036854775807"},
       {"HOGFLARE_PATH_PREFIX", "/ingest/"},
       {"HOGFLARE_OUTBOX_MAX_BYTES", "1"},
       {"CLOUDFLARE_ACCOUNT_ID", "x"},
       {"HOGFLARE_PROJECTS",
        R"({"phc_a":{"team_id":9223372036854775807,"origins":["https://www.example.com",)"
        R"("http://localhost:3000","http://[::1]:8080","capacitor://localhost","null"]}})"}});
  CHECK(config.problems.empty());
  CHECK(config.team_id == INT64_MAX);
  CHECK(config.path_prefix == "/ingest");
  CHECK(config.projects.at("phc_a").team_id == INT64_MAX);
}

TEST_CASE("A team id that is none is fatal") {
  for (const char* id : {"99999999999999999999", "9223372036854775808", "18446744073709551617", "0",
                         "-1", "1.0", "1e3", " 1", "1 ", "one", "+1"}) {
    const Config::Problem problem = problem_of({{"POSTHOG_TEAM_ID", id}});
    CHECK(problem.fatal);
    CHECK(has(problem.message, "POSTHOG_TEAM_ID"));
  }
  for (const char* id :
       {"99999999999999999999", "9223372036854775808", "0", "-1", "1.5", "\"1\""}) {
    const std::string projects = "{\"phc_a\":{\"team_id\":" + std::string(id) + "}}";
    const Config config = config_of({{"HOGFLARE_PROJECTS", projects}});
    INFO(projects);
    CHECK(config.has_fatal_problem());
    CHECK(config.projects.empty());
  }
}

TEST_CASE("Projects that nothing reaches, or anything, are told") {
  for (const std::string& token : {std::string(), std::string(" "), std::string(65, 'x'),
                                   std::string("phx_key"), std::string("ü")}) {
    const Config::Problem problem =
        problem_of({{"HOGFLARE_PROJECTS", "{\"" + token + "\":{\"team_id\":1}}"}});
    CHECK_FALSE(problem.fatal);
    CHECK(has(problem.message, "is refused wherever it is sent"));
  }
  const Config::Problem twice =
      problem_of({{"HOGFLARE_PROJECTS",
                   R"({"phc_a":{"team_id":1},"phc_b":{"team_id":2},"phc_a":{"team_id":3}})"}});
  CHECK(twice.fatal);
  CHECK(has(twice.message, "\"phc_a\" is there twice"));
  const Config::Problem open =
      problem_of({{"HOGFLARE_PROJECTS", R"({"phc_a":{"team_id":1,"origins":[]}})"}});
  CHECK_FALSE(open.fatal);
  CHECK(has(open.message, "HOGFLARE_PROJECTS[\"phc_a\"].origins is empty"));
}

TEST_CASE("A time zone whose sign can be read in two ways is told what to write") {
  const Config config = config_of({{"HOGFLARE_TIMEZONE", "UTC+2"}});
  REQUIRE(config.problems.size() == 1);
  CHECK(has(config.problems[0].message, "write +02:00 or Etc/GMT-2"));
  CHECK(config.default_project.timezone == "UTC");
}

TEST_CASE("The project of any token takes those without one of their own") {
  const Config config =
      config_of({{"HOGFLARE_PROJECTS", R"({"*":{"team_id":3},"phc_demo":{"team_id":2}})"}});
  CHECK(config.problems.empty());
  CHECK(config.project_of("phc_demo")->team_id == 2);
  for (const char* token : {"phc_other", "", "*", "phc_demo2"}) {
    REQUIRE(config.project_of(token) != nullptr);
    CHECK(config.project_of(token)->team_id == 3);
  }
  CHECK(config.project_of_team(2) != nullptr);
  CHECK(config.project_of_team(3) != nullptr);
  CHECK(config.project_of_team(1) == nullptr);
  const Config closed = config_of({{"HOGFLARE_PROJECTS", R"({"phc_demo":{"team_id":2}})"}});
  CHECK(closed.project_of("phc_other") == nullptr);
  CHECK(closed.project_of("") == nullptr);
}

TEST_CASE("A path prefix that takes a known path away is fatal and not used") {
  for (const char* prefix : {"/e",
                             "e",
                             "/e/",
                             "/s",
                             "/i",
                             "/i/v0",
                             "/i/v1/analytics",
                             "/flags",
                             "/batch",
                             "/decide",
                             "/capture",
                             "/engage",
                             "/api",
                             "/api/projects",
                             "/api/projects/1",
                             "/array",
                             "/array/phc_a",
                             "/ofrep",
                             "/ofrep/v1/evaluate/flags/x",
                             "/healthz",
                             "/metrics",
                             "/admin",
                             "/admin/outbox",
                             "/_liveness",
                             "/flags/definitions",
                             "/mcp"}) {
    const Config config = config_of({{"HOGFLARE_PATH_PREFIX", prefix}});
    INFO(prefix);
    REQUIRE(config.problems.size() == 1);
    CHECK(config.problems[0].fatal);
    CHECK(has(config.problems[0].message, "/ingest"));
    CHECK(config.path_prefix.empty());
  }
  for (const char* prefix : {"/ingest", "/eu", "/in/e", "/e2", "/flagship", "/arrays", "/"}) {
    INFO(prefix);
    CHECK(config_of({{"HOGFLARE_PATH_PREFIX", prefix}}).problems.empty());
  }
  for (const char* prefix : {"/a b", "/a?b", "/a#b", "/a/../b", "/ü", "//a"}) {
    INFO(prefix);
    CHECK_FALSE(problem_of({{"HOGFLARE_PATH_PREFIX", prefix}}).fatal);
    CHECK(config_of({{"HOGFLARE_PATH_PREFIX", prefix}}).path_prefix.empty());
  }
}

TEST_CASE("An outbox of nothing, group types named twice and unusable tokens are problems") {
  CHECK(has(problem_of({{"HOGFLARE_OUTBOX_MAX_BYTES", "0"}}).message, "is 0"));
  CHECK(has(problem_of({{"POSTHOG_GROUP_TYPE_0", "a"}, {"POSTHOG_GROUP_TYPE_3", "a"}}).message,
            "POSTHOG_GROUP_TYPE_3"));
  for (const char* name : {"HOGFLARE_ADMIN_TOKEN", "POSTHOG_PERSONAL_API_KEY",
                           "POSTHOG_PROJECT_SECRET", "HOGFLARE_VIEWER_TOKEN"}) {
    for (const char* value : {" admin-token", "admin-token ", "admin-tökén", "admin\ntoken"}) {
      const std::string message = problem_of({{name, value}}).message;
      CHECK(has(message, name));
      CHECK_FALSE(has(message, value));
    }
  }
}

TEST_CASE("Questions need account, bucket and token of the engine, and tables that can be named") {
  const Vars engine = {{"HOGFLARE_SQL_ACCOUNT_ID", "a1"},
                       {"HOGFLARE_SQL_BUCKET", "my-bucket"},
                       {"HOGFLARE_SQL_TOKEN", "secret"}};
  const auto with = [&engine](const char* name, const char* value) {
    Vars vars = engine;
    vars[name] = value;
    return vars;
  };
  const Config config = config_of(engine);
  CHECK(config.problems.empty());
  CHECK(config.has_sql_engine);
  CHECK(config.sql_tables[0] == "default.hogflare_events_v1");
  CHECK(config.sql_tables[3] == "default.hogflare_distinct_ids_v1");
  CHECK_FALSE(config_of({}).has_sql_engine);
  const Config named = config_of(with("HOGFLARE_SQL_TABLES", R"({"events": "shop_events_v2"})"));
  CHECK(named.sql_tables[0] == "default.shop_events_v2");
  CHECK(config_of(with("HOGFLARE_SQL_NAMESPACE", "lake")).sql_tables[1] ==
        "lake.hogflare_persons_v1");
  CHECK(config_of(with("HOGFLARE_SQL_TOKEN", "")).problems.size() == 1);
  CHECK_FALSE(config_of(with("HOGFLARE_SQL_BUCKET", "a/../b")).has_sql_engine);
  CHECK_FALSE(config_of(with("HOGFLARE_SQL_URL", "ftp://x")).has_sql_engine);
  CHECK(has(problem_of(with("HOGFLARE_SQL_TABLES", R"({"events": "a;b"})")).message, "events"));
  CHECK(has(problem_of(with("HOGFLARE_SQL_NAMESPACE", "a.b")).message, "using default"));
  CHECK(config_of({{"HOGFLARE_VIEWER_SQL", "on"}}).viewer_sql);
  CHECK_FALSE(config_of({{"HOGFLARE_VIEWER_SQL", "off"}}).viewer_sql);
  CHECK(has(problem_of({{"HOGFLARE_VIEWER_SQL", "yes"}}).message, "HOGFLARE_VIEWER_SQL"));
}

TEST_CASE("Origins that no browser sends are problems") {
  for (const char* origin :
       {"*", "www.example.com", "https://www.example.com/", "https://*.a.com",
        "https://WWW.example.com", "HTTPS://a.com", "https://a.com:443", "http://a.com:80",
        "https://a.com/x", "", "https://", "https://a.com:", "https://u@a.com", " https://a.com"}) {
    INFO(origin);
    CHECK_FALSE(is_possible_origin(origin));
    const Vars projects = {{"phc_a", {{"team_id", 1}, {"origins", {origin}}}}};
    const Config config = config_of({{"HOGFLARE_PROJECTS", projects.dump()}});
    REQUIRE(config.problems.size() == 1);
    CHECK_FALSE(config.problems[0].fatal);
    // The list still closes the project.
    CHECK(config.projects.at("phc_a").origins.size() == 1);
  }
  const Config config =
      config_of({{"HOGFLARE_PROJECTS", R"({"phc_a":{"team_id":1,"origins":[1]}})"}});
  CHECK(config.has_fatal_problem());
  CHECK(config.projects.empty());
}

TEST_CASE("An unknown name is told with the nearest known one and without its value") {
  const auto message = [](const char* name) { return problem_of({{name, "phs_pasted"}}).message; };
  CHECK(has(message("HOGFLARE_ADMIN_TOKN"), "did you mean HOGFLARE_ADMIN_TOKEN?"));
  CHECK(has(message("POSTHOG_TEAMID"), "did you mean POSTHOG_TEAM_ID?"));
  CHECK(has(message("POSTHOG_GROUP_TYPE_5"), "did you mean POSTHOG_GROUP_TYPE_"));
  CHECK(has(message("HOGFLARE_FEATURE_FLAG"), "did you mean HOGFLARE_FEATURE_FLAGS?"));
  CHECK_FALSE(has(message("HOGFLARE_QQQQQQQQQQQQQQQQQQQQQQQQQQQ"), "did you mean"));
  CHECK_FALSE(has(message("HOGFLARE_ADMIN_TOKN"), "phs_pasted"));
  CHECK(message(("HOGFLARE_" + std::string(100'000, 'X')).c_str()).size() < 300);
}

TEST_CASE("No problem repeats a secret") {
  const std::string secret = "hunter2-is-secret";
  for (const char* name : {"HOGFLARE_FLAGS_TTL_SECS", "POSTHOG_TEAM_ID", "HOGFLARE_PERSONLESS",
                           "HOGFLARE_ANONYMIZE_IP", "HOGFLARE_OUTBOX_MAX_BYTES"}) {
    for (const std::string& value : {secret, secret + "x", secret.substr(0, 8)}) {
      const std::string message =
          problem_of({{name, value}, {"POSTHOG_SIGNING_SECRET", secret}}).message;
      CHECK_FALSE(has(message, value));
    }
    CHECK_FALSE(has(problem_of({{name, "phs_super_secret"}}).message, "phs_super"));
    CHECK_FALSE(has(problem_of({{name, std::string(40, 'k')}}).message, "kkkk"));
    CHECK(has(problem_of({{name, "soon"}}).message, "\"soon\""));
  }
}

TEST_CASE("A trap of the instance before is a problem with its time and words") {
  const Config config = parse_config(
      Vars{{"vars", Vars::object()},
           {"bindings", kBindings},
           {"last_trap", {{"at", "2026-01-02T03:04:05.678Z"}, {"message", "assertion failed: x"}}}}
          .dump());
  REQUIRE(config.problems.size() == 1);
  CHECK_FALSE(config.problems[0].fatal);
  CHECK(config.problems[0].message ==
        "the core trapped at 2026-01-02T03:04:05.678Z: assertion failed: x");
}

// A request's head with these fields; js-shim/abi.js has the order.
std::string head_of(std::string_view method, std::string_view path, std::string_view origin,
                    std::string_view authorization) {
  std::string head;
  for (const std::string_view field :
       {method, path, std::string_view(), std::string_view(), std::string_view(),
        std::string_view(), std::string_view(), origin, std::string_view(), authorization}) {
    head.append(field).push_back('\0');
  }
  return head + std::string(28, '\0');
}

Reply answer(const Vars& vars, const std::string& head) {
  test::NoDecompressor decompressor;
  test::TableZones zones;
  Core core(host_of(vars), decompressor, zones);
  const uint8_t seed[32] = {1};
  Entropy entropy(seed);
  std::unique_ptr<Task> task = core.http({head, ""});
  Effects effects;
  task->start(core.turn(1'700'000'000'000, entropy, nullptr), effects);
  uint16_t rounds = 0;
  while (!task->finished()) {
    REQUIRE(++rounds < 100);
    for (const Effect& effect : effects.take()) {
      if (task->finished()) break;
      task->resume(core.turn(1'700'000'000'000, entropy, nullptr), {.id = effect.id, .ok = false},
                   effects);
    }
  }
  return task->reply();
}

// Several GET /healthz of one isolate.
class HealthCalls {
 public:
  // Begins one; the calls of outboxes that it makes at once.
  size_t begin(int64_t now_ms) {
    tasks_.push_back({core_.http({head_of("GET", "/healthz", "", ""), ""}), {}, {}});
    Asked& asked = tasks_.back();
    asked.task->start(core_.turn(now_ms, entropy_, nullptr), asked.effects);
    asked.open = asked.effects.take();
    return asked.open.size();
  }

  // Ends all that were begun, with no answers; the further calls that they make.
  size_t end(int64_t now_ms) {
    size_t calls = 0;
    for (Asked& asked : tasks_) {
      while (!asked.open.empty()) {
        const uint32_t id = asked.open.back().id;
        asked.open.pop_back();
        asked.task->resume(core_.turn(now_ms, entropy_, nullptr), {.id = id, .ok = false},
                           asked.effects);
        for (Effect& effect : asked.effects.take()) {
          asked.open.push_back(std::move(effect));
          ++calls;
        }
      }
      CHECK(asked.task->finished());
    }
    tasks_.clear();
    return calls;
  }

  // One from its beginning to its end.
  size_t calls_at(int64_t now_ms) {
    const size_t begun = begin(now_ms);
    return begun + end(now_ms);
  }

 private:
  struct Asked {
    std::unique_ptr<Task> task;
    Effects effects;
    std::vector<Effect> open;
  };
  static constexpr uint8_t kSeed[32] = {1};
  test::NoDecompressor decompressor_;
  test::TableZones zones_;
  Core core_{host_of(Vars::object()), decompressor_, zones_};
  Entropy entropy_{kSeed};
  std::vector<Asked> tasks_;
};

TEST_CASE(
    "The outboxes' figures are kept for five seconds, and not those of a clock that was ahead") {
  constexpr int64_t kNowMs = 1'700'000'000'000;
  constexpr int64_t kYearMs = 365 * int64_t{86'400'000};
  HealthCalls health;
  CHECK(health.calls_at(kNowMs + kYearMs) == limits::kOutboxShards);
  CHECK(health.calls_at(kNowMs + kYearMs + limits::kHealthAgeMs - 1) == 0);
  CHECK(health.calls_at(kNowMs) == limits::kOutboxShards);
  CHECK(health.calls_at(kNowMs + limits::kHealthAgeMs - 1) == 0);
  CHECK(health.calls_at(kNowMs + limits::kHealthAgeMs) == limits::kOutboxShards);
  CHECK(health.calls_at(kNowMs + kYearMs) == limits::kOutboxShards);
}

TEST_CASE("While one request asks outboxes that hang, others ask none") {
  constexpr int64_t kNowMs = 1'700'000'000'000;
  HealthCalls health;
  CHECK(health.calls_at(kNowMs) == limits::kOutboxShards);
  const int64_t later_ms = kNowMs + limits::kHealthAgeMs;
  CHECK(health.begin(later_ms) > 0);
  for (int i = 0; i < 100; ++i) CHECK(health.begin(later_ms + 100 * i) == 0);
  // The one that asked is gone without a word, or the clock was ahead.
  CHECK(health.begin(later_ms + 2 * limits::kObjectTimeoutMs) > 0);
  CHECK(health.begin(later_ms) > 0);
  health.end(later_ms + 1);
  CHECK(health.calls_at(later_ms + 2) == 0);
  CHECK(health.calls_at(later_ms + 1 + limits::kHealthAgeMs) == limits::kOutboxShards);
}

TEST_CASE("Tokens that need no signature are a list, and told where they have no effect") {
  const Vars vars = {{"POSTHOG_SIGNING_SECRET", "secret"},
                     {"HOGFLARE_UNSIGNED_TOKENS", " phc_a,,phc_b ,"}};
  const Config config = config_of(vars);
  CHECK(config.problems.empty());
  CHECK(config.unsigned_tokens == std::set<std::string, std::less<>>{"phc_a", "phc_b"});
  CHECK(has(problem_of({{"HOGFLARE_UNSIGNED_TOKENS", "phc_a"}}).message, "has no effect"));
  CHECK(has(problem_of({{"POSTHOG_SIGNING_SECRET", "secret"},
                        {"HOGFLARE_UNSIGNED_TOKENS", "phc_a,phc_b"},
                        {"HOGFLARE_PROJECTS", R"({"phc_a":{"team_id":1}})"}})
                .message,
            "phc_b"));
}

TEST_CASE("Only the whole admin token opens an operator's path") {
  const Vars vars = {{"HOGFLARE_ADMIN_TOKEN", "admin-token"}};
  const std::string token = "admin-token";
  for (size_t size = 0; size < token.size(); ++size) {
    const std::string given = "Bearer " + token.substr(0, size);
    CHECK(answer(vars, head_of("GET", "/metrics", "", given)).status == 401);
    CHECK(answer(vars, head_of("GET", "/admin/outbox", "", given)).status == 401);
    CHECK_FALSE(has(answer(vars, head_of("GET", "/healthz", "", given)).body, "problems"));
  }
  CHECK(answer(vars, head_of("GET", "/metrics", "", "Bearer admin-tokenx")).status == 401);
  CHECK(answer(vars, head_of("GET", "/metrics", "", "Bearer admin-token")).status == 200);
  CHECK(has(answer(vars, head_of("GET", "/healthz", "", "Bearer admin-token")).body, "problems"));
  // Without a token there is none to give.
  CHECK_FALSE(
      has(answer(Vars::object(), head_of("GET", "/healthz", "", "Bearer ")).body, "problems"));
}

TEST_CASE("An operator's path answers no page") {
  const Vars vars = {{"HOGFLARE_ADMIN_TOKEN", "admin-token"}};
  for (const char* path : {"/metrics", "/admin/outbox", "/admin/outbox/drain", "/admin/quarantine",
                           "/admin/quarantine/redrive"}) {
    for (const char* method : {"GET", "POST", "OPTIONS"}) {
      for (const char* authorization : {"", "Bearer admin-token"}) {
        const Reply reply =
            answer(vars, head_of(method, path, "https://www.example.com", authorization));
        for (const Header& header : reply.headers) {
          CHECK_FALSE(has(header.name, "Access-Control"));
        }
        if (std::string_view(method) == "OPTIONS") CHECK(reply.status == 405);
      }
    }
  }
}

}  // namespace
}  // namespace hogflare
