// What a Core holds: the configuration and what an isolate may lose at any time.
#pragma once

#include <cstdint>
#include <string>

#include "hogflare/config.h"
#include "hogflare/delivery.h"
#include "hogflare/metrics.h"

namespace hogflare {

struct CoreState {
  explicit CoreState(std::string_view host_json) : config(parse_config(host_json)) {}

  Config config;
  Metrics metrics;
  SinkHealth sink_health;
};

}  // namespace hogflare
