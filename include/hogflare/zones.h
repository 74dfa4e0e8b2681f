// Time zones by their IANA names, with their history. The tables are the host's
// (Intl.DateTimeFormat in the Worker): the module carries none, which would be of the day it was
// built.
//
//   Zones zones(host);
//   zones.offset_at("Europe/Berlin", 489'024'000) == 7200   // July 1985: summer time
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hogflare {

// What the host knows of zones.
class ZoneHost {
 public:
  virtual ~ZoneHost() = default;
  // Seconds east of UTC in that zone at an instant in seconds since 1970; absent: no zone has the
  // name.
  virtual std::optional<int32_t> offset_at(std::string_view name, int64_t utc_seconds) = 0;
};

// Remembers what the host said, a day of a zone at a time. What it holds is bounded
// (limits::kZoneDaysMax of flags_limits.h), whatever names clients think of.
class Zones {
 public:
  // `host` must outlive it.
  explicit Zones(ZoneHost& host);

  // As the host's; names that no zone could have are not asked for. Of a day with two changes of
  // the clock, which no zone ever had, the first counts.
  std::optional<int32_t> offset_at(std::string_view name, int64_t utc_seconds);

 private:
  struct Day {
    std::string name;  // empty: nothing is remembered here
    int64_t day = 0;   // since 1970, in UTC
    bool is_known = false;
    int32_t before = 0;  // the offset when the day begins
    int32_t after = 0;   // and from `change` on
    int64_t change = 0;  // seconds since 1970; the day's end where nothing changes
  };

  Day ask(std::string_view name, int64_t day);

  ZoneHost& host_;
  std::vector<Day> days_;  // by hash
};

}  // namespace hogflare
