// FunnelsQuery: the engine gives the events of the units that could convert, this core walks them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_set>

#include "hogflare/insights_limits.h"
#include "insights/funnel_walk.h"
#include "insights/kinds.h"
#include "insights/sql_text.h"
#include "json/dom.h"

namespace hogflare::insights {
namespace {

struct Exclusion {
  Series series;
  size_t from = 0;
  size_t to = 0;
};

enum class Attribution : uint8_t { kFirstTouch, kLastTouch, kAllEvents, kStep };
enum class Shape : uint8_t { kSteps, kTimeToConvert, kTrends };

struct Funnel {
  Common common;
  std::vector<Series> steps;
  std::vector<Exclusion> exclusions;
  FunnelRules rules;
  Shape shape = Shape::kSteps;
  bool by_session = false;
  Interval interval = Interval::kDay;
  Range range;
  Axis axis;
  size_t from_step = 0;
  size_t to_step = 0;
  int64_t bins = 0;  // 0: by the number of units
  Breakdowns breakdowns;
  Attribution attribution = Attribution::kFirstTouch;
  int attribution_step = 0;
};

int64_t window_unit_us(const std::string& unit) {
  if (unit == "second") return kSecondUs;
  if (unit == "minute") return kMinuteUs;
  if (unit == "hour") return kHourUs;
  if (unit == "week") return 7 * kDayUs;
  if (unit == "month") return 31 * kDayUs;
  return kDayUs;
}

void read_steps(Funnel& funnel, const View& question, const Context& context) {
  for (const View& node : question["series"].items()) {
    Series step = read_series(node, context.project);
    if (!step.math.empty() && step.math != "total" && step.math != "dau") {
      node["math"].refuse("is not done in funnels here");
    }
    if (step.optional_step) funnel.rules.optional |= 1u << (funnel.steps.size() & 31);
    funnel.steps.push_back(std::move(step));
  }
  if (funnel.steps.size() < 2 || funnel.steps.size() > limits::kFunnelStepsMax) {
    question["series"].refuse(fmt::format("must hold 2 to {} steps", limits::kFunnelStepsMax));
  }
  if ((funnel.rules.optional & 1) != 0)
    question["series"]["0"].refuse("the first step cannot be optional");
}

// A step that an exclusion would also match can never be reached.
bool hides_step(const Series& exclusion, const Series& step) {
  if (exclusion.any_of.size() != 1 || step.any_of.size() != 1) return false;
  const bool same = !exclusion.any_of[0].event || exclusion.any_of[0].event == step.any_of[0].event;
  return same && exclusion.filter.kind == Filter::Kind::kTrue;
}

void read_exclusions(Funnel& funnel, const View& list, const Context& context) {
  const int64_t last = static_cast<int64_t>(funnel.steps.size()) - 1;
  for (const View& node : list.items()) {
    node.only({"event", "id", "properties", "funnelFromStep", "funnelToStep", "fixedProperties"});
    Exclusion one;
    const Json bare = [&node] {
      Json copy = node.json();
      if (copy.is_object()) {
        copy.erase("funnelFromStep");
        copy.erase("funnelToStep");
        if (copy.find("kind") == copy.end()) copy["kind"] = "EventsNode";
      }
      return copy;
    }();
    one.series = read_series(View(&bare, node.path(), node.refusals()), context.project);
    const int64_t from = node["funnelFromStep"].integer(0, {0, 31});
    const int64_t to = node["funnelToStep"].integer(last, {0, 31});
    if (from >= to || to > last) {
      node.refuse("must go from a step to a later one of the funnel");
      continue;
    }
    one.from = static_cast<size_t>(from);
    one.to = static_cast<size_t>(to);
    if (funnel.rules.order == FunnelRules::Order::kUnordered && (from != 0 || to != last)) {
      node.refuse(
          "a partial exclusion has no meaning where steps have no order: it must span all steps");
    }
    for (size_t step = one.from; step <= one.to; ++step) {
      if (hides_step(one.series, funnel.steps[step]))
        node.refuse("is a step of the funnel between its own ends");
    }
    funnel.exclusions.push_back(std::move(one));
  }
}

void read_attribution(Funnel& funnel, const View& filter) {
  const std::string type = filter["breakdownAttributionType"].one_of(
      {"first_touch", "last_touch", "all_events", "step"});
  if (type == "last_touch") funnel.attribution = Attribution::kLastTouch;
  if (type == "all_events") funnel.attribution = Attribution::kAllEvents;
  if (type == "step") funnel.attribution = Attribution::kStep;
  const int64_t last = static_cast<int64_t>(funnel.steps.size()) - 1;
  funnel.attribution_step = static_cast<int>(
      filter["breakdownAttributionValue"].integer(0, {0, std::max<int64_t>(last, 0)}));
  if (funnel.attribution == Attribution::kStep && funnel.attribution_step != 0 &&
      funnel.rules.order == FunnelRules::Order::kUnordered) {
    filter["breakdownAttributionValue"].refuse(
        "only step 0 can give the value where steps have no order");
  }
}

void read_funnel_filter(Funnel& funnel, const View& filter, const Context& context) {
  filter.only({"funnelVizType", "funnelOrderType", "funnelWindowInterval",
               "funnelWindowIntervalUnit", "exclusions", "breakdownAttributionType",
               "breakdownAttributionValue", "funnelAggregateByHogQL", "funnelFromStep",
               "funnelToStep", "binCount"});
  const std::string shape = filter["funnelVizType"].one_of({"steps", "time_to_convert", "trends"});
  funnel.shape = shape == "steps"    ? Shape::kSteps
                 : shape == "trends" ? Shape::kTrends
                                     : Shape::kTimeToConvert;
  const std::string order = filter["funnelOrderType"].one_of({"ordered", "strict", "unordered"});
  if (order == "strict") funnel.rules.order = FunnelRules::Order::kStrict;
  if (order == "unordered") funnel.rules.order = FunnelRules::Order::kUnordered;
  const std::string unit = filter["funnelWindowIntervalUnit"].one_of(
      {"day", "second", "minute", "hour", "week", "month"});
  funnel.rules.window_us =
      window_unit_us(unit) * filter["funnelWindowInterval"].integer(14, {1, 100'000});
  const std::string by = filter["funnelAggregateByHogQL"].text();
  funnel.by_session = by == "properties.$session_id";
  if (!by.empty() && by != "person_id" && !funnel.by_session)
    filter["funnelAggregateByHogQL"].refuse("only properties.$session_id is done");
  read_exclusions(funnel, filter["exclusions"], context);
  read_attribution(funnel, filter);
  const int64_t last = static_cast<int64_t>(funnel.steps.size()) - 1;
  const int64_t from = filter["funnelFromStep"].integer(0, {0, std::max<int64_t>(last, 0)});
  const int64_t to = filter["funnelToStep"].integer(last, {0, std::max<int64_t>(last, 0)});
  if (from >= to) filter["funnelToStep"].refuse("must be behind funnelFromStep");
  funnel.from_step = static_cast<size_t>(from);
  funnel.to_step = static_cast<size_t>(to);
  funnel.bins = filter["binCount"].integer(0, {1, 90});
  if (funnel.rules.optional != 0 &&
      (funnel.shape != Shape::kSteps || funnel.rules.order == FunnelRules::Order::kUnordered)) {
    filter.refuse("optional steps are done in ordered and strict funnels shown by steps only");
  }
}

Funnel read_funnel(const View& question, const Context& context) {
  question.only({"series", "interval", "dateRange", "properties", "filterTestAccounts",
                 "funnelsFilter", "breakdownFilter", "compareFilter", "samplingFactor",
                 "aggregation_group_type_index", "modifiers"});
  Funnel funnel;
  const Clock& clock = context.project.clock;
  funnel.common = read_common(question, context.project);
  read_steps(funnel, question, context);
  if (context.refusals.first) return funnel;
  read_funnel_filter(funnel, question["funnelsFilter"], context);
  funnel.rules.steps = funnel.steps.size();
  funnel.interval = read_interval(question["interval"]);
  funnel.range = read_range(question["dateRange"], clock, {.interval = funnel.interval});
  funnel.axis = make_axis(funnel.range, funnel.interval, clock, question["dateRange"]);
  funnel.breakdowns = read_breakdowns(question["breakdownFilter"], context.project);
  if (!funnel.breakdowns.cohorts.empty())
    question["breakdownFilter"]["breakdown_type"].refuse("cohorts are not done in funnels here");
  question["compareFilter"]["compare"].refuse_if_given("is not done in funnels here");
  return funnel;
}

std::string mask_sql(const std::vector<std::string>& conditions) {
  std::string out;
  for (size_t i = 0; i < conditions.size(); ++i) {
    out += fmt::format("{}CASE WHEN {} THEN {} ELSE 0 END", i == 0 ? "" : " + ", conditions[i],
                       1u << i);
  }
  return out.empty() ? "0" : out;
}

// An exclusion from step f to t stands in the way of reaching f+1 to t.
std::string exclusions_sql(const Funnel& funnel, Scan& scan, const Context& context) {
  std::vector<std::string> by_step(funnel.steps.size());
  for (const Exclusion& one : funnel.exclusions) {
    const std::string matched = condition(one.series, scan, context.refusals);
    for (size_t step = one.from + 1; step <= one.to; ++step) {
      by_step[step] += (by_step[step].empty() ? "" : " OR ") + matched;
    }
  }
  for (std::string& one : by_step) one = one.empty() ? "FALSE" : one;
  return funnel.exclusions.empty() ? "0" : mask_sql(by_step);
}

struct FunnelSql {
  std::string ctes;   // up to "kept"
  std::string where;  // of "kept": what could convert
  Statement statement;
};

FunnelSql funnel_sql(const Funnel& funnel, const Context& context) {
  Scan scan(context.project, context.dialect, funnel.common.person_properties);
  std::vector<std::string> conditions;
  for (const Series& step : funnel.steps) {
    add_events(step, scan);
    conditions.push_back(condition(step, scan, context.refusals));
  }
  for (const Exclusion& one : funnel.exclusions) add_events(one.series, scan);
  const bool strict = funnel.rules.order == FunnelRules::Order::kStrict;
  if (strict) scan.add_event(std::nullopt);
  const std::string unit = funnel.by_session ? fmt::format("nullif({}, '')", scan.session_id())
                                             : unit_of(funnel.common, scan);
  const std::string excluded = exclusions_sql(funnel, scan, context);
  const std::string where = condition(funnel.common.filter, scan, context.refusals);
  std::string values, names;
  Statement out{.sql = {},
                .columns = {"unit", "t", "steps", "exclusions", "b"},
                .numbers = {"t", "steps", "exclusions", "b"}};
  for (size_t i = 0; i < funnel.breakdowns.by.size(); ++i) {
    values += fmt::format(", coalesce({}, '') AS v{}",
                          breakdown_text(funnel.breakdowns.by[i], scan, context.refusals), i);
    names += fmt::format(", v{}", i);
    out.columns.push_back(fmt::format("v{}", i));
  }
  // Who never took the first step cannot appear; without order any step will do.
  const bool any_order = funnel.rules.order == FunnelRules::Order::kUnordered;
  const std::string_view entered = any_order ? "steps > 0" : "steps % 2 = 1";
  const std::string ctes = fmt::format(
      "{}, kept AS (SELECT {} AS unit, t, uuid, {} AS steps, {} AS exclusions, {} AS b{} FROM e "
      "WHERE {} AND t >= {} AND t <= {})",
      scan.with(funnel.range.from_us, funnel.range.to_us), unit, mask_sql(conditions), excluded,
      bucket_of(funnel.axis, context.project.clock, "t", funnel.range.to_us), values, where,
      funnel.range.from_us, funnel.range.to_us);
  const std::string kept =
      fmt::format("unit IN (SELECT unit FROM kept WHERE {} AND unit IS NOT NULL)", entered);
  out.sql = fmt::format(
      "{} SELECT unit, t, steps, exclusions, b{} FROM kept WHERE {}{} "
      "ORDER BY unit, t, uuid LIMIT {}",
      ctes, names, kept, strict ? "" : " AND (steps > 0 OR exclusions > 0)",
      rows_max(context.dialect));
  return {.ctes = ctes, .where = kept, .statement = std::move(out)};
}

using Values = std::vector<std::string>;
struct Unit {
  std::string name;
  std::vector<FunnelEvent> events;
};

std::vector<Unit> units_of(const Funnel& funnel, const Rows& table) {
  std::vector<Unit> units;
  std::string_view last;  // as it came: a unit's rows stand together
  for (const Row row : table) {
    const std::string_view unit = row[0].exists() ? row[0].raw() : std::string_view();
    if (units.empty() || unit != last) units.push_back({.name = text_of(row[0]), .events = {}});
    last = unit;
    FunnelEvent event{.t_us = integer_of(row[1]),
                      .steps = static_cast<uint32_t>(integer_of(row[2])),
                      .exclusions = static_cast<uint32_t>(integer_of(row[3])),
                      .bucket = integer_of(row[4]),
                      .value = {}};
    for (size_t i = 0; i < funnel.breakdowns.by.size(); ++i)
      event.value.push_back(text_of(row[5 + i]));
    units.back().events.push_back(std::move(event));
  }
  return units;
}

bool has_value(const Values& value) {
  return std::any_of(value.begin(), value.end(),
                     [](const std::string& one) { return !one.empty(); });
}

// The breakdown values that a unit is walked under.
std::vector<Values> values_of(const Funnel& funnel, const Unit& unit) {
  std::vector<Values> out;
  const auto add = [&out](const Values& value) {
    if (std::find(out.begin(), out.end(), value) == out.end()) out.push_back(value);
  };
  if (funnel.breakdowns.by.empty()) return {{}};
  const Values none(funnel.breakdowns.by.size());
  Values touched = none;
  for (const FunnelEvent& event : unit.events) {
    const bool counts = event.steps != 0 || event.exclusions != 0;
    switch (funnel.attribution) {
      case Attribution::kFirstTouch:
        if (counts && !has_value(touched)) touched = event.value;
        break;
      case Attribution::kLastTouch:
        if (counts && has_value(event.value)) touched = event.value;
        break;
      case Attribution::kAllEvents:
        if (counts) add(event.value);
        break;
      case Attribution::kStep:
        if ((event.steps >> funnel.attribution_step & 1) != 0) add(event.value);
    }
  }
  if (funnel.attribution <= Attribution::kLastTouch) out.push_back(touched);
  return out;
}

// A unit under one value: the rules and the events it is walked with.
FunnelRules rules_for(const Funnel& funnel, const Values& value) {
  FunnelRules rules = funnel.rules;
  rules.value = value;
  if (funnel.attribution == Attribution::kStep && !value.empty())
    rules.attribution_step = funnel.attribution_step;
  return rules;
}

// Its events of the value alone, where each value is walked by itself; they lie in `picked` then.
const std::vector<FunnelEvent>& events_for(const Funnel& funnel, const Unit& unit,
                                           const Values& value, std::vector<FunnelEvent>& picked) {
  if (funnel.attribution != Attribution::kAllEvents || value.empty()) return unit.events;
  picked.clear();
  for (const FunnelEvent& event : unit.events) {
    if (event.value == value) picked.push_back(event);
  }
  return picked;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// The units of one breakdown value.
struct Group {
  Values value;
  std::vector<int64_t> counts;
  std::vector<std::vector<double>> seconds;  // since the step before, without zeros
};

void add_run(const Funnel& funnel, Group& group, const FunnelRun& run) {
  int64_t previous = -1;
  for (size_t step = 0; step < funnel.steps.size(); ++step) {
    if ((run.reached >> step & 1) == 0) continue;
    group.counts[step] += 1;
    if ((funnel.rules.optional >> step & 1) != 0) continue;
    const int64_t at = run.times_us[step];
    if (step > 0 && previous >= 0 && at > previous) {
      group.seconds[step].push_back(static_cast<double>(at - previous) / kSecondUs);
    }
    previous = at;
  }
}

Group empty_group(const Funnel& funnel, Values value) {
  return {.value = std::move(value),
          .counts = std::vector<int64_t>(funnel.steps.size(), 0),
          .seconds = std::vector<std::vector<double>>(funnel.steps.size())};
}

void rank_groups(const Funnel& funnel, std::vector<Group>& groups) {
  std::sort(groups.begin(), groups.end(), [](const Group& left, const Group& right) {
    for (size_t step = left.counts.size(); step-- > 0;) {
      if (left.counts[step] != right.counts[step]) return left.counts[step] > right.counts[step];
    }
    return left.value < right.value;
  });
  const size_t limit = static_cast<size_t>(funnel.breakdowns.limit);
  if (groups.size() <= limit) return;
  Group other = empty_group(funnel, Values(funnel.breakdowns.by.size(), "Other"));
  for (size_t i = limit; i < groups.size(); ++i) {
    for (size_t step = 0; step < other.counts.size(); ++step) {
      other.counts[step] += groups[i].counts[step];
      other.seconds[step].insert(other.seconds[step].end(), groups[i].seconds[step].begin(),
                                 groups[i].seconds[step].end());
    }
  }
  groups.resize(limit);
  groups.push_back(std::move(other));
}

Json write_steps(const Funnel& funnel, const Group& group) {
  Json out = Json::array();
  const bool unordered = funnel.rules.order == FunnelRules::Order::kUnordered;
  for (size_t step = 0; step < funnel.steps.size(); ++step) {
    const Series& series = funnel.steps[step];
    const std::vector<double>& seconds = group.seconds[step];
    Json one{{"action_id", unordered ? Json() : series.id},
             {"name", unordered ? fmt::format("Completed {} step{}", step + 1, step == 0 ? "" : "s")
                                : series.label},
             {"custom_name", series.custom_name && !unordered ? Json(*series.custom_name) : Json()},
             {"order", step},
             {"people", Json::array()},
             {"count", group.counts[step]},
             {"type", series.type},
             {"average_conversion_time", seconds.empty() ? Json() : Json(mean(seconds))},
             {"median_conversion_time", seconds.empty() ? Json() : Json(median(seconds))}};
    if (!group.value.empty()) {
      one["breakdown"] = group.value;
      one["breakdown_value"] = group.value;
    }
    out.push_back(std::move(one));
  }
  return out;
}

Json read_steps_answer(const Funnel& funnel, const std::vector<Unit>& units) {
  std::map<Values, Group> by_value;
  std::vector<FunnelEvent> picked;
  for (const Unit& unit : units) {
    for (const Values& value : values_of(funnel, unit)) {
      const FunnelRun run =
          walk_funnel(rules_for(funnel, value), events_for(funnel, unit, value, picked));
      if (run.reached == 0) continue;
      auto group = by_value.find(value);
      if (group == by_value.end())
        group = by_value.emplace(value, empty_group(funnel, value)).first;
      add_run(funnel, group->second, run);
    }
  }
  if (funnel.breakdowns.by.empty()) {
    return write_steps(funnel,
                       by_value.empty() ? empty_group(funnel, {}) : by_value.begin()->second);
  }
  std::vector<Group> groups;
  for (auto& [value, group] : by_value) groups.push_back(std::move(group));
  rank_groups(funnel, groups);
  Json out = Json::array();
  for (const Group& group : groups) out.push_back(write_steps(funnel, group));
  return out;
}

Json read_times_answer(const Funnel& funnel, const std::vector<Unit>& units) {
  std::vector<double> times;
  for (const Unit& unit : units) {
    const FunnelRun run = walk_funnel(funnel.rules, unit.events);
    if ((run.reached >> funnel.to_step & 1) == 0) continue;
    times.push_back(
        static_cast<double>(run.times_us[funnel.to_step] - run.times_us[funnel.from_step]) /
        kSecondUs);
  }
  if (times.empty()) {
    return Json{{"bins", Json::array()},
                {"average_conversion_time", nullptr},
                {"median_conversion_time", nullptr}};
  }
  const double low = std::floor(*std::min_element(times.begin(), times.end()));
  const double high = std::ceil(*std::max_element(times.begin(), times.end()));
  int64_t count = funnel.bins;
  if (count == 0)
    count = std::clamp<int64_t>(
        static_cast<int64_t>(std::ceil(std::cbrt(static_cast<double>(times.size())) - 1e-9)), 1,
        60);
  double width = std::ceil((high - low) / static_cast<double>(count));
  if (width <= 0) width = 60;
  std::vector<int64_t> bins(static_cast<size_t>(count) + 1, 0);
  for (double time : times) {
    bins[std::min(bins.size() - 1, static_cast<size_t>((time - low) / width))] += 1;
  }
  Json out = Json::array();
  for (size_t i = 0; i < bins.size(); ++i)
    out.push_back(Json::array({plain(low + width * static_cast<double>(i)), bins[i]}));
  return Json{{"bins", std::move(out)},
              {"average_conversion_time", mean(times)},
              {"median_conversion_time", median(times)}};
}

struct Conversion {
  int64_t from = 0;
  int64_t to = 0;
  double rate() const {
    return from == 0
               ? 0
               : std::round(10'000.0 * static_cast<double>(to) / static_cast<double>(from)) / 100;
  }
};

Json write_trend(const Funnel& funnel, const Values& value,
                 const std::vector<Conversion>& buckets) {
  Json data = Json::array(), days = Json::array(), labels = Json::array(), raw = Json::array();
  int64_t count = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    data.push_back(buckets[i].rate());
    days.push_back(funnel.axis.day(i));
    labels.push_back(axis_label(funnel.axis, i, funnel.range));
    raw.push_back(Json{{"day", funnel.axis.day(i)},
                       {"reached_from_step_count", buckets[i].from},
                       {"reached_to_step_count", buckets[i].to},
                       {"conversion_rate", buckets[i].rate()}});
    count += buckets[i].from;
  }
  Json out{{"count", count},
           {"data", std::move(data)},
           {"days", std::move(days)},
           {"labels", std::move(labels)},
           {"raw", std::move(raw)}};
  if (!value.empty()) out["breakdown_value"] = value;
  return out;
}

Json read_trends_answer(const Funnel& funnel, const std::vector<Unit>& units) {
  std::map<Values, std::vector<Conversion>> by_value;
  if (funnel.breakdowns.by.empty()) by_value[{}].resize(funnel.axis.size());
  std::vector<FunnelEvent> picked;
  for (const Unit& unit : units) {
    for (const Values& value : values_of(funnel, unit)) {
      FunnelRules rules = rules_for(funnel, value);
      rules.steps = funnel.to_step + 1;
      std::vector<Conversion>& buckets = by_value[value];
      buckets.resize(funnel.axis.size());
      for (const FunnelEntry& entry :
           walk_funnel_trends(rules, events_for(funnel, unit, value, picked), funnel.from_step)) {
        if (entry.bucket < 0 || static_cast<size_t>(entry.bucket) >= buckets.size()) continue;
        buckets[static_cast<size_t>(entry.bucket)].from += entry.reached_from ? 1 : 0;
        buckets[static_cast<size_t>(entry.bucket)].to += entry.reached_to ? 1 : 0;
      }
    }
  }
  Json out = Json::array();
  for (const auto& [value, buckets] : by_value) {
    if (out.size() < static_cast<size_t>(funnel.breakdowns.limit))
      out.push_back(write_trend(funnel, value, buckets));
  }
  return out;
}

// What the answer takes at most, with what is counted of all values.
size_t funnel_bytes(const Funnel& funnel, const Rows& table) {
  constexpr size_t kStepBytes = 600;
  // A bucket stands in four lists, once with its day, once with its label, and once with both
  // counts.
  constexpr size_t kBucketBytes = 300;
  std::unordered_set<std::string> values;
  std::string value;
  size_t longest = 0;
  for (const Row row : table) {
    value.clear();
    for (size_t i = 0; i < funnel.breakdowns.by.size(); ++i) {
      if (row[5 + i].exists()) value.append(row[5 + i].raw());
      value += '\n';
    }
    longest = std::max(longest, value.size());
    values.insert(value);
  }
  const size_t shown =
      std::min(values.size(), static_cast<size_t>(funnel.breakdowns.limit)) + 1;  // and the rest
  if (funnel.shape == Shape::kTrends) {
    return funnel.axis.size() * (shown * kBucketBytes + values.size() * sizeof(Conversion)) +
           shown * longest;
  }
  size_t steps = 0;
  for (const Series& step : funnel.steps) {
    steps += kStepBytes + 2 * longest + step.label.size() + json::text_of(step.id).size() +
             step.custom_name.value_or("").size();
  }
  return shown * steps;
}

}  // namespace

// `funnelStep`: n from 1 who reached step n, -n who reached step n - 1 and no further.
FunnelActors funnel_actors(const View& query, const View& source, const Context& context) {
  const Funnel funnel = read_funnel(source, context);
  if (context.refusals.first) return {};
  if (funnel.by_session || funnel.common.group_index >= 0)
    query["source"].refuse("counts visits or groups, not people");
  if (funnel.shape != Shape::kSteps) query["source"].refuse("people are shown behind steps only");
  const int64_t steps = static_cast<int64_t>(funnel.steps.size());
  const int64_t step = query["funnelStep"].integer(1, {-steps, steps});
  if (step == 0 || step == -1) query["funnelStep"].refuse("is 1 or more, or -2 or less");
  const View wanted = query["funnelStepBreakdown"];
  Values value;
  for (const View& one : wanted.is_array() ? wanted.items() : std::vector<View>{})
    value.push_back(one.text());
  if (wanted.given() && !wanted.is_array()) value.push_back(wanted.text());
  if (wanted.given() && value.size() != funnel.breakdowns.by.size())
    wanted.refuse("must give a value for each breakdown of the question");
  const FunnelSql sql = funnel_sql(funnel, context);
  const bool has_value = wanted.given();
  const auto pick = [funnel, step, value, has_value](const Rows& table) {
    std::set<std::string> people;
    std::vector<FunnelEvent> picked;
    for (const Unit& unit : units_of(funnel, table)) {
      for (const Values& each : values_of(funnel, unit)) {
        if (has_value && each != value) continue;
        const FunnelRun run =
            walk_funnel(rules_for(funnel, each), events_for(funnel, unit, each, picked));
        const auto reached = [&run](int64_t number) {
          return (run.reached >> (number - 1) & 1) != 0;
        };
        const bool is_there = step > 0 ? reached(step) : reached(-step - 1) && !reached(-step);
        if (is_there) people.insert(unit.name);
      }
    }
    return people;
  };
  return {.ctes = fmt::format("{}, actors AS (SELECT DISTINCT unit AS person FROM kept WHERE {})",
                              sql.ctes, sql.where),
          .events = sql.statement,
          .pick = pick};
}

Built build_funnel(const View& question, const Context& context) {
  Funnel funnel = read_funnel(question, context);
  Built built;
  if (context.refusals.first) return built;
  built.statements.push_back(funnel_sql(funnel, context).statement);
  built.until_us = funnel.range.to_us;
  built.is_momentary = is_momentary(funnel.range);
  built.days = days_of(funnel.range);
  built.bytes = [funnel](const std::vector<Rows>& tables) {
    return funnel_bytes(funnel, tables[0]);
  };
  built.read = [funnel = std::move(funnel)](const std::vector<Rows>& tables) {
    const std::vector<Unit> units = units_of(funnel, tables[0]);
    if (funnel.shape == Shape::kTimeToConvert)
      return Json{{"results", read_times_answer(funnel, units)}};
    if (funnel.shape == Shape::kTrends) return Json{{"results", read_trends_answer(funnel, units)}};
    return Json{{"results", read_steps_answer(funnel, units)}};
  };
  return built;
}

}  // namespace hogflare::insights
