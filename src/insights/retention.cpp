// RetentionQuery: who came back, by the interval of the target event.
#include <fmt/format.h>

#include <algorithm>
#include <map>

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
      .columns = {"v", "b", "k", "n"}};
}

using Grid = std::vector<std::vector<double>>;

Json write_grid(const Retention& r, const Clock& clock, Grid grid, const Json& value) {
  Json out = Json::array();
  for (size_t row = 0; row < grid.size(); ++row) {
    std::vector<double>& cells = grid[row];
    for (size_t k = cells.size(); r.cumulative && k-- > 2;) cells[k - 1] += cells[k];
    Json values = Json::array();
    for (size_t k = 0; k < cells.size(); ++k)
      values.push_back(
          Json{{"count", plain(cells[k])}, {"label", fmt::format("{} {}", r.period, k)}});
    out.push_back(Json{{"values", std::move(values)},
                       {"label", fmt::format("{} {}", r.period, row)},
                       {"date", offset_text(r.axis.starts_local[row], clock)},
                       {"breakdown_value", value}});
  }
  return out;
}

Json retention_answer(const Retention& r, const Clock& clock, const Table& table) {
  const Grid empty(r.axis.size(), std::vector<double>(static_cast<size_t>(r.columns), 0));
  std::map<std::string, Grid> grids;
  std::map<std::string, double> sizes;
  if (r.breakdowns.by.empty()) grids.emplace("", empty);
  for (const Row& row : table) {
    const int64_t b = integer_of(row[1], -1);
    const int64_t k = integer_of(row[2], -1);
    if (b < 0 || k < 0 || static_cast<size_t>(b) >= r.axis.size() || k >= r.columns) continue;
    Grid& grid = grids.try_emplace(text_of(row[0]), empty).first->second;
    grid[static_cast<size_t>(b)][static_cast<size_t>(k)] = number_of(row[3]);
    if (k == 0) sizes[text_of(row[0])] += number_of(row[3]);
  }
  std::vector<std::string> order;
  for (const auto& [value, grid] : grids) order.push_back(value);
  std::stable_sort(order.begin(), order.end(),
                   [&](const std::string& a, const std::string& b) { return sizes[a] > sizes[b]; });
  Json results = Json::array();
  Grid other = empty;
  for (size_t i = 0; i < order.size(); ++i) {
    const Grid& grid = grids[order[i]];
    if (i >= static_cast<size_t>(r.breakdowns.limit)) {
      for (size_t row = 0; row < grid.size(); ++row) {
        for (size_t k = 0; k < grid[row].size(); ++k) other[row][k] += grid[row][k];
      }
      continue;
    }
    for (Json& row : write_grid(r, clock, grid, r.breakdowns.by.empty() ? Json() : Json(order[i])))
      results.push_back(std::move(row));
  }
  if (order.size() > static_cast<size_t>(r.breakdowns.limit)) {
    for (Json& row : write_grid(r, clock, other, std::string(kOtherLabel)))
      results.push_back(std::move(row));
  }
  return Json{{"results", std::move(results)}};
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
  built.read = [retention = std::move(retention), clock](const std::vector<Table>& tables) {
    return retention_answer(retention, clock, tables[0]);
  };
  return built;
}

}  // namespace hogflare::insights
