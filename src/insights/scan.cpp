#include "insights/scan.h"

#include <fmt/format.h>

#include <algorithm>

#include "hogflare/insights_limits.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

// Parts of recordings are nobody's doing, and megabytes: only who names them gets them. A visit
// does not last until the last of them either.
constexpr std::string_view kNoRecordings = " AND event NOT IN ('$snapshot', '$snapshot_items')";

struct Lifted {
  std::string_view key;
  std::string_view column;
};
// schemas/events.json: text columns lifted from properties.
constexpr Lifted kLifted[] = {{"$session_id", "session_id"},
                              {"$window_id", "window_id"},
                              {"$current_url", "current_url"},
                              {"$host", "host"},
                              {"$pathname", "pathname"},
                              {"$screen_name", "screen_name"},
                              {"$referrer", "referrer"},
                              {"$referring_domain", "referring_domain"},
                              {"utm_source", "utm_source"},
                              {"utm_medium", "utm_medium"},
                              {"utm_campaign", "utm_campaign"},
                              {"utm_term", "utm_term"},
                              {"utm_content", "utm_content"},
                              {"$browser", "browser"},
                              {"$browser_version", "browser_version"},
                              {"$os", "os"},
                              {"$os_version", "os_version"},
                              {"$device_type", "device_type"},
                              {"$geoip_country_code", "country_code"},
                              {"$geoip_subdivision_1_name", "region"},
                              {"$geoip_city_name", "city"},
                              {"$lib", "lib"},
                              {"$lib_version", "lib_version"},
                              {"$feature_flag", "feature_flag"},
                              {"$feature_flag_response", "feature_flag_variant"},
                              {"$exception_type", "exception_type"},
                              {"$exception_message", "exception_message"},
                              {"$exception_fingerprint", "exception_fingerprint"}};

bool is_group_key(std::string_view key, int& index) {
  if (key.size() != 8 || key.substr(0, 7) != "$group_" || key[7] < '0' || key[7] > '4')
    return false;
  index = key[7] - '0';
  return true;
}

}  // namespace

std::string_view typed_column(std::string_view key) {
  for (const Lifted& lifted : kLifted) {
    if (lifted.key == key) return lifted.column;
  }
  return {};
}

std::string Scan::person() {
  needs_person_ = true;
  return "person";
}

std::string Scan::raw_column(std::string expression) {
  size_t i = static_cast<size_t>(std::find(raw_.begin(), raw_.end(), expression) - raw_.begin());
  if (i == raw_.size()) raw_.push_back(std::move(expression));
  return fmt::format("r{}", i);
}

std::string Scan::property_expression(const View& at, std::string_view key, bool as_json) const {
  int group = 0;
  if (is_group_key(key, group)) return fmt::format("group{}", group);
  const std::string_view column = typed_column(key);
  if (!column.empty() && project_->typed_columns && !as_json) return name(column);
  const auto read = as_json ? json_raw : json_text;
  if (dialect_ == Dialect::kDuckdb) {
    const std::string whole = read(dialect_, "properties", key);
    if (!project_->typed_columns) return whole;
    // Lean rows have what stands in a column nowhere else.
    if (!column.empty()) {
      return fmt::format("coalesce({}, CAST(to_json({}) AS VARCHAR))", whole, name(column));
    }
    if (key.empty() || key.front() == '$') return whole;
    return fmt::format("coalesce({}, {})", read(dialect_, "custom_properties", key), whole);
  }
  if (key.empty() || key.front() == '$' || !column.empty()) {
    at.refuse(fmt::format(
        "Basin SQL cannot read the property '{}': it has no column of its own, and JSON of "
        "{} bytes or more cannot be looked into there; ask DuckDB",
        key, limits::kBasinJsonBytesMax));
  }
  return read(dialect_, "custom_properties", key);
}

std::string Scan::event_property(const View& at, std::string_view key) {
  return raw_column(property_expression(at, key, false));
}

std::string Scan::event_property_json(const View& at, std::string_view key) {
  return raw_column(property_expression(at, key, true));
}

std::string Scan::column(std::string_view column_name) { return raw_column(name(column_name)); }

std::string Scan::session_expression() const {
  return project_->typed_columns ? "session_id" : json_text(dialect_, "properties", "$session_id");
}

std::string Scan::session_id() { return raw_column(session_expression()); }

std::string Scan::group_key(int index) {
  return raw_column(fmt::format("nullif(group{}, '')", index));
}

std::string Scan::present_property(std::string_view key) {
  person();
  needs_people_ = true;
  const std::string_view json =
      dialect_ == Dialect::kBasin ? "p.custom_properties" : "p.properties";
  std::string expression = fmt::format("max({})", json_text(dialect_, json, key));
  size_t i = static_cast<size_t>(std::find(present_.begin(), present_.end(), expression) -
                                 present_.begin());
  if (i == present_.size()) present_.push_back(std::move(expression));
  return fmt::format("people.j{}", i);
}

std::string Scan::person_property_now(std::string_view key) {
  return late_column(present_property(key));
}

// An expression over what `e0` is joined to, as a column of `e`.
std::string Scan::late_column(const std::string& expression) {
  for (const auto& [alias, known] : late_) {
    if (known == expression) return alias;
  }
  late_.emplace_back(fmt::format("x{}", late_.size()), expression);
  return late_.back().first;
}

std::string Scan::person_property(const View& at, std::string_view key) {
  static_cast<void>(at);
  std::string expression;
  if (person_mode_ == PersonProperties::kPresent) {
    expression = present_property(key);
  } else if (dialect_ == Dialect::kDuckdb) {
    return raw_column(json_text(dialect_, "person_properties", key));
  } else {
    // What Basin SQL cannot look into is read as it is now, from the short text the persons table
    // keeps.
    const int bits = 8 * limits::kBasinJsonBytesMax;
    const std::string is_long =
        raw_column(fmt::format("CAST(bit_length(person_properties) >= {} AS INT)", bits));
    const std::string own =
        raw_column(fmt::format("CASE WHEN bit_length(person_properties) < {} THEN {} END", bits,
                               json_text(dialect_, "person_properties", key)));
    expression = fmt::format("CASE WHEN e0.{} = 1 THEN {} ELSE e0.{} END", is_long,
                             present_property(key), own);
  }
  return late_column(expression);
}

std::string Scan::person_created_us() {
  person();
  needs_people_ = true;
  const std::string own = raw_column("person_created_at");
  late_.emplace_back(
      fmt::format("x{}", late_.size()),
      fmt::format("coalesce(people.created_t, {})", epoch_us(dialect_, "e0." + own)));
  return late_.back().first;
}

std::string Scan::session(std::string_view column_name) {
  needs_sessions_ = true;
  session_id();
  const std::string expression = fmt::format("sessions.{}", column_name);
  for (const auto& [alias, known] : late_) {
    if (known == expression) return alias;
  }
  late_.emplace_back(fmt::format("x{}", late_.size()), expression);
  return late_.back().first;
}

void Scan::add_event(const std::optional<std::string>& event) {
  if (event) {
    events_.insert(*event);
  } else {
    all_events_ = true;
  }
}

std::string ids_cte(const Project& project) {
  return fmt::format(
      "ids AS (SELECT d.distinct_id, max(d.person_id) AS person_id FROM {0} AS d JOIN ("
      "SELECT distinct_id, max(version) AS version FROM {0} WHERE team_id = {1} GROUP BY "
      "distinct_id"
      ") AS l ON l.distinct_id = d.distinct_id AND l.version = d.version "
      "WHERE d.team_id = {1} AND NOT d.is_deleted GROUP BY d.distinct_id)",
      table_name(project.distinct_ids), project.team_id);
}

std::string Scan::people_cte() const {
  std::string columns;
  for (size_t i = 0; i < present_.size(); ++i)
    columns += fmt::format(", {} AS j{}", present_[i], i);
  return fmt::format(
      "people AS (SELECT p.person_id, {2} AS created_t{3} FROM {0} AS p JOIN ("
      "SELECT person_id, max(version) AS version, min(created_at) AS created_at FROM {0} "
      "WHERE team_id = {1} GROUP BY person_id"
      ") AS l ON l.person_id = p.person_id AND l.version = p.version "
      "WHERE p.team_id = {1} GROUP BY p.person_id), ",
      table_name(project_->persons), project_->team_id, epoch_us(dialect_, "min(l.created_at)"),
      columns);
}

std::string time_key(std::string_view function, std::string_view text, std::string_view condition) {
  // Nineteen digits whatever the year.
  return fmt::format(
      "{}(CASE WHEN {} THEN concat(CAST(t + 1000000000000000000 AS VARCHAR), {}) END)", function,
      condition, text);
}

std::string text_of_key(std::string_view key) { return fmt::format("substr({}, 20)", key); }

std::string path_of(std::string_view url) {
  return fmt::format(
      "regexp_replace(regexp_replace({}, '^[a-zA-Z]+://[^/?#]*', ''), '[?#].*$', '')", url);
}

static std::string text_at(std::string_view function, std::string_view text) {
  return text_of_key(time_key(function, text, fmt::format("{} <> ''", text)));
}

std::string Scan::sessions_cte(int64_t from_us, int64_t to_us) const {
  static constexpr std::string_view kTexts[] = {"$current_url", "$screen_name", "$referring_domain",
                                                "utm_source",   "utm_medium",   "utm_campaign",
                                                "utm_term",     "utm_content"};
  Refusals ignored;
  const View nowhere(nullptr, {}, &ignored);
  std::string raw;
  for (std::string_view key : kTexts) {
    raw +=
        fmt::format(", min({}) AS {}", property_expression(nowhere, key, false), typed_column(key));
  }
  const std::string session = session_expression();
  std::string texts = fmt::format("{} AS entry_url, {} AS exit_url", text_at("min", "current_url"),
                                  text_at("max", "current_url"));
  for (std::string_view key : kTexts) {
    const std::string_view column = typed_column(key);
    if (column != "current_url")
      texts += fmt::format(", {} AS entry_{}", text_at("min", column), column);
  }
  const std::string from = from_us == INT64_MIN ? ""
                                                : fmt::format("\"timestamp\" >= {} AND ",
                                                              instant(from_us - kVisitMarginUs));
  std::string out = fmt::format(
      "visit_events AS (SELECT uuid, event, min({session}) AS session_id, {t} AS t{raw} FROM "
      "{events} "
      "WHERE team_id = {team} AND {session} <> '' AND {from}\"timestamp\" <= {to}{others} "
      "GROUP BY uuid, event, distinct_id), ",
      fmt::arg("session", session), fmt::arg("t", epoch_us(dialect_, "min(\"timestamp\")")),
      fmt::arg("raw", raw), fmt::arg("events", table_name(project_->events)),
      fmt::arg("team", project_->team_id), fmt::arg("from", from),
      fmt::arg("others", kNoRecordings), fmt::arg("to", instant(to_us + kVisitMarginUs)));
  out += fmt::format(
      "visit_sums AS (SELECT session_id, min(t) AS start_t, {duration} AS duration_s, "
      "sum(CASE WHEN event = '$pageview' THEN 1 ELSE 0 END) AS pageviews, "
      "sum(CASE WHEN event = '$autocapture' THEN 1 ELSE 0 END) AS autocaptures, {texts} "
      "FROM visit_events GROUP BY session_id), "
      "sessions AS (SELECT *, {entry} AS entry_path, {exit} AS exit_path, "
      "{bounce} AS is_bounce FROM visit_sums), ",
      fmt::arg("duration", floor_div("(max(t) - min(t))", kSecondUs)), fmt::arg("texts", texts),
      fmt::arg("entry", path_of("entry_url")), fmt::arg("exit", path_of("exit_url")),
      fmt::arg("bounce", kIsBounce));
  return out;
}

std::string Scan::raw_cte(int64_t from_us, int64_t to_us) const {
  std::string columns;
  for (size_t i = 0; i < raw_.size(); ++i) columns += fmt::format(", min({}) AS r{}", raw_[i], i);
  std::string where = fmt::format("team_id = {}", project_->team_id);
  if (from_us != INT64_MIN) where += fmt::format(" AND \"timestamp\" >= {}", instant(from_us));
  where += fmt::format(" AND \"timestamp\" <= {}", instant(to_us));
  if (is_of_visits_) where += fmt::format(" AND {} <> ''", session_expression());
  if (!all_events_ && !events_.empty()) {
    where += fmt::format(" AND event IN ({})", literals({events_.begin(), events_.end()}));
  } else {
    where += kNoRecordings;
  }
  // Copies have their distinct_id in common.
  std::string before;
  const std::string everything = where;
  const auto ids_with = [&](const std::string& condition) {
    return fmt::format("SELECT distinct_id FROM {} WHERE {} AND {}", table_name(project_->events),
                       everything, condition);
  };
  const auto narrow = [&](std::string_view cte, const std::string& rows) {
    before += fmt::format("{} AS ({}), ", cte, rows);
    where += fmt::format(" AND distinct_id IN (SELECT distinct_id FROM {})", cte);
  };
  if (only_person_) {
    const std::string is_own = fmt::format("person_id = {}", literal(*only_person_));
    narrow("ids_of_person", fmt::format("SELECT distinct_id FROM ids WHERE {} UNION ALL {}", is_own,
                                        ids_with(is_own)));
  }
  if (!only_visits_.empty()) {
    narrow("ids_of_visits",
           ids_with(fmt::format("{} IN ({})", session_expression(), literals(only_visits_))));
  }
  return before + fmt::format(
                      "raw AS (SELECT uuid, event, distinct_id, min(\"timestamp\") AS ts{}{} FROM "
                      "{} WHERE {} "
                      "GROUP BY uuid, event, distinct_id)",
                      needs_person_ ? ", min(person_id) AS row_person" : "", columns,
                      table_name(project_->events), where);
}

std::string Scan::with(int64_t from_us, int64_t to_us) const {
  std::string out = "WITH ";
  if (needs_person_) out += ids_cte(*project_) + ", ";
  if (needs_people_) out += people_cte();
  if (needs_sessions_) out += sessions_cte(from_us, to_us);
  out += raw_cte(from_us, to_us);
  std::string columns;
  for (size_t i = 0; i < raw_.size(); ++i) columns += fmt::format(", raw.r{}", i);
  const std::string first = fmt::format(
      "SELECT raw.uuid, raw.event, raw.distinct_id, {} AS t{}{} FROM raw{}",
      epoch_us(dialect_, "raw.ts"),
      needs_person_ ? ", coalesce(ids.person_id, raw.row_person) AS person" : "", columns,
      needs_person_ ? " LEFT JOIN ids ON ids.distinct_id = raw.distinct_id" : "");
  if (late_.empty()) return out + fmt::format(", e AS ({})", first);
  std::string late;
  for (const auto& [alias, expression] : late_)
    late += fmt::format(", {} AS {}", expression, alias);
  std::string joins;
  if (needs_people_) joins += " LEFT JOIN people ON people.person_id = e0.person";
  if (needs_sessions_) {
    Scan self = *this;
    joins += fmt::format(" LEFT JOIN sessions ON sessions.session_id = e0.{}", self.session_id());
  }
  return out + fmt::format(", e0 AS ({}), e AS (SELECT e0.*{} FROM e0{})", first, late, joins);
}

}  // namespace hogflare::insights
