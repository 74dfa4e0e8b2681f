// EventsQuery, PersonsQuery, ActorsQuery and ErrorTrackingQuery: rows instead of numbers.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "hogflare/insights_limits.h"
#include "insights/actors.h"
#include "insights/issue_status.h"
#include "insights/kinds.h"
#include "insights/list_rows.h"
#include "insights/sql_text.h"
#include "json/dom.h"

namespace hogflare::insights {
namespace {

// Of a list, as it names them.
constexpr size_t kColumnsMax = 50;

using namespace std::string_view_literals;

// How a cell of an answer is made from a row's cells.
struct Cell {
  enum class Kind : uint8_t { kText, kTime, kJson, kEvent, kPerson };
  Kind kind = Kind::kText;
  size_t first = 0;  // index of its first column
};

struct Columns {
  std::vector<std::string> sql;
  std::vector<Cell> cells;
  std::vector<std::string> names;  // one a cell
  void add(std::string_view name, Cell::Kind kind, std::vector<std::string> expressions) {
    names.emplace_back(name);
    cells.push_back({.kind = kind, .first = sql.size()});
    for (std::string& one : expressions) sql.push_back(std::move(one));
  }
  std::string list() const {
    std::string out;
    for (size_t i = 0; i < sql.size(); ++i)
      out += fmt::format("{}{} AS c{}", i == 0 ? "" : ", ", sql[i], i);
    return out;
  }
  std::vector<std::string> aliases() const {
    std::vector<std::string> out;
    for (size_t i = 0; i < sql.size(); ++i) out.push_back(fmt::format("c{}", i));
    return out;
  }
};

// Members in the order of their names, as those of every answer.
void append_cell(std::string& out, const Cell& cell, Row row, json::Document& scratch) {
  const json::Value& first = row[cell.first];
  switch (cell.kind) {
    case Cell::Kind::kText:
      return append_json(out, first);
    case Cell::Kind::kTime:
      return append_time_or_null(out, first);
    case Cell::Kind::kJson:
      append_parsed(out, first, scratch);
      return;
    case Cell::Kind::kPerson:
      append_json(out += R"({"distinct_id":)"sv, row[cell.first + 1]);
      append_json(out += R"(,"id":)"sv, first);
      append_parsed(out += R"(,"properties":)"sv, row[cell.first + 2], scratch);
      append_json(out += R"(,"uuid":)"sv, first);
      break;
    case Cell::Kind::kEvent:
      append_json(out += R"({"distinct_id":)"sv, row[cell.first + 4]);
      append_json(out += R"(,"elements_chain":"","event":)"sv, row[cell.first + 1]);
      append_json(out += R"(,"person_id":)"sv, row[cell.first + 5]);
      append_parsed(out += R"(,"properties":)"sv, row[cell.first + 2], scratch);
      append_time(out += R"(,"timestamp":)"sv, row[cell.first + 3]);
      append_json(out += R"(,"uuid":)"sv, first);
      break;
  }
  out += '}';
}

std::string quoted_name(std::string_view text) {
  // properties.$browser, properties."my key", properties['my key']
  if (text.size() > 4 && text.substr(0, 2) == "['" && text.substr(text.size() - 2) == "']")
    return std::string(text.substr(2, text.size() - 4));
  if (!text.empty() && text.front() == '.') text.remove_prefix(1);
  if (text.size() > 2 && text.front() == '"' && text.back() == '"')
    text = text.substr(1, text.size() - 2);
  return std::string(text);
}

void add_event_column(Columns& out, const View& item, Scan& scan, const Context& context) {
  const std::string name = item.text();
  if (name == "*") {
    return out.add(name, Cell::Kind::kEvent,
                   {"uuid", "event", scan.column("properties"), "t", "distinct_id", scan.person()});
  }
  if (name == "event" || name == "distinct_id" || name == "uuid")
    return out.add(name, Cell::Kind::kText, {name});
  if (name == "timestamp") return out.add(name, Cell::Kind::kTime, {"t"});
  if (name == "person")
    return out.add(name, Cell::Kind::kPerson,
                   {scan.person(), "distinct_id", scan.column("person_properties")});
  if (name == "person_id" || name == "person.id")
    return out.add(name, Cell::Kind::kText, {scan.person()});
  if (name.substr(0, 18) == "person.properties." || name.substr(0, 19) == "person.properties['") {
    return out.add(name, Cell::Kind::kText,
                   {scan.person_property(item, quoted_name(std::string_view(name).substr(17)))});
  }
  if (name.substr(0, 11) == "properties." || name.substr(0, 12) == "properties['") {
    const std::string key = quoted_name(std::string_view(name).substr(10));
    if (!typed_column(key).empty() && context.project.typed_columns)
      return out.add(name, Cell::Kind::kText, {scan.event_property(item, key)});
    return out.add(name, Cell::Kind::kJson, {scan.event_property_json(item, key)});
  }
  item.refuse("is no column or property that can be selected: no expressions here");
}

// "timestamp DESC" and the like, over the selected columns.
std::string order_sql(const View& list, const Columns& columns, std::string_view fallback,
                      std::string_view time_alias) {
  std::string out;
  for (const View& item : list.items()) {
    std::string text = item.text();
    std::string direction = "ASC";
    for (std::string_view suffix : {" DESC", " ASC", " desc", " asc"}) {
      if (text.size() <= suffix.size() || text.substr(text.size() - suffix.size()) != suffix)
        continue;
      direction = suffix.substr(1) == "DESC" || suffix.substr(1) == "desc" ? "DESC" : "ASC";
      text.resize(text.size() - suffix.size());
      break;
    }
    std::string column = text == "timestamp" ? std::string(time_alias) : "";
    for (size_t i = 0; i < columns.names.size(); ++i) {
      if (columns.names[i] == text) column = fmt::format("c{}", columns.cells[i].first);
    }
    if (column.empty()) item.refuse("must be a selected column or timestamp, with ASC or DESC");
    // The engines differ in where they put what is missing; PostHog has it last.
    out += fmt::format("{}{} {} NULLS LAST", out.empty() ? "" : ", ", column, direction);
  }
  return out.empty() ? std::string(fallback) : out;
}

Written page_of(const Columns& columns, const Rows& rows, int64_t limit, int64_t offset) {
  json::Document scratch;
  Written out = write_page(
      rows.size(),
      {.limit = limit, .offset = offset, .bytes_expected = rows.bytes() + rows.size() * 16},
      [&columns, &rows, &scratch](std::string& text, size_t i) {
        const Row row = rows[i];
        char before = '[';
        for (const Cell& cell : columns.cells) {
          text += before;
          before = ',';
          append_cell(text, cell, row, scratch);
        }
        text += ']';
      });
  Json types = Json::array();
  for (const Cell& cell : columns.cells)
    types.push_back(cell.kind == Cell::Kind::kTime ? "DateTime64(6, 'UTC')" : "String");
  out.members["columns"] = columns.names;
  out.members["types"] = std::move(types);
  return out;
}

// The visits that a filter leaves, where it says so plainly.
std::optional<std::vector<std::string>> visits_of(const Filter& filter) {
  if (filter.kind == Filter::Kind::kAnd) {
    for (const Filter& part : filter.parts) {
      if (auto visits = visits_of(part)) return visits;
    }
    return std::nullopt;
  }
  const bool is_plain = filter.kind == Filter::Kind::kTest && filter.type == "event" &&
                        filter.key == "$session_id" && filter.op == "exact";
  if (!is_plain || filter.values.empty()) return std::nullopt;
  std::vector<std::string> visits;
  for (const Json& value : filter.values) {
    if (!value.is_string()) return std::nullopt;
    visits.push_back(value.get<std::string>());
  }
  return visits;
}

// A bound of EventsQuery; both are exclusive.
int64_t bound_us(const View& view, const Clock& clock, int64_t fallback) {
  const std::string text = view.text();
  if (text.empty()) return fallback;
  if (text == "all") return clock.to_utc(0);
  const auto moment = read_moment(text, clock);
  if (!moment) view.refuse("is neither a date nor a relative time such as -24h");
  return moment ? clock.to_utc(moment->local_us) : fallback;
}

// Whether a bound moves with the clock.
bool is_of_now(const View& view, const Clock& clock) {
  const std::string text = view.text();
  const auto moment = read_moment(text, clock);
  return text != "all" && (!moment || moment->relative);
}

}  // namespace

Built build_events(const View& question, const Context& context) {
  question.only({"select", "where", "event", "events", "actionId", "personId", "properties",
                 "fixedProperties", "filterTestAccounts", "after", "before", "orderBy", "limit",
                 "offset", "modifiers", "samplingFactor"});
  question["where"].refuse_if_given("takes HogQL, which is not done here: use properties");
  const Clock& clock = context.project.clock;
  const Common common = read_common(question, context.project);
  const Filter fixed = read_filters(question["fixedProperties"], context.project);
  Scan scan(context.project, context.dialect, common.person_properties);
  Columns columns;
  for (const View& item : question["select"].items())
    add_event_column(columns, item, scan, context);
  if (columns.cells.empty() || columns.cells.size() > kColumnsMax)
    question["select"].refuse("must name 1 to 50 columns");
  std::vector<View> events = question["events"].items();
  if (question["event"].given()) events.push_back(question["event"]);
  for (const View& event : events) scan.add_event(event.text());
  std::string where = fmt::format("{} AND {}", condition(common.filter, scan, context.refusals),
                                  condition(fixed, scan, context.refusals));
  if (question["actionId"].given()) {
    const Json node{{"kind", "ActionsNode"}, {"id", question["actionId"].json()}};
    where += " AND " +
             condition(read_series(View(&node, "actionId", &context.refusals), context.project),
                       scan, context.refusals);
  }
  if (question["personId"].given()) {
    const std::string person = question["personId"].text();
    scan.only_ids_of(person);
    where += fmt::format(" AND {} = {}", scan.person(), literal(person));
  }
  if (const auto visits = visits_of(common.filter)) scan.only_visits(*visits);
  const int64_t after = bound_us(question["after"], clock, clock.now_us - kDayUs);
  const int64_t before = bound_us(question["before"], clock, clock.now_us + 5 * kSecondUs);
  const int64_t limit = question["limit"].integer(100, {1, limits::kListRowsMax});
  const int64_t offset = question["offset"].integer(0, {0, limits::kListOffsetMax});
  const std::string order = order_sql(question["orderBy"], columns, "t DESC", "t");
  Built built;
  if (context.refusals.first) return built;
  built.statements.push_back(
      {.sql = fmt::format("{} SELECT {} FROM (SELECT {}, t, uuid FROM e WHERE {} AND t > {} AND t "
                          "< {}) AS page ORDER BY {}, uuid LIMIT {}",
                          scan.with(after, before), fmt::join(columns.aliases(), ", "),
                          columns.list(), where, after, before, order, limit + offset + 1),
       .columns = columns.aliases()});
  built.until_us = before;
  built.days = days_of({.from_local = after, .to_local = before});
  built.is_momentary = is_of_now(question["after"], clock) || is_of_now(question["before"], clock);
  built.write = [columns, limit, offset](const std::vector<Rows>& rows) {
    return page_of(columns, rows[0], limit, offset);
  };
  return built;
}

namespace {

// What is looked for among people; empty is everybody.
struct Wanted {
  std::string search;
  std::string distinct_id;
};

std::string flag_of_any(const std::string& condition) {
  return fmt::format("max(CASE WHEN {} THEN 1 ELSE 0 END)", condition);
}

// The present state of every person: the highest version, unless deleted. A row names the ids that
// its event knew of, which need not be all: an id is looked for in every row, and the longest list
// is taken where the others cannot be asked for. kNone leaves out what is wide, for a list that
// needs it of one page's people alone, and has the version to find their rows by.
enum class Ids : uint8_t { kNone, kOfNewest, kLongest };

std::string persons_cte(const Context& context, const Wanted& wanted, Ids which) {
  const std::string_view ids = "coalesce(distinct_ids, distinct_id, '')";
  std::string found;
  if (!wanted.search.empty()) {
    found += fmt::format(
        ", {} AS is_found",
        flag_of_any(fmt::format("strpos(lower({}), lower({})) > 0", ids, literal(wanted.search))));
  }
  if (!wanted.distinct_id.empty()) {
    const std::string quoted = json::text_of(Json(wanted.distinct_id));
    found +=
        fmt::format(", {} AS is_meant",
                    flag_of_any(fmt::format("distinct_id = {} OR strpos({}, {}) > 0",
                                            literal(wanted.distinct_id), ids, literal(quoted))));
  }
  std::string_view list = "max(p.distinct_ids)";
  if (which == Ids::kLongest) {
    list = "substr(max(l.ids), 10)";
    found +=
        ", max(concat(lpad(CAST(length(distinct_ids) AS VARCHAR), 9, '0'), distinct_ids)) AS ids";
  }
  std::string shown = fmt::format(
      "max(p.distinct_id) AS distinct_id, {} AS distinct_ids, max(p.properties) AS properties",
      list);
  if (which == Ids::kNone) shown = "max(p.version) AS version";
  std::string kept;
  if (!wanted.search.empty()) kept += ", max(l.is_found) AS is_found";
  if (!wanted.distinct_id.empty()) kept += ", max(l.is_meant) AS is_meant";
  return fmt::format(
      "persons_now AS (SELECT p.person_id, {5}, max({2}) AS created_t, max(CASE WHEN p.is_deleted "
      "THEN 1 ELSE 0 END) AS gone{3} FROM {0} AS p JOIN (SELECT person_id, max(version) AS "
      "version{4} "
      "FROM {0} WHERE team_id = {1} GROUP BY person_id) AS l ON l.person_id = p.person_id AND "
      "l.version = p.version WHERE p.team_id = {1} GROUP BY p.person_id)",
      table_name(context.project.persons), context.project.team_id,
      epoch_us(context.dialect, "p.created_at"), kept, found, shown);
}

struct People {
  std::vector<std::string> select;
  int64_t limit = 100;
  int64_t offset = 0;
};

void append_selected(std::string& out, std::string_view name, Row row, const OthersOf& others,
                     PersonScratch& scratch) {
  if (name == "person" || name == "actor") return append_person(out, row, others, scratch);
  if (name == "id") return append_json(out, row[0]);
  if (name == "created_at") return append_time_or_null(out, row[4]);
  out += "null";
}

Written people_answer(const People& people, const std::vector<Row>& rows, const OthersOf& others,
                      size_t bytes) {
  PersonScratch scratch;
  Written out = write_page(
      rows.size(),
      {.limit = people.limit, .offset = people.offset, .bytes_expected = bytes + rows.size() * 128},
      [&people, &rows, &others, &scratch](std::string& text, size_t i) {
        char before = '[';
        for (const std::string& name : people.select) {
          text += before;
          before = ',';
          append_selected(text, name, rows[i], others, scratch);
        }
        text += ']';
      });
  out.members["columns"] = people.select;
  out.members["missing_actors_count"] = 0;
  return out;
}

// What people's list is made from: CTEs that end in "actors", and, where the engine cannot say
// which of them, who is left of everybody in there.
struct Behind {
  std::string ctes;
  std::optional<FunnelActors> funnel = {};
};

std::vector<Row> only_of(const Rows& rows, const std::set<std::string>& people) {
  std::vector<Row> out;
  for (const Row row : rows) {
    if (people.count(text_of(row[0])) > 0) out.push_back(row);
  }
  return out;
}

// Rows of people, and behind them those of the same people that name other ids, which have the mark
// m. Names are short because every row repeats them. This is of people in `page`, whose row is
// there;
std::string rows_of_page(const Context& context) {
  return fmt::format(
      " SELECT person_id AS p, distinct_id AS d, distinct_ids AS l, properties AS o, created_t AS "
      "t, 0 AS m FROM page UNION ALL SELECT r.person_id AS p, r.distinct_id AS d, r.distinct_ids "
      "AS "
      "l, CAST(NULL AS VARCHAR) AS o, CAST(NULL AS BIGINT) AS t, 1 AS m FROM {} AS r JOIN page ON "
      "page.person_id = r.person_id WHERE r.team_id = {} AND concat(r.distinct_id, ' ', "
      "r.distinct_ids) <> concat(page.distinct_id, ' ', page.distinct_ids) GROUP BY r.person_id, "
      "r.distinct_id, r.distinct_ids",
      table_name(context.project.persons), context.project.team_id);
}

// and this of people in `shown`, whose newest version is known: the table is read once for both.
std::string rows_of_shown(const Context& context) {
  return fmt::format(
      " SELECT r.person_id AS p, r.distinct_id AS d, r.distinct_ids AS l, max(CASE WHEN r.version "
      "= "
      "shown.version THEN r.properties END) AS o, max(shown.created_t) AS t, min(CASE WHEN "
      "r.version = shown.version THEN 0 ELSE 1 END) AS m FROM {} AS r JOIN shown ON "
      "shown.person_id "
      "= r.person_id WHERE r.team_id = {} GROUP BY r.person_id, r.distinct_id, r.distinct_ids",
      table_name(context.project.persons), context.project.team_id);
}

Built build_people(const View& question, const Context& context, const Behind& source) {
  const std::string& with = source.ctes;
  People people;
  for (const View& item : question["select"].items())
    people.select.push_back(item.one_of({"person", "actor", "id", "created_at", "person.$delete"}));
  if (people.select.size() > kColumnsMax) question["select"].refuse("must name 1 to 50 columns");
  if (people.select.empty()) people.select = {"person", "id", "created_at", "person.$delete"};
  people.limit = question["limit"].integer(100, {1, limits::kListRowsMax});
  people.offset = question["offset"].integer(0, {0, limits::kListOffsetMax});
  const Wanted wanted{.search = question["search"].text(),
                      .distinct_id = question["distinctId"].text()};
  check_modifiers(question["modifiers"]);
  question["orderBy"].refuse_if_given("people come newest first here");
  question["properties"].refuse_if_given("is not done here: search looks through names and ids");
  question["fixedProperties"].refuse_if_given("is not done here");
  const bool behind = !with.empty();
  std::string where = behind ? "" : "gone = 0";
  const auto narrow = [&where](const std::string& condition) {
    where += (where.empty() ? "" : " AND ") + condition;
  };
  if (!wanted.search.empty()) {
    narrow(fmt::format("(is_found = 1 OR strpos(lower(coalesce(properties, '')), lower({})) > 0)",
                       literal(wanted.search)));
  }
  if (!wanted.distinct_id.empty()) narrow("is_meant = 1");
  const std::string from =
      behind ? fmt::format(
                   "(SELECT actors.person AS person_id, distinct_id, distinct_ids, "
                   "properties, created_t{}{} FROM actors LEFT JOIN persons_now ON "
                   "persons_now.person_id = actors.person) AS people",
                   wanted.search.empty() ? "" : ", is_found",
                   wanted.distinct_id.empty() ? "" : ", is_meant")
             : "persons_now";
  Built built;
  if (context.refusals.first) return built;
  const bool is_narrow = !behind && wanted.search.empty();
  const Ids ids = source.funnel ? Ids::kLongest : is_narrow ? Ids::kNone : Ids::kOfNewest;
  const std::string page = fmt::format(
      "{}{}, {} AS (SELECT person_id, {}, created_t FROM {}{} ORDER BY created_t DESC NULLS LAST, "
      "person_id LIMIT {})",
      behind ? with + ", " : "WITH ", persons_cte(context, wanted, ids),
      is_narrow ? "shown" : "page", is_narrow ? "version" : "distinct_id, distinct_ids, properties",
      from, where.empty() ? "" : " WHERE " + where,
      source.funnel ? rows_max(context.dialect) : people.limit + people.offset + 1);
  constexpr std::string_view kOrder = "created_t DESC NULLS LAST, person_id";
  if (source.funnel) {
    // Who of them is shown is known here, when all have come.
    built.statements.push_back(
        {.sql = fmt::format("{} SELECT person_id, distinct_id, distinct_ids, properties, created_t "
                            "FROM page ORDER BY {} LIMIT {}",
                            page, kOrder, rows_max(context.dialect)),
         .columns = {"person_id", "distinct_id", "distinct_ids", "properties", "created_t"}});
    built.statements.push_back(source.funnel->events);
    built.write = [people, pick = source.funnel->pick](const std::vector<Rows>& tables) {
      return people_answer(people, only_of(tables[0], pick(tables[1])), {}, tables[0].bytes());
    };
    return built;
  }
  built.statements.push_back(
      {.sql =
           page + (is_narrow ? rows_of_shown(context) : rows_of_page(context)) +
           fmt::format(" ORDER BY m, t DESC NULLS LAST, p, d LIMIT {}", rows_max(context.dialect)),
       .columns = {"p", "d", "l", "o", "t", "m"}});
  built.write = [people](const std::vector<Rows>& tables) {
    std::vector<Row> rows;
    OthersOf others;
    for (const Row row : tables[0]) {
      // Two rows may have the newest version: they stand one behind the other.
      const bool is_more = (!is_null(row[5]) && row[5].raw() == "1") ||
                           (!rows.empty() && is_same_text(rows.back()[0], row[0]));
      if (!is_more) {
        rows.push_back(row);
      } else if (row[0].exists()) {
        others[row[0].raw()].push_back(row);
      }
    }
    return people_answer(people, rows, others, tables[0].bytes());
  };
  return built;
}

}  // namespace

Built build_persons(const View& question, const Context& context) {
  // distinctId is ours: the list of /api/projects/{id}/persons has it.
  question.only({"select", "search", "distinctId", "limit", "offset", "orderBy", "properties",
                 "fixedProperties", "modifiers"});
  return build_people(question, context, {});
}

Built build_actors(const View& question, const Context& context) {
  question.only({"source", "select", "search", "limit", "offset", "orderBy", "properties",
                 "fixedProperties", "modifiers"});
  const View query = question["source"];
  if (!query.given()) return build_people(question, context, {});
  const View insight = query["source"];
  query["includeRecordings"].refuse_if_given("is not done here");
  check_modifiers(query["modifiers"]);
  if (query["kind"].one_of({"InsightActorsQuery", "FunnelsActorsQuery"}) == "FunnelsActorsQuery") {
    query.only({"source", "funnelStep", "funnelStepBreakdown", "includeRecordings", "modifiers"});
    insight["kind"].one_of({"FunnelsQuery"});
    FunnelActors actors = funnel_actors(query, insight, context);
    if (context.refusals.first) return {};
    return build_people(question, context, {.ctes = actors.ctes, .funnel = std::move(actors)});
  }
  query.only({"source", "day", "series", "breakdown", "compare", "interval", "status",
              "includeRecordings", "modifiers"});
  const std::string kind =
      insight["kind"].one_of({"TrendsQuery", "LifecycleQuery", "StickinessQuery", "RetentionQuery",
                              "PathsQuery", "WebOverviewQuery", "WebStatsTableQuery"});
  if (kind != "RetentionQuery") query["interval"].refuse_if_given("is not done here");
  const auto sql = kind == "TrendsQuery"       ? trends_actors_sql
                   : kind == "LifecycleQuery"  ? lifecycle_actors_sql
                   : kind == "StickinessQuery" ? stickiness_actors_sql
                   : kind == "PathsQuery"      ? paths_actors_sql
                   : kind == "RetentionQuery"  ? retention_actors_sql
                                               : web_actors_sql;
  const std::string ctes = sql(query, insight, context);
  if (context.refusals.first) return {};
  return build_people(question, context, {.ctes = ctes});
}

namespace {

struct Errors {
  int64_t from_us = 0;
  int64_t to_us = 0;
  int64_t resolution = 20;
  int64_t limit = 50;
  int64_t offset = 0;
  std::string order;           // a column and its direction
  std::string status = "all";  // of the issues that are given
};

// UTC and unrounded; "all" and nothing are four years.
void read_error_range(Errors& errors, const View& date_range, const Clock& clock) {
  date_range.only({"date_from", "date_to"});
  Clock utc;
  utc.now_us = clock.now_us;
  const std::string from = date_range["date_from"].text();
  errors.from_us = add_months(clock.now_us, -48);
  if (!from.empty() && from != "all") {
    const auto moment = read_moment(from, utc);
    if (moment)
      errors.from_us = moment->local_us;
    else
      date_range["date_from"].refuse("is neither a date nor a relative time such as -7d");
  }
  errors.to_us = clock.now_us;
  const std::string to = date_range["date_to"].text();
  if (to.empty()) return;
  const auto moment = read_moment(to, utc);
  if (moment && !moment->relative)
    errors.to_us = moment->local_us;
  else
    date_range["date_to"].refuse("must be a date");
}

std::string error_search(const std::string& query, const std::string& type,
                         const std::string& message) {
  std::string out;
  size_t at = 0;
  while (at < query.size()) {
    const size_t end = std::min(query.find_first_of(" \t\n", at), query.size());
    if (end > at) {
      out += fmt::format(
          " AND strpos(lower(concat(coalesce({}, ''), ' ', coalesce({}, ''))), lower({})) > 0",
          type, message, literal(query.substr(at, end - at)));
    }
    at = end + 1;
  }
  return out;
}

// What the volumes of all issues have in common: the begin of each bucket, as JSON.
std::vector<std::string> bucket_labels(const Errors& errors) {
  const double size =
      static_cast<double>(errors.to_us - errors.from_us) / static_cast<double>(errors.resolution);
  std::vector<std::string> labels(static_cast<size_t>(errors.resolution));
  for (size_t b = 0; b < labels.size(); ++b) {
    append_instant(labels[b], errors.from_us + static_cast<int64_t>(size * static_cast<double>(b)));
  }
  return labels;
}

void append_volume(std::string& out, const std::vector<double>& volume,
                   const std::vector<std::string>& labels) {
  out += R"(,"volumeRange":)";
  for (size_t b = 0; b < labels.size(); ++b) {
    out += b == 0 ? '[' : ',';
    append_plain(out, volume[b]);
  }
  out += R"(],"volume_buckets":)";
  for (size_t b = 0; b < labels.size(); ++b) {
    out += b == 0 ? '[' : ',';
    out += R"({"label":)" + labels[b];
    append_plain(out += R"(,"value":)", volume[b]);
    out += '}';
  }
  out += ']';
}

void append_second(std::string& out, const json::Value& cell) {
  out += '"' + instant_text(integer_of(cell)).substr(0, 19) + "Z\"";
}

// Members in the order of their names.
void append_issue(std::string& out, Row row, const Decisions& decisions,
                  const std::vector<double>& volume, const std::vector<std::string>& labels) {
  const std::string id = text_of(row[0]);
  append_plain(out += R"({"aggregations":{"occurrences":)", number_of(row[1]));
  append_plain(out += R"(,"sessions":)", number_of(row[2]));
  append_plain(out += R"(,"users":)", number_of(row[3]));
  append_volume(out, volume, labels);
  append_json(out += R"(},"assignee":null,"decision":)", decisions.json_of(id));
  append_json(out += R"(,"description":)", row[7]);
  append_second(out += R"(,"first_seen":)", row[4]);
  append_json(out += R"(,"id":)", row[0]);
  append_second(out += R"(,"last_seen":)", row[5]);
  append_json(out += R"(,"name":)", row[6]);
  append_json_text(out += R"(,"status":)", decisions.status_of(id));
  out += '}';
}

Written errors_answer(const Errors& errors, const std::vector<Rows>& tables) {
  const std::vector<double> nothing(static_cast<size_t>(errors.resolution), 0);
  std::unordered_map<std::string, std::vector<double>> volumes;
  for (const Row row : tables[1]) {
    std::vector<double>& volume = volumes.try_emplace(text_of(row[0]), nothing).first->second;
    const int64_t bin = std::clamp<int64_t>(integer_of(row[1]), 0, errors.resolution - 1);
    volume[static_cast<size_t>(bin)] += number_of(row[2]);
  }
  const Decisions decisions = read_decisions(tables[2]);
  std::vector<Row> rows;
  for (const Row row : tables[0]) {
    if (errors.status == "all" || decisions.status_of(text_of(row[0])) == errors.status)
      rows.push_back(row);
  }
  const std::vector<std::string> labels = bucket_labels(errors);
  return write_page(rows.size(), {.limit = errors.limit, .offset = errors.offset},
                    [&](std::string& out, size_t i) {
                      const auto volume = volumes.find(text_of(rows[i][0]));
                      append_issue(out, rows[i], decisions,
                                   volume == volumes.end() ? nothing : volume->second, labels);
                    });
}

// What the answer's text takes at most, with the volumes of all issues.
size_t errors_bytes(const Errors& errors, const std::vector<Rows>& tables) {
  // A bucket's begin, twice its number, and their names.
  constexpr size_t kBucketBytes = 50 + 2 * limits::kAnswerNumberBytesMax;
  const size_t buckets = static_cast<size_t>(errors.resolution);
  const size_t shown = std::min(tables[0].size(), static_cast<size_t>(errors.limit));
  std::unordered_set<std::string_view> issues;
  for (const Row row : tables[1]) {
    if (row[0].exists()) issues.insert(row[0].raw());
  }
  return tables[0].bytes() + shown * buckets * kBucketBytes +
         issues.size() * buckets * sizeof(double);
}

Errors read_errors(const View& question, const Context& context) {
  question.only({"dateRange", "orderBy", "orderDirection", "status", "issueId", "filterGroup",
                 "properties", "filterTestAccounts", "searchQuery", "volumeResolution",
                 "withAggregations", "withFirstEvent", "withLastEvent", "limit", "offset",
                 "modifiers"});
  question["withFirstEvent"].refuse_if_given(
      "is not done here: ask for the events of the fingerprint");
  question["withLastEvent"].refuse_if_given(
      "is not done here: ask for the events of the fingerprint");
  if (!question["withAggregations"].flag(true))
    question["withAggregations"].refuse("cannot be left out here");
  Errors errors;
  errors.status = question["status"].one_of({"all", "active", "resolved", "ignored"});
  read_error_range(errors, question["dateRange"], context.project.clock);
  errors.resolution = question["volumeResolution"].integer(20, {1, 200});
  errors.limit = question["limit"].integer(50, {1, limits::kListRowsMax});
  errors.offset = question["offset"].integer(0, {0, limits::kListOffsetMax});
  errors.order = fmt::format(
      "{} {}",
      question["orderBy"].one_of({"last_seen", "first_seen", "occurrences", "users", "sessions"}),
      question["orderDirection"].one_of({"DESC", "ASC"}));
  return errors;
}

}  // namespace

Built build_errors(const View& question, const Context& context) {
  const Errors errors = read_errors(question, context);
  const Common common = read_common(question, context.project);
  const Filter group = read_filters(question["filterGroup"], context.project);
  Scan scan(context.project, context.dialect, common.person_properties);
  scan.add_event("$exception");
  const View at(nullptr, "", &context.refusals);
  const std::string person = scan.person();
  const std::string fingerprint = scan.event_property(at, "$exception_fingerprint");
  const std::string type = scan.event_property(at, "$exception_type");
  const std::string message = scan.event_property(at, "$exception_message");
  const std::string session = scan.session_id();
  std::string where = fmt::format("{} AND {}", condition(common.filter, scan, context.refusals),
                                  condition(group, scan, context.refusals));
  where += error_search(question["searchQuery"].text(), type, message);
  if (question["issueId"].given())
    where += fmt::format(" AND {} = {}", fingerprint, literal(question["issueId"].text()));
  Built built;
  if (context.refusals.first) return built;
  const std::string with = fmt::format(
      "{}, kept AS (SELECT {} AS id, t, {} AS person, {} AS visit, {} AS type, {} AS message FROM "
      "e WHERE {} AND {} <> '' AND t >= {} AND t <= {})",
      scan.with(errors.from_us, errors.to_us), fingerprint, person, session, type, message, where,
      fingerprint, errors.from_us, errors.to_us);
  const auto latest = [](std::string_view column) {
    return fmt::format(
        "substr(max(concat(lpad(CAST(t AS VARCHAR), 17, '0'), coalesce({}, ''))), 18)", column);
  };
  built.statements.push_back(
      {.sql = fmt::format(
           "{}, sums AS (SELECT id, count(*) AS occurrences, min(t) AS first_seen, "
           "max(t) AS last_seen, {} AS type, {} AS message FROM kept GROUP BY id), "
           "people_of AS (SELECT id, count(*) AS users FROM (SELECT DISTINCT id, "
           "person FROM kept) AS p GROUP BY id), "
           "visits_of AS (SELECT id, count(*) AS sessions FROM (SELECT DISTINCT id, "
           "visit FROM kept WHERE visit <> '') AS v GROUP BY id) "
           "SELECT sums.id, occurrences, coalesce(sessions, 0) AS sessions, users, "
           "first_seen, last_seen, type, message FROM sums "
           "JOIN people_of ON people_of.id = sums.id LEFT JOIN visits_of ON "
           "visits_of.id = sums.id ORDER BY {}, sums.id LIMIT {}",
           with, latest("type"), latest("message"), errors.order,
           // Who has the status is known once all are there.
           errors.status == "all" ? errors.limit + errors.offset + 1 : rows_max(context.dialect)),
       .columns = {"id", "occurrences", "sessions", "users", "first_seen", "last_seen", "type",
                   "message"},
       .numbers = {"occurrences", "sessions", "users"}});
  const int64_t size = std::max<int64_t>((errors.to_us - errors.from_us) / errors.resolution, 1);
  built.statements.push_back(
      {.sql = fmt::format("{} SELECT id, bin, count(*) AS n FROM (SELECT id, {} AS bin FROM kept) "
                          "AS b GROUP BY id, bin ORDER BY id, bin LIMIT {}",
                          with, floor_div(fmt::format("(t - {} - 1)", errors.from_us), size),
                          rows_max(context.dialect)),
       .columns = {"id", "bin", "n"},
       .numbers = {"bin", "n"}});
  built.statements.push_back(decisions_statement(context));
  if (context.refusals.first) return {};
  built.is_momentary = true;
  built.bytes = [errors](const std::vector<Rows>& tables) { return errors_bytes(errors, tables); };
  built.write = [errors](const std::vector<Rows>& tables) { return errors_answer(errors, tables); };
  return built;
}

}  // namespace hogflare::insights
