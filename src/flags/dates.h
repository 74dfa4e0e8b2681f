// Dates of the is_date_* operators.
//
//   DateFilter filter = parse_date_filter("-7d", zone);
//   std::optional<int64_t> edge = filter.instant_us(now_ms, zone);
//
// Instants are microseconds since 1970 in UTC. Source: F-4.3; PostHog
// rust/feature-flags/src/properties/property_matching.rs and relative_date.rs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "flags/timezone.h"

namespace hogflare::flags {

// What a filter's date text means: nothing, a fixed instant, "N units before now" on the zone's
// wall clock, or a text that counts from today ("4:00 PM").
class DateFilter {
 public:
  DateFilter() = default;
  explicit DateFilter(int64_t instant_us) : form_(Form::kInstant), instant_us_(instant_us) {}
  DateFilter(int count, char unit) : form_(Form::kRelative), count_(count), unit_(unit) {}
  explicit DateFilter(std::string_view text) : form_(Form::kOfToday), text_(text) {}

  // Absent when the text was no date, or names a wall clock reading that a spring change skips.
  std::optional<int64_t> instant_us(int64_t now_ms, const TimeZone& zone) const;
  bool is_date() const { return form_ != Form::kNone; }

 private:
  enum class Form : uint8_t { kNone, kInstant, kRelative, kOfToday };
  Form form_ = Form::kNone;
  int64_t instant_us_ = 0;
  int count_ = 0;
  char unit_ = 'd';
  std::string text_;
};

// `-?N[hdwmy]` below 10000; RFC 3339; ISO dates and times, naive ones in `zone`, of digits as few
// as they come (2025-6-8 9:5); the other forms of docs/FLAGS.md, naive ones in UTC as the service
// has them.
DateFilter parse_date_filter(std::string_view text, const TimeZone& zone);

// The same for a property's text; numeric text is epoch seconds instead.
std::optional<int64_t> parse_date_property(std::string_view text, const TimeZone& zone,
                                           int64_t now_ms);

// Whether SDKs read the filter's text as the service does: they count and read naive times in UTC,
// know ISO forms alone, and go back several months or years in one step.
bool is_portable_date(std::string_view text, const TimeZone& zone);

// Epoch seconds as an instant, NaN as 0 as the service has it; absent beyond the years -262143 to
// 262142, the calendar of the service. Milliseconds are thus a date in the far future.
std::optional<int64_t> instant_from_seconds(double seconds);

}  // namespace hogflare::flags
