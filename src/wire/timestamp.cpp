#include "hogflare/timestamp.h"

#include <algorithm>
#include <array>

#include "hogflare/ascii.h"
#include "hogflare/result.h"
#include "hogflare/text.h"
#include "wire/date_text.h"

namespace hogflare {
namespace {

constexpr int64_t kSecondMs = 1000;
constexpr int64_t kMinuteMs = 60 * kSecondMs;
constexpr int64_t kHourMs = 60 * kMinuteMs;
constexpr int64_t kDayMs = 24 * kHourMs;
// PostHog: a time this far ahead is a wrong clock.
constexpr int64_t kFutureMaxMs = 23 * kHourMs;

bool is_writable(int64_t unix_ms) {
  return unix_ms >= kFirstWritableMs && unix_ms <= kLastWritableMs;
}

struct Civil {
  int year;
  int month;
  int day;
};

// Days since 1970-01-01 in the proleptic Gregorian calendar, by counting from 1 March so that the
// leap day is the last of its year.
int64_t days_of(const Civil& date) {
  const int year = date.month <= 2 ? date.year - 1 : date.year;
  const int era = (year >= 0 ? year : year - 399) / 400;
  const int year_of_era = year - era * 400;
  const int month_from_march = (date.month + 9) % 12;
  const int day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
  const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

// Of a writable instant's day, which fits 32 bits.
Civil civil_of(int64_t days_since_1970) {
  const int days = static_cast<int>(days_since_1970) + 719'468;
  const int era = (days >= 0 ? days : days - 146'096) / 146'097;
  const int day_of_era = days - era * 146'097;
  const int year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int month_from_march = (5 * day_of_year + 2) / 153;
  const int day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const int month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

int days_in_month(int year, int month) {
  static constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[static_cast<size_t>(month - 1)];
}

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Whole days from the epoch to the day of `unix_ms`.
int64_t days_before(int64_t unix_ms) {
  return (unix_ms >= 0 ? unix_ms : unix_ms - (kDayMs - 1)) / kDayMs;
}

// Two digits; returns what is behind them.
char* put_two(char* at, uint32_t value) {
  at[0] = static_cast<char>('0' + value / 10);
  at[1] = static_cast<char>('0' + value % 10);
  return at + 2;
}

char* put_four(char* at, uint32_t value) { return put_two(put_two(at, value / 100), value % 100); }

char* put(char* at, char c) {
  *at = c;
  return at + 1;
}

// "hh:mm:ss"
char* put_time_of_day(char* at, uint32_t ms_of_day) {
  const uint32_t seconds = ms_of_day / 1000;
  at = put(put_two(at, seconds / 3600), ':');
  at = put(put_two(at, seconds / 60 % 60), ':');
  return put_two(at, seconds % 60);
}

// The digits at `at`, or a negative number when there is anything else.
int digits_at(std::string_view text, size_t at, size_t count) {
  int value = 0;
  for (size_t i = at; i < at + count; ++i) {
    const auto digit = static_cast<unsigned char>(text[i] - '0');
    if (digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

// "2026-01-02T03:04:05.678Z", the form JavaScript and most SDKs write; anything unusual is left to
// date_text.cpp.
std::optional<int64_t> parse_usual(std::string_view text) {
  if (text.size() != 24 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':' || text[19] != '.' || text[23] != 'Z') {
    return std::nullopt;
  }
  const Civil date{digits_at(text, 0, 4), digits_at(text, 5, 2), digits_at(text, 8, 2)};
  const int hour = digits_at(text, 11, 2);
  const int minute = digits_at(text, 14, 2);
  const int second = digits_at(text, 17, 2);
  const int ms = digits_at(text, 20, 3);
  if (date.year < 0 || date.month < 1 || date.month > 12 || date.day < 1 ||
      date.day > days_in_month(date.year, date.month) || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 59 || ms < 0) {
    return std::nullopt;
  }
  return days_of(date) * kDayMs + hour * kHourMs + minute * kMinuteMs + second * kSecondMs + ms;
}

// The first three digits behind a point; digits must be all there is.
std::optional<int64_t> thousandths(std::string_view digits) {
  int64_t value = 0;
  for (size_t i = 0; i < std::max<size_t>(digits.size(), 3); ++i) {
    const auto digit = static_cast<unsigned char>(i < digits.size() ? digits[i] - '0' : 0);
    if (digit > 9) return std::nullopt;
    if (i < 3) value = value * 10 + digit;
  }
  return value;
}

int64_t to_ms(int64_t us) { return (us >= 0 ? us : us - 999) / 1000; }

}  // namespace

std::optional<int64_t> parse_timestamp(std::string_view text, std::optional<int64_t> now_ms) {
  text = trim_ascii(text);
  if (const auto usual = parse_usual(text)) return usual;
  auto at_us = parse_rfc3339_us(text);
  if (!at_us) at_us = parse_date_text_us(text, now_ms);
  if (!at_us) at_us = parse_iso_us(text, IsoForms::kAny);
  return at_us ? std::optional(to_ms(*at_us)) : std::nullopt;
}

std::optional<int64_t> parse_epoch_number(std::string_view number) {
  const size_t dot = number.find('.');
  const std::string_view whole = number.substr(0, dot);
  for (const char c : whole) {
    if (!is_digit(c)) return std::nullopt;
  }
  if (whole.size() == 10) {
    const auto ms = dot == std::string_view::npos ? std::optional<int64_t>(0)
                                                  : thousandths(number.substr(dot + 1));
    return ms ? std::optional(*parse_int64(whole) * kSecondMs + *ms) : std::nullopt;
  }
  if (whole.size() != 13 && whole.size() != 16 && whole.size() != 19) return std::nullopt;
  return parse_int64(whole.substr(0, 13));
}

std::optional<int64_t> parse_rfc3339(std::string_view text) {
  if (const auto usual = parse_usual(text)) return usual;
  const auto at_us = parse_rfc3339_us(text);
  return at_us ? std::optional(to_ms(*at_us)) : std::nullopt;
}

void append_rfc3339(std::string& out, int64_t unix_ms) {
  if (!is_writable(unix_ms)) unix_ms = 0;
  const int64_t days = days_before(unix_ms);
  const auto ms = static_cast<uint32_t>(unix_ms - days * kDayMs);
  const Civil date = civil_of(days);
  char text[24];
  char* at = put(put_four(text, static_cast<uint32_t>(date.year)), '-');
  at = put(put_two(at, static_cast<uint32_t>(date.month)), '-');
  at = put(put_two(at, static_cast<uint32_t>(date.day)), 'T');
  at = put(put_time_of_day(at, ms), '.');
  at = put(at, static_cast<char>('0' + ms % 1000 / 100));
  put(put_two(at, ms % 100), 'Z');
  out.append(text, sizeof text);
}

void append_imf_fixdate(std::string& out, int64_t unix_ms) {
  HF_ASSERT(is_writable(unix_ms));
  // 1970-01-01 was a Thursday.
  static constexpr std::array<std::string_view, 7> kDays = {"Thu", "Fri", "Sat", "Sun",
                                                            "Mon", "Tue", "Wed"};
  const int64_t days = days_before(unix_ms);
  const auto ms = static_cast<uint32_t>(unix_ms - days * kDayMs);
  const Civil date = civil_of(days);
  out += kDays[static_cast<size_t>((days % 7 + 7) % 7)];
  out += ", ";
  char day[3];
  put(put_two(day, static_cast<uint32_t>(date.day)), ' ');
  out.append(day, sizeof day);
  out += kMonths[static_cast<size_t>(date.month - 1)];
  char rest[14];
  char* at = put(rest, ' ');
  at = put(put_four(at, static_cast<uint32_t>(date.year)), ' ');
  put_time_of_day(at, ms);
  out.append(rest, sizeof rest);
  out += " GMT";
}

int64_t EventClock::event_time(const EventTimes& times) const {
  int64_t at = now_ms;
  if (times.offset_ms) {
    at = now_ms - *times.offset_ms;
  } else if (times.timestamp_ms) {
    at = *times.timestamp_ms;
    if (sent_at_ms && !times.ignore_sent_at) at += now_ms - *sent_at_ms;
  }
  if (at > now_ms + kFutureMaxMs) return now_ms;
  return is_writable(at) ? at : 0;
}

}  // namespace hogflare
