// Questions without an engine: refusals by path, literals that cannot be left, free SQL, the walk
// over a funnel, the statistics. What statements answer is tested on DuckDB: tests/insights.
#include "hogflare/insights.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "hogflare/insights_limits.h"
#include "hogflare/insights_sql.h"
#include "hogflare/insights_stats.h"
#include "insights/formula.h"
#include "insights/funnel_walk.h"
#include "insights/range.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

using nlohmann::json;

const json kProject = {{"now", "2024-03-10T12:00:00Z"}, {"timezone", "UTC"}};

Asked ask_for(const json& question, Dialect dialect = Dialect::kDuckdb) {
  const std::string project = kProject.dump();
  const std::string text = question.dump();
  return ask({.project = project, .question = text, .dialect = dialect});
}

json trends(const json& more = json::object()) {
  json out = {{"kind", "TrendsQuery"}, {"series", {{{"kind", "EventsNode"}, {"event", "v"}}}}};
  out.update(more);
  return out;
}

TEST_CASE("insights: what is not done is refused by its path") {
  const auto [question, path] = GENERATE(table<json, std::string>({
      {json{{"kind", "NoQuery"}}, "kind"},
      {trends({{"samplingFactor", 0.1}}), "samplingFactor"},
      {trends({{"surprise", 1}}), "surprise"},
      {trends({{"series", json::array()}}), "series"},
      {trends({{"series", {{{"kind", "DataWarehouseNode"}}}}}), "series.0.kind"},
      {trends({{"series", {{{"kind", "EventsNode"}, {"math", "hogql"}}}}}), "series.0.math"},
      {trends({{"dateRange", {{"date_from", "soon"}}}}), "dateRange.date_from"},
      {trends({{"dateRange", {{"daysOfWeek", {1}}}}}), "dateRange.daysOfWeek"},
      {trends({{"trendsFilter", {{"display", "BoxPlot"}}}}), "trendsFilter.display"},
      {trends({{"trendsFilter", {{"formula", "A+B"}}}}), "trendsFilter.formula"},
      {trends({{"trendsFilter", {{"formula", "exp(A)"}}}}), "trendsFilter.formula"},
      {trends({{"properties", {{{"key", "x"}, {"type", "hogql"}}}}}), "properties.0.type"},
      {trends({{"properties", {{{"key", "x"}, {"operator", "near"}, {"value", "1"}}}}}),
       "properties.0.operator"},
      {trends({{"properties", {{{"key", "x"}, {"operator", "regex"}, {"value", "("}}}}}),
       "properties.0.value"},
      {trends({{"properties", {{{"key", "id"}, {"type", "cohort"}, {"value", 7}}}}}),
       "properties.0.value"},
      {trends({{"modifiers", {{"unheard", true}}}}), "modifiers.unheard"},
      {trends({{"interval", "minute"}, {"dateRange", {{"date_from", "-300d"}}}}), "dateRange"},
  }));
  const Asked asked = ask_for(question);
  REQUIRE(asked.refusal);
  CHECK(asked.refusal->path == path);
  CHECK(!asked.refusal->sentence.empty());
}

// A column that is refused had left its name behind, and the order read the cell it did not have.
TEST_CASE("insights: a column that is no column orders nothing") {
  const Asked asked = ask_for({{"kind", "EventsQuery"},
                               {"select", {"*", "person.surname", "person.name"}},
                               {"orderBy", {"person.name", "person.surname DESC"}}});
  REQUIRE(asked.refusal);
  CHECK(asked.refusal->path == "select.1");
}

TEST_CASE("insights: a property without a column is refused in Basin SQL, and answered by DuckDB") {
  const json question = trends({{"properties", {{{"key", "$viewport_width"}, {"value", "1"}}}}});
  CHECK(ask_for(question, Dialect::kDuckdb).plan);
  const Asked basin = ask_for(question, Dialect::kBasin);
  REQUIRE(basin.refusal);
  CHECK(basin.refusal->path == "properties.0.key");
}

// The statement with every '…' and "…" taken out; empty when one does not end.
std::string outside_quotes(const std::string& sql) {
  std::string out;
  for (size_t i = 0; i < sql.size(); ++i) {
    if (sql[i] != '\'' && sql[i] != '"') {
      out += sql[i];
      continue;
    }
    const size_t end = sql.find(sql[i], i + 1);
    if (end == std::string::npos) return {};
    i = end;
  }
  return out;
}

TEST_CASE("insights: no text of a question leaves its literal") {
  const std::string evil = GENERATE("x') OR 1=1 --", "''; DROP TABLE events; --", "\\' OR injected",
                                    "\" injected", "/*injected*/", "a'b\"c~d/e");
  const std::string plain = "harmless";
  const auto question = [](const std::string& text) {
    const json filter = {{"key", text}, {"value", {text, text + "2"}}, {"type", "event"}};
    return trends(
        {{"series",
          {{{"kind", "EventsNode"}, {"event", text}, {"math", "sum"}, {"math_property", text}}}},
         {"properties",
          {filter, {{"key", "p"}, {"type", "person"}, {"operator", "icontains"}, {"value", text}}}},
         {"breakdownFilter", {{"breakdown", text}}}});
  };
  for (const Dialect dialect : {Dialect::kDuckdb, Dialect::kBasin}) {
    const Asked bad = ask_for(question(evil), dialect);
    const Asked good = ask_for(question(plain), dialect);
    REQUIRE(bad.plan);
    REQUIRE(good.plan);
    const std::string outside = outside_quotes(bad.plan->statements[0].sql);
    CHECK(!outside.empty());
    CHECK(outside == outside_quotes(good.plan->statements[0].sql));
  }
  CHECK(ask_for(question(std::string("nul\0byte", 8))).refusal);
}

TEST_CASE("insights: a result as long as its limit is no answer") {
  const Asked asked = ask_for(trends(), Dialect::kBasin);
  REQUIRE(asked.plan);
  json rows = json::array();
  for (int i = 0; i < 9'999; ++i) rows.push_back({0, 1});
  CHECK(!asked.plan->answer({rows.dump()}).refusal);
  rows.push_back({0, 1});
  CHECK(asked.plan->answer({rows.dump()}).refusal);
  CHECK(asked.plan->answer({"[1"}).refusal);
  CHECK(asked.plan->answer({}).refusal);
}

// Rows of a trend with a breakdown: `values` of them in one bucket each.
std::string rows_of_values(size_t values) {
  json rows = json::array();
  for (size_t i = 0; i < values; ++i) rows.push_back({i % 24, "value " + std::to_string(i), 1});
  return rows.dump();
}

TEST_CASE("insights: an answer that is many times its rows is made within a bound, and paid for") {
  const json broken_down = trends(
      {{"interval", "hour"},
       {"dateRange", {{"date_from", "-80d"}}},
       {"breakdownFilter",
        {{"breakdown", "$current_url"}, {"breakdown_type", "event"}, {"breakdown_limit", 500}}}});
  const Asked asked = ask_for(broken_down);
  REQUIRE(asked.plan);
  const auto answered = [&asked](size_t values, const Plan::TakeMemory& take) {
    const std::string text = rows_of_values(values);
    const auto document = hogflare::json::Document::parse_const(text, 2);
    const std::vector<EngineRows> rows = {{.lists = {document.value().root()}}};
    return asked.plan->answer(rows, "{}", {}, take);
  };
  size_t taken = 0;
  const auto take = [&taken](size_t bytes) {
    taken += bytes;
    return true;
  };
  const Answered few = answered(20, take);
  REQUIRE_FALSE(few.refusal);
  CHECK(few.json.size() <= taken / limits::kAnswerCopiesMax);
  taken = 0;
  const Answered many = answered(500, take);
  REQUIRE(many.refusal);
  CHECK(many.why == Answered::Why::kTooLarge);
  CHECK(many.refusal->sentence.find("a longer interval") != std::string::npos);
  CHECK(taken == 0);
  const Answered without = answered(20, [](size_t) { return false; });
  REQUIRE(without.refusal);
  CHECK(without.why == Answered::Why::kNoMemory);
}

TEST_CASE("insights: an answer that must be too large is refused before anybody is asked") {
  const json wide = {{"interval", "hour"}, {"dateRange", {{"date_from", "-80d"}}}};
  json lines = trends(wide);
  for (int i = 1; i < 26; ++i) lines["series"].push_back(lines["series"][0]);
  CHECK(ask_for(lines).plan);
  json formulas = json::array();
  for (int i = 0; i < 200; ++i) formulas.push_back({{"formula", "A+A"}});
  lines["trendsFilter"] = {{"formulaNodes", formulas}};
  const Asked asked = ask_for(lines);
  REQUIRE(asked.refusal);
  CHECK(asked.refusal->path == "trendsFilter");
  CHECK(asked.refusal->sentence.find("a longer interval") != std::string::npos);
}

json filters(size_t count, const json& filter) {
  json out = json::array();
  for (size_t i = 0; i < count; ++i) out.push_back(filter);
  return out;
}

TEST_CASE(
    "insights: regular expressions of a question are counted, and the first wrong one ends it") {
  const auto patterns = [](size_t count, const std::string& more) {
    json list = json::array();
    for (size_t i = 0; i < count; ++i) {
      list.push_back({{"key", "x"}, {"operator", "regex"}, {"value", std::to_string(i) + more}});
    }
    return list;
  };
  const size_t most = limits::kQuestionPatternsMax;
  CHECK(ask_for(trends({{"properties", patterns(most, "a+")}})).plan);
  const Asked over = ask_for(trends({{"properties", patterns(most + 1, "a+")}}));
  REQUIRE(over.refusal);
  CHECK(over.refusal->path == "properties.20.value");
  // The same one counts once, whatever the number of series.
  json same = trends({{"properties", filters(100, patterns(1, "a+")[0])}});
  for (int i = 1; i < 26; ++i) same["series"].push_back(same["series"][0]);
  CHECK(ask_for(same).plan);
  const Asked wrong = ask_for(trends({{"properties", patterns(400, "(")}}));
  REQUIRE(wrong.refusal);
  CHECK(wrong.refusal->path == "properties.0.value");
  const json rules = filters(most + 1, {{"regex", "a+"}, {"alias", "b"}});
  const Asked paths =
      ask_for({{"kind", "PathsQuery"},
               {"pathsFilter",
                {{"includeEventTypes", {"$pageview"}}, {"localPathCleaningFilters", rules}}}});
  REQUIRE(paths.refusal);
  CHECK(paths.refusal->path == "pathsFilter.localPathCleaningFilters.20");
}

TEST_CASE("insights: filters, cohorts' people and statements are counted over the whole question") {
  json members = json::array();
  for (int i = 0; i < 1'000; ++i)
    members.push_back("0192aaaa-0000-7000-8000-" + std::to_string(100'000'000'000 + i));
  json project = kProject;
  project["cohorts"] = {{"7", {{"name", "many"}, {"members", members}}},
                        {"8", {{"name", "one"}, {"members", {"ada"}}}}};
  const std::string project_text = project.dump();
  const auto asked = [&project_text](const json& question) {
    const std::string text = question.dump();
    return ask({.project = project_text, .question = text, .dialect = Dialect::kDuckdb});
  };
  const json many = {{"key", "id"}, {"type", "cohort"}, {"value", 7}};
  const json one = {{"key", "id"}, {"type", "cohort"}, {"value", 8}};
  CHECK(asked(trends({{"properties", filters(2, many)}})).plan);
  // Their lists make a statement too long, and more of them are not even read.
  const Asked long_one = asked(trends({{"properties", filters(10, many)}}));
  REQUIRE(long_one.refusal);
  CHECK(long_one.refusal->sentence.find("too long a statement") != std::string::npos);
  const Asked people = asked(trends({{"properties", filters(100, many)}}));
  REQUIRE(people.refusal);
  CHECK(people.refusal->path == "properties.20.value");
  CHECK(people.refusal->sentence.find("20000") != std::string::npos);
  // 26 series of 20 filters are more than a question may have, though no list of them is.
  json series = trends();
  series["series"][0]["properties"] = filters(20, one);
  for (int i = 1; i < 25; ++i) series["series"].push_back(series["series"][0]);
  CHECK(asked(series).plan);
  series["series"].push_back(series["series"][0]);
  const Asked filters_over = asked(series);
  REQUIRE(filters_over.refusal);
  CHECK(filters_over.refusal->path == "series.25.properties.0");
  // Each statement may be long, all of them together may not.
  json statements = trends({{"compareFilter", {{"compare", true}}}});
  statements["series"][0]["properties"] = filters(1, many);
  for (int i = 1; i < 20; ++i) statements["series"].push_back(statements["series"][0]);
  const Asked all = asked(statements);
  REQUIRE(all.refusal);
  CHECK(all.refusal->sentence.find("too long a statement") != std::string::npos);
}

TEST_CASE("insights: a date is within the years that a question may name") {
  for (const char* date : {"-2100y", "-99999m", "-99999y", "-99999d", "-9000qStart"}) {
    CAPTURE(date);
    const Asked asked = ask_for(trends({{"dateRange", {{"date_from", date}}}}));
    REQUIRE(asked.refusal);
    CHECK(asked.refusal->path == "dateRange.date_from");
  }
  CHECK(ask_for(trends({{"interval", "month"}, {"dateRange", {{"date_from", "-124y"}}}})).plan);
  // Twelve months before the first year of all is a year before it.
  const int64_t first = -719'528 * kDayUs;  // 0000-01-01
  CHECK(add_months(first, -1) == first - 31 * kDayUs);
  CHECK(add_months(first, -12) == first - 365 * kDayUs);
}

TEST_CASE("insights: free SQL reads the project's tables and nothing else") {
  const std::vector<std::string> tables = {"events"};
  const auto taken =
      GENERATE(as<std::string>(), "SELECT event, count(*) FROM events GROUP BY event",
               "WITH a AS (SELECT * FROM events) SELECT * FROM a JOIN events e ON a.uuid = e.uuid",
               "select count(distinct uuid) from (select uuid from events) as x",
               "SELECT extract(year FROM \"timestamp\") FROM events", "SELECT 'it''s; -- fine'",
               "WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b, a, events",
               "SELECT CAST('x' AS TIMESTAMP WITH TIME ZONE) FROM events",
               "SELECT 1 FROM events a JOIN events b ON a.team_id IS NOT DISTINCT FROM b.team_id",
               "SELECT lower(event) IS DISTINCT FROM event FROM events");
  CAPTURE(taken);
  CHECK(refuse_sql(taken, tables).value_or("") == "");
  const auto refused = GENERATE(
      as<std::string>(), "DELETE FROM events", "SELECT 1; DROP TABLE events",
      "SELECT * FROM 'file.csv'", "SELECT * FROM events, 'file.csv'", "SELECT * FROM \"file.csv\"",
      "SELECT * FROM read_csv('x')", "SELECT read_text('x')", "SELECT \"read_text\"('x')",
      "SELECT * FROM secrets", "WITH x AS (DELETE FROM events) SELECT 1", "SELECT 1 -- x",
      "SELECT 1 /* x */", "SELECT 'open", "SELECT 1) AS q, (SELECT 2", "SELECT e'\\''",
      "SELECT * FROM events JOIN other ON 1 = 1", "SELECT countIf(1) FROM events", "",
      "COPY events TO 'x'", "SELECT 1 FROM events e JOIN events f ON e.uuid = f.uuid, secrets",
      "SELECT 1 FROM events JOIN events f USING (uuid), secrets", "SELECT 1 IN (TABLE secrets)",
      "WITH a AS (SELECT * FROM secrets), secrets AS (SELECT 1) SELECT * FROM a",
      "WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets",
      "SELECT * FROM (WITH secrets AS (SELECT 1) SELECT * FROM secrets) AS a, secrets",
      "SELECT getenv('HOME')", "SELECT is DISTINCT FROM secrets",
      "SELECT 1, is DISTINCT FROM secrets", "SELECT x is DISTINCT FROM secrets",
      "SELECT a.b IS NOT DISTINCT FROM a.c FROM events a, secrets", "SELECT * INTO x FROM events");
  CHECK(refuse_sql(refused, tables));
}

TEST_CASE("insights: no spelling of free SQL names a table of the lake's") {
  const std::vector<std::string> tables = {"events", "persons"};
  const std::vector<std::string> hidden = {"default.hogflare_events_v1", "lake.persons"};
  const auto taken = GENERATE(
      as<std::string>(), "SELECT e.limit FROM (SELECT event, 1 AS \"limit\" FROM events) AS e",
      "SELECT e.uuid, p.uuid FROM events AS e, persons p WHERE e.uuid = p.uuid",
      "SELECT count(*) AS limit, max(e.uuid) AS window FROM events e GROUP BY e.event LIMIT 5",
      "SELECT \"ein Name mit Ü\" FROM (SELECT event AS \"ein Name mit Ü\" FROM events) AS q",
      "SELECT event FROM events WHERE event = 'Größe' OR event = 'default.hogflare_events_v1'",
      "SELECT events.event, 1.5 AS x FROM events LEFT JOIN persons USING (distinct_id)",
      "SELECT a.n FROM (SELECT count(*) AS n FROM events) a ORDER BY a.n",
      "SELECT e.x IS DISTINCT FROM e.y, coalesce(e.x, '') IS NOT DISTINCT FROM e.y FROM events e",
      "SELECT extract(epoch FROM e.t) FROM events AS e",
      "SELECT 1e5, .5, 1.5e-3 + 2., 1_000 FROM events WHERE 1.=1 GROUP BY 1, 2 HAVING 1 < 2",
      "SELECT event, uuid FROM events WHERE event IN ('a', 'b') UNION ALL SELECT event, uuid FROM "
      "persons ORDER BY 1, 2 LIMIT 5",
      "SELECT event, count(*) OVER w FROM events WINDOW w AS (ORDER BY event), x AS (ORDER BY "
      "uuid)",
      "SELECT 1, (SELECT count(*) FROM events WHERE uuid = 'x') AS n, 2");
  CAPTURE(taken);
  CHECK(refuse_sql(taken, tables, hidden).value_or("") == "");
  const auto refused = GENERATE(
      as<std::string>(),
      "SELECT r.event FROM (SELECT event, 1 AS \"limit\" FROM events) AS e LEFT JOIN persons p ON "
      "e.limit = 2, default.hogflare_events_v1 AS r",
      "SELECT r.event FROM (SELECT event, 1 AS \"limit\" FROM events) AS e LEFT JOIN persons p ON "
      "e.limit = 2, other.ev AS r",
      "SELECT r.event FROM events AS window, default.hogflare_events_v1 AS r",
      "SELECT r.event FROM events AS window, other.ev AS r",
      "SELECT r.event FROM events window, other.ev AS r",
      "SELECT r.event FROM\xc2\xa0"
      "default.hogflare_events_v1 AS r",
      "SELECT r.event FROM events AS e,\xe3\x80\x80other.ev AS r", "SELECT \xc3\xbc FROM events",
      "SELECT DISTINCT ON (1) is DISTINCT FROM lake.ev AS r, (SELECT 1 AS \"is\") AS i",
      "SELECT DISTINCT ON (1) is DISTINCT FROM ev AS r, (SELECT 1 AS \"is\") AS i",
      "SELECT (1) AS other, r.event FROM events AS \"window\", other.ev AS r",
      "SELECT r.event FROM events AS information_schema, information_schema.tables AS r",
      "SELECT hogflare_events_v1 FROM events", "SELECT \"DEFAULT\" FROM events",
      "WITH lake AS (SELECT 1) SELECT * FROM lake, lake.persons", "SELECT e.a.b FROM events AS e",
      "SELECT extract(x FROM ev) FROM events", "SELECT e.extract(epoch FROM ev) FROM events AS e",
      "SELECT x.y FROM events AS e",
      // A word right behind a number.
      "SELECT event, 1 AS a FROM events AS other UNION ALL SELECT s, 1from other.ev",
      "SELECT event, 1 AS a FROM events AS other UNION ALL SELECT s, 1e5from other.ev",
      "SELECT event, 1 AS a FROM events AS other UNION ALL SELECT s, 1.e5from other.ev",
      "SELECT event, 1 AS a FROM events AS other UNION ALL SELECT s, .5from other.ev",
      "SELECT event, 1 AS a FROM events AS other UNION ALL SELECT s, 1.from other.ev",
      "SELECT 1e5from 'file.csv'", "SELECT 1_0from 'file.csv'",
      // A clause's word for a column.
      "SELECT ev.s FROM (SELECT 1 AS where) AS other JOIN events ON where = 1, other.ev",
      "SELECT ev.s FROM (SELECT 1 AS having) AS other JOIN events ON having = 1, other.ev",
      "SELECT ev.s FROM (SELECT 1 AS qualify) AS other JOIN events ON qualify = 1, other.ev",
      "SELECT ev.s FROM (SELECT 1 AS limit) AS other JOIN events ON limit = 1, other.ev",
      "SELECT ev.s FROM (SELECT 1 AS union) AS other JOIN events ON union = 1, other.ev",
      "SELECT ev.s FROM (SELECT 1 AS except) AS other JOIN events ON except (1) = 1, other.ev",
      "SELECT ev.s FROM (SELECT 1 AS intersect) AS other JOIN events ON 1 = intersect, other.ev",
      "SELECT ev.s FROM (SELECT 1 AS group) AS other JOIN events ON group = 1, other.ev",
      "SELECT ev.s FROM (SELECT 1 AS order) AS other JOIN events ON order = 1, other.ev",
      "SELECT ev.s FROM (SELECT 1 AS window) AS other JOIN events ON window = 1, other.ev",
      "SELECT ev.s FROM (SELECT 1 AS select) AS other JOIN events ON select = 1, other.ev");
  CAPTURE(refused);
  CHECK(refuse_sql(refused, tables, hidden));
}

FunnelRun walk(const std::string& letters, FunnelRules rules = {}) {
  // A, B, C are steps, X excludes between the first two, a digit sets the minute.
  std::vector<FunnelEvent> events;
  int64_t t = 1;
  for (char c : letters) {
    FunnelEvent event{.t_us = t++ * 60'000'000};
    if (c >= 'A' && c <= 'C') event.steps = 1u << (c - 'A');
    if (c == 'X') event.exclusions = 2;
    events.push_back(event);
  }
  if (rules.steps == 0) rules.steps = 3;
  if (rules.window_us == 0) rules.window_us = 3'600'000'000;
  return walk_funnel(rules, events);
}

TEST_CASE("insights: exclusions, as docs/INSIGHTS.md lists them") {
  CHECK(walk("AX").reached == 0);
  CHECK(walk("AXA").reached == 1);
  CHECK(walk("AXB").reached == 0);
  CHECK(walk("AXBA").reached == 0);
  CHECK(walk("AXBAB").reached == 3);
  CHECK(walk("ABX").reached == 3);
  CHECK(walk("XA").reached == 1);
}

TEST_CASE("insights: strict funnels bear no foreign event, but repeats") {
  const FunnelRules strict{.steps = 3, .order = FunnelRules::Order::kStrict};
  CHECK(walk("AABBC", strict).reached == 7);
  CHECK(walk("ABAC", strict).reached == 3);
  CHECK(walk("A.B", strict).reached == 1);
  CHECK(walk("A.B").reached == 3);
}

TEST_CASE("insights: formulas follow Python's precedence and divide to zero") {
  const auto at = [](const std::string& text) {
    std::string error;
    const auto formula = Formula::parse(text, 2, error);
    return formula ? formula->at({7, 2}) : std::nan("");
  };
  CHECK(at("A+2*B") == 11);
  CHECK(at("-A**2") == -49);
  CHECK(at("2**-1") == 0.5);
  CHECK(at("(A-B)/(B-2)") == 0);
  CHECK(at("-a % b") == 1);
  CHECK(std::isnan(at("A+")));
  CHECK(std::isnan(at("C")));
  CHECK(std::isnan(at("sum(A)")));
  CHECK(std::isnan(at(std::string(400, '('))));
}

// A small generator: the same numbers on every machine.
class Numbers {
 public:
  double uniform() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<double>(state_ >> 11) / 9007199254740992.0;
  }
  Arm converted(int people, double rate) {
    Arm arm{.people = static_cast<double>(people)};
    for (int i = 0; i < people; ++i) arm.sum += uniform() < rate ? 1 : 0;
    arm.sum_squares = arm.sum;
    return arm;
  }
  // A third of so many people spend, each an exponential amount of this mean.
  void spend(Arm& arm, int people, double mean) {
    arm.people += people;
    for (int i = 0; i < people; ++i) {
      const double spent = uniform() < 1.0 / 3 ? -mean * std::log(1 - uniform()) : 0;
      arm.sum += spent;
      arm.sum_squares += spent * spent;
    }
  }

 private:
  uint64_t state_ = 88172645463325252u;
};

TEST_CASE("insights: the normal distribution is that of the tables") {
  CHECK(normal_cdf(0) == Approx(0.5));
  CHECK(normal_cdf(1.959964) == Approx(0.975).margin(1e-6));
  CHECK(normal_cdf(-1.644854) == Approx(0.05).margin(1e-6));
  // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.1.
  const auto [z, above_half] = GENERATE(table<double, double>({{0.50, 0.19146},
                                                               {1.00, 0.34134},
                                                               {1.64, 0.44950},
                                                               {2.00, 0.47725},
                                                               {2.58, 0.49506},
                                                               {3.00, 0.49865}}));
  CHECK(normal_cdf(z) == Approx(0.5 + above_half).margin(5e-6));
  CHECK(normal_cdf(-z) == Approx(0.5 - above_half).margin(5e-6));
}

TEST_CASE("insights: comparisons are those that others have published") {
  // The Bayesian one of PostHog's products/experiments/stats/tests/test_bayesian.py.
  const Comparison bayesian =
      compare_arms({.people = 2507, .sum = 1196.87, .sum_squares = 37377.9767},
                   {.people = 2461, .sum = 1922.7, .sum_squares = 94698.29}, {});
  CHECK(bayesian.lift == Approx(0.63646).margin(1e-4));
  CHECK(bayesian.credible_low == Approx(-0.0873).margin(1e-4));
  CHECK(bayesian.credible_high == Approx(1.36026).margin(1e-4));
  CHECK(bayesian.chance_to_win == Approx(0.95759).margin(1e-4));
  CHECK(bayesian.significant);
  CHECK(!bayesian.sequential_significant);
  // Sequential ones: test_frequentist.py there, and GrowthBook's packages/stats/tests. Both are
  // tightest at 5,000 people, as this is.
  struct Published {
    Arm control, test;
    double lift, low, high, error;
  };
  const Published published[] = {
      {{3050, 1450, 1450}, {3500, 2600, 2600}, 0.56256, 0.46064, 0.66448, 0.03354},
      {{3000, 1396, 1396}, {3461, 2422, 2422}, 0.50386, 0.40098, 0.60675, 0.03386}};
  for (const Published& one : published) {
    const Comparison c = compare_arms(one.control, one.test, {.proportion = true});
    CHECK(c.lift == Approx(one.lift).margin(1e-5));
    CHECK(c.sequential_low == Approx(one.low).margin(1e-5));
    CHECK(c.sequential_high == Approx(one.high).margin(1e-5));
    CHECK(c.standard_error == Approx(one.error).margin(1e-5));
    CHECK(c.sequential_significant);
  }
}

TEST_CASE("insights: who wants less wins with less") {
  const Arm control{1000, 100, 100}, test{1000, 70, 70};
  const Comparison more = compare_arms(control, test, {.proportion = true});
  const Comparison less = compare_arms(control, test, {.proportion = true, .decrease_wins = true});
  CHECK(more.chance_to_win < 0.05);
  CHECK(less.chance_to_win == Approx(1 - more.chance_to_win));
  CHECK(more.significant);
  CHECK(less.significant);
  CHECK(less.lift == more.lift);
}

TEST_CASE("insights: credible intervals cover, and daily looks do not cheat the sequential test") {
  Numbers numbers;
  int covered = 0, sequential_alarms = 0, naive_alarms = 0;
  constexpr int kRuns = 400;
  for (int run = 0; run < kRuns; ++run) {
    Arm control, test;
    bool sequential = false, naive = false;
    Comparison last;
    for (int day = 0; day < 20; ++day) {
      const Arm c = numbers.converted(200, 0.2), t = numbers.converted(200, 0.2);
      control = {control.people + c.people, control.sum + c.sum, control.sum_squares + c.sum};
      test = {test.people + t.people, test.sum + t.sum, test.sum_squares + t.sum};
      last = compare_arms(control, test, {.proportion = true});
      sequential = sequential || last.sequential_significant;
      naive = naive || last.credible_low > 0 || last.credible_high < 0;
    }
    covered += last.credible_low <= 0 && last.credible_high >= 0 ? 1 : 0;
    sequential_alarms += sequential ? 1 : 0;
    naive_alarms += naive ? 1 : 0;
  }
  CHECK(covered >= kRuns * 92 / 100);
  CHECK(sequential_alarms <= kRuns * 5 / 100);
  // What the sequential interval is there for: looking daily at the other one is wrong far too
  // often.
  CHECK(naive_alarms > kRuns * 15 / 100);
}

TEST_CASE("insights: intervals cover the true lift of skewed sums, with arms of unlike size") {
  // Most people spend nothing, few spend much; the test's spend a fifth more.
  Numbers numbers;
  constexpr double kLift = 0.2;
  constexpr int kRuns = 400;
  int covered = 0, always_covered = 0, found = 0;
  for (int run = 0; run < kRuns; ++run) {
    Arm control, test;
    bool has_left = false;
    Comparison last;
    for (int day = 0; day < 20; ++day) {
      numbers.spend(control, 300, 1);
      numbers.spend(test, 100, 1 + kLift);
      last = compare_arms(control, test, {});
      has_left = has_left || last.sequential_low > kLift || last.sequential_high < kLift;
    }
    covered += last.credible_low <= kLift && kLift <= last.credible_high ? 1 : 0;
    always_covered += has_left ? 0 : 1;
    found += last.sequential_low > 0 ? 1 : 0;
    CHECK(last.sequential_low < last.credible_low);
    CHECK(last.sequential_high > last.credible_high);
  }
  CHECK(covered >= kRuns * 92 / 100);
  CHECK(covered <= kRuns * 98 / 100);
  CHECK(always_covered >= kRuns * 95 / 100);
  // Though it is careful it is not blind.
  CHECK(found > 0);
}

TEST_CASE("insights: the sequential test finds a real difference, looked at daily") {
  Numbers numbers;
  constexpr int kRuns = 200;
  int found = 0, wrong_way = 0;
  for (int run = 0; run < kRuns; ++run) {
    Arm control, test;
    bool is_found = false;
    for (int day = 0; day < 30 && !is_found; ++day) {
      const Arm c = numbers.converted(300, 0.2), t = numbers.converted(300, 0.24);
      control = {control.people + c.people, control.sum + c.sum, control.sum_squares + c.sum};
      test = {test.people + t.people, test.sum + t.sum, test.sum_squares + t.sum};
      const Comparison now = compare_arms(control, test, {.proportion = true});
      is_found = now.sequential_significant;
      wrong_way += now.sequential_high < 0 ? 1 : 0;
    }
    found += is_found ? 1 : 0;
  }
  CHECK(found >= kRuns * 90 / 100);
  CHECK(wrong_way == 0);
}

json experiment(const json& metric) {
  return {{"kind", "ExperimentQuery"},
          {"experiment",
           {{"feature_flag_key", "checkout"},
            {"variants", {"control", "test"}},
            {"start_date", "2024-03-01"},
            {"end_date", "2024-03-08"}}},
          {"metric", metric}};
}

TEST_CASE(
    "insights: a readout shows lift, interval and chance, once there is enough of both arms") {
  const json funnel = experiment({{"kind", "ExperimentMetric"},
                                  {"metric_type", "funnel"},
                                  {"series", {{{"kind", "EventsNode"}, {"event", "bought"}}}}});
  const auto read = [&funnel](const std::string& rows) {
    const Answered answered = ask_for(funnel).plan->answer({rows});
    REQUIRE_FALSE(answered.refusal);
    return json::parse(answered.json);
  };
  const json answer = read(R"([["control",1000,100,100,2],["test",1000,130,130,3]])");
  const json variant = answer["variant_results"][0];
  CHECK(variant["lift"].get<double>() == Approx(0.3));
  CHECK(variant["chance_to_win"].get<double>() == Approx(0.9673).margin(1e-4));
  CHECK(variant["credible_interval"][0].get<double>() == Approx(-0.0192).margin(1e-4));
  CHECK(variant["credible_interval"][1].get<double>() == Approx(0.6192).margin(1e-4));
  CHECK(variant["significant"] == true);
  CHECK(variant["sequential"]["significant"] == false);
  CHECK(variant["sequential"]["confidence_interval"][0] < variant["credible_interval"][0]);
  CHECK(answer["multiple"] == 5);
  // Too few people, conversions or failures in one arm: counts alone, and why.
  const auto [rows, arm, failure] = GENERATE(table<std::string, std::string, std::string>({
      {R"([["control",49,20,20,0],["test",1000,130,130,0]])", "baseline", "not-enough-exposures"},
      {R"([["control",1000,4,4,0],["test",1000,130,130,0]])", "baseline", "not-enough-metric-data"},
      {R"([["control",1000,0,0,0],["test",1000,130,130,0]])", "baseline", "baseline-mean-is-zero"},
      {R"([["control",1000,100,100,0],["test",49,20,20,0]])", "test", "not-enough-exposures"},
      {R"([["control",1000,100,100,0],["test",1000,4,4,0]])", "test", "not-enough-metric-data"},
      {R"([["control",1000,100,100,0],["test",1000,996,996,0]])", "test", "not-enough-metric-data"},
      {R"([["control",1000,100,100,0]])", "test", "not-enough-exposures"},
  }));
  const json refused = read(rows);
  const json one = refused["variant_results"][0];
  const json failures = (arm == "baseline" ? refused["baseline"] : one)["validation_failures"];
  CHECK(std::find(failures.begin(), failures.end(), failure) != failures.end());
  CHECK(!one.contains("lift"));
  CHECK(!one.contains("sequential"));
  CHECK(one.contains("number_of_samples"));
}

TEST_CASE("insights: free SQL gives the engine's rows as they are") {
  const Asked asked = ask_for(
      {{"kind", "HogQLQuery"}, {"query", "SELECT event, count(*) FROM events GROUP BY event"}});
  REQUIRE(asked.plan);
  const Answered answered = asked.plan->answer({R"([["a", 2], ["b", null]])"});
  REQUIRE_FALSE(answered.refusal);
  const json answer = json::parse(answered.json);
  CHECK(answer["results"] == json::parse(R"([["a", 2], ["b", null]])"));
  CHECK(answer["hasMore"] == false);
  // The engine's own order of columns is in arrays only.
  CHECK(asked.plan->answer({R"([{"event": "a"}])"}).refusal);
}

TEST_CASE(
    "insights: values that rows leave out are paid for, and more than an answer holds refused") {
  // SELECT NULL AS a0, NULL AS a1, … FROM events, of an engine that leaves nulls out.
  const Asked asked = ask_for({{"kind", "HogQLQuery"}, {"query", "SELECT 1 FROM events"}});
  REQUIRE(asked.plan);
  std::vector<std::string> names;
  for (int i = 0; i < 1'000; ++i) names.push_back("a" + std::to_string(i));
  size_t taken = 0;
  const auto answered = [&](size_t count) {
    std::string text = "[{}";
    for (size_t i = 1; i < count; ++i) text += ",{}";
    text += "]";
    const auto document = hogflare::json::Document::parse_const(text, 2);
    const std::vector<EngineRows> rows = {{.lists = {document.value().root()}, .columns = names}};
    return asked.plan->answer(rows, "{}", {}, [&taken](size_t bytes) {
      taken += bytes;
      return taken < 12'000'000;
    });
  };
  const Answered few = answered(100);
  REQUIRE_FALSE(few.refusal);
  CHECK(json::parse(few.json)["results"][99].size() == 1'000);
  CHECK(few.json.size() * limits::kAnswerCopiesMax < taken);
  CHECK(answered(300).why == Answered::Why::kNoMemory);
  const Answered many = answered(9'999);
  REQUIRE(many.refusal);
  CHECK(many.why == Answered::Why::kTooLarge);
  CHECK(many.refusal->sentence.find("fewer columns or rows") != std::string::npos);
}

TEST_CASE("insights: free SQL of one team sees its rows under the streams' names") {
  const json project = {{"now", "2026-01-10T12:00:00Z"},
                        {"team_id", 7},
                        {"one_team_only", true},
                        {"tables", {{"events", "ns.my_events"}, {"rejects", "ns.my_rejects"}}}};
  const auto asked = [&project](const std::string& sql) {
    return ask({.project = project.dump(),
                .question = json{{"kind", "HogQLQuery"}, {"query", sql}}.dump(),
                .dialect = Dialect::kBasin});
  };
  const Asked taken = asked("SELECT event FROM events");
  REQUIRE(taken.plan);
  CHECK(taken.plan->is_free_sql());
  const std::string& sql = taken.plan->statements[0].sql;
  CHECK(sql.rfind("WITH events AS (SELECT * FROM \"ns\".\"my_events\" WHERE team_id = 7)", 0) == 0);
  CHECK(sql.find("rejects AS (SELECT * FROM \"ns\".\"my_rejects\" WHERE team_id = 7)") !=
        std::string::npos);
  for (const char* other :
       {"ns.my_events", "\"ns\".\"my_events\"", "my_events", "\"ns.my_events\""}) {
    CHECK(asked(std::string("SELECT event FROM ") + other).refusal);
  }
}

TEST_CASE(
    "insights: a person whose newest version stands in two rows is one, with the ids of both") {
  const std::string rows = json{
      {"p1", "ann", R"(["ann"])", R"({"email":"a@example.test"})", 5, 0},
      {"p1", "bob", R"(["bob"])", nullptr, 5, 0},
      {"p2", "cy", nullptr, nullptr, 4, 0},
      {"p1", "dee", nullptr, nullptr, 5,
       1}}.dump();
  const auto answer_of = [&rows](int limit) {
    const Asked asked = ask_for({{"kind", "ActorsQuery"}, {"select", {"actor"}}, {"limit", limit}});
    REQUIRE(asked.plan);
    return json::parse(asked.plan->answer({rows}).json);
  };
  const json both = answer_of(2);
  CHECK(both["hasMore"] == false);
  REQUIRE(both["results"].size() == 2);
  CHECK(both["results"][0][0]["distinct_ids"] == json({"ann", "bob", "dee"}));
  CHECK(both["results"][0][0]["name"] == "a@example.test");
  CHECK(both["results"][1][0]["distinct_ids"] == json({"cy"}));
  const json first = answer_of(1);
  CHECK(first["hasMore"] == true);
  CHECK(first["results"].size() == 1);
}

TEST_CASE("insights: a person is the same in whatever form an engine writes their documents") {
  struct Form {
    json ids;
    json properties;
    json seen_ids;
    json seen_properties;
    json name;
  };
  const std::string long_id(100, 'x');
  const Form forms[] = {
      {R"(["ann","a-1"])", R"({"email":"a@x"})", {"ann", "a-1"}, {{"email", "a@x"}}, "a@x"},
      // Blanks, escapes, and types of their own.
      {R"([ "ann", "a-1" ])",
       R"({ "n" : [1, {"b":2}] })",
       {"ann", "a-1"},
       {{"n", {1, {{"b", 2}}}}},
       "ann"},
      {R"(["\u0061nn","\ud83d\ude00"])",
       R"({"name":"\"q\" \\ \u00e9"})",
       {"ann", "\U0001F600"},
       {{"name", "\"q\" \\ \u00e9"}},
       "\"q\" \\ \u00e9"},
      {json{"ann", "a-1"}, json{{"email", "a@x"}}, {"ann", "a-1"}, {{"email", "a@x"}}, "a@x"},
      {R"(["ann",")" + long_id + "\"]",
       R"({"text":")" + long_id + "\"}",
       {"ann", long_id},
       {{"text", long_id}},
       "ann"},
      // The row's own id is not in its list, which is another thing, or missing.
      {R"(["a-1","a-2"])", "{}", {"a-1", "a-2", "ann"}, json::object(), "a-1"},
      {R"(["a-1",5])", "{}", {"a-1", "ann"}, json::object(), "a-1"},
      {R"(["a-1")", "{}", {"ann"}, json::object(), "ann"},
      {R"(["a-1"]])", "{}", {"ann"}, json::object(), "ann"},
      {R"(["a-1",])", "{}", {"ann"}, json::object(), "ann"},
      {"[]", nullptr, {"ann"}, json::object(), "ann"},
      {"ann", "{}", {"ann"}, json::object(), "ann"},
      {nullptr, "no document", {"ann"}, "no document", "ann"},
      {R"(["ann"])", R"("text")", {"ann"}, "text", "ann"},
      {R"(["ann"])", "[1]", {"ann"}, json::array({1}), "ann"},
      {R"(["ann"])",
       R"({"email":5,"username":"u","name":"n"})",
       {"ann"},
       {{"email", 5}, {"username", "u"}, {"name", "n"}},
       "n"},
      {R"(["ann"])", R"({"email":"a@x"} x)", {"ann"}, R"({"email":"a@x"} x)", "ann"},
  };
  for (const Form& form : forms) {
    CAPTURE(form.ids.dump(), form.properties.dump());
    const Asked asked = ask_for({{"kind", "ActorsQuery"}, {"select", {"actor"}}});
    REQUIRE(asked.plan);
    const json row = {"p1", "ann", form.ids, form.properties, 1'764'000'000'123'456, 0};
    const json answer = json::parse(asked.plan->answer({json::array({row}).dump()}).json);
    const json& person = answer["results"][0][0];
    CHECK(person["id"] == "p1");
    CHECK(person["uuid"] == "p1");
    CHECK(person["created_at"] == "2025-11-24T16:00:00.123456Z");
    CHECK(person["distinct_ids"].dump() == form.seen_ids.dump());
    CHECK(person["properties"].dump() == form.seen_properties.dump());
    CHECK(person["name"].dump() == form.name.dump());
  }
}

TEST_CASE("insights: members beside an answer take the place of its own") {
  const Asked asked = ask_for({{"kind", "HogQLQuery"}, {"query", "SELECT event FROM events"}});
  REQUIRE(asked.plan);
  const Answered answered = asked.plan->answer({"[]"}, R"({"is_cached":true,"hogflare":{"a":1}})");
  const json answer = json::parse(answered.json);
  CHECK(answer["is_cached"] == true);
  CHECK(answer["hogflare"]["a"] == 1);
  CHECK(answer["results"] == json::array());
}

TEST_CASE("insights: a comparison by hand") {
  // 100 of 1,000 against 130 of 1,000: lift 0.3, by the delta method's formula.
  const Comparison c = compare_arms({1000, 100, 100}, {1000, 130, 130}, {.proportion = true});
  REQUIRE(c.valid);
  CHECK(c.lift == Approx(0.3));
  const double variance = 0.13 * 0.87 / (1000 * 0.01) + 0.1 * 0.9 * 0.0169 / (1000 * 0.0001);
  CHECK(c.standard_error == Approx(std::sqrt(variance)));
  CHECK(c.chance_to_win == Approx(normal_cdf(0.3 / std::sqrt(variance))));
  CHECK(!compare_arms({1000, 0, 0}, {1000, 130, 130}, {}).valid);
  CHECK(!compare_arms({0, 0, 0}, {1000, 130, 130}, {}).valid);
}

}  // namespace
}  // namespace hogflare::insights
