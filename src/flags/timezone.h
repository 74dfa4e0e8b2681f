// A time zone: one of the IANA database, with its history, or a rule.
//
//   std::optional<TimeZone> zone = TimeZone::parse("Europe/Berlin", zones);
//   zone->to_utc_seconds(local_seconds);
//
// Accepted: `UTC`, fixed offsets (`+02:00`), the rule line that POSIX writes as
// `CET-1CEST,M3.5.0,M10.5.0/3`, which is for all times, and the IANA names that the host knows.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hogflare/zones.h"

namespace hogflare::flags {

class TimeZone {
 public:
  TimeZone() = default;  // UTC

  // `zones` must outlive what is parsed; null: no IANA name is known.
  static std::optional<TimeZone> parse(std::string_view text, Zones* zones);

  // What to write instead of a text such as UTC+2, which has the opposite sign to POSIX and so is
  // no zone here: "+02:00 or Etc/GMT-2". Empty for other texts.
  static std::string correction(std::string_view text);

  bool is_utc() const { return zones_ == nullptr && standard_offset_ == 0 && !has_daylight_; }

  // Seconds east of UTC at an instant, in seconds since 1970.
  int64_t offset_at(int64_t utc_seconds) const;

  // The instant of a wall clock reading, both in seconds since 1970. Of two instants the first;
  // absent for a reading that a spring change skips, as in PostHog's service.
  std::optional<int64_t> to_utc_seconds(int64_t local_seconds) const;

 private:
  struct Change {
    enum class Form : uint8_t { kMonthWeekDay, kJulian, kDayOfYear };
    Form form = Form::kMonthWeekDay;
    int month = 0;
    int week = 0;
    int day = 0;
    int64_t second = 2 * 3600;
  };

  static bool parse_change(std::string_view& text, Change& change);
  static int64_t change_local_seconds(const Change& change, int64_t year);
  static std::optional<TimeZone> parse_posix(std::string_view text);

  Zones* zones_ = nullptr;  // of a named zone; else the rule counts
  std::string name_;
  int64_t standard_offset_ = 0;  // seconds east of UTC
  int64_t daylight_offset_ = 0;
  bool has_daylight_ = false;
  Change start_;
  Change end_;
};

}  // namespace hogflare::flags
