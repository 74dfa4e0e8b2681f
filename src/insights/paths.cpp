// PathsQuery: where people go next.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <unordered_set>

#include "hogflare/insights_limits.h"
#include "insights/actors.h"
#include "insights/kinds.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

// A pause from which on a new path begins; SDKs' visits play no role. PostHog
// paths_query_runner.py.
constexpr int64_t kPathGapUs = 1800 * kSecondUs;

struct Cleaning {
  std::string regex;
  std::string alias;
};

struct Paths {
  Common common;
  Range range;
  std::vector<std::string> kinds;  // empty: all events
  std::vector<std::string> exclude;
  std::vector<Cleaning> cleaning;
  std::vector<std::string> groupings;
  std::string start;
  std::string end;
  int64_t steps = 5;
  int64_t edges = 50;
  int64_t weight_min = 0;
  int64_t weight_max = 0;
};

std::string point_of(const View& view) {
  std::string point = view.text();
  if (point.size() > 1 && point.back() == '/') point.pop_back();
  return point;
}

void read_cleaning(Paths& paths, const View& list) {
  for (const View& rule : list.items()) {
    if (list.refusals()->first) return;
    rule.only({"alias", "regex", "order"});
    Cleaning one{.regex = rule["regex"].text(), .alias = rule["alias"].text()};
    if (paths.cleaning.size() == limits::kQuestionPatternsMax)
      rule.refuse(fmt::format("is one rule more than {}", limits::kQuestionPatternsMax));
    check_pattern(one.regex, rule["regex"].path(), *list.refusals());
    // Engines differ in how a replacement names groups.
    if (one.alias.find_first_of("\\$") != std::string::npos)
      rule["alias"].refuse("may not hold \\ or $");
    paths.cleaning.push_back(std::move(one));
  }
}

Paths read_paths(const View& question, const Context& context) {
  question.only({"dateRange", "properties", "filterTestAccounts", "pathsFilter",
                 "funnelPathsFilter", "samplingFactor", "aggregation_group_type_index",
                 "modifiers"});
  question["funnelPathsFilter"].refuse_if_given("paths of a funnel are not done here");
  Paths paths;
  paths.common = read_common(question, context.project);
  const View filter = question["pathsFilter"];
  filter.only({"includeEventTypes", "excludeEvents", "startPoint", "endPoint", "stepLimit",
               "edgeLimit", "minEdgeWeight", "maxEdgeWeight", "pathGroupings",
               "localPathCleaningFilters", "pathReplacements", "pathStartKey", "pathEndKey"});
  filter["pathReplacements"].refuse_if_given(
      "the project has no cleaning rules here: give localPathCleaningFilters");
  for (const View& kind : filter["includeEventTypes"].items())
    paths.kinds.push_back(kind.one_of({"$pageview", "$screen", "custom_event"}));
  for (const View& item : filter["excludeEvents"].items()) paths.exclude.push_back(item.text());
  for (const View& item : filter["pathGroupings"].items()) paths.groupings.push_back(item.text());
  if (paths.exclude.size() + paths.groupings.size() > limits::kFilterValuesMax)
    filter.refuse("lists too many items");
  read_cleaning(paths, filter["localPathCleaningFilters"]);
  paths.start = point_of(filter["startPoint"]);
  paths.end = point_of(filter["endPoint"]);
  paths.steps = filter["stepLimit"].integer(5, {2, 20});
  paths.edges = filter["edgeLimit"].integer(50, {1, 1'000});
  paths.weight_min = filter["minEdgeWeight"].integer(0, {0, 1'000'000'000});
  paths.weight_max = filter["maxEdgeWeight"].integer(0, {0, 1'000'000'000});
  const Clock& clock = context.project.clock;
  paths.range = read_range(question["dateRange"], clock, {.interval = Interval::kDay});
  paths.range.from_us = clock.to_utc(start_of(Interval::kDay, paths.range.from_local, false));
  return paths;
}

std::string kinds_sql(const Paths& paths) {
  std::string out;
  for (const std::string& kind : paths.kinds) {
    out += out.empty() ? "" : " OR ";
    out += kind == "custom_event" ? "substr(event, 1, 1) <> '$'"
                                  : fmt::format("event = {}", literal(kind));
  }
  return out.empty() ? "TRUE" : fmt::format("({})", out);
}

std::string wildcard_regex(const std::string& pattern) {
  std::string out = "^";
  for (char c : pattern) out += c == '*' ? ".*" : RE2::QuoteMeta(std::string(1, c));
  return out + "$";
}

// The item of an event: its page, its screen or its name, cleaned and grouped.
std::string item_sql(const Paths& paths, Scan& scan, const Context& context) {
  const View at(nullptr, "pathsFilter", &context.refusals);
  const std::string url = scan.event_property(at, "$current_url");
  const std::string screen = scan.event_property(at, "$screen_name");
  std::string item = fmt::format(
      "coalesce(CASE WHEN event = '$pageview' THEN CASE WHEN length({0}) > 1 AND substr({0}, "
      "length({0})) = '/' "
      "THEN substr({0}, 1, length({0}) - 1) ELSE {0} END WHEN event = '$screen' THEN {1} ELSE "
      "event END, '')",
      url, screen);
  for (const Cleaning& rule : paths.cleaning) {
    item = fmt::format("regexp_replace({}, {}, {}, 'g')", item, literal(rule.regex),
                       literal(rule.alias));
  }
  return item;
}

std::string grouped_sql(const Paths& paths, Dialect dialect) {
  if (paths.groupings.empty()) return "item";
  std::string out = "CASE";
  for (const std::string& pattern : paths.groupings) {
    out += fmt::format(" WHEN {} THEN {}", matches(dialect, "item", wildcard_regex(pattern)),
                       literal(pattern));
  }
  return out + " ELSE item END";
}

// "steps": unit, visit, j (from 1), item, t of what is shown of each path.
std::string shown_sql(const Paths& paths) {
  const std::string n = literal(paths.steps);
  const auto first_of = [](std::string_view name, const std::string& point, std::string_view more) {
    return fmt::format(
        "{} AS (SELECT unit, visit, min(i) AS at FROM cut WHERE item = {}{} GROUP BY unit, visit)",
        name, literal(point), more);
  };
  if (paths.start.empty() && paths.end.empty()) {
    return fmt::format(
        "cut AS (SELECT * FROM numbered), steps AS (SELECT unit, visit, i AS j, item, t FROM cut "
        "WHERE i <= {})",
        n);
  }
  std::string out = "cut AS (SELECT * FROM numbered), ";
  if (!paths.start.empty()) {
    out = fmt::format(
        "begins AS (SELECT unit, visit, min(i) AS at FROM numbered WHERE item = {} GROUP BY unit, "
        "visit), "
        "cut AS (SELECT n.unit, n.visit, n.i - begins.at + 1 AS i, n.item, n.t FROM numbered AS n "
        "JOIN begins ON begins.unit = n.unit AND begins.visit = n.visit AND n.i >= begins.at), ",
        literal(paths.start));
  }
  if (paths.end.empty())
    return out +
           fmt::format("steps AS (SELECT unit, visit, i AS j, item, t FROM cut WHERE i <= {})", n);
  out += first_of("ends", paths.end, "") + ", ";
  const std::string join =
      "FROM cut JOIN ends ON ends.unit = cut.unit AND ends.visit = cut.visit AND cut.i <= ends.at";
  if (paths.start.empty()) {
    return out + fmt::format(
                     "steps AS (SELECT cut.unit, cut.visit, cut.i - CASE WHEN ends.at > {0} THEN "
                     "ends.at - {0} ELSE 0 END AS j, "
                     "cut.item, cut.t {1} WHERE cut.i > ends.at - {0})",
                     n, join);
  }
  // The middle of what is too long is one item, with the time of the first item left out.
  const int64_t half = paths.steps / 2;
  return out + fmt::format(
                   "steps AS (SELECT cut.unit, cut.visit, CASE WHEN ends.at <= {0} OR cut.i <= {1} "
                   "THEN cut.i WHEN cut.i = {1} + 1 THEN cut.i "
                   "ELSE cut.i - ends.at + 2 * {1} + 1 END AS j, CASE WHEN ends.at > {0} AND cut.i "
                   "= {1} + 1 THEN '...' ELSE cut.item END AS item, "
                   "cut.t {2} WHERE ends.at <= {0} OR cut.i <= {1} + 1 OR cut.i > ends.at - {1})",
                   n, half, join);
}

// CTEs that end in "edges": each visit's steps with the one behind them.
std::string edges_sql(const Paths& paths, const Context& context) {
  Scan scan(context.project, context.dialect, paths.common.person_properties);
  scan.add_event(std::nullopt);
  const std::string unit = unit_of(paths.common, scan);
  const std::string item = item_sql(paths, scan, context);
  const std::string where = fmt::format(
      "{} AND {}", condition(paths.common.filter, scan, context.refusals), kinds_sql(paths));
  const std::string excluded =
      paths.exclude.empty() ? "" : fmt::format(" WHERE item NOT IN ({})", literals(paths.exclude));
  std::string sql = fmt::format(
      "{}, events_kept AS (SELECT {} AS unit, t, uuid, {} AS item FROM e WHERE {} AND t >= {} AND "
      "t <= {} AND {} IS NOT NULL), "
      "grouped AS (SELECT unit, t, uuid, {} AS item FROM events_kept), items AS (SELECT * FROM "
      "grouped{}), ",
      scan.with(paths.range.from_us, paths.range.to_us), unit, item, where, paths.range.from_us,
      paths.range.to_us, unit, grouped_sql(paths, context.dialect), excluded);
  sql += fmt::format(
      "gaps AS (SELECT unit, t, uuid, item, lag(t) OVER (PARTITION BY unit ORDER BY t, uuid) AS "
      "before_t FROM items), "
      "visits AS (SELECT unit, t, uuid, item, sum(CASE WHEN before_t IS NULL OR t - before_t >= {} "
      "THEN 1 ELSE 0 END) "
      "OVER (PARTITION BY unit ORDER BY t, uuid ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) "
      "AS visit FROM gaps), "
      "runs AS (SELECT unit, visit, t, uuid, item, lead(item) OVER (PARTITION BY unit, visit ORDER "
      "BY t, uuid) AS next_item FROM visits), "
      "numbered AS (SELECT unit, visit, t, item, row_number() OVER (PARTITION BY unit, visit ORDER "
      "BY t, uuid) AS i FROM runs "
      "WHERE coalesce(next_item, '') <> item), {}, "
      "edges AS (SELECT unit, j, item, t, lead(item) OVER (PARTITION BY unit, visit ORDER BY j) AS "
      "target, "
      "lead(t) OVER (PARTITION BY unit, visit ORDER BY j) AS target_t FROM steps)",
      kPathGapUs, shown_sql(paths));
  return sql;
}

Statement paths_statement(const Paths& paths, const Context& context) {
  std::string having;
  if (paths.weight_min > 0) having += fmt::format(" HAVING count(*) >= {}", paths.weight_min);
  if (paths.weight_max > 0)
    having +=
        fmt::format(" {} count(*) <= {}", having.empty() ? "HAVING" : "AND", paths.weight_max);
  std::string sql = edges_sql(paths, context);
  sql += fmt::format(
      " SELECT concat(CAST(j AS VARCHAR), '_', item) AS source, concat(CAST(j + 1 AS VARCHAR), "
      "'_', "
      "target) AS target, count(*) AS n, "
      "avg(CAST(target_t - t AS DOUBLE) / 1000) AS ms FROM edges WHERE target IS NOT NULL "
      "GROUP BY j, item, edges.target{} ORDER BY n DESC, 1, 2 LIMIT {}",
      having, paths.edges);
  return {.sql = std::move(sql), .columns = {"source", "target", "n", "ms"}, .numbers = {"n"}};
}

// Edges that no path from a first item leads to are of no use to a picture.
Written paths_answer(const Rows& rows) {
  struct Edge {
    std::string source;
    std::string target;
    bool is_kept = false;
  };
  std::vector<Edge> edges;
  for (const Row row : rows) edges.push_back({text_of(row[0]), text_of(row[1])});
  std::unordered_set<std::string_view> reachable;
  for (bool changed = true; changed;) {
    changed = false;
    for (Edge& edge : edges) {
      if (edge.is_kept || (edge.source.substr(0, 2) != "1_" && reachable.count(edge.source) == 0))
        continue;
      edge.is_kept = changed = true;
      reachable.insert(edge.target);
    }
  }
  Written out{.results = "["};
  for (size_t i = 0; i < edges.size(); ++i) {
    if (!edges[i].is_kept) continue;
    if (out.results.back() != '[') out.results += ',';
    append_plain(out.results += R"({"average_conversion_time":)", number_of(rows[i][3]));
    append_json_text(out.results += R"(,"source":)", edges[i].source);
    append_json_text(out.results += R"(,"target":)", edges[i].target);
    append_plain(out.results += R"(,"value":)", number_of(rows[i][2]));
    out.results += '}';
  }
  out.results += ']';
  return out;
}

}  // namespace

std::string paths_actors_sql(const View& query, const View& source, const Context& context) {
  for (const char* member : {"day", "series", "breakdown", "compare", "interval", "status"})
    query[member].refuse_if_given("says nothing about an edge");
  const Paths paths = read_paths(source, context);
  const View filter = source["pathsFilter"];
  const std::string from = filter["pathStartKey"].text(), to = filter["pathEndKey"].text();
  if (from.empty() && to.empty()) filter["pathStartKey"].refuse("or pathEndKey must name a step");
  if (paths.common.group_index >= 0)
    source["aggregation_group_type_index"].refuse("counts groups, behind which are no people");
  if (context.refusals.first) return {};
  std::string where = "unit IS NOT NULL";
  if (!from.empty())
    where += fmt::format(" AND concat(CAST(j AS VARCHAR), '_', item) = {}", literal(from));
  if (!to.empty())
    where += fmt::format(" AND concat(CAST(j + 1 AS VARCHAR), '_', target) = {}", literal(to));
  return fmt::format("{}, actors AS (SELECT DISTINCT unit AS person FROM edges WHERE {})",
                     edges_sql(paths, context), where);
}

Built build_paths(const View& question, const Context& context) {
  const Paths paths = read_paths(question, context);
  for (const char* key : {"pathStartKey", "pathEndKey"})
    question["pathsFilter"][key].refuse_if_given("asks for people: ask with ActorsQuery");
  Built built;
  if (context.refusals.first) return built;
  built.statements.push_back(paths_statement(paths, context));
  built.until_us = paths.range.to_us;
  built.is_momentary = is_momentary(paths.range);
  built.days = days_of(paths.range);
  built.write = [](const std::vector<Rows>& tables) { return paths_answer(tables[0]); };
  return built;
}

}  // namespace hogflare::insights
