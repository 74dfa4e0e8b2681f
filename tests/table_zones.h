// A host that knows a few time zones and as much of their history as tests look at, so that no test
// hangs on the tables of the machine it runs on.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "flags/timezone.h"
#include "hogflare/zones.h"

namespace hogflare::test {

class TableZones final : public ZoneHost {
 public:
  std::optional<int32_t> offset_at(std::string_view name, int64_t utc_seconds) override {
    ++asked;
    for (const Era& era : kEras) {
      if (era.name != name || utc_seconds >= era.ends) continue;
      return static_cast<int32_t>(
          flags::TimeZone::parse(era.rule, nullptr)->offset_at(utc_seconds));
    }
    return std::nullopt;
  }

  int asked = 0;

 private:
  // A zone's rule until an instant; eras of a zone in order.
  struct Era {
    std::string_view name;
    int64_t ends;
    std::string_view rule;
  };
  static constexpr int64_t kNever = INT64_MAX;
  static constexpr std::array<Era, 22> kEras = {{
      {"Europe/Berlin", -2'422'054'408, "LMT-0:53:28"},             // 1893-04-01
      {"Europe/Berlin", 323'830'800, "CET-1"},                      // from 1946 on: 1980-04-06
      {"Europe/Berlin", 820'454'400, "CET-1CEST,M3.5.0,M9.5.0/3"},  // 1996
      {"Europe/Berlin", kNever, "CET-1CEST,M3.5.0,M10.5.0/3"},
      {"Europe/London", -37'242'000, "GMT0BST,M3.5.0/2,M10.5.0/3"},  // 1968-10-27
      {"Europe/London", 57'722'400, "BST-1"},                        // 1971-10-31
      {"Europe/London", kNever, "GMT0BST,M3.5.0/1,M10.5.0"},
      {"Europe/Dublin", kNever, "GMT0IST,M3.5.0/1,M10.5.0"},
      {"Europe/Vienna", kNever, "CET-1CEST,M3.5.0,M10.5.0/3"},
      {"America/New_York", 536'457'600, "EST5EDT,M4.5.0,M10.5.0"},    // 1987
      {"America/New_York", 1'167'609'600, "EST5EDT,M4.1.0,M10.5.0"},  // 2007
      {"America/New_York", kNever, "EST5EDT,M3.2.0,M11.1.0"},
      {"America/Los_Angeles", kNever, "PST8PDT,M3.2.0,M11.1.0"},
      {"America/Sao_Paulo", kNever, "<-03>3"},
      {"Asia/Calcutta", kNever, "IST-5:30"},
      {"Asia/Kolkata", kNever, "IST-5:30"},
      {"Asia/Tokyo", kNever, "JST-9"},
      {"Australia/Sydney", kNever, "AEST-10AEDT,M10.1.0,M4.1.0/3"},
      {"Pacific/Apia", 1'325'239'200, "SDT11SDT10,M9.4.0/3,M4.1.0/4"},  // 2011-12-30T10:00Z
      {"Pacific/Apia", kNever, "WSST-13WSDT,M9.5.0/3,M4.1.0/4"},
      {"Pacific/Auckland", kNever, "NZST-12NZDT,M9.5.0,M4.1.0/3"},
      {"Pacific/Kiritimati", kNever, "<+14>-14"},
  }};
};

}  // namespace hogflare::test
