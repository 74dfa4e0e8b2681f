#include "flags/dates.h"

#include <cmath>

#include "flags/text.h"
#include "hogflare/ascii.h"
#include "hogflare/calendar.h"
#include "hogflare/flags_limits.h"
#include "wire/date_text.h"

namespace hogflare::flags {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;
// What chrono's calendar holds, in seconds: the years -262143 to 262142.
constexpr double kSecondsMin = -8'334'601'228'800.0;
constexpr double kSecondsMax = 8'210'266'876'799.0;

int64_t floor_divide(int64_t value, int64_t by) {
  return (value >= 0 ? value : value - (by - 1)) / by;
}

// The instant of a wall clock reading in `zone`.
std::optional<int64_t> from_wall_clock(int64_t wall_us, const TimeZone& zone) {
  const int64_t seconds = floor_divide(wall_us, kMicrosPerSecond);
  const std::optional<int64_t> utc = zone.to_utc_seconds(seconds);
  if (!utc) return std::nullopt;
  return *utc * kMicrosPerSecond + (wall_us - seconds * kMicrosPerSecond);
}

std::optional<int64_t> parse_absolute(std::string_view text, const TimeZone& zone,
                                      std::optional<int64_t> now_ms) {
  text = trim(text);
  if (const auto at = parse_rfc3339_us(text)) return at;
  if (const auto wall = parse_wall_clock_us(text)) return from_wall_clock(*wall, zone);
  if (const auto at = parse_iso_us(text, IsoForms::kWithOffset)) return at;
  return parse_date_text_us(text, now_ms);
}

struct Relative {
  int count;
  char unit;
};

std::optional<Relative> parse_relative(std::string_view text) {
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  if (text.size() < 2 || text.size() > limits::kRelativeDateBytesMax) return std::nullopt;
  const char unit = text.back();
  if (std::string_view("hdwmy").find(unit) == std::string_view::npos) return std::nullopt;
  int count = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (!is_digit(c)) return std::nullopt;
    count = count * 10 + (c - '0');
    if (count >= limits::kRelativeDateMax) return std::nullopt;
  }
  return Relative{count, unit};
}

// A wall clock that much earlier. One calendar step after the other, the day cut to the month's
// length each time: 31 March less two months is 28 January.
int64_t step_back(int64_t wall_us, int count, char unit) {
  if (unit == 'h') return wall_us - count * 3600 * kMicrosPerSecond;
  if (unit == 'd') return wall_us - count * kMicrosPerDay;
  if (unit == 'w') return wall_us - count * 7 * kMicrosPerDay;
  const int64_t days = floor_divide(wall_us, kMicrosPerDay);
  Civil date = civil_from_days(days);
  for (int i = 0; i < count; ++i) {
    if (unit == 'y') {
      --date.year;
    } else if (--date.month == 0) {
      date.month = 12;
      --date.year;
    }
    const int last = days_in_month(date.year, date.month);
    if (date.day > last) date.day = last;
  }
  return days_from_civil(date) * kMicrosPerDay + (wall_us - days * kMicrosPerDay);
}

}  // namespace

std::optional<int64_t> DateFilter::instant_us(int64_t now_ms, const TimeZone& zone) const {
  switch (form_) {
    case Form::kNone:
      return std::nullopt;
    case Form::kInstant:
      return instant_us_;
    case Form::kOfToday:
      return parse_absolute(text_, zone, now_ms);
    case Form::kRelative:
      break;
  }
  const int64_t wall_ms = now_ms + zone.offset_at(floor_divide(now_ms, 1000)) * 1000;
  return from_wall_clock(step_back(wall_ms * 1000, count_, unit_), zone);
}

DateFilter parse_date_filter(std::string_view text, const TimeZone& zone) {
  if (const std::optional<Relative> relative = parse_relative(text)) {
    return DateFilter(relative->count, relative->unit);
  }
  if (const auto instant = parse_absolute(text, zone, std::nullopt)) return DateFilter(*instant);
  // Only "2025.02" may be a date on one day and none on another; on the first of a month all are.
  return parse_absolute(text, zone, 0) ? DateFilter(text) : DateFilter();
}

std::optional<int64_t> parse_date_property(std::string_view text, const TimeZone& zone,
                                           int64_t now_ms) {
  if (const std::optional<double> seconds = parse_number(text)) {
    return instant_from_seconds(*seconds);
  }
  if (const std::optional<Relative> relative = parse_relative(text)) {
    return DateFilter(relative->count, relative->unit).instant_us(now_ms, zone);
  }
  return parse_absolute(text, zone, now_ms);
}

bool is_portable_date(std::string_view text, const TimeZone& zone) {
  if (const std::optional<Relative> relative = parse_relative(text)) {
    const bool by_calendar = relative->unit == 'm' || relative->unit == 'y';
    return zone.is_utc() && (!by_calendar || relative->count <= 1);
  }
  if (text.size() < 10 || !is_digit(text[0])) return false;
  const bool has_zone = parse_rfc3339_us(text).has_value();
  return has_zone ||
         (zone.is_utc() && parse_iso_us(text, IsoForms::kAny) &&
          text.find_first_not_of("0123456789-:.T") == std::string_view::npos && text[4] == '-');
}

std::optional<int64_t> instant_from_seconds(double seconds) {
  if (std::isnan(seconds)) return 0;
  if (!(seconds >= kSecondsMin && seconds <= kSecondsMax)) return std::nullopt;
  return static_cast<int64_t>(std::llround(seconds * 1e6));
}

}  // namespace hogflare::flags
