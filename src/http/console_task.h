// What the console's requests share: who asks, and answers as JSON.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "console/limits.h"
#include "console/session.h"
#include "hogflare/memory_share.h"
#include "http_task.h"

namespace hogflare {

using ConsoleJson = nlohmann::ordered_json;

class ConsoleTask : public HttpTask {
 public:
  using HttpTask::HttpTask;

 protected:
  const ConsoleHead& console() const { return request().console; }
  // What is behind /app/api/: "session", "flags/check".
  std::string_view path() const;
  bool is(std::string_view method) const { return head().method == method; }

  void answer(uint16_t status, const ConsoleJson& body, std::vector<Header> headers = {});
  void refuse(uint16_t status, std::string_view code, std::string_view detail,
              ConsoleJson more = ConsoleJson::object());

  // Who asks, when that role may; otherwise the request has been refused: 401 signed_out, 403
  // admin_only, or 403 forged for a request that changes something and is not the page's own.
  // A wrong bearer token counts as an attempt to sign in.
  bool admit(const Turn& turn, console::Role needed);
  const console::Caller& caller() const { return caller_; }
  // For the log: the role, and who Access says it is.
  std::string caller_text() const {
    std::string text(name_of(caller_.role));
    if (!request().who.empty()) text += ' ' + request().who;
    return text;
  }

  // The body as a JSON object; otherwise the request has been refused: 415, 413, 400 or 503.
  bool read_body(ConsoleJson& body, size_t bytes_max = limits::kConsoleBodyBytesMax);
  // Takes the memory of a text that is read as a document, with so many trees of it at once;
  // otherwise the request has been refused: 400 too_many_values, 413 or 503. `what`: "the body".
  bool hold_document(std::string_view text, std::string_view what, size_t trees = 1);
  // The project of ?team_id= (or the only one); otherwise refused with 404 no_project.
  bool read_team(int64_t& team_id);
  bool is_team(int64_t team_id);

  bool has_binding(std::string_view name);
  bool has_variable(std::string_view name);
  // For what reads more into memory.
  MemoryShare& memory() { return memory_; }

 private:
  bool changes_something() const { return !is("GET") && !is("HEAD"); }

  console::Caller caller_;
  MemoryShare memory_{state().request_memory_bytes};
};

using ConsoleMaker = std::unique_ptr<Task> (*)(CoreState&, std::unique_ptr<HttpRequest>);

struct ConsoleRefusal {
  uint16_t status;
  std::string_view code;
  std::string detail;
};
std::unique_ptr<Task> make_console_refusal_task(CoreState& state,
                                                std::unique_ptr<HttpRequest> request,
                                                ConsoleRefusal refusal);
// Asks Cloudflare Access who it is before the task that `make` makes.
std::unique_ptr<Task> make_console_gate_task(CoreState& state, std::unique_ptr<HttpRequest> request,
                                             ConsoleMaker make);
std::unique_ptr<Task> make_console_session_task(CoreState& state,
                                                std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_console_health_task(CoreState& state,
                                               std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_console_health_action_task(CoreState& state,
                                                      std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_console_person_task(CoreState& state,
                                               std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_console_flags_task(CoreState& state,
                                              std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_console_flags_check_task(CoreState& state,
                                                    std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_console_flags_history_task(CoreState& state,
                                                      std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_console_flags_evaluate_task(CoreState& state,
                                                       std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_console_live_task(CoreState& state,
                                             std::unique_ptr<HttpRequest> request);
std::unique_ptr<Task> make_console_documents_task(CoreState& state,
                                                  std::unique_ptr<HttpRequest> request);

}  // namespace hogflare
