// TrendsQuery: a number for every bucket of time, or one for the whole of it.
//
// Rules: docs/INSIGHTS.md "Trends". One statement a series and period, as PostHog asks; the axis is
// known here, so empty buckets, smoothing, sums and formulas never reach the engine.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "hogflare/insights_limits.h"
#include "hogflare/text.h"
#include "insights/formula.h"
#include "insights/kinds.h"
#include "insights/sql_text.h"
#include "json/dom.h"

namespace hogflare::insights {
namespace {

struct Named {
  Formula formula;
  std::string label;
};

struct Trends {
  Common common;
  std::vector<Series> series;
  Interval interval = Interval::kDay;
  std::string display;
  bool total = false;  // one number, no buckets
  bool cumulative = false;
  int64_t smoothing = 1;
  std::vector<Named> formulas;
  Breakdowns breakdowns;
  struct Period {
    Range range;
    Axis axis;
  };
  std::vector<Period> periods;  // the present one, and the one it is compared with
};

bool is_total_display(std::string_view display) {
  constexpr std::string_view kTotals[] = {"BoldNumber", "ActionsPie", "ActionsBarValue",
                                          "ActionsTable", "WorldMap"};
  return std::find(std::begin(kTotals), std::end(kTotals), display) != std::end(kTotals);
}

void read_formulas(Trends& trends, const View& filter) {
  std::vector<std::pair<View, std::optional<std::string>>> texts;
  for (const View& node : filter["formulaNodes"].items()) {
    node.only({"formula", "custom_name"});
    texts.emplace_back(node["formula"], node["custom_name"].optional_text());
  }
  if (texts.empty()) {
    for (const View& formula : filter["formulas"].items())
      texts.emplace_back(formula, std::nullopt);
  }
  if (texts.empty() && !filter["formula"].text().empty())
    texts.emplace_back(filter["formula"], std::nullopt);
  for (const auto& [view, custom] : texts) {
    std::string error;
    const std::string text = view.text();
    std::optional<Formula> formula = Formula::parse(text, trends.series.size(), error);
    if (!formula) {
      view.refuse(error.empty() ? "is no formula" : error);
      continue;
    }
    std::string upper = text;
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    trends.formulas.push_back({std::move(*formula), custom && !custom->empty()
                                                        ? *custom
                                                        : fmt::format("Formula ({})", upper)});
  }
}

void read_display(Trends& trends, const View& filter) {
  filter.only({"display", "smoothingIntervals", "formula", "formulas", "formulaNodes"});
  trends.display = filter["display"].one_of(
      {"ActionsLineGraph", "ActionsLineGraphCumulative", "ActionsAreaGraph", "ActionsBar",
       "ActionsStackedBar", "ActionsUnstackedBar", "SlopeGraph", "BoldNumber", "ActionsPie",
       "ActionsBarValue", "ActionsTable", "WorldMap"});
  trends.total = is_total_display(trends.display);
  trends.cumulative = trends.display == "ActionsLineGraphCumulative";
  trends.smoothing = filter["smoothingIntervals"].integer(1, {1, 1'000});
  read_formulas(trends, filter);
}

void read_periods(Trends& trends, const View& question, const Context& context) {
  const Clock& clock = context.project.clock;
  const View at = question["dateRange"];
  Trends::Period now;
  now.range =
      read_range(at, clock, {.interval = trends.interval, .exact = trends.display == "BoldNumber"});
  now.axis = make_axis(now.range, trends.interval, clock, at);
  trends.periods.push_back(now);
  const View compare = question["compareFilter"];
  compare.only({"compare", "compare_to"});
  if (!compare["compare"].flag()) return;
  Trends::Period before;
  before.range = previous_range(now.range, compare, clock, trends.interval);
  before.axis = make_axis(before.range, trends.interval, clock, at);
  trends.periods.push_back(before);
}

Trends read_trends(const View& question, const Context& context) {
  question.only({"series", "interval", "dateRange", "properties", "filterTestAccounts",
                 "trendsFilter", "breakdownFilter", "compareFilter", "samplingFactor",
                 "aggregation_group_type_index", "modifiers"});
  Trends trends;
  trends.common = read_common(question, context.project);
  for (const View& node : question["series"].items())
    trends.series.push_back(read_series(node, context.project));
  if (trends.series.empty() || trends.series.size() > limits::kQuestionSeriesMax) {
    question["series"].refuse(fmt::format("must hold 1 to {} series", limits::kQuestionSeriesMax));
  }
  for (const Series& series : trends.series) {
    if (series.optional_step)
      context.refusals.add(series.path + ".optionalInFunnel", "has a meaning in funnels only");
  }
  read_display(trends, question["trendsFilter"]);
  trends.interval = trends.total ? Interval::kDay : read_interval(question["interval"]);
  trends.breakdowns = read_breakdowns(question["breakdownFilter"], context.project);
  read_periods(trends, question, context);
  return trends;
}

// What a math is made of. `value` is the number of an event, `actor` whom distinct counts count.
struct Math {
  enum class Kind : uint8_t { kCount, kDistinct, kActive, kValue, kVisitValue, kPerActor, kFirst };
  Kind kind = Kind::kCount;
  std::string value;
  std::string actor;
  std::string aggregate;  // of x
  int window_days = 0;
  bool first_matching = false;
};

bool is_count(const Math& math) {
  return math.kind == Math::Kind::kCount || math.kind == Math::Kind::kDistinct ||
         math.kind == Math::Kind::kActive || math.kind == Math::Kind::kFirst;
}

std::string aggregate_of(std::string_view math) {
  if (math == "median" || math == "p50") return quantile("x", 0.5);
  if (math == "p75") return quantile("x", 0.75);
  if (math == "p90") return quantile("x", 0.9);
  if (math == "p95") return quantile("x", 0.95);
  if (math == "p99") return quantile("x", 0.99);
  if (math == "sum" || math == "avg" || math == "min" || math == "max")
    return fmt::format("{}(x)", math);
  return {};
}

Math value_math(const Series& series, Scan& scan, const Context& context) {
  Math math{.kind = Math::Kind::kValue, .aggregate = aggregate_of(series.math)};
  const View at(nullptr, series.path + ".math_property", &context.refusals);
  if (series.math_property.empty()) at.refuse("must name a property");
  if (series.math_property == "$session_duration") {
    math.kind = Math::Kind::kVisitValue;
    math.value = scan.session("duration_s");
    math.actor = scan.session_id();
  } else if (series.math_property_type == "session_properties") {
    at.refuse("only $session_duration is known of a visit");
  } else {
    const std::string text = series.math_property_type == "person_properties"
                                 ? scan.person_property(at, series.math_property)
                                 : scan.event_property(at, series.math_property);
    math.value = number_in(text);
  }
  if (series.multiplier != 1)
    math.value = fmt::format("({}) * {}", math.value, literal(series.multiplier));
  return math;
}

Math read_math(const Series& series, const Trends& trends, Scan& scan, const Context& context) {
  const std::string& name = series.math;
  const View at(nullptr, series.path + ".math", &context.refusals);
  if (series.multiplier != 1 && aggregate_of(name).empty()) {
    context.refusals.add(series.path + ".math_multiplier",
                         "has a meaning with a math over a property only");
  }
  if (name.empty() || name == "total") return {};
  if (name == "dau" || name == "weekly_active" || name == "monthly_active") {
    Math math{.kind = Math::Kind::kDistinct};
    math.actor =
        series.group_index >= 0 ? scan.group_key(series.group_index) : unit_of(trends.common, scan);
    const bool weekly = name == "weekly_active";
    if (name == "dau") return math;
    if (trends.interval == Interval::kMonth || (weekly && trends.interval == Interval::kWeek))
      return math;
    if (trends.interval == Interval::kMinute) at.refuse("is not done by minute");
    math.kind = Math::Kind::kActive;
    math.window_days = weekly ? 7 : 30;
    return math;
  }
  if (name == "unique_session") return {.kind = Math::Kind::kDistinct, .actor = scan.session_id()};
  if (name == "unique_group") {
    if (series.group_index < 0) at.refuse("needs math_group_type_index");
    return {.kind = Math::Kind::kDistinct,
            .actor = scan.group_key(std::max(series.group_index, 0))};
  }
  if (name == "first_time_for_user" || name == "first_matching_event_for_user") {
    return {.kind = Math::Kind::kFirst,
            .actor = scan.person(),
            .first_matching = name == "first_matching_event_for_user"};
  }
  constexpr std::string_view kPerActor = "_count_per_actor";
  if (name.size() > kPerActor.size() && name.substr(name.size() - kPerActor.size()) == kPerActor) {
    const std::string aggregate = aggregate_of(name.substr(0, name.size() - kPerActor.size()));
    if (aggregate.empty()) at.refuse(fmt::format("'{}' is not done here", name));
    return {.kind = Math::Kind::kPerActor,
            .actor = unit_of(trends.common, scan),
            .aggregate = aggregate};
  }
  if (!aggregate_of(name).empty()) return value_math(series, scan, context);
  at.refuse(fmt::format("'{}' is not done here", name));
  return {};
}

// The statement of one series and period, in the making.
struct Part {
  const Trends& trends;
  const Trends::Period& period;
  const Series& series;
  Scan& scan;
  std::string where;                // which events count, without the time
  std::string event_where;          // the same without filters
  std::vector<std::string> values;  // breakdown texts
  Math math;
  std::optional<size_t> day;  // the only bucket that is asked for

  // ", v0, v1": the breakdown's columns behind others.
  std::string columns() const {
    std::string out;
    for (size_t i = 0; i < values.size(); ++i) out += fmt::format(", v{}", i);
    return out;
  }
  std::string value_columns() const {
    std::string out;
    for (size_t i = 0; i < values.size(); ++i) {
      out +=
          fmt::format(", coalesce(nullif({}, ''), {}) AS v{}", values[i], literal(kNullLabel), i);
    }
    return out;
  }
};

int64_t first_us(const Part& part) {
  const int64_t lower =
      lower_bound_us(part.period.range, part.trends.interval, part.scan.project().clock);
  if (part.math.kind != Math::Kind::kActive) return lower;
  if (part.trends.total) return part.period.range.to_us - part.math.window_days * kDayUs + 1;
  return part.period.axis.starts_us[0] - (part.math.window_days + 1) * kDayUs;
}

// Which bucket an event lies in; for active users the day (or hour) of it.
std::string bucket_expression(const Part& part) {
  if (part.trends.total) return "0";
  const Clock& clock = part.scan.project().clock;
  const Axis& axis = part.period.axis;
  if (part.math.kind != Math::Kind::kActive || axis.interval == Interval::kHour) {
    return bucket_of(axis, clock, "t", part.period.range.to_us);
  }
  const std::string local = local_of(clock, "t", first_us(part), part.period.range.to_us);
  return floor_div(fmt::format("({} - {})", local, axis.starts_local[0]), kDayUs);
}

std::string kept_cte(const Part& part) {
  const std::vector<int64_t>& starts = part.period.axis.starts_us;
  const bool begins_later = part.day && *part.day > 0;
  const bool ends_earlier = part.day && *part.day + 1 < starts.size();
  const int64_t from = begins_later ? starts[*part.day] : first_us(part);
  const int64_t to = ends_earlier ? starts[*part.day + 1] - 1 : part.period.range.to_us;
  std::string extra;
  if (!part.math.actor.empty()) extra += fmt::format(", {} AS u", part.math.actor);
  if (!part.math.value.empty()) extra += fmt::format(", {} AS x", part.math.value);
  const std::string head = fmt::format("SELECT {} AS b{}{} FROM e", bucket_expression(part),
                                       part.value_columns(), extra);
  if (part.math.kind != Math::Kind::kFirst) {
    return fmt::format("{}, kept AS ({} WHERE {} AND t >= {} AND t <= {})",
                       part.scan.with(from, to), head, part.where, from, to);
  }
  return fmt::format(
      "{}, firsts AS (SELECT person AS first_person, min(t) AS first_t FROM e WHERE {} GROUP BY "
      "person), "
      "kept AS ({} JOIN firsts ON firsts.first_person = e.person AND firsts.first_t = e.t "
      "WHERE {} AND t >= {} AND t <= {})",
      part.scan.with_until(to), part.math.first_matching ? part.where : part.event_where, head,
      part.where, from, to);
}

std::string active_sql(const Part& part) {
  const std::string v = part.columns();
  if (part.trends.total) {
    return fmt::format(
        "SELECT b{0}, count(*) AS n FROM (SELECT DISTINCT b{0}, u FROM kept WHERE u IS NOT NULL) "
        "AS d GROUP BY b{0}",
        v);
  }
  const int64_t width = part.trends.interval == Interval::kWeek ? 7 : 1;
  const int64_t window = part.math.window_days * (part.trends.interval == Interval::kHour ? 24 : 1);
  // Each person's day counts for the buckets whose look-back holds it.
  return fmt::format(
      "SELECT b{0}, count(*) AS n FROM (SELECT DISTINCT axis.i AS b{0}, u FROM (SELECT DISTINCT b "
      "AS day{0}, u FROM kept WHERE u IS NOT NULL) AS d "
      "JOIN ({1}) AS axis ON {2} * axis.i >= d.day AND {2} * axis.i < d.day + {3}) AS a GROUP BY "
      "b{0}",
      v,
      numbers_table(part.scan.dialect(), table_name(part.scan.project().events),
                    static_cast<int64_t>(part.period.axis.size())),
      width, window);
}

std::string aggregate_sql(const Part& part) {
  const std::string v = part.columns();
  switch (part.math.kind) {
    case Math::Kind::kCount:
      return fmt::format("SELECT b{0}, count(*) AS n FROM kept GROUP BY b{0}", v);
    case Math::Kind::kValue:
      return fmt::format("SELECT b{0}, coalesce({1}, 0) AS n FROM kept GROUP BY b{0}", v,
                         part.math.aggregate);
    case Math::Kind::kVisitValue:
      return fmt::format(
          "SELECT b{0}, coalesce({1}, 0) AS n FROM (SELECT b{0}, u, max(x) AS x FROM kept WHERE u "
          "<> '' GROUP BY b{0}, u) AS s GROUP BY b{0}",
          v, part.math.aggregate);
    case Math::Kind::kPerActor:
      return fmt::format(
          "SELECT b{0}, coalesce({1}, 0) AS n FROM (SELECT b{0}, u, CAST(count(*) AS DOUBLE) AS x "
          "FROM kept WHERE u IS NOT NULL GROUP BY b{0}, u) AS s GROUP BY b{0}",
          v, part.math.aggregate);
    case Math::Kind::kActive:
      return active_sql(part);
    case Math::Kind::kDistinct:
    case Math::Kind::kFirst:
      break;
  }
  // A running total counts each actor once, in the bucket of the first event.
  if (part.trends.cumulative) {
    return fmt::format(
        "SELECT b{0}, count(*) AS n FROM (SELECT min(b) AS b{0}, u FROM kept WHERE u IS NOT NULL "
        "GROUP BY u{0}) AS d GROUP BY b{0}",
        v);
  }
  return fmt::format(
      "SELECT b{0}, count(*) AS n FROM (SELECT DISTINCT b{0}, u FROM kept WHERE u IS NOT NULL) AS "
      "d GROUP BY b{0}",
      v);
}

Statement statement_of(const Part& part) {
  const int64_t most = rows_max(part.scan.dialect());
  std::string sql = fmt::format("{}, agg AS ({})", kept_cte(part), aggregate_sql(part));
  // What is made of a property's values may be none that is finite.
  std::vector<std::string> numbers = {"b"};
  if (is_count(part.math)) numbers.push_back("n");
  if (part.values.empty()) {
    return {.sql = fmt::format("{} SELECT b, n FROM agg ORDER BY b LIMIT {}", sql, most),
            .columns = {"b", "n"},
            .numbers = numbers};
  }
  std::string on, labels, names, order, nulls;
  Statement out{.sql = {}, .columns = {"b"}, .numbers = std::move(numbers)};
  for (size_t i = 0; i < part.values.size(); ++i) {
    on += fmt::format("{}top.v{} = agg.v{}", i == 0 ? "" : " AND ", i, i);
    labels += fmt::format(", CASE WHEN top.hit = 1 THEN agg.v{} ELSE {} END AS v{}", i,
                          literal(kOtherLabel), i);
    order += fmt::format(", v{}", i);
    nulls += fmt::format("{}v{} = {}", i == 0 ? "" : " OR ", i, literal(kNullLabel));
    out.columns.push_back(fmt::format("v{}", i));
  }
  names = part.columns();
  out.columns.push_back("n");
  // In a time series the missing value ranks behind all others, in totals by its size.
  const std::string rank =
      part.trends.total ? "" : fmt::format("CASE WHEN {} THEN 1 ELSE 0 END, ", nulls);
  sql += fmt::format(
      ", top AS (SELECT 1 AS hit{0} FROM agg GROUP BY {1} ORDER BY {2}sum(n) DESC{0} LIMIT {3})"
      ", named AS (SELECT agg.b{4}, agg.n FROM agg LEFT JOIN top ON {5})"
      " SELECT b{0}, sum(n) AS n FROM named GROUP BY b{0} ORDER BY b{0} LIMIT {6}",
      names, names.substr(2), rank, part.trends.breakdowns.limit, labels, on, most);
  out.sql = std::move(sql);
  return out;
}

Statement make_statement(const Trends& trends, const Trends::Period& period, const Series& series,
                         const Filter& members, const Context& context,
                         std::optional<size_t> day = {}) {
  Scan scan(context.project, context.dialect, trends.common.person_properties);
  add_events(series, scan);
  Part part{.trends = trends,
            .period = period,
            .series = series,
            .scan = scan,
            .where = {},
            .event_where = {},
            .values = {},
            .math = {},
            .day = day};
  part.math = read_math(series, trends, scan, context);
  part.where = fmt::format("{} AND {}", condition(series, scan, context.refusals),
                           condition(trends.common.filter, scan, context.refusals));
  if (members.kind != Filter::Kind::kTrue) {
    part.where += " AND " + condition(members, scan, context.refusals);
  }
  Series plain = series;
  plain.filter = {};
  for (Alternative& one : plain.any_of) one.filter = {};
  part.event_where = condition(plain, scan, context.refusals);
  for (const Breakdown& one : trends.breakdowns.by) {
    part.values.push_back(breakdown_text(one, scan, context.refusals));
  }
  return statement_of(part);
}

// Of a cohort's name, which each of its lines has.
constexpr size_t kCohortNameBytesMax = 200;

// One line of the answer before it is written.
struct Line {
  std::vector<std::string> key;  // breakdown labels, empty without
  std::vector<double> data;      // not a number: nothing is known
  std::string label;
  double total() const {
    double sum = 0;
    for (double value : data) sum += std::isnan(value) ? 0 : value;
    return sum;
  }
  int rank() const {
    int out = 0;
    for (const std::string& one : key)
      out = std::max(out, one == kOtherLabel ? 2 : one == kNullLabel ? 1 : 0);
    return out;
  }
};

void sort_lines(std::vector<Line>& lines) {
  std::stable_sort(lines.begin(), lines.end(), [](const Line& left, const Line& right) {
    if (left.rank() != right.rank()) return left.rank() < right.rank();
    const double a = left.total(), b = right.total();
    return a != b ? a > b : left.key < right.key;
  });
}

// A row's breakdown values by the cells as they came, into `out`.
void spell(std::string& out, const Row& row, size_t width) {
  out.clear();
  for (size_t i = 1; i <= width; ++i) {
    if (row[i].exists()) out.append(row[i].raw());
    out += '\n';
  }
}

std::vector<Line> lines_of(const Trends& trends, size_t buckets, const Rows& rows,
                           const std::string& cohort) {
  std::vector<Line> lines;
  const size_t width = trends.breakdowns.by.size();
  if (width == 0)
    lines.push_back({.key = {}, .data = std::vector<double>(buckets, 0), .label = {}});
  if (!cohort.empty()) lines.back().key.push_back(cohort);
  std::map<std::vector<std::string>, size_t> known;
  std::unordered_map<std::string, size_t>
      spelled;  // the same by the cells as they came, which is quicker
  std::string spelling;
  for (const Row row : rows) {
    size_t at = 0;
    if (width > 0) {
      spell(spelling, row, width);
      const auto [place, is_new_spelling] = spelled.emplace(spelling, 0);
      if (is_new_spelling) {
        std::vector<std::string> key;
        for (size_t i = 0; i < width; ++i) key.push_back(text_of(row[1 + i]));
        const auto [found, is_new] = known.emplace(key, lines.size());
        if (is_new)
          lines.push_back({.key = key, .data = std::vector<double>(buckets, 0), .label = {}});
        place->second = found->second;
      }
      at = place->second;
    }
    const int64_t b = integer_of(row[0], -1);
    if (b >= 0 && static_cast<size_t>(b) < buckets)
      lines[at].data[static_cast<size_t>(b)] += number_of(row.back());
  }
  for (Line& line : lines) {
    for (const size_t b : rows.missing()) line.data[b] = std::nan("");
  }
  sort_lines(lines);
  return lines;
}

void shape_line(const Trends& trends, Line& line) {
  if (trends.cumulative) {
    for (size_t i = 1; i < line.data.size(); ++i) line.data[i] += line.data[i - 1];
  }
  if (trends.smoothing <= 1 || trends.total || !line.key.empty()) return;
  const std::vector<double> raw = line.data;
  for (size_t i = 0; i < raw.size(); ++i) {
    const size_t first = i + 1 >= static_cast<size_t>(trends.smoothing)
                             ? i + 1 - static_cast<size_t>(trends.smoothing)
                             : 0;
    double sum = 0;
    for (size_t k = first; k <= i; ++k) sum += raw[k];
    line.data[i] = std::floor(sum / static_cast<double>(i + 1 - first));
  }
}

std::string key_label(const Trends& trends, const std::vector<std::string>& key,
                      const Project& project) {
  std::string out;
  for (const std::string& one : key) out += (out.empty() ? "" : "::") + one;
  if (trends.breakdowns.cohorts.empty() || key.empty()) return out;
  const auto cohort = project.cohorts.find(key[0]);
  if (cohort == project.cohorts.end()) return "all users";
  return std::string(first_bytes(cohort->second.name, kCohortNameBytesMax));
}

Json breakdown_value(const Trends& trends, const std::vector<std::string>& key) {
  if (trends.breakdowns.is_list) return key;
  if (trends.breakdowns.cohorts.empty() || key[0] == "all") return key[0];
  const int64_t id = integer_of(Json(key[0]), -1);
  return id < 0 ? Json(key[0]) : Json(id);
}

// What all lines of a period, or of a series in it, have in common, as JSON text.
struct Shared {
  std::string days = "[]";
  std::string labels;
  std::string filter;
};

Shared shared_of(const Trends& trends, const Trends::Period& period) {
  Shared out;
  append_json(out.filter, Json{{"insight", "TRENDS"},
                               {"interval", interval_name(trends.interval)},
                               {"display", trends.display}});
  if (trends.total) return out;
  AxisTexts texts = axis_texts(period.axis, period.range);
  out.days = std::move(texts.days);
  out.labels = std::move(texts.labels);
  return out;
}

// The days are spliced in behind the first name, "custom_name".
std::string action_text(const Series& series, size_t order, const Shared& shared) {
  Json action = series.action(order);
  std::string out = R"({"custom_name":)";
  append_json(out, action["custom_name"]);
  action.erase("custom_name");
  out += R"(,"days":)" + shared.days + ',';
  std::string rest;
  append_json(rest, action);
  return out.append(rest, 1);
}

struct LinePlace {
  size_t period = 0;
  size_t order = 0;
  const std::string& action;  // JSON
};

// Members in the order of their names, as those of every answer.
void write_line(std::string& out, const Trends& trends, const Line& line, const LinePlace& place,
                const Shared& shared) {
  const bool is_formula = !trends.formulas.empty();
  out += R"({"action":)" + place.action;
  if (trends.total) append_plain(out += R"(,"aggregated_value":)", line.data[0]);
  if (!line.key.empty()) {
    append_json(out += R"(,"breakdown_value":)", breakdown_value(trends, line.key));
  }
  if (trends.periods.size() > 1) {
    out += R"(,"compare":true,"compare_label":)";
    out += place.period == 0 ? R"("current")" : R"("previous")";
  }
  const double count = trends.cumulative && !line.data.empty() ? line.data.back() : line.total();
  append_json(out += R"(,"count":)", trends.total ? Json(0) : Json(count));
  out += R"(,"data":[)";
  for (size_t i = 0; i < line.data.size() && !trends.total; ++i) {
    if (i > 0) out += ',';
    append_plain(out, line.data[i]);
  }
  out += ']';
  if (trends.total && is_formula) out.replace(out.size() - 2, 2, "null");
  out += R"(,"days":)" + shared.days + R"(,"filter":)" + shared.filter;
  append_json_text(out += R"(,"label":)", line.label);
  if (!trends.total) out += R"(,"labels":)" + shared.labels;
  out += R"(,"order":)" + std::to_string(place.order) + '}';
}

// Formulas are applied point by point; a value that a series lacks counts as zeros.
std::vector<Line> formula_lines(const Trends& trends, const Named& named,
                                const std::vector<std::vector<Line>>& series) {
  std::map<std::vector<std::string>, std::vector<const Line*>> by_key;
  for (size_t s = 0; s < series.size(); ++s) {
    for (const Line& line : series[s]) {
      std::vector<const Line*>& slots = by_key[line.key];
      slots.resize(series.size(), nullptr);
      slots[s] = &line;
    }
  }
  std::vector<Line> out;
  for (const auto& [key, slots] : by_key) {
    Line line{.key = key, .data = {}, .label = {}};
    size_t size = 0;
    for (const Line* one : slots) size = one == nullptr ? size : one->data.size();
    for (size_t i = 0; i < size; ++i) {
      std::vector<double> values;
      for (const Line* one : slots) values.push_back(one == nullptr ? 0 : one->data[i]);
      const bool is_known = std::none_of(values.begin(), values.end(),
                                         [](double value) { return std::isnan(value); });
      line.data.push_back(is_known ? named.formula.at(values) : std::nan(""));
    }
    std::string joined;
    for (const std::string& one : key) joined += (joined.empty() ? "" : "::") + one;
    line.label = key.empty()                   ? named.label
                 : trends.formulas.size() == 1 ? joined
                                               : fmt::format("{} - {}", named.label, joined);
    out.push_back(std::move(line));
  }
  sort_lines(out);
  return out;
}

// A period's lines by series, and whether some values were put together.
std::vector<std::vector<Line>> series_of(const Trends& trends, size_t period,
                                         std::span<const Rows> rows, bool& has_more) {
  std::vector<std::vector<Line>> series;
  size_t at = 0;
  const size_t cohorts = std::max<size_t>(trends.breakdowns.cohorts.size(), 1);
  const size_t buckets = trends.total ? 1 : trends.periods[period].axis.size();
  for (size_t s = 0; s < trends.series.size(); ++s) {
    std::vector<Line> lines;
    for (size_t c = 0; c < cohorts; ++c, ++at) {
      const std::string cohort =
          trends.breakdowns.cohorts.empty() ? "" : trends.breakdowns.cohorts[c];
      for (Line& line : lines_of(trends, buckets, rows[at], cohort)) {
        if (line.rank() == 2) {
          has_more = true;
          if (trends.breakdowns.hide_other) continue;
        }
        shape_line(trends, line);
        lines.push_back(std::move(line));
      }
    }
    series.push_back(std::move(lines));
  }
  return series;
}

// The lines of one statement's rows, and the bytes of their names.
struct LineCount {
  size_t lines = 0;
  size_t name_bytes = 0;
};

LineCount count_lines(const Trends& trends, const Rows& rows) {
  const size_t width = trends.breakdowns.by.size();
  if (width == 0) return {.lines = 1, .name_bytes = 0};
  LineCount out;
  std::unordered_set<std::string> known;
  std::string spelling;
  for (const Row row : rows) {
    spell(spelling, row, width);
    if (!known.insert(spelling).second) continue;
    ++out.lines;
    out.name_bytes += spelling.size();
  }
  return out;
}

// What the answer's text takes at most, with the numbers that its lines are held in. `counts`: of
// each statement.
size_t answer_bytes(const Trends& trends, const std::vector<LineCount>& counts) {
  // Names of members, and the numbers that a line has once.
  constexpr size_t kLineBytes = 400;
  size_t bytes = 0;
  const size_t a_series = std::max<size_t>(trends.breakdowns.cohorts.size(), 1);
  const size_t a_period = trends.series.size() * a_series;
  for (size_t period = 0; period < trends.periods.size(); ++period) {
    const Shared shared = shared_of(trends, trends.periods[period]);
    const size_t buckets = trends.total ? 1 : trends.periods[period].axis.size();
    const size_t line_bytes = kLineBytes + shared.days.size() + shared.labels.size() +
                              shared.filter.size() +
                              buckets * (limits::kAnswerNumberBytesMax + sizeof(double));
    LineCount all;
    for (size_t i = 0; i < a_period; ++i) {
      const LineCount& count = counts[period * a_period + i];
      const Series& series = trends.series[i / a_series];
      all.lines += count.lines;
      all.name_bytes += count.name_bytes;
      bytes += count.lines * buckets * sizeof(double);
      if (!trends.formulas.empty()) continue;
      const size_t action_bytes = action_text(series, i / a_series, shared).size();
      bytes += count.lines * (line_bytes + action_bytes + series.label.size());
      bytes += 3 * count.name_bytes;
    }
    for (const Named& formula : trends.formulas) {
      bytes += all.lines * (line_bytes + formula.label.size()) + 3 * all.name_bytes;
    }
  }
  return bytes;
}

size_t answer_bytes(const Trends& trends, const std::vector<Rows>& rows) {
  std::vector<LineCount> counts;
  for (const Rows& each : rows) counts.push_back(count_lines(trends, each));
  return answer_bytes(trends, counts);
}

Written write_answer(const Trends& trends, const Project& project, const std::vector<Rows>& rows) {
  Written out{.results = "["};
  const auto write = [&out, &trends](const Line& line, const LinePlace& place,
                                     const Shared& shared) {
    if (out.results.back() != '[') out.results += ',';
    write_line(out.results, trends, line, place, shared);
  };
  bool has_more = false;
  const size_t statements = rows.size() / trends.periods.size();
  for (size_t period = 0; period < trends.periods.size(); ++period) {
    const Shared shared = shared_of(trends, trends.periods[period]);
    std::vector<std::vector<Line>> series = series_of(
        trends, period, std::span(rows).subspan(period * statements, statements), has_more);
    for (size_t s = 0; s < series.size() && trends.formulas.empty(); ++s) {
      const std::string action = action_text(trends.series[s], s, shared);
      for (Line& line : series[s]) {
        const std::string name = trends.series[s].label;
        const std::string key = key_label(trends, line.key, project);
        line.label = line.key.empty()     ? name
                     : series.size() == 1 ? key
                                          : fmt::format("{} - {}", name, key);
        write(line, {.period = period, .order = s, .action = action}, shared);
      }
    }
    for (size_t f = 0; f < trends.formulas.size(); ++f) {
      for (const Line& line : formula_lines(trends, trends.formulas[f], series)) {
        write(line, {.period = period, .order = f, .action = "null"}, shared);
      }
    }
  }
  out.results += ']';
  out.members = Json{{"hasMore", has_more}};
  return out;
}

// The people of one bucket (and breakdown value): CTEs that end in "actors".
std::string actors_of(const Trends& trends, const View& query, const Context& context) {
  const int64_t last = static_cast<int64_t>(trends.series.size()) - 1;
  const Series& series =
      trends
          .series[static_cast<size_t>(query["series"].integer(0, {0, std::max<int64_t>(last, 0)}))];
  const bool before = query["compare"].one_of({"current", "previous"}) == "previous";
  if (before && trends.periods.size() < 2)
    query["compare"].refuse("the question compares with nothing");
  const Trends::Period& period = trends.periods[before && trends.periods.size() > 1 ? 1 : 0];
  std::optional<size_t> bucket = 0;
  if (!trends.total) bucket = bucket_named(period.axis, query["day"].text());
  if (!bucket) query["day"].refuse("is no bucket of the question");
  Series plain_series = series;
  if (plain_series.math == "total" || !aggregate_of(series.math).empty()) plain_series.math.clear();
  Scan scan(context.project, context.dialect, trends.common.person_properties);
  add_events(series, scan);
  Part part{.trends = trends,
            .period = period,
            .series = series,
            .scan = scan,
            .where = {},
            .event_where = {},
            .values = {},
            .math = {},
            .day = {}};
  if (!plain_series.math.empty() && plain_series.math != "dau")
    query["source"].refuse(
        "people are shown behind counts, unique users and properties' sums only");
  part.math.actor = scan.person();
  part.where = fmt::format("{} AND {}", condition(series, scan, context.refusals),
                           condition(trends.common.filter, scan, context.refusals));
  for (const Breakdown& one : trends.breakdowns.by)
    part.values.push_back(breakdown_text(one, scan, context.refusals));
  std::string chosen;
  const View breakdown = query["breakdown"];
  const std::vector<View> items = breakdown.is_array()
                                      ? breakdown.items()
                                      : std::vector<View>(breakdown.given() ? 1 : 0, breakdown);
  const std::vector<std::string>& cohorts = trends.breakdowns.cohorts;
  if (items.size() != (cohorts.empty() ? part.values.size() : 1))
    breakdown.refuse("must give a value for each breakdown of the question");
  if (!cohorts.empty() && items.size() == 1) {
    const std::string id = items[0].is_text() ? items[0].text() : json::text_of(items[0].json());
    const auto found = std::find(cohorts.begin(), cohorts.end(), id);
    if (found == cohorts.end()) {
      items[0].refuse("is no cohort of the question's breakdown");
    } else {
      const size_t at = static_cast<size_t>(found - cohorts.begin());
      part.where += " AND " + condition(trends.breakdowns.members[at], scan, context.refusals);
    }
  }
  for (size_t i = 0; i < items.size() && i < part.values.size(); ++i)
    chosen += fmt::format(" AND v{} = {}", i, literal(items[i].text()));
  return fmt::format(
      "{}, actors AS (SELECT DISTINCT u AS person FROM kept WHERE b = {}{} AND u IS NOT NULL)",
      kept_cte(part), bucket.value_or(0), chosen);
}

// Whether each bucket is made from its own day's events, and a line of nothing else.
bool is_sum_of_days(const Trends& trends) {
  static constexpr std::string_view kOfSeveralDays[] = {
      "weekly_active", "monthly_active", "first_time_for_user", "first_matching_event_for_user"};
  const bool are_maths_of_a_day =
      std::all_of(trends.series.begin(), trends.series.end(), [](const Series& series) {
        return std::find(std::begin(kOfSeveralDays), std::end(kOfSeveralDays), series.math) ==
               std::end(kOfSeveralDays);
      });
  const size_t days = trends.periods[0].axis.size();
  return are_maths_of_a_day && trends.interval == Interval::kDay && !trends.total &&
         !trends.cumulative && trends.smoothing <= 1 && trends.periods.size() == 1 &&
         trends.breakdowns.by.empty() && trends.breakdowns.cohorts.empty() && days >= 2 &&
         days <= limits::kDayPartsMax && days * trends.series.size() <= limits::kDayStatementsMax;
}

std::vector<DayPart> day_parts(const Trends& trends, const Project& project, Dialect dialect) {
  Refusals refusals;  // there are none: the question has been planned as a whole
  const Context context{.project = project, .dialect = dialect, .refusals = refusals};
  std::vector<DayPart> parts;
  for (size_t day = 0; day < trends.periods[0].axis.size(); ++day) {
    DayPart& part = parts.emplace_back();
    part.day = trends.periods[0].axis.day(day);
    for (const Series& series : trends.series) {
      part.statements.push_back(
          make_statement(trends, trends.periods[0], series, {}, context, day));
    }
  }
  return parts;
}

}  // namespace

std::string trends_actors_sql(const View& query, const View& source, const Context& context) {
  const Trends trends = read_trends(source, context);
  if (trends.series.empty() || context.refusals.first) return {};
  return actors_of(trends, query, context);
}

Built build_trends(const View& question, const Context& context) {
  Trends trends = read_trends(question, context);
  Built built;
  if (context.refusals.first) return built;
  // Without a breakdown each series and formula is a line, whatever the rows are.
  if (trends.breakdowns.by.empty()) {
    const size_t statements = trends.periods.size() * trends.series.size() *
                              std::max<size_t>(trends.breakdowns.cohorts.size(), 1);
    const size_t bytes =
        answer_bytes(trends, std::vector<LineCount>(statements, {.lines = 1, .name_bytes = 0}));
    if (bytes > limits::kAnswerBytesMax) {
      question["trendsFilter"].refuse(too_large(bytes));
      return built;
    }
  }
  std::vector<Filter> cohorts = trends.breakdowns.members;
  if (cohorts.empty()) cohorts.emplace_back();
  for (const Trends::Period& period : trends.periods) {
    for (const Series& series : trends.series) {
      for (const Filter& members : cohorts) {
        Statement statement = make_statement(trends, period, series, members, context);
        if (!put(built, std::move(statement), context.refusals)) return built;
      }
    }
  }
  built.until_us = trends.periods[0].range.to_us;
  built.is_momentary = is_momentary(trends.periods[0].range);
  built.days = days_of(trends.periods[0].range) * static_cast<int64_t>(trends.periods.size());
  const Project* project = &context.project;
  const size_t day_bytes = context.refusals.statement_bytes * trends.periods[0].axis.size();
  if (is_sum_of_days(trends) && day_bytes <= limits::kStatementsBytesMax) {
    built.by_day = [trends, project, dialect = context.dialect] {
      return day_parts(trends, *project, dialect);
    };
  }
  built.bytes = [trends](const std::vector<Rows>& rows) { return answer_bytes(trends, rows); };
  built.write = [trends = std::move(trends), project](const std::vector<Rows>& rows) {
    return write_answer(trends, *project, rows);
  };
  return built;
}

}  // namespace hogflare::insights
