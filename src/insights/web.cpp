// WebOverviewQuery, WebStatsTableQuery and SessionsQuery: numbers of visits.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "hogflare/insights_limits.h"
#include "insights/channel.h"
#include "insights/actors.h"
#include "insights/kinds.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

struct Web {
  Common common;
  std::vector<Range> periods;
  std::optional<Series> goal;
};

// Members that PostHog reads to be quicker or to show more, never to answer otherwise.
void read_web_common(Web& web, const View& question, const Context& context) {
  const Clock& clock = context.project.clock;
  web.common = read_common(question, context.project);
  const Range now = read_range(question["dateRange"], clock, {.interval = Interval::kDay});
  web.periods.push_back(now);
  const View compare = question["compareFilter"];
  compare.only({"compare", "compare_to"});
  if (compare["compare"].flag())
    web.periods.push_back(previous_range(now, compare, clock, Interval::kDay));
  const View goal = question["conversionGoal"];
  if (!goal.given()) return;
  goal.only({"customEventName", "actionId"});
  Json node = Json{{"kind", "EventsNode"}, {"event", goal["customEventName"].json()}};
  if (goal["actionId"].given())
    node = Json{{"kind", "ActionsNode"}, {"id", goal["actionId"].json()}};
  else if (goal["customEventName"].text().empty())
    goal["customEventName"].refuse("must name an event");
  web.goal = read_series(View(&node, goal.path(), goal.refusals()), context.project);
}

// A text that a visit began ("min") or ended ("max") with.
struct Edge {
  std::string name;
  std::string text;  // SQL over `e`
  std::string_view function;
};

// What is asked of visits: which of their events count, and by what they are told apart.
struct VisitsQuestion {
  const Range& range;
  std::string hit;               // SQL over `e`
  std::string goal = "FALSE";    // the same
  std::string event_value;       // of an event, over `e`: then there is a row a visit and value
  std::string visit_value = "";  // of a visit, over `whole`
  std::vector<Edge> edges = {};
};

// The edges' columns: over hits, or over the parts of a visit where it has several values.
std::string edge_columns(const std::vector<Edge>& edges, bool is_of_parts, bool is_text) {
  std::string out;
  for (const Edge& edge : edges) {
    std::string key = is_of_parts ? fmt::format("{}({})", edge.function, edge.name)
                                  : time_key(edge.function, edge.name, edge.name + " <> ''");
    if (is_text) key = text_of_key(key);
    out += fmt::format(", {} AS {}", key, edge.name);
  }
  return out;
}

// CTEs that end in "visits": visits that began in the range and have hits or goals in it, with
// their beginnings and ends, one row each, or one a value. All events of a visit are read once,
// and make its length and its bounce, whether they are hits or not. It is one person's: whoever
// its earliest hit counts for.
std::string visits_sql(const VisitsQuestion& asked, Scan& scan) {
  scan.add_event(std::nullopt);
  scan.only_of_visits();
  const std::string session = scan.session_id();
  const std::string person = scan.person();
  const bool has_parts = !asked.event_value.empty();
  const auto within = [&asked](std::string_view condition) {
    return fmt::format("CASE WHEN {} AND t >= {} AND t <= {} THEN 1 ELSE 0 END", condition,
                       asked.range.from_us, asked.range.to_us);
  };
  std::string texts;
  for (const Edge& edge : asked.edges) texts += fmt::format(", {} AS {}", edge.text, edge.name);
  std::string sql = fmt::format(
      "{}, hits AS (SELECT {} AS visit, {} AS value, t, event, {} AS person{}, {} AS is_hit, {} AS "
      "is_goal FROM e), ",
      scan.with(asked.range.from_us - kVisitMarginUs, asked.range.to_us + kVisitMarginUs), session,
      has_parts ? asked.event_value : "''", person, texts, within(asked.hit), within(asked.goal));
  const std::string counts =
      "sum(CASE WHEN event = '$pageview' THEN 1 ELSE 0 END) AS pageviews, sum(CASE WHEN event = "
      "'$autocapture' THEN 1 ELSE 0 END) AS autocaptures";
  const std::string own = fmt::format("{} AS who, sum(is_hit) AS views, sum(is_goal) AS goals",
                                      time_key("min", "person", "is_hit = 1 OR is_goal = 1"));
  if (has_parts) {
    sql += fmt::format(
        "parts AS (SELECT visit, value, min(t) AS first_t, max(t) AS last_t, {}, {}{} FROM hits "
        "GROUP BY visit, value), whole AS (SELECT visit, min(first_t) AS start_t, {} AS "
        "duration_s, "
        "sum(pageviews) AS pageviews, sum(autocaptures) AS autocaptures{} FROM parts GROUP BY "
        "visit), ",
        counts, own, edge_columns(asked.edges, false, false),
        floor_div("(max(last_t) - min(first_t))", kSecondUs),
        edge_columns(asked.edges, true, true));
  } else {
    sql += fmt::format(
        "whole AS (SELECT visit, min(t) AS start_t, {} AS duration_s, {}, {}{} FROM "
        "hits GROUP BY visit), ",
        floor_div("(max(t) - min(t))", kSecondUs), counts, own,
        edge_columns(asked.edges, false, true));
  }
  std::string edges;
  for (const Edge& edge : asked.edges) edges += ", whole." + edge.name;
  const std::string value = has_parts                   ? "parts.value"
                            : asked.visit_value.empty() ? "''"
                                                        : asked.visit_value;
  return sql + fmt::format(
                   "visits AS (SELECT whole.visit, {} AS value, {} AS person, start_t, "
                   "duration_s, whole.pageviews, {} AS is_bounce, views, goals{} FROM {} "
                   "WHERE start_t >= {} AND start_t <= {} AND views + goals > 0)",
                   value, text_of_key("who"), has_parts ? "is_bounce" : kIsBounce, edges,
                   has_parts ? fmt::format("(SELECT *, {} AS is_bounce FROM whole) AS whole "
                                           "JOIN parts ON parts.visit = whole.visit",
                                           kIsBounce)
                             : "whole",
                   asked.range.from_us, asked.range.to_us);
}

// Views of pages and screens that the filters keep, and the goal's events.
VisitsQuestion views_in(const Web& web, const Range& range, Scan& scan, const Context& context) {
  const std::string where = condition(web.common.filter, scan, context.refusals);
  VisitsQuestion out{.range = range,
                     .hit = fmt::format("event IN ('$pageview', '$screen') AND {}", where)};
  if (web.goal) {
    out.goal = fmt::format("{} AND {}", condition(*web.goal, scan, context.refusals), where);
  }
  return out;
}

Statement overview_statement(const Web& web, const Range& range, const Context& context) {
  Scan scan(context.project, context.dialect, web.common.person_properties);
  const std::string visits = visits_sql(views_in(web, range, scan, context), scan);
  return {
      .sql = fmt::format(
          "{} SELECT p.n AS visitors, v.views, v.sessions, v.duration, v.bounce, v.goals, g.n AS "
          "converted FROM "
          "(SELECT sum(views) AS views, count(*) AS sessions, avg(CAST(duration_s AS DOUBLE)) AS "
          "duration, "
          "avg(is_bounce) * 100 AS bounce, "
          "sum(goals) AS goals FROM visits) AS v "
          "CROSS JOIN (SELECT count(*) AS n FROM (SELECT DISTINCT person FROM visits) AS a) AS p "
          "CROSS JOIN (SELECT count(*) AS n FROM (SELECT DISTINCT person FROM visits WHERE goals > "
          "0) AS b) AS g",
          visits),
      .columns = {"visitors", "views", "sessions", "duration", "bounce", "goals", "converted"},
      .numbers = {"visitors", "sessions"}};
}

Json overview_item(std::string_view key, std::string_view kind, const Json& value,
                   const Json& previous) {
  Json change;
  if (value.is_number() && previous.is_number() && previous.get<double>() != 0) {
    change = plain(std::nearbyint(100 * (value.get<double>() - previous.get<double>()) /
                                  previous.get<double>()));
  }
  return Json{{"key", key},
              {"kind", kind},
              {"isIncreaseBad", key == "bounce rate" ? Json(true) : Json()},
              {"value", value},
              {"previous", previous},
              {"changeFromPreviousPct", change}};
}

// A visit that began in the range goes on behind it.
int64_t settled_us(const Range& range) { return range.to_us + kDayUs; }

Json overview_number(Row row, std::string_view key) {
  const auto number = [&row](size_t i) {
    return is_null(row[i]) ? Json() : Json(number_of(row[i]));
  };
  const auto count = [&row](size_t i) { return plain(number_of(row[i])); };
  if (key == "visitors") return count(0);
  if (key == "views") return count(1);
  if (key == "sessions") return count(2);
  if (key == "session duration") return number(3);
  if (key == "bounce rate") return number(4);
  if (key == "total conversions") return count(5);
  if (key == "unique conversions") return count(6);
  const double visitors = number_of(row[0]);
  return visitors == 0 ? Json() : Json(100 * number_of(row[6]) / visitors);
}

Json overview_answer(const Web& web, const std::vector<Rows>& tables) {
  static constexpr std::pair<std::string_view, std::string_view> kPlain[] = {
      {"visitors", "unit"},
      {"views", "unit"},
      {"sessions", "unit"},
      {"session duration", "duration_s"},
      {"bounce rate", "percentage"}};
  static constexpr std::pair<std::string_view, std::string_view> kGoal[] = {
      {"visitors", "unit"},
      {"total conversions", "unit"},
      {"unique conversions", "unit"},
      {"conversion rate", "percentage"}};
  Json results = Json::array();
  const auto add = [&](std::string_view key, std::string_view kind) {
    const Json now = tables[0].empty() ? Json() : overview_number(tables[0][0], key);
    const Json before =
        tables.size() < 2 || tables[1].empty() ? Json() : overview_number(tables[1][0], key);
    results.push_back(overview_item(key, kind, now, before));
  };
  if (web.goal) {
    for (const auto& [key, kind] : kGoal) add(key, kind);
  } else {
    for (const auto& [key, kind] : kPlain) add(key, kind);
  }
  const auto local = [](int64_t us) {
    std::string out = instant_text(us).substr(0, 19);
    out[10] = ' ';
    return out;
  };
  return Json{{"results", std::move(results)},
              {"samplingRate", Json{{"numerator", 1}}},
              {"usedPreAggregatedTables", false},
              {"dateFrom", local(web.periods[0].from_local)},
              {"dateTo", local(web.periods[0].to_local)}};
}

// What a table of pages, sources, devices or places is grouped by: an event's own value, or one of
// the visit, for which its beginning or end is needed.
struct Grouping {
  std::string event_value = {};  // SQL over `e`
  std::string visit_value = {};  // SQL over `whole`
  std::vector<Edge> edges = {};
  bool keeps_null = false;
};

Edge edge_of(std::string_view name, std::string_view key, Scan& scan, const View& at) {
  const std::string_view function = name.substr(0, 4) == "exit" ? "max" : "min";
  return {.name = std::string(name), .text = scan.event_property(at, key), .function = function};
}

Grouping grouping_of(const View& by, Scan& scan, const Context& context) {
  const std::string name = by.text();
  const auto event = [&](std::string_view key) {
    return Grouping{.event_value = scan.event_property(by, key)};
  };
  const auto edge = [&](std::string_view column, std::string_view key) {
    return edge_of(column, key, scan, by);
  };
  const auto path = [&](std::string_view column) {
    return Grouping{.visit_value = path_of(column), .edges = {edge(column, "$current_url")}};
  };
  const auto utm = [&](std::string_view key) {
    const std::string column = fmt::format("entry_{}", key);
    return Grouping{.visit_value = fmt::format("nullif({}, '')", column),
                    .edges = {edge(column, key)},
                    .keeps_null = true};
  };
  const auto source_edges = [&]() -> std::vector<Edge> {
    return {edge("entry_utm_source", "utm_source"), edge("entry_utm_medium", "utm_medium"),
            edge("entry_utm_campaign", "utm_campaign"),
            edge("entry_referring_domain", "$referring_domain")};
  };
  if (name == "Page") return event("$pathname");
  if (name == "ScreenName") return event("$screen_name");
  if (name == "Browser") return event("$browser");
  if (name == "OS") return event("$os");
  if (name == "DeviceType") return event("$device_type");
  if (name == "Country") return event("$geoip_country_code");
  if (name == "InitialPage") return path("entry_url");
  if (name == "ExitPage") return path("exit_url");
  if (name == "InitialReferringDomain") {
    return {.visit_value = "entry_referring_domain",
            .edges = {edge("entry_referring_domain", "$referring_domain")}};
  }
  if (name == "InitialUTMSource") return utm("utm_source");
  if (name == "InitialUTMMedium") return utm("utm_medium");
  if (name == "InitialUTMCampaign") return utm("utm_campaign");
  if (name == "InitialUTMTerm") return utm("utm_term");
  if (name == "InitialUTMContent") return utm("utm_content");
  if (name == "Region" || name == "City") {
    const std::string country = scan.event_property(by, "$geoip_country_code");
    const std::string place =
        scan.event_property(by, name == "City" ? "$geoip_city_name" : "$geoip_subdivision_1_name");
    return {.event_value =
                fmt::format("CASE WHEN {0} <> '' AND {1} <> '' THEN concat({0}, ' / ', {1}) END",
                            country, place)};
  }
  if (name == "InitialChannelType") {
    return {.visit_value = channel_sql({.source = "entry_utm_source",
                                        .medium = "entry_utm_medium",
                                        .campaign = "entry_utm_campaign",
                                        .referring_domain = "entry_referring_domain",
                                        .gclid = "NULL",
                                        .gad_source = "NULL",
                                        .fbclid = "NULL"},
                                       context.dialect),
            .edges = source_edges()};
  }
  if (name == "InitialUTMSourceMediumCampaign") {
    const auto part = [](std::string_view column) {
      return fmt::format("coalesce(nullif({}, ''), '(none)')", column);
    };
    return {.visit_value =
                fmt::format("concat(coalesce(nullif(entry_utm_source, ''), {}), ' / ', {}, ' / ', "
                            "{})",
                            part("entry_referring_domain"), part("entry_utm_medium"),
                            part("entry_utm_campaign")),
            .edges = source_edges()};
  }
  by.refuse(fmt::format("'{}' is not done here", name));
  return {.visit_value = "NULL"};
}

struct Stats {
  Web web;
  bool bounce = false;
  int64_t limit = 10;
  int64_t offset = 0;
  bool by_views = false;
  bool ascending = false;
};

Stats read_stats(const View& question, const Context& context) {
  question.only({"breakdownBy",
                 "dateRange",
                 "properties",
                 "filterTestAccounts",
                 "compareFilter",
                 "includeBounceRate",
                 "orderBy",
                 "limit",
                 "offset",
                 "sampling",
                 "modifiers",
                 "samplingFactor",
                 "useSessionsTable",
                 "includeRevenue",
                 "doPathCleaning",
                 "includeScrollDepth",
                 "includeAvgTimeOnPage",
                 "conversionGoal",
                 "includeHost",
                 "filterTestAccounts"});
  for (std::string_view name : {"doPathCleaning", "includeScrollDepth", "includeAvgTimeOnPage",
                                "conversionGoal", "includeHost"}) {
    question[name].refuse_if_given("is not done here");
  }
  Stats stats;
  read_web_common(stats.web, question, context);
  stats.bounce = question["includeBounceRate"].flag();
  stats.limit = question["limit"].integer(10, {1, limits::kListRowsMax});
  stats.offset = question["offset"].integer(0, {0, limits::kListOffsetMax});
  const std::vector<View> order = question["orderBy"].items();
  if (!order.empty())
    stats.by_views =
        order[0]
            .one_of({"context.columns.visitors", "visitors", "views", "context.columns.views"})
            .find("views") != std::string::npos;
  if (order.size() > 1) stats.ascending = order[1].one_of({"DESC", "ASC"}) == "ASC";
  return stats;
}

// CTEs that end in "rows_of": each visit's views of a value. `bounce`: how the bounce rate is made
// of them.
std::string stats_rows_sql(const Stats& stats, const Range& range, const View& by,
                           const Context& context, std::string& bounce) {
  Scan scan(context.project, context.dialect, stats.web.common.person_properties);
  Grouping grouping = grouping_of(by, scan, context);
  VisitsQuestion asked = views_in(stats.web, range, scan, context);
  // The bounces of a page are those of the visits that began on it.
  const bool is_of_entries = by.text() == "Page" && stats.bounce;
  if (is_of_entries) grouping.edges.push_back(edge_of("entry_url", "$current_url", scan, by));
  bounce = is_of_entries
               ? fmt::format("avg(CASE WHEN {} = value THEN is_bounce END)", path_of("entry_url"))
               : "avg(is_bounce)";
  asked.event_value = grouping.event_value;
  asked.visit_value = grouping.visit_value;
  asked.edges = grouping.edges;
  return fmt::format("{}, rows_of AS (SELECT * FROM visits{})", visits_sql(asked, scan),
                     grouping.keeps_null ? "" : " WHERE value <> ''");
}

Statement stats_statement(const Stats& stats, const Range& range, const View& by,
                          const Context& context) {
  std::string bounce;
  const std::string rows = stats_rows_sql(stats, range, by, context, bounce);
  const std::string_view order = stats.by_views ? "views" : "visitors";
  return {.sql = fmt::format(
              "{}, people_of AS (SELECT value, count(*) AS visitors FROM (SELECT DISTINCT "
              "coalesce(value, '') AS value, person FROM rows_of) AS d GROUP BY value), "
              "sums AS (SELECT coalesce(value, '') AS value, sum(views) AS views, {} AS bounce "
              "FROM rows_of GROUP BY coalesce(value, '')) "
              "SELECT sums.value, people_of.visitors, sums.views, sums.bounce FROM sums JOIN "
              "people_of ON people_of.value = sums.value "
              "ORDER BY {} {}, {} DESC, value LIMIT {}",
              rows, bounce, order, stats.ascending ? "ASC" : "DESC",
              stats.by_views ? "visitors" : "views", rows_max(context.dialect)),
          .columns = {"value", "visitors", "views", "bounce"},
          .numbers = {"visitors", "views"}};
}

// [now, before]; `before` is null where the question compares with nothing or had no such number.
void append_pair(std::string& out, const json::Value& now, std::string_view before) {
  append_json(out += ",[", now);
  out.append(",").append(before) += ']';
}

Written stats_answer(const Stats& stats, const std::vector<Rows>& tables) {
  const bool compares = tables.size() > 1;
  std::unordered_map<std::string, Row> before;
  if (compares) {
    for (const Row row : tables[1]) before.emplace(text_of(row[0]), row);
  }
  const Rows& rows = tables[0];
  Written written = write_page(
      rows.size(), {.limit = stats.limit, .offset = stats.offset}, [&](std::string& out, size_t i) {
        const Row row = rows[i];
        const std::string value = text_of(row[0]);
        const auto old = before.find(value);
        append_json(out += '[', value.empty() ? json::Value() : row[0]);
        for (size_t column = 1; column < (stats.bounce ? 4u : 3u); ++column) {
          std::string previous;
          if (old != before.end()) {
            append_json(previous, old->second[column]);
          } else {
            previous = compares && column < 3 ? "0" : "null";
          }
          append_pair(out, row[column], previous);
        }
        out += ']';
      });
  Json columns = Json::array(
      {"context.columns.breakdown_value", "context.columns.visitors", "context.columns.views"});
  if (stats.bounce) columns.push_back("context.columns.bounce_rate");
  written.members["columns"] = std::move(columns);
  return written;
}

// Members in the order of their names.
void append_session(std::string& out, Row row) {
  const int64_t begin = integer_of(row[2]);
  append_json(out += R"({"duration_s":)", row[3]);
  append_instant(out += R"(,"end":)", begin + integer_of(row[3]) * kSecondUs);
  append_json(out += R"(,"entry_url":)", row[5]);
  append_json(out += R"(,"exit_url":)", row[6]);
  out += R"(,"is_bounce":)";
  out += is_null(row[7]) ? "null" : number_of(row[7]) > 0 ? "true" : "false";
  append_json(out += R"(,"pageviews":)", row[4]);
  append_json(out += R"(,"person_id":)", row[1]);
  append_json(out += R"(,"session_id":)", row[0]);
  append_instant(out += R"(,"start":)", begin);
  out += '}';
}

}  // namespace

Built build_web_overview(const View& question, const Context& context) {
  question.only({"dateRange", "properties", "filterTestAccounts", "compareFilter", "conversionGoal",
                 "sampling", "modifiers", "samplingFactor", "useSessionsTable", "includeRevenue",
                 "doPathCleaning"});
  question["includeRevenue"].refuse_if_given("revenue is not done here");
  Web web;
  read_web_common(web, question, context);
  Built built;
  if (context.refusals.first) return built;
  for (const Range& range : web.periods)
    built.statements.push_back(overview_statement(web, range, context));
  built.days = days_of(web.periods[0]) * static_cast<int64_t>(web.periods.size());
  built.until_us = settled_us(web.periods[0]);
  built.read = [web = std::move(web)](const std::vector<Rows>& tables) {
    return overview_answer(web, tables);
  };
  return built;
}

std::string web_actors_sql(const View& query, const View& source, const Context& context) {
  for (const char* member : {"day", "series", "interval", "status"})
    query[member].refuse_if_given("says nothing about visitors");
  const bool is_table = source["kind"].text() == "WebStatsTableQuery";
  Stats stats;
  if (is_table) {
    stats = read_stats(source, context);
  } else {
    query["breakdown"].refuse_if_given("says nothing about all visitors");
    read_web_common(stats.web, source, context);
  }
  const bool is_before = query["compare"].one_of({"current", "previous"}) == "previous";
  if (is_before && stats.web.periods.size() < 2)
    query["compare"].refuse("the question compares with nothing");
  if (context.refusals.first) return {};
  const Range& range = stats.web.periods[is_before ? 1 : 0];
  if (is_table) {
    std::string bounce;
    const std::string rows = stats_rows_sql(stats, range, source["breakdownBy"], context, bounce);
    return fmt::format(
        "{}, actors AS (SELECT DISTINCT person FROM rows_of WHERE coalesce(value, '') = {})", rows,
        literal(query["breakdown"].text()));
  }
  Scan scan(context.project, context.dialect, stats.web.common.person_properties);
  const VisitsQuestion asked = views_in(stats.web, range, scan, context);
  return fmt::format("{}, actors AS (SELECT DISTINCT person FROM visits)", visits_sql(asked, scan));
}

Built build_web_stats(const View& question, const Context& context) {
  Stats stats = read_stats(question, context);
  Built built;
  if (context.refusals.first) return built;
  for (const Range& range : stats.web.periods)
    built.statements.push_back(stats_statement(stats, range, question["breakdownBy"], context));
  built.days = days_of(stats.web.periods[0]) * static_cast<int64_t>(stats.web.periods.size());
  built.until_us = settled_us(stats.web.periods[0]);
  built.write = [stats = std::move(stats)](const std::vector<Rows>& tables) {
    return stats_answer(stats, tables);
  };
  return built;
}

Built build_sessions(const View& question, const Context& context) {
  question.only({"dateRange", "properties", "filterTestAccounts", "limit", "offset", "modifiers",
                 "samplingFactor"});
  Web web;
  read_web_common(web, question, context);
  const int64_t limit = question["limit"].integer(100, {1, limits::kListRowsMax});
  const int64_t offset = question["offset"].integer(0, {0, limits::kListOffsetMax});
  Built built;
  if (context.refusals.first) return built;
  const Range& range = web.periods[0];
  Scan scan(context.project, context.dialect, web.common.person_properties);
  // Any event counts here, not only views.
  VisitsQuestion asked{.range = range, .hit = condition(web.common.filter, scan, context.refusals)};
  const View at(nullptr, "", &context.refusals);
  asked.edges = {edge_of("entry_url", "$current_url", scan, at),
                 edge_of("exit_url", "$current_url", scan, at)};
  built.statements.push_back(
      {.sql = fmt::format("{} SELECT visit AS session_id, person, start_t, duration_s AS duration, "
                          "pageviews, entry_url, exit_url, is_bounce FROM visits ORDER BY start_t "
                          "DESC, session_id LIMIT {}",
                          visits_sql(asked, scan), limit + offset + 1),
       .columns = {"session_id", "person", "start_t", "duration", "pageviews", "entry_url",
                   "exit_url", "is_bounce"}});
  built.until_us = settled_us(range);
  built.days = days_of(range);
  built.write = [limit, offset](const std::vector<Rows>& tables) {
    const Rows& rows = tables[0];
    return write_page(rows.size(), {.limit = limit, .offset = offset},
                      [&rows](std::string& out, size_t i) { append_session(out, rows[i]); });
  };
  return built;
}

}  // namespace hogflare::insights
