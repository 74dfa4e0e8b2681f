// The time a question asks about, on the project's wall clock, and its buckets.
//
// Source of the rules: docs/INSIGHTS.md "Dates"; PostHog utils/query_date_range.py.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flags/timezone.h"
#include "insights/view.h"

namespace hogflare::insights {

inline constexpr int64_t kSecondUs = 1'000'000;
inline constexpr int64_t kMinuteUs = 60 * kSecondUs;
inline constexpr int64_t kHourUs = 60 * kMinuteUs;
inline constexpr int64_t kDayUs = 24 * kHourUs;

enum class Interval : uint8_t { kMinute, kHour, kDay, kWeek, kMonth };

struct Clock {
  flags::TimeZone zone;
  int64_t now_us = 0;
  bool monday_weeks = false;

  int64_t to_local(int64_t utc_us) const;
  // Of a reading that a spring change skips, the instant of the change.
  int64_t to_utc(int64_t local_us) const;
};

// Both ends are inclusive. Local times are wall clock readings in microseconds since 1970.
struct Range {
  int64_t from_local = 0;
  int64_t to_local = 0;
  int64_t from_us = 0;
  int64_t to_us = 0;
  bool from_relative = false;
  bool to_relative = false;  // a relative date_to; a missing one is not
  bool to_given = false;
  bool all = false;       // date_from "all"
  int64_t from_days = 0;  // days of a relative date_from in days or weeks, else 0
};

// Whether an end of it is the moment of asking, as opposed to that of a bucket.
bool is_momentary(const Range& range);
// Days that it takes on the wall clock, begun ones whole; 0 of all time.
int64_t days_of(const Range& range);

struct RangeOptions {
  Interval interval = Interval::kDay;
  bool exact = false;  // a relative date_from is not cut to its day (BoldNumber)
};

Range read_range(const View& date_range, const Clock& clock, RangeOptions options);
// The period before, or `compare_to` before; refuses at `compare_filter`.
Range previous_range(const Range& range, const View& compare_filter, const Clock& clock,
                     Interval interval);

// A date as questions write it: ISO or relative ("-7d"). Absent when it is neither; local time.
struct Moment {
  int64_t local_us = 0;
  bool relative = false;
  char unit = 0;
  int64_t count = 0;
};
std::optional<Moment> read_moment(std::string_view text, const Clock& clock);
int64_t add_months(int64_t local_us, int64_t months);
int64_t start_of(Interval interval, int64_t local_us, bool monday_weeks);
int64_t next_start(Interval interval, int64_t local_start, int64_t steps = 1);

struct Axis {
  Interval interval = Interval::kDay;
  std::vector<int64_t> starts_us;     // instants
  std::vector<int64_t> starts_local;  // wall clock
  int64_t before_us = 0;              // start of the bucket before the first

  size_t size() const { return starts_us.size(); }
  std::string day(size_t i) const;  // "2020-01-09", or with the time of day
};

Axis make_axis(const Range& range, Interval interval, const Clock& clock, const View& at);
std::string axis_label(const Axis& axis, size_t i, const Range& range);
// All days, and all labels, of an axis as JSON.
struct AxisTexts {
  std::string days = "[";
  std::string labels = "[";
};
AxisTexts axis_texts(const Axis& axis, const Range& range);
// The bucket that `day` names: by the instant it begins at (RFC 3339), or by its text as in the
// answer's days, of a clock's two equal hours the first.
std::optional<size_t> bucket_named(const Axis& axis, std::string_view day);
// The index of the bucket of the instant `t` (SQL, microseconds), 0 for the first; negative before
// it.
std::string bucket_of(const Axis& axis, const Clock& clock, std::string_view t, int64_t last_us);
// `t` on the wall clock, for instants from `from_us` to `to_us`.
std::string local_of(const Clock& clock, std::string_view t, int64_t from_us, int64_t to_us);
// The first instant whose events count in the first bucket.
int64_t lower_bound_us(const Range& range, Interval interval, const Clock& clock);

Interval read_interval(const View& view);
std::string_view interval_name(Interval interval);
// "2020-01-09T00:00:00+02:00", with Z for UTC.
std::string offset_text(int64_t local_us, const Clock& clock);

}  // namespace hogflare::insights
