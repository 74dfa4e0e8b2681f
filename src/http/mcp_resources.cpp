#include "http/mcp_resources.h"

#include "schema_texts.h"
#include "json/dom.h"

namespace hogflare::mcp {
namespace {

constexpr std::string_view kSchemaUri = "hogflare://schema";
constexpr std::string_view kRecipesUri = "hogflare://recipes";

constexpr std::string_view kSchemaNotes[] = {
    "One row of events is one event as it arrived; copies share (team_id, uuid, event, "
    "distinct_id).",
    "person_id is the person an event was stored with. Whom a distinct_id belongs to now says the "
    "row of "
    "distinct_ids with the highest version; the tool query does that by itself.",
    "persons holds snapshots: the row with the highest version of a person_id counts, unless "
    "is_deleted.",
    "properties is JSON text; json_get_str(properties, '$pathname') reads one, of texts under "
    "2,000 bytes. "
    "custom_properties holds the event's own ones and always fits. Typed columns cost least.",
    "Every table shows the project's rows only, so that no condition on team_id is needed."};

// Arguments of tools, good as they stand; tests/sdk/mcp.test.mjs calls each.
constexpr std::string_view kRecipes = R"json([
{"name": "daily_users", "answers": "People who saw a page, by day, with the week before", "tool": "query", "arguments": {"query": {"kind": "TrendsQuery", "dateRange": {"date_from": "-7d"}, "interval": "day", "series": [{"kind": "EventsNode", "event": "$pageview", "math": "dau"}], "compareFilter": {"compare": true}}}},
{"name": "by_browser", "answers": "Page views by browser over 30 days", "tool": "query", "arguments": {"query": {"kind": "TrendsQuery", "dateRange": {"date_from": "-30d"}, "series": [{"kind": "EventsNode", "event": "$pageview"}], "breakdownFilter": {"breakdown": "$browser", "breakdown_type": "event"}}}},
{"name": "conversion", "answers": "How many of those who saw a page signed up within a week", "tool": "query", "arguments": {"query": {"kind": "FunnelsQuery", "dateRange": {"date_from": "-30d"}, "series": [{"kind": "EventsNode", "event": "$pageview"}, {"kind": "EventsNode", "event": "signed_up"}], "funnelsFilter": {"funnelWindowInterval": 7, "funnelWindowIntervalUnit": "day"}}}},
{"name": "who_dropped_out", "answers": "The people who did not come to a funnel's second step", "tool": "query", "arguments": {"query": {"kind": "ActorsQuery", "select": ["actor"], "source": {"kind": "FunnelsActorsQuery", "funnelStep": -2, "source": {"kind": "FunnelsQuery", "dateRange": {"date_from": "-30d"}, "series": [{"kind": "EventsNode", "event": "$pageview"}, {"kind": "EventsNode", "event": "signed_up"}]}}}}},
{"name": "retention", "answers": "Of the people who came first in a week, how many came back in each later one", "tool": "query", "arguments": {"query": {"kind": "RetentionQuery", "retentionFilter": {"period": "Week", "totalIntervals": 8, "retentionType": "retention_first_time", "targetEntity": {"id": "$pageview", "type": "events"}, "returningEntity": {"id": "$pageview", "type": "events"}}}}},
{"name": "lifecycle", "answers": "New, returning, resurrecting and dormant people by day", "tool": "query", "arguments": {"query": {"kind": "LifecycleQuery", "dateRange": {"date_from": "-14d"}, "series": [{"kind": "EventsNode", "event": "$pageview"}]}}},
{"name": "web_overview", "answers": "Visitors, views, visits, their length and bounce rate", "tool": "query", "arguments": {"query": {"kind": "WebOverviewQuery", "dateRange": {"date_from": "-7d"}, "properties": []}}},
{"name": "channels", "answers": "Where visits came from", "tool": "query", "arguments": {"query": {"kind": "WebStatsTableQuery", "breakdownBy": "InitialChannelType", "dateRange": {"date_from": "-7d"}, "properties": []}}},
{"name": "paths", "answers": "Which page follows which", "tool": "query", "arguments": {"query": {"kind": "PathsQuery", "dateRange": {"date_from": "-7d"}, "pathsFilter": {"includeEventTypes": ["$pageview"]}}}},
{"name": "events_by_hour", "answers": "Events of the last day by hour, by SQL", "tool": "sql", "arguments": {"sql": "SELECT date_trunc('hour', \"timestamp\") AS hour, count(*) AS n FROM events WHERE \"timestamp\" >= now() - INTERVAL '1 day' GROUP BY date_trunc('hour', \"timestamp\") ORDER BY hour LIMIT 24"}},
{"name": "why_rejected", "answers": "What was not accepted, by reason, by SQL", "tool": "sql", "arguments": {"sql": "SELECT reason, count(*) AS n FROM rejects GROUP BY reason ORDER BY n DESC LIMIT 50"}}
])json";

std::string schema_text() {
  Json tables = Json::object();
  for (const SchemaText& each : kSchemaTexts) {
    Json columns = Json::array();
    const Json schema = json::dom_of<Json>(each.fields);
    for (const Json& field : schema["fields"]) {
      columns.push_back({{"name", field["name"]}, {"type", field["type"]}});
    }
    tables[std::string(each.table)] = {{"columns", std::move(columns)}};
  }
  return json::text_of(Json{{"tables", std::move(tables)}, {"notes", kSchemaNotes}});
}

}  // namespace

Json list_resources() {
  return Json::array({{{"uri", kSchemaUri},
                       {"name", "schema"},
                       {"title", "Tables and columns"},
                       {"description", "What the tool sql reads, and how rows stand for people"},
                       {"mimeType", "application/json"}},
                      {{"uri", kRecipesUri},
                       {"name", "recipes"},
                       {"title", "Questions that work"},
                       {"description",
                        "Arguments of the tools query and sql, to be used as they stand "
                        "or changed"},
                       {"mimeType", "application/json"}}});
}

std::optional<Json> read_resource(std::string_view uri) {
  std::string text;
  if (uri == kSchemaUri) text = schema_text();
  if (uri == kRecipesUri) text = kRecipes;
  if (text.empty()) return std::nullopt;
  return Json{
      {"contents",
       Json::array({{{"uri", uri}, {"mimeType", "application/json"}, {"text", std::move(text)}}})}};
}

}  // namespace hogflare::mcp
