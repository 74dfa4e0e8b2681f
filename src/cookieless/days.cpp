// Which day an event belongs to, and which days have a salt.
#include "days.h"

#include "hogflare/calendar.h"
#include "flags/timezone.h"
#include "hogflare/cookieless.h"
#include "hogflare/text.h"

namespace hogflare {
namespace {

constexpr int64_t kDaySeconds = 86'400;
constexpr int64_t kDayMs = kDaySeconds * 1000;
// Days begin first in zone +14.
constexpr int64_t kEarliestZoneMs = 14 * 3'600'000;

int64_t floor_div(int64_t value, int64_t by) {
  return value >= 0 ? value / by : -((-value + by - 1) / by);
}

flags::TimeZone zone_of(const VisitorZone& zone) {
  for (const std::string_view name : {zone.visitor, zone.project}) {
    if (name.empty()) continue;
    if (const auto known = flags::TimeZone::parse(name, zone.zones)) return *known;
  }
  return {};
}

}  // namespace

int64_t cookieless_day(int64_t at_ms, const VisitorZone& zone) {
  const int64_t utc = floor_div(at_ms, 1000);
  return floor_div(utc + zone_of(zone).offset_at(utc), kDaySeconds);
}

int64_t cookieless_midnight_ms(int64_t day, const VisitorZone& zone) {
  const flags::TimeZone where = zone_of(zone);
  const int64_t midnight = day * kDaySeconds;
  // Where a change of clocks skips midnight, the day begins with the change.
  return where.to_utc_seconds(midnight).value_or(midnight -
                                                 where.offset_at(midnight - kDaySeconds)) *
         1000;
}

std::string cookieless_day_text(int64_t day) {
  const Civil civil = civil_from_days(day);
  const auto padded = [](int64_t number, size_t width) {
    const std::string digits = std::to_string(number);
    return digits.size() >= width ? digits : std::string(width - digits.size(), '0') + digits;
  };
  return padded(civil.year, 4) + "-" + padded(civil.month, 2) + "-" + padded(civil.day, 2);
}

std::optional<int64_t> parse_cookieless_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = parse_int64(text.substr(0, 4));
  const auto month = parse_int64(text.substr(5, 2));
  const auto day = parse_int64(text.substr(8, 2));
  if (!year || !month || !day) return std::nullopt;
  const int64_t days = days_from_civil(
      Civil{static_cast<int>(*year), static_cast<int>(*month), static_cast<int>(*day)});
  // Signs, 31 June and the like come out as another day's text.
  if (cookieless_day_text(days) != text) return std::nullopt;
  return days;
}

int64_t cookieless_salt_ends_ms(int64_t day) {
  return day * kDayMs + limits::kCookielessSaltEndsMs;
}

bool has_cookieless_salt(int64_t day, int64_t now_ms) {
  // Far days, whose instants would not fit a number, are not near now either.
  const int64_t today = floor_div(now_ms, kDayMs);
  if (day < today - 10 || day > today + 10) return false;
  return now_ms >= day * kDayMs - limits::kCookielessSaltOpensMs &&
         now_ms < cookieless_salt_ends_ms(day);
}

bool is_far_from_cookieless_salts(int64_t at_ms, int64_t now_ms) {
  const int64_t day = floor_div(at_ms, kDayMs);
  // No zone is more than a day from UTC.
  return !may_have_cookieless_salt(day - 1, now_ms) && !may_have_cookieless_salt(day, now_ms) &&
         !may_have_cookieless_salt(day + 1, now_ms);
}

bool takes_cookieless_day(int64_t day, int64_t now_ms, const VisitorZone& zone) {
  if (has_cookieless_salt(day, now_ms)) return true;
  return may_have_cookieless_salt(day, now_ms) && now_ms >= cookieless_midnight_ms(day, zone);
}

bool may_have_cookieless_salt(int64_t day, int64_t now_ms) {
  return has_cookieless_salt(day, now_ms) ||
         has_cookieless_salt(day, now_ms + kEarliestZoneMs - limits::kCookielessSaltOpensMs);
}

}  // namespace hogflare
