#include "wire/date_text.h"

#include <array>

#include "hogflare/ascii.h"
#include "hogflare/calendar.h"
#include "hogflare/text.h"

namespace hogflare {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kDaySeconds = 86'400;
// The last whole year of chrono's calendar; its microseconds fit 64 bits.
constexpr int kYearMax = 262'142;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Reads a text from left to right. A taker that fails leaves the place anywhere: its form is given
// up.
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
  bool take(std::string_view word) {
    if (rest().substr(0, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void skip_spaces() {
    while (is_space(peek())) ++at_;
  }
  // One or more.
  bool spaces() {
    if (!is_space(peek())) return false;
    skip_spaces();
    return true;
  }
  // As many digits as there are up to `max`, at least `min`; at most nine.
  bool digits(size_t min, size_t max, int& value) {
    const size_t from = at_;
    value = 0;
    while (at_ - from < max && is_digit(peek())) value = value * 10 + (text_[at_++] - '0');
    return at_ - from >= min;
  }
  // All digits of a fraction, one to `max`, as microseconds.
  bool fraction(size_t max, int& micros) {
    const size_t from = at_;
    micros = 0;
    for (; is_digit(peek()); ++at_) {
      if (at_ - from < 6) micros = micros * 10 + (peek() - '0');
    }
    const size_t count = at_ - from;
    for (size_t i = count; i < 6; ++i) micros *= 10;
    return count >= 1 && count <= max;
  }
  std::string_view letters() {
    const size_t from = at_;
    while (is_letter(peek())) ++at_;
    return text_.substr(from, at_ - from);
  }
  // How many characters of `kind` stand here.
  size_t count(bool (*kind)(char)) const {
    size_t at = at_;
    while (at < text_.size() && kind(text_[at])) ++at;
    return at - at_;
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

struct Clock {
  int hour = 0;
  int minute = 0;
  int second = 0;  // 60: a leap second, which counts as the next minute's start
  int micros = 0;
};

bool is_valid(const Clock& clock) {
  return clock.hour < 24 && clock.minute < 60 && clock.second <= 60;
}

bool is_valid(const Civil& date) {
  return date.month >= 1 && date.month <= 12 && date.day >= 1 &&
         date.day <= days_in_month(date.year, date.month);
}

// The instant of a reading at `offset` seconds east of UTC.
std::optional<int64_t> join(const Civil& date, const Clock& clock, int64_t offset = 0) {
  if (!is_valid(date) || !is_valid(clock)) return std::nullopt;
  const int64_t seconds = days_from_civil(date) * kDaySeconds + clock.hour * 3600 +
                          clock.minute * 60 + clock.second - offset;
  return seconds * kSecondUs + clock.micros;
}

std::optional<int64_t> join_at_end(const Reader& reader, const Civil& date, const Clock& clock = {},
                                   int64_t offset = 0) {
  return reader.done() ? join(date, clock, offset) : std::nullopt;
}

// +hh:mm, +hhmm or +hh, in seconds.
bool take_offset(Reader& reader, int64_t& seconds) {
  const bool west = reader.peek() == '-';
  if (!reader.take('-') && !reader.take('+')) return false;
  int hours = 0;
  int minutes = 0;
  if (!reader.digits(2, 2, hours)) return false;
  if ((reader.take(':') || is_digit(reader.peek())) && !reader.digits(2, 2, minutes)) return false;
  seconds = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
  return hours < 24 && minutes < 60;
}

// The zone names of RFC 2822 §4.3.
std::optional<int> hours_of_zone(std::string_view name) {
  struct Zone {
    std::string_view name;
    int hours;
  };
  static constexpr std::array<Zone, 11> kZones = {{{"GMT", 0},
                                                   {"UT", 0},
                                                   {"UTC", 0},
                                                   {"EST", -5},
                                                   {"EDT", -4},
                                                   {"CST", -6},
                                                   {"CDT", -5},
                                                   {"MST", -7},
                                                   {"MDT", -6},
                                                   {"PST", -8},
                                                   {"PDT", -7}}};
  for (const Zone& zone : kZones) {
    if (equals_ignoring_case(name, zone.name)) return zone.hours;
  }
  return std::nullopt;
}

// An offset or a zone's name of three to six letters up to the end of the text. Names that RFC 2822
// does not know are UTC, as that document has it and PostHog reads them.
bool take_zone(Reader& reader, int64_t& offset) {
  if (!is_letter(reader.peek())) return take_offset(reader, offset) && reader.done();
  const std::string_view name = reader.letters();
  if (name.size() < 3 || name.size() > 6) return false;
  offset = hours_of_zone(name).value_or(0) * 3600;
  return reader.done();
}

// A month's English name or its first three letters.
bool take_month(Reader& reader, bool may_be_long, int& month) {
  static constexpr std::array<std::string_view, 12> kNames = {
      "january", "february", "march",     "april",   "may",      "june",
      "july",    "august",   "september", "october", "november", "december"};
  const std::string_view word = reader.letters();
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (equals_ignoring_case(word, kNames[i].substr(0, 3)) ||
        (may_be_long && equals_ignoring_case(word, kNames[i]))) {
      month = static_cast<int>(i) + 1;
      return true;
    }
  }
  return false;
}

// A year of two to four digits; of two, those from 70 on are the last century's.
bool take_short_year(Reader& reader, int64_t& year) {
  const size_t count = reader.count(is_digit);
  int value = 0;
  if (!reader.digits(2, 4, value)) return false;
  year = count != 2 ? value : value < 70 ? 2000 + value : 1900 + value;
  return true;
}

enum class Noon : uint8_t { kNone, kBefore, kAfter };

// "am" or "PM" behind optional space.
Noon take_noon(Reader& reader) {
  Reader ahead = reader;
  ahead.skip_spaces();
  Noon noon = Noon::kNone;
  if (ahead.take("am") || ahead.take("AM")) noon = Noon::kBefore;
  if (noon == Noon::kNone && (ahead.take("pm") || ahead.take("PM"))) noon = Noon::kAfter;
  if (noon != Noon::kNone) reader = ahead;
  return noon;
}

struct ClockForm {
  size_t hour_digits_min = 1;
  bool fraction = false;
  bool noon = true;  // may be of twelve hours
};

// h:mm[:ss[.fraction]][ am]
bool take_clock(Reader& reader, const ClockForm& form, Clock& clock) {
  if (!reader.digits(form.hour_digits_min, 2, clock.hour) || !reader.take(':') ||
      !reader.digits(2, 2, clock.minute)) {
    return false;
  }
  if (reader.take(':')) {
    if (!reader.digits(2, 2, clock.second)) return false;
    if (form.fraction && reader.take('.')) return reader.fraction(9, clock.micros);
  }
  const Noon noon = form.noon ? take_noon(reader) : Noon::kNone;
  if (noon == Noon::kNone) return true;
  if (clock.hour < 1 || clock.hour > 12) return false;
  clock.hour = clock.hour % 12 + (noon == Noon::kAfter ? 12 : 0);
  return true;
}

// yyyy-mm-dd
bool take_iso_date(Reader& reader, Civil& date) {
  int year = 0;
  if (!reader.digits(4, 4, year) || !reader.take('-') || !reader.digits(2, 2, date.month) ||
      !reader.take('-') || !reader.digits(2, 2, date.day)) {
    return false;
  }
  date.year = year;
  return true;
}

std::optional<int64_t> parse_epoch(std::string_view text) {
  if (text.size() != 10 && text.size() != 13 && text.size() != 19) return std::nullopt;
  int64_t micros = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
  }
  if (text.size() == 19) text.remove_suffix(3);
  for (const char c : text) micros = micros * 10 + (c - '0');
  for (size_t i = text.size(); i < 16; ++i) micros *= 10;
  return micros;
}

bool take_rfc2822_zone(Reader& reader, int64_t& offset) {
  if (!is_letter(reader.peek())) return take_offset(reader, offset);
  const std::string_view name = reader.letters();
  if (name.size() == 1) return name != "J" && name != "j";  // the military zones, of unknown sign
  const std::optional<int> hours = hours_of_zone(name);
  offset = hours.value_or(0) * 3600;
  return hours.has_value();
}

// [Wed, ]02 Jun 2021 06:31[:39] GMT; the day's name must be the date's.
std::optional<int64_t> parse_rfc2822(std::string_view text) {
  // 1970-01-01 was a Thursday.
  static constexpr std::array<std::string_view, 7> kDays = {"Thu", "Fri", "Sat", "Sun",
                                                            "Mon", "Tue", "Wed"};
  Reader reader(text);
  const std::string_view weekday = reader.letters();
  if (!weekday.empty() && !reader.take(',')) return std::nullopt;
  reader.skip_spaces();
  Civil date{};
  Clock clock;
  int64_t offset = 0;
  int year = 0;
  if (!reader.digits(1, 2, date.day) || !reader.spaces() ||
      !take_month(reader, false, date.month) || !reader.spaces()) {
    return std::nullopt;
  }
  const size_t year_digits = reader.count(is_digit);
  if (!reader.digits(2, 4, year) || !reader.spaces() ||
      !take_clock(reader, {.hour_digits_min = 2, .noon = false}, clock) || !reader.spaces() ||
      !take_rfc2822_zone(reader, offset)) {
    return std::nullopt;
  }
  date.year = year_digits == 4 ? year : year_digits == 2 && year < 50 ? 2000 + year : 1900 + year;
  if (!is_valid(date)) return std::nullopt;
  if (!weekday.empty()) {
    const int64_t day = (days_from_civil(date) % 7 + 7) % 7;
    if (!equals_ignoring_case(weekday, kDays[static_cast<size_t>(day)])) return std::nullopt;
  }
  return join_at_end(reader, date, clock, offset);
}

// 2025-06-08, a time and a zone behind it or not
std::optional<int64_t> parse_year_first(std::string_view text) {
  Reader reader(text);
  Civil date{};
  Clock clock;
  int64_t offset = 0;
  if (!take_iso_date(reader, date)) return std::nullopt;
  if (reader.done()) return join(date, clock);
  Reader behind = reader;
  behind.skip_spaces();
  if (!is_digit(behind.peek())) {
    return take_zone(behind, offset) ? join(date, clock, offset) : std::nullopt;
  }
  if (!reader.spaces() || !take_clock(reader, {.hour_digits_min = 2, .fraction = true}, clock)) {
    return std::nullopt;
  }
  if (reader.done()) return join(date, clock);
  reader.skip_spaces();
  return take_zone(reader, offset) ? join(date, clock, offset) : std::nullopt;
}

// 2025-06-08T1200Z
std::optional<int64_t> parse_short_zulu(std::string_view text) {
  Reader reader(text);
  Civil date{};
  Clock clock;
  if (!take_iso_date(reader, date) || !reader.take('T') || !reader.digits(2, 2, clock.hour) ||
      !reader.digits(2, 2, clock.minute) || !reader.take('Z')) {
    return std::nullopt;
  }
  return join_at_end(reader, date, clock);
}

// 2025-Jun-08
std::optional<int64_t> parse_year_month_name(std::string_view text) {
  Reader reader(text);
  Civil date{};
  int year = 0;
  if (!reader.digits(4, 4, year) || !reader.take('-') || !take_month(reader, false, date.month) ||
      !reader.take('-') || !reader.digits(2, 2, date.day)) {
    return std::nullopt;
  }
  date.year = year;
  return join_at_end(reader, date);
}

// Behind "June 8": [,] 2025[,] 12:00[:00] [am] [zone]
std::optional<int64_t> parse_after_month_day(Reader reader, Civil date, bool had_dot) {
  const bool comma = reader.take(',');
  if (!reader.spaces()) return std::nullopt;
  const size_t year_digits = reader.count(is_digit);
  Reader short_year = reader;
  int year = 0;
  if (!reader.digits(2, 4, year)) return std::nullopt;
  if (reader.done()) {
    if (!comma || !take_short_year(short_year, date.year)) return std::nullopt;
    return join(date, {});
  }
  date.year = year;
  const bool has_space = reader.spaces();
  const bool has_mark = reader.take(',');
  const bool at = reader.take("at");
  Clock clock;
  int64_t offset = 0;
  if (!reader.spaces() && (!has_space || has_mark || at)) return std::nullopt;
  const size_t hour_digits = reader.count(is_digit);
  if (!take_clock(reader, {}, clock)) return std::nullopt;
  if (reader.done()) return comma && !at ? join(date, clock) : std::nullopt;
  if (had_dot || year_digits != 4 || hour_digits != 2 || !reader.spaces()) return std::nullopt;
  return take_zone(reader, offset) ? join(date, clock, offset) : std::nullopt;
}

Civil today(int64_t now_ms) {
  const int64_t day_ms = kDaySeconds * 1000;
  return civil_from_days((now_ms >= 0 ? now_ms : now_ms - (day_ms - 1)) / day_ms);
}

// Behind "May 27": "at 9:24 PM" or "02:45:27", of this year
std::optional<int64_t> parse_this_year(Reader reader, Civil date, int64_t now_ms) {
  Clock clock;
  if (!reader.spaces()) return std::nullopt;
  const bool at = reader.take("at");
  if (at && !reader.spaces()) return std::nullopt;
  const Reader from = reader;
  if (!take_clock(reader, {.noon = at}, clock) || !reader.done()) return std::nullopt;
  const std::string_view written = from.rest();
  const bool has_seconds = written.find(':') != written.rfind(':');
  const bool has_noon = is_letter(written.back());
  if (at ? has_seconds || !has_noon : !has_seconds) return std::nullopt;
  date.year = today(now_ms).year;
  return join(date, clock);
}

// June 8, 2025 and what may stand behind it
std::optional<int64_t> parse_month_first(std::string_view text, std::optional<int64_t> now_ms) {
  Reader reader(text);
  Civil date{};
  const size_t letters = reader.count(is_letter);
  if (!take_month(reader, true, date.month)) return std::nullopt;
  const bool dot = reader.take('.');
  if (!reader.spaces() || !reader.digits(1, 2, date.day)) return std::nullopt;
  if (now_ms && letters == 3 && !dot) {
    if (const auto at = parse_this_year(reader, date, *now_ms)) return at;
  }
  return parse_after_month_day(reader, date, dot);
}

// 8 Jun 2025[,][ 12:00[:00[.5]]]
std::optional<int64_t> parse_day_first(std::string_view text) {
  Reader reader(text);
  Civil date{};
  if (!reader.digits(1, 2, date.day) || !reader.spaces() || !take_month(reader, true, date.month) ||
      !reader.spaces()) {
    return std::nullopt;
  }
  Reader short_year = reader;
  int year = 0;
  if (!reader.digits(2, 4, year)) return std::nullopt;
  if (reader.done()) return take_short_year(short_year, date.year) ? join(date, {}) : std::nullopt;
  date.year = year;
  reader.take(',');
  Clock clock;
  if (!reader.spaces() || !take_clock(reader, {.fraction = true, .noon = false}, clock)) {
    return std::nullopt;
  }
  return join_at_end(reader, date, clock);
}

// 06/08/2025 (month first) or 2025/6/8, a time behind it or not
std::optional<int64_t> parse_slashes(std::string_view text) {
  Reader reader(text);
  Civil date{};
  if (reader.count(is_digit) == 4) {
    int year = 0;
    if (!reader.digits(4, 4, year) || !reader.take('/') || !reader.digits(1, 2, date.month) ||
        !reader.take('/') || !reader.digits(1, 2, date.day)) {
      return std::nullopt;
    }
    date.year = year;
  } else if (!reader.digits(1, 2, date.month) || !reader.take('/') ||
             !reader.digits(1, 2, date.day) || !reader.take('/') ||
             !take_short_year(reader, date.year)) {
    return std::nullopt;
  }
  if (reader.done()) return join(date, {});
  Clock clock;
  if (!reader.spaces() || !take_clock(reader, {.fraction = true}, clock)) return std::nullopt;
  return join_at_end(reader, date, clock);
}

// 06.08.2025 (month first), 2025.06.08, and 2025.06: that month's day of today
std::optional<int64_t> parse_dots(std::string_view text, std::optional<int64_t> now_ms) {
  Reader reader(text);
  Civil date{};
  if (reader.count(is_digit) == 4) {
    int year = 0;
    if (!reader.digits(4, 4, year) || !reader.take('.') || !reader.digits(1, 2, date.month)) {
      return std::nullopt;
    }
    date.year = year;
    if (reader.done() && now_ms) {
      date.day = today(*now_ms).day;
      return join(date, {});
    }
    if (!reader.take('.') || !reader.digits(1, 2, date.day)) return std::nullopt;
  } else if (!reader.digits(1, 2, date.month) || !reader.take('.') ||
             !reader.digits(1, 2, date.day) || !reader.take('.') ||
             !take_short_year(reader, date.year)) {
    return std::nullopt;
  }
  return join_at_end(reader, date);
}

// 250608 12:00:00, as MySQL's log has it
std::optional<int64_t> parse_mysql_log(std::string_view text) {
  Reader reader(text);
  Civil date{};
  Clock clock;
  int year = 0;
  if (!reader.digits(2, 2, year) || !reader.digits(2, 2, date.month) ||
      !reader.digits(2, 2, date.day) || !reader.spaces() || !reader.digits(2, 2, clock.hour) ||
      !reader.take(':') || !reader.digits(2, 2, clock.minute) || !reader.take(':') ||
      !reader.digits(2, 2, clock.second)) {
    return std::nullopt;
  }
  date.year = year < 70 ? 2000 + year : 1900 + year;
  return join_at_end(reader, date, clock);
}

// 2025年06月08日[12时30分00秒]
std::optional<int64_t> parse_chinese(std::string_view text) {
  Reader reader(text);
  Civil date{};
  Clock clock;
  int year = 0;
  if (!reader.digits(4, 4, year) || !reader.take("年") || !reader.digits(2, 2, date.month) ||
      !reader.take("月") || !reader.digits(2, 2, date.day) || !reader.take("日")) {
    return std::nullopt;
  }
  date.year = year;
  if (reader.done()) return join(date, {});
  if (!reader.digits(2, 2, clock.hour) || !reader.take("时") ||
      !reader.digits(2, 2, clock.minute) || !reader.take("分") ||
      !reader.digits(2, 2, clock.second) || !reader.take("秒")) {
    return std::nullopt;
  }
  return join_at_end(reader, date, clock);
}

// 4:00 PM[ PST], of today
std::optional<int64_t> parse_clock_of_today(std::string_view text, int64_t now_ms) {
  Reader reader(text);
  Clock clock;
  int64_t offset = 0;
  if (!take_clock(reader, {}, clock)) return std::nullopt;
  if (!reader.done() && (!reader.spaces() || !take_zone(reader, offset))) return std::nullopt;
  return join(today(now_ms + offset * 1000), clock, offset);
}

// hh[:mm[:ss[.f]]] or hh[mm[ss[.f]]], a comma for the point too
bool take_iso_clock(Reader& reader, Clock& clock) {
  if (!reader.digits(2, 2, clock.hour)) return false;
  const bool colons = reader.peek() == ':';
  const auto goes_on = [&] { return colons ? reader.take(':') : is_digit(reader.peek()); };
  if (!goes_on()) return true;
  if (!reader.digits(2, 2, clock.minute)) return false;
  if (!goes_on()) return true;
  if (!reader.digits(2, 2, clock.second)) return false;
  if (!reader.take('.') && !reader.take(',')) return true;
  return reader.fraction(9, clock.micros);
}

// [Europe/Berlin], [!u-ca=gregory]: RFC 9557
bool take_annotation(Reader& reader) {
  if (!reader.take('[')) return false;
  constexpr std::string_view kMarks = "!_/+-:=.";
  size_t count = 0;
  while (is_letter(reader.peek()) || is_digit(reader.peek()) ||
         (!reader.done() && kMarks.find(reader.peek()) != std::string_view::npos)) {
    reader.take(reader.peek());
    ++count;
  }
  return count > 0 && reader.take(']');
}

}  // namespace

std::optional<int64_t> parse_rfc3339_us(std::string_view text) {
  if (text.size() > kDateTextBytesMax) return std::nullopt;
  Reader reader(text);
  Civil date{};
  Clock clock;
  int64_t offset = 0;
  if (!take_iso_date(reader, date) ||
      (!reader.take('T') && !reader.take('t') && !reader.take(' ')) ||
      !reader.digits(2, 2, clock.hour) || !reader.take(':') || !reader.digits(2, 2, clock.minute) ||
      !reader.take(':') || !reader.digits(2, 2, clock.second)) {
    return std::nullopt;
  }
  if (reader.take('.') && !reader.fraction(kDateTextBytesMax, clock.micros)) return std::nullopt;
  if (reader.take('Z') || reader.take('z')) return join_at_end(reader, date, clock);
  const bool is_full = reader.rest().size() == 6;  // +hh:mm
  if (!is_full || !take_offset(reader, offset)) return std::nullopt;
  return join_at_end(reader, date, clock, offset);
}

std::optional<int64_t> parse_date_text_us(std::string_view text, std::optional<int64_t> now_ms) {
  if (text.empty() || text.size() > kDateTextBytesMax) return std::nullopt;
  if (is_letter(text[0])) {
    if (const auto at = parse_rfc2822(text)) return at;
    return parse_month_first(text, now_ms);
  }
  if (!is_digit(text[0])) return std::nullopt;
  if (const auto at = parse_epoch(text)) return at;
  for (const auto form :
       {parse_year_first, parse_slashes, parse_day_first, parse_rfc2822, parse_year_month_name,
        parse_short_zulu, parse_mysql_log, parse_chinese}) {
    if (const auto at = form(text)) return at;
  }
  if (const auto at = parse_dots(text, now_ms)) return at;
  return now_ms ? parse_clock_of_today(text, *now_ms) : std::nullopt;
}

std::optional<int64_t> parse_iso_us(std::string_view text, IsoForms forms) {
  if (text.size() > kDateTextBytesMax) return std::nullopt;
  Reader reader(text);
  Civil date{};
  Clock clock;
  if (reader.count(is_digit) == 8) {
    int year = 0;
    reader.digits(4, 4, year);
    reader.digits(2, 2, date.month);
    reader.digits(2, 2, date.day);
    date.year = year;
  } else if (!take_iso_date(reader, date)) {
    return std::nullopt;
  }
  bool has_offset = false;
  int64_t offset = 0;
  if (reader.take('T') || reader.take('t') || reader.take(' ')) {
    if (!take_iso_clock(reader, clock)) return std::nullopt;
    has_offset = reader.peek() == '+' || reader.peek() == '-';
    if (has_offset && !take_offset(reader, offset)) return std::nullopt;
  }
  if (forms == IsoForms::kWithOffset) {
    return has_offset ? join_at_end(reader, date, clock, offset) : std::nullopt;
  }
  for (Reader ahead = reader; take_annotation(ahead);) reader = ahead;
  return join_at_end(reader, date, clock, offset);
}

std::optional<int64_t> parse_wall_clock_us(std::string_view text) {
  if (text.size() > kDateTextBytesMax) return std::nullopt;
  Reader reader(text);
  Civil date{};
  Clock clock;
  int year = 0;
  reader.skip_spaces();
  const bool is_negative = reader.peek() == '-';
  const bool has_sign = reader.take('-') || reader.take('+');
  if (!reader.digits(1, has_sign ? 6 : 4, year) || year > kYearMax || !reader.take('-')) {
    return std::nullopt;
  }
  date.year = is_negative ? -year : year;
  reader.skip_spaces();
  if (!reader.digits(1, 2, date.month) || !reader.take('-')) return std::nullopt;
  reader.skip_spaces();
  if (!reader.digits(1, 2, date.day)) return std::nullopt;
  if (reader.done()) return join(date, clock);
  if (!reader.take('T') && !is_space(reader.peek())) return std::nullopt;
  reader.skip_spaces();
  if (!reader.digits(1, 2, clock.hour) || !reader.take(':') || !reader.digits(1, 2, clock.minute)) {
    return std::nullopt;
  }
  if (reader.take(':')) {
    if (!reader.digits(1, 2, clock.second)) return std::nullopt;
    if (reader.take('.') && !reader.fraction(9, clock.micros)) return std::nullopt;
  }
  return join_at_end(reader, date, clock);
}

}  // namespace hogflare
