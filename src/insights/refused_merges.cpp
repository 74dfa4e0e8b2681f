// What merges of these ids were refused, as the warnings in the rejects table tell it
// (people_run.cpp, identity.cpp). A row's distinct_id is the event's; the other id stands in the
// warning's sentence alone.
#include <fmt/format.h>

#include "hogflare/insights_limits.h"
#include "insights/kinds.h"
#include "insights/range.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

// The id that a warning's sentence quotes first; empty where it was cut off.
std::string other_in(const std::string& detail) {
  const size_t begin = detail.find('"');
  for (const char* after : {"\" belongs to an identified", "\" and \"", "\" cannot take part"}) {
    const size_t end = detail.rfind(after);
    if (end != std::string::npos && end > begin) return detail.substr(begin + 1, end - begin - 1);
  }
  return {};
}

// Members in the order of their names.
void append_refusal(std::string& out, Row row) {
  const std::string other = other_in(text_of(row[2]));
  append_instant(out += R"({"at":)", integer_of(row[0]));
  append_json(out += R"(,"detail":)", row[2]);
  append_json(out += R"(,"distinct_id":)", row[3]);
  append_json(out += R"(,"event":)", row[4]);
  append_json(out += R"(,"event_uuid":)", row[5]);
  out += R"(,"other_id":)";
  if (other.empty() || other == text_of(row[3])) {
    out += "null";
  } else {
    json::append_string(out, other);
  }
  append_json(out += R"(,"reason":)", row[1]);
  out += '}';
}

}  // namespace

Built build_refused_merges(const View& question, const Context& context) {
  question.only({"distinctIds", "limit"});
  std::vector<std::string> ids;
  for (const View& id : question["distinctIds"].items()) ids.push_back(id.text());
  if (ids.empty() || ids.size() > limits::kRefusedMergesIdsMax) {
    question["distinctIds"].refuse(
        fmt::format("must be 1 to {} ids", limits::kRefusedMergesIdsMax));
  }
  const int64_t limit = question["limit"].integer(100, {1, limits::kListRowsMax});
  const Project& project = context.project;
  Built built;
  if (context.refusals.first) return built;
  std::string named;
  for (const std::string& id : ids) {
    named +=
        " OR strpos(substr(detail, strpos(detail, '\"')), " + literal("\"" + id + "\" ") + ") = 1";
  }
  built.statements.push_back(
      {.sql = fmt::format(
           "SELECT {} AS t, reason, detail, distinct_id, event, event_uuid FROM {} WHERE team_id = "
           "{} AND received_at >= {} AND kind = 'warning' AND reason IN "
           "('cannot_merge_already_identified', 'cannot_merge_with_illegal_distinct_id', "
           "'person_merge_move_limit_hit') AND (distinct_id IN ({}){}) GROUP BY reason, detail, "
           "distinct_id, event, event_uuid ORDER BY t DESC, event_uuid LIMIT {}",
           epoch_us(context.dialect, "min(received_at)"), table_name(project.rejects),
           project.team_id, instant(project.clock.now_us - limits::kRefusedMergesDays * kDayUs),
           literals(ids), named, limit + 1),
       .columns = {"t", "reason", "detail", "distinct_id", "event", "event_uuid"}});
  built.is_momentary = true;
  built.write = [limit](const std::vector<Rows>& tables) {
    const Rows& rows = tables[0];
    return write_page(rows.size(), {.limit = limit},
                      [&rows](std::string& out, size_t i) { append_refusal(out, rows[i]); });
  };
  return built;
}

}  // namespace hogflare::insights
