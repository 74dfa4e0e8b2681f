// PostHog's rules of 2026 for one event: what reaches its person, its groups and its row. The cases
// of tests/vectors/2-identity-*.json hold more of them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "hogflare/limits.h"
#include "hogflare/property_bag.h"
#include "hogflare/rows.h"
#include "identity_support.h"
#include "rows/cut.h"
#include "rows/elements.h"
#include "rows/members.h"
#include "wire_support.h"

using namespace hogflare;
using Json = nlohmann::json;
using test::EventBatch;
using test::Fixture;
using test::kNowMs;

namespace {

constexpr int64_t kDay = 86'400'000;

IdentityPlan plan_of(const std::string& json, const ConnectionPlace* place = nullptr,
                     int64_t now_ms = kNowMs) {
  EventBatch batch;
  const Project project;
  return plan_identity(batch.add(json), {.project = project, .now_ms = now_ms, .place = place});
}

IdentityPlan plan_of_properties(const std::string& properties,
                                const ConnectionPlace* place = nullptr) {
  return plan_of(R"({"event":"e","distinct_id":"u","properties":)" + properties + "}", place);
}

Json json_of(const std::string& text) { return text.empty() ? Json() : Json::parse(text); }

std::vector<std::string> warnings_of(const IdentityPlan& plan) {
  std::vector<std::string> names;
  for (const NamedWarning& warning : plan.warnings) names.emplace_back(warning.name);
  return names;
}

Json properties_of(Fixture& f, const std::string& properties, const std::string& name = "e") {
  auto decoded = f.decode(R"({"api_key":"phc_x","event":")" + name +
                              R"(","distinct_id":"u","properties":)" + properties + "}",
                          Endpoint::kBatch);
  REQUIRE(decoded.ok());
  const CaptureBatch& batch = *decoded.value();
  REQUIRE(batch.events.size() == 1);
  RowWriter writer(f.head, {batch.token, batch.project, {}}, f.config, kNowMs);
  RowBatch rows(Stream::kEvents);
  writer.append_event(batch.events[0], {}, {}, rows);
  CHECK(check_row(rows.row(0)) == std::nullopt);
  return Json::parse(rows.row(0))["properties"];
}

std::string distinct_id_of(const std::string& raw) {
  Fixture f;
  auto decoded =
      f.decode(R"({"api_key":"phc_x","event":"e","distinct_id":)" + raw + "}", Endpoint::kBatch);
  REQUIRE(decoded.ok());
  REQUIRE(decoded.value()->events.size() == 1);
  return decoded.value()->events[0].distinct_id;
}

RequestHead berlin() {
  RequestHead head;
  head.cf_connecting_ip = "203.0.113.9";
  head.edge.country = "DE";
  head.edge.city = "Berlin";
  head.edge.latitude = "52.5";
  return head;
}

}  // namespace

TEST_CASE("A null parameter clears the latest value and is no first one") {
  const IdentityPlan plan = plan_of_properties(R"({"gclid":null,"$browser":"C"})");
  CHECK(json_of(plan.set) == Json::parse(R"({"gclid":null,"$browser":"C"})"));
  CHECK(json_of(plan.set_once) == Json::parse(R"({"$initial_browser":"C"})"));
}

TEST_CASE(
    "A NUL in a value that is lifted to the person becomes U+FFFD, and no other value changes") {
  const IdentityPlan plan = plan_of_properties(R"({"$browser":"a\u0000b","$os":"\\u0000 c"})");
  CHECK(json_of(plan.set) == json_of(R"({"$browser":"a\ufffdb","$os":"\\u0000 c"})"));
  CHECK(json_of(plan.set_once)["$initial_browser"] ==
        "a\xEF\xBF\xBD"
        "b");
}

TEST_CASE("fbclid becomes Meta's cookie with the day of the event") {
  const auto click = [](const std::string& members, int64_t now_ms = kNowMs) {
    const IdentityPlan plan = plan_of(
        R"({"event":"e","distinct_id":"u","timestamp":"2025-06-08T15:00:00Z","properties":{)" +
            members + "}}",
        nullptr, now_ms);
    return json_of(plan.set).value("$fbc", Json());
  };
  const std::string day = "1749340800000";
  CHECK(click(R"("fbclid":"Ab_-9")") == "fb.1." + day + ".Ab_-9");
  CHECK(click("\"fbclid\":\"" + std::string(400, 'a') + '"') ==
        "fb.1." + day + "." + std::string(400, 'a'));
  // A clock that runs ahead does not stretch Meta's window.
  CHECK(click(R"("fbclid":"a")", 5 * kDay + 7) == "fb.1." + std::to_string(5 * kDay) + ".a");
  CHECK(click("\"fbclid\":\"" + std::string(401, 'a') + '"').is_null());
  CHECK(click(R"("fbclid":"a b")").is_null());
  CHECK(click(R"("fbclid":"")").is_null());
  CHECK(click(R"("fbclid":7)").is_null());
  CHECK(click(R"("fbclid":null)").is_null());
  CHECK(click(R"("$set":{"fbclid":"a"})").is_null());
  CHECK(click(R"("fbclid":"a","$set":{"$fbc":"mine"})") == "mine");
}

TEST_CASE("A survey that was shown is noted on its person") {
  const std::string at = R"("distinct_id":"u","timestamp":"2025-06-08T15:00:00Z")";
  const auto seen = [&](const std::string& name, const std::string& rest) {
    const IdentityPlan plan = plan_of(R"({"event":")" + name + "\"," + at + rest + "}");
    return json_of(plan.set).value("$survey_last_seen_date", Json());
  };
  CHECK(seen("survey shown", "") == "2025-06-08T15:00:00.000Z");
  CHECK(seen("survey shown", R"(,"$set":{"$survey_last_seen_date":"x"})") == "x");
}

TEST_CASE("What names the other side of a merge is a text, or the event is dropped") {
  struct Case {
    const char* event;
    const char* properties;
    const char* warning;  // null: not dropped
  };
  const Case cases[] = {
      {"$identify", R"({"$anon_distinct_id":{"a":1}})", "invalid_anon_distinct_id"},
      {"$identify", R"({"$anon_distinct_id":["a"]})", "invalid_anon_distinct_id"},
      {"$identify", R"({"$anon_distinct_id":true})", "invalid_anon_distinct_id"},
      {"$identify", R"({"$anon_distinct_id":12345})", "invalid_anon_distinct_id"},
      {"$identify", R"({"alias":{}})", "invalid_alias"},
      {"$create_alias", R"({"alias":[]})", "invalid_alias"},
      {"$merge_dangerously", R"({"alias":false,"$process_person_profile":false})", "invalid_alias"},
      {"$identify", R"({"$anon_distinct_id":null})", nullptr},
      {"$identify", R"({"$anon_distinct_id":"a","alias":"b"})", nullptr},
      {"custom", R"({"alias":{"a":1},"$anon_distinct_id":[]})", nullptr},
  };
  for (const Case& each : cases) {
    INFO(each.event << each.properties);
    const IdentityPlan plan = plan_of(std::string(R"({"distinct_id":"u","event":")") + each.event +
                                      R"(","properties":)" + each.properties + "}");
    CHECK((plan.kind == IdentityPlan::Kind::kDrop) == (each.warning != nullptr));
    if (each.warning != nullptr) CHECK(warnings_of(plan) == std::vector<std::string>{each.warning});
  }
  // An empty alias is none, and no reason to warn.
  const IdentityPlan empty =
      plan_of(R"({"distinct_id":"u","event":"$create_alias","properties":{"alias":""}})");
  CHECK(empty.merge == MergeKind::kNone);
  CHECK(warnings_of(empty).empty());
}

TEST_CASE("A group's key has 400 characters at most") {
  const auto plan = [](const std::string& key, const char* event = "$groupidentify") {
    return plan_of(std::string(R"({"distinct_id":"u","event":")") + event +
                   R"(","properties":{"$group_type":"org","$group_key":")" + key + "\"}}");
  };
  CHECK(plan(std::string(400, 'k')).kind == IdentityPlan::Kind::kCall);
  CHECK(plan(std::string(401, 'k')).kind == IdentityPlan::Kind::kDrop);
  std::string hedgehogs;  // two UTF-16 units each
  for (int i = 0; i < 200; ++i) hedgehogs += "🦔";
  CHECK(plan(hedgehogs).kind == IdentityPlan::Kind::kCall);
  CHECK(plan(hedgehogs + "x").kind == IdentityPlan::Kind::kDrop);
  CHECK(plan(std::string(500, 'k'), "custom").kind == IdentityPlan::Kind::kCall);
}

TEST_CASE("An AI event shows its person and groups and changes neither") {
  test::ObjectHost host;
  IdentityCaches caches;
  const Project project;
  const auto send = [&](const std::string& json) {
    EventBatch batch;
    batch.add(json);
    test::RequestRun run(host, caches, project, batch);
    const PersonView person = run.people.take_view(0);
    return std::tuple(std::string(person.person_properties), std::string(person.row_set),
                      std::string(person.mode), run.groups.take_view(0).keys[0]);
  };
  const std::string ai =
      R"({"event":"$ai_generation","distinct_id":"u","properties":{"$set":{"a":2},"$browser":"C",)"
      R"("$unset":["a"],"$groups":{"org":"g"}}})";
  CHECK(send(ai) == std::tuple("{}", "", "full", ""));
  CHECK(host.objects.count({ObjectClass::kPerson, "1:u"}) <= 1);
  send(R"({"event":"e","distinct_id":"u","properties":{"$set":{"a":1},"$groups":{"org":"g"}}})");
  const auto [person, set, mode, group] = send(ai);
  CHECK(json_of(person)["a"] == 1);
  CHECK_FALSE(json_of(person).contains("$browser"));
  CHECK(set.empty());
  CHECK(mode == "full");
  CHECK(group == "g");
}

TEST_CASE("The connection's place makes no properties larger than an object stores") {
  const RequestHead head = berlin();
  const ConnectionPlace place = ConnectionPlace::of(head);
  for (const std::string name : {"$set", "$set_once"}) {
    bool has_been_there = false;
    bool has_been_left_out = false;
    for (size_t left = 0; left < 600; left += 10) {
      const std::string object =
          R"({"a":")" + std::string(limits::kPersonPropertiesBytesMax - left - 8, 'x') + "\"}";
      REQUIRE(object.size() + left == limits::kPersonPropertiesBytesMax);
      const IdentityPlan plan = plan_of_properties("{\"" + name + "\":" + object + "}", &place);
      CAPTURE(name, left);
      CHECK(plan.warnings.empty());
      const std::string& text = name == "$set" ? plan.set : plan.set_once;
      CHECK(text.size() <= limits::kPersonPropertiesBytesMax);
      CHECK(text.size() >= object.size());
      (text.size() == object.size() ? has_been_left_out : has_been_there) = true;
    }
    CHECK(has_been_there);
    CHECK(has_been_left_out);
  }
}

TEST_CASE("The connection's place reaches the person as PostHog's GeoIP does") {
  const RequestHead head = berlin();
  const ConnectionPlace place = ConnectionPlace::of(head);
  const auto city = [&](const std::string& properties) {
    const Json set = json_of(plan_of_properties(properties, &place).set);
    return set.is_null() ? set : set.value("$geoip_city_name", Json());
  };
  const IdentityPlan plan = plan_of_properties(R"({"$set":{"a":1}})", &place);
  CHECK(json_of(plan.set) == Json::parse(R"({"a":1,"$geoip_country_code":"DE",)"
                                         R"("$geoip_city_name":"Berlin","$geoip_latitude":52.5})"));
  CHECK(json_of(plan.set_once) ==
        Json::parse(R"({"$initial_geoip_country_code":"DE","$initial_geoip_city_name":"Berlin",)"
                    R"("$initial_geoip_latitude":52.5})"));
  RequestHead whole = head;
  whole.edge.continent = "EU";
  whole.edge.longitude = "13.4";
  whole.edge.postal_code = "10115";
  whole.edge.region_code = "BE";
  whole.edge.region = "Land Berlin";
  whole.edge.timezone = "Europe/Berlin";
  const ConnectionPlace everything = ConnectionPlace::of(whole);
  CHECK(json_of(plan_of_properties("{}", &everything).set) ==
        Json::parse(R"({"$geoip_country_code":"DE","$geoip_city_name":"Berlin",)"
                    R"("$geoip_continent_code":"EU","$geoip_latitude":52.5,)"
                    R"("$geoip_longitude":13.4,"$geoip_postal_code":"10115",)"
                    R"("$geoip_subdivision_1_code":"BE","$geoip_subdivision_1_name":"Land Berlin",)"
                    R"("$geoip_time_zone":"Europe/Berlin"})"));
  CHECK(city("{}") == "Berlin");
  CHECK(city(R"({"$ip":"203.0.113.9"})") == "Berlin");
  CHECK(city(R"({"$ip":null})") == "Berlin");
  CHECK(city(R"({"$ip":"198.51.100.7"})").is_null());
  CHECK(city(R"({"$geoip_disable":true})").is_null());
  CHECK(city(R"({"$geoip_disable":false})") == "Berlin");
  CHECK(city(R"({"$geoip_country_name":"Norway"})").is_null());
  CHECK(city(R"({"$set":{"$geoip_country_code":"NO"}})").is_null());
  CHECK(city(R"({"$process_person_profile":false})").is_null());
}

TEST_CASE("A row holds the connection's place unless the client names another") {
  Fixture f;
  f.head = berlin();
  f.head.edge.metro_code = "807";
  const auto has_place = [&](const std::string& properties) {
    const Json found = properties_of(f, properties);
    CHECK((found.contains("$geoip_city_name") && found["$geoip_city_name"] == "Berlin") ==
          found.contains("cf_metro_code"));
    return found.contains("cf_metro_code");
  };
  CHECK(has_place("{}"));
  CHECK(has_place(R"({"$ip":"203.0.113.9"})"));
  CHECK(has_place(R"({"$ip":""})"));
  CHECK_FALSE(has_place(R"({"$ip":"198.51.100.7"})"));
  CHECK_FALSE(has_place(R"({"$geoip_accuracy_radius":5})"));
  CHECK_FALSE(has_place(R"({"$geoip_country_code":"NO"})"));
  CHECK_FALSE(has_place(R"({"$geoip_disable":true})"));
  f.config.anonymize_ip = true;
  CHECK(has_place(R"({"$ip":"203.0.113.9"})"));
  CHECK_FALSE(has_place(R"({"$ip":"198.51.100.7"})"));
}

TEST_CASE("$os_name is another name of the event's $os, not of the person's") {
  Fixture f;
  CHECK(properties_of(f, R"({"$os_name":"iOS"})")["$os"] == "iOS");
  CHECK(properties_of(f, R"({"$os_name":"iOS","$os":"x"})")["$os"] == "x");
  CHECK_FALSE(properties_of(f, R"({"$os_name":"iOS","$is_server":true})").contains("$os"));
  CHECK_FALSE(properties_of(f, R"({"$os_name":"iOS"})", "$snapshot").contains("$os"));
  CHECK(json_of(plan_of_properties(R"({"$set":{"$os_name":"a"}})").set) ==
        Json::parse(R"({"$os_name":"a"})"));
  CHECK(json_of(plan_of_properties(R"({"$os_name":"b","$set":{"$os_name":"a"}})").set) ==
        Json::parse(R"({"$os":"a"})"));
  CHECK(plan_of_properties(R"({"\u0024os_name":"b"})").set.empty());
}

TEST_CASE("A session id that is a UUID has small letters") {
  Fixture f;
  const auto session = [&](const char* id) {
    return properties_of(f, std::string(R"({"$session_id":")") + id + "\"}")["$session_id"];
  };
  CHECK(session("01A20351-07F9-7C37-95D2-A68D41AEF208") == "01a20351-07f9-7c37-95d2-a68d41aef208");
  CHECK(session("01a20351-07f9-7c37-95d2-a68d41aef208") == "01a20351-07f9-7c37-95d2-a68d41aef208");
  // What is none, though it may have the letters of one.
  for (const char* other :
       {"Order-17", "ABC", "A", "ABCDEF012345678901234567890123456789",
        "01A20351-07F9-7C37-95D2-A68D41AEF20", "01A20351-07F9-7C37-95D2-A68D41AEF2080",
        "01A20351A07F9A7C37A95D2AA68D41AEF208"}) {
    CHECK(session(other) == other);
  }
  CHECK(session("01A20351-07F9-7C37-95D2-A68D41AEF20G") == "01A20351-07F9-7C37-95D2-A68D41AEF20G");
}

TEST_CASE("Clicked elements become one text") {
  using rows::elements_chain;
  CHECK(elements_chain(R"([{"tag_name":"a","$el_text":"Buy","attr__href":"/x","nth_child":2}])") ==
        R"(a:attr__href="/x"href="/x"nth-child="2"nth-of-type="0"text="Buy")");
  CHECK(elements_chain(
            R"([{"tag_name":"b","attr__class":"z a\"b"},{"tag_name":"div","attr__id":"i"}])") ==
        R"(b.ab.z:attr__class="z a\"b"nth-child="0"nth-of-type="0";)"
        R"(div:attr__id="i"attr_id="i"nth-child="0"nth-of-type="0")");
  CHECK(elements_chain(
            R"([{"tag_name":"a","attr__xy":"1","attr__x":"2","attr__X":"3","attr__b":"4"}])") ==
        R"(a:attr__b="4"attr__x="2"attr__X="3"attr__xy="1"nth-child="0"nth-of-type="0")");
  CHECK(elements_chain("[]") == std::nullopt);
  CHECK(elements_chain(R"(["a"])") == std::nullopt);
  Fixture f;
  const Json both = properties_of(f, R"({"$elements":[{"tag_name":"a"}],"$elements_chain":"p:x"})");
  CHECK(both["$elements_chain"] == "p:x");
  CHECK_FALSE(both.contains("$elements"));
  const Json list = properties_of(f, R"({"$elements":[{"tag_name":"a"}],"x":1})");
  CHECK(list["$elements_chain"] == R"(a:nth-child="0"nth-of-type="0")");
  CHECK_FALSE(list.contains("$elements"));
  CHECK(properties_of(f, R"({"$elements":"text"})")["$elements"] == "text");
}

TEST_CASE("Of a clicked element counts what JavaScript calls true") {
  const auto chain = [](std::string_view members) {
    return rows::elements_chain("[{\"tag_name\":\"a\"," + std::string(members) + "}]").value_or("");
  };
  const std::string bare = R"(nth-child="0"nth-of-type="0")";
  const std::pair<std::string, std::string> falsy[] = {
      {"\"\"", "=\"\""}, {"null", ""}, {"false", "=\"false\""}, {"0", "=\"0\""}};
  for (const auto& [raw, shown] : falsy) {
    INFO(raw);
    // The attribute is kept, unless it is null; what is made of it is not.
    const auto attribute = [&shown = shown](const std::string& name) {
      return shown.empty() ? "" : name + shown;
    };
    CHECK(chain("\"$el_text\":" + raw) == "a:" + bare);
    CHECK(chain("\"attr__href\":" + raw) == "a:" + attribute("attr__href") + bare);
    CHECK(chain("\"attr__id\":" + raw) == "a:" + attribute("attr__id") + bare);
    CHECK(chain("\"attr__class\":" + raw) == "a:" + attribute("attr__class") + bare);
    CHECK(rows::elements_chain("[{\"tag_name\":" + raw + "}]") == ":" + bare);
  }
  CHECK(chain(R"("$el_text":"x")") == "a:" + bare + R"(text="x")");
  CHECK(chain(R"("$el_text":5)") == "a:" + bare + R"(text="5")");
  CHECK(chain(R"("$el_text":true)") == "a:" + bare + R"(text="true")");
  CHECK(chain(R"("attr__id":7)") == "a:attr__id=\"7\"attr_id=\"7\"" + bare);
  CHECK(chain(R"("attr__class":["b","a"])").substr(0, 6) == "a.a.b:");
  CHECK(chain(R"("nth_child":null,"nth_of_type":3)") == R"(a:nth-child="0"nth-of-type="3")");
}

TEST_CASE("An element's text and address are cut at their lengths") {
  const auto value_of = [](std::string_view member, std::string_view name, size_t units) {
    const std::string chain = rows::elements_chain("[{\"" + std::string(member) + "\":\"" +
                                                   std::string(units, 'x') + "\"}]")
                                  .value_or("");
    const std::string begin = "\"" + std::string(name) + "=\"";
    const size_t from = chain.find(begin) + begin.size();
    return chain.find('"', from) - from;
  };
  for (const size_t more : {0, 1}) {
    CHECK(value_of("$el_text", "text", limits::kElementTextUnits + more) ==
          limits::kElementTextUnits);
    CHECK(value_of("attr__href", "href", limits::kElementHrefUnits + more) ==
          limits::kElementHrefUnits);
  }
  const auto list = [](size_t bytes) {
    std::string text = R"([{"a":""}])";
    text.insert(text.size() - 3, bytes - text.size(), 'x');
    return text;
  };
  CHECK(rows::elements_chain(list(limits::kElementsBytesMax)).has_value());
  CHECK_FALSE(rows::elements_chain(list(limits::kElementsBytesMax + 1)).has_value());
}

TEST_CASE("An object as a distinct_id is its JSON with sorted names") {
  CHECK(distinct_id_of(R"({"string":"a", "number":3})") == R"({"number":3,"string":"a"})");
  CHECK(distinct_id_of(R"([ {"b":1,"a":[2, {"d":null,"c":"\u0041"}]} ])") ==
        R"([{"a":[2,{"c":"A","d":null}],"b":1}])");
}

TEST_CASE("Data that disappoints is stored and told") {
  const auto told = [](const std::string& members) {
    return warnings_of(plan_of(R"({"event":"e","distinct_id":"u",)" + members + "}"));
  };
  using Names = std::vector<std::string>;
  const std::string at = R"("timestamp":"2026-11-22T12:00:00Z",)";
  const std::string v7 = R"("uuid":"01a20351-07f9-7c37-95d2-a68d41aef208",)";
  const std::string v4 = R"("uuid":"01a20351-07f9-4c37-95d2-a68d41aef208",)";
  CHECK(told(v7 + at + R"("properties":{"$session_id":"01A20351-07f9-7c37-95d2-a68d41aef208"})") ==
        Names{});
  CHECK(told(v7 + at + R"("properties":{"$session_id":null})") == Names{});
  CHECK(told(v7 + at + R"("properties":{"$session_id":"s1"})") ==
        Names{"invalid_event_session_id"});
  CHECK(told(v7 + at + R"("properties":{"$session_id":12345})") ==
        Names{"invalid_event_session_id"});
  CHECK(told(v4 + at + R"("properties":{"$lib":"posthog-cobol"})") == Names{"event_uuid_not_v7"});
  CHECK(told(v4 + at + R"("properties":{"$lib":"posthog-python"})") == Names{});
  CHECK(told(v4 + at + R"("properties":{})") == Names{});
  CHECK(told(v7 + R"("timestamp":"2026-11-19T13:00:00Z","properties":{})") == Names{});
  CHECK(told(v7 + R"("timestamp":"2026-11-19T12:00:00Z","properties":{})") ==
        Names{"event_uuid_timestamp_divergent"});
}

TEST_CASE("A uuid's time may be three days from the event's, by the client's clock or ours") {
  constexpr int64_t kMadeMs = 0x01a2'0351'07f9;
  constexpr int64_t kMost = limits::kUuidDriftMsMax;
  const auto warns = [](int64_t said_ms, int64_t corrected_ms) {
    std::string said;
    append_rfc3339(said, kMadeMs + said_ms);
    EventBatch batch;
    Event& event =
        batch.add(R"({"event":"e","distinct_id":"u","uuid":"01a20351-07f9-7c37-95d2-a68d41aef208",)"
                  R"("timestamp":")" +
                  said + R"(","properties":{}})");
    event.timestamp_ms = kMadeMs + corrected_ms;
    const Project project;
    return !warnings_of(plan_identity(event, {.project = project, .now_ms = kNowMs})).empty();
  };
  for (const int64_t sign : {-1, 1}) {
    CAPTURE(sign);
    CHECK_FALSE(warns(sign * kMost, sign * kMost));
    CHECK(warns(sign * (kMost + 1), sign * (kMost + 1)));
    CHECK_FALSE(warns(sign * (kMost + 1), sign * kMost));
    CHECK_FALSE(warns(sign * kMost, sign * (kMost + 1)));
  }
}

TEST_CASE("An isolate writes some of the warnings about a project's data in an hour") {
  IdentityCaches caches;
  for (uint32_t i = 0; i < limits::kDataWarningsPerHour; ++i)
    CHECK(caches.may_warn(1, "a", kNowMs));
  CHECK_FALSE(caches.may_warn(1, "a", kNowMs));
  CHECK(caches.may_warn(1, "b", kNowMs));
  CHECK(caches.may_warn(2, "a", kNowMs));
  CHECK_FALSE(caches.may_warn(1, "a", kNowMs + 3'599'999));
  // So many kinds of so many projects are counted, and then all begin anew.
  for (size_t project = 4; project <= limits::kCachedProjectsMax; ++project) {
    CHECK(caches.may_warn(static_cast<int64_t>(project), "a", kNowMs));
    if (project < limits::kCachedProjectsMax) CHECK_FALSE(caches.may_warn(1, "a", kNowMs));
  }
  CHECK(caches.may_warn(1, "a", kNowMs));
  CHECK(caches.may_warn(1, "a", kNowMs + 3'600'000));
}

TEST_CASE("JSON is compared by what it says") {
  CHECK(same_json("1", "1.0"));
  CHECK_FALSE(same_json("1", "\"1\""));
  CHECK(same_json(R"({"a":1,"b":[1,{"c":"x"}]})", R"({ "b":[1.0,{"c":"\u0078"}], "a":1 })"));
  CHECK_FALSE(same_json(R"({"a":[1,2]})", R"({"a":[2,1]})"));
  CHECK_FALSE(same_json(R"({"a":1})", R"({"a":1,"b":2})"));
  CHECK_FALSE(same_json("[1]", "[1,2]"));
  CHECK_FALSE(same_json("[]", "{}"));
}

TEST_CASE("A JSON value is cut to a prefix that is JSON") {
  using rows::cut_json;
  CHECK(cut_json(R"("abc")", 1) == "");
  CHECK(cut_json(R"("abc")", 2) == R"("")");
  CHECK(cut_json(R"("abc")", 4) == R"("ab")");
  CHECK(cut_json("\"abcdef\"", 8) == "\"abcdef\"");
  CHECK(cut_json("\"abcdef\"", 5) == "\"abc\"");
  CHECK(cut_json("\"ab\\u0041c\"", 8) == "\"ab\"");
  CHECK(cut_json("\"a\\ud83e\\udd94b\"", 14) == "\"a\"");
  CHECK(cut_json("\"aé\"", 4) == "\"a\"");
  CHECK(cut_json("[1,22,333]", 7) == "[1,22]");
  CHECK(cut_json(R"([{"a":"xyz","b":2}])", 16) == R"([{"a":"xyz"}])");
  CHECK(cut_json(R"([{"role":"user","data":"AAAAAAAA"}])", 30) ==
        R"([{"role":"user","data":"AAA"}])");
  CHECK(cut_json("12345", 3).empty());
  CHECK(cut_json("[\"abc\"]", 1).empty());
  const std::string text =
      R"({"a":[1,{"b":"\"\\ü🦔"},null,true],"c":{"d":[[],{}]},"e":-1.5e3 , "f" : "g"})";
  for (size_t bytes = 0; bytes <= text.size(); ++bytes) {
    const std::string cut = cut_json(text, bytes);
    INFO(bytes << " " << cut);
    CHECK(cut.size() <= bytes);
    CHECK((cut.empty() || Json::accept(cut)));
    if (bytes >= 2) CHECK_FALSE(cut.empty());
  }
}

TEST_CASE("Of large values in a row the beginning stays, and small ones stay whole") {
  Fixture f;
  const std::string frames(900'000, 'f');
  const Json row = properties_of(f, R"({"$exception_list":[{"type":"E","value":"boom","stack":")" +
                                        frames + R"("}],"$ai_input":[{"role":"user","content":")" +
                                        frames + R"("}],"$ai_latency":1.5,"name":"n"})");
  CHECK(row["$exception_list"][0]["type"] == "E");
  CHECK(row["$exception_list"][0]["value"] == "boom");
  CHECK(row["$exception_list"][0]["stack"].get<std::string>().size() > 300'000);
  CHECK(row["$ai_input"][0]["content"].get<std::string>().size() > 300'000);
  CHECK(row["$ai_latency"] == 1.5);
  CHECK(row["name"] == "n");
  CHECK(row["$hogflare_truncated"] == Json::parse(R"(["$exception_list","$ai_input"])"));
}

TEST_CASE("A value is cut down to so many bytes, and where less would be left it goes") {
  const std::string object = "{\"a\":\"" + std::string(20'000, 'x') + "\"}";
  size_t smallest = object.size();
  bool goes = false;
  for (size_t most = 8'200; most < 9'200; ++most) {
    const Json left = Json::parse(rows::shrink_object(object, most));
    CHECK(left.dump().size() <= most);
    goes = goes || !left.contains("a");
    if (left.contains("a")) smallest = std::min(smallest, left["a"].dump().size());
  }
  CHECK(goes);
  CHECK(smallest == limits::kCutValueBytesMin);
}

TEST_CASE("An empty list is what PHP makes of no properties") {
  Fixture f;
  CHECK(properties_of(f, "[]") == Json::object());
  auto decoded = f.decode(R"({"api_key":"phc_x","event":"e","distinct_id":"u","properties":[1]})",
                          Endpoint::kBatch);
  REQUIRE(decoded.ok());
  CHECK(decoded.value()->rejects.size() == 1);
}
