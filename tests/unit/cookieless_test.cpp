// Cookieless visitors beyond the vectors: salts are forgotten, objects stay small, copies and
// crashes never join people, and nothing that leaves shows what an id was made of.
#include <catch2/catch.hpp>
#include <set>

#include "cookieless/days.h"
#include "cookieless/object_format.h"
#include "cookieless_world.h"
#include "hogflare/base64.h"
#include "hogflare/bytes.h"
#include "hogflare/cookieless.h"
#include "hogflare/digest.h"

namespace hogflare::test {
namespace {

using World = CookielessWorld;

const std::string kPlaceholder(kCookielessPlaceholder);
const Connection kOne{"203.0.113.7", "Mozilla/5.0 (Test One)", "https://www.shop.example"};
const Connection kTwo{"198.51.100.9", "Mozilla/5.0 (Test Two)", "https://www.shop.example"};
constexpr int64_t kHourMs = 3'600'000;

Json stateful() { return {{"HOGFLARE_COOKIELESS", "stateful"}, {"HOGFLARE_PERSONLESS", "exact"}}; }

std::string uuid_of(int number) {
  const std::string digits = std::to_string(number);
  return "00000000-0000-7000-8000-" + std::string(12 - digits.size(), '0') + digits;
}

Json event_of(const Connection& from, int number, const std::string& name,
              const std::string& distinct_id = kPlaceholder) {
  Json properties = {{"$cookieless_mode", true},    {"$device_id", nullptr},
                     {"$host", "www.shop.example"}, {"$raw_user_agent", from.user_agent},
                     {"distinct_id", distinct_id},  {"token", "phc_any"}};
  if (name == "$identify") properties["$anon_distinct_id"] = kPlaceholder;
  return {{"event", name}, {"uuid", uuid_of(number)}, {"properties", properties}};
}

int send(World& world, const Connection& from, const Json& events) {
  return world.post("/e/", events, from).status;
}

Json row_of(const World& world, int number) {
  for (const Json& row : world.rows) {
    if (row["uuid"] == uuid_of(number)) return row;
  }
  return nullptr;
}

Json reject_of(const World& world, int number, const std::string& kind = "reject") {
  for (const Json& row : world.rejects) {
    if (row.value("event_uuid", "") == uuid_of(number) && row["kind"] == kind) return row;
  }
  return nullptr;
}

// The stored salts of all projects, by key.
std::map<std::string, std::string> salts_in(const World& world) {
  std::map<std::string, std::string> salts;
  for (const auto& [key, storage] : world.objects) {
    if (key.object_class != ObjectClass::kCookieless) continue;
    for (const auto& [name, value] : storage.values) {
      if (name.rfind("salt:", 0) == 0) salts[key.name + " " + name] = value;
    }
  }
  return salts;
}

size_t cookieless_values(const World& world) {
  size_t count = 0;
  for (const auto& [key, storage] : world.objects) {
    if (key.object_class == ObjectClass::kCookieless) count += storage.values.size();
  }
  return count;
}

bool is_visitor_call(const CallObject& call) {
  return call.object_class == ObjectClass::kCookieless &&
         call.name.find("salts") == std::string::npos;
}

int calls_of(const World& world, const std::string& name) {
  const auto found = world.calls.find({ObjectClass::kCookieless, name});
  return found == world.calls.end() ? 0 : found->second;
}

TEST_CASE("A day's salt is random, made once, and deleted when its window ends", "[cookieless]") {
  World world(stateful());
  REQUIRE(send(world, kOne, {event_of(kOne, 1, "view")}) == 200);
  const auto first = salts_in(world);
  REQUIRE(first.size() == 1);
  CHECK(first.begin()->first == "1:salts salt:2026-05-20");
  // Another isolate gets the same one, so that a visitor is the same everywhere.
  world.new_isolate();
  world.now_ms += 20 * kHourMs;
  Json late = event_of(kOne, 2, "late");
  late["timestamp"] = "2026-05-20T10:05:00Z";
  REQUIRE(send(world, kOne, {late, event_of(kOne, 3, "today")}) == 200);
  CHECK(row_of(world, 2)["distinct_id"] == row_of(world, 1)["distinct_id"]);
  CHECK(row_of(world, 3)["distinct_id"] != row_of(world, 1)["distinct_id"]);
  CHECK(salts_in(world).size() == 2);
  CHECK(salts_in(world).at("1:salts salt:2026-05-20") == first.begin()->second);

  // 2026-05-20 ends for the last zone and the last late event at 14:00Z three days later.
  world.now_ms = *parse_timestamp("2026-05-23T13:59:59Z");
  world.ring_alarms();
  CHECK(salts_in(world).count("1:salts salt:2026-05-20") == 1);
  world.now_ms = *parse_timestamp("2026-05-23T14:00:00Z");
  world.ring_alarms();
  CHECK(salts_in(world).count("1:salts salt:2026-05-20") == 0);
  CHECK(salts_in(world).size() == 1);
  // The isolate that still remembered it makes nothing of it either.
  Json too_late = event_of(kOne, 4, "too late");
  too_late["timestamp"] = "2026-05-20T10:05:00Z";
  REQUIRE(send(world, kOne, {too_late}) == 200);
  CHECK(row_of(world, 4).is_null());
  CHECK(reject_of(world, 4)["reason"] == "cookieless_timestamp_out_of_range");

  // In the end nothing of anybody is stored, and no alarm is left that could ring.
  world.now_ms += 96 * kHourMs;
  world.ring_alarms();
  CHECK(cookieless_values(world) == 0);
  for (const auto& [key, storage] : world.objects) {
    if (key.object_class == ObjectClass::kCookieless) CHECK(storage.alarm_at_ms == 0);
  }
}

TEST_CASE("A salt whose alarm never rang is deleted by the next call", "[cookieless]") {
  World world(stateful());
  REQUIRE(send(world, kOne, {event_of(kOne, 1, "view")}) == 200);
  world.now_ms += 96 * kHourMs;
  REQUIRE(send(world, kOne, {event_of(kOne, 2, "view")}) == 200);
  CHECK(salts_in(world).size() == 1);
  CHECK(salts_in(world).count("1:salts salt:2026-05-20") == 0);
}

TEST_CASE("An isolate forgets salts whose day is over, and holds a bounded number",
          "[cookieless]") {
  CookielessSalts salts;
  const int64_t day = *parse_cookieless_day("2026-05-20");
  const int64_t noon_ms = day * 24 * kHourMs + 12 * kHourMs;
  salts.remember(1, day, std::string(32, 'a'), noon_ms);
  REQUIRE(salts.find(1, day) != nullptr);
  CHECK(salts.find(2, day) == nullptr);
  CHECK(salts.find(1, day + 1) == nullptr);
  salts.forget(cookieless_salt_ends_ms(day) - 1);
  CHECK(salts.size() == 1);
  salts.forget(cookieless_salt_ends_ms(day));
  CHECK(salts.size() == 0);
  for (int64_t team = 1; team < 3000; ++team)
    salts.remember(team, day, std::string(32, 'b'), noon_ms);
  CHECK(salts.size() == limits::kCookielessSaltsCachedMax);
}

TEST_CASE("The salt's object is asked once an isolate and day, a visitor's only by its visitor",
          "[cookieless]") {
  World world(stateful());
  int number = 0;
  for (int round = 0; round < 10; ++round) {
    for (int visitor = 0; visitor < 20; ++visitor) {
      const Connection from{"192.0.2." + std::to_string(visitor), "Agent", ""};
      REQUIRE(send(world, from,
                   {event_of(from, ++number, "view"), event_of(from, ++number, "view")}) == 200);
    }
  }
  CHECK(calls_of(world, "1:salts") == 1);
  size_t visitors = 0;
  for (const auto& [key, count] : world.calls) {
    if (key.object_class != ObjectClass::kCookieless || key.name == "1:salts") continue;
    ++visitors;
    CHECK(count == 10);
    CHECK(world.objects[key].largest_value < 20'000);
  }
  CHECK(visitors == 20);
  world.new_isolate();
  REQUIRE(send(world, kOne, {event_of(kOne, ++number, "view")}) == 200);
  CHECK(calls_of(world, "1:salts") == 2);
}

TEST_CASE("Each day's salt is asked for once, in whichever order the events are", "[cookieless]") {
  World world({{"HOGFLARE_COOKIELESS", "stateless"}});
  std::vector<std::string> asked;
  world.fault = [&](const CallObject& call) {
    if (call.object_class == ObjectClass::kCookieless) asked.push_back(call.request);
    return World::Fault::kNone;
  };
  Json events = Json::array();
  for (const char* day : {"2026-05-20", "2026-05-19", "2026-05-20", "2026-05-19"}) {
    events.push_back(event_of(kOne, static_cast<int>(events.size()) + 1, "view"));
    events.back()["timestamp"] = std::string(day) + "T00:30:00Z";
  }
  REQUIRE(send(world, kOne, events) == 200);
  const int64_t day = *parse_timestamp("2026-05-19T00:00:00Z") / 86'400'000;
  CHECK(asked == std::vector<std::string>{write_salt_request(std::vector<int64_t>{day, day + 1})});
}

TEST_CASE("Stateless visitors have no object at all", "[cookieless]") {
  World world({{"HOGFLARE_COOKIELESS", "stateless"}});
  for (int i = 1; i < 20; ++i) REQUIRE(send(world, kOne, {event_of(kOne, i, "view")}) == 200);
  for (const auto& [key, count] : world.calls) {
    if (key.object_class == ObjectClass::kCookieless) CHECK(key.name == "1:salts");
  }
  CHECK(calls_of(world, "1:salts") == 1);
  CHECK(row_of(world, 1)["properties"]["$distinct_id"] == row_of(world, 1)["distinct_id"]);
  const Connection other{"192.0.2.99", "Other", ""};
  REQUIRE(send(world, other, {event_of(other, 20, "view")}) == 200);
  CHECK(row_of(world, 20)["properties"]["$session_id"] !=
        row_of(world, 1)["properties"]["$session_id"]);
  // One session a day, whose time is the day's first instant at the visitor's.
  const std::string session = row_of(world, 1)["properties"]["$session_id"];
  CHECK(session == row_of(world, 19)["properties"]["$session_id"].get<std::string>());
  CHECK(std::stoll(session.substr(0, 8) + session.substr(9, 4), nullptr, 16) ==
        *parse_timestamp("2026-05-20T00:00:00Z"));
}

TEST_CASE("A request that comes again has the same ids and counts one log-in", "[cookieless]") {
  World world(stateful());
  const Json request = {event_of(kOne, 1, "view"), event_of(kOne, 2, "$identify", "ann"),
                        event_of(kOne, 3, "view", "ann")};
  REQUIRE(send(world, kOne, request) == 200);
  const std::vector<Json> first = std::exchange(world.rows, {});
  REQUIRE(first.size() == 3);
  REQUIRE(send(world, kOne, {event_of(kOne, 4, "view")}) == 200);
  world.rows.clear();
  world.now_ms += 40 * 60'000;  // longer than a session rests
  REQUIRE(send(world, kOne, request) == 200);
  REQUIRE(world.rows.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(world.rows[i]["distinct_id"] == first[i]["distinct_id"]);
    for (const char* name : {"$session_id", "$device_id", "$anon_distinct_id"}) {
      CHECK(world.rows[i]["properties"].value(name, "") == first[i]["properties"].value(name, ""));
    }
  }
  // One log-in was counted: the next anonymous event is the second id's, as before.
  REQUIRE(send(world, kOne, {event_of(kOne, 5, "view")}) == 200);
  REQUIRE(send(world, kOne, {event_of(kOne, 4, "view")}) == 200);
  CHECK(row_of(world, 5)["distinct_id"] == row_of(world, 4)["distinct_id"]);
}

TEST_CASE("An event with another's uuid and another name or id is no copy of it", "[cookieless]") {
  World world(stateful());
  const auto id_of = [&](const std::string& name, const std::string& distinct_id = kPlaceholder) {
    world.rows.clear();
    REQUIRE(send(world, kOne, {event_of(kOne, 1, name, distinct_id)}) == 200);
    REQUIRE(world.rows.size() == 1);
    return world.rows[0]["distinct_id"].get<std::string>();
  };
  const auto session_of_last = [&] {
    return world.rows.back()["properties"]["$session_id"].get<std::string>();
  };
  const std::string first = id_of("view");
  const std::string session = session_of_last();
  REQUIRE(id_of("$identify", "ann") == "ann");
  CHECK(id_of("view") == first);
  const std::string second = id_of("click");
  CHECK(second != first);
  CHECK(session_of_last() != session);
  // Log-ins of two users are two.
  REQUIRE(id_of("$identify", "bob") == "bob");
  CHECK(id_of("scroll") != second);
  CHECK(id_of("click") == second);
}

TEST_CASE("Log-ins without uuids are counted one by one", "[cookieless]") {
  World world(stateful());
  const auto id_of = [&](const std::string& name, const std::string& distinct_id) {
    Json event = event_of(kOne, 1, name, distinct_id);
    event.erase("uuid");
    world.rows.clear();
    REQUIRE(send(world, kOne, {event}) == 200);
    REQUIRE(world.rows.size() == 1);
    return world.rows[0]["distinct_id"].get<std::string>();
  };
  std::set<std::string> ids;
  for (const char* user : {"ann", "bob", "cleo"}) {
    ids.insert(id_of("view", kPlaceholder));
    CHECK(id_of("$identify", user) == user);
  }
  ids.insert(id_of("view", kPlaceholder));
  CHECK(ids.size() == 4);
}

TEST_CASE("A copy of an old log-in does not take the next user's visitor", "[cookieless]") {
  World world(stateful());
  const Json ann = {event_of(kOne, 1, "view"), event_of(kOne, 2, "$identify", "ann")};
  REQUIRE(send(world, kOne, ann) == 200);
  REQUIRE(send(world, kOne, {event_of(kOne, 3, "view")}) == 200);
  for (int i = 10; i < 400; ++i) REQUIRE(send(world, kOne, {event_of(kOne, i, "view")}) == 200);
  REQUIRE(send(world, kOne, ann) == 200);  // forgotten as recent, known as a log-in
  const std::string next_visitor = row_of(world, 3)["distinct_id"];
  CHECK(world.owner_of(1, next_visitor) != world.owner_of(1, "ann"));
  REQUIRE(send(world, kOne, {event_of(kOne, 4, "$identify", "bob")}) == 200);
  CHECK(world.owner_of(1, next_visitor) == world.owner_of(1, "bob"));
  CHECK(world.owner_of(1, "ann") != world.owner_of(1, "bob"));
}

TEST_CASE("A visitor who logs in on every page stays within its object's bounds", "[cookieless]") {
  World world(stateful());
  std::set<std::string> anonymous;
  for (int i = 1; i <= 700; ++i) {
    REQUIRE(send(world, kOne,
                 {event_of(kOne, 2 * i, "view"), event_of(kOne, 2 * i + 1, "$identify", "ann")}) ==
            200);
    anonymous.insert(world.rows.back()["properties"]["$anon_distinct_id"].get<std::string>());
  }
  CHECK(anonymous.size() == 700);
  for (const auto& [key, storage] : world.objects) {
    if (key.object_class == ObjectClass::kCookieless) CHECK(storage.largest_value < 32'000);
  }
}

// What was on the visitor's screen and who was connected must be gone; the salt was never there.
TEST_CASE("Neither address nor agent nor salt is in anything that leaves", "[cookieless]") {
  for (const char* mode : {"stateful", "stateless", "disabled"}) {
    CAPTURE(mode);
    Json vars = stateful();
    vars["HOGFLARE_COOKIELESS"] = mode;
    vars["HOGFLARE_ADMIN_TOKEN"] = "operator";
    World world(vars);
    Json full = event_of(kOne, 1, "view");
    full["ip"] = kOne.ip;
    full["$set"] = {{"$raw_user_agent", kOne.user_agent}, {"plan", "pro"}};
    full["$set_once"] = {{"$initial_raw_user_agent", kOne.user_agent}};
    full["context"] = {{"ip", kOne.ip}, {"userAgent", kOne.user_agent}, {"page", "x"}};
    full["properties"]["$ip"] = kOne.ip;
    full["properties"]["$cookieless_extra"] = "kiosk-4711";
    full["properties"]["$set"] = {{"$raw_user_agent", kOne.user_agent}, {"$browser", "Chrome"}};
    full["properties"]["$set_once"] = {{"$initial_raw_user_agent", kOne.user_agent}};
    Json bad = event_of(kOne, 2, "bad");
    bad["uuid"] = "no uuid";
    bad["properties"]["$ip"] = kOne.ip;
    Json homeless = event_of(kOne, 3, "no host");
    homeless["properties"].erase("$host");
    Json refused = event_of(kOne, 4, "$create_alias");
    refused["properties"]["alias"] = "x";
    REQUIRE(send(world, kOne,
                 {full, bad, homeless, refused, event_of(kOne, 5, "$identify", "ann")}) == 200);
    world.post("/flags/", {{"token", "t"}, {"distinct_id", kPlaceholder}}, kOne, "v=2");
    world.post("/healthz", Json::object(), kOne, "", "Bearer operator");
    world.post("/metrics", Json::object(), kOne, "", "Bearer operator");
    CHECK(reject_of(world, 3).is_object());
    CHECK(!reject_of(world, 3).contains("payload"));
    if (std::string(mode) != "disabled") {
      Json row = row_of(world, 1);
      CAPTURE(row.dump());
      CHECK(row["properties"]["$set"]["plan"] == "pro");
      CHECK(row["properties"]["$host"] == "www.shop.example");
      CHECK(row["context"] == Json{{"page", "x"}});
      CHECK(row["properties"]["$geoip_country_code"] == "DE");
      for (const char* name :
           {"$geoip_city_name", "$geoip_latitude", "$geoip_postal_code", "cf_asn", "cf_ray"}) {
        CHECK(!row["properties"].contains(name));
      }
    }
    std::string stored;
    for (const auto& [key, storage] : world.objects) {
      stored += key.name + "\n";
      if (key.object_class == ObjectClass::kCookieless) {
        for (const auto& [name, value] : storage.values) stored += name + value;
      }
    }
    for (const std::string& secret :
         {kOne.ip, std::string("Test One"), std::string("kiosk-4711")}) {
      CAPTURE(secret);
      CHECK(world.said.find(secret) == std::string::npos);
      CHECK(stored.find(secret) == std::string::npos);
    }
    for (const auto& [key, value] : salts_in(world)) {
      const std::string salt = value.substr(2);
      REQUIRE(salt.size() == limits::kCookielessSaltBytes);
      Sha256Digest bytes;
      std::copy(salt.begin(), salt.end(), bytes.begin());
      CHECK(world.said.find(salt) == std::string::npos);
      CHECK(world.said.find(to_hex(bytes)) == std::string::npos);
      CHECK(world.said.find(to_hex(bytes).substr(0, 12)) == std::string::npos);
    }
  }
}

TEST_CASE("The placeholder owns no person on any path", "[cookieless]") {
  for (const char* mode : {"stateful", "stateless", "disabled"}) {
    CAPTURE(mode);
    Json vars = stateful();
    vars["HOGFLARE_COOKIELESS"] = mode;
    World world(vars,
                R"({"flags":[{"id":1,"key":"f","active":true,"ensure_experience_continuity":true,)"
                R"("filters":{"groups":[{"properties":[],"rollout_percentage":50}]}}]})");
    const Json plain = {{"event", "view"},
                        {"distinct_id", kPlaceholder},
                        {"api_key", "t"},
                        {"properties", {{"$set", {{"email", "ann@riders.test"}}}}}};
    for (const char* path : {"/e/", "/capture/", "/track/", "/i/v0/e/", "/batch/"}) {
      CHECK(world.post(path, plain, kOne).status == 200);
    }
    world.post("/engage/", {{"token", "t"}, {"$distinct_id", kPlaceholder}, {"$set", {{"a", 1}}}},
               kOne);
    Json group = plain;
    group["event"] = "$groupidentify";
    group["properties"] = {
        {"$group_type", "company"}, {"$group_key", "acme"}, {"$group_set", {{"a", 1}}}};
    world.post("/e/", group, kOne);
    for (const auto& [name, id, other] :
         std::vector<std::tuple<std::string, std::string, std::string>>{
             {"$create_alias", "ann", kPlaceholder},
             {"$create_alias", kPlaceholder, "ann"},
             {"$merge_dangerously", "ann", kPlaceholder},
             {"$merge_dangerously", kPlaceholder, "bob"},
             {"$identify", "ann", kPlaceholder},
             {"$identify", kPlaceholder, "bob"},
             {"$identify", "bob", kPlaceholder}}) {
      for (const bool asks : {false, true}) {
        Json merge = {{"event", name},
                      {"distinct_id", id},
                      {"api_key", "t"},
                      {"properties", {{"alias", other}, {"$anon_distinct_id", other}}}};
        if (asks) merge["properties"]["$cookieless_mode"] = true;
        world.post("/e/", merge, kOne);
      }
    }
    const Json v1 = {{"created_at", World::iso(world.now_ms)},
                     {"batch",
                      {{{"event", "view"},
                        {"uuid", uuid_of(50)},
                        {"distinct_id", kPlaceholder},
                        {"timestamp", World::iso(world.now_ms)}}}}};
    const Reply answer = world.post("/i/v1/analytics/events", v1, kOne, "", "Bearer t");
    CHECK(answer.status == 200);
    CHECK(answer.body.find(R"("result":"drop","details":"cookieless_placeholder")") !=
          std::string::npos);
    for (const char* path : {"/flags/", "/decide/"}) {
      world.post(
          path,
          {{"token", "t"}, {"distinct_id", kPlaceholder}, {"$anon_distinct_id", kPlaceholder}},
          kOne, "v=2");
      world.post(path,
                 {{"token", "t"}, {"distinct_id", "ann"}, {"$anon_distinct_id", kPlaceholder}},
                 kOne, "v=2");
    }
    world.post("/ofrep/v1/evaluate/flags", {{"context", {{"targetingKey", kPlaceholder}}}}, kOne,
               "", "Bearer t");
    CHECK(world.owner_of(1, kPlaceholder).empty());
    CHECK(world.objects.count({ObjectClass::kPerson, person_object_name(1, kPlaceholder)}) == 0);
    for (const auto& [key, storage] : world.objects) {
      for (const auto& [name, value] : storage.values) {
        CAPTURE(key.name, name);
        CHECK(value.find(kPlaceholder) == std::string::npos);
      }
    }
    CHECK(world.owner_of(1, "ann") != world.owner_of(1, "bob"));
  }
}

TEST_CASE("Flags never use what an older version stored for the placeholder", "[cookieless]") {
  World world(stateful(),
              R"({"flags":[{"id":1,"key":"f","active":true,"filters":{"groups":[{"properties":)"
              R"([{"key":"plan","operator":"exact","value":"pro","type":"person"}],)"
              R"("rollout_percentage":100}]}}]})");
  // As an older version did it: a person of the placeholder's.
  ApplyRequest old;
  old.team_id = 1;
  old.self = kPlaceholder;
  PersonOp op;
  op.distinct_id = kPlaceholder;
  op.access = PersonAccess::kUpdate;
  op.set = R"({"plan":"pro"})";
  old.ops.push_back(op);
  ObjectHost host;
  host.call({ObjectClass::kPerson, person_object_name(1, kPlaceholder), write_apply(old)});
  world.objects = host.objects;
  REQUIRE(!world.owner_of(1, kPlaceholder).empty());
  for (const char* mode : {"stateful", "stateless", "disabled"}) {
    World asked({{"HOGFLARE_COOKIELESS", mode}},
                R"({"flags":[{"id":1,"key":"f","active":true,"filters":{"groups":[{"properties":)"
                R"([{"key":"plan","operator":"exact","value":"pro","type":"person"}],)"
                R"("rollout_percentage":100}]}}]})");
    asked.objects = world.objects;
    const Reply reply =
        asked.post("/flags/", {{"token", "t"}, {"distinct_id", kPlaceholder}}, kOne, "v=2");
    CAPTURE(mode, reply.body);
    REQUIRE(reply.status == 200);
    CHECK(Json::parse(reply.body)["flags"]["f"]["enabled"] == false);
  }
}

TEST_CASE("Flags follow the visitor from event to event", "[cookieless]") {
  std::string flags = R"({"flags":[)";
  for (int i = 0; i < 40; ++i) {
    flags += std::string(i == 0 ? "" : ",") + R"({"id":)" + std::to_string(i + 1) + R"(,"key":"f)" +
             std::to_string(i) +
             R"(","active":true,"filters":{"groups":[{"properties":[],"rollout_percentage":50}]}})";
  }
  World world(stateful(), flags + "]}");
  const auto values = [&](const std::string& id) {
    const Reply reply =
        world.post("/flags/", {{"token", "t"}, {"distinct_id", id}, {"timezone", "UTC"}}, kOne,
                   "v=2&_=" + std::to_string(world.now_ms));
    REQUIRE(reply.status == 200);
    Json answer = Json::parse(reply.body);
    REQUIRE(answer["flags"].size() == 40);
    for (auto& [key, flag] : answer["flags"].items()) flag = flag["enabled"];
    return answer["flags"];
  };
  REQUIRE(send(world, kOne, {event_of(kOne, 1, "view"), event_of(kOne, 2, "$identify", "ann")}) ==
          200);
  REQUIRE(send(world, kOne, {event_of(kOne, 3, "view")}) == 200);
  CHECK(values(kPlaceholder) == values(row_of(world, 3)["distinct_id"]));
  CHECK(values(kPlaceholder) != values(row_of(world, 1)["distinct_id"]));
  // Asking changes nothing.
  REQUIRE(send(world, kOne, {event_of(kOne, 4, "view")}) == 200);
  CHECK(row_of(world, 4)["distinct_id"] == row_of(world, 3)["distinct_id"]);
  for (const Connection& from :
       {Connection{"", "A", "https://a.example"}, Connection{"192.0.2.1", "", "https://a.example"},
        Connection{"192.0.2.1", "A", ""}}) {
    CHECK(world.post("/flags/", {{"token", "t"}, {"distinct_id", kPlaceholder}}, from, "v=2")
              .status == 400);
    CHECK(world
              .post("/ofrep/v1/evaluate/flags", {{"context", {{"targetingKey", kPlaceholder}}}},
                    from, "", "Bearer t")
              .status == 400);
  }
}

TEST_CASE(
    "A visitor's log-in keeps what else it says, and names the visitor in the placeholder's place",
    "[cookieless]") {
  World world(stateful());
  Json login = event_of(kOne, 2, "$identify", "ann");
  login["properties"]["plan"] = "pro";
  login["properties"]["$set"] = {{"a", 1}};
  REQUIRE(send(world, kOne, {event_of(kOne, 1, "view"), login}) == 200);
  const Json properties = row_of(world, 2)["properties"];
  CHECK(properties["plan"] == "pro");
  CHECK(properties["$set"]["a"] == 1);
  CHECK(properties["$anon_distinct_id"] == row_of(world, 1)["distinct_id"]);
}

TEST_CASE("Flags ask a visitor's object that does not answer once more, and then say so",
          "[cookieless]") {
  for (const int lost : {0, 1, 2}) {
    CAPTURE(lost);
    World world(stateful());
    int asked = 0;
    world.fault = [&](const CallObject& call) {
      if (!is_visitor_call(call)) return World::Fault::kNone;
      return ++asked > lost ? World::Fault::kNone : World::Fault::kLost;
    };
    const Reply reply =
        world.post("/flags/", {{"token", "t"}, {"distinct_id", kPlaceholder}}, kOne, "v=2");
    CHECK(reply.status == (lost < 2 ? 200 : 502));
    CHECK(asked == (lost == 0 ? 1 : 2));
  }
}

TEST_CASE("A visitor's object is asked three times, a moment apart, before the client is refused",
          "[cookieless]") {
  for (const World::Fault how : {World::Fault::kLost, World::Fault::kAnswerLost}) {
    for (int lost = 0; lost <= limits::kCookielessAttemptsMax; ++lost) {
      CAPTURE(lost);
      World world(stateful());
      std::vector<int64_t> asked_ms;
      world.fault = [&](const CallObject& call) {
        if (!is_visitor_call(call)) return World::Fault::kNone;
        asked_ms.push_back(world.now_ms);
        return static_cast<int>(asked_ms.size()) > lost ? World::Fault::kNone : how;
      };
      const Json events = {event_of(kOne, 1, "view"), event_of(kOne, 2, "$identify", "ann")};
      const int status = send(world, kOne, events);
      const int asked = std::min(lost + 1, limits::kCookielessAttemptsMax);
      CHECK(static_cast<int>(asked_ms.size()) == asked);
      CHECK(asked_ms.back() - asked_ms.front() ==
            (asked - 1) * int64_t{limits::kCookielessRetryMs});
      if (lost < limits::kCookielessAttemptsMax) {
        CHECK(status == 200);
        CHECK(world.rows.size() == 2);
      } else {
        CHECK(status >= 500);
        CHECK(world.rows.empty());
        CHECK(send(world, kOne, events) == 200);
      }
      // Whichever answer it was, the log-in is the visitor's first.
      CHECK(row_of(world, 2)["properties"]["$anon_distinct_id"] == row_of(world, 1)["distinct_id"]);
    }
  }
}

TEST_CASE("An answer for fewer events than were asked for, or for more, is none", "[cookieless]") {
  for (const int more : {-1, 1}) {
    for (const bool is_always : {false, true}) {
      CAPTURE(more, is_always);
      World world(stateful());
      int asked = 0;
      world.answered = [&](const CallObject& call, std::string& body) {
        if (!is_visitor_call(call) || (++asked > 1 && !is_always)) return;
        std::vector<CookielessPlace> places = *read_cookieless_places(body);
        places.resize(places.size() + static_cast<size_t>(more), places.front());
        ByteWriter out;
        out.u8(kCookielessVersion);
        out.number(places.size());
        for (const CookielessPlace& place : places) {
          out.signed_number(place.n);
          out.text(place.session);
        }
        body = out.take();
      };
      const int status = send(world, kOne, {event_of(kOne, 1, "view"), event_of(kOne, 2, "view")});
      CHECK(asked == (is_always ? limits::kCookielessAttemptsMax : 2));
      CHECK((status == 200) == !is_always);
      if (is_always) {
        CHECK(world.rows.empty());
        continue;
      }
      REQUIRE(world.rows.size() == 2);
      CHECK(row_of(world, 1)["distinct_id"] == row_of(world, 2)["distinct_id"]);
      CHECK(row_of(world, 2)["properties"]["$session_id"].get<std::string>().size() == 36);
    }
  }
}

TEST_CASE("A log-in alone says who the visitor was before it", "[cookieless]") {
  World world(stateful());
  REQUIRE(send(world, kOne,
               {event_of(kOne, 1, "view"), event_of(kOne, 2, "$identify", "ann"),
                event_of(kOne, 3, "view", "ann"), event_of(kOne, 4, "view")}) == 200);
  for (const int number : {1, 3, 4}) {
    CAPTURE(number);
    CHECK_FALSE(row_of(world, number)["properties"].contains("$anon_distinct_id"));
  }
  CHECK(row_of(world, 2)["properties"].contains("$anon_distinct_id"));
  World other({{"HOGFLARE_COOKIELESS", "stateless"}});
  REQUIRE(send(other, kOne, {event_of(kOne, 1, "view"), event_of(kOne, 2, "view", "ann")}) == 200);
  for (const int number : {1, 2}) {
    CHECK_FALSE(row_of(other, number)["properties"].contains("$anon_distinct_id"));
  }
}

TEST_CASE("Capture v1 tells each cookieless event's fate", "[cookieless]") {
  World world({{"HOGFLARE_COOKIELESS", "stateless"}});
  Json batch = Json::array();
  for (const auto& [number, name] :
       std::vector<std::pair<int, const char*>>{{1, "view"}, {2, "$identify"}}) {
    Json event = event_of(kOne, number, name);
    event["distinct_id"] = number == 1 ? kPlaceholder : "ann";
    event["timestamp"] = World::iso(world.now_ms);
    event["properties"].erase("$cookieless_mode");
    event["options"] = {{"cookieless_mode", true}};
    batch.push_back(event);
  }
  const Json body = {{"created_at", World::iso(world.now_ms)}, {"batch", batch}};
  const Reply reply = world.post("/i/v1/analytics/events", body, kOne, "", "Bearer t");
  const Json results = Json::parse(reply.body)["results"];
  CAPTURE(reply.body);
  CHECK(results[uuid_of(1)]["result"] == "ok");
  CHECK(results[uuid_of(2)] ==
        Json{{"result", "drop"}, {"details", "cookieless_stateless_no_identify"}});
  CHECK(row_of(world, 1)["distinct_id"].get<std::string>().rfind("cookieless_", 0) == 0);
  CHECK(reject_of(world, 2, "warning")["reason"] == "cookieless_stateless_no_identify");
  world.fault = [](const CallObject& call) {
    return call.object_class == ObjectClass::kCookieless ? World::Fault::kLost
                                                         : World::Fault::kNone;
  };
  world.new_isolate();
  const Json again =
      Json::parse(world.post("/i/v1/analytics/events", body, kOne, "", "Bearer t").body)["results"];
  CHECK(again[uuid_of(1)]["result"] == "retry");
}

// Visitors, users who log in, and everything that can go wrong on the way; clients send again until
// they are answered 200. Whoever never logged in on a machine owns nothing of that machine.
void run_history(uint32_t seed) {
  CAPTURE(seed);
  uint64_t state = seed * 2654435761u + 1;
  const auto below = [&state](uint32_t bound) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state >> 33) % bound;
  };
  World world(stateful());
  bool is_calm = false;
  world.fault = [&](const CallObject&) {
    if (is_calm || below(5) != 0) return World::Fault::kNone;
    return below(2) == 0 ? World::Fault::kLost : World::Fault::kAnswerLost;
  };
  const Connection machines[] = {kOne, kTwo};
  // Each machine has users of its own.
  const std::vector<std::string> users[] = {{"ann", "bob"}, {"cat", "dan"}};
  std::string current[] = {kPlaceholder, kPlaceholder};
  std::map<int, size_t> machine_of;
  std::vector<std::pair<size_t, Json>> open;
  const auto deliver = [&](size_t machine, const Json& events) {
    for (int attempt = 0; attempt < 30; ++attempt) {
      is_calm = attempt > 20;
      const bool done = send(world, machines[machine], events) == 200;
      is_calm = false;
      // The answer may be lost, and the isolate with all it knew.
      if (below(4) == 0) world.new_isolate();
      if (below(12) == 0) world.objects.erase({ObjectClass::kCookieless, "1:salts"});
      if (done && below(4) != 0) return;
    }
  };
  int number = 0;
  for (int step = 0; step < 25; ++step) {
    const size_t machine = below(2);
    Json events = Json::array();
    for (uint32_t count = 1 + below(3); count > 0; --count) {
      const uint32_t what = below(4);
      machine_of[++number] = machine;
      if (what == 0 && current[machine] == kPlaceholder) {
        current[machine] = users[machine][below(2)];
        events.push_back(event_of(machines[machine], number, "$identify", current[machine]));
      } else {
        if (what == 1) current[machine] = kPlaceholder;
        events.push_back(event_of(machines[machine], number, "view", current[machine]));
      }
    }
    deliver(machine, events);
    if (below(5) == 0) open.push_back({machine, events});
    // A copy of an old request, late.
    if (!open.empty() && below(4) == 0) {
      const auto& [from, old] = open[below(static_cast<uint32_t>(open.size()))];
      deliver(from, old);
    }
    world.now_ms += below(1'200'000);
    if (below(6) == 0) world.ring_alarms();
  }
  world.now_ms += 100 * kHourMs;
  for (int i = 0; i < 20; ++i) world.ring_alarms();

  CHECK(world.owner_of(1, kPlaceholder).empty());
  std::map<std::string, std::string> user_of_person;
  for (const auto& names : users) {
    for (const std::string& user : names) {
      const std::string person = world.owner_of(1, user);
      if (person.empty()) continue;
      CAPTURE(user, user_of_person[person]);
      CHECK(user_of_person[person].empty());
      user_of_person[person] = user;
    }
  }
  for (const Json& row : world.rows) {
    const int event = std::stoi(row["uuid"].get<std::string>().substr(24));
    const auto user = user_of_person.find(world.owner_of(1, row["distinct_id"]));
    if (user == user_of_person.end() || user->second.empty()) continue;
    const auto& own = users[machine_of.at(event)];
    CAPTURE(event, user->second);
    CHECK(std::find(own.begin(), own.end(), user->second) != own.end());
  }
}

TEST_CASE("No crash, copy or lost salt joins two people", "[cookieless]") {
  for (uint32_t seed = 1; seed <= 150; ++seed) run_history(seed);
}

TEST_CASE("Sites are those of the Public Suffix List", "[cookieless]") {
  const std::pair<const char*, const char*> cases[] = {
      {"www.example.com", "example.com"},
      {"a.b.example.co.uk", "example.co.uk"},
      {"EXAMPLE.co.uk:443", "example.co.uk:443"},
      {"https://example.co.uk:443", "example.co.uk"},
      {"http://user:pw@Shop.Example:80/p?q#f", "shop.example"},
      {"shop.example:8443", "shop.example:8443"},
      {"www.ck", "www.ck"},
      {"a.www.ck", "www.ck"},
      {"a.b.ck", "a.b.ck"},
      {"x.a.b.ck", "a.b.ck"},
      {"city.kawasaki.jp", "city.kawasaki.jp"},
      {"x.y.kawasaki.jp", "x.y.kawasaki.jp"},
      {"alice.github.io", "alice.github.io"},
      {"www.alice.github.io", "alice.github.io"},
      {"co.uk", "co.uk"},
      {"intranet", "intranet"},
      {"shop.example.", "shop.example"},
      {"192.0.2.7", "192.0.2.7"},
      {"192.0.2.7:3000", "192.0.2.7:3000"},
      {"256.0.2.7", "2.7"},
      {"2001:DB8::0:1", "[2001:db8::1]"},
      {"[2001:db8:0:0:1:0:0:1]", "[2001:db8::1:0:0:1]"},
      {"http://[::ffff:192.0.2.128]:81", "[::ffff:c000:280]:81"},
      {"a b", "a b"},
      {"x:y", "x:y"},
      {"[::g]", "[::g]"},
  };
  for (const auto& [host, root] : cases) {
    CAPTURE(host);
    CHECK(cookieless_root_domain(host) == root);
  }
  const std::string longest(limits::kCookielessHostBytesMax + 1, 'a');
  CHECK(cookieless_root_domain(longest) == longest);
  CHECK(cookieless_root_domain("www.example.com" + longest) == "www.example.com" + longest);
  const std::string fits = std::string(limits::kCookielessHostBytesMax - 12, 'a') + ".example.com";
  CHECK(cookieless_root_domain(fits) == "example.com");
  CHECK(cookieless_root_domain("a" + fits) == "a" + fits);
  CHECK(cookieless_root_domain("") == "");
}

TEST_CASE("Days change at midnight of the zone, also where summer time begins or ends",
          "[cookieless]") {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"2026-10-24T21:59:59Z", "Europe/Berlin", "2026-10-24"},
      {"2026-10-24T22:00:00Z", "Europe/Berlin", "2026-10-25"},
      {"2026-10-25T22:59:59Z", "Europe/Berlin", "2026-10-25"},
      {"2026-10-25T23:00:00Z", "Europe/Berlin", "2026-10-26"},
      {"2026-03-28T22:59:59Z", "Europe/Berlin", "2026-03-28"},
      {"2026-03-28T23:00:00Z", "Europe/Berlin", "2026-03-29"},
      {"2026-03-29T21:59:59Z", "Europe/Berlin", "2026-03-29"},
      {"2026-03-29T22:00:00Z", "Europe/Berlin", "2026-03-30"},
      {"2026-05-20T18:29:59Z", "Asia/Calcutta", "2026-05-20"},
      {"2026-05-20T18:30:00Z", "Asia/Calcutta", "2026-05-21"},
      {"1969-12-31T23:59:59Z", "UTC", "1969-12-31"},
  };
  test::TableZones host;
  Zones zones(host);
  for (const auto& [at, zone, day] : cases) {
    CAPTURE(at, zone);
    CHECK(cookieless_day_text(cookieless_day(*parse_timestamp(at), {zone, "", &zones})) == day);
  }
  CHECK(!parse_cookieless_day("2026-02-30"));
  CHECK(!parse_cookieless_day("2026-5-20"));
  CHECK(!parse_cookieless_day("-026-05-20"));
  // Days that are as far as numbers go have no salt, whatever their instants come out as.
  constexpr int64_t kDayMs = 86'400'000;
  const int64_t today = 20'000;
  for (const int64_t far : {int64_t{1} << 54, -(int64_t{1} << 54), int64_t{11}, int64_t{-11}}) {
    CHECK_FALSE(has_cookieless_salt(today + far, today * kDayMs));
  }
  CHECK(has_cookieless_salt(today, today * kDayMs));
  // What stands in memory behind it does not count.
  const std::string_view whole = "2026-05-20";
  CHECK(parse_cookieless_day(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(!parse_cookieless_day(whole.substr(0, size)));
  }
}

TEST_CASE("A visitor's fields do not run into each other", "[cookieless]") {
  const std::string salt(32, 's');
  const CookielessVisitor base{1, "192.0.2.1", "a.example", "Agent", "x"};
  std::set<std::string> ids{cookieless_id(salt, base, 0)};
  for (CookielessVisitor other : {CookielessVisitor{2, "192.0.2.1", "a.example", "Agent", "x"},
                                  CookielessVisitor{1, "192.0.2.1a", ".example", "Agent", "x"},
                                  CookielessVisitor{1, "192.0.2.1", "a.exampleA", "gent", "x"},
                                  CookielessVisitor{1, "192.0.2.1", "a.example", "Agentx", ""},
                                  CookielessVisitor{1, "192.0.2.1", "a.example", "Agent", ""}}) {
    ids.insert(cookieless_id(salt, other, 0));
  }
  for (const int64_t n : {-1, 1, 2, 700}) ids.insert(cookieless_id(salt, base, n));
  ids.insert(cookieless_id(std::string(32, 't'), base, 0));
  CHECK(ids.size() == 11);
  for (const std::string& id : ids) CHECK(id.size() == 33);
  CHECK(cookieless_device_id(salt, base).size() == 34);
  // A day's session is the same for every isolate and version that makes it.
  CHECK(cookieless_day_session(salt, base, 1'779'235'200'000) ==
        "019e42ae-9c00-7ed7-99a3-e7d1dc100036");
  CHECK(cookieless_device_id(salt, base).substr(12) != cookieless_id(salt, base, 0).substr(11));
}

TEST_CASE("The mode is each project's own", "[cookieless]") {
  World world({{"HOGFLARE_COOKIELESS", "stateless"},
               {"HOGFLARE_PROJECTS",
                R"({"a":{"team_id":1},"b":{"team_id":2,"cookieless":"disabled"},)"
                R"("c":{"team_id":3,"cookieless":"stateful","timezone":"Asia/Tokyo"}})"}});
  CHECK(world.config().projects.at("a").cookieless == CookielessMode::kStateless);
  CHECK(world.config().projects.at("b").cookieless == CookielessMode::kDisabled);
  CHECK(world.config().projects.at("c").cookieless == CookielessMode::kStateful);
  CHECK(world.config().projects.at("c").timezone == "Asia/Tokyo");
  CHECK(world.config().problems.empty());
  const auto problems_of = [](const Json& vars, const Json& bindings) {
    Json all = vars;
    all["CLOUDFLARE_PIPELINE_ENDPOINT"] = "http://sink.invalid/";
    test::TableZones host;
    Zones zones(host);
    return parse_config(Json{{"vars", all}, {"bindings", bindings}}.dump(), &zones).problems;
  };
  const Json bound = {"PERSONS", "GROUPS", "PERSON_ID_COUNTER", "OUTBOX"};
  CHECK(problems_of({}, bound).empty());
  const auto missing = problems_of({{"HOGFLARE_COOKIELESS", "stateful"}}, bound);
  REQUIRE(missing.size() == 1);
  CHECK(missing[0].fatal);
  CHECK(missing[0].message.find("COOKIELESS") != std::string::npos);
  const auto wrong =
      problems_of({{"HOGFLARE_COOKIELESS", "on"}, {"HOGFLARE_TIMEZONE", "Moon/Base"}}, bound);
  REQUIRE(wrong.size() == 2);
  CHECK(!wrong[0].fatal);
  for (const char* project :
       {R"({"a":{"team_id":1,"cookieless":"on"}})", R"({"a":{"team_id":1,"timezone":"Moon"}})"}) {
    CHECK(problems_of({{"HOGFLARE_PROJECTS", project}}, bound).size() == 1);
  }
}

}  // namespace

TEST_CASE("A refused event that asked for cookieless is known in every spelling", "[cookieless]") {
  for (const char* text :
       {R"({"properties":{"$cookieless_mode":true}})",
        R"({"properties":{"$cookieless_mode" : true}})",
        R"({"properties":{"\u0024cookieless_mode":true}})",
        R"({"properties":{"$cookieless\u005Fmode":true}})",
        R"({"options":{"cookieless_mode":true,"product_tour_id":{}}})",
        R"({"options":{"cookieless_mode":1}})", R"({"options":{"cookieless_mode" : "1"}})"}) {
    CAPTURE(text);
    CHECK(asks_for_cookieless(text));
  }
  for (const char* text :
       {R"({"properties":{"$cookieless_mode":false}})", R"({"event":"cookieless_mode","a":true})",
        R"({"properties":{"$cookieless_mode":1}})", R"({"options":{"cookieless_mode":0}})",
        R"({"properties":{"a":"\u0041"}})", "{}"}) {
    CAPTURE(text);
    CHECK_FALSE(asks_for_cookieless(text));
  }
}

TEST_CASE("A refused event is known in every spelling wherever in it that stands", "[cookieless]") {
  const std::string member = R"("$cookieless\u005Fmode" : true)";
  // A part ends before, in and behind it.
  for (size_t before = (1u << 20) - 60; before < (1u << 20) + 30; before += 7) {
    CAPTURE(before);
    const std::string filler(before, 'x');
    CHECK(
        asks_for_cookieless("{\"a\":\"" + filler + "\"," + member + ",\"b\":\"" + filler + "\"}"));
    CHECK_FALSE(
        asks_for_cookieless("{\"a\":\"" + filler + R"(","\u0041":true,"b":")" + filler + "\"}"));
  }
}

TEST_CASE("The zone of a visitor is asked for only near the days that have salts", "[cookieless]") {
  const int64_t now_ms = *parse_timestamp("2026-05-20T12:00:00Z");
  constexpr int64_t kDayMs = 86'400'000;
  for (const auto& [days, is_far] : std::initializer_list<std::pair<int, bool>>{
           {0, false}, {-3, false}, {1, false}, {-30, true}, {30, true}, {-20'000, true}}) {
    CAPTURE(days);
    CHECK(is_far_from_cookieless_salts(now_ms + days * kDayMs, now_ms) == is_far);
  }
}

}  // namespace hogflare::test
