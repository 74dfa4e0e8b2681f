// Recordings in the tables: our own kinds of questions behind
// /api/projects/{id}/session_recordings. Which sessions were recorded, which rows a recording has,
// and the text of some of them. A recording may be many megabytes, so its rows are named first,
// with their sizes, and read a few at a time.
#include "insights/recordings.h"

#include <fmt/format.h>

#include "hogflare/insights_limits.h"
#include "hogflare/recordings_limits.h"
#include "insights/scan.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

constexpr std::string_view kIsRecording = "event IN ('$snapshot', '$snapshot_items')";

std::string of_session(const Context& context, const std::string& session) {
  return fmt::format("team_id = {} AND session_id = {} AND {}", context.project.team_id,
                     literal(session), kIsRecording);
}

std::string one_if(std::string_view condition) {
  return fmt::format("max(CASE WHEN {} THEN 1 ELSE 0 END)", condition);
}

std::vector<std::string> texts_of(const View& list, size_t count_max) {
  std::vector<std::string> texts;
  for (const View& item : list.items()) texts.push_back(item.text());
  if (texts.size() > count_max) list.refuse(fmt::format("may have {} values", count_max));
  return texts;
}

}  // namespace

Built build_recordings(const View& question, const Context& context) {
  question.only({"limit", "hours", "sessionIds"});
  const int64_t limit = question["limit"].integer(100, {1, limits::kListRowsMax});
  const int64_t hours =
      question["hours"].integer(limits::kRecordingListHours, {1, limits::kRecordingListHoursMax});
  const int64_t since = context.project.clock.now_us - hours * 3'600'000'000;
  std::string only;
  if (question["sessionIds"].given()) {
    const std::vector<std::string> ids =
        texts_of(question["sessionIds"], limits::kRecordingsNamedMax);
    if (!ids.empty()) only = fmt::format(" AND session_id IN ({})", literals(ids));
  }
  // An event that was sent again is counted once. Rows of recordings name no person, others name
  // the one that the event's id was of then; of a visit with several ids whoever is known.
  const std::string once = fmt::format(
      "SELECT session_id, uuid, min({}) AS t, {} AS rec, {} AS pageview, {} AS fault, "
      "max(concat(distinct_id, chr(1), coalesce(person_id, ''))) AS who, max(person_id) AS person "
      "FROM {} WHERE team_id = {} AND \"timestamp\" >= {} AND session_id IS NOT NULL{} GROUP BY "
      "session_id, uuid",
      epoch_us(context.dialect, "\"timestamp\""), one_if(kIsRecording),
      one_if("event = '$pageview'"), one_if("event = '$exception'"),
      table_name(context.project.events), context.project.team_id, instant(since), only);
  Built built;
  built.statements.push_back(
      {.sql = fmt::format(
           "WITH {}, visits AS (SELECT session_id, min(t) AS first_t, max(t) AS last_t, sum(rec) "
           "AS n, sum(pageview) AS pageviews, sum(fault) AS faults, max(who) AS who, max(person) "
           "AS person FROM ({}) AS once GROUP BY session_id HAVING sum(rec) > 0 ORDER BY last_t "
           "DESC, session_id LIMIT "
           "{}), named AS (SELECT *, split_part(who, chr(1), 1) AS distinct_id, nullif("
           "split_part(who, chr(1), 2), '') AS row_person FROM visits) SELECT session_id, first_t, "
           "last_t, n, pageviews, faults, named.distinct_id, coalesce(ids.person_id, row_person, "
           "person) AS person_id FROM named LEFT JOIN ids ON ids.distinct_id = named.distinct_id "
           "ORDER BY "
           "last_t DESC, session_id LIMIT {}",
           ids_cte(context.project), once, limit + 1, limit + 1),
       .columns = {"session_id", "first_t", "last_t", "n", "pageviews", "faults", "distinct_id",
                   "person_id"}});
  built.read = [limit](const std::vector<Rows>& tables) {
    Json results = Json::array();
    for (const Row row : tables[0]) {
      if (static_cast<int64_t>(results.size()) == limit) break;
      const int64_t first = integer_of(row[1]);
      const int64_t last = integer_of(row[2]);
      results.push_back(
          Json{{"id", cell_of(row[0])},
               {"start_time", instant_text(first)},
               {"end_time", instant_text(last)},
               {"recording_duration", plain(static_cast<double>((last - first) / 1'000'000))},
               {"parts", integer_of(row[3])},
               {"pageviews", integer_of(row[4])},
               {"exceptions", integer_of(row[5])},
               {"distinct_id", cell_of(row[6])},
               {"person_id", cell_of(row[7])}});
    }
    return Json{{"results", std::move(results)},
                {"has_next", static_cast<int64_t>(tables[0].size()) > limit}};
  };
  return built;
}

Built build_recording_parts(const View& question, const Context& context) {
  question.only({"sessionId", "afterUs", "afterUuid"});
  const std::string at = epoch_us(context.dialect, "\"timestamp\"");
  std::string since;
  std::string behind;
  if (question["afterUs"].given()) {
    const int64_t after = question["afterUs"].integer(0, {0, INT64_MAX / 2});
    since = fmt::format(" AND \"timestamp\" >= {}", instant(after));
    behind = fmt::format(" HAVING min({0}) > {1} OR (min({0}) = {1} AND uuid > {2})", at,
                         literal(after), literal(question["afterUuid"].text()));
  }
  Built built;
  built.statements.push_back(
      {.sql = fmt::format(
           "SELECT uuid, min({}) AS t, max(properties_bytes) AS size FROM {} WHERE {}{} "
           "GROUP BY uuid{} ORDER BY t, uuid LIMIT {}",
           at, table_name(context.project.events),
           of_session(context, question["sessionId"].text()), since, behind,
           limits::kRecordingRowsMax),
       .columns = {"uuid", "t", "size"}});
  built.read = [](const std::vector<Rows>& tables) {
    Json results = Json::array();
    for (const Row row : tables[0]) {
      results.push_back({cell_of(row[0]), integer_of(row[1]),
                         is_null(row[2]) ? Json() : Json(integer_of(row[2]))});
    }
    return Json{{"results", std::move(results)}};
  };
  return built;
}

Built build_recording_text(const View& question, const Context& context) {
  question.only({"sessionId", "uuids", "fromUs", "toUs"});
  const std::vector<std::string> uuids =
      texts_of(question["uuids"], static_cast<size_t>(limits::kRecordingRowsMax));
  const auto time = [&question](std::string_view name) {
    return instant(question[name].integer(0, {0, INT64_MAX / 2}));
  };
  Built built;
  // Copies of a row hold the same text.
  built.statements.push_back(
      {.sql = fmt::format("SELECT uuid, max(properties) AS properties FROM {} WHERE {} AND "
                          "\"timestamp\" BETWEEN {} AND {} AND uuid IN ({}) GROUP BY uuid LIMIT {}",
                          table_name(context.project.events),
                          of_session(context, question["sessionId"].text()), time("fromUs"),
                          time("toUs"), literals(uuids), limits::kRecordingRowsMax),
       .columns = {"uuid", "properties"}});
  built.read = [](const std::vector<Rows>& tables) {
    Json results = Json::array();
    for (const Row row : tables[0]) results.push_back({cell_of(row[0]), text_of(row[1])});
    return Json{{"results", std::move(results)}};
  };
  return built;
}

}  // namespace hogflare::insights
