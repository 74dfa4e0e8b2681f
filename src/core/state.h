// What a Core holds: the configuration and what an isolate may lose at any time.
#pragma once

#include <string>
#include <string_view>

#include "core/flags_state.h"
#include "hogflare/config.h"
#include "hogflare/delivery.h"
#include "hogflare/identity_caches.h"
#include "hogflare/metrics.h"

namespace hogflare {

struct CoreState {
  explicit CoreState(std::string_view host_json)
      : config(parse_config(host_json)), flags(config) {}

  const Config config;
  FlagsState flags;
  Metrics metrics;
  SinkHealth sink_health;
  IdentityCaches identity;
  std::string isolate;  // names this isolate on /metrics; given by its first task's entropy
};

}  // namespace hogflare
