#include "hogflare/config.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "config/any_token.h"
#include "config/checks.h"
#include "flags/timezone.h"
#include "hogflare/digest.h"
#include "hogflare/json.h"
#include "hogflare/project_token.h"
#include "hogflare/routes.h"
#include "hogflare/text.h"
#include "hogflare/whole_number.h"
#include "json/dom.h"

namespace hogflare {
namespace {

using Json = nlohmann::json;

struct Reader {
  const Json& vars;
  Config& config;

  void problem(bool fatal, std::string message) {
    config.problems.push_back({fatal, std::move(message)});
  }

  // The variable's text, or empty when it is not set.
  std::string text(std::string_view name) const {
    const auto found = vars.find(name);
    return found != vars.end() && found->is_string() ? found->get<std::string>() : std::string();
  }

  // A value as a problem shows it. What was pasted into the wrong variable may be a secret: only
  // what is too short for one, and part of none, is repeated.
  std::string shown(const std::string& value) const {
    constexpr size_t kShownMax = 24;
    bool is_secret = value.size() > kShownMax;
    for (const ConfigVariable& variable : config_variables()) {
      const std::string secret = variable.secret ? text(variable.name) : std::string();
      if (secret.empty()) continue;
      is_secret |= value.find(secret) != std::string::npos;
      is_secret |= value.size() > 3 && secret.find(value) != std::string::npos;
    }
    for (const std::string_view prefix : {"phx_", "phs_", "pha_", "phr_"}) {
      is_secret |= value.find(prefix) != std::string::npos;
    }
    if (is_secret) return "a text of " + std::to_string(value.size()) + " bytes";
    return '"' + value + '"';
  }

  // A project's team: there is no default for one that cannot be read, for rows and people would be
  // another team's.
  int64_t team_id(std::string_view name) {
    const std::string value = text(name);
    if (value.empty()) return 1;
    const auto number = whole_number<int64_t>(value);
    if (number && *number > 0) return *number;
    problem(true, std::string(name) + " is " + shown(value) +
                      "; it must be a whole number from 1 to 9223372036854775807");
    return 1;
  }

  // An integer in [low, high]; `fallback` with a problem when the variable holds anything else.
  int64_t integer(std::string_view name, int64_t fallback, int64_t low, int64_t high) {
    const std::string value = text(name);
    if (value.empty()) return fallback;
    const auto number = whole_number<int64_t>(value);
    if (number && *number >= low && *number <= high) return *number;
    problem(false, std::string(name) + " is " + shown(value) + "; it must be a whole number from " +
                       std::to_string(low) + " to " + std::to_string(high) + "; using " +
                       std::to_string(fallback));
    return fallback;
  }

  bool boolean(std::string_view name) {
    const std::string value = text(name);
    if (value.empty() || value == "false" || value == "0") return false;
    if (value == "true" || value == "1") return true;
    problem(false,
            std::string(name) + " is " + shown(value) + "; it must be true or false; using false");
    return false;
  }
};

bool is_http_url(std::string_view url) {
  return url.substr(0, 8) == "https://" || url.substr(0, 7) == "http://";
}

struct StreamNames {
  std::string_view binding;
  std::string_view endpoint;
};
constexpr StreamNames kStreams[] = {
    {"EVENTS_STREAM", "CLOUDFLARE_PIPELINE_ENDPOINT"},
    {"PERSONS_STREAM", "CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT"},
    {"REJECTS_STREAM", "CLOUDFLARE_REJECTS_PIPELINE_ENDPOINT"},
    {"DISTINCT_IDS_STREAM", "CLOUDFLARE_DISTINCT_IDS_PIPELINE_ENDPOINT"},
};
static_assert(std::size(kStreams) == kStreamCount);

void read_sinks(Reader& reader, const std::vector<std::string>& bindings) {
  const auto bound = [&bindings](std::string_view name) {
    return std::find(bindings.begin(), bindings.end(), name) != bindings.end();
  };
  for (size_t i = 0; i < std::size(kStreams); ++i) {
    const std::string endpoint = reader.text(kStreams[i].endpoint);
    if (bound(kStreams[i].binding)) {
      reader.config.sinks[i] = SinkKind::kBinding;
    } else if (is_http_url(endpoint)) {
      reader.config.sinks[i] = SinkKind::kHttp;
    } else if (!endpoint.empty()) {
      reader.problem(i == 0,
                     std::string(kStreams[i].endpoint) +
                         " must be a URL such as https://<stream-id>.ingest.cloudflare.com");
    } else if (i == 0) {
      reader.problem(true,
                     "no sink for events: bind EVENTS_STREAM to a pipeline stream or set "
                     "CLOUDFLARE_PIPELINE_ENDPOINT");
    }
  }
  for (const std::string_view name : {"PERSONS", "PERSON_ID_COUNTER", "GROUPS", "OUTBOX"}) {
    if (!bound(name)) {
      reader.problem(true, "Durable Object binding " + std::string(name) +
                               " is missing; see wrangler.toml.example");
    }
  }
  if (reader.config.uses_cookieless() && !bound("COOKIELESS")) {
    reader.problem(
        true,
        "a project's cookieless mode is on, and the Durable Object binding COOKIELESS is "
        "missing; see wrangler.toml.example");
  }
}

bool is_team_id(const Json& value) {
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  return value.is_number_unsigned() && value.get<uint64_t>() > 0 && value.get<uint64_t>() <= kMax;
}

// False with a problem when the list holds what is no text; a text that can never match is a
// problem too, but closes the project no further.
bool read_origins(Reader& reader, const std::string& where, const Json& list, Project& project) {
  if (list.empty()) {
    reader.problem(false, where +
                              ".origins is empty, which takes any origin; name those that may "
                              "send, or leave the list out");
  }
  for (const Json& origin : list) {
    if (!origin.is_string()) {
      reader.problem(true, where + ".origins must hold texts such as \"https://www.example.com\"");
      return false;
    }
    project.origins.push_back(origin.get<std::string>());
    if (is_possible_origin(project.origins.back())) continue;
    reader.problem(false,
                   where + ".origins has " + reader.shown(project.origins.back()) +
                       ", which no browser sends: scheme and host in lower case, without path "
                       "or wildcard, as https://www.example.com; leave the list out to take "
                       "any origin");
  }
  return true;
}

bool read_cookieless(std::string_view mode, Project& project) {
  if (mode == "disabled") {
    project.cookieless = CookielessMode::kDisabled;
  } else if (mode == "stateless") {
    project.cookieless = CookielessMode::kStateless;
  } else if (mode == "stateful") {
    project.cookieless = CookielessMode::kStateful;
  } else {
    return false;
  }
  return true;
}

// The mode and the time zone of projects that name none of their own.
void read_cookieless_defaults(Reader& reader) {
  Project& project = reader.config.default_project;
  const std::string mode = reader.text("HOGFLARE_COOKIELESS");
  if (!mode.empty() && !read_cookieless(mode, project)) {
    reader.problem(false, "HOGFLARE_COOKIELESS is " + reader.shown(mode) +
                              "; it must be disabled, stateless or stateful; using disabled");
  }
  const std::string zone = reader.text("HOGFLARE_TIMEZONE");
  if (zone.empty()) return;
  if (flags::TimeZone::parse(zone, reader.config.zones)) {
    project.timezone = zone;
  } else {
    const std::string meant = flags::TimeZone::correction(zone);
    reader.problem(false, "HOGFLARE_TIMEZONE is " + reader.shown(zone) +
                              (meant.empty() ? "; it must be a time zone such as Europe/Berlin"
                                             : ", which can be read in two ways; write " + meant) +
                              "; using UTC");
  }
}

// Reads one project's settings; null with a problem when they cannot be used.
std::optional<Project> read_project(Reader& reader, const std::string& token, const Json& value) {
  const std::string where = "HOGFLARE_PROJECTS[\"" + token + "\"]";
  if (!value.is_object()) {
    reader.problem(true, where + " must be an object such as {\"team_id\": 1}");
    return std::nullopt;
  }
  Project project;
  project.cookieless = reader.config.default_project.cookieless;
  project.timezone = reader.config.default_project.timezone;
  for (const auto& [key, setting] : value.items()) {
    bool* flag = key == "person_processing_opt_out" ? &project.person_processing_opt_out
                 : key == "anonymize_ips"           ? &project.anonymize_ips
                 : key == "flag_called_personless"  ? &project.flag_called_personless
                                                    : nullptr;
    if (key == "cookieless" && setting.is_string() &&
        read_cookieless(setting.get<std::string>(), project)) {
      continue;
    }
    if (key == "timezone" && setting.is_string() &&
        flags::TimeZone::parse(setting.get<std::string>(), reader.config.zones)) {
      project.timezone = setting.get<std::string>();
      continue;
    }
    if (key == "team_id" && is_team_id(setting)) {
      project.team_id = setting.get<int64_t>();
    } else if (flag != nullptr && setting.is_boolean()) {
      *flag = setting.get<bool>();
    } else if (key == "origins" && setting.is_array()) {
      if (!read_origins(reader, where, setting, project)) return std::nullopt;
    } else {
      reader.problem(true,
                     where + "." + key +
                         " is not a known setting of the right type (team_id: positive integer, "
                         "origins: list of strings, person_processing_opt_out, anonymize_ips, "
                         "flag_called_personless: true or false, cookieless: disabled, stateless "
                         "or stateful, timezone: a name such as Europe/Berlin)");
      return std::nullopt;
    }
  }
  if (!value.contains("team_id")) {
    reader.problem(true, where + " lacks team_id");
    return std::nullopt;
  }
  return project;
}

// Tokens with which no request gets through, and those that stand for two projects.
void name_unusable_tokens(Reader& reader, std::string_view projects) {
  const Result<json::Document> document = json::Document::parse_const(projects, 1);
  if (!document.ok()) return;
  std::set<std::string> seen;
  for (const json::Member& member : document.value().root().members()) {
    const std::string token = member.key();
    const std::string what = "HOGFLARE_PROJECTS: the token " + reader.shown(token);
    if (!seen.insert(token).second) {
      reader.problem(true, what + " is there twice; give each project its own");
    } else if (is_blank(token) || check_token(token)) {
      reader.problem(false, what + " is refused wherever it is sent; give 1 to " +
                                std::to_string(limits::kTokenBytesMax) +
                                " characters of ASCII, without phx_ before them");
    }
  }
}

void read_projects(Reader& reader) {
  Config& config = reader.config;
  config.default_project.team_id = config.team_id;
  config.default_project.anonymize_ips = config.anonymize_ip;
  read_cookieless_defaults(reader);
  const std::string text = reader.text("HOGFLARE_PROJECTS");
  if (text.empty()) return;
  const Json projects = json::dom_of<Json>(text);
  if (!projects.is_object() || projects.empty()) {
    reader.problem(true,
                   "HOGFLARE_PROJECTS must be a JSON object such as {\"phc_…\": {\"team_id\": 1}}");
    return;
  }
  name_unusable_tokens(reader, text);
  for (const auto& [token, value] : projects.items()) {
    std::optional<Project> project = read_project(reader, token, value);
    if (!project) continue;
    project->anonymize_ips |= config.anonymize_ip;
    config.projects.emplace(token, *project);
  }
}

void read_path_prefix(Reader& reader) {
  std::string prefix = reader.text("HOGFLARE_PATH_PREFIX");
  while (!prefix.empty() && prefix.back() == '/') prefix.pop_back();
  if (!prefix.empty() && prefix.front() != '/') prefix.insert(prefix.begin(), '/');
  const std::string_view swallowed = path_swallowed_by(prefix);
  if (!prefix.empty() && !swallowed.empty()) {
    return reader.problem(true, "HOGFLARE_PATH_PREFIX is " + reader.shown(prefix) +
                                    ", which would take " + std::string(swallowed) +
                                    " away; choose one that is no path of PostHog's, as /ingest");
  }
  if (!is_possible_path(prefix)) {
    return reader.problem(false,
                          "HOGFLARE_PATH_PREFIX is " + reader.shown(prefix) +
                              ", with which no request's path begins; it must be as /ingest");
  }
  reader.config.path_prefix = std::move(prefix);
}

// Other names for paths, since blockers know the usual ones.
void read_path_aliases(Reader& reader) {
  const std::string text = reader.text("HOGFLARE_PATH_ALIASES");
  if (text.empty()) return;
  const Json aliases = json::dom_of<Json>(text);
  if (!aliases.is_object()) {
    return reader.problem(true,
                          "HOGFLARE_PATH_ALIASES must be a JSON object such as "
                          "{\"/q1\": \"/e\", \"/js\": \"/static\"}");
  }
  for (const auto& [name, value] : aliases.items()) {
    std::string alias = name;
    std::string target = value.is_string() ? value.get<std::string>() : std::string();
    while (alias.size() > 1 && alias.back() == '/') alias.pop_back();
    while (target.size() > 1 && target.back() == '/') target.pop_back();
    const std::string wrong = problem_of_alias(alias, target);
    if (wrong.empty()) {
      reader.config.path_aliases.emplace_back(std::move(alias), std::move(target));
    } else {
      reader.problem(false, "HOGFLARE_PATH_ALIASES: " + reader.shown(name) + " " + wrong);
    }
  }
  std::sort(
      reader.config.path_aliases.begin(), reader.config.path_aliases.end(),
      [](const auto& left, const auto& right) { return left.first.size() > right.first.size(); });
}

void read_personless(Reader& reader) {
  const std::string mode = reader.text("HOGFLARE_PERSONLESS");
  if (mode == "exact") {
    reader.config.personless = PersonlessMode::kExact;
  } else if (!mode.empty() && mode != "stateless") {
    reader.problem(false, "HOGFLARE_PERSONLESS is " + reader.shown(mode) +
                              "; it must be stateless or exact; using stateless");
  }
}

// "phc_a, phc_b"
void read_unsigned_tokens(Reader& reader) {
  const std::string list = reader.text("HOGFLARE_UNSIGNED_TOKENS");
  std::string_view rest = list;
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    const std::string_view token = trim_ascii(rest.substr(0, comma));
    if (!token.empty()) reader.config.unsigned_tokens.emplace(token);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  if (list.empty()) return;
  if (reader.config.signing_secret.empty()) {
    reader.problem(false,
                   "HOGFLARE_UNSIGNED_TOKENS has no effect without POSTHOG_SIGNING_SECRET: "
                   "no request needs a signature");
  }
  for (const std::string& token : reader.config.unsigned_tokens) {
    if (reader.config.project_of(token) != nullptr) continue;
    reader.problem(false, "HOGFLARE_UNSIGNED_TOKENS names " + reader.shown(token) +
                              ", which HOGFLARE_PROJECTS does not");
  }
}

void read_row_modes(Reader& reader) {
  const std::string properties = reader.text("HOGFLARE_PERSON_PROPERTIES");
  if (properties == "changed") {
    reader.config.person_properties = PersonPropertiesMode::kChanged;
  } else if (properties == "off") {
    reader.config.person_properties = PersonPropertiesMode::kOff;
  } else if (!properties.empty() && properties != "row") {
    reader.problem(false, "HOGFLARE_PERSON_PROPERTIES is " + reader.shown(properties) +
                              "; it must be row, changed or off; using row");
  }
  const std::string rows = reader.text("HOGFLARE_ROWS");
  if (rows == "lean") {
    reader.config.rows = RowsMode::kLean;
  } else if (!rows.empty() && rows != "full") {
    reader.problem(
        false, "HOGFLARE_ROWS is " + reader.shown(rows) + "; it must be full or lean; using full");
  }
}

// What rows leave out must stand in the persons stream.
void check_row_modes(Reader& reader) {
  const Config& config = reader.config;
  if (config.sinks[static_cast<size_t>(Stream::kPersons)] != SinkKind::kNone) return;
  if (config.person_properties != PersonPropertiesMode::kRow || config.rows == RowsMode::kLean) {
    reader.problem(false,
                   "HOGFLARE_PERSON_PROPERTIES and HOGFLARE_ROWS leave out of event rows what "
                   "the persons stream has, and there is none: bind PERSONS_STREAM or set "
                   "CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT");
  }
}

void read_group_types(Reader& reader) {
  Config& config = reader.config;
  for (size_t i = 0; i < config.group_types.size(); ++i) {
    std::string& type = config.group_types[i];
    const std::string name = "POSTHOG_GROUP_TYPE_" + std::to_string(i);
    type = reader.text(name);
    config.has_group_types |= !type.empty();
    const auto end = config.group_types.begin() + static_cast<std::ptrdiff_t>(i);
    if (!type.empty() && std::find(config.group_types.begin(), end, type) != end) {
      reader.problem(false, name +
                                " names a group type that an earlier one names already; no group "
                                "is put into this slot");
    }
  }
}

void check_secrets(Reader& reader) {
  for (const std::string_view name :
       {"HOGFLARE_ADMIN_TOKEN", "HOGFLARE_VIEWER_TOKEN", "POSTHOG_PERSONAL_API_KEY",
        "POSTHOG_PROJECT_SECRET", "HOGFLARE_SQL_TOKEN"}) {
    if (is_possible_bearer(reader.text(name))) continue;
    reader.problem(false, std::string(name) +
                              " has blanks at its ends or characters that no Authorization header "
                              "carries; nothing will match it");
  }
}

// Names only: the value behind a misspelt name may be a secret.
void check_names(Reader& reader) {
  const std::vector<ConfigVariable> known = config_variables();
  for (const auto& [name, value] : reader.vars.items()) {
    const bool is_ours = name.rfind("HOGFLARE_", 0) == 0 || name.rfind("POSTHOG_", 0) == 0;
    const auto has_name = [&name = name](const ConfigVariable& each) { return each.name == name; };
    if (!is_ours || std::any_of(known.begin(), known.end(), has_name)) continue;
    const std::string nearest = nearest_variable(name);
    reader.problem(false, name.substr(0, 100) +
                              " is not a variable of Hogflare's and has no effect" +
                              (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
  }
}

// What one request may hold (docs/LIMITS.md).
void read_request_limits(Reader& reader) {
  Config& config = reader.config;
  config.object_calls_max = static_cast<uint32_t>(
      reader.integer("HOGFLARE_OBJECT_CALLS_MAX", limits::kObjectCallsMax,
                     limits::kObjectCallsMaxLowest, limits::kObjectCallsMaxHighest));
  config.events_max = static_cast<size_t>(reader.integer("HOGFLARE_EVENTS_PER_REQUEST_MAX",
                                                         limits::kEventsPerRequestMax, 1,
                                                         limits::kEventsPerRequestMax));
  config.body_bytes_max =
      static_cast<size_t>(reader.integer("HOGFLARE_BODY_BYTES_MAX", limits::kDecompressedBytesMax,
                                         64 << 10, limits::kDecompressedBytesMax));
  config.reject_rows_max = static_cast<size_t>(reader.integer(
      "HOGFLARE_REJECT_ROWS_MAX", limits::kRejectRowsMax, 1, limits::kEventsPerRequestMax));
}

// "on" and "off" too, as the other switches of who may do what.
bool read_switch(Reader& reader, std::string_view name) {
  const std::string value = reader.text(name);
  if (value == "on") return true;
  if (value == "off") return false;
  return reader.boolean(name);
}

constexpr std::string_view kStreamNames[] = {"events", "persons", "rejects", "distinct_ids"};
static_assert(std::size(kStreamNames) == kStreamCount);

// "default.hogflare_events_v1" and so on, or as HOGFLARE_SQL_TABLES says.
void read_sql_tables(Reader& reader) {
  std::string space = reader.text("HOGFLARE_SQL_NAMESPACE");
  if (space.empty()) space = "default";
  if (!is_resource_name(space)) {
    reader.problem(false, "HOGFLARE_SQL_NAMESPACE is " + reader.shown(space) +
                              "; it must be letters, digits, - and _; using default");
    space = "default";
  }
  const std::string text = reader.text("HOGFLARE_SQL_TABLES");
  const Json given = text.empty() ? Json::object() : json::dom_of<Json>(text);
  for (size_t i = 0; i < std::size(kStreamNames); ++i) {
    std::string table = "hogflare_" + std::string(kStreamNames[i]) + "_v1";
    const auto found = given.is_object() ? given.find(kStreamNames[i]) : given.end();
    const bool is_given = given.is_object() && found != given.end();
    if (is_given && found->is_string() && is_resource_name(found->get<std::string>())) {
      table = found->get<std::string>();
    } else if (is_given || !given.is_object()) {
      reader.problem(false,
                     "HOGFLARE_SQL_TABLES must be names by stream such as {\"events\": "
                     "\"hogflare_events_v2\"}; " +
                         std::string(kStreamNames[i]) + " are read from " + table);
    }
    reader.config.sql_tables[i] = space + "." + table;
  }
}

// The engine that reads the lake, and what its tables are called.
void read_sql_engine(Reader& reader) {
  Config& config = reader.config;
  config.viewer_sql = read_switch(reader, "HOGFLARE_VIEWER_SQL");
  config.sql_bucket = reader.text("HOGFLARE_SQL_BUCKET");
  size_t set = 0;
  for (const std::string_view name :
       {"HOGFLARE_SQL_ACCOUNT_ID", "HOGFLARE_SQL_BUCKET", "HOGFLARE_SQL_TOKEN"}) {
    const std::string value = reader.text(name);
    if (value.empty()) continue;
    ++set;
    if (name == "HOGFLARE_SQL_TOKEN" || is_resource_name(value)) continue;
    reader.problem(false, std::string(name) + " is " + reader.shown(value) +
                              "; it must be letters, digits, - and _: no question can be asked");
    return;
  }
  if (set != 0 && set != 3) {
    reader.problem(false,
                   "questions need HOGFLARE_SQL_ACCOUNT_ID, HOGFLARE_SQL_BUCKET and "
                   "HOGFLARE_SQL_TOKEN; not all of them are set");
  }
  config.has_sql_engine = set == 3;
  const std::string url = reader.text("HOGFLARE_SQL_URL");
  if (!url.empty() && !is_http_url(url)) {
    reader.problem(false,
                   "HOGFLARE_SQL_URL must be a URL such as "
                   "https://api.sql.cloudflarestorage.com: no question can be asked");
    config.has_sql_engine = false;
  }
  read_sql_tables(reader);
  std::string lake = url + '\0' + reader.text("HOGFLARE_SQL_ACCOUNT_ID") + '\0' + config.sql_bucket;
  for (const std::string& table : config.sql_tables) lake.append(1, '\0').append(table);
  config.sql_lake_key = to_hex(sha256(lake)).substr(0, 32);
}

// Cloudflare Access: "acme", "acme.cloudflareaccess.com" or the whole address of the team.
void read_access(Reader& reader) {
  std::string team = reader.text("HOGFLARE_ACCESS_TEAM");
  const std::string audience = reader.text("HOGFLARE_ACCESS_AUD");
  if (team.empty() && audience.empty()) return;
  if (team.empty() || audience.empty()) {
    return reader.problem(false,
                          "HOGFLARE_ACCESS_TEAM and HOGFLARE_ACCESS_AUD work together; one of "
                          "them is not set, so Cloudflare Access is not asked who somebody is");
  }
  while (team.back() == '/' && team.size() > 1) team.pop_back();
  if (team.find('.') == std::string::npos && !is_http_url(team)) team += ".cloudflareaccess.com";
  if (!is_http_url(team)) team = "https://" + team;
  if (!is_possible_origin(team)) {
    return reader.problem(false, "HOGFLARE_ACCESS_TEAM is " + reader.shown(team) +
                                     "; it must be as acme or https://acme.cloudflareaccess.com");
  }
  reader.config.access_issuer = std::move(team);
  reader.config.access_audience = audience;
}

void read_variables(Reader& reader) {
  Config& config = reader.config;
  constexpr int64_t kIntegerMax = int64_t{1} << 53;
  config.team_id = reader.team_id("POSTHOG_TEAM_ID");
  config.anonymize_ip = reader.boolean("HOGFLARE_ANONYMIZE_IP");
  config.session_recording = reader.boolean("HOGFLARE_SESSION_RECORDING");
  read_group_types(reader);
  config.signing_secret = reader.text("POSTHOG_SIGNING_SECRET");
  config.personal_api_key = reader.text("POSTHOG_PERSONAL_API_KEY");
  config.project_secret_key = reader.text("POSTHOG_PROJECT_SECRET");
  config.admin_token = reader.text("HOGFLARE_ADMIN_TOKEN");
  config.viewer_token = reader.text("HOGFLARE_VIEWER_TOKEN");
  read_sql_engine(reader);
  read_access(reader);
  config.pipeline_timeout_ms =
      static_cast<uint32_t>(1000 * reader.integer("CLOUDFLARE_PIPELINE_TIMEOUT_SECS", 10, 1, 60));
  // SDKs give up after 8 s (ruby), 10 s (node, go, php) and 15 s (python), and send again.
  config.answer_within_ms =
      static_cast<uint32_t>(1000 * reader.integer("HOGFLARE_ANSWER_WITHIN_SECS", 4, 2, 60));
  config.outbox_bytes_max = static_cast<uint64_t>(
      reader.integer("HOGFLARE_OUTBOX_MAX_BYTES", int64_t{1} << 30, 0, kIntegerMax));
  if (config.outbox_bytes_max == 0) {
    reader.problem(
        false,
        "HOGFLARE_OUTBOX_MAX_BYTES is 0: nothing is kept while a sink fails, and clients "
        "get 503");
  }
  read_request_limits(reader);
  config.flags_kv_key = reader.text("HOGFLARE_FLAGS_KV_KEY");
  config.flags_ttl_ms =
      static_cast<uint32_t>(1000 * reader.integer("HOGFLARE_FLAGS_TTL_SECS", 60, 1, 86'400));
  config.feature_flags = reader.text("HOGFLARE_FEATURE_FLAGS");
  read_path_prefix(reader);
  read_path_aliases(reader);
  read_personless(reader);
  read_row_modes(reader);
  read_projects(reader);
  read_unsigned_tokens(reader);
  check_secrets(reader);
  check_names(reader);
}

// The core had to be reset in this isolate: {"at": ISO 8601, "message": text}, or nothing.
void read_last_trap(Reader& reader, const Json& host) {
  if (!host.is_object()) return;
  const auto trap = host.find("last_trap");
  if (trap == host.end() || !trap->is_object()) return;
  const auto text = [&trap](const char* name) {
    const auto found = trap->find(name);
    return found != trap->end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  reader.problem(false, "the core trapped at " + text("at") + ": " + text("message"));
}

std::vector<std::string> read_texts(const Json& host, const char* member) {
  std::vector<std::string> texts;
  const auto list = host.find(member);
  if (list == host.end() || !list->is_array()) return texts;
  for (const Json& text : *list) {
    if (text.is_string()) texts.push_back(text.get<std::string>());
  }
  return texts;
}

std::string read_text(const Json& host, const char* member) {
  const auto text = host.find(member);
  return text == host.end() || !text->is_string() ? std::string() : text->get<std::string>();
}

// Classes that an object of theirs was found to be unusable of: names of bindings.
void read_unusable_classes(Reader& reader, const Json& host) {
  if (!host.is_object()) return;
  const auto list = host.find("not_sqlite");
  if (list == host.end() || !list->is_array()) return;
  for (const Json& name : *list) {
    if (!name.is_string()) continue;
    reader.problem(true,
                   "the Durable Object class bound as " + name.get<std::string>() +
                       " is not SQLite-backed: its migration must list it under "
                       "new_sqlite_classes. A class made with new_classes stays as it is; give "
                       "it another name in a further migration; see wrangler.toml.example");
  }
}

}  // namespace

Config parse_config(std::string_view host_json, Zones* zones) {
  Config config;
  config.zones = zones;
  const Json host = json::dom_of<Json>(host_json);
  static const Json kEmpty = Json::object();
  const bool usable = host.is_object() && host.contains("vars") && host["vars"].is_object();
  if (!usable) config.problems.push_back({true, "the host gave no configuration object"});
  Reader reader{usable ? host["vars"] : kEmpty, config};
  read_variables(reader);
  const std::vector<std::string> bindings =
      usable ? read_texts(host, "bindings") : std::vector<std::string>();
  config.bindings = bindings;
  for (const ConfigVariable& variable : config_variables()) {
    if (!reader.text(variable.name).empty()) config.variables.emplace_back(variable.name);
  }
  if (usable) {
    config.bundled_flags = read_text(host, "bundled_flags");
    config.refused_flags = read_texts(host, "refused_flags");
    config.former_flags = read_text(host, "former_flags");
    config.script_version = read_text(host, "script_version");
  }
  read_sinks(reader, bindings);
  check_row_modes(reader);
  read_last_trap(reader, host);
  read_unusable_classes(reader, host);
  return config;
}

const Project* Config::project_of(std::string_view token) const {
  if (projects.empty()) return &default_project;
  auto found = projects.find(token);
  if (found == projects.end()) found = projects.find(kAnyToken);
  return found == projects.end() ? nullptr : &found->second;
}

const Project* Config::project_of_team(int64_t wanted) const {
  if (projects.empty()) return default_project.team_id == wanted ? &default_project : nullptr;
  for (const auto& [token, project] : projects) {
    if (project.team_id == wanted) return &project;
  }
  return nullptr;
}

bool Config::uses_cookieless() const {
  if (projects.empty()) return default_project.cookieless != CookielessMode::kDisabled;
  return std::any_of(projects.begin(), projects.end(), [](const auto& entry) {
    return entry.second.cookieless != CookielessMode::kDisabled;
  });
}

bool Config::is_bound(std::string_view binding) const {
  return std::find(bindings.begin(), bindings.end(), binding) != bindings.end();
}

bool Config::has_fatal_problem() const {
  for (const Problem& problem : problems) {
    if (problem.fatal) return true;
  }
  return false;
}

std::vector<ConfigVariable> config_variables() {
  return {
      {"CLOUDFLARE_PIPELINE_ENDPOINT", false},
      {"CLOUDFLARE_PIPELINE_AUTH_TOKEN", true},
      {"CLOUDFLARE_PIPELINE_TIMEOUT_SECS", false},
      {"HOGFLARE_ANSWER_WITHIN_SECS", false},
      {"CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT", false},
      {"CLOUDFLARE_PERSONS_PIPELINE_AUTH_TOKEN", true},
      {"CLOUDFLARE_REJECTS_PIPELINE_ENDPOINT", false},
      {"CLOUDFLARE_REJECTS_PIPELINE_AUTH_TOKEN", true},
      {"CLOUDFLARE_DISTINCT_IDS_PIPELINE_ENDPOINT", false},
      {"CLOUDFLARE_DISTINCT_IDS_PIPELINE_AUTH_TOKEN", true},
      {"POSTHOG_TEAM_ID", false},
      {"POSTHOG_GROUP_TYPE_0", false},
      {"POSTHOG_GROUP_TYPE_1", false},
      {"POSTHOG_GROUP_TYPE_2", false},
      {"POSTHOG_GROUP_TYPE_3", false},
      {"POSTHOG_GROUP_TYPE_4", false},
      {"POSTHOG_SIGNING_SECRET", true},
      {"HOGFLARE_UNSIGNED_TOKENS", false},
      {"POSTHOG_PERSONAL_API_KEY", true},
      {"POSTHOG_PROJECT_SECRET", true},
      {"HOGFLARE_PROJECTS", false},
      {"HOGFLARE_PATH_PREFIX", false},
      {"HOGFLARE_PATH_ALIASES", false},
      {"HOGFLARE_ANONYMIZE_IP", false},
      {"HOGFLARE_SESSION_RECORDING", false},
      {"HOGFLARE_PERSONLESS", false},
      {"HOGFLARE_PERSON_PROPERTIES", false},
      {"HOGFLARE_ROWS", false},
      {"HOGFLARE_COOKIELESS", false},
      {"HOGFLARE_TIMEZONE", false},
      {"HOGFLARE_FEATURE_FLAGS", false},
      {"HOGFLARE_FLAGS_KV_KEY", false},
      {"HOGFLARE_FLAGS_TTL_SECS", false},
      {"HOGFLARE_OUTBOX_MAX_BYTES", false},
      {"HOGFLARE_OBJECT_CALLS_MAX", false},
      {"HOGFLARE_EVENTS_PER_REQUEST_MAX", false},
      {"HOGFLARE_BODY_BYTES_MAX", false},
      {"HOGFLARE_REJECT_ROWS_MAX", false},
      {"HOGFLARE_ADMIN_TOKEN", true},
      {"HOGFLARE_VIEWER_TOKEN", true},
      {"HOGFLARE_VIEWER_SQL", false},
      {"HOGFLARE_SQL_ACCOUNT_ID", false},
      {"HOGFLARE_SQL_BUCKET", false},
      {"HOGFLARE_SQL_TOKEN", true},
      {"HOGFLARE_SQL_NAMESPACE", false},
      {"HOGFLARE_SQL_TABLES", false},
      {"HOGFLARE_SQL_URL", false},
      {"HOGFLARE_ACCESS_TEAM", false},
      {"HOGFLARE_ACCESS_AUD", false},
  };
}

std::vector<std::string_view> config_bindings() {
  return {"PERSONS",        "PERSON_ID_COUNTER", "GROUPS",
          "OUTBOX",         "COOKIELESS",        "EVENTS_STREAM",
          "PERSONS_STREAM", "REJECTS_STREAM",    "DISTINCT_IDS_STREAM",
          "FLAGS",          "ANALYTICS",         "ASSETS",
          "RECORDINGS",     "SYMBOLS",           "LIVE"};
}

}  // namespace hogflare
