#include "asking.h"

#include <fmt/format.h>

#include "console/session.h"
#include "csv.h"
#include "hogflare/digest.h"
#include "hogflare/insights_limits.h"
#include "hogflare/json.h"
#include "hogflare/timestamp.h"
#include "hogflare/url.h"
#include "hogflare/whole_number.h"
#include "json/dom.h"
#include "json/members.h"

namespace hogflare {
namespace {

// Of a page of the console; nobody where another page may have sent the request.
console::Role role_by_cookie(const Config& config, const HttpRequest& request, int64_t now_ms) {
  const console::Caller caller = console::caller_of(config, request.head, request.console, now_ms);
  if (!caller.has_cookie()) return console::Role::kNobody;
  const bool is_read = request.head.method == "GET" || request.head.method == "HEAD";
  const bool is_forged = is_read ? console::refuse_foreign(request.console).has_value()
                                 : console::refuse_forged(caller, request.console).has_value();
  return is_forged ? console::Role::kNobody : caller.role;
}

}  // namespace

bool bears(const RequestHead& head, const std::string& token) {
  constexpr std::string_view kBearer = "Bearer ";
  if (token.empty() || head.authorization.substr(0, kBearer.size()) != kBearer) return false;
  return constant_time_equal(head.authorization.substr(kBearer.size()), token);
}

AskingRight may_ask(const Config& config, const HttpRequest& request, int64_t now_ms) {
  const RequestHead& head = request.head;
  const console::Role signed_in = role_by_cookie(config, request, now_ms);
  // All three are compared, so that the time says nothing about which one was nearly right.
  const bool bears_admins = bears(head, config.admin_token);
  const bool is_reader = bears(head, config.personal_api_key);
  const bool bears_viewers = bears(head, config.viewer_token);
  const bool is_admin = bears_admins || signed_in == console::Role::kAdmin;
  const bool is_viewer = bears_viewers || signed_in == console::Role::kViewer;
  return {.may_ask = is_admin || is_reader || is_viewer,
          .may_sql = is_admin || is_reader || (is_viewer && config.viewer_sql),
          .may_write = is_admin};
}

Reply json_answer(std::string body) {
  return {
      200, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}, std::move(body)};
}

namespace {

// A table has no place for how fresh it is, and for days that it lacks.
void add_freshness(Reply& reply, std::string_view answer) {
  const auto document = json::Document::parse_const(answer, 3);
  if (!document.ok()) return;
  const json::Value told = document.value().root().find("hogflare");
  const json::Value until = told.exists() ? told.find("data_until") : told;
  if (until.is_string()) reply.headers.push_back({"X-Hogflare-Data-Until", until.text()});
  const json::Value missing = told.exists() ? told.find("days_missing") : told;
  if (!missing.is_array()) return;
  std::string days;
  for (const json::Value day : missing.elements()) {
    days += (days.empty() ? "" : ", ") + day.text();
  }
  reply.headers.push_back({"X-Hogflare-Days-Missing", days});
}

}  // namespace

Reply answer_as_asked(const RequestHead& head, std::string answer, MemoryShare& memory) {
  if (form_value(head.query, "format").value_or("") != "csv") return json_answer(std::move(answer));
  const std::optional<size_t> bytes = json::dom_bytes(answer);
  if (!bytes) {
    return fault_reply({.code = "answer_too_large",
                        .detail = fmt::format("an answer as CSV may hold {} values: ask for fewer "
                                              "rows or columns, or without format=csv",
                                              limits::kDomValuesMax)});
  }
  if (memory.hold_more(*bytes)) {
    return fault_reply(
        memory_busy("other requests take the memory that this answer needs: ask again, or without "
                    "format=csv"));
  }
  Reply reply = json_answer(write_csv(answer));
  add_freshness(reply, answer);
  reply.headers[0].value = "text/csv; charset=utf-8";
  reply.headers.push_back({"Content-Disposition", "attachment; filename=\"answer.csv\""});
  reply.headers.push_back({"X-Content-Type-Options", "nosniff"});
  return reply;
}

Reply fault_reply(const Fault& fault) {
  std::string body = "{";
  append_text(body, "type", fault.type);
  append_text(body, "code", fault.code);
  append_text(body, "detail", fault.detail);
  if (fault.attr.empty()) {
    append_name(body, "attr");
    body += "null";
  } else {
    append_text(body, "attr", fault.attr);
  }
  Reply reply = json_answer(body + "}");
  reply.status = fault.status;
  if (fault.status == 401) reply.headers.push_back({"WWW-Authenticate", "Bearer"});
  if (fault.retry_after_s > 0) {
    reply.headers.push_back({"Retry-After", std::to_string(fault.retry_after_s)});
  }
  return reply;
}

std::optional<Fault> refuse_asking(const Config& config, const HttpRequest& request,
                                   int64_t now_ms) {
  const RequestHead& head = request.head;
  if (!may_ask(config, request, now_ms).may_ask) {
    const bool has_none = config.admin_token.empty() && config.personal_api_key.empty() &&
                          config.viewer_token.empty();
    return Fault{.status = 401,
                 .type = "authentication_error",
                 .code = head.authorization.empty() ? "not_authenticated" : "authentication_failed",
                 .detail = has_none ? "nobody may ask: set HOGFLARE_ADMIN_TOKEN, "
                                      "POSTHOG_PERSONAL_API_KEY or HOGFLARE_VIEWER_TOKEN"
                                    : "send Authorization: Bearer with a personal API key, the "
                                      "admin's or a viewer's token"};
  }
  if (config.has_fatal_problem()) {
    return Fault{.status = 503,
                 .type = "server_error",
                 .code = "unusable_configuration",
                 .detail = "this deployment's configuration is not usable; see /healthz"};
  }
  if (config.has_sql_engine) return std::nullopt;
  return Fault{.status = 503,
               .type = "server_error",
               .code = "no_sql_engine",
               .detail =
                   "no SQL engine is configured: set HOGFLARE_SQL_ACCOUNT_ID, "
                   "HOGFLARE_SQL_BUCKET and HOGFLARE_SQL_TOKEN"};
}

Fault memory_busy(std::string_view sentence) {
  return {.status = 503,
          .type = "server_error",
          .code = "memory_busy",
          .detail = std::string(sentence),
          .retry_after_s = 1};
}

std::optional<Fault> refuse_question_body(const HttpTask& task, size_t bytes) {
  if (std::optional<Error> missing = task.missing_body()) {
    const bool is_busy = missing->code == ErrorCode::kMemoryBusy;
    return Fault{.status = missing->http_status(),
                 .type = is_busy ? "server_error" : "validation_error",
                 .code = std::string(missing->tag()),
                 .detail = missing->detail};
  }
  if (bytes > limits::kQuestionBodyBytesMax) {
    return Fault{.status = 413,
                 .code = "too_large",
                 .detail = "a question may have " + std::to_string(limits::kQuestionBodyBytesMax) +
                           " bytes, several in one request together as many"};
  }
  const std::string_view encoding = task.head().content_encoding;
  if (!encoding.empty() && encoding != "identity") {
    return Fault{.status = 415,
                 .code = "unsupported_encoding",
                 .detail = "send the question's JSON as it is, without Content-Encoding"};
  }
  return std::nullopt;
}

const Project* asked_project(const Config& config, std::string_view segment) {
  if (segment == "@current") {
    if (config.projects.empty()) return &config.default_project;
    const Project* only = &config.projects.begin()->second;
    for (const auto& [token, project] : config.projects) {
      if (project.team_id != only->team_id) return nullptr;
    }
    return only;
  }
  const auto team_id = whole_number<int64_t>(segment);
  return team_id ? config.project_of_team(*team_id) : nullptr;
}

Fault no_project() {
  return {.status = 404,
          .type = "invalid_request",
          .code = "not_found",
          .detail = "this deployment has no project with that id"};
}

std::string planner_project(const Config& config, const Project& project, int64_t now_ms,
                            std::string_view cohorts) {
  std::string now;
  append_rfc3339(now, now_ms);
  std::string out = "{";
  append_text(out, "now", now);
  append_text(out, "timezone", project.timezone);
  append_number(out, "team_id", project.team_id);
  append_name(out, "one_team_only");
  out += "true";
  append_name(out, "tables");
  out += '{';
  const auto append_table = [&](std::string_view name, Stream stream) {
    append_text(out, name, config.sql_tables[static_cast<size_t>(stream)]);
  };
  append_table("events", Stream::kEvents);
  append_table("persons", Stream::kPersons);
  append_table("rejects", Stream::kRejects);
  append_table("distinct_ids", Stream::kDistinctIds);
  out += '}';
  if (!cohorts.empty()) out.append(R"(,"cohorts":)").append(cohorts);
  return out + "}";
}

Fault fault_of(const insights::Refusal& refusal, std::string_view path) {
  std::string attr(path);
  if (!refusal.path.empty()) attr += "." + refusal.path;
  return {.code = "invalid_query", .detail = attr + " " + refusal.sentence, .attr = attr};
}

}  // namespace hogflare
