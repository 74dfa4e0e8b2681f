// ExperimentQuery: what the people of each variant did after they first saw it.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "hogflare/insights_limits.h"
#include "hogflare/insights_stats.h"
#include "insights/kinds.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

struct Experiment {
  Common common;
  std::string flag;
  std::vector<std::string> variants;
  bool first_seen = false;  // who saw several keeps the first; otherwise nobody counts them
  int64_t start_us = 0;
  int64_t end_us = 0;
  bool is_funnel = false;
  Series source;              // of a mean
  std::vector<Series> steps;  // of a funnel, behind the exposure
  int64_t window_us = 0;      // 0: to the end
  bool decrease = false;
};

int64_t read_instant(const View& view, const Clock& clock, int64_t fallback) {
  const std::string text = view.text();
  if (text.empty()) return fallback;
  const auto moment = read_moment(text, clock);
  if (!moment || moment->relative) view.refuse("must be a date");
  return moment ? clock.to_utc(moment->local_us) : fallback;
}

int64_t unit_us(const std::string& unit) {
  if (unit == "second") return kSecondUs;
  if (unit == "minute") return kMinuteUs;
  if (unit == "hour") return kHourUs;
  if (unit == "week") return 7 * kDayUs;
  if (unit == "month") return 30 * kDayUs;  // unlike a funnel's, which has 31
  return kDayUs;
}

void read_metric(Experiment& out, const View& metric, const Context& context) {
  metric.only({"metric_type", "source", "series", "conversion_window", "conversion_window_unit",
               "goal", "uuid", "fingerprint"});
  metric["kind"].one_of({"ExperimentMetric"});
  out.is_funnel = metric["metric_type"].one_of({"mean", "funnel"}) == "funnel";
  out.decrease = metric["goal"].one_of({"increase", "decrease"}) == "decrease";
  const int64_t window = metric["conversion_window"].integer(0, {1, 10'000});
  out.window_us = window * unit_us(metric["conversion_window_unit"].one_of(
                               {"day", "second", "minute", "hour", "week", "month"}));
  if (out.is_funnel) {
    for (const View& node : metric["series"].items())
      out.steps.push_back(read_series(node, context.project));
    if (out.steps.empty() || out.steps.size() > limits::kFunnelStepsMax)
      metric["series"].refuse("must hold the steps behind the exposure");
    for (const Series& step : out.steps) {
      if (!step.math.empty() && step.math != "total")
        context.refusals.add(step.path + ".math", "is not done in an experiment's funnel");
      if (step.optional_step)
        context.refusals.add(step.path + ".optionalInFunnel",
                             "is not done in an experiment's funnel");
    }
    return;
  }
  out.source = read_series(metric["source"], context.project);
  metric["source"]["math"].one_of({"total", "sum", "avg", "min", "max", "unique_session", "dau"});
}

Experiment read_experiment(const View& question, const Context& context) {
  question.only({"experiment", "metric", "modifiers", "properties", "filterTestAccounts",
                 "samplingFactor", "experiment_id"});
  question["experiment_id"].refuse_if_given("experiments are not kept here: give \"experiment\"");
  Experiment out;
  out.common = read_common(question, context.project);
  const View experiment = question["experiment"];
  experiment.only(
      {"feature_flag_key", "variants", "start_date", "end_date", "multiple_variant_handling"});
  out.flag = experiment["feature_flag_key"].text();
  if (out.flag.empty()) experiment["feature_flag_key"].refuse("must name a flag");
  for (const View& variant : experiment["variants"].items()) out.variants.push_back(variant.text());
  if (out.variants.size() < 2 || out.variants.size() > 20)
    experiment["variants"].refuse("must name 2 to 20 variants, the baseline first");
  const Clock& clock = context.project.clock;
  if (experiment["start_date"].text().empty()) experiment["start_date"].refuse("is missing");
  out.start_us = read_instant(experiment["start_date"], clock, clock.now_us);
  out.end_us = read_instant(experiment["end_date"], clock, clock.now_us);
  out.first_seen =
      experiment["multiple_variant_handling"].one_of({"exclude", "first_seen"}) == "first_seen";
  read_metric(out, question["metric"], context);
  return out;
}

// "exposed": one row a person with the first exposure.
std::string exposed_sql(const Experiment& x, Scan& scan, const Context& context,
                        const std::vector<std::string>& metric_columns) {
  const View at(nullptr, "experiment", &context.refusals);
  const std::string person = scan.person();
  const std::string flag = scan.event_property(at, "$feature_flag");
  const std::string variant = scan.event_property(at, "$feature_flag_response");
  const std::string where = condition(x.common.filter, scan, context.refusals);
  std::string columns;
  for (const std::string& one : metric_columns) columns += ", " + one;
  const int64_t last = x.end_us + x.window_us;
  return fmt::format(
      "{}, exposures AS (SELECT {} AS who, t, {} AS variant FROM e WHERE event = "
      "'$feature_flag_called' AND {} = {} AND {} IN ({}) AND {} AND t >= {} AND t <= {}), "
      "exposed AS (SELECT who, min(t) AS first_t, substr(min(concat(lpad(CAST(t AS VARCHAR), 17, "
      "'0'), variant)), 18) AS variant, "
      "CASE WHEN min(variant) <> max(variant) THEN 1 ELSE 0 END AS is_multiple FROM exposures "
      "WHERE who IS NOT NULL GROUP BY who), "
      "acts AS (SELECT {} AS who, t, uuid{} FROM e WHERE t >= {} AND t <= {})",
      scan.with(x.start_us, last), person, variant, flag, literal(x.flag), variant,
      literals(x.variants), where, x.start_us, x.end_us, person, columns, x.start_us, last);
}

std::string in_time(const Experiment& x, std::string_view t) {
  if (x.window_us > 0) return fmt::format("{} < exposed.first_t + {}", t, x.window_us);
  return fmt::format("{} <= {}", t, x.end_us);
}

std::string mean_sql(const Experiment& x, Scan& scan, const Context& context) {
  const std::string& math = x.source.math;
  const View at(nullptr, x.source.path + ".math_property", &context.refusals);
  std::string value = "1";
  std::string aggregate = "count(acts.hit)";
  if (math == "sum" || math == "avg" || math == "min" || math == "max") {
    if (x.source.math_property.empty()) at.refuse("must name a property");
    value = number_in(scan.event_property(at, x.source.math_property));
    if (x.source.multiplier != 1)
      value = fmt::format("({}) * {}", value, literal(x.source.multiplier));
    aggregate = fmt::format("{}(acts.hit)", math);
  } else if (math == "unique_session") {
    value = fmt::format("nullif({}, '')", scan.session_id());
    aggregate = "count(DISTINCT acts.hit)";
  } else if (math == "dau") {
    aggregate = "max(acts.hit)";
  }
  const std::string matched = condition(x.source, scan, context.refusals);
  const std::string hit = fmt::format("CASE WHEN {} THEN {} END AS hit", matched, value);
  return fmt::format(
      "{}, people_of AS (SELECT exposed.who, exposed.variant, exposed.is_multiple, "
      "CAST(coalesce({}, 0) AS DOUBLE) AS x FROM exposed "
      "LEFT JOIN acts ON acts.who = exposed.who AND acts.hit IS NOT NULL AND acts.t >= "
      "exposed.first_t AND {} "
      "GROUP BY exposed.who, exposed.variant, exposed.is_multiple)",
      exposed_sql(x, scan, context, {hit}), aggregate, in_time(x, "acts.t"));
}

// With the entry fixed at the exposure, the earliest next step is always the best one. The time,
// padded, and the uuid order the events; each is used once.
std::string funnel_sql(const Experiment& x, Scan& scan, const Context& context) {
  std::vector<std::string> columns;
  for (size_t i = 0; i < x.steps.size(); ++i) {
    columns.push_back(fmt::format("CASE WHEN {} THEN 1 ELSE 0 END AS s{}",
                                  condition(x.steps[i], scan, context.refusals), i));
  }
  std::string sql = exposed_sql(x, scan, context, columns);
  sql += ", n0 AS (SELECT who, first_t AS at, '' AS used FROM exposed)";
  for (size_t i = 0; i < x.steps.size(); ++i) {
    sql += fmt::format(
        ", k{0} AS (SELECT n{1}.who, min(concat(lpad(CAST(acts.t AS VARCHAR), 17, '0'), "
        "acts.uuid)) AS k FROM n{1} JOIN exposed ON exposed.who = n{1}.who "
        "JOIN acts ON acts.who = n{1}.who AND acts.s{1} = 1 AND acts.t >= n{1}.at AND "
        "strpos(n{1}.used, acts.uuid) = 0 AND {2} GROUP BY n{1}.who)"
        ", n{0} AS (SELECT k{0}.who, CAST(substr(k, 1, 17) AS BIGINT) AS at, concat(n{1}.used, "
        "substr(k, 18)) AS used FROM k{0} JOIN n{1} ON n{1}.who = k{0}.who)",
        i + 1, i, in_time(x, "acts.t"));
  }
  return sql + fmt::format(
                   ", people_of AS (SELECT exposed.who, exposed.variant, exposed.is_multiple, CASE "
                   "WHEN n{0}.who IS NOT NULL THEN 1.0 ELSE 0.0 END AS x "
                   "FROM exposed LEFT JOIN n{0} ON n{0}.who = exposed.who)",
                   x.steps.size());
}

// Why an arm's numbers are not compared yet.
Json failures_of(const Experiment& x, const Arm& arm, bool is_baseline) {
  Json failures = Json::array();
  if (arm.people < 50) failures.push_back("not-enough-exposures");
  const bool few = x.is_funnel && (arm.sum < 5 || arm.people - arm.sum < 5);
  if (few) failures.push_back("not-enough-metric-data");
  if (is_baseline && arm.sum == 0) failures.push_back("baseline-mean-is-zero");
  return failures;
}

// Without a baseline it is the baseline.
Json variant_json(const Experiment& x, const std::string& key, const Arm& arm,
                  const Arm* baseline) {
  Json failures = failures_of(x, arm, baseline == nullptr);
  const bool is_enough = failures.empty();
  Json out{{"key", key},
           {"number_of_samples", plain(arm.people)},
           {"sum", plain(arm.sum)},
           {"sum_squares", plain(arm.sum_squares)},
           {"validation_failures", std::move(failures)}};
  if (baseline == nullptr) return out;
  const bool countable = is_enough && failures_of(x, *baseline, true).empty();
  const Comparison c =
      compare_arms(*baseline, arm, {.proportion = x.is_funnel, .decrease_wins = x.decrease});
  if (!countable || !c.valid) return out;
  out["method"] = "bayesian";
  out["lift"] = c.lift;
  out["chance_to_win"] = c.chance_to_win;
  out["credible_interval"] = Json::array({c.credible_low, c.credible_high});
  out["significant"] = c.significant;
  out["sequential"] =
      Json{{"confidence_interval", Json::array({c.sequential_low, c.sequential_high})},
           {"significant", c.sequential_significant}};
  return out;
}

Json experiment_answer(const Experiment& x, const Rows& table) {
  std::map<std::string, Arm> arms;
  double multiple = 0;
  for (const Row row : table) {
    multiple += number_of(row[4]);
    if (!text_of(row[0]).empty())
      arms[text_of(row[0])] = {
          .people = number_of(row[1]), .sum = number_of(row[2]), .sum_squares = number_of(row[3])};
  }
  const Arm baseline = arms[x.variants[0]];
  Json variants = Json::array();
  for (size_t i = 1; i < x.variants.size(); ++i)
    variants.push_back(variant_json(x, x.variants[i], arms[x.variants[i]], &baseline));
  return Json{{"baseline", variant_json(x, x.variants[0], baseline, nullptr)},
              {"variant_results", std::move(variants)},
              {"multiple", plain(x.first_seen ? 0 : multiple)},
              {"kind", "ExperimentQuery"}};
}

}  // namespace

Built build_experiment(const View& question, const Context& context) {
  const Experiment x = read_experiment(question, context);
  Built built;
  if (context.refusals.first) return built;
  Scan scan(context.project, context.dialect, x.common.person_properties);
  scan.add_event("$feature_flag_called");
  if (!x.is_funnel) add_events(x.source, scan);
  for (const Series& step : x.steps) add_events(step, scan);
  const std::string people =
      x.is_funnel ? funnel_sql(x, scan, context) : mean_sql(x, scan, context);
  const std::string counted = x.first_seen ? "1 = 1" : "is_multiple = 0";
  built.statements.push_back(
      {.sql = fmt::format("{} SELECT variant, sum(CASE WHEN {} THEN 1 ELSE 0 END) AS n, sum(CASE "
                          "WHEN {} THEN x ELSE 0 END) AS total, "
                          "sum(CASE WHEN {} THEN x * x ELSE 0 END) AS squares, sum(is_multiple) AS "
                          "multiple FROM people_of GROUP BY variant ORDER BY variant LIMIT 100",
                          people, counted, counted, counted),
       .columns = {"variant", "n", "total", "squares", "multiple"},
       .numbers = {"n"}});
  built.read = [x](const std::vector<Rows>& tables) { return experiment_answer(x, tables[0]); };
  return built;
}

}  // namespace hogflare::insights
