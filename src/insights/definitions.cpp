// What events and properties there are, and until when: our own kinds of questions behind
// /api/projects/{id}/*_definitions and every answer. There are no definitions stored anywhere:
// names are counted over a month, properties looked at in a sample of a week, whose rows are drawn
// by the random end of their uuid.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "hogflare/insights_limits.h"
#include "insights/kinds.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

struct Seen {
  int64_t rows = 0;
  int64_t numbers = 0;
  int64_t booleans = 0;
  int64_t dates = 0;
  std::map<std::string, int64_t> values;
};

bool is_date(const std::string& text) {
  return text.size() >= 19 && text[4] == '-' && text[7] == '-' &&
         (text[10] == 'T' || text[10] == ' ') && text[13] == ':' &&
         std::all_of(text.begin(), text.begin() + 4, [](char c) { return c >= '0' && c <= '9'; });
}

void look_at(Seen& seen, const json::Value& value) {
  seen.rows += 1;
  seen.numbers += value.is_number() ? 1 : 0;
  seen.booleans += value.is_bool() ? 1 : 0;
  // Lists and objects are nobody's filter values.
  if (value.is_object() || value.is_array() || value.is_null()) return;
  std::string text = text_of(value);
  if (value.is_string()) seen.dates += is_date(text) ? 1 : 0;
  if (text.size() <= limits::kDefinitionValueBytesMax) seen.values[std::move(text)] += 1;
}

std::string_view type_of(const Seen& seen) {
  if (seen.numbers == seen.rows) return "Numeric";
  if (seen.booleans == seen.rows) return "Boolean";
  return seen.dates == seen.rows ? "DateTime" : "String";
}

Json write_seen(const std::string& name, const Seen& seen, size_t rows) {
  std::vector<std::pair<std::string, int64_t>> values(seen.values.begin(), seen.values.end());
  const size_t shown = std::min(values.size(), limits::kDefinitionValuesMax);
  std::partial_sort(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(shown),
                    values.end(), [](const auto& left, const auto& right) {
                      return left.second != right.second ? left.second > right.second
                                                         : left.first < right.first;
                    });
  Json list = Json::array();
  for (size_t i = 0; i < shown; ++i) {
    list.push_back(Json{{"value", values[i].first}, {"count", values[i].second}});
  }
  return Json{{"name", name},
              {"property_type", type_of(seen)},
              {"share", static_cast<double>(seen.rows) / static_cast<double>(rows)},
              {"values", std::move(list)}};
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

Json properties_answer(const Rows& table, const std::string& search) {
  std::map<std::string, Seen> seen;
  json::Document properties;
  for (const Row row : table) {
    std::string text;
    if (!append_parsed(text, row[0], properties, 1)) continue;
    for (const json::Member member : properties.root().members()) {
      const std::string name = member.key();
      if (lower(name).find(search) != std::string::npos) look_at(seen[name], member.value);
    }
  }
  std::vector<std::pair<int64_t, std::string>> order;
  for (const auto& [name, each] : seen) order.emplace_back(-each.rows, name);
  std::sort(order.begin(), order.end());
  order.resize(std::min(order.size(), static_cast<size_t>(limits::kDefinitionsMax)));
  Json results = Json::array();
  for (const auto& [rows, name] : order) {
    results.push_back(write_seen(name, seen[name], table.size()));
  }
  return Json{{"count", results.size()}, {"results", std::move(results)}, {"sample", table.size()}};
}

}  // namespace

Built build_event_definitions(const View& question, const Context& context) {
  question.only({"search"});
  const std::string search = question["search"].text();
  const int64_t since = context.project.clock.now_us - limits::kDefinitionCountDays * kDayUs;
  Built built;
  built.statements.push_back(
      {.sql = fmt::format(
           "SELECT event, count(*) AS n, max({}) AS last_t FROM {} WHERE team_id = {} AND "
           "\"timestamp\" >= {}{} GROUP BY event ORDER BY n DESC, event LIMIT {}",
           epoch_us(context.dialect, "\"timestamp\""), table_name(context.project.events),
           context.project.team_id, instant(since),
           search.empty()
               ? ""
               : fmt::format(" AND strpos(lower(event), lower({})) > 0", literal(search)),
           limits::kDefinitionsMax),
       .columns = {"event", "n", "last_t"},
       .numbers = {"n"}});
  built.is_momentary = true;
  built.write = [](const std::vector<Rows>& tables) {
    Written out{.results = "[", .members = Json{{"count", tables[0].size()}}};
    for (const Row row : tables[0]) {
      if (out.results.back() != '[') out.results += ',';
      out.results += R"({"count":)" + std::to_string(integer_of(row[1]));
      append_instant(out.results += R"(,"last_seen_at":)", integer_of(row[2]));
      append_json(out.results += R"(,"name":)", row[0]);
      out.results += '}';
    }
    out.results += ']';
    return out;
  };
  return built;
}

Built build_property_definitions(const View& question, const Context& context) {
  question.only({"type", "event_names", "search"});
  const bool is_person = question["type"].one_of({"event", "person"}) == "person";
  std::vector<std::string> events;
  for (const View& event : question["event_names"].items()) events.push_back(event.text());
  if (is_person && !events.empty()) question["event_names"].refuse("goes with type=event");
  if (events.size() > limits::kFilterValuesMax) question["event_names"].refuse("names too many");
  const std::string search = lower(question["search"].text());
  const Project& project = context.project;
  const int64_t since = project.clock.now_us - limits::kDefinitionSampleDays * kDayUs;
  std::string where = fmt::format("team_id = {}", project.team_id);
  if (!is_person) where += fmt::format(" AND \"timestamp\" >= {}", instant(since));
  if (!events.empty()) where += fmt::format(" AND event IN ({})", literals(events));
  Built built;
  built.statements.push_back(
      {.sql = fmt::format(
           "SELECT properties FROM (SELECT properties, substr(uuid, 25) AS at_random FROM {} WHERE "
           "{}) AS sample ORDER BY at_random LIMIT {}",
           table_name(is_person ? project.persons : project.events), where,
           limits::kDefinitionSampleRows),
       .columns = {"properties"}});
  built.is_momentary = true;
  built.read = [search](const std::vector<Rows>& tables) {
    return properties_answer(tables[0], search);
  };
  return built;
}

// Whatever arrived until the newest row did is in the table: a sink writes its files whole, in the
// order of arrival.
Built build_freshness(const View& question, const Context& context) {
  question.only({});
  const int64_t since = context.project.clock.now_us - limits::kFreshnessHours * kHourUs;
  Built built;
  built.statements.push_back(
      {.sql = fmt::format("SELECT {} AS t FROM {} WHERE __ingest_ts >= {}",
                          epoch_us(context.dialect, "max(__ingest_ts)"),
                          table_name(context.project.events), instant(since)),
       .columns = {"t"}});
  built.write = [](const std::vector<Rows>& tables) {
    Written out;
    if (tables[0].empty() || is_null(tables[0][0][0])) {
      out.results = "null";
    } else {
      append_instant(out.results, integer_of(tables[0][0][0]));
    }
    return out;
  };
  return built;
}

}  // namespace hogflare::insights
