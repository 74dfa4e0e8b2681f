#include "health.h"

#include "hogflare/delivery.h"

namespace hogflare {

std::vector<std::string> problems_of_outbox(const OutboxStats& stats) {
  std::vector<std::string> problems;
  for (int i = 0; i < kStreamCount; ++i) {
    const OutboxStreamStats& stream = stats.streams[static_cast<size_t>(i)];
    if (stream.sends == 0 || stream.failures == 0) continue;
    std::string message = std::to_string(stream.rows) + " rows of the stream " +
                          std::string(name_of(static_cast<Stream>(i))) +
                          " wait in the outbox; its sink ";
    message += stream.last_status == 0 ? "does not answer"
                                       : "answered " + std::to_string(stream.last_status);
    const EffectResult answer{.id = 0, .ok = true, .http_status = stream.last_status};
    if (sink_verdict(answer) == SinkVerdict::kMisconfigured) {
      message += ": its endpoint or its token is wrong";
    }
    problems.push_back(std::move(message));
  }
  if (stats.quarantine_rows > 0) {
    problems.push_back(std::to_string(stats.quarantine_rows) +
                       " rows were refused by their sink; see /admin/quarantine");
  }
  if (stats.shards_failed > 0) {
    problems.push_back(std::to_string(stats.shards_failed) + " outbox objects did not answer");
  }
  return problems;
}

}  // namespace hogflare
