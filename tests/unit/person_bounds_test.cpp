// However long a person's history, no stored value and no answer grows with it beyond the
// platform's limits, and a look at it stays cheap.
#include <catch2/catch.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "hogflare/limits.h"
#include "identity/person_describe.h"
#include "identity_support.h"

namespace hogflare::test {
namespace {

struct World {
  ObjectHost host;
  IdentityCaches caches;
  Project project;

  std::vector<Warning> send(EventBatch& batch) {
    RequestRun run(host, caches, project, batch);
    REQUIRE_FALSE(run.people.failed(0));
    return run.people.warnings();
  }
  // Merges the ids `first` to `last` into "user", all in one request.
  std::vector<Warning> merge(size_t first, size_t last, size_t id_bytes) {
    EventBatch batch;
    for (size_t i = first; i <= last; ++i) {
      batch.add(R"({"event":"$create_alias","distinct_id":"user","properties":{"alias":")" +
                id(i, id_bytes) + "\"}}");
    }
    return send(batch);
  }
  static std::string id(size_t number, size_t bytes) {
    std::string text = std::to_string(number);
    return std::string(bytes - std::min(bytes, text.size()), 'i') + text;
  }
  MemoryStorage& storage(const std::string& distinct_id) {
    return host.objects[{ObjectClass::kPerson, person_object_name(1, distinct_id)}];
  }
  size_t largest_value() const {
    size_t largest = 0;
    for (const auto& [key, storage] : host.objects)
      largest = std::max(largest, storage.largest_value);
    return largest;
  }
};

TEST_CASE(
    "A person takes ids up to the limit and refuses the next with a warning, not with an error") {
  World world;
  constexpr size_t kBytes = 390;
  constexpr size_t kHalf = 10'000;
  for (size_t first = 1; first <= kHalf; first += 1'000) {
    CHECK(world.merge(first, first + 999, kBytes).empty());
  }
  // An id on some page is found with a few reads.
  world.storage("user").rows_read = 0;
  CHECK(world.merge(5, 5, kBytes).empty());
  CHECK(world.storage("user").rows_read <= 4);
  // Whole, in several parts, the person moves into another one, and keeps every id.
  EventBatch batch;
  batch.add(R"({"event":"$merge_dangerously","distinct_id":"boss","properties":{"alias":"user"}})");
  CHECK(world.send(batch).empty());
  CHECK(read_stored_person(world.storage("boss")).distinct_ids.size() == kHalf + 2);
  std::vector<Warning> warnings;
  for (size_t first = kHalf + 1; warnings.empty() && first < 25'000; first += 1'000) {
    warnings = world.merge(first, first + 999, kBytes);
  }
  REQUIRE_FALSE(warnings.empty());
  CHECK(warnings[0].name == "person_merge_move_limit_hit");
  CHECK(read_stored_person(world.storage("boss")).distinct_ids.size() == limits::kPersonIdsMax);
  CHECK(world.largest_value() < 200'000);
}

TEST_CASE("Thousands of merges of people leave thousands of notes, which alarms work off at once") {
  World world;
  world.host.config.sinks[index_of(Stream::kPersons)] = SinkKind::kHttp;
  constexpr size_t kMerges = 1'500;
  for (size_t i = 1; i <= kMerges; ++i) {
    EventBatch batch;
    batch.add(R"({"event":"e","distinct_id":")" + World::id(i, 390) + "\"}");
    world.send(batch);
  }
  world.merge(1, kMerges, 390);
  CHECK(world.largest_value() < 1'000'000);
  CHECK(read_stored_person(world.storage("user")).has_unreported);
  // Of reports only the last ones are kept.
  const std::vector<std::string> reports = world.storage("user").list("report/", {}, kMerges);
  REQUIRE(reports.size() == limits::kUnreportedMergesMax);
  CHECK(reports.front() == "report/000000000500");
  world.host.ring_alarms(world.host.now_ms + 2 * limits::kMergeAlarmMs);
  // Each alarm dismisses so many and lets the next go on at once.
  for (int i = 0; i < 3; ++i) world.host.ring_alarms(world.host.now_ms + limits::kMergeContinueMs);
  const StoredPerson person = read_stored_person(world.storage("user"));
  CHECK_FALSE(person.has_unacknowledged);
  CHECK_FALSE(person.has_unreported);
}

TEST_CASE("An alarm comes back at once for tombstones only where some are gone") {
  World world;
  for (const char* id : {"1", "2", "3"}) {
    EventBatch batch;
    batch.add(R"({"event":"e","distinct_id":")" + std::string(id) + "\"}");
    world.send(batch);
  }
  world.merge(1, 3, 1);
  MemoryStorage& storage = world.storage("user");
  PersonBounds bounds;
  bounds.acknowledge_at_once = 2;
  bounds.acknowledges_per_alarm = 2;
  const auto ring = [&] {
    storage.alarm_at_ms = 0;
    std::unique_ptr<Task> task = make_person_alarm(ProtocolFaults(), bounds);
    world.host.run(*task, &storage);
    return storage.alarm_at_ms - world.host.now_ms;
  };
  world.host.objects_answer = false;
  CHECK(ring() == limits::kMergeAlarmMs);
  CHECK(read_stored_person(storage).has_unacknowledged);
  world.host.objects_answer = true;
  CHECK(ring() == limits::kMergeContinueMs);
  CHECK(read_stored_person(storage).has_unacknowledged);
  // One is left, fewer than an alarm dismisses.
  CHECK(ring() == -world.host.now_ms);
  CHECK_FALSE(read_stored_person(storage).has_unacknowledged);
}

TEST_CASE("A person keeps continuity keys up to their bound and none beyond it") {
  const std::string key(1'000, 'k');
  for (const size_t over : {0, 1}) {
    World world;
    EventBatch batch;
    batch.add(R"({"event":"e","distinct_id":"ann"})");
    world.send(batch);
    const auto call = [&](PersonAccess access, std::string_view flag) {
      ApplyRequest request;
      request.self = "ann";
      PersonOp op;
      op.distinct_id = "ann";
      op.access = access;
      op.other = key;
      if (!flag.empty()) op.unset.push_back(flag);
      request.ops.push_back(std::move(op));
      std::optional<ApplyReply> reply = read_apply_reply(world.host.call(
          CallObject{ObjectClass::kPerson, person_object_name(1, "ann"), write_apply(request)}));
      REQUIRE(reply.has_value());
      REQUIRE(reply->results.size() == 1);
      return reply->results[0].hash_keys.size();
    };
    CAPTURE(over);
    const std::string first(200'000, 'a');
    const std::string rest(limits::kHashKeysBytesMax - first.size() - 2 * key.size() + over, 'b');
    CHECK(call(PersonAccess::kWriteHashKeys, first) == 1);
    CHECK(call(PersonAccess::kWriteHashKeys, rest) == 2 - over);
    if (over == 0) CHECK(call(PersonAccess::kWriteHashKeys, "c") == 2);
    CHECK(call(PersonAccess::kRead, {}) == 2 - over);
  }
}

TEST_CASE("An event with more properties than a person may hold merges all the same") {
  World world;
  std::string big(700'000, 'x');
  EventBatch batch;
  batch.add(R"({"event":"$identify","distinct_id":"user","$set":{"a":")" + big +
            R"("},"properties":{"$anon_distinct_id":"anon","$current_url":")" + big +
            R"(","$set":{"b":")" + std::string(400'000, 'y') + R"("},"$set_once":{"c":")" +
            std::string(600'000, 'z') + R"("}}})");
  const std::vector<Warning> warnings = world.send(batch);
  REQUIRE(warnings.size() >= 2);
  CHECK(warnings[0].name == "person_properties_size_violation");
  CHECK(read_stored_person(world.storage("user")).distinct_ids.size() == 2);
  CHECK(world.largest_value() <= limits::kStorageValueBytesMax);
}

TEST_CASE("An operator is told a person's ids, and the changes by the events that made them") {
  World world;
  const auto uuid_of = [](int n) {
    return "00000000-0000-4000-8000-00000000000" + std::to_string(n);
  };
  const auto told_of = [&world](const std::string& distinct_id) {
    std::optional<StoredFault> fault;
    const std::string text = describe_person(world.storage(distinct_id), {}, fault);
    REQUIRE_FALSE(fault);
    return nlohmann::json::parse(text);
  };
  int number = 0;
  for (const char* event :
       {R"({"event":"$set","distinct_id":"ann","properties":{"$set":{"a":1}})",
        R"({"event":"$set","distinct_id":"bob","properties":{"$set":{"b":2}})",
        R"({"event":"$create_alias","distinct_id":"ann","properties":{"alias":"bob"})"}) {
    EventBatch batch;
    batch.add(std::string(event) + R"(,"uuid":")" + uuid_of(++number) + "\"}");
    CHECK(world.send(batch).empty());
  }
  const auto ann = told_of("ann");
  CAPTURE(ann.dump());
  CHECK(ann["state"] == "person");
  CHECK(ann["distinct_ids_count"] == 2);
  REQUIRE(ann["distinct_ids"].size() == 2);
  CHECK(ann["distinct_ids"][0]["distinct_id"] == "ann");
  CHECK(ann["distinct_ids"][1]["distinct_id"] == "bob");
  std::vector<std::string> events;
  for (const auto& change : ann["changes"]) events.push_back(change["event_uuid"]);
  CHECK(std::count(events.begin(), events.end(), uuid_of(3)) == 1);
  CHECK(told_of("bob")["state"] == "redirect");
  CHECK(told_of("bob")["redirect_to"] == "ann");
}

}  // namespace
}  // namespace hogflare::test
