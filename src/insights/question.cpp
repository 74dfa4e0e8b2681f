#include "insights/question.h"

#include <fmt/format.h>

#include "hogflare/insights_limits.h"
#include "insights/sql_text.h"
#include "json/dom.h"

namespace hogflare::insights {
namespace {

Filter url_filter(const View& step) {
  const std::optional<std::string> url = step["url"].optional_text();
  if (!url || url->empty()) return {};
  Filter filter{.kind = Filter::Kind::kTest,
                .type = "event",
                .key = "$current_url",
                .path = step["url"].path()};
  const std::string how = step["url_matching"].one_of({"contains", "exact", "regex"});
  filter.op = how == "contains" ? "contains_exactly" : how;
  filter.values.push_back(*url);
  return filter;
}

void read_action(Series& series, const View& id, const Project& project) {
  series.type = "actions";
  series.id = id.json();
  for (size_t i = 0; i < project.actions.size(); ++i) {
    const View action(&project.actions[i], fmt::format("project.actions.{}", i), id.refusals());
    if (action["id"].json() != id.json()) continue;
    series.label = action["name"].text();
    for (const View& step : action["steps"].items()) {
      step.only({"event", "properties", "url", "url_matching"});
      series.any_of.push_back(
          {.event = step["event"].optional_text(),
           .filter = both(url_filter(step), read_filters(step["properties"], project))});
    }
    if (series.any_of.empty()) action["steps"].refuse("holds no step");
    return;
  }
  id.refuse("is no action of this project");
}

void read_events(Series& series, const View& node, const Project& project, std::string_view kind) {
  if (kind == "ActionsNode") return read_action(series, node["id"], project);
  if (kind == "GroupNode") {
    node["operator"].one_of({"OR"});
    for (const View& part : node["nodes"].items()) {
      part.only({"event", "properties"});
      part["kind"].one_of({"EventsNode"});
      series.any_of.push_back({.event = part["event"].optional_text(),
                               .filter = read_filters(part["properties"], project)});
    }
    if (series.any_of.empty()) node["nodes"].refuse("holds no event");
    series.label = node["name"].text("Events");
    series.id = series.label;
    return;
  }
  const std::optional<std::string> event = node["event"].optional_text();
  series.any_of.push_back({.event = event, .filter = {}});
  series.label = event.value_or("All events");
  if (event) series.id = *event;
}

}  // namespace

Json Series::action(size_t order) const {
  return Json{{"id", id},
              {"type", type},
              {"order", order},
              {"name", label},
              {"custom_name", custom_name ? Json(*custom_name) : Json()},
              {"math", math.empty() ? Json() : Json(math)},
              {"math_property", math_property.empty() ? Json() : Json(math_property)},
              {"math_hogql", nullptr},
              {"math_group_type_index", group_index < 0 ? Json() : Json(group_index)},
              {"properties", Json::object()}};
}

Series read_series(const View& view, const Project& project) {
  Series series{.path = view.path()};
  const std::string kind = view["kind"].one_of({"EventsNode", "ActionsNode", "GroupNode"});
  view.only({"event", "id", "math", "math_property", "math_property_type", "math_group_type_index",
             "math_multiplier", "properties", "fixedProperties", "optionalInFunnel", "operator",
             "nodes", "limit"});
  view["limit"].refuse_if_given("is not done here");
  read_events(series, view, project, kind);
  series.custom_name = view["custom_name"].optional_text();
  series.math = view["math"].text();
  series.math_property = view["math_property"].text();
  series.math_property_type = view["math_property_type"].one_of(
      {"event_properties", "person_properties", "session_properties"});
  series.group_index = static_cast<int>(view["math_group_type_index"].integer(-1, {0, 4}));
  series.multiplier = view["math_multiplier"].number().value_or(1);
  series.optional_step = view["optionalInFunnel"].flag();
  series.filter = both(read_filters(view["properties"], project),
                       read_filters(view["fixedProperties"], project));
  return series;
}

Series read_entity(const View& view, const Project& project) {
  Series series{.path = view.path()};
  view.only({"id", "type", "properties", "uuid"});
  if (!view.given()) {
    series.any_of.push_back({.event = "$pageview", .filter = {}});
    series.label = "$pageview";
  } else if (view["type"].one_of({"events", "actions"}) == "actions") {
    read_action(series, view["id"], project);
  } else {
    const std::optional<std::string> event = view["id"].optional_text();
    series.any_of.push_back({.event = event, .filter = {}});
    series.label = event.value_or("All events");
  }
  series.filter = read_filters(view["properties"], project);
  return series;
}

std::string condition(const Series& series, Scan& scan, Refusals& refusals) {
  std::string any;
  for (const Alternative& one : series.any_of) {
    const std::string event = one.event ? fmt::format("event = {}", literal(*one.event)) : "TRUE";
    any += fmt::format("{}({} AND {})", any.empty() ? "" : " OR ", event,
                       condition(one.filter, scan, refusals));
  }
  return fmt::format("(({}) AND {})", any, condition(series.filter, scan, refusals));
}

void add_events(const Series& series, Scan& scan) {
  for (const Alternative& one : series.any_of) scan.add_event(one.event);
}

namespace {

Breakdown read_breakdown(const View& view, const View& type) {
  Breakdown out{.property = view.text(), .path = view.path()};
  out.type = type.one_of({"event", "person", "group", "session", "event_metadata", "cohort"});
  if (out.property.empty()) view.refuse("must name a property");
  if (out.type == "group") type.refuse("group properties cannot be asked for");
  return out;
}

void read_cohort_breakdown(Breakdowns& out, const View& values, const Project& project) {
  std::vector<View> items;
  if (values.is_array())
    items = values.items();
  else
    items.push_back(values);
  for (const View& item : items) {
    const std::string id = item.is_text() ? item.text() : json::text_of(item.json());
    const bool is_all = id == "all" || id == "0";
    out.cohorts.push_back(is_all ? "all" : id);
    out.members.push_back(is_all ? Filter() : read_members(id, item, project));
  }
  if (out.cohorts.empty() || out.cohorts.size() > limits::kBreakdownCohortsMax)
    values.refuse("must name one to twenty cohorts");
}

}  // namespace

Breakdowns read_breakdowns(const View& filter, const Project& project) {
  Breakdowns out;
  filter.only({"breakdown", "breakdown_type", "breakdown_limit", "breakdown_hide_other_aggregation",
               "breakdown_normalize_url", "breakdown_group_type_index", "breakdowns",
               "breakdown_histogram_bin_count"});
  filter["breakdown_histogram_bin_count"].refuse_if_given("histograms are not done here");
  out.limit = filter["breakdown_limit"].integer(25, {1, limits::kBreakdownValuesMax});
  out.hide_other = filter["breakdown_hide_other_aggregation"].flag();
  const std::vector<View> several = filter["breakdowns"].items();
  if (several.size() > 3) filter["breakdowns"].refuse("holds more than three");
  for (const View& one : several) {
    one.only({"property", "type", "normalize_url", "group_type_index", "histogram_bin_count"});
    one["histogram_bin_count"].refuse_if_given("histograms are not done here");
    out.by.push_back(read_breakdown(one["property"], one["type"]));
    out.by.back().normalize_url = one["normalize_url"].flag();
    if (out.by.back().type == "cohort")
      one["type"].refuse("cohorts are broken down by alone, with breakdown");
  }
  out.is_list = several.size() > 1;
  const View single = filter["breakdown"];
  if (!single.given() || !out.by.empty()) return out;
  if (filter["breakdown_type"].text("event") == "cohort") {
    read_cohort_breakdown(out, single, project);
    return out;
  }
  if (single.is_array()) {
    for (const View& one : single.items())
      out.by.push_back(read_breakdown(one, filter["breakdown_type"]));
    out.is_list = out.by.size() > 1;
    if (out.by.size() > 3) single.refuse("holds more than three");
  } else {
    out.by.push_back(read_breakdown(single, filter["breakdown_type"]));
  }
  for (Breakdown& one : out.by) one.normalize_url = filter["breakdown_normalize_url"].flag();
  return out;
}

std::string breakdown_text(const Breakdown& breakdown, Scan& scan, Refusals& refusals) {
  const View at(nullptr, breakdown.path, &refusals);
  std::string x;
  if (breakdown.type == "person") {
    x = scan.person_property(at, breakdown.property);
  } else if (breakdown.type == "session") {
    constexpr std::pair<std::string_view, std::string_view> kColumns[] = {
        {"$entry_current_url", "entry_url"},
        {"$entry_pathname", "entry_path"},
        {"$end_pathname", "exit_path"},
        {"$entry_utm_source", "entry_utm_source"},
        {"$entry_utm_medium", "entry_utm_medium"},
        {"$entry_utm_campaign", "entry_utm_campaign"},
        {"$entry_referring_domain", "entry_referring_domain"},
        {"$session_duration", "duration_s"}};
    for (const auto& [key, column] : kColumns) {
      if (key == breakdown.property) x = fmt::format("CAST({} AS VARCHAR)", scan.session(column));
    }
    if (x.empty()) at.refuse("is no property of a visit that is known here");
  } else if (breakdown.type == "event_metadata") {
    if (breakdown.property == "event" || breakdown.property == "distinct_id")
      x = breakdown.property;
    else
      at.refuse("is no column that can be asked for");
  } else {
    x = scan.event_property(at, breakdown.property);
  }
  if (x.empty()) return "NULL";
  if (!breakdown.normalize_url) return x;
  const std::string trimmed = fmt::format("regexp_replace({}, '[/?#]+$', '')", x);
  return fmt::format(
      "CASE WHEN {0} IS NULL OR {0} = '' THEN {0} WHEN {1} = '' THEN '/' ELSE {1} END", x, trimmed);
}

namespace {

// Modifiers that choose how PostHog computes an answer, not which.
void read_modifiers(Common& common, const View& modifiers) {
  if (!modifiers.given()) return;
  modifiers.only({"personsOnEventsMode", "personsArgMaxVersion", "materializationMode",
                  "optimizeJoinedFilters", "inCohortVia", "debug", "timings",
                  "convertToProjectTimezone", "useMaterializedViews", "sessionTableVersion",
                  "propertyGroupsMode", "useWebAnalyticsPreAggregatedTables"});
  if (!modifiers["convertToProjectTimezone"].flag(true))
    modifiers["convertToProjectTimezone"].refuse("must be true: days are those of the project");
  const View mode = modifiers["personsOnEventsMode"];
  const std::string text = mode.one_of(
      {"person_id_override_properties_on_events", "person_id_override_properties_joined"});
  if (text == "person_id_override_properties_joined")
    common.person_properties = PersonProperties::kPresent;
}

}  // namespace

void check_modifiers(const View& modifiers) {
  Common nothing;
  read_modifiers(nothing, modifiers);
}

Common read_common(const View& question, const Project& project) {
  Common common;
  common.filter = read_filters(question["properties"], project);
  if (question["filterTestAccounts"].flag()) {
    const View filters(&project.test_account_filters, "project.test_account_filters",
                       question.refusals());
    common.filter = both(std::move(common.filter), read_filters(filters, project));
  }
  const View sampling = question["samplingFactor"];
  if (sampling.given() && sampling.number().value_or(0) != 1)
    sampling.refuse("sampling is not done here");
  common.group_index =
      static_cast<int>(question["aggregation_group_type_index"].integer(-1, {0, 4}));
  read_modifiers(common, question["modifiers"]);
  return common;
}

std::string unit_of(const Common& common, Scan& scan) {
  return common.group_index < 0 ? scan.person() : scan.group_key(common.group_index);
}

}  // namespace hogflare::insights
