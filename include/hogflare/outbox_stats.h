// What waits in the outbox objects, for /healthz and /metrics. Asked by OutboxStatsRun (outbox.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "hogflare/metrics.h"

namespace hogflare {

// The earlier of two times of which 0 means "none".
inline int64_t earlier_of(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return std::max(a, b);
  return std::min(a, b);
}

struct OutboxStreamStats {
  uint64_t sends = 0;
  uint64_t rows = 0;
  uint64_t bytes = 0;
  int64_t oldest_ms = 0;    // first failure of the oldest send; 0: none
  uint32_t failures = 0;    // in a row, the worst shard's
  int64_t retry_at_ms = 0;  // when the next attempt is due, the earliest; 0: none
  uint16_t last_status = 0;
  std::string last_reason;
};

// Of one shard, or merged over all.
struct OutboxStats {
  uint32_t shards = 0;         // that answered
  uint32_t shards_failed = 0;  // that did not
  PerStream<OutboxStreamStats> streams;
  uint64_t quarantine_rows = 0;
  uint64_t quarantine_bytes = 0;
  uint64_t bytes_max = 0;  // of the shards that answered
  int64_t now_ms = 0;      // when it was asked: ages are against this

  uint64_t sends() const;
  uint64_t rows() const;
  uint64_t bytes() const;
  int64_t oldest_age_ms() const;  // 0 when empty
};

}  // namespace hogflare
