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
  int64_t year;
  int month;
  int day;
};

// Days since 1970-01-01 in the proleptic Gregorian calendar, by counting from 1 March so that the
// leap day is the last of its year.
int64_t days_of(const Civil& date) {
  const int64_t year = date.month <= 2 ? date.year - 1 : date.year;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t month_from_march = (date.month + 9) % 12;
  const int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

Civil civil_of(int64_t days) {
  days += 719'468;
  const int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const int64_t day_of_era = days - era * 146'097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  const int month = static_cast<int>(month_from_march < 10 ? month_from_march + 3
                                                           : month_from_march - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

int days_in_month(int64_t year, int month) {
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

void append_padded(std::string& out, int64_t value, int width) {
  char digits[8];
  for (int i = width - 1; i >= 0; --i) {
    digits[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out.append(digits, static_cast<size_t>(width));
}

}  // namespace

std::optional<int64_t> parse_timestamp(std::string_view text) {
  text = trim_ascii(text);
  if (looks_numeric(text)) return parse_number(text);
  if (const auto iso = parse_iso(text, Strictness::kLenient)) return iso;
  return parse_rfc2822(text);
}

std::optional<int64_t> parse_rfc3339(std::string_view text) {
  return parse_iso(text, Strictness::kRfc3339);
}

void append_rfc3339(std::string& out, int64_t unix_ms) {
  HF_ASSERT(is_writable(unix_ms));
  const int64_t days = days_before(unix_ms);
  const int64_t ms = unix_ms - days * kDayMs;
  const Civil date = civil_of(days);
  append_padded(out, date.year, 4);
  out += '-';
  append_padded(out, date.month, 2);
  out += '-';
  append_padded(out, date.day, 2);
  out += 'T';
  append_padded(out, ms / kHourMs, 2);
  out += ':';
  append_padded(out, ms / kMinuteMs % 60, 2);
  out += ':';
  append_padded(out, ms / kSecondMs % 60, 2);
  out += '.';
  append_padded(out, ms % kSecondMs, 3);
  out += 'Z';
}

void append_imf_fixdate(std::string& out, int64_t unix_ms) {
  HF_ASSERT(is_writable(unix_ms));
  // 1970-01-01 was a Thursday.
  static constexpr std::array<std::string_view, 7> kDays = {"Thu", "Fri", "Sat", "Sun",
                                                            "Mon", "Tue", "Wed"};
  const int64_t days = days_before(unix_ms);
  const int64_t ms = unix_ms - days * kDayMs;
  const Civil date = civil_of(days);
  out += kDays[static_cast<size_t>((days % 7 + 7) % 7)];
  out += ", ";
  append_padded(out, date.day, 2);
  out += ' ';
  out += kMonths[static_cast<size_t>(date.month - 1)];
  out += ' ';
  append_padded(out, date.year, 4);
  out += ' ';
  append_padded(out, ms / kHourMs, 2);
  out += ':';
  append_padded(out, ms / kMinuteMs % 60, 2);
  out += ':';
  append_padded(out, ms / kSecondMs % 60, 2);
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
