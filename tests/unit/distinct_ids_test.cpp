// The distinct_ids stream: which merges write which rows, in parts, again after a sink that was
// down. Every order of merges and crashes: tests/sim.
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hogflare/limits.h"
#include "identity_support.h"

namespace hogflare::test {
namespace {

using Json = nlohmann::json;

struct World {
  ObjectHost host;
  IdentityCaches caches;
  Project project;

  World() { host.config.sinks[index_of(Stream::kDistinctIds)] = SinkKind::kHttp; }

  void send(const std::string& json) {
    EventBatch batch;
    batch.add(json);
    RequestRun run(host, caches, project, batch);
    REQUIRE_FALSE(run.people.failed(0));
    REQUIRE(run.people.warnings().empty());
  }
  void seen(const std::string& id) { send(R"({"event":"e","distinct_id":")" + id + "\"}"); }
  void merge(const std::string& into, const std::string& other) {
    send(R"({"event":"$merge_dangerously","distinct_id":")" + into +
         R"(","properties":{"alias":")" + other + "\"}}");
  }
  std::string uuid_of(const std::string& id) {
    return read_stored_person(host.objects[{ObjectClass::kPerson, person_object_name(1, id)}]).uuid;
  }
  // What came since the last call.
  std::vector<Json> rows() {
    host.ring_alarms(host.now_ms + 2 * limits::kMergeAlarmMs);
    return take_rows();
  }
  std::vector<Json> take_rows() {
    std::vector<Json> all;
    for (const std::string& text : host.sends) {
      for (Json& row : Json::parse(text)) all.push_back(std::move(row));
    }
    host.sends.clear();
    return all;
  }
};

std::map<std::string, std::pair<std::string, int>> by_id(const std::vector<Json>& rows) {
  std::map<std::string, std::pair<std::string, int>> found;
  for (const Json& row : rows) found[row["distinct_id"]] = {row["person_id"], row["version"]};
  return found;
}

TEST_CASE("A row of distinct_ids has exactly the columns of its schema") {
  World world;
  world.seen("ann");
  world.seen("user");
  world.merge("user", "ann");
  const std::vector<Json> rows = world.rows();
  REQUIRE(rows.size() == 1);
  std::string file;
  {
    std::ifstream in(std::string(HOGFLARE_TEST_DATA_DIR) + "/../schemas/distinct_ids.json");
    file.assign(std::istreambuf_iterator<char>(in), {});
  }
  const Json fields = Json::parse(file)["fields"];
  CHECK(rows[0].size() == fields.size());
  for (const Json& field : fields) CHECK(rows[0].contains(field["name"].get<std::string>()));
  CHECK(rows[0]["distinct_id"] == "ann");
  CHECK(rows[0]["person_id"] == world.uuid_of("user"));
  CHECK(rows[0]["team_id"] == 1);
  CHECK(rows[0]["is_deleted"] == false);
  CHECK(parse_timestamp(rows[0]["timestamp"].get<std::string>()) == world.host.now_ms);
}

TEST_CASE("People whose ids name them write nothing, and neither does a merge without the stream") {
  World world;
  world.seen("ann");
  world.seen("user");
  CHECK(world.rows().empty());
  World without;
  without.host.config.sinks[index_of(Stream::kDistinctIds)] = SinkKind::kNone;
  without.seen("ann");
  without.seen("user");
  without.merge("user", "ann");
  CHECK(without.rows().empty());
}

TEST_CASE("The survivor writes the row of every id it takes over, those of earlier merges too") {
  World world;
  for (const char* id : {"a", "b", "c", "d"}) world.seen(id);
  world.merge("b", "a");
  CHECK(by_id(world.rows()).at("a").first == world.uuid_of("b"));
  world.merge("c", "b");
  const auto second = by_id(world.rows());
  CHECK(second.size() == 2);
  world.merge("d", "c");
  const auto third = by_id(world.rows());
  CHECK(third.size() == 3);
  for (const char* id : {"a", "b", "c"}) CHECK(third.at(id).first == world.uuid_of("d"));
  CHECK(third.at("a").second == 3);
  CHECK(third.at("c").second == 1);
  CHECK(third.at("a").second > second.at("a").second);
}

TEST_CASE("Rows that a sink did not take come again, the same ones") {
  World world;
  world.seen("a");
  world.seen("b");
  world.merge("b", "a");
  world.host.sink_status = 503;
  world.host.config.outbox_bytes_max = 1;  // no room there either
  world.host.ring_alarms(world.host.now_ms + 2 * limits::kMergeAlarmMs);
  const std::vector<Json> first = world.take_rows();
  REQUIRE_FALSE(first.empty());
  world.host.sink_status = 200;
  world.host.ring_alarms(world.host.now_ms + limits::kMergeAlarmMsMax);
  const std::vector<Json> again = world.take_rows();
  REQUIRE(again.size() == 1);
  CHECK(again[0]["uuid"] == first[0]["uuid"]);
  CHECK(again[0]["version"] == first[0]["version"]);
  world.host.ring_alarms(world.host.now_ms + limits::kMergeAlarmMsMax);
  CHECK(world.take_rows().empty());
}

TEST_CASE("Ten thousand ids go in parts, and the next merge tells only of its own") {
  World world;
  constexpr size_t kIds = 10'000;
  EventBatch batch;
  for (size_t i = 0; i < kIds; ++i) {
    batch.add(R"({"event":"$create_alias","distinct_id":"user","properties":{"alias":"id-)" +
              std::to_string(i) + "\"}}");
  }
  RequestRun run(world.host, world.caches, world.project, batch);
  REQUIRE_FALSE(run.people.failed(0));
  world.host.ring_alarms(world.host.now_ms + 2 * limits::kMergeAlarmMs);
  CHECK(world.host.sends.size() > 1);
  for (const std::string& rows : world.host.sends)
    CHECK(rows.size() < 2 * limits::kDistinctIdRowsBytes);
  const auto all = by_id(world.take_rows());
  const std::string uuid = world.uuid_of("user");
  size_t right = 0;
  for (const auto& [id, person] : all) right += person.first == uuid;
  CHECK(right == all.size());
  // All but the one whose uuid the person has.
  CHECK(all.size() == kIds);

  world.seen("one more");
  world.merge("user", "one more");
  const auto& values =
      world.host.objects[{ObjectClass::kPerson, person_object_name(1, "user")}].values;
  CHECK(values.count("report-ids") == 1);
  const auto further = by_id(world.rows());
  CHECK(values.count("report-ids") == 0);
  CHECK(further.count("one more") == 1);
  CHECK(further.size() < kIds / 5);

  world.seen("boss");
  world.merge("boss", "user");
  const auto moved = by_id(world.rows());
  CHECK(moved.size() >= kIds + 1);
  for (const auto& [id, person] : moved) {
    if (person.first != world.uuid_of("boss") || person.second < 1) FAIL(id);
  }
}

TEST_CASE("A part of the ids' rows ends with the page that reaches its bound, to the byte") {
  World world;
  EventBatch batch;
  for (size_t i = 0; i < 6'000; ++i) {
    batch.add(R"({"event":"$create_alias","distinct_id":"user","properties":{"alias":"id-)" +
              std::to_string(i) + "\"}}");
  }
  RequestRun run(world.host, world.caches, world.project, batch);
  REQUIRE_FALSE(run.people.failed(0));
  const MemoryStorage before =
      world.host.objects[{ObjectClass::kPerson, person_object_name(1, "user")}];
  const auto parts = [&](size_t bound) {
    MemoryStorage storage = before;
    PersonBounds bounds;
    bounds.id_rows_bytes = bound;
    world.host.sends.clear();
    const std::unique_ptr<Task> task = make_person_alarm(ProtocolFaults(), bounds);
    world.host.run(*task, &storage);
    std::vector<size_t> bytes;
    for (const std::string& rows : world.host.sends) bytes.push_back(rows.size() - 2);  // no []
    return bytes;
  };
  const std::vector<size_t> smallest = parts(1);
  REQUIRE(smallest.size() > 2);
  CHECK(parts(smallest[0]) == smallest);
  const std::vector<size_t> larger = parts(smallest[0] + 1);
  REQUIRE(larger.size() < smallest.size());
  CHECK(larger[0] == smallest[0] + 1 + smallest[1]);
}

TEST_CASE("Notes of a version that knew no distinct_ids are told of from the first page on") {
  World world;
  EventBatch batch;
  for (int i = 0; i < 3'000; ++i) {
    batch.add(R"({"event":"$create_alias","distinct_id":"user","properties":{"alias":"id-)" +
              std::to_string(i) + "\"}}");
  }
  RequestRun run(world.host, world.caches, world.project, batch);
  CHECK(world.rows().size() == 3'000);
  world.seen("a");
  world.merge("user", "a");
  MemoryStorage& storage =
      world.host.objects[{ObjectClass::kPerson, person_object_name(1, "user")}];
  REQUIRE(storage.values.count("report-ids") == 1);
  storage.values.erase("report-ids");
  CHECK(world.rows().size() == 3'001);
  CHECK(storage.values.count("report-ids") == 0);
}

}  // namespace
}  // namespace hogflare::test
