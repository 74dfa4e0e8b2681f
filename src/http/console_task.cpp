// /app: the application's files, and which task an API request of the console becomes.
#include "console_task.h"

#include <fmt/format.h>

#include <algorithm>

#include "console/pages.h"
#include "hogflare/limits.h"
#include "hogflare/url.h"
#include "hogflare/version.h"
#include "hogflare/whole_number.h"
#include "json/dom.h"

namespace hogflare {

// --- What the tasks share ---

std::string_view ConsoleTask::path() const {
  std::string_view path = route().argument;
  constexpr std::string_view kApi = "api/";
  return path.substr(0, kApi.size()) == kApi ? path.substr(kApi.size()) : std::string_view();
}

void ConsoleTask::answer(uint16_t status, const ConsoleJson& body, std::vector<Header> headers) {
  headers.push_back({"Content-Type", "application/json"});
  headers.push_back({"Cache-Control", "private, no-store"});
  headers.push_back({"X-Content-Type-Options", "nosniff"});
  respond({status, std::move(headers), json::text_of(body)});
}

void ConsoleTask::refuse(uint16_t status, std::string_view code, std::string_view detail,
                         ConsoleJson more) {
  ConsoleJson body = {{"code", code}, {"detail", detail}};
  body.update(more);
  answer(status, body);
}

bool ConsoleTask::admit(const Turn& turn, console::Role needed) {
  if (request().vouched_for != console::Role::kNobody) {
    caller_ = {request().vouched_for, "", 0};
    if (needed != console::Role::kAdmin || caller_.role == needed) return true;
    refuse(403, "admin_only", "you can look; changes need the admin token");
    return false;
  }
  const bool has_bearer = !head().authorization.empty();
  const std::string_view address = head().cf_connecting_ip;
  console::Attempts& attempts = state().sign_in_attempts;
  if (const uint32_t wait_s = attempts.seconds_until_free(address, turn.now_ms);
      has_bearer && wait_s > 0) {
    refuse(429, "too_many_attempts", "too many wrong tokens came from this address",
           {{"retry_after_s", wait_s}});
    return false;
  }
  caller_ = console::caller_of(turn.config, head(), console(), turn.now_ms);
  if (!caller_.is_known()) {
    if (has_bearer) attempts.count_failure(address, turn);
    refuse(401, "signed_out", "sign in: POST /app/api/session with a token");
    return false;
  }
  if (needed == console::Role::kAdmin && caller_.role != needed) {
    refuse(403, "admin_only", "you can look; changes need the admin token");
    return false;
  }
  if (!changes_something()) return true;
  if (const auto why = console::refuse_forged(caller_, console())) {
    refuse(403, "forged", *why);
    return false;
  }
  return true;
}

bool ConsoleTask::hold_document(std::string_view text, std::string_view what, size_t trees) {
  const std::optional<size_t> bytes = json::dom_bytes(text);
  if (!bytes) {
    refuse(400, "too_many_values",
           fmt::format("{} may nest {} levels and hold {} values, with some 20,000 members in one "
                       "object",
                       what, limits::kJsonDepthMax, limits::kDomValuesMax));
    return false;
  }
  const auto refused = memory_.hold_more(*bytes * trees + text.size() * limits::kDocumentCopiesMax);
  if (!refused) return true;
  if (refused->code == ErrorCode::kMemoryBusy) {
    refuse(503, "memory_busy", "other requests take the memory that this one needs: ask again");
  } else {
    refuse(413, "too_large", fmt::format("{} holds more than there is memory for", what));
  }
  return false;
}

bool ConsoleTask::read_body(ConsoleJson& into, size_t bytes_max) {
  const std::optional<Error> missing = missing_body();
  if (missing && missing->code == ErrorCode::kMemoryBusy) {
    refuse(503, "memory_busy", "other requests take the memory that this one needs: ask again");
    return false;
  }
  if (missing || body().size() > bytes_max) {
    refuse(413, "too_large", fmt::format("the body may have {} bytes here", bytes_max));
    return false;
  }
  // A form of another page cannot send this type without being asked for by a preflight.
  if (head().content_type.substr(0, 16) != "application/json") {
    refuse(415, "not_json", "send Content-Type: application/json");
    return false;
  }
  if (!hold_document(body(), "the body")) return false;
  into = json::dom_of<ConsoleJson>(body());
  if (into.is_object()) return true;
  refuse(400, "not_json", "the body must be a JSON object");
  return false;
}

bool ConsoleTask::is_team(int64_t team_id) {
  const Config& config = state().config;
  if (config.projects.empty()) return config.default_project.team_id == team_id;
  return std::any_of(config.projects.begin(), config.projects.end(),
                     [team_id](const auto& each) { return each.second.team_id == team_id; });
}

bool ConsoleTask::read_team(int64_t& team_id) {
  const Config& config = state().config;
  const std::string text = form_value(head().query, "team_id").value_or("");
  if (text.empty()) {
    team_id = config.projects.empty() ? config.default_project.team_id
                                      : config.projects.begin()->second.team_id;
    return true;
  }
  const auto number = whole_number<int64_t>(text);
  team_id = number.value_or(0);
  if (number && is_team(team_id)) return true;
  refuse(404, "no_project", "no project of this deployment has this team_id");
  return false;
}

bool ConsoleTask::has_binding(std::string_view name) {
  const auto& bindings = state().config.bindings;
  return std::find(bindings.begin(), bindings.end(), name) != bindings.end();
}

bool ConsoleTask::has_variable(std::string_view name) {
  const auto& variables = state().config.variables;
  return std::find(variables.begin(), variables.end(), name) != variables.end();
}

namespace {

// --- Files ---

struct FileType {
  std::string_view ending;
  std::string_view type;
};
constexpr FileType kFileTypes[] = {
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".woff2", "font/woff2"},
    {".json", "application/json"},
    {".txt", "text/plain; charset=utf-8"},
    {".map", "application/json"},
};

std::string_view type_of(std::string_view path) {
  for (const FileType& each : kFileTypes) {
    if (path.size() > each.ending.size() &&
        path.substr(path.size() - each.ending.size()) == each.ending) {
      return each.type;
    }
  }
  return {};
}

// The application's documents, and its files where the platform does not serve them by itself:
// below a path prefix.
class ConsoleFileTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects& effects) override {
    if (!console::has_tokens(turn.config)) return respond(console::no_token_page());
    const std::string_view path = route().argument;
    const std::string_view last = path.substr(path.rfind('/') + 1);
    is_file_ = last.find('.') != std::string_view::npos && last != "index.html";
    is_replay_ = path == "frame/replay" || path == "frame/replay.html";
    if (is_replay_) is_file_ = false;
    std::string file = is_replay_ ? "frame/replay.html"
                       : is_file_ ? std::string(path)
                                  : "index.html";
    effects.add(ReadAsset{"/app/" + std::move(file)});
  }

  void resume(const Turn& turn, EffectResult result, Effects&) override {
    const bool is_there = result.ok && result.http_status == 200;
    if (is_file_) return respond(is_there ? file(std::move(result.body)) : no_file());
    if (!is_there) {
      return respond(console::message_page(
          503, "The console is not there",
          "Its files are not among this Worker's static assets: run scripts/build assets, and bind "
          "the folder as ASSETS."));
    }
    respond(
        {200,
         console::page_headers(is_replay_ ? console::kReplayPolicy : console::kApplicationPolicy),
         with_prefix(turn.config.path_prefix, std::move(result.body))});
  }

 private:
  Reply file(std::string body) const {
    const std::string_view type = type_of(route().argument);
    const bool is_hashed = route().argument.substr(0, 7) == "assets/";
    return {200,
            {{"Content-Type", std::string(type.empty() ? "application/octet-stream" : type)},
             {"Cache-Control", is_hashed ? "public, max-age=31536000, immutable" : "no-cache"},
             {"X-Content-Type-Options", "nosniff"}},
            std::move(body)};
  }

  // An open page of an older deployment asks for its files: it must not be given a document
  // instead.
  static Reply no_file() {
    return {404,
            {{"Content-Type", "text/plain"}, {"Cache-Control", "no-store"}},
            "the console of this deployment has no such file"};
  }

  // The documents name their files as /app/…, which a prefix moves.
  static std::string with_prefix(const std::string& prefix, std::string html) {
    if (prefix.empty()) return html;
    for (size_t at = html.find("\"/app/"); at != std::string::npos;
         at = html.find("\"/app/", at + prefix.size() + 1)) {
      html.insert(at + 1, prefix);
    }
    return html;
  }

  bool is_file_ = false;
  bool is_replay_ = false;
};

// --- The front page ---

class FrontTask final : public ConsoleTask {
 public:
  using ConsoleTask::ConsoleTask;

  void start(const Turn& turn, Effects&) override {
    if (console().accept.find("text/html") == std::string_view::npos) {
      return respond({200, {{"Content-Type", "text/plain"}, {"Vary", "Accept"}}, "hogflare"});
    }
    const Config& config = turn.config;
    const bool has_problems = !config.problems.empty() || !state().flags.problems().empty();
    Reply page =
        console::front_page({.host = std::string(console().own_origin) + config.path_prefix,
                             .takes_any_token = config.project_of("") != nullptr,
                             .status = config.has_fatal_problem() ? "error"
                                       : has_problems             ? "degraded"
                                                                  : "ok",
                             .version = kVersion});
    page.headers.push_back({"Vary", "Accept"});
    respond(std::move(page));
  }
  void resume(const Turn&, EffectResult, Effects&) override {}
};

class RefusalTask final : public ConsoleTask {
 public:
  RefusalTask(CoreState& state, std::unique_ptr<HttpRequest> request, ConsoleRefusal refusal)
      : ConsoleTask(state, std::move(request)), refusal_(std::move(refusal)) {}
  void start(const Turn&, Effects&) override {
    refuse(refusal_.status, refusal_.code, refusal_.detail);
  }
  void resume(const Turn&, EffectResult, Effects&) override {}

 private:
  ConsoleRefusal refusal_;
};

std::unique_ptr<Task> refuse_route(CoreState& state, std::unique_ptr<HttpRequest> request) {
  return make_console_refusal_task(state, std::move(request),
                                   {404, "no_route", "docs/CONSOLE.md lists the console's routes"});
}

std::unique_ptr<Task> refuse_method(CoreState& state, std::unique_ptr<HttpRequest> request) {
  return make_console_refusal_task(
      state, std::move(request),
      {405, "wrong_method", "docs/CONSOLE.md lists the console's routes and their methods"});
}

struct ApiRoute {
  std::string_view path;
  uint8_t methods;
  ConsoleMaker make;
};

constexpr ApiRoute kApi[] = {
    {"session", kGet | kPost | kDelete, make_console_session_task},
    {"health", kGet, make_console_health_task},
    {"health/drain", kPost, make_console_health_action_task},
    {"health/redrive", kPost, make_console_health_action_task},
    {"health/quarantine", kGet, make_console_health_action_task},
    {"person", kGet, make_console_person_task},
    {"flags", kGet | kPut, make_console_flags_task},
    {"flags/check", kPost, make_console_flags_check_task},
    {"flags/history", kGet, make_console_flags_history_task},
    {"flags/evaluate", kPost, make_console_flags_evaluate_task},
    {"live", kGet, make_console_live_task},
    {"documents/", kGet | kPut | kDelete, make_console_documents_task},
};

uint8_t bit_of(std::string_view method) {
  return method == "GET"      ? kGet
         : method == "POST"   ? kPost
         : method == "PUT"    ? kPut
         : method == "DELETE" ? kDelete
                              : 0;
}

std::unique_ptr<Task> make_api_task(CoreState& state, std::unique_ptr<HttpRequest> request,
                                    std::string_view path) {
  bool is_known = false;
  for (const ApiRoute& each : kApi) {
    const bool is_folder = each.path.back() == '/';
    if (is_folder ? path.substr(0, each.path.size()) != each.path : path != each.path) continue;
    is_known = true;
    if ((each.methods & bit_of(request->head.method)) == 0) continue;
    const bool is_vouched_for = request->vouched_for != console::Role::kNobody;
    if (state.config.access_issuer.empty() || is_vouched_for) {
      return each.make(state, std::move(request));
    }
    return make_console_gate_task(state, std::move(request), each.make);
  }
  return is_known ? refuse_method(state, std::move(request))
                  : refuse_route(state, std::move(request));
}

}  // namespace

std::unique_ptr<Task> make_console_refusal_task(CoreState& state,
                                                std::unique_ptr<HttpRequest> request,
                                                ConsoleRefusal refusal) {
  return std::make_unique<RefusalTask>(state, std::move(request), std::move(refusal));
}

std::unique_ptr<Task> make_console_task(CoreState& state, std::unique_ptr<HttpRequest> request) {
  if (request->route.endpoint == RouteKind::kFront) {
    return std::make_unique<FrontTask>(state, std::move(request));
  }
  const std::string_view path = request->route.argument;
  if (path == "api" || path.substr(0, 4) == "api/") {
    const std::string_view rest = path.size() > 4 ? path.substr(4) : std::string_view();
    return make_api_task(state, std::move(request), rest);
  }
  if (request->head.method != "GET" && request->head.method != "HEAD") {
    return refuse_method(state, std::move(request));
  }
  return std::make_unique<ConsoleFileTask>(state, std::move(request));
}

}  // namespace hogflare
