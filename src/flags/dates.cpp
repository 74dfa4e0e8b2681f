#include "flags/dates.h"

#include <array>
#include <cmath>

#include "hogflare/flags_limits.h"
#include "hogflare/text.h"
#include "flags/calendar.h"
#include "flags/text.h"

namespace hogflare::flags {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
// The calendar's ends, year 0 to 9999, in seconds.
constexpr double kSecondsMin = -62'167'219'200.0;
constexpr double kSecondsMax = 253'402'300'799.0;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads exactly `count` digits.
bool take_digits(std::string_view& text, size_t count, int& out) {
  if (text.size() < count) return false;
  int value = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return false;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  out = value;
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

struct Clock {
  int hour = 0;
  int minute = 0;
  int second = 0;
  int64_t micros = 0;
};

// HH:MM[:SS[.fraction]]
bool take_clock(std::string_view& text, Clock& clock) {
  if (!take_digits(text, 2, clock.hour) || !take(text, ':') ||
      !take_digits(text, 2, clock.minute)) {
    return false;
  }
  if (take(text, ':')) {
    if (!take_digits(text, 2, clock.second)) return false;
    if (take(text, '.')) {
      size_t digits = 0;
      while (digits < text.size() && is_digit(text[digits])) {
        if (digits < 6) clock.micros = clock.micros * 10 + (text[digits] - '0');
        ++digits;
      }
      if (digits == 0) return false;
      for (size_t i = digits; i < 6; ++i) clock.micros *= 10;
      text.remove_prefix(digits);
    }
  }
  return clock.hour < 24 && clock.minute < 60 && clock.second <= 60;
}

// Z, UTC, GMT, +HH:MM, +HHMM, +HH, behind optional space. Nothing left means a naive time.
enum class Offset : uint8_t { kNaive, kGiven, kBroken };

Offset take_offset(std::string_view text, int64_t& seconds) {
  text = trim(text);
  if (text.empty()) return Offset::kNaive;
  if (text == "Z" || text == "z" || text == "UTC" || text == "GMT") return Offset::kGiven;
  const bool west = text[0] == '-';
  if (!west && text[0] != '+') return Offset::kBroken;
  text.remove_prefix(1);
  int hours = 0;
  int minutes = 0;
  if (!take_digits(text, 2, hours)) return Offset::kBroken;
  if (!text.empty()) {
    take(text, ':');
    if (!take_digits(text, 2, minutes) || !text.empty()) return Offset::kBroken;
  }
  if (hours > 23 || minutes > 59) return Offset::kBroken;
  seconds = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
  return Offset::kGiven;
}

bool valid(const Civil& date) {
  return date.month >= 1 && date.month <= 12 && date.day >= 1 &&
         date.day <= days_in_month(date.year, date.month);
}

std::optional<int64_t> join(const Civil& date, const Clock& clock, std::string_view rest,
                            const TimeZone& zone) {
  if (!valid(date)) return std::nullopt;
  const int64_t local = days_from_civil(date) * 86400 + clock.hour * 3600 + clock.minute * 60 +
                        clock.second;
  int64_t offset = 0;
  switch (take_offset(rest, offset)) {
    case Offset::kNaive:
      return zone.to_utc_seconds(local) * kMicrosPerSecond + clock.micros;
    case Offset::kGiven:
      return (local - offset) * kMicrosPerSecond + clock.micros;
    case Offset::kBroken:
      break;
  }
  return std::nullopt;
}

// YYYY-MM-DD, with '/' too, then nothing or a time.
std::optional<int64_t> parse_iso(std::string_view text, const TimeZone& zone) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (!take_digits(text, 4, year) || text.empty()) return std::nullopt;
  const char separator = text[0];
  if ((separator != '-' && separator != '/') || !take(text, separator) ||
      !take_digits(text, 2, month) || !take(text, separator) || !take_digits(text, 2, day)) {
    return std::nullopt;
  }
  Clock clock;
  if (!text.empty()) {
    if (text[0] != 'T' && text[0] != 't' && text[0] != ' ') return std::nullopt;
    text.remove_prefix(1);
    if (!take_clock(text, clock)) return std::nullopt;
  }
  return join(Civil{year, month, day}, clock, text, zone);
}

int month_from_name(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kNames = {
      "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (equals_ignoring_case(text, kNames[i])) return static_cast<int>(i) + 1;
  }
  return 0;
}

// [Wed, ]02 Jun 2021 06:31:39 GMT
std::optional<int64_t> parse_rfc2822(std::string_view text, const TimeZone& zone) {
  const size_t comma = text.find(',');
  if (comma == 3) text = trim(text.substr(comma + 1));
  int day = 0;
  int year = 0;
  if (!take_digits(text, text.size() > 1 && is_digit(text[1]) ? 2 : 1, day) || !take(text, ' ') ||
      text.size() < 3) {
    return std::nullopt;
  }
  const int month = month_from_name(text.substr(0, 3));
  text.remove_prefix(3);
  Clock clock;
  if (month == 0 || !take(text, ' ') || !take_digits(text, 4, year) || !take(text, ' ') ||
      !take_clock(text, clock)) {
    return std::nullopt;
  }
  return join(Civil{year, month, day}, clock, text, zone);
}

// The fallback parser reads bare digits as a Unix time by their number.
std::optional<int64_t> parse_unix_digits(std::string_view text) {
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
  }
  int64_t value = 0;
  if (text.size() != 10 && text.size() != 13 && text.size() != 16 && text.size() != 19) {
    return std::nullopt;
  }
  if (text.size() == 19) text.remove_suffix(3);  // nanoseconds
  for (const char c : text) value = value * 10 + (c - '0');
  for (size_t i = text.size(); i < 16; ++i) value *= 10;
  return value;
}

std::optional<int64_t> parse_absolute(std::string_view text, const TimeZone& zone) {
  if (const std::optional<int64_t> iso = parse_iso(text, zone)) return iso;
  const std::string_view trimmed = trim(text);
  if (const std::optional<int64_t> unix_time = parse_unix_digits(trimmed)) return unix_time;
  if (trimmed.size() != text.size()) {
    if (const std::optional<int64_t> iso = parse_iso(trimmed, zone)) return iso;
  }
  return parse_rfc2822(trimmed, zone);
}

struct Relative {
  int count;
  char unit;
};

std::optional<Relative> parse_relative(std::string_view text) {
  take(text, '-');
  if (text.size() < 2 || text.size() > 6) return std::nullopt;
  const char unit = text.back();
  if (std::string_view("hdwmy").find(unit) == std::string_view::npos) return std::nullopt;
  int count = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (!is_digit(c)) return std::nullopt;
    count = count * 10 + (c - '0');
  }
  if (count >= limits::kRelativeDateMax) return std::nullopt;
  return Relative{count, unit};
}

// One calendar step after the other, the day cut to the month's length each time: 31 March less two
// months is 28 January.
int64_t step_back(int64_t now_us, int count, char unit) {
  const int64_t day_us = 86400 * kMicrosPerSecond;
  if (unit == 'h') return now_us - count * 3600 * kMicrosPerSecond;
  if (unit == 'd') return now_us - count * day_us;
  if (unit == 'w') return now_us - count * 7 * day_us;
  int64_t days = now_us / day_us;
  int64_t rest = now_us % day_us;
  if (rest < 0) {
    rest += day_us;
    --days;
  }
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
  return days_from_civil(date) * day_us + rest;
}

}  // namespace

std::optional<int64_t> DateFilter::instant_us(int64_t now_ms) const {
  switch (form_) {
    case Form::kNone:
      return std::nullopt;
    case Form::kInstant:
      return instant_us_;
    case Form::kRelative:
      break;
  }
  return step_back(now_ms * 1000, count_, unit_);
}

DateFilter parse_date_filter(std::string_view text, const TimeZone& zone) {
  if (const std::optional<Relative> relative = parse_relative(text)) {
    return DateFilter(relative->count, relative->unit);
  }
  const std::optional<int64_t> instant = parse_absolute(text, zone);
  return instant ? DateFilter(*instant) : DateFilter();
}

std::optional<int64_t> parse_date_property(std::string_view text, const TimeZone& zone,
                                           int64_t now_ms) {
  if (const std::optional<double> seconds = parse_number(text)) {
    return instant_from_seconds(*seconds);
  }
  return parse_date_filter(text, zone).instant_us(now_ms);
}

std::optional<int64_t> instant_from_seconds(double seconds) {
  if (!(seconds >= kSecondsMin && seconds <= kSecondsMax)) return std::nullopt;
  return static_cast<int64_t>(std::llround(seconds * 1e6));
}

}  // namespace hogflare::flags
