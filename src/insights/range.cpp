#include "insights/range.h"

#include <fmt/format.h>

#include <algorithm>

#include "hogflare/calendar.h"
#include "hogflare/insights_limits.h"
#include "hogflare/json.h"
#include "hogflare/timestamp.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

// Years of a date that a question may name.
constexpr int64_t kYearMin = 1900;
constexpr int64_t kYearMax = 9999;

int64_t floor_to(int64_t value, int64_t step) {
  const int64_t rest = value % step;
  return value - (rest < 0 ? rest + step : rest);
}

Civil civil_of(int64_t local_us) { return civil_from_days(floor_to(local_us, kDayUs) / kDayUs); }

int64_t day_us(const Civil& date) { return days_from_civil(date) * kDayUs; }

// Digits at the front, at most `most` of them; nullopt when there are none.
std::optional<int64_t> take_number(std::string_view& text, size_t most) {
  size_t size = 0;
  int64_t value = 0;
  while (size < text.size() && size < most && text[size] >= '0' && text[size] <= '9') {
    value = value * 10 + (text[size++] - '0');
  }
  if (size == 0) return std::nullopt;
  text.remove_prefix(size);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// hh:mm[:ss[.ffffff]] behind the date; false when malformed.
bool take_time(std::string_view& text, int64_t& us) {
  const auto hour = take_number(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return false;
  const auto minute = take_number(text, 2);
  if (!minute || *minute > 59) return false;
  us += *hour * kHourUs + *minute * kMinuteUs;
  if (!take(text, ':')) return true;
  const auto second = take_number(text, 2);
  if (!second || *second > 59) return false;
  us += *second * kSecondUs;
  if (!take(text, '.')) return true;
  int64_t scale = kSecondUs / 10;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    us += (text.front() - '0') * scale;
    scale /= 10;
    text.remove_prefix(1);
  }
  return true;
}

// Z or ±hh[:]mm; false when there is something else.
bool take_offset(std::string_view& text, std::optional<int64_t>& offset_us) {
  if (text.empty()) return true;
  if (take(text, 'Z') || take(text, 'z')) {
    offset_us = 0;
    return text.empty();
  }
  const bool minus = text.front() == '-';
  if (!minus && text.front() != '+') return false;
  text.remove_prefix(1);
  const auto hours = take_number(text, 2);
  take(text, ':');
  const auto minutes = take_number(text, 2);
  if (!hours || !text.empty() || *hours > 23) return false;
  offset_us = (*hours * kHourUs + minutes.value_or(0) * kMinuteUs) * (minus ? -1 : 1);
  return true;
}

std::optional<Moment> read_iso(std::string_view text, const Clock& clock) {
  const auto year = take_number(text, 4);
  if (!year || *year < kYearMin || !take(text, '-')) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || *month < 1 || *month > 12 || !take(text, '-')) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day || *day < 1 || *day > days_in_month(*year, static_cast<int>(*month)))
    return std::nullopt;
  int64_t us = day_us(Civil{*year, static_cast<int>(*month), static_cast<int>(*day)});
  std::optional<int64_t> offset_us;
  if (take(text, 'T') || take(text, ' ')) {
    if (!take_time(text, us)) return std::nullopt;
  }
  if (!take_offset(text, offset_us)) return std::nullopt;
  if (offset_us) us = clock.to_local(us - *offset_us);
  return Moment{.local_us = us};
}

int64_t minus_units(int64_t local, char unit, int64_t count) {
  switch (unit) {
    case 'h':
      return local - count * kHourUs;
    case 'd':
      return local - count * kDayUs;
    case 'w':
      return local - count * 7 * kDayUs;
    case 'q':
      return local - count * 13 * 7 * kDayUs;
    case 'm':
      return add_months(local, -count);
    case 'y':
      return add_months(local, -12 * count);
    case 'M':
      return local - count * kMinuteUs;
    case 's':
      return local - count * kSecondUs;
    default:
      return local;  // upper-case letters move nothing
  }
}

int64_t at_position(int64_t local, char unit, bool end, bool monday_weeks) {
  int64_t start = local;
  int64_t next = local;
  const Civil date = civil_of(local);
  switch (unit) {
    case 'h':
      start = floor_to(local, kHourUs);
      next = start + kHourUs;
      break;
    case 'w':
      start = start_of(Interval::kWeek, local, monday_weeks);
      next = start + 7 * kDayUs;
      break;
    case 'm':
      start = day_us(Civil{date.year, date.month, 1});
      next = add_months(start, 1);
      break;
    case 'q':
      start = day_us(Civil{date.year, (date.month - 1) / 3 * 3 + 1, 1});
      next = add_months(start, 3);
      break;
    case 'y':
      start = day_us(Civil{date.year, 1, 1});
      next = add_months(start, 12);
      break;
    default:
      start = floor_to(local, kDayUs);
      next = start + kDayUs;
  }
  return end ? next - 1 : start;
}

std::optional<Moment> read_relative(std::string_view text, const Clock& clock) {
  take(text, '-');
  const auto count = take_number(text, 5);
  if (text.empty()) return std::nullopt;
  const char unit = text.front();
  if (std::string_view("hdwmqysMHDWQY").find(unit) == std::string_view::npos) return std::nullopt;
  text.remove_prefix(1);
  const bool at_start = text == "Start";
  const bool at_end = text == "End";
  if (!text.empty() && !at_start && !at_end) return std::nullopt;
  Moment moment{.relative = true, .unit = unit, .count = count.value_or(0)};
  moment.local_us = minus_units(clock.to_local(clock.now_us), unit, moment.count);
  if (at_start || at_end) {
    moment.local_us = at_position(moment.local_us, unit, at_end, clock.monday_weeks);
  }
  const int64_t year = civil_of(moment.local_us).year;
  if (year < kYearMin || year > kYearMax) return std::nullopt;
  return moment;
}

const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

int64_t Clock::to_local(int64_t utc_us) const {
  return utc_us + zone.offset_at(floor_to(utc_us, kSecondUs) / kSecondUs) * kSecondUs;
}

int64_t Clock::to_utc(int64_t local_us) const {
  const int64_t whole = floor_to(local_us, kSecondUs);
  // A skipped hour lies between two instants a moment apart: the next reading that exists is taken.
  for (int64_t later = 0; later <= 120; later += 30) {
    const auto instant = zone.to_utc_seconds(whole / kSecondUs + later * 60);
    if (instant) return *instant * kSecondUs + (later == 0 ? local_us - whole : 0);
  }
  return local_us;
}

std::optional<Moment> read_moment(std::string_view text, const Clock& clock) {
  const std::optional<Moment> iso = read_iso(text, clock);
  return iso ? iso : read_relative(text, clock);
}

int64_t add_months(int64_t local_us, int64_t months) {
  const Civil date = civil_of(local_us);
  const int64_t index = date.year * 12 + (date.month - 1) + months;
  const int64_t first = floor_to(index, 12);
  const int64_t year = first / 12;
  const int month = static_cast<int>(index - first) + 1;
  const int day = std::min(date.day, days_in_month(year, month));
  return day_us(Civil{year, month, day}) + (local_us - floor_to(local_us, kDayUs));
}

int64_t start_of(Interval interval, int64_t local_us, bool monday_weeks) {
  switch (interval) {
    case Interval::kMinute:
      return floor_to(local_us, kMinuteUs);
    case Interval::kHour:
      return floor_to(local_us, kHourUs);
    case Interval::kDay:
      return floor_to(local_us, kDayUs);
    case Interval::kWeek: {
      // 1970-01-01 was a Thursday: three days after a Monday, four after a Sunday.
      const int64_t shift = (monday_weeks ? 3 : 4) * kDayUs;
      return floor_to(local_us + shift, 7 * kDayUs) - shift;
    }
    case Interval::kMonth: {
      const Civil date = civil_of(local_us);
      return day_us(Civil{date.year, date.month, 1});
    }
  }
  return local_us;
}

int64_t next_start(Interval interval, int64_t local_start, int64_t steps) {
  switch (interval) {
    case Interval::kMinute:
      return local_start + steps * kMinuteUs;
    case Interval::kHour:
      return local_start + steps * kHourUs;
    case Interval::kDay:
      return local_start + steps * kDayUs;
    case Interval::kWeek:
      return local_start + steps * 7 * kDayUs;
    case Interval::kMonth:
      return add_months(local_start, steps);
  }
  return local_start;
}

Interval read_interval(const View& view) {
  const std::string text = view.one_of({"day", "minute", "hour", "week", "month"});
  if (text == "minute") return Interval::kMinute;
  if (text == "hour") return Interval::kHour;
  if (text == "week") return Interval::kWeek;
  if (text == "month") return Interval::kMonth;
  return Interval::kDay;
}

std::string_view interval_name(Interval interval) {
  constexpr std::string_view kNames[] = {"minute", "hour", "day", "week", "month"};
  return kNames[static_cast<int>(interval)];
}

namespace {

void read_from(Range& range, const View& from, const Clock& clock, RangeOptions options) {
  const std::string text = from.text();
  if (!from.given() || text.empty()) {
    range.from_local = floor_to(clock.to_local(clock.now_us), kDayUs) - 7 * kDayUs;
    range.from_relative = true;
    range.from_days = 7;
    return;
  }
  if (text == "all") {
    range.all = true;
    range.from_local = day_us(Civil{2015, 1, 1});
    return;
  }
  const std::optional<Moment> moment = read_moment(text, clock);
  if (!moment) return from.refuse("is neither a date nor a relative time such as -7d");
  range.from_local = moment->local_us;
  range.from_relative = moment->relative;
  if (!moment->relative) return;
  if (moment->unit == 'd') range.from_days = moment->count;
  if (moment->unit == 'w') range.from_days = 7 * moment->count;
  if (options.exact || options.interval == Interval::kMinute) return;
  range.from_local = floor_to(range.from_local, moment->unit == 'h' ? kHourUs : kDayUs);
}

void read_to(Range& range, const View& to, const Clock& clock, RangeOptions options,
             bool explicit_date) {
  const std::string text = to.text();
  range.to_given = to.given() && !text.empty();
  range.to_local = clock.to_local(clock.now_us);
  if (range.to_given) {
    const std::optional<Moment> moment = read_moment(text, clock);
    if (!moment) return to.refuse("is neither a date nor a relative time such as -1d");
    range.to_local = moment->local_us;
    range.to_relative = moment->relative;
  }
  if (explicit_date || (options.exact && !range.to_given)) return;
  if (options.interval >= Interval::kDay) {
    range.to_local = floor_to(range.to_local, kDayUs) + kDayUs - 1;
  } else if (options.interval == Interval::kHour && (!range.to_given || range.to_relative)) {
    range.to_local = floor_to(range.to_local, kHourUs) + kHourUs - 1;
  }
}

}  // namespace

Range read_range(const View& date_range, const Clock& clock, RangeOptions options) {
  date_range.only({"date_from", "date_to", "explicitDate"});
  Range range;
  read_from(range, date_range["date_from"], clock, options);
  read_to(range, date_range["date_to"], clock, options, date_range["explicitDate"].flag());
  range.from_us = clock.to_utc(range.from_local);
  range.to_us = clock.to_utc(range.to_local);
  if (range.from_us > range.to_us) date_range.refuse("begins after it ends");
  return range;
}

bool is_momentary(const Range& range) {
  const auto is_end_of_minute = [](int64_t local_us) {
    const int64_t rest = local_us - floor_to(local_us, kMinuteUs);
    return rest == 0 || rest == kMinuteUs - 1;
  };
  return !is_end_of_minute(range.from_local) || !is_end_of_minute(range.to_local);
}

int64_t days_of(const Range& range) {
  if (range.all) return 0;
  return std::max<int64_t>((range.to_local - range.from_local + kDayUs - 1) / kDayUs, 1);
}

Range previous_range(const Range& range, const View& compare_filter, const Clock& clock,
                     Interval interval) {
  Range out = range;
  const View to = compare_filter["compare_to"];
  const int64_t length = range.to_local - range.from_local;
  if (range.all) compare_filter.refuse("cannot compare with the time before \"all\"");
  if (to.given() && !to.text().empty()) {
    Clock at = clock;
    at.zone = flags::TimeZone();
    at.now_us = range.from_local;
    const std::optional<Moment> moment = read_moment(to.text(), at);
    if (!moment || !moment->relative || moment->count == 0)
      to.refuse("must be relative, such as -1w");
    else
      out.from_local = moment->local_us;
    out.to_local = out.from_local + length;
  } else if (interval <= Interval::kHour) {
    out.from_local = range.from_local - length;
    const int64_t unit = interval == Interval::kHour ? kDayUs : kHourUs;
    out.from_local =
        floor_to(out.from_local, unit) + (range.from_local - floor_to(range.from_local, unit));
    out.to_local = out.from_local + length;
  } else {
    // The time of day of both ends is kept; a range of whole weeks keeps its weekdays.
    const int64_t of_day = range.from_local - floor_to(range.from_local, kDayUs);
    out.from_local = floor_to(range.from_local - length, kDayUs) + of_day;
    if (interval == Interval::kDay && range.from_relative && range.from_days > 0 &&
        range.from_days % 7 == 0 && !range.to_relative) {
      out.from_local += kDayUs;
    }
    const int64_t to_of_day = range.to_local - floor_to(range.to_local, kDayUs);
    out.to_local = floor_to(out.from_local + length, kDayUs) + to_of_day;
  }
  out.from_us = clock.to_utc(out.from_local);
  out.to_us = clock.to_utc(out.to_local);
  return out;
}

int64_t lower_bound_us(const Range& range, Interval interval, const Clock& clock) {
  if (interval == Interval::kMonth) {
    return clock.to_utc(start_of(Interval::kMonth, range.from_local, clock.monday_weeks));
  }
  return range.from_us;
}

Axis make_axis(const Range& range, Interval interval, const Clock& clock, const View& at) {
  Axis axis{.interval = interval};
  const int64_t first = start_of(interval, range.from_local, clock.monday_weeks);
  const bool by_instant = interval <= Interval::kHour;
  const int64_t step = interval == Interval::kHour ? kHourUs : kMinuteUs;
  axis.before_us =
      by_instant ? clock.to_utc(first) - step : clock.to_utc(next_start(interval, first, -1));
  int64_t local = first;
  int64_t instant = clock.to_utc(first);
  while (instant <= range.to_us) {
    if (axis.size() == limits::kAxisBucketsMax) {
      at.refuse(
          fmt::format("makes more than {} buckets: ask for a shorter time or a longer interval",
                      limits::kAxisBucketsMax));
      break;
    }
    axis.starts_us.push_back(instant);
    axis.starts_local.push_back(local);
    if (by_instant) {
      instant += step;
      local = clock.to_local(instant);
    } else {
      local = next_start(interval, local);
      instant = clock.to_utc(local);
    }
  }
  if (axis.starts_us.empty()) {
    axis.starts_us.push_back(clock.to_utc(first));
    axis.starts_local.push_back(first);
  }
  return axis;
}

std::string Axis::day(size_t i) const {
  const Civil date = civil_of(starts_local[i]);
  std::string out = fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day);
  if (interval > Interval::kHour) return out;
  const int64_t of_day = starts_local[i] - floor_to(starts_local[i], kDayUs);
  return out + fmt::format(" {:02}:{:02}:00", of_day / kHourUs, of_day / kMinuteUs % 60);
}

std::optional<size_t> bucket_named(const Axis& axis, std::string_view day) {
  const std::optional<int64_t> instant_ms = parse_rfc3339(day);
  for (size_t i = 0; i < axis.size(); ++i) {
    if (instant_ms && axis.starts_us[i] == *instant_ms * 1000) return i;
  }
  // Days may come with a time and a zone that say nothing about them, hours may not.
  if (instant_ms && axis.interval <= Interval::kHour) return std::nullopt;
  for (size_t i = 0; i < axis.size(); ++i) {
    const std::string start = axis.day(i);
    if (day.substr(0, start.size()) == start) return i;
  }
  return std::nullopt;
}

std::string axis_label(const Axis& axis, size_t i, const Range& range) {
  const int64_t local = axis.starts_local[i];
  const Civil date = civil_of(local);
  const std::string day = fmt::format("{}-{}-{}", date.day, kMonths[date.month - 1], date.year);
  if (axis.interval == Interval::kDay) return day;
  if (axis.interval == Interval::kMonth)
    return fmt::format("{} {}", kMonths[date.month - 1], date.year);
  if (axis.interval <= Interval::kHour) {
    const int64_t of_day = local - floor_to(local, kDayUs);
    return fmt::format("{}-{} {:02}:{:02}", date.day, kMonths[date.month - 1], of_day / kHourUs,
                       of_day / kMinuteUs % 60);
  }
  // A week is named by its days within the range.
  const Civil first = civil_of(std::max(local, floor_to(range.from_local, kDayUs)));
  const Civil last = civil_of(std::min(local + 6 * kDayUs, range.to_local));
  if (first.year != last.year) {
    return fmt::format("{}-{}-{} \u2013 {}-{}-{}", first.day, kMonths[first.month - 1], first.year,
                       last.day, kMonths[last.month - 1], last.year);
  }
  if (first.month != last.month) {
    return fmt::format("{}-{} \u2013 {}-{}", first.day, kMonths[first.month - 1], last.day,
                       kMonths[last.month - 1]);
  }
  if (first.day == last.day) {
    return fmt::format("{}-{}-{}", first.day, kMonths[first.month - 1], first.year);
  }
  return fmt::format("{}\u2013{} {}", first.day, last.day, kMonths[first.month - 1]);
}

std::string local_of(const Clock& clock, std::string_view t, int64_t from_us, int64_t to_us) {
  // The zone's offsets within the time asked for, as this core's rules have them: an engine's own
  // zone data, or its lack of it, changes no number.
  constexpr int64_t kProbe = 86'400;
  int64_t at = from_us / kSecondUs - kProbe;
  const int64_t end = to_us / kSecondUs + kProbe;
  int64_t offset = clock.zone.offset_at(at);
  std::string cases;
  while (at < end) {
    int64_t low = at;
    int64_t high = at + kProbe;
    const int64_t later = clock.zone.offset_at(high);
    if (later != offset) {
      while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        (clock.zone.offset_at(middle) == offset ? low : high) = middle;
      }
      cases += fmt::format("WHEN {} < {} THEN {} ", t, high * kSecondUs, offset * kSecondUs);
      offset = later;
    }
    at += kProbe;
  }
  if (cases.empty()) {
    if (offset == 0) return std::string(t);
    return fmt::format("({} + {})", t, offset * kSecondUs);
  }
  return fmt::format("({} + CASE {}ELSE {} END)", t, cases, offset * kSecondUs);
}

std::string bucket_of(const Axis& axis, const Clock& clock, std::string_view t, int64_t last_us) {
  if (axis.interval == Interval::kMonth) {
    std::string cases = fmt::format("WHEN {} < {} THEN -2 ", t, axis.before_us);
    for (size_t i = 0; i < axis.size(); ++i) {
      cases += fmt::format("WHEN {} < {} THEN {} ", t, axis.starts_us[i], static_cast<int>(i) - 1);
    }
    return fmt::format("CASE {}ELSE {} END", cases, axis.size() - 1);
  }
  if (axis.interval <= Interval::kHour) {
    const int64_t step = axis.interval == Interval::kHour ? kHourUs : kMinuteUs;
    return floor_div(fmt::format("({} - {})", t, axis.starts_us[0]), step);
  }
  const int64_t step = axis.interval == Interval::kDay ? kDayUs : 7 * kDayUs;
  // Look-backs reach up to 30 days before the first bucket.
  const std::string local = local_of(clock, t, axis.starts_us[0] - 40 * kDayUs, last_us);
  return floor_div(fmt::format("({} - {})", local, axis.starts_local[0]), step);
}

AxisTexts axis_texts(const Axis& axis, const Range& range) {
  AxisTexts out;
  for (size_t i = 0; i < axis.size(); ++i) {
    if (i > 0) out.days += ',', out.labels += ',';
    out.days.append(1, '"').append(axis.day(i)) += '"';
    json::append_string(out.labels, axis_label(axis, i, range));
  }
  out.days += ']';
  out.labels += ']';
  return out;
}

std::string offset_text(int64_t local_us, const Clock& clock) {
  const int64_t utc_us = clock.to_utc(local_us);
  const std::string stamp = instant_text(local_us).substr(0, 19);
  const int64_t minutes = (local_us - utc_us) / kMinuteUs;
  if (minutes == 0) return stamp + "Z";
  const int64_t size = minutes < 0 ? -minutes : minutes;
  return fmt::format("{}{}{:02}:{:02}", stamp, minutes < 0 ? '-' : '+', size / 60, size % 60);
}

}  // namespace hogflare::insights
