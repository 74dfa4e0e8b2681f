// Runs tests/vectors/cookieless.json against whole requests, natively: with a clock that can be
// set.
#include <catch2/catch.hpp>
#include <fstream>
#include <regex>
#include <sstream>

#include "cookieless_world.h"
#include "hogflare/cookieless.h"
#include "hogflare/uuid.h"

namespace hogflare::test {
namespace {

Json load_cases(const std::string& kind) {
  std::ifstream file(std::string(HOGFLARE_TEST_DATA_DIR) + "/vectors/cookieless.json");
  std::stringstream text;
  text << file.rdbuf();
  Json chosen = Json::array();
  const Json document = Json::parse(text.str());
  for (const Json& each : document["cases"]) {
    if (each["kind"] == kind) chosen.push_back(each);
  }
  REQUIRE(!chosen.empty());
  return chosen;
}

constexpr int64_t kTeam = 7;
const char* const kToken = "phc_seven";

Json projects_of(const Json& team) {
  Json project = {{"team_id", kTeam}};
  if (team["cookieless"].is_string()) project["cookieless"] = team["cookieless"];
  project["timezone"] = team.value("timezone", "UTC");
  Json other = project;
  other["team_id"] = kTeam + 1;
  return {{kToken, project}, {"phc_eight", other}};
}

// One flag for everybody in half of the buckets, many times: two identifiers differ in some of
// them.
std::string half_flags(const Json& more) {
  Json flags = Json::array();
  for (int i = 0; i < 40; ++i) {
    flags.push_back(
        {{"id", i + 1},
         {"key", "half-" + std::to_string(i)},
         {"active", true},
         {"filters", {{"groups", {{{"properties", Json::array()}, {"rollout_percentage", 50}}}}}}});
  }
  if (more.is_object()) {
    Json group = {{"properties", Json::array()},
                  {"rollout_percentage", more.value("rollout_percentage", 100)}};
    if (more.contains("filter")) group["properties"].push_back(more["filter"]);
    flags.push_back(
        {{"id", 99},
         {"key", more["key"]},
         {"active", true},
         {"ensure_experience_continuity", more.value("ensure_experience_continuity", false)},
         {"filters", {{"groups", {group}}}}});
  }
  return Json{{"flags", flags}}.dump();
}

std::string text_or_empty(const Json& object, const char* name) {
  return object.contains(name) && object[name].is_string() ? object[name].get<std::string>() : "";
}

class Case {
 public:
  explicit Case(const Json& test)
      : test_(test),
        world(
            {{"HOGFLARE_PROJECTS", projects_of(test["team"]).dump()},
             {"HOGFLARE_PERSONLESS", "exact"}},
            half_flags(test.contains("request") ? test["request"].value("flag", Json()) : Json())) {
    for (const Json& expect : test["expect"]) {
      if (expect[0] != "failed") continue;
      world.fault = [](const CallObject& call) {
        return call.object_class == ObjectClass::kCookieless ? CookielessWorld::Fault::kLost
                                                             : CookielessWorld::Fault::kNone;
      };
    }
    int number = 0;
    for (const Json& event : test["events"]) {
      Json body = event["body"];
      const Json& connection = event["connection"];
      const std::string ref = event["ref"];
      uuids[ref] = text_or_empty(body, "uuid");
      if (uuids[ref].empty()) {
        uuids[ref] = "00000000-0000-4000-8000-0000000000" + std::to_string(10 + number++);
        body["uuid"] = uuids[ref];
      }
      world.now_ms = *parse_timestamp(event["received_at"].get<std::string>());
      body["api_key"] = kToken;
      world.post("/i/v0/e/", body,
                 {text_or_empty(connection, "ip"), text_or_empty(connection, "user_agent"), ""});
    }
  }

  const Json* row(const std::string& ref) const {
    for (const Json& each : world.rows) {
      if (each["uuid"] == uuids.at(ref)) return &each;
    }
    return nullptr;
  }

  // A path of the vectors: ref.distinct_id, ref.person_id, ref.$x, ref.properties.$x.
  Json at(const std::string& path) {
    const size_t dot = path.find('.');
    const std::string ref = path.substr(0, dot);
    std::string rest = path.substr(dot + 1);
    const Json* found = row(ref);
    if (found == nullptr) return nullptr;
    if (rest == "person_id") {
      const std::string owner = world.owner_of(kTeam, (*found)["distinct_id"]);
      return owner.empty() ? (*found)["person_id"] : Json(owner);
    }
    if (rest == "distinct_id") return (*found)[rest];
    if (rest.rfind("properties.", 0) == 0) rest = rest.substr(11);
    Json value = (*found)["properties"];
    if (rest == "ip") return found->value("ip", Json());
    for (size_t end = 0; end != std::string::npos;) {
      end = rest.find('.');
      const std::string name = rest.substr(0, end);
      if (!value.is_object() || !value.contains(name)) return nullptr;
      value = Json(value[name]);
      if (end != std::string::npos) rest = rest.substr(end + 1);
    }
    return value;
  }

  const Json* side_row(const std::string& uuid, const char* kind, const std::string& reason) const {
    for (const Json& each : world.rejects) {
      const bool is_of = each.value("event_uuid", "") == uuid && each["kind"] == kind;
      if (is_of && each["reason"] == reason) return &each;
    }
    return nullptr;
  }

  bool owns_a_person(const std::string& id) { return !world.owner_of(kTeam, id).empty(); }

  const Json& test_;
  CookielessWorld world;
  std::map<std::string, std::string> uuids;
};

void check_events(Case& run, const Json& expect) {
  const std::string relation = expect[0];
  CAPTURE(expect.dump(), run.world.rejects.size());
  const auto path = [&](int index) { return run.at(expect[static_cast<size_t>(index)]); };
  if (relation == "same" || relation == "different") {
    REQUIRE(!path(1).is_null());
    REQUIRE(!path(2).is_null());
    CHECK((path(1) == path(2)) == (relation == "same"));
  } else if (relation == "equals") {
    CHECK(path(1) == expect[2]);
  } else if (relation == "absent") {
    REQUIRE(run.row(expect[1].get<std::string>().substr(0, 1)) != nullptr);
    CHECK(path(1).is_null());
  } else if (relation == "matches") {
    REQUIRE(path(1).is_string());
    CHECK(std::regex_search(path(1).get<std::string>(), std::regex(expect[2].get<std::string>())));
  } else if (relation == "dropped") {
    const std::string uuid = run.uuids.at(expect[1]);
    CHECK(run.row(expect[1]) == nullptr);
    CHECK(run.side_row(uuid, "reject", expect[2]) != nullptr);
    if (expect[3].is_string()) CHECK(run.side_row(uuid, "warning", expect[3]) != nullptr);
  } else if (relation == "no_person_for") {
    CHECK(!run.owns_a_person(expect[1]));
  } else if (relation == "not_merged") {
    REQUIRE(!path(1).is_null());
    CHECK(path(1) != Json(run.world.owner_of(kTeam, expect[2])));
  } else if (relation == "session_time_ms") {
    const std::string session = path(1);
    const std::string hex = session.substr(0, 8) + session.substr(9, 4);
    const int64_t wanted = expect[2].is_number() ? expect[2].get<int64_t>()
                                                 : *parse_timestamp(expect[2].get<std::string>());
    CHECK(std::stoll(hex, nullptr, 16) == wanted);
  } else if (relation == "failed") {
    CHECK(run.row(expect[1]) == nullptr);
    CHECK(!run.owns_a_person("$posthog_cookieless"));
  } else if (relation == "different_across_projects") {
    Json body = run.test_["events"][0]["body"];
    body["api_key"] = "phc_eight";
    body["uuid"] = "00000000-0000-4000-8000-000000000001";
    run.uuids["other"] = body["uuid"];
    run.world.post("/i/v0/e/", body, {"203.0.113.7", "Mozilla/5.0 (Test One)", ""});
    REQUIRE(run.row("other") != nullptr);
    CHECK((*run.row("other"))["distinct_id"] != path(1));
  } else {
    FAIL("unknown relation " << relation);
  }
}

TEST_CASE("The cookieless vectors' events", "[cookieless]") {
  for (const Json& test : load_cases("events")) {
    CAPTURE(test["name"].get<std::string>());
    Case run(test);
    CHECK(!run.owns_a_person("$posthog_cookieless"));
    for (const Json& expect : test["expect"]) check_events(run, expect);
  }
}

TEST_CASE("The cookieless vectors' days, windows and sites", "[cookieless]") {
  test::TableZones host;
  Zones known(host);
  for (const Json& test : load_cases("day")) {
    CAPTURE(test["name"].get<std::string>());
    const std::string visitor = text_or_empty(test, "event_timezone");
    const std::string project = text_or_empty(test, "team_timezone");
    const int64_t day = cookieless_day(*parse_timestamp(test["timestamp"].get<std::string>()),
                                       {visitor, project, &known});
    CHECK(cookieless_day_text(day) == test["expect"].get<std::string>());
  }
  for (const Json& test : load_cases("salt_window")) {
    CAPTURE(test["name"].get<std::string>());
    const auto day = parse_cookieless_day(test["day"].get<std::string>());
    const int64_t now_ms = *parse_timestamp(test["now"].get<std::string>());
    CHECK((day.has_value() && has_cookieless_salt(*day, now_ms)) ==
          test["expect"]["valid"].get<bool>());
  }
  for (const Json& test : load_cases("root_domain")) {
    CAPTURE(test["name"].get<std::string>());
    CHECK(cookieless_root_domain(test["host"].get<std::string>()) ==
          test["expect"].get<std::string>());
  }
}

// The flags' values and the answer's status for a request of the vectors, asked for `distinct_id`.
std::pair<int, Json> flags_of(Case& run, const Json& request, const std::string& distinct_id) {
  Json body = {{"token", kToken}, {"distinct_id", distinct_id}};
  for (const char* name : {"timezone", "cookieless_hash_extra"}) {
    if (request.contains(name)) body[name] = request[name];
  }
  if (request.contains("anon_distinct_id")) body["$anon_distinct_id"] = request["anon_distinct_id"];
  const Json headers = request.value("headers", Json::object());
  const Reply reply =
      run.world.post("/flags/", body,
                     {text_or_empty(request["connection"], "ip"),
                      text_or_empty(headers, "user-agent"), text_or_empty(headers, "origin")},
                     "v=2");
  Json values = Json::object();
  const Json answer = Json::parse(reply.body, nullptr, false);
  if (answer.is_object() && answer.contains("flags")) {
    for (const auto& [key, flag] : answer["flags"].items()) values[key] = flag["enabled"];
  }
  return {reply.status, values};
}

TEST_CASE("The cookieless vectors' flag requests", "[cookieless]") {
  for (const Json& test : load_cases("flags")) {
    CAPTURE(test["name"].get<std::string>());
    Case run(test);
    const Json& request = test["request"];
    run.world.now_ms = *parse_timestamp(request["at"].get<std::string>());
    const auto [status, values] = flags_of(run, request, request["distinct_id"]);
    for (const Json& expect : test["expect"]) {
      CAPTURE(expect.dump());
      const std::string relation = expect[0];
      if (relation == "status") {
        CHECK(status == expect[1].get<int>());
      } else if (relation == "flag") {
        CHECK(values[expect[1].get<std::string>()] == expect[2]);
      } else if (relation == "no_stored_flag_key") {
        for (auto& [key, storage] : run.world.objects) {
          for (const auto& [name, value] : storage.values) {
            CHECK(value.find(expect[1].get<std::string>()) == std::string::npos);
          }
        }
      } else {
        const std::string identifier = relation == "identifier"
                                           ? expect[1].get<std::string>()
                                           : run.at(expect[1]).get<std::string>();
        REQUIRE(status == 200);
        Json plain = request;
        plain.erase("anon_distinct_id");
        CHECK(values == flags_of(run, plain, identifier).second);
        CHECK(values != flags_of(run, plain, "somebody else").second);
      }
    }
  }
}

}  // namespace
}  // namespace hogflare::test
