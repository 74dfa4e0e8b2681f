// What every HTTP request's task shares: the parsed head, CORS on every answer, counting.
#pragma once

#include <memory>
#include <string>

#include "core/state.h"
#include "hogflare/core.h"
#include "hogflare/request.h"
#include "hogflare/routes.h"
#include "hogflare/task.h"

namespace hogflare {

class HttpTask : public Task {
 public:
  HttpTask(CoreState& state, HttpInput input);

  const RequestHead& head() const { return head_; }
  const Route& route() const { return route_; }
  // The shim did not read the body: it is over every limit.
  bool body_is_too_large() const { return body_is_too_large_; }

 protected:
  // Ends the task: adds the CORS headers that `reply` lacks and counts it.
  void respond(Reply reply);
  CoreState& state() { return state_; }
  std::string& body() { return input_.body; }
  std::string& head_text() { return input_.head; }

 private:
  void read_head();

  CoreState& state_;
  HttpInput input_;
  RequestHead head_;
  Route route_;
  bool body_is_too_large_ = false;
};

// Makes the task of the request's route.
std::unique_ptr<Task> make_http_task(CoreState& state, HttpInput input);

// One maker per kind of route; each takes over the request.
std::unique_ptr<Task> make_capture_task(CoreState& state, HttpInput input);
std::unique_ptr<Task> make_flags_task(CoreState& state, HttpInput input);
std::unique_ptr<Task> make_operations_task(CoreState& state, HttpInput input);

}  // namespace hogflare
