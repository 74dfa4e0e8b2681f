// GET /api/projects/{id}/persons, events, property_definitions and event_definitions: lists from
// the lake, each a question of its own with the query's parameters for members.
#include <charconv>
#include <nlohmann/json.hpp>

#include "asking_task.h"
#include "hogflare/insights_limits.h"
#include "hogflare/json.h"
#include "hogflare/url.h"
#include "json/dom.h"

namespace hogflare {
namespace {

using Json = nlohmann::json;

class ListTask final : public AskingTask {
 public:
  using AskingTask::AskingTask;

 private:
  std::string parameter(std::string_view name) const {
    return form_value(head().query, name).value_or("");
  }

  std::optional<Fault> read(Question& question) override {
    if (head().query.size() > limits::kQuestionBodyBytesMax / 8) {
      return Fault{.status = 413, .code = "too_large", .detail = "the query is too long"};
    }
    if (memory().hold(limits::kQuestionBodyBytesMax)) {
      return Fault{.status = 503,
                   .type = "server_error",
                   .code = "memory_busy",
                   .detail = "other requests take the memory that this one needs: ask again",
                   .retry_after_s = 1};
    }
    question.path = "list";
    question.must_ask = parameter("refresh") == "true";
    Json query = make_query();
    if (wrong_) return wrong_;
    question.query = json::text_of(query);
    return std::nullopt;
  }

  Json make_query() {
    switch (route().endpoint) {
      case RouteKind::kPropertyDefinitions:
        return property_definitions();
      case RouteKind::kEventDefinitions:
        return with_texts({{"kind", "_EventDefinitions"}}, {{"search", "search"}});
      case RouteKind::kPersonList:
        return with_page(with_texts({{"kind", "PersonsQuery"}, {"select", {"person"}}},
                                    {{"search", "search"}, {"distinct_id", "distinctId"}}));
      default:
        return events();
    }
  }

  struct Name {
    const char* parameter;
    const char* member;
  };
  Json with_texts(Json query, std::initializer_list<Name> names) const {
    for (const Name& name : names) {
      std::string value = parameter(name.parameter);
      if (!value.empty()) query[name.member] = std::move(value);
    }
    return query;
  }

  void refuse(const char* name, const char* sentence) {
    wrong_ =
        Fault{.code = "invalid_input", .detail = std::string(name) + " " + sentence, .attr = name};
  }

  Json with_page(Json query) {
    for (const char* name : {"limit", "offset"}) {
      const std::string text = parameter(name);
      if (text.empty()) continue;
      int64_t number = 0;
      const char* end = text.data() + text.size();
      const auto [at, error] = std::from_chars(text.data(), end, number);
      if (error != std::errc() || at != end) refuse(name, "must be a whole number");
      query[name] = number;
    }
    return query;
  }

  // A parameter of JSON; `name` alone is a text where it does not begin as a list or an object.
  Json document(const char* name) {
    const std::string text = parameter(name);
    if (!json::Document::parse_const(text, 1).ok()) {
      refuse(name, "must be JSON");
      return Json();
    }
    return json::dom_of<Json>(text);
  }

  Json property_definitions() {
    Json query =
        with_texts({{"kind", "_PropertyDefinitions"}}, {{"type", "type"}, {"search", "search"}});
    const std::string names = parameter("event_names");
    if (names.empty()) return query;
    query["event_names"] = names[0] == '[' ? document("event_names") : Json::array({names});
    return query;
  }

  Json events() {
    Json query = with_texts(
        {{"kind", "EventsQuery"}, {"select", {"*", "person"}}},
        {{"event", "event"}, {"person_id", "personId"}, {"after", "after"}, {"before", "before"}});
    const std::string distinct_id = parameter("distinct_id");
    Json filters = Json::array();
    if (!parameter("properties").empty()) filters = document("properties");
    if (!distinct_id.empty() && filters.is_array()) {
      filters.push_back({{"key", "distinct_id"},
                         {"type", "event_metadata"},
                         {"operator", "exact"},
                         {"value", {distinct_id}}});
    }
    if (!filters.empty()) query["properties"] = std::move(filters);
    return with_page(std::move(query));
  }

  Reply write(std::string answer) override {
    const bool is_persons = route().endpoint == RouteKind::kPersonList;
    if (!is_persons && route().endpoint != RouteKind::kEventList) {
      return answer_as_asked(head(), std::move(answer));
    }
    Json envelope = json::dom_of<Json>(answer);
    if (!envelope.is_object()) return json_answer(std::move(answer));
    Json results = Json::array();
    for (Json& row : envelope["results"]) results.push_back(is_persons ? row[0] : event_of(row));
    envelope["results"] = std::move(results);
    envelope["next"] = next_page(envelope);
    envelope["previous"] = nullptr;
    for (const char* member : {"columns", "types"}) envelope.erase(member);
    return answer_as_asked(head(), json::text_of(envelope));
  }

  static Json event_of(Json& row) {
    Json event = row[0];
    event["id"] = event["uuid"];
    event["person"] = row[1];
    return event;
  }

  // The same request further on; null at the end.
  Json next_page(const Json& envelope) const {
    if (envelope.value("hasMore", false) == false) return nullptr;
    std::string query;
    std::string_view rest = head().query;
    while (!rest.empty()) {
      const std::string_view pair = rest.substr(0, rest.find('&'));
      rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
      if (pair.substr(0, 7) != "offset=") query.append(pair).push_back('&');
    }
    const int64_t offset =
        envelope.value("offset", int64_t{0}) + envelope.value("limit", int64_t{0});
    return "?" + query + "offset=" + std::to_string(offset);
  }

  std::optional<Fault> wrong_;
};

}  // namespace

std::unique_ptr<Task> make_list_task(CoreState& state, std::unique_ptr<HttpRequest> request) {
  return std::make_unique<ListTask>(state, std::move(request));
}

}  // namespace hogflare
