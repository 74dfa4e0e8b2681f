// The machine's own time zones, for the native tools: what Intl is to the Worker.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "hogflare/zones.h"

namespace hogflare::tools {

class SystemZones final : public ZoneHost {
 public:
  std::optional<int32_t> offset_at(std::string_view name, int64_t utc_seconds) override {
    const std::string text(name);
    // libc takes a zone it does not find for UTC. The core asks for no name with a point in it.
    if (access(("/usr/share/zoneinfo/" + text).c_str(), R_OK) != 0) return std::nullopt;
    setenv("TZ", text.c_str(), 1);
    tzset();
    const std::time_t at = utc_seconds;
    std::tm local{};
    if (localtime_r(&at, &local) == nullptr) return std::nullopt;
    return static_cast<int32_t>(local.tm_gmtoff);
  }
};

}  // namespace hogflare::tools
