#include "flags/timezone.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "hogflare/ascii.h"
#include "hogflare/calendar.h"

namespace hogflare::flags {
namespace {

bool take_number(std::string_view& text, int max, int& out) {
  size_t digits = 0;
  int value = 0;
  while (digits < text.size() && digits < 4 && is_digit(text[digits])) {
    value = value * 10 + (text[digits++] - '0');
  }
  if (digits == 0 || value > max) return false;
  text.remove_prefix(digits);
  out = value;
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

// [+-]h[h[h]][:mm[:ss]]
bool take_clock(std::string_view& text, int hours_max, int64_t& seconds) {
  int sign = 1;
  if (take(text, '-')) {
    sign = -1;
  } else {
    take(text, '+');
  }
  int hours = 0;
  int minutes = 0;
  int rest = 0;
  if (!take_number(text, hours_max, hours)) return false;
  if (take(text, ':')) {
    if (!take_number(text, 59, minutes)) return false;
    if (take(text, ':') && !take_number(text, 59, rest)) return false;
  }
  seconds = sign * (static_cast<int64_t>(hours) * 3600 + minutes * 60 + rest);
  return true;
}

bool take_name(std::string_view& text) {
  size_t length = 0;
  if (!text.empty() && text[0] == '<') {
    length = text.find('>');
    if (length == std::string_view::npos) return false;
    text.remove_prefix(length + 1);
    return true;
  }
  while (length < text.size() && is_letter(text[length])) ++length;
  if (length < 3) return false;
  text.remove_prefix(length);
  return true;
}

}  // namespace

bool TimeZone::parse_change(std::string_view& text, Change& change) {
  if (take(text, 'M')) {
    change.form = Change::Form::kMonthWeekDay;
    if (!take_number(text, 12, change.month) || change.month < 1 || !take(text, '.') ||
        !take_number(text, 5, change.week) || change.week < 1 || !take(text, '.') ||
        !take_number(text, 6, change.day)) {
      return false;
    }
  } else if (take(text, 'J')) {
    change.form = Change::Form::kJulian;
    if (!take_number(text, 365, change.day) || change.day < 1) return false;
  } else {
    change.form = Change::Form::kDayOfYear;
    if (!take_number(text, 365, change.day)) return false;
  }
  return !take(text, '/') || take_clock(text, 167, change.second);
}

std::optional<TimeZone> TimeZone::parse_posix(std::string_view text) {
  TimeZone zone;
  if (!take_name(text) || !take_clock(text, 24, zone.standard_offset_)) return std::nullopt;
  zone.standard_offset_ = -zone.standard_offset_;  // POSIX counts west of Greenwich
  if (text.empty()) return zone;
  if (!take_name(text)) return std::nullopt;
  zone.has_daylight_ = true;
  zone.daylight_offset_ = zone.standard_offset_ + 3600;
  if (!text.empty() && text[0] != ',') {
    if (!take_clock(text, 24, zone.daylight_offset_)) return std::nullopt;
    zone.daylight_offset_ = -zone.daylight_offset_;
  }
  if (!take(text, ',') || !parse_change(text, zone.start_) || !take(text, ',') ||
      !parse_change(text, zone.end_) || !text.empty()) {
    return std::nullopt;
  }
  return zone;
}

// Everybody who writes UTC+2 means two hours east of Greenwich; to POSIX they are west of it.
std::string TimeZone::correction(std::string_view text) {
  const std::string_view name = text.substr(0, 3);
  if (name != "UTC" && name != "GMT") return {};
  text.remove_prefix(3);
  const bool has_sign = !text.empty() && (text[0] == '+' || text[0] == '-');
  int64_t seconds = 0;
  if (!has_sign || !take_clock(text, 24, seconds) || !text.empty() || seconds == 0) return {};
  const int64_t minutes = std::abs(seconds) / 60;
  const char sign = seconds < 0 ? '-' : '+';
  std::string out = fmt::format("{}{:02}:{:02}", sign, minutes / 60, minutes % 60);
  if (minutes % 60 != 0 || minutes > 12 * 60) return out;
  return out + fmt::format(" or Etc/GMT{}{}", sign == '+' ? '-' : '+', minutes / 60);
}

std::optional<TimeZone> TimeZone::parse(std::string_view text, Zones* zones) {
  for (const std::string_view name : {"UTC", "Z", "GMT", "Etc/UTC", "Etc/GMT"}) {
    if (text == name) return TimeZone();
  }
  TimeZone zone;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    if (!take_clock(text, 24, zone.standard_offset_) || !text.empty()) return std::nullopt;
    return zone;
  }
  if (!correction(text).empty()) return std::nullopt;
  if (std::optional<TimeZone> rule = parse_posix(text)) return rule;
  // A zone that is known at all is known at every time.
  if (zones == nullptr || !zones->offset_at(text, 0)) return std::nullopt;
  zone.zones_ = zones;
  zone.name_ = text;
  return zone;
}

int64_t TimeZone::change_local_seconds(const Change& change, int64_t year) {
  int64_t day = days_from_civil(Civil{year, 1, 1});
  switch (change.form) {
    case Change::Form::kMonthWeekDay: {
      const int64_t first = days_from_civil(Civil{year, change.month, 1});
      const int first_weekday = static_cast<int>(((first + 4) % 7 + 7) % 7);  // 1970-01-01: 4
      int day_of_month = 1 + (change.day - first_weekday + 7) % 7 + (change.week - 1) * 7;
      while (day_of_month > days_in_month(year, change.month)) day_of_month -= 7;
      day = first + day_of_month - 1;
      break;
    }
    case Change::Form::kJulian:  // 1-365, 29 February is never counted
      day += change.day - 1 + (is_leap_year(year) && change.day >= 60 ? 1 : 0);
      break;
    case Change::Form::kDayOfYear:  // 0-365
      day += change.day;
      break;
  }
  return day * 86400 + change.second;
}

int64_t TimeZone::offset_at(int64_t utc_seconds) const {
  if (zones_ != nullptr) return zones_->offset_at(name_, utc_seconds).value_or(0);
  if (!has_daylight_) return standard_offset_;
  const int64_t local = utc_seconds + standard_offset_;
  const int64_t day = (local >= 0 ? local : local - 86399) / 86400;
  const int64_t year = civil_from_days(day).year;
  const int64_t start = change_local_seconds(start_, year) - standard_offset_;
  const int64_t end = change_local_seconds(end_, year) - daylight_offset_;
  const bool daylight = start < end ? utc_seconds >= start && utc_seconds < end
                                    : utc_seconds >= start || utc_seconds < end;
  return daylight ? daylight_offset_ : standard_offset_;
}

std::optional<int64_t> TimeZone::to_utc_seconds(int64_t local_seconds) const {
  // The offsets of the day before and after are those that hold around any change between.
  const int64_t before = offset_at(local_seconds - 86400);
  const int64_t after = offset_at(local_seconds + 86400);
  // The larger offset gives the earlier instant.
  for (const int64_t offset : {std::max(before, after), std::min(before, after)}) {
    const int64_t utc = local_seconds - offset;
    if (offset_at(utc) == offset) return utc;
  }
  return std::nullopt;
}

}  // namespace hogflare::flags
