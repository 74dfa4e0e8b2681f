// GET session_recordings, a list, and …/{session}/snapshots, the parts of one.
#pragma once

#include "http_task.h"

namespace hogflare {

std::unique_ptr<Task> make_recording_reading_task(CoreState& state,
                                                  std::unique_ptr<HttpRequest> request);

}  // namespace hogflare
