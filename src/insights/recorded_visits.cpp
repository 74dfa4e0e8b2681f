// As sql/views/08_replay_index.sql counts them.
#include "insights/recorded_visits.h"

#include <fmt/format.h>

#include "hogflare/insights_limits.h"
#include "insights/range.h"
#include "insights/scan.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

int64_t bound_us(const View& view, const Clock& clock, int64_t fallback) {
  const std::string text = view.text();
  if (text.empty()) return fallback;
  const auto moment = read_moment(text, clock);
  if (!moment) view.refuse("is neither a date nor a relative time such as -7d");
  return moment ? clock.to_utc(moment->local_us) : fallback;
}

// Members in the order of their names.
void append_visit(std::string& out, Row row) {
  out += R"({"bytes":)" + std::to_string(integer_of(row[5]));
  append_json(out += R"(,"distinct_id":)", row[1]);
  append_instant(out += R"(,"ended_at":)", integer_of(row[3]));
  out += R"(,"parts":)" + std::to_string(integer_of(row[4]));
  append_json(out += R"(,"session_id":)", row[0]);
  append_instant(out += R"(,"started_at":)", integer_of(row[2]));
  out += '}';
}

}  // namespace

Built build_recorded_visits(const View& question, const Context& context) {
  question.only({"after", "before", "distinctId", "limit", "offset"});
  const Clock& clock = context.project.clock;
  const int64_t after = bound_us(question["after"], clock, clock.now_us - 7 * kDayUs);
  const int64_t before = bound_us(question["before"], clock, clock.now_us + 5 * kSecondUs);
  const int64_t limit = question["limit"].integer(100, {1, limits::kListRowsMax});
  const int64_t offset = question["offset"].integer(0, {0, limits::kListOffsetMax});
  const std::string distinct_id = question["distinctId"].text();
  Scan scan(context.project, context.dialect);
  scan.add_event("$snapshot");
  scan.add_event("$snapshot_items");
  const std::string session = scan.session_id();
  const std::string bytes = scan.column("properties_bytes");
  Built built;
  if (context.refusals.first) return built;
  built.statements.push_back(
      {.sql = fmt::format(
           "{0} SELECT {1} AS session_id, min(distinct_id) AS distinct_id, min(t) AS "
           "first_t, max(t) AS last_t, count(*) AS parts, sum({2}) AS bytes FROM e "
           "WHERE {1} <> ''{3} GROUP BY {1} ORDER BY first_t DESC, session_id LIMIT {4}",
           scan.with(after + 1, before - 1), session, bytes,
           distinct_id.empty() ? "" : " AND distinct_id = " + literal(distinct_id),
           limit + offset + 1),
       .columns = {"session_id", "distinct_id", "first_t", "last_t", "parts", "bytes"},
       .numbers = {"parts"}});
  built.is_momentary = true;
  built.write = [limit, offset](const std::vector<Rows>& tables) {
    const Rows& rows = tables[0];
    return write_page(rows.size(), {.limit = limit, .offset = offset},
                      [&rows](std::string& out, size_t i) { append_visit(out, rows[i]); });
  };
  return built;
}

}  // namespace hogflare::insights
