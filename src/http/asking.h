// Who may ask about a project's data, in which words a question is refused, and which project it
// means.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "hogflare/config.h"
#include "hogflare/insights.h"
#include "hogflare/memory_share.h"
#include "hogflare/request.h"
#include "hogflare/task.h"
#include "http_task.h"

namespace hogflare {

// What the credential of a request allows.
struct AskingRight {
  bool may_ask = false;    // questions, lists
  bool may_sql = false;    // free SQL over the project's rows
  bool may_write = false;  // what changes something: the admin's token alone
};

// Whether the request brings `token` as "Authorization: Bearer …", compared in constant time; an
// empty token is nobody's.
bool bears(const RequestHead& head, const std::string& token);

// By `Authorization: Bearer`: HOGFLARE_ADMIN_TOKEN, POSTHOG_PERSONAL_API_KEY or
// HOGFLARE_VIEWER_TOKEN, each compared in constant time; or by the console's cookie, with its token
// against forgery where the request is a POST. The one place that decides it.
AskingRight may_ask(const Config& config, const HttpRequest& request, int64_t now_ms);

// A refusal in PostHog's words for its API: {"type", "code", "detail", "attr"}.
struct Fault {
  uint16_t status = 400;
  std::string_view type = "validation_error";
  std::string code;    // snake_case, stable
  std::string detail;  // a sentence: what, where, and what would be right
  std::string attr;    // path of the member at fault; empty: null
  uint32_t retry_after_s = 0;
};

Reply fault_reply(const Fault& fault);
Reply json_answer(std::string body);
// The envelope as it is, or with "?format=csv" as CSV (csv.h), which `memory` pays for; a fault
// where the answer holds too much for it.
Reply answer_as_asked(const RequestHead& head, std::string answer, MemoryShare& memory);

// What every path of the API needs before it looks at its own: the right to ask, a configuration
// that can be used, an engine. nullopt: go on.
std::optional<Fault> refuse_asking(const Config& config, const HttpRequest& request,
                                   int64_t now_ms);

// Why a body cannot be read that asks one question or several: it has not come, is too large or
// packed.
std::optional<Fault> refuse_question_body(const HttpTask& task, size_t bytes);

// Other requests take the memory: "ask again".
Fault memory_busy(std::string_view sentence);

// The project that the path's segment names: a team id, or "@current" where there is one team only.
// Null: not of this deployment.
const Project* asked_project(const Config& config, std::string_view segment);
Fault no_project();

// The planner's project (insights.h, Asking::project) as JSON: time, zone, team and its tables, and
// cohorts where the question needs them (an object; Asking::project says its form).
std::string planner_project(const Config& config, const Project& project, int64_t now_ms,
                            std::string_view cohorts = {});

// The planner's refusal as the API says it; `path` is where the question stands in the request.
Fault fault_of(const insights::Refusal& refusal, std::string_view path);

}  // namespace hogflare
