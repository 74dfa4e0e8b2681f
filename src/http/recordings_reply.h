// What removing and reading recordings have in common. docs/RECORDINGS.md.
#pragma once

#include <algorithm>
#include <string_view>

#include "hogflare/ascii.h"
#include "hogflare/recordings_limits.h"
#include "http/credentials.h"
#include "http_task.h"

namespace hogflare {

// Of the ids that posthog-js makes, and short enough to be a part of a key.
inline bool is_session_id(std::string_view id) {
  return !id.empty() && id.size() <= limits::kSessionIdBytesMax &&
         std::all_of(id.begin(), id.end(), [](char c) { return is_alphanumeric(c) || c == '-'; });
}

// 503, and a line of the log with the bucket's reason.
inline Reply recordings_unavailable(const Turn& turn, const EffectResult& result) {
  turn.metrics.log.add(LogLevel::kWarn, "recordings_unavailable", {{"reason", result.body}});
  Reply reply = api_error_reply(503, "server_error", "service_unavailable",
                                "the bucket of the recordings does not answer");
  reply.headers.push_back({"Retry-After", "1"});
  return reply;
}

}  // namespace hogflare
