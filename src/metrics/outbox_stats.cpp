#include "hogflare/outbox_stats.h"

namespace hogflare {
namespace {

uint64_t sum_of(const PerStream<OutboxStreamStats>& streams, uint64_t OutboxStreamStats::*figure) {
  uint64_t sum = 0;
  for (const OutboxStreamStats& stream : streams) sum += stream.*figure;
  return sum;
}

}  // namespace

uint64_t OutboxStats::sends() const { return sum_of(streams, &OutboxStreamStats::sends); }

uint64_t OutboxStats::rows() const { return sum_of(streams, &OutboxStreamStats::rows); }

uint64_t OutboxStats::bytes() const { return sum_of(streams, &OutboxStreamStats::bytes); }

int64_t OutboxStats::oldest_age_ms() const {
  int64_t oldest_ms = 0;
  for (const OutboxStreamStats& stream : streams) {
    oldest_ms = earlier_of(oldest_ms, stream.oldest_ms);
  }
  return oldest_ms == 0 ? 0 : std::max<int64_t>(0, now_ms - oldest_ms);
}

}  // namespace hogflare
