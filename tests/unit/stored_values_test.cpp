// What objects keep is input: today's form of each value, under tests/vectors/stored/, must stay
// readable, and bytes that are not ours fail the call that reads them and nothing else.
#include <catch2/catch.hpp>

#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "cookieless/object_format.h"
#include "hogflare/cookieless.h"
#include "hogflare/stored_fault.h"
#include "identity_support.h"

namespace hogflare::test {
namespace {

constexpr uint8_t kSeed[32] = {3};

// Runs one task over its storage; the effects it asks for are lost.
struct Turnaround {
  Entropy entropy{kSeed};
  Config config;
  Metrics metrics;
  MemoryStorage storage;
  size_t effects_left = 0;

  Reply run(std::unique_ptr<Task> task) {
    Effects effects;
    task->start({1'704'067'200'000, entropy, config, metrics, &storage}, effects);
    effects_left = effects.take().size();
    if (!task->finished()) return {.status = 0, .headers = {}, .body = {}};
    return task->reply();
  }
  std::string log() {
    std::string lines;
    for (const LogEntry& entry : metrics.log.take()) lines += entry.line + "\n";
    return lines;
  }
};

std::string unhex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string fixture(const std::string& name) {
  std::ifstream file(std::string(HOGFLARE_TEST_DATA_DIR "/vectors/stored/") + name + ".hex");
  INFO(name);
  REQUIRE(file.good());
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return unhex(text);
}

std::string read_of(const std::string& distinct_id, const std::string& set = {}) {
  ApplyRequest request;
  request.self = distinct_id;
  PersonOp op;
  op.distinct_id = distinct_id;
  op.access = set.empty() ? PersonAccess::kRead : PersonAccess::kUpdate;
  op.set = set;
  request.ops.push_back(std::move(op));
  return write_apply(request);
}

struct StoredClass {
  const char* name;   // of the fixture
  const char* key;
  const char* object_class;
  std::function<std::unique_ptr<Task>()> call;
};

std::vector<StoredClass> classes() {
  return {
      {"person-1", "person", "person", [] { return make_person_call(read_of("ann", R"({"b":2})")); }},
      {"group-1", "group", "group",
       [] { return make_group_call(write_group_call({{R"({"b":2})", 1}})); }},
      {"group-types-1", "types", "group", [] { return make_group_call(write_group_types_call({"x"})); }},
      {"cookieless-salt-1", "salt:2024-01-01", "cookieless",
       [] { return make_cookieless_call(write_salt_request(std::vector<int64_t>{19'723})); }},
      {"cookieless-visitor-1", "visitor:2024-01-01", "cookieless",
       [] {
         const CookielessOp op{CookielessVisit::kAnonymous, "copied", 1'704'067'200'000};
         return make_cookieless_call(write_cookieless_visit(19'723, std::vector<CookielessOp>{op}));
       }},
      {"counter-1", "next", "counter", [] { return make_counter_call(write_lease(5)); }},
  };
}

TEST_CASE("The stored values of version 1 are read") {
  for (const StoredClass& each : classes()) {
    Turnaround world;
    world.storage.put(each.key, fixture(each.name));
    CAPTURE(each.name);
    CHECK(world.run(each.call()).status == 200);
    CHECK(world.log() == "");
  }
  Turnaround world;
  world.storage.put("person", fixture("person-1"));
  const StoredPerson person = read_stored_person(world.storage);
  CHECK(person.state == StoredPerson::State::kOwner);
  CHECK(person.properties == R"({"plan":"pro"})");
  CHECK(person.version == 3);
  CHECK(person.is_identified);
  CHECK(person.distinct_ids ==
        decltype(person.distinct_ids){{"ann", 0}, {"anna", 1}});
  world.storage.put("group", fixture("group-1"));
  CHECK(read_stored_group(world.storage).properties == R"({"name":"Acme"})");
}

TEST_CASE("A cookieless visitor's stored log-ins, sessions and copies keep their places") {
  Turnaround world;
  world.storage.put("visitor:2024-01-01", fixture("cookieless-visitor-1"));
  world.storage.put("salt:2024-01-01", fixture("cookieless-salt-1"));
  constexpr int64_t kAt = 1'704'067'200'000;
  const std::vector<CookielessOp> ops = {{CookielessVisit::kAnonymous, "one copy", kAt},
                                         {CookielessVisit::kIdentify, "log-in of one   ", kAt},
                                         {CookielessVisit::kAnonymous, "", kAt}};
  const auto places =
      read_cookieless_places(world.run(make_cookieless_call(write_cookieless_visit(19'723, ops))).body);
  REQUIRE(places.has_value());
  CHECK((*places)[0].n == 1);
  CHECK((*places)[0].session == "018cc251-f400-7000-8000-00000000000b");
  CHECK((*places)[1].n == 0);
  CHECK((*places)[1].session == "018cc251-f400-7000-8000-00000000000a");
  CHECK((*places)[2].n == 1);
  CHECK((*places)[2].session == "018cc251-f400-7000-8000-00000000000b");
  const auto salts = read_salt_reply(
      world.run(make_cookieless_call(write_salt_request(std::vector<int64_t>{19'723}))).body);
  REQUIRE(salts.has_value());
  CHECK(*salts == std::vector<std::string>{std::string(32, '\x11')});
}

TEST_CASE("A stored value of another version fails its call alone and is left as it is") {
  for (const StoredClass& each : classes()) {
    // The counter's number has no version byte.
    if (std::string(each.key) == "next") continue;
    Turnaround world;
    std::string bytes = fixture(each.name);
    bytes[0] = 9;
    world.storage.put(each.key, bytes);
    world.storage.rows_written = 0;
    CAPTURE(each.name);
    const Reply reply = world.run(each.call());
    CHECK(reply.status == 503);
    CHECK(reply.body == "object_unavailable");
    CHECK(world.effects_left == 0);
    CHECK(world.storage.rows_written == 0);
    CHECK(world.log() == std::string(R"({"level":"error","event":"stored_value_unreadable","class":")") +
                             each.object_class + R"(","key":")" + each.key +
                             "\",\"found_version\":9,\"known_version\":1}\n");
  }
}

TEST_CASE("A stored value cut anywhere, or with something behind it, fails its call") {
  for (const StoredClass& each : classes()) {
    const std::string whole = fixture(each.name);
    CAPTURE(each.name);
    for (size_t size = 0; size <= whole.size() + 1; ++size) {
      if (size == whole.size()) continue;
      Turnaround world;
      std::string bytes = whole.substr(0, size);
      if (size > whole.size()) bytes += '\1';
      world.storage.put(each.key, bytes);
      CAPTURE(size);
      CHECK(world.run(each.call()).status == 503);
    }
  }
}

TEST_CASE("No byte changed in a stored value ends more than its stored call") {
  for (const StoredClass& each : classes()) {
    const std::string whole = fixture(each.name);
    for (size_t at = 0; at < whole.size(); ++at) {
      for (const int bit : {1, 2, 4, 8, 16, 32, 64, 128}) {
        Turnaround world;
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ bit);
        world.storage.put(each.key, bytes);
        const uint16_t status = world.run(each.call()).status;
        CHECK((status == 200 || status == 503));
      }
    }
  }
}

TEST_CASE("Surrender, acknowledgement and alarm of a person that cannot be read") {
  Turnaround world;
  world.storage.put("person", "\x09" "newer");
  CHECK(world.run(make_person_call(write_repoint("ann", "x", "y"))).status == 503);
  const Reply reply = world.run(make_person_alarm());
  CHECK(reply.status == 200);
  CHECK(world.storage.alarm_at_ms > 1'704'067'200'000);
  CHECK(world.storage.values.at("person") == "\x09" "newer");
  CHECK(world.log().find("stored_value_unreadable") != std::string::npos);
}

TEST_CASE("Properties that are no text of ours fail the call that takes them apart") {
  for (const char* text : {"", "{", "}", "{}x", "{\"", "{\"a", "{\"a\"}", "{\"a\":}", "{\"a\":\"}",
                           "{\"a\":\"b\"c}", "{\"a\":[}", "{a:1}", "{\"a\":1,}", "{\"a\":1}}"}) {
    CAPTURE(text);
    PropertyBag bag;
    CHECK_FALSE(bag.add_text(text));
  }
  for (const char* text : {"{}", "{\"a\":1}", "{\"a\\\"\":\"\\\\\",\"b\":[\"}\"],\"c\":{\"d\":{}}}"}) {
    CAPTURE(text);
    PropertyBag bag;
    CHECK(bag.add_text(text));
  }
}

// --- Identifiers are bounded before they are stored ---

TEST_CASE("A merge with an id of any length beyond what an id may have is none, and the warning short") {
  for (const std::string& alias :
       {"\"" + std::string(2'000'000, 'a') + "\"", "[" + std::string(100'000, ' ') + "1]",
        "\"" + std::string(401, 'a') + "\""}) {
    ObjectHost host;
    IdentityCaches caches;
    Project project;
    EventBatch batch;
    batch.add(R"({"event":"$create_alias","distinct_id":"ann","properties":{"alias":)" + alias + "}}");
    RequestRun run(host, caches, project, batch);
    REQUIRE(run.people.warnings().size() == 1);
    CHECK(run.people.warnings()[0].name == "cannot_merge_with_illegal_distinct_id");
    CHECK(run.people.warnings()[0].detail.size() < 400);
    CHECK(host.calls[ObjectClass::kPerson] == 1);
  }
}

}  // namespace
}  // namespace hogflare::test
