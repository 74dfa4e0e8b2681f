// LifecycleQuery and StickinessQuery: who was active in which bucket.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "hogflare/insights_limits.h"
#include "insights/kinds.h"
#include "insights/sql_text.h"
#include "json/dom.h"

namespace hogflare::insights {
namespace {

// Events that a series and the question's filters keep, as "unit, b" rows of `kept`.
struct Activity {
  Common common;
  Series series;
  Interval interval = Interval::kDay;
  Range range;
  Axis axis;
};

constexpr std::string_view kStatuses[] = {"new", "returning", "resurrecting", "dormant"};

// Each person's bucket gets its status; one row a person, bucket and status.
std::string lifecycle_sql(const Activity& life, const Context& context) {
  const Clock& clock = context.project.clock;
  // The last bucket is read to its own end, which may lie behind date_to.
  const int64_t to = clock.to_utc(next_start(life.interval, life.axis.starts_local.back())) - 1;
  Scan scan(context.project, context.dialect, life.common.person_properties);
  add_events(life.series, scan);
  const std::string unit = unit_of(life.common, scan);
  const View at(nullptr, "properties", &context.refusals);
  const std::string personless =
      context.project.typed_columns
          ? fmt::format("coalesce({}, '') <> 'propertyless'", scan.column("person_mode"))
          : fmt::format("coalesce({}, 'true') <> 'false'",
                        scan.event_property(at, "$process_person_profile"));
  const bool groups = life.common.group_index >= 0;
  // A group has no row of its own: it began with its first event.
  const std::string created = groups ? "CAST(NULL AS BIGINT)" : scan.person_created_us();
  const std::string where =
      fmt::format("{} AND {} AND {}", condition(life.series, scan, context.refusals),
                  condition(life.common.filter, scan, context.refusals), personless);
  const std::string bucket = bucket_of(life.axis, clock, "t", to);
  const int64_t from = groups ? INT64_MIN : life.axis.before_us;
  const std::string created_bucket = bucket_of(life.axis, clock, "created_t", to);
  std::string sql = fmt::format(
      "{}, kept AS (SELECT {} AS unit, t, {} AS created_t FROM e WHERE {} AND t <= {}), "
      "born AS (SELECT unit, coalesce(min(created_t), {}) AS created_t FROM kept WHERE unit IS NOT "
      "NULL GROUP BY unit), "
      "active AS (SELECT DISTINCT unit, {} AS b FROM kept WHERE t >= {} AND unit IS NOT NULL), ",
      scan.with(from, to), unit, created, where, to, groups ? "min(t)" : "CAST(NULL AS BIGINT)",
      bucket, life.axis.before_us);
  sql += fmt::format(
      "states AS (SELECT a.unit, a.b, CASE WHEN p.unit IS NOT NULL THEN 'returning' "
      "WHEN first.b = a.b AND {} = a.b THEN 'new' ELSE 'resurrecting' END AS status FROM active AS "
      "a "
      "LEFT JOIN active AS p ON p.unit = a.unit AND p.b = a.b - 1 "
      "JOIN (SELECT unit, min(b) AS b FROM active GROUP BY unit) AS first ON first.unit = a.unit "
      "JOIN born ON born.unit = a.unit "
      "UNION ALL SELECT a.unit, a.b + 1, 'dormant' FROM active AS a "
      "LEFT JOIN active AS later ON later.unit = a.unit AND later.b = a.b + 1 WHERE later.unit IS "
      "NULL)",
      created_bucket);
  return sql;
}

Activity read_lifecycle(const View& question, const Context& context) {
  question.only({"series", "interval", "dateRange", "properties", "filterTestAccounts",
                 "lifecycleFilter", "samplingFactor", "aggregation_group_type_index", "modifiers"});
  question["lifecycleFilter"].only({});
  Activity life;
  const Clock& clock = context.project.clock;
  life.common = read_common(question, context.project);
  const std::vector<View> series = question["series"].items();
  if (series.size() != 1)
    question["series"].refuse("must hold one series");
  else
    life.series = read_series(series[0], context.project);
  life.interval = read_interval(question["interval"]);
  life.range = read_range(question["dateRange"], clock, {.interval = life.interval});
  life.axis = make_axis(life.range, life.interval, clock, question["dateRange"]);
  return life;
}

// Members in the order of their names.
Written lifecycle_answer(const Activity& life, const Rows& rows) {
  std::vector<double> data[std::size(kStatuses)];
  for (std::vector<double>& one : data) one.resize(life.axis.size(), 0);
  for (const Row row : rows) {
    const int64_t b = integer_of(row[0], -1);
    const auto status = std::find(std::begin(kStatuses), std::end(kStatuses), text_of(row[1]));
    if (status == std::end(kStatuses) || b < 0 || static_cast<size_t>(b) >= life.axis.size())
      continue;
    data[status - std::begin(kStatuses)][static_cast<size_t>(b)] =
        *status == "dormant" ? -number_of(row[2]) : number_of(row[2]);
  }
  const AxisTexts texts = axis_texts(life.axis, life.range);
  Json action = life.series.action(0);
  action["math"] = "total";
  Written out{.results = "["};
  std::string& text = out.results;
  for (size_t s = 0; s < std::size(kStatuses); ++s) {
    append_json(text += s == 0 ? R"({"action":)" : R"(,{"action":)", action);
    append_plain(text += R"(,"count":)", std::accumulate(data[s].begin(), data[s].end(), 0.0));
    text += R"(,"data":[)";
    for (size_t i = 0; i < data[s].size(); ++i) {
      if (i > 0) text += ',';
      append_plain(text, data[s][i]);
    }
    text.append(R"(],"days":)").append(texts.days);
    append_json_text(text += R"(,"label":)",
                     fmt::format("{} - {}", life.series.label, kStatuses[s]));
    text.append(R"(,"labels":)").append(texts.labels);
    append_json_text(text += R"(,"status":)", kStatuses[s]);
    text += '}';
  }
  text += ']';
  return out;
}

struct Stickiness {
  std::vector<Series> series;
  Common common;
  Interval interval = Interval::kDay;
  int64_t interval_count = 1;
  std::string criteria;  // "count(*) >= 2"
  bool cumulative = false;
  struct Period {
    Range range;
    Axis axis;
  };
  std::vector<Period> periods;

  size_t buckets(size_t period) const {
    const int64_t n = static_cast<int64_t>(periods[period].axis.size());
    return static_cast<size_t>((n + interval_count - 1) / interval_count);
  }
};

void read_stickiness_filter(Stickiness& out, const View& filter) {
  filter.only({"stickinessCriteria", "computedAs"});
  out.cumulative = filter["computedAs"].one_of({"non_cumulative", "cumulative"}) == "cumulative";
  const View criteria = filter["stickinessCriteria"];
  if (!criteria.given()) return;
  criteria.only({"operator", "value"});
  const std::string op = criteria["operator"].one_of({"gte", "lte", "exact"});
  const int64_t value = criteria["value"].integer(1, {0, 1'000'000});
  out.criteria = fmt::format("count(*) {} {}",
                             op == "gte"   ? ">="
                             : op == "lte" ? "<="
                                           : "=",
                             value);
}

Stickiness read_stickiness(const View& question, const Context& context) {
  question.only({"series", "interval", "intervalCount", "dateRange", "properties",
                 "filterTestAccounts", "stickinessFilter", "compareFilter", "samplingFactor",
                 "modifiers"});
  Stickiness out;
  const Clock& clock = context.project.clock;
  out.common = read_common(question, context.project);
  for (const View& node : question["series"].items()) {
    out.series.push_back(read_series(node, context.project));
    if (out.series.back().math == "hogql") node["math"].refuse("is not done here");
    if (out.series.back().math == "unique_group" && out.series.back().group_index < 0)
      node["math"].refuse("needs math_group_type_index");
  }
  if (out.series.empty() || out.series.size() > limits::kQuestionSeriesMax)
    question["series"].refuse("must hold at least one series");
  out.interval = read_interval(question["interval"]);
  out.interval_count = question["intervalCount"].integer(1, {1, 1'000});
  read_stickiness_filter(out, question["stickinessFilter"]);
  Stickiness::Period now;
  now.range = read_range(question["dateRange"], clock, {.interval = out.interval});
  now.axis = make_axis(now.range, out.interval, clock, question["dateRange"]);
  out.periods.push_back(now);
  const View compare = question["compareFilter"];
  compare.only({"compare", "compare_to"});
  if (compare["compare"].flag()) {
    Stickiness::Period before;
    before.range = previous_range(now.range, compare, clock, out.interval);
    before.axis = make_axis(before.range, out.interval, clock, question["dateRange"]);
    out.periods.push_back(before);
  }
  return out;
}

// The CTEs up to "active": who was active in which of the periods.
std::string stickiness_ctes(const Stickiness& sticky, size_t period, const Series& series,
                            const Context& context) {
  const Clock& clock = context.project.clock;
  const Stickiness::Period& time = sticky.periods[period];
  Scan scan(context.project, context.dialect, sticky.common.person_properties);
  add_events(series, scan);
  const std::string unit =
      series.math == "unique_group" ? scan.group_key(series.group_index) : scan.person();
  const std::string where = fmt::format("{} AND {}", condition(series, scan, context.refusals),
                                        condition(sticky.common.filter, scan, context.refusals));
  std::string bucket = bucket_of(time.axis, clock, "t", time.range.to_us);
  // Periods of several buckets are counted back from the end.
  if (sticky.interval_count > 1) {
    bucket =
        floor_div(fmt::format("({} - ({}))", time.axis.size() - 1, bucket), sticky.interval_count);
  }
  const int64_t from = lower_bound_us(time.range, sticky.interval, clock);
  const std::string having =
      sticky.criteria.empty() ? "" : fmt::format(" HAVING {}", sticky.criteria);
  return fmt::format(
      "{}, kept AS (SELECT {} AS unit, {} AS b FROM e WHERE {} AND t >= {} AND t <= {}), "
      "active AS (SELECT unit, b FROM kept WHERE unit IS NOT NULL GROUP BY unit, b{})",
      scan.with(from, time.range.to_us), unit, bucket, where, from, time.range.to_us, having);
}

Statement stickiness_statement(const Stickiness& sticky, size_t period, const Series& series,
                               const Context& context) {
  return {.sql = fmt::format(
              "{} SELECT k, count(*) AS n FROM (SELECT unit, count(*) AS k FROM active GROUP BY "
              "unit) AS s GROUP BY k ORDER BY k LIMIT {}",
              stickiness_ctes(sticky, period, series, context), rows_max(context.dialect)),
          .columns = {"k", "n"},
          .numbers = {"k", "n"}};
}

Json stickiness_series(const Stickiness& sticky, size_t period, size_t order, const Rows& table) {
  const Series& series = sticky.series[order];
  std::vector<double> exact(sticky.buckets(period), 0);
  double count = 0;
  for (const Row row : table) {
    const int64_t k = integer_of(row[0]);
    if (k < 1 || static_cast<size_t>(k) > exact.size()) continue;
    exact[static_cast<size_t>(k) - 1] = number_of(row[1]);
    count += number_of(row[1]);
  }
  if (sticky.cumulative) {
    for (size_t i = exact.size(); i-- > 1;) exact[i - 1] += exact[i];
  }
  Json data = Json::array(), days = Json::array(), labels = Json::array();
  for (size_t i = 0; i < exact.size(); ++i) {
    data.push_back(plain(exact[i]));
    days.push_back(i + 1);
    labels.push_back(fmt::format("{} {}{}{}", i + 1, interval_name(sticky.interval),
                                 i == 0 ? "" : "s", sticky.cumulative ? " or more" : ""));
  }
  Json out{{"count", plain(count)},       {"data", std::move(data)},
           {"days", std::move(days)},     {"label", series.label},
           {"labels", std::move(labels)}, {"action", series.action(order)}};
  if (sticky.periods.size() > 1) {
    out["compare"] = true;
    out["compare_label"] = period == 0 ? "current" : "previous";
  }
  return out;
}

// What the answer takes at most.
size_t stickiness_bytes(const Stickiness& sticky) {
  constexpr size_t kBucketBytes = 80;
  constexpr size_t kLineBytes = 1'000;
  size_t bytes = 0;
  for (size_t period = 0; period < sticky.periods.size(); ++period) {
    for (size_t i = 0; i < sticky.series.size(); ++i) {
      bytes += kLineBytes + sticky.buckets(period) * kBucketBytes;
      bytes += sticky.series[i].label.size() + json::text_of(sticky.series[i].action(i)).size();
    }
  }
  return bytes;
}

}  // namespace

Built build_lifecycle(const View& question, const Context& context) {
  Activity life = read_lifecycle(question, context);
  Built built;
  if (context.refusals.first) return built;
  built.statements.push_back(
      {.sql =
           fmt::format("{} SELECT b, status, count(*) AS n FROM states WHERE b >= 0 AND b < {} "
                       "GROUP BY b, status ORDER BY b, status LIMIT {}",
                       lifecycle_sql(life, context), life.axis.size(), rows_max(context.dialect)),
       .columns = {"b", "status", "n"},
       .numbers = {"b", "n"}});
  built.until_us = life.range.to_us;
  built.is_momentary = is_momentary(life.range);
  built.days = days_of(life.range);
  built.write = [life = std::move(life)](const std::vector<Rows>& tables) {
    return lifecycle_answer(life, tables[0]);
  };
  return built;
}

std::string lifecycle_actors_sql(const View& query, const View& source, const Context& context) {
  const Activity life = read_lifecycle(source, context);
  const std::string status =
      query["status"].one_of({"new", "returning", "resurrecting", "dormant"});
  const std::optional<size_t> bucket = bucket_named(life.axis, query["day"].text());
  if (!bucket) {
    query["day"].refuse("is no bucket of the question");
    return {};
  }
  return fmt::format(
      "{}, actors AS (SELECT DISTINCT unit AS person FROM states WHERE b = {} AND status = {})",
      lifecycle_sql(life, context), *bucket, literal(status));
}

// `day` is in how many periods, as the answer's days are.
std::string stickiness_actors_sql(const View& query, const View& source, const Context& context) {
  const Stickiness sticky = read_stickiness(source, context);
  if (sticky.series.empty() || context.refusals.first) return {};
  const int64_t last = static_cast<int64_t>(sticky.series.size()) - 1;
  const Series& series = sticky.series[static_cast<size_t>(query["series"].integer(0, {0, last}))];
  if (series.math == "unique_group") query["source"].refuse("counts groups, not people");
  const bool before = query["compare"].one_of({"current", "previous"}) == "previous";
  if (before && sticky.periods.size() < 2) {
    query["compare"].refuse("the question compares with nothing");
    return {};
  }
  if (!query["day"].given()) query["day"].refuse("must say in how many periods people were active");
  const int64_t periods = query["day"].integer(1, {1, 100'000});
  return fmt::format(
      "{}, actors AS (SELECT unit AS person FROM active GROUP BY unit HAVING count(*) {} {})",
      stickiness_ctes(sticky, before ? 1 : 0, series, context), sticky.cumulative ? ">=" : "=",
      periods);
}

Built build_stickiness(const View& question, const Context& context) {
  Stickiness sticky = read_stickiness(question, context);
  Built built;
  if (context.refusals.first) return built;
  for (size_t period = 0; period < sticky.periods.size(); ++period) {
    for (const Series& series : sticky.series) {
      Statement statement = stickiness_statement(sticky, period, series, context);
      if (!put(built, std::move(statement), context.refusals)) return built;
    }
  }
  built.until_us = sticky.periods[0].range.to_us;
  built.is_momentary = is_momentary(sticky.periods[0].range);
  built.days = days_of(sticky.periods[0].range) * static_cast<int64_t>(sticky.periods.size());
  built.bytes = [sticky](const std::vector<Rows>&) { return stickiness_bytes(sticky); };
  built.read = [sticky = std::move(sticky)](const std::vector<Rows>& tables) {
    Json results = Json::array();
    size_t at = 0;
    for (size_t period = 0; period < sticky.periods.size(); ++period) {
      for (size_t i = 0; i < sticky.series.size(); ++i)
        results.push_back(stickiness_series(sticky, period, i, tables[at++]));
    }
    return Json{{"results", std::move(results)}};
  };
  return built;
}

}  // namespace hogflare::insights
