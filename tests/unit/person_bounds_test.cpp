// However long a person's history, no stored value and no answer grows with it beyond the
// platform's limits, and a look at it stays cheap.
#include <catch2/catch.hpp>

#include <string>

#include "hogflare/limits.h"
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
  world.host.ring_alarms(world.host.now_ms + 2 * limits::kMergeAlarmMs);
  // Each alarm dismisses so many and lets the next go on at once.
  for (int i = 0; i < 3; ++i) world.host.ring_alarms(world.host.now_ms + limits::kMergeContinueMs);
  const StoredPerson person = read_stored_person(world.storage("user"));
  CHECK_FALSE(person.has_unacknowledged);
  CHECK_FALSE(person.has_unreported);
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

}  // namespace
}  // namespace hogflare::test
