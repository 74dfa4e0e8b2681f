// GET /api/projects/{id}/persons, events, property_definitions and event_definitions: lists from
// the lake, each a question of its own with the query's parameters for members.

#include "asking_task.h"
#include "hogflare/insights_limits.h"
#include "hogflare/json.h"
#include "hogflare/url.h"
#include "hogflare/whole_number.h"
#include "json/fields.h"
#include "json/members.h"

namespace hogflare {
namespace {

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
    question.query = make_query();
    return wrong_;
  }

  std::string make_query() {
    std::string query;
    switch (route().endpoint) {
      case RouteKind::kPropertyDefinitions:
        query = R"({"kind":"_PropertyDefinitions")";
        append_texts(query, {{"type", "type"}, {"search", "search"}});
        append_event_names(query);
        break;
      case RouteKind::kEventDefinitions:
        query = R"({"kind":"_EventDefinitions")";
        append_texts(query, {{"search", "search"}});
        break;
      case RouteKind::kPersonList:
        query = R"({"kind":"PersonsQuery","select":["person"])";
        append_texts(query, {{"search", "search"}, {"distinct_id", "distinctId"}});
        append_page(query);
        break;
      default:
        query = R"({"kind":"EventsQuery","select":["*","person"])";
        append_texts(query, {{"event", "event"},
                             {"person_id", "personId"},
                             {"after", "after"},
                             {"before", "before"}});
        append_filters(query);
        append_page(query);
        break;
    }
    return query + "}";
  }

  struct Name {
    const char* parameter;
    const char* member;
  };
  void append_texts(std::string& query, std::initializer_list<Name> names) const {
    for (const Name& name : names) {
      const std::string value = parameter(name.parameter);
      if (!value.empty()) append_text(query, name.member, value);
    }
  }

  void refuse(const char* name, const char* sentence) {
    wrong_ =
        Fault{.code = "invalid_input", .detail = std::string(name) + " " + sentence, .attr = name};
  }

  void append_page(std::string& query) {
    for (const char* name : {"limit", "offset"}) {
      const std::string text = parameter(name);
      if (text.empty()) continue;
      const auto number = whole_number<int64_t>(text);
      if (!number) refuse(name, "must be a whole number");
      append_number(query, name, number.value_or(0));
    }
  }

  // A JSON list, or one name alone.
  void append_event_names(std::string& query) {
    const std::string names = parameter("event_names");
    if (names.empty()) return;
    append_name(query, "event_names");
    if (names[0] != '[') {
      query += '[';
      json::append_string(query, names);
      query += ']';
    } else if (json::Document::parse_const(names, 1).ok()) {
      query += names;
    } else {
      refuse("event_names", "must be JSON");
    }
  }

  // `properties`, and distinct_id as a filter behind them.
  void append_filters(std::string& query) {
    std::string properties = parameter("properties");
    if (properties.empty()) properties = "[]";
    const std::string distinct_id = parameter("distinct_id");
    const auto document = json::Document::parse_const(properties, 1);
    if (!document.ok()) return refuse("properties", "must be JSON");
    const json::Value given = document.value().root();
    append_name(query, "properties");
    // The planner says what is wrong with anything else.
    if (!given.is_array()) {
      query.append(given.raw());
      return;
    }
    query += '[';
    for (const json::Value filter : given.elements()) {
      if (query.back() != '[') query += ',';
      query.append(filter.raw());
    }
    if (!distinct_id.empty()) {
      if (query.back() != '[') query += ',';
      query += R"({"key":"distinct_id","type":"event_metadata","operator":"exact","value":[)";
      json::append_string(query, distinct_id);
      query += "]}";
    }
    query += ']';
  }

  Reply write(std::string answer) override {
    const bool is_persons = route().endpoint == RouteKind::kPersonList;
    if (!is_persons && route().endpoint != RouteKind::kEventList) {
      return answer_as_asked(head(), std::move(answer), memory());
    }
    // Down to the members of a row's event.
    const auto document = json::Document::parse_const(answer, is_persons ? 3 : 4);
    if (!document.ok()) return json_answer(std::move(answer));
    const json::Value envelope = document.value().root();
    std::string results = "[";
    results.reserve(answer.size());
    for (const json::Value row : envelope.find("results").elements()) {
      if (results.back() != '[') results += ',';
      if (is_persons) {
        append_first(results, row);
      } else {
        append_event(results, row);
      }
    }
    results += ']';
    const std::string next = next_page(envelope);
    MemberTexts members;
    for (const json::Member member : envelope.members()) {
      if (member.key_is("columns") || member.key_is("types")) continue;
      members.put(member.inner_key(), member.value.raw());
    }
    members.put("results", results);
    members.put("next", next);
    members.put("previous", "null");
    return answer_as_asked(head(), members.object(), memory());
  }

  static void append_first(std::string& out, json::Value row) {
    for (const json::Value person : row.elements()) {
      out.append(person.raw());
      return;
    }
  }

  // [event, person] as PostHog's event.
  static void append_event(std::string& out, json::Value row) {
    std::string_view id;
    for (const json::Value part : row.elements()) {
      if (!id.empty()) {
        out.append(R"(,"person":)").append(part.raw());
        break;
      }
      out.append(part.raw());
      out.pop_back();
      id = part.find("uuid").raw();
      out.append(R"(,"id":)").append(id);
    }
    out += '}';
  }

  // The same request further on, as JSON; null at the end.
  std::string next_page(json::Value envelope) const {
    if (!envelope.find("hasMore").is_true()) return "null";
    std::string query;
    std::string_view rest = head().query;
    while (!rest.empty()) {
      const std::string_view pair = rest.substr(0, rest.find('&'));
      rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
      if (pair.substr(0, 7) != "offset=") query.append(pair).push_back('&');
    }
    int64_t offset = 0;
    for (const char* name : {"offset", "limit"}) {
      offset += number_of(envelope, name);
    }
    std::string out;
    json::append_string(out, "?" + query + "offset=" + std::to_string(offset));
    return out;
  }

  std::optional<Fault> wrong_;
};

}  // namespace

std::unique_ptr<Task> make_list_task(CoreState& state, std::unique_ptr<HttpRequest> request) {
  return std::make_unique<ListTask>(state, std::move(request));
}

}  // namespace hogflare
