// Dates of the is_date_* operators.
//
//   DateFilter filter = parse_date_filter("-7d", zone);
//   std::optional<int64_t> edge = filter.instant_us(now_ms);
//
// Instants are microseconds since 1970 in UTC. Source: flag-semantics.md §4.3.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "flags/timezone.h"

namespace hogflare::flags {

// What a filter's date text means: nothing, a fixed instant, or "N units before now".
class DateFilter {
 public:
  DateFilter() = default;
  explicit DateFilter(int64_t instant_us) : form_(Form::kInstant), instant_us_(instant_us) {}
  DateFilter(int count, char unit) : form_(Form::kRelative), count_(count), unit_(unit) {}

  // Absent when the text was no date.
  std::optional<int64_t> instant_us(int64_t now_ms) const;
  bool is_date() const { return form_ != Form::kNone; }

 private:
  enum class Form : uint8_t { kNone, kInstant, kRelative };
  Form form_ = Form::kNone;
  int64_t instant_us_ = 0;
  int count_ = 0;
  char unit_ = 'd';
};

// `-?N[hdwmy]` below 10000, RFC 3339, ISO forms, naive ones in `zone`, Unix times of 10, 13, 16 or
// 19 digits, RFC 2822.
DateFilter parse_date_filter(std::string_view text, const TimeZone& zone);

// The same for a property's text; numeric text is epoch seconds instead.
std::optional<int64_t> parse_date_property(std::string_view text, const TimeZone& zone,
                                           int64_t now_ms);

// Epoch seconds as an instant; absent when far outside the calendar.
std::optional<int64_t> instant_from_seconds(double seconds);

}  // namespace hogflare::flags
