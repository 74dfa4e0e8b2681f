// RetentionQuery: who came back, by the interval of the target event.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include "hogflare/insights_limits.h"
#include "insights/kinds.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

enum class First : uint8_t { kRecurring, kFirstMatching, kFirstEver };

struct Retention {
  Common common;
  Series target;
  Series returning;
  std::string period;
  Interval interval = Interval::kDay;
  int64_t columns = 8;
  int64_t occurrences = 1;
  First first = First::kRecurring;
  bool cumulative = false;
  bool rolling_windows = false;  // 24-hour windows
  Breakdowns breakdowns;
  Range range;
  Axis axis;
};

// The interval of date_to is whole; without date_from there are as many rows as columns.
void read_retention_range(Retention& out, const View& date_range, const Clock& clock) {
  date_range.only({"date_from", "date_to", "explicitDate"});
  if (date_range["explicitDate"].flag())
    date_range["explicitDate"].refuse("is not done here: rows are whole intervals");
  const auto moment = [&](std::string_view name, int64_t fallback) {
    const View view = date_range[name];
    const std::string text = view.text();
    if (text.empty()) return fallback;
    const auto read = read_moment(text, clock);
    if (!read) view.refuse("is neither a date nor a relative time such as -7d");
    return read ? read->local_us : fallback;
  };
  const int64_t last = moment("date_to", clock.to_local(clock.now_us));
  const int64_t end = next_start(out.interval, start_of(out.interval, last, clock.monday_weeks));
  const int64_t from = moment("date_from", next_start(out.interval, end, -out.columns));
  out.range.from_local = start_of(out.interval, from, clock.monday_weeks);
  out.range.to_local = end - 1;
  out.range.from_us = clock.to_utc(out.range.from_local);
  out.range.to_us = clock.to_utc(end) - 1;
  if (out.range.from_us > out.range.to_us) date_range.refuse("begins after it ends");
  out.axis = make_axis(out.range, out.interval, clock, date_range);
}

Retention read_retention(const View& question, const Context& context) {
  question.only({"dateRange", "properties", "filterTestAccounts", "retentionFilter",
                 "breakdownFilter", "samplingFactor", "aggregation_group_type_index", "modifiers"});
  Retention out;
  out.common = read_common(question, context.project);
  const View filter = question["retentionFilter"];
  filter.only({"period", "totalIntervals", "targetEntity", "returningEntity", "retentionType",
               "cumulative", "minimumOccurrences", "timeWindowMode", "retentionCustomBrackets",
               "aggregationType", "aggregationProperty", "aggregationPropertyType"});
  out.period = filter["period"].one_of({"Day", "Hour", "Week", "Month"});
  out.interval = out.period == "Hour"    ? Interval::kHour
                 : out.period == "Week"  ? Interval::kWeek
                 : out.period == "Month" ? Interval::kMonth
                                         : Interval::kDay;
  out.columns = filter["totalIntervals"].integer(8, {1, 100});
  out.occurrences = filter["minimumOccurrences"].integer(1, {1, 10'000});
  const std::string type = filter["retentionType"].one_of(
      {"retention_recurring", "retention_first_time", "retention_first_ever_occurrence"});
  if (type == "retention_first_time") out.first = First::kFirstMatching;
  if (type == "retention_first_ever_occurrence") out.first = First::kFirstEver;
  out.cumulative = filter["cumulative"].flag();
  out.rolling_windows = filter["timeWindowMode"].one_of(
                            {"strict_calendar_dates", "24_hour_windows"}) == "24_hour_windows";
  if (out.cumulative && out.rolling_windows)
    filter["cumulative"].refuse("cannot be together with 24-hour windows");
  filter["retentionCustomBrackets"].refuse_if_given("is not done here");
  filter["aggregationType"].one_of({"count"});
  filter["aggregationProperty"].refuse_if_given("is not done here");
  out.target = read_entity(filter["targetEntity"], context.project);
  out.returning = read_entity(filter["returningEntity"], context.project);
  out.breakdowns = read_breakdowns(question["breakdownFilter"], context.project);
  if (!out.breakdowns.cohorts.empty() || out.breakdowns.by.size() > 1)
    question["breakdownFilter"].refuse("retention is broken down by one property only");
  read_retention_range(out, question["dateRange"], context.project.clock);
  return out;
}

// "units": one row a unit (and value) and target interval; `t0` its time for 24-hour windows.
std::string targets_sql(const Retention& r) {
  if (r.first == First::kRecurring && !r.rolling_windows) {
    return "SELECT DISTINCT unit, v, b, CAST(0 AS BIGINT) AS t0 FROM kept WHERE is_target = 1 AND "
           "b >= 0";
  }
  const std::string range = fmt::format("t >= {}", r.range.from_us);
  if (r.first == First::kRecurring) {
    return fmt::format(
        "SELECT unit, v, min(b) AS b, min(t) AS t0 FROM kept WHERE is_target = 1 AND {} GROUP BY "
        "unit, v",
        range);
  }
  const std::string_view which =
      r.first == First::kFirstMatching ? "is_target = 1" : "is_named = 1";
  return fmt::format(
      "SELECT DISTINCT kept.unit, kept.v, kept.b, kept.t AS t0 FROM kept JOIN (SELECT unit, v, "
      "min(t) AS t FROM kept "
      "WHERE {} GROUP BY unit, v) AS f ON f.unit = kept.unit AND f.v = kept.v AND f.t = kept.t "
      "WHERE kept.is_target = 1 AND kept.{}",
      which, range);
}

// Interval numbers of 24-hour windows: boundaries of hours (or days) passed, as ClickHouse's
// dateDiff counts.
std::string windows_between(const Retention& r, const Clock& clock, const std::string& from,
                            const std::string& to) {
  if (r.interval <= Interval::kDay) {
    const std::string hours =
        fmt::format("({} - {})", floor_div(to, kHourUs), floor_div(from, kHourUs));
    return r.interval == Interval::kHour ? hours : floor_div(hours, 24);
  }
  const auto day = [&](const std::string& t) {
    return floor_div(local_of(clock, t, r.range.from_us, r.range.to_us), kDayUs);
  };
  return floor_div(fmt::format("({} - {})", day(to), day(from)),
                   r.interval == Interval::kWeek ? 7 : 30);
}

std::string cells_sql(const Retention& r, const Clock& clock) {
  if (r.rolling_windows) {
    return fmt::format(
        "targets AS (SELECT unit, v, t0, {} AS b FROM first_targets), "
        "cells AS (SELECT v, b, CAST(0 AS BIGINT) AS k, unit FROM targets UNION ALL SELECT v, b, "
        "k, unit FROM (SELECT targets.v, targets.b, targets.unit, {} AS k "
        "FROM targets JOIN kept ON kept.unit = targets.unit AND kept.v = targets.v AND "
        "kept.is_return = 1 AND kept.t >= targets.t0) AS j "
        "WHERE k > 0 AND k < {} GROUP BY v, b, k, unit HAVING count(*) >= {})",
        windows_between(r, clock, fmt::format("{}", r.range.from_us), "t0"),
        windows_between(r, clock, "targets.t0", "kept.t"), r.columns, r.occurrences);
  }
  std::string returns = fmt::format(
      "targets AS (SELECT unit, v, b FROM first_targets), "
      "returns AS (SELECT unit, v, b FROM kept WHERE is_return = 1 AND b >= 0 GROUP BY unit, v, b "
      "HAVING count(*) >= {}), ",
      r.occurrences);
  const std::string_view k = r.cumulative ? "max(returns.b - targets.b)" : "returns.b - targets.b";
  const std::string_view group = r.cumulative ? " GROUP BY targets.v, targets.b, targets.unit" : "";
  return returns +
         fmt::format(
             "cells AS (SELECT v, b, CAST(0 AS BIGINT) AS k, unit FROM targets UNION ALL SELECT "
             "targets.v, targets.b, {} AS k, targets.unit "
             "FROM targets JOIN returns ON returns.unit = targets.unit AND returns.v = targets.v "
             "AND returns.b > targets.b AND returns.b < targets.b + {}{})",
             k, r.columns, group);
}

// The CTEs up to "cells": who came in row b and again k intervals later, by breakdown value v.
std::string retention_ctes(const Retention& r, const Context& context) {
  const Clock& clock = context.project.clock;
  Scan scan(context.project, context.dialect, r.common.person_properties);
  add_events(r.target, scan);
  add_events(r.returning, scan);
  const std::string unit = unit_of(r.common, scan);
  const std::string target = condition(r.target, scan, context.refusals);
  const std::string returning = condition(r.returning, scan, context.refusals);
  Series named = r.target;
  named.filter = {};
  const std::string name_only = condition(named, scan, context.refusals);
  const std::string where = condition(r.common.filter, scan, context.refusals);
  const std::string value =
      r.breakdowns.by.empty()
          ? "''"
          : fmt::format("coalesce({}, '')",
                        breakdown_text(r.breakdowns.by[0], scan, context.refusals));
  const int64_t from = r.first == First::kRecurring ? r.range.from_us : INT64_MIN;
  const auto flag = [](const std::string& sql) {
    return fmt::format("CASE WHEN {} THEN 1 ELSE 0 END", sql);
  };
  return fmt::format(
      "{}, kept AS (SELECT {} AS unit, {} AS v, t, {} AS b, {} AS is_target, {} AS is_return, "
      "{} AS is_named FROM e "
      "WHERE {} AND t <= {} AND {} IS NOT NULL), first_targets AS ({}), {}",
      scan.with(from, r.range.to_us), unit, value, bucket_of(r.axis, clock, "t", r.range.to_us),
      flag(target), flag(returning), flag(name_only), where, r.range.to_us, unit, targets_sql(r),
      cells_sql(r, clock));
}

Statement retention_statement(const Retention& r, const Context& context) {
  return {
      .sql = fmt::format("{} SELECT v, b, k, count(*) AS n FROM cells GROUP BY v, b, k ORDER BY "
                         "v, b, k LIMIT {}",
                         retention_ctes(r, context), rows_max(context.dialect)),
      .columns = {"v", "b", "k", "n"},
      .numbers = {"b", "k", "n"}};
}

// A breakdown value's people by row and column, row after row.
struct Grid {
  std::vector<double> cells;
  double size = 0;  // of its first column
};

// What rows of all values have in common, as JSON.
struct RetentionTexts {
  std::vector<std::string> labels;  // of columns and rows
  std::vector<std::string> dates;   // of rows
};

RetentionTexts retention_texts(const Retention& r, const Clock& clock) {
  RetentionTexts out;
  const size_t columns = static_cast<size_t>(r.columns);
  for (size_t i = 0; i < std::max(columns, r.axis.size()); ++i)
    out.labels.push_back(fmt::format(R"("{} {}")", r.period, i));
  for (const int64_t start : r.axis.starts_local)
    append_json_text(out.dates.emplace_back(), offset_text(start, clock));
  return out;
}

// Members in the order of their names.
void append_grid(std::string& out, const Retention& r, Grid& grid, std::string_view value,
                 const RetentionTexts& texts) {
  const size_t columns = static_cast<size_t>(r.columns);
  for (size_t row = 0; row < r.axis.size(); ++row) {
    double* const cells = grid.cells.data() + row * columns;
    for (size_t k = columns; r.cumulative && k-- > 2;) cells[k - 1] += cells[k];
    if (out.back() != '[') out += ',';
    out.append(R"({"breakdown_value":)").append(value);
    out.append(R"(,"date":)").append(texts.dates[row]);
    out.append(R"(,"label":)").append(texts.labels[row]).append(R"(,"values":)");
    for (size_t k = 0; k < columns; ++k) {
      append_plain(out += k == 0 ? R"([{"count":)" : R"(,{"count":)", cells[k]);
      out.append(R"(,"label":)").append(texts.labels[k]) += '}';
    }
    out += columns == 0 ? "[]}" : "]}";
  }
}

Written retention_answer(const Retention& r, const Clock& clock, const Rows& rows) {
  const size_t columns = static_cast<size_t>(r.columns);
  const Grid empty{.cells = std::vector<double>(r.axis.size() * columns, 0)};
  std::map<std::string, Grid> grids;
  if (r.breakdowns.by.empty()) grids.emplace("", empty);
  for (const Row row : rows) {
    const int64_t b = integer_of(row[1], -1);
    const int64_t k = integer_of(row[2], -1);
    if (b < 0 || k < 0 || static_cast<size_t>(b) >= r.axis.size() || k >= r.columns) continue;
    Grid& grid = grids.try_emplace(text_of(row[0]), empty).first->second;
    const double people = number_of(row[3]);
    grid.cells[static_cast<size_t>(b) * columns + static_cast<size_t>(k)] = people;
    if (k == 0) grid.size += people;
  }
  std::vector<std::pair<const std::string, Grid>*> order;
  for (auto& each : grids) order.push_back(&each);
  std::stable_sort(order.begin(), order.end(), [](const auto* left, const auto* right) {
    return left->second.size > right->second.size;
  });
  const RetentionTexts texts = retention_texts(r, clock);
  const size_t limit = static_cast<size_t>(r.breakdowns.limit);
  Written out{.results = "["};
  Grid other = empty;
  for (size_t i = 0; i < order.size(); ++i) {
    auto& [value, grid] = *order[i];
    if (i >= limit) {
      for (size_t at = 0; at < grid.cells.size(); ++at) other.cells[at] += grid.cells[at];
      continue;
    }
    std::string name;
    append_json(name, r.breakdowns.by.empty() ? Json() : Json(value));
    append_grid(out.results, r, grid, name, texts);
  }
  if (order.size() > limit) {
    std::string name;
    append_json_text(name, kOtherLabel);
    append_grid(out.results, r, other, name, texts);
  }
  out.results += ']';
  return out;
}

// What the answer's text takes at most, with the grids of all values.
size_t retention_bytes(const Retention& r, const Rows& rows) {
  // Names of members and labels of a cell, and of a row.
  constexpr size_t kCellBytes = 40;
  constexpr size_t kRowBytes = 160;
  std::unordered_set<std::string_view> values;
  size_t longest = 0;
  for (const Row row : rows) {
    if (!row[0].exists() || !values.insert(row[0].raw()).second) continue;
    longest = std::max(longest, row[0].raw().size());
  }
  const size_t shown =
      std::min(values.size(), static_cast<size_t>(r.breakdowns.limit)) + 1;  // and the rest
  const size_t columns = static_cast<size_t>(r.columns);
  const size_t row_bytes =
      kRowBytes + longest + columns * (kCellBytes + limits::kAnswerNumberBytesMax);
  return r.axis.size() * (shown * row_bytes + values.size() * columns * sizeof(double));
}

}  // namespace

// `interval` is the row, `day` (ours) the column: 0 the row's people, k those of them who came
// again.
std::string retention_actors_sql(const View& query, const View& source, const Context& context) {
  const Retention retention = read_retention(source, context);
  if (context.refusals.first) return {};
  if (retention.common.group_index >= 0) query["source"].refuse("counts groups, not people");
  const int64_t rows = static_cast<int64_t>(retention.axis.size());
  const int64_t row = query["interval"].integer(0, {0, std::max<int64_t>(rows - 1, 0)});
  const int64_t column = query["day"].integer(0, {0, retention.columns - 1});
  std::string value;
  const View breakdown = query["breakdown"];
  if (breakdown.given() != !retention.breakdowns.by.empty())
    breakdown.refuse("must give a value for each breakdown of the question");
  if (breakdown.given()) value = fmt::format(" AND v = {}", literal(breakdown.text()));
  return fmt::format(
      "{}, actors AS (SELECT DISTINCT unit AS person FROM cells WHERE b = {} AND k {} {}{})",
      retention_ctes(retention, context), row, retention.cumulative && column > 0 ? ">=" : "=",
      column, value);
}

Built build_retention(const View& question, const Context& context) {
  Retention retention = read_retention(question, context);
  Built built;
  if (context.refusals.first) return built;
  built.statements.push_back(retention_statement(retention, context));
  const Clock clock = context.project.clock;
  built.until_us = retention.range.to_us;
  built.is_momentary = is_momentary(retention.range);
  built.days = days_of(retention.range);
  built.bytes = [retention](const std::vector<Rows>& tables) {
    return retention_bytes(retention, tables[0]);
  };
  built.write = [retention = std::move(retention), clock](const std::vector<Rows>& tables) {
    return retention_answer(retention, clock, tables[0]);
  };
  return built;
}

}  // namespace hogflare::insights
