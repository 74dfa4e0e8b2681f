#include "hogflare/outbox_stats.h"

namespace hogflare {

uint64_t OutboxStats::sends() const {
  uint64_t sum = 0;
  for (const OutboxStreamStats& stream : streams) sum += stream.sends;
  return sum;
}

uint64_t OutboxStats::rows() const {
  uint64_t sum = 0;
  for (const OutboxStreamStats& stream : streams) sum += stream.rows;
  return sum;
}

uint64_t OutboxStats::bytes() const {
  uint64_t sum = 0;
  for (const OutboxStreamStats& stream : streams) sum += stream.bytes;
  return sum;
}

int64_t OutboxStats::oldest_age_ms() const {
  int64_t oldest_ms = 0;
  for (const OutboxStreamStats& stream : streams) {
    oldest_ms = earlier_of(oldest_ms, stream.oldest_ms);
  }
  return oldest_ms == 0 ? 0 : std::max<int64_t>(0, now_ms - oldest_ms);
}

}  // namespace hogflare
