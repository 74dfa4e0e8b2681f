#include "hogflare/timestamp.h"

#include <array>

#include "hogflare/result.h"
#include "hogflare/text.h"

namespace hogflare {
namespace {

constexpr int64_t kSecondMs = 1000;
constexpr int64_t kMinuteMs = 60 * kSecondMs;
constexpr int64_t kHourMs = 60 * kMinuteMs;
constexpr int64_t kDayMs = 24 * kHourMs;
// PostHog: a time this far ahead is a wrong clock.
constexpr int64_t kFutureMaxMs = 23 * kHourMs;
// Numbers from here up are milliseconds: as seconds they would lie beyond the year 5138.
constexpr int64_t kMillisecondsFrom = 100'000'000'000;

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

// Reads a text from left to right; every taker leaves the place unchanged when it fails.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool done() const { return at_ == text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  std::string_view rest() const { return text_.substr(at_); }

  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // Exactly `count` digits.
  std::optional<int> digits(size_t count) {
    if (text_.size() - at_ < count) return std::nullopt;
    int value = 0;
    for (size_t i = 0; i < count; ++i) {
      const char c = text_[at_ + i];
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    at_ += count;
    return value;
  }
  // Milliseconds from the digits of a fraction; at least one digit.
  std::optional<int> fraction_ms() {
    int value = 0;
    int count = 0;
    for (; !done() && peek() >= '0' && peek() <= '9'; ++at_, ++count) {
      if (count < 3) value = value * 10 + (peek() - '0');
    }
    if (count == 0) return std::nullopt;
    for (; count < 3; ++count) value *= 10;
    return value;
  }
  void skip_spaces() {
    while (peek() == ' ') ++at_;
  }
  // A run of letters.
  std::string_view word() {
    const size_t from = at_;
    while ((peek() >= 'a' && peek() <= 'z') || (peek() >= 'A' && peek() <= 'Z')) ++at_;
    return text_.substr(from, at_ - from);
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

enum class Seconds { kNeeded, kOptional };

// hh:mm[:ss[.fraction]]; second 60 is a leap second and counts as the next minute's start.
std::optional<int64_t> take_time_of_day(Reader& reader, Seconds seconds) {
  const auto hour = reader.digits(2);
  if (!hour || *hour > 23 || !reader.take(':')) return std::nullopt;
  const auto minute = reader.digits(2);
  if (!minute || *minute > 59) return std::nullopt;
  int64_t ms = *hour * kHourMs + *minute * kMinuteMs;
  if (!reader.take(':')) return seconds == Seconds::kOptional ? std::optional(ms) : std::nullopt;
  const auto second = reader.digits(2);
  if (!second || *second > 60) return std::nullopt;
  ms += *second * kSecondMs;
  if (!reader.take('.')) return ms;
  const auto fraction = reader.fraction_ms();
  if (!fraction) return std::nullopt;
  return ms + *fraction;
}

// +hh:mm, +hhmm or +hh behind the sign.
std::optional<int64_t> take_offset(Reader& reader) {
  const bool west = reader.peek() == '-';
  if (!reader.take('-') && !reader.take('+')) return std::nullopt;
  const auto hours = reader.digits(2);
  if (!hours || *hours > 23) return std::nullopt;
  const bool colon = reader.take(':');
  int minutes = 0;
  if (colon || !reader.done()) {
    const auto given = reader.digits(2);
    if (!given || *given > 59) return std::nullopt;
    minutes = *given;
  }
  const int64_t ms = *hours * kHourMs + minutes * kMinuteMs;
  return west ? -ms : ms;
}

std::optional<Civil> take_date(Reader& reader) {
  const auto year = reader.digits(4);
  if (!year || !reader.take('-')) return std::nullopt;
  const auto month = reader.digits(2);
  if (!month || *month < 1 || *month > 12 || !reader.take('-')) return std::nullopt;
  const auto day = reader.digits(2);
  if (!day || *day < 1 || *day > days_in_month(*year, *month)) return std::nullopt;
  return Civil{*year, *month, *day};
}

enum class Strictness { kRfc3339, kLenient };

std::optional<int64_t> parse_iso(std::string_view text, Strictness strictness) {
  const bool lenient = strictness == Strictness::kLenient;
  Reader reader(text);
  const auto date = take_date(reader);
  if (!date) return std::nullopt;
  const int64_t midnight = days_of(*date) * kDayMs;
  if (reader.done()) return lenient ? std::optional(midnight) : std::nullopt;
  if (!reader.take('T') && !reader.take('t') && !reader.take(' ')) return std::nullopt;
  const auto time = take_time_of_day(reader, lenient ? Seconds::kOptional : Seconds::kNeeded);
  if (!time) return std::nullopt;
  const int64_t local = midnight + *time;
  if (reader.done()) return lenient ? std::optional(local) : std::nullopt;
  if (lenient) reader.skip_spaces();
  if (reader.rest() == "Z" || reader.rest() == "z") return local;
  if (lenient && reader.rest() == "UTC") return local;
  const bool full_offset = reader.rest().size() == 6;  // +hh:mm
  const auto offset = take_offset(reader);
  if (!offset || !reader.done() || (!lenient && !full_offset)) return std::nullopt;
  return local - *offset;
}

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::optional<int> month_of(std::string_view name) {
  for (size_t i = 0; i < kMonths.size(); ++i) {
    if (equals_ignoring_case(name, kMonths[i])) return static_cast<int>(i) + 1;
  }
  return std::nullopt;
}

// RFC 2822 §3.3 and the obsolete zone names of §4.3.
std::optional<int64_t> zone_offset(Reader& reader) {
  if (reader.peek() == '+' || reader.peek() == '-') return take_offset(reader);
  struct Zone {
    std::string_view name;
    int hours;
  };
  static constexpr std::array<Zone, 12> kZones = {{{"GMT", 0}, {"UT", 0}, {"UTC", 0}, {"Z", 0},
                                                   {"EST", -5}, {"EDT", -4}, {"CST", -6},
                                                   {"CDT", -5}, {"MST", -7}, {"MDT", -6},
                                                   {"PST", -8}, {"PDT", -7}}};
  const std::string_view name = reader.word();
  for (const Zone& zone : kZones) {
    if (equals_ignoring_case(name, zone.name)) return zone.hours * kHourMs;
  }
  return std::nullopt;
}

std::optional<int64_t> parse_rfc2822(std::string_view text) {
  Reader reader(text);
  if (!reader.word().empty()) {
    if (!reader.take(',')) return std::nullopt;
    reader.skip_spaces();
  }
  auto day = reader.digits(2);
  if (!day) day = reader.digits(1);
  if (!day || !reader.take(' ')) return std::nullopt;
  reader.skip_spaces();
  const auto month = month_of(reader.word());
  if (!month || !reader.take(' ')) return std::nullopt;
  reader.skip_spaces();
  const auto year = reader.digits(4);
  if (!year || *day < 1 || *day > days_in_month(*year, *month)) return std::nullopt;
  if (!reader.take(' ')) return std::nullopt;
  reader.skip_spaces();
  const auto time = take_time_of_day(reader, Seconds::kOptional);
  if (!time || !reader.take(' ')) return std::nullopt;
  reader.skip_spaces();
  const auto offset = zone_offset(reader);
  if (!offset || !reader.done()) return std::nullopt;
  return days_of({*year, *month, *day}) * kDayMs + *time - *offset;
}

std::optional<int64_t> parse_number(std::string_view text) {
  const size_t dot = text.find('.');
  const auto whole = parse_int64(text.substr(0, dot));
  if (!whole) return std::nullopt;
  const bool negative = text.front() == '-';
  int fraction = 0;
  if (dot != std::string_view::npos) {
    Reader reader(text.substr(dot + 1));
    const auto given = reader.fraction_ms();
    if (!given || !reader.done()) return std::nullopt;
    fraction = *given;
  }
  const int64_t magnitude = negative ? -*whole : *whole;
  const int64_t ms =
      magnitude >= kMillisecondsFrom ? magnitude : magnitude * kSecondMs + fraction;
  return negative ? -ms : ms;
}

bool looks_numeric(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool sign = i == 0 && (c == '-' || c == '+');
    if (!sign && c != '.' && (c < '0' || c > '9')) return false;
  }
  return !text.empty();
}

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
// parse_iso.
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
      date.day > days_in_month(date.year, date.month) ||
      hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || ms < 0) {
    return std::nullopt;
  }
  return days_of(date) * kDayMs + hour * kHourMs + minute * kMinuteMs + second * kSecondMs + ms;
}

}  // namespace

std::optional<int64_t> parse_timestamp(std::string_view text) {
  text = trim_ascii(text);
  if (const auto usual = parse_usual(text)) return usual;
  if (looks_numeric(text)) return parse_number(text);
  if (const auto iso = parse_iso(text, Strictness::kLenient)) return iso;
  return parse_rfc2822(text);
}

std::optional<int64_t> parse_rfc3339(std::string_view text) {
  return parse_iso(text, Strictness::kRfc3339);
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
