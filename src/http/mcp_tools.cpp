#include "http/mcp_tools.h"

#include <fmt/format.h>

#include <algorithm>

#include "hogflare/url.h"
#include "http/mcp_limits.h"
#include "json/dom.h"

namespace hogflare::mcp {
namespace {

// Appends "&name=value"; nothing for an empty value.
void append_form_value(std::string& form, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  form.append("&").append(name).append("=");
  append_percent_encoded(form, value);
}

// Arguments by name; "" and null where there is none.
class Arguments {
 public:
  Arguments(const Json& json, int64_t team_id) : json_(json), team_id_(team_id) {}

  bool has(const char* name) const { return json_.contains(name) && !json_[name].is_null(); }
  const Json& at(const char* name) const { return json_[name]; }
  std::string text(const char* name, std::string fallback = {}) const {
    if (!has(name)) return fallback;
    return json_[name].is_string() ? json_[name].get<std::string>() : json::text_of(json_[name]);
  }
  int64_t team_id() const { return team_id_; }
  std::string api(std::string_view path) const {
    return fmt::format("/api/projects/{}/{}", team_id_, path);
  }
  std::string team_query() const { return fmt::format("team_id={}", team_id_); }
  std::string form(std::initializer_list<const char*> names) const {
    std::string form;
    for (const char* name : names) append_form_value(form, name, text(name));
    return form.empty() ? form : form.substr(1);
  }
  // Members of the same name.
  void copy(Json& into, std::initializer_list<const char*> names) const {
    for (const char* name : names) {
      if (has(name)) into[name] = json_[name];
    }
  }

 private:
  const Json& json_;
  int64_t team_id_;
};

using Made = std::variant<Call, WrongArguments>;

Made wrong(std::string sentence) { return WrongArguments{.sentence = std::move(sentence)}; }

Call ask(const Arguments& given, Json query) {
  Json body = {{"query", std::move(query)}};
  if (given.has("refresh") && given.at("refresh") == true) body["refresh"] = "force_blocking";
  return {.method = "POST", .path = given.api("query"), .body = json::text_of(body)};
}

Made query(const Arguments& given) { return ask(given, given.at("query")); }

Made sql(const Arguments& given) {
  return ask(given, {{"kind", "HogQLQuery"}, {"query", given.at("sql")}});
}

Made events(const Arguments& given) {
  if (given.text("show", "names") == "names") {
    for (const char* name : {"event", "distinct_id", "person_id", "after", "before", "properties",
                             "limit", "offset"}) {
      if (given.has(name)) return wrong(std::string(name) + " goes with \"show\": \"rows\"");
    }
    return Call{.path = given.api("event_definitions"), .query = given.form({"search", "refresh"})};
  }
  if (given.has("search")) return wrong("search goes with \"show\": \"names\"");
  return Call{.path = given.api("events"),
              .query = given.form({"event", "distinct_id", "person_id", "after", "before",
                                   "properties", "limit", "offset", "refresh"})};
}

Made properties(const Arguments& given) {
  return Call{.path = given.api("property_definitions"),
              .query = given.form({"type", "event_names", "search", "refresh"})};
}

Made person(const Arguments& given) {
  if (given.has("distinct_id") == given.has("search")) {
    return wrong("give either distinct_id, for one person, or search, for a list");
  }
  if (given.has("search")) {
    return Call{.path = given.api("persons"),
                .query = given.form({"search", "limit", "offset", "refresh"})};
  }
  std::string query = given.team_query();
  append_form_value(query, "distinct_id", given.text("distinct_id"));
  return Call{.path = "/app/api/person", .query = std::move(query)};
}

Made flags(const Arguments& given) {
  const std::string action = given.text("action");
  if (action == "list") return Call{.path = "/app/api/flags"};
  if (action == "evaluate") {
    if (!given.has("distinct_id")) return wrong("evaluate needs distinct_id");
    Json body = {{"team_id", given.team_id()}};
    given.copy(body, {"distinct_id", "groups", "person_properties", "group_properties", "key",
                      "document"});
    return Call{.method = "POST", .path = "/app/api/flags/evaluate", .body = json::text_of(body)};
  }
  if (!given.has("document")) return wrong(action + " needs document, the text of the definitions");
  Json body = Json::object();
  given.copy(body, {"document"});
  if (action == "check") {
    return Call{.method = "POST", .path = "/app/api/flags/check", .body = json::text_of(body)};
  }
  if (!given.has("etag"))
    return wrong("write needs etag, which list gives: of the version that was edited");
  return Call{.method = "PUT",
              .path = "/app/api/flags",
              .body = json::text_of(body),
              .if_match = given.text("etag")};
}

Made errors(const Arguments& given) {
  Json range = Json::object();
  given.copy(range, {"date_from", "date_to"});
  if (!given.has("date_from")) range["date_from"] = "-7d";
  Json query = {{"kind", "ErrorTrackingQuery"}, {"dateRange", std::move(range)}};
  query["orderBy"] = given.text("order_by", "last_seen");
  query["searchQuery"] = given.text("search");
  given.copy(query, {"status", "limit", "offset"});
  return ask(given, std::move(query));
}

Made recordings(const Arguments& given) {
  Json query = {{"kind", "_RecordedVisits"}};
  given.copy(query, {"after", "before", "limit", "offset"});
  if (given.has("distinct_id")) query["distinctId"] = given.at("distinct_id");
  return ask(given, std::move(query));
}

Made health(const Arguments&) { return Call{.path = "/app/api/health"}; }

struct Tool {
  std::string_view name;
  std::string_view title;
  std::string_view description;
  std::string_view properties;  // of the input schema
  std::string_view required;
  Made (*make)(const Arguments&);
};

constexpr Tool kTools[] = {
    {"query", "Ask a question",
     "Answers a question in PostHog's query JSON: TrendsQuery, FunnelsQuery, RetentionQuery, "
     "PathsQuery, "
     "LifecycleQuery, StickinessQuery, WebOverviewQuery, WebStatsTableQuery, SessionsQuery, "
     "EventsQuery, "
     "PersonsQuery, ActorsQuery, ErrorTrackingQuery, ExperimentQuery. hogflare://recipes has "
     "examples. What "
     "is not done is refused by its path.",
     R"({"query": {"type": "object", "description": "{\"kind\": \"TrendsQuery\", \"series\": [{\"kind\": \"EventsNode\", \"event\": \"$pageview\", \"math\": \"dau\"}], \"dateRange\": {\"date_from\": \"-7d\"}}"}})",
     R"(["query"])", query},
    {"sql", "Read by SQL",
     "One read-only SELECT in Basin SQL over the project's tables events, persons, distinct_ids "
     "and rejects "
     "(hogflare://schema). At most 10,000 rows; no OFFSET, no recursion. Filter by \"timestamp\", "
     "which costs least.",
     R"({"sql": {"type": "string", "maxLength": 100000}})", R"(["sql"])", sql},
    {"events", "Events",
     "The names of events of the last 30 days with their counts, or, with show=rows, events "
     "themselves, the "
     "newest first.",
     R"({"show": {"type": "string", "enum": ["names", "rows"], "description": "names unless set"},
         "search": {"type": "string", "description": "of names: those with this text"},
         "event": {"type": "string"}, "distinct_id": {"type": "string"}, "person_id": {"type": "string"},
         "after": {"type": "string", "description": "of rows: an ISO time or a relative one; -24h unless set"},
         "before": {"type": "string"},
         "properties": {"type": "array", "items": {"type": "object"}, "maxItems": 100, "description": "PostHog's property filters"},
         "limit": {"type": "integer", "minimum": 1, "maximum": 1000}, "offset": {"type": "integer", "minimum": 0, "maximum": 5000}})",
     "[]", events},
    {"properties", "Properties",
     "The properties of events or people in a sample of rows: name, type, share of rows, frequent "
     "values.",
     R"({"type": {"type": "string", "enum": ["event", "person"]},
         "event_names": {"type": "array", "items": {"type": "string"}, "maxItems": 100},
         "search": {"type": "string"}})",
     "[]", properties},
    {"person", "A person",
     "With distinct_id: that person as of now, all ids, properties, merges explained, last "
     "changes. With "
     "search: people by name, e-mail or id.",
     R"({"distinct_id": {"type": "string", "maxLength": 400}, "search": {"type": "string"},
         "limit": {"type": "integer", "minimum": 1, "maximum": 1000}, "offset": {"type": "integer", "minimum": 0, "maximum": 5000}})",
     "[]", person},
    {"flags", "Feature flags",
     "list: the definitions in force and what their checker says. evaluate: what one person gets "
     "and why "
     "(with key: each condition). check: what the checker says of a document. write: puts a "
     "document in "
     "force; needs the admin's token, the namespace FLAGS and the etag that list gave.",
     R"({"action": {"type": "string", "enum": ["list", "evaluate", "check", "write"]},
         "distinct_id": {"type": "string", "maxLength": 400}, "key": {"type": "string"},
         "groups": {"type": "object"}, "person_properties": {"type": "object"}, "group_properties": {"type": "object"},
         "document": {"type": "string", "maxLength": 2000000, "description": "definitions as JSON text"},
         "etag": {"type": "string"}})",
     R"(["action"])", flags},
    {"errors", "Errors",
     "Exceptions by fingerprint: how often, how many people, first and last seen, and the status "
     "that was decided "
     "(active, resolved, ignored). Of the last 7 days unless date_from says otherwise.",
     R"({"date_from": {"type": "string"}, "date_to": {"type": "string"}, "search": {"type": "string"},
         "status": {"type": "string", "enum": ["all", "active", "resolved", "ignored"], "description": "all unless set"},
         "order_by": {"type": "string", "enum": ["last_seen", "first_seen", "occurrences", "users", "sessions"]},
         "limit": {"type": "integer", "minimum": 1, "maximum": 1000}, "offset": {"type": "integer", "minimum": 0, "maximum": 5000}})",
     "[]", errors},
    {"recordings", "Recorded sessions",
     "Recorded sessions, the newest first: whose, when, how large. Of the last 7 days unless after "
     "says "
     "otherwise.",
     R"({"after": {"type": "string"}, "before": {"type": "string"}, "distinct_id": {"type": "string", "maxLength": 400},
         "limit": {"type": "integer", "minimum": 1, "maximum": 1000}, "offset": {"type": "integer", "minimum": 0, "maximum": 5000}})",
     "[]", recordings},
    {"health", "Health",
     "Whether anything is being lost: sinks, rows that wait, quarantine, problems with what to "
     "change, version.",
     "{}", "[]", health},
};

// Its schema with the project's id, which every tool takes, and what those that ask the lake take.
Json schema_of(const Tool& tool) {
  Json properties = json::dom_of<Json>(tool.properties);
  if (tool.make != flags && tool.make != health) {
    properties["refresh"] = {{"type", "boolean"},
                             {"description", "ask anew instead of giving a kept answer"}};
  }
  properties["team_id"] = {
      {"type", "integer"},
      {"minimum", 1},
      {"description", "the project; needed where this deployment has several"}};
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"required", json::dom_of<Json>(tool.required)},
          {"additionalProperties", false}};
}

bool is_of_type(const Json& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  return value.is_number_integer();
}

std::string refuse_text(const Json& schema, const Json& value, const std::string& path) {
  const size_t bytes_max = schema.value("maxLength", limits::kMcpTextBytesMax);
  if (value.get_ref<const std::string&>().size() <= bytes_max) return {};
  return fmt::format("{} may have {} bytes", path, bytes_max);
}

std::string refuse_number(const Json& schema, const Json& value, const std::string& path) {
  const auto number = value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX
                          ? INT64_MAX
                          : value.get<int64_t>();
  const int64_t least = schema.value("minimum", INT64_MIN);
  const int64_t most = schema.value("maximum", INT64_MAX);
  if (number >= least && number <= most) return {};
  return fmt::format("{} must be from {} to {}", path, least, most);
}

std::string refuse_list(const Json& schema, const Json& value, const std::string& path) {
  if (value.size() > schema.value("maxItems", size_t{100})) {
    return fmt::format("{} has too many elements", path);
  }
  for (size_t i = 0; i < value.size(); ++i) {
    std::string why = refuse_value(schema["items"], value[i], fmt::format("{}.{}", path, i));
    if (!why.empty()) return why;
  }
  return {};
}

std::string refuse_object(const Json& schema, const Json& value, const std::string& path) {
  if (!schema.contains("properties")) return {};
  const std::string below = path.empty() ? "" : path + ".";
  const Json& known = schema["properties"];
  for (const auto& [name, member] : value.items()) {
    if (!known.contains(name)) {
      std::string names;
      for (const auto& [each, _] : known.items()) names += (names.empty() ? "" : ", ") + each;
      return fmt::format("{}{} is not known; there are {}", below, name.substr(0, 100), names);
    }
    if (member.is_null()) continue;
    std::string why = refuse_value(known[name], member, below + name);
    if (!why.empty()) return why;
  }
  for (const Json& name : schema["required"]) {
    const auto found = value.find(name.get_ref<const std::string&>());
    if (found == value.end() || found->is_null()) {
      return below + name.get<std::string>() + " is missing";
    }
  }
  return {};
}

}  // namespace

std::string refuse_value(const Json& schema, const Json& value, const std::string& path) {
  const std::string type = schema.value("type", "object");
  if (!is_of_type(value, type)) {
    return fmt::format("{} must be {} {}", path.empty() ? "the arguments" : path,
                       type.find_first_of("aio") == 0 ? "an" : "a", type);
  }
  if (schema.contains("enum")) {
    const Json& allowed = schema["enum"];
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
      return path + " must be one of " + json::text_of(allowed);
    }
  }
  if (type == "string") return refuse_text(schema, value, path);
  if (type == "integer") return refuse_number(schema, value, path);
  if (type == "array") return refuse_list(schema, value, path);
  return type == "object" ? refuse_object(schema, value, path) : std::string();
}

Json list_tools(bool may_write) {
  Json list = Json::array();
  for (const Tool& tool : kTools) {
    Json schema = schema_of(tool);
    const bool writes = may_write && tool.name == "flags";
    // What this caller may not do is not offered.
    if (tool.name == "flags" && !may_write) schema["properties"]["action"]["enum"].erase(3);
    list.push_back({{"name", tool.name},
                    {"title", tool.title},
                    {"description", tool.description},
                    {"inputSchema", std::move(schema)},
                    {"annotations",
                     {{"title", tool.title},
                      {"readOnlyHint", !writes},
                      {"destructiveHint", writes},
                      {"idempotentHint", true},
                      {"openWorldHint", false}}}});
  }
  return list;
}

std::variant<Call, WrongArguments> make_call(std::string_view name, const Json& arguments,
                                             int64_t team_id) {
  for (const Tool& tool : kTools) {
    if (tool.name != name) continue;
    std::string why = refuse_value(schema_of(tool), arguments, "");
    if (!why.empty()) return WrongArguments{.sentence = std::move(why)};
    return tool.make(Arguments(arguments, team_id));
  }
  std::string names;
  for (const Tool& tool : kTools) names.append(names.empty() ? "" : ", ").append(tool.name);
  return WrongArguments{
      .is_unknown_tool = true,
      .sentence = fmt::format("there is no tool '{}'; there are {}", name.substr(0, 100), names)};
}

}  // namespace hogflare::mcp
