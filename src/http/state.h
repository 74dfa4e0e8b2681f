// What a Core holds: the configuration and what an isolate may lose at any time.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "console/access.h"
#include "console/live_feed.h"
#include "console/session.h"
#include "http/cohort_lists.h"
#include "http/flags_state.h"
#include "hogflare/config.h"
#include "hogflare/cookieless.h"
#include "hogflare/decompress.h"
#include "hogflare/delivery.h"
#include "hogflare/identity_caches.h"
#include "hogflare/metrics.h"
#include "hogflare/outbox.h"
#include "hogflare/recordings.h"
#include "hogflare/zones.h"

namespace hogflare {

struct CoreState {
  CoreState(std::string_view host_json, Decompressor& host_decompressor, ZoneHost& zone_host)
      : zones(zone_host),
        config(parse_config(host_json, &zones)),
        decompressor(host_decompressor),
        flags(config, request_memory_bytes),
        cohort_lists(config),
        live(config),
        has_analytics(std::find(config.bindings.begin(), config.bindings.end(), "ANALYTICS") !=
                      config.bindings.end()),
        has_recordings(config.is_bound("RECORDINGS")),
        has_symbols(has_recordings || config.is_bound("SYMBOLS")) {}

  Zones zones;
  const Config config;
  Decompressor& decompressor;
  // Of the requests in flight (hogflare/memory_share.h).
  size_t request_memory_bytes = 0;
  FlagsState flags;
  CohortLists cohort_lists;
  console::LiveWatch live;
  Metrics metrics;
  MetricsDelta metrics_delta;
  const bool has_analytics;
  const bool has_recordings;  // the bucket is bound
  const bool has_symbols;     // it, or one of their own
  int64_t points_due_at_ms = 0;
  SinkHealth sink_health;
  BucketHealth recordings_health;
  IdentityCaches identity;
  CookielessSalts cookieless_salts;
  console::Attempts sign_in_attempts;
  console::AccessKeys access_keys;
  // What /healthz shows of the outboxes: asking them costs a call a shard and anybody may ask.
  OutboxStats outbox_stats;
  int64_t outbox_stats_at_ms = 0;
  int64_t outbox_stats_asked_at_ms = 0;  // 0: nobody waits for them
  std::string isolate;  // names this isolate on /metrics; given by its first task's entropy
};

}  // namespace hogflare
