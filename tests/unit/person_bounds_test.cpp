// However long a person's history, no stored value and no answer grows with it beyond the
// platform's limits, and a look at it stays cheap.
#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "hogflare/limits.h"
#include "identity/person_describe.h"
#include "identity/person_ids.h"
#include "identity/person_notes.h"
#include "identity/person_surrender.h"
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

// --- Reports of merges ---

// What the alarms of "user" tell of it until no report is owed.
struct Reporting : World {
  Reporting() {
    host.config.sinks[index_of(Stream::kPersons)] = SinkKind::kHttp;
    host.config.sinks[index_of(Stream::kDistinctIds)] = SinkKind::kHttp;
  }
  void event(const std::string& json) {
    EventBatch batch;
    batch.add(json);
    send(batch);
  }
  std::vector<nlohmann::json> rows() {
    host.sends.clear();
    host.ring_alarms(host.now_ms + 2 * limits::kMergeAlarmMs);
    std::vector<nlohmann::json> all;
    for (const std::string& sent : host.sends) {
      for (nlohmann::json& row : nlohmann::json::parse(sent)) all.push_back(std::move(row));
    }
    return all;
  }
  // Ids that rows of the persons stream list, and those with a row of distinct_ids.
  struct Told {
    std::set<std::string> listed;
    std::set<std::string> rows;
  };
  Told told() {
    Told told;
    for (const nlohmann::json& row : rows()) {
      if (!row.contains("distinct_ids")) told.rows.insert(row["distinct_id"]);
      if (!row.contains("distinct_ids")) continue;
      for (const nlohmann::json& id : row["distinct_ids"]) told.listed.insert(id);
    }
    return told;
  }
};

TEST_CASE("The largest person is told of in parts, each with few bytes, and every id arrives") {
  Reporting world;
  MemoryStorage& storage = world.storage("user");
  std::set<std::string> ids;
  {
    std::optional<StoredFault> fault;
    PersonRecord record = load_record(storage, PersonBounds(), fault);
    record.state = RecordState::kOwner;
    record.has_person = true;
    record.person.uuid = "018f0000-0000-5000-8000-000000000001";
    record.person.properties =
        "{\"a\":\"" + std::string(limits::kPersonPropertiesBytesMax - 8, 'x') + "\"}";
    // Six bytes of a row each.
    const std::string control(390, '\1');
    std::vector<PersonId> all;
    while (bytes_of_ids(all) < limits::kPersonIdsBytesMax - 2'500) {
      all.push_back({std::to_string(10'000 + all.size()) + control, 1});
      ids.insert(all.back().distinct_id);
    }
    append_ids(storage, record.person, std::move(all), record.bounds, fault);
    // Every merge absorbed somebody.
    for (size_t i = 0; i < limits::kUnreportedMergesMax; ++i) {
      note_report(storage, record, {"e", control, record.person.uuid, 3, 4, 1});
    }
    store_record(storage, record, fault);
    REQUIRE_FALSE(fault.has_value());
  }
  // A stored id takes fewer bytes than a told one, and the bound is of those.
  CHECK(ids.size() * 390 < limits::kPersonIdsBytesMax / 5);
  storage.alarm_at_ms = 1;
  std::set<std::string> listed;
  std::set<std::string> rows;
  size_t deleted = 0;
  std::set<std::string> uuids;
  world.host.on_send = [&](const std::string& sent) {
    CHECK(sent.size() < 2u << 20);
    for (const nlohmann::json& row : nlohmann::json::parse(sent)) {
      if (!row.contains("distinct_ids")) {
        rows.insert(row["distinct_id"]);
        continue;
      }
      deleted += row["is_deleted"].get<bool>();
      if (!row["is_deleted"]) CHECK(uuids.insert(row["uuid"]).second);
      if (!row["is_deleted"]) CHECK(row["properties"]["a"].get<std::string>().size() > 600'000);
      for (const nlohmann::json& id : row["distinct_ids"]) listed.insert(id);
    }
  };
  world.host.ring_alarms(world.host.now_ms);
  CHECK(deleted == limits::kUnreportedMergesMax);
  CHECK(rows == ids);
  CHECK(std::includes(listed.begin(), listed.end(), ids.begin(), ids.end()));
  CHECK_FALSE(read_stored_person(storage).has_unreported);
}

TEST_CASE("A merge tells of the ids that came with it, and a refused one of none") {
  Reporting world;
  constexpr size_t kIds = 300;
  world.merge(1, kIds, 390);
  CHECK(world.told().listed.size() == kIds + 1);

  world.event(R"({"event":"$create_alias","distinct_id":"user","properties":{"alias":"late"}})");
  const Reporting::Told late = world.told();
  CHECK(late.listed.count("late") == 1);
  CHECK(late.rows.count("late") == 1);
  CHECK(late.listed.size() < kIds / 4);  // those inside the record, and on no page

  // Identified people are not absorbed by an alias.
  world.event(
      R"({"event":"$identify","distinct_id":"bob","properties":{"$anon_distinct_id":"b"}})");
  world.rows();
  world.event(R"({"event":"$create_alias","distinct_id":"user","properties":{"alias":"bob"}})");
  REQUIRE(read_stored_person(world.storage("user")).has_unreported);
  const Reporting::Told refused = world.told();
  CHECK(refused.listed == std::set<std::string>{"user"});
  CHECK(refused.rows.empty());
  CHECK(world.storage("user").values.count("report-ids") == 0);
  CHECK_FALSE(read_stored_person(world.storage("user")).has_unreported);
}

// --- Alarms that get nothing done ---

// A person that owes a report to a sink that takes nothing, with outboxes that have no room.
struct Stuck : Reporting {
  Stuck() {
    host.config.sinks[index_of(Stream::kDistinctIds)] = SinkKind::kNone;
    host.config.outbox_bytes_max = 1;
    host.sink_status = 401;
    merge_one("anon");
  }
  void merge_one(const std::string& other) {
    event(R"({"event":"$create_alias","distinct_id":"user","properties":{"alias":")" + other +
          "\"}}");
  }
  int64_t wait_ms() { return storage("user").alarm_at_ms - host.now_ms; }
  // Lets the time of every alarm pass until `end_ms`.
  void pass(int64_t end_ms) {
    while (storage("user").alarm_at_ms != 0 && storage("user").alarm_at_ms <= end_ms) {
      host.ring_alarms(storage("user").alarm_at_ms);
    }
    host.now_ms = end_ms;
  }
};

TEST_CASE("While nobody takes a report it is tried ever more seldom, and soon again after that") {
  Stuck world;
  CHECK(world.wait_ms() == limits::kMergeAlarmMs);
  const int64_t begin_ms = world.host.now_ms;
  world.pass(begin_ms + 3'600'000);
  CHECK(world.host.alarms < 16);
  REQUIRE(read_stored_person(world.storage("user")).has_unreported);
  world.host.ring_alarms(world.storage("user").alarm_at_ms);
  CHECK(world.wait_ms() >= limits::kMergeAlarmMsMax);
  // Another merge may need its alarm soon.
  world.merge_one("phone");
  CHECK(world.wait_ms() == limits::kMergeAlarmMs);

  world.host.sink_status = 200;
  world.host.ring_alarms(world.storage("user").alarm_at_ms);
  CHECK_FALSE(read_stored_person(world.storage("user")).has_unreported);
  CHECK(world.storage("user").alarm_at_ms == 0);
  CHECK(world.storage("user").values.count("tries") == 0);
  world.host.sink_status = 401;
  world.merge_one("tablet");
  world.host.ring_alarms(world.storage("user").alarm_at_ms);
  CHECK(world.wait_ms() == limits::kMergeAlarmMs);
}

TEST_CASE("A tombstone whose object never answers is tried ever more seldom") {
  World world;
  for (const char* event :
       {R"({"event":"e","distinct_id":"1"})", R"({"event":"e","distinct_id":"2"})"}) {
    EventBatch batch;
    batch.add(event);
    world.send(batch);
  }
  world.merge(1, 1, 1);
  MemoryStorage& storage = world.storage("user");
  world.host.objects_answer = false;
  int64_t before_ms = 0;
  for (int i = 0; i < 10; ++i) {
    world.host.ring_alarms(storage.alarm_at_ms);
    const int64_t wait_ms = storage.alarm_at_ms - world.host.now_ms;
    CHECK(wait_ms >= before_ms);
    before_ms = wait_ms;
  }
  CHECK(before_ms == limits::kMergeAlarmMsMax);
  world.host.objects_answer = true;
  world.host.ring_alarms(storage.alarm_at_ms);
  CHECK(storage.alarm_at_ms == 0);
  CHECK(storage.values.count("tries") == 0);
}

TEST_CASE("A sink that the isolate knows to be failing is not asked with a report") {
  Stuck world;
  SinkHealth health;
  for (uint32_t i = 0; i < limits::kBreakerFailures; ++i) {
    health.note(Stream::kPersons, SinkVerdict::kMisconfigured, world.host.now_ms);
  }
  world.host.sends.clear();
  world.host.run(*make_person_alarm(&health), &world.storage("user"));
  CHECK(world.host.sends.empty());
  world.host.run(*make_person_alarm(), &world.storage("user"));
  CHECK(world.host.sends.size() == 1);
}

TEST_CASE("An alarm that a clock that was ahead has set comes once the clock is right") {
  Stuck world;
  constexpr int64_t kDayMs = 86'400'000;
  const int64_t right_ms = world.host.now_ms;
  world.host.now_ms += kDayMs;
  world.host.ring_alarms(world.host.now_ms);
  world.host.now_ms = right_ms;
  world.host.sink_status = 200;
  REQUIRE(world.wait_ms() > limits::kMergeAlarmMsMax);
  world.event(R"({"event":"e","distinct_id":"user"})");
  CHECK(world.wait_ms() == limits::kMergeAlarmMs);
  world.host.ring_alarms(world.storage("user").alarm_at_ms);
  CHECK_FALSE(read_stored_person(world.storage("user")).has_unreported);
}

TEST_CASE("A note that cannot be read keeps nothing else back, and waits for who can read it") {
  for (const std::string prefix : {"dismiss/", "report/"}) {
    for (const size_t bad : {0, 1, 2}) {
      CAPTURE(prefix, bad);
      Reporting world;
      for (const char* id : {"user", "1", "2", "3"}) {
        world.event(R"({"event":"e","distinct_id":")" + std::string(id) + "\"}");
      }
      world.merge(1, 3, 1);
      MemoryStorage& storage = world.storage("user");
      const std::string key = prefix + "00000000000" + std::to_string(bad);
      const std::string whole = storage.values.at(key);
      storage.values.at(key) = "?";
      for (int i = 0; i < 8; ++i) {
        world.host.ring_alarms(storage.alarm_at_ms);
        REQUIRE(storage.alarm_at_ms > world.host.now_ms);
      }
      // The others are done, and what is left is looked at seldom and sent to nobody.
      CHECK(storage.list("dismiss/", {}, 9).size() + storage.list("report/", {}, 9).size() == 1);
      CHECK(storage.alarm_at_ms - world.host.now_ms == limits::kMergeAlarmMsMax);
      world.host.sends.clear();
      world.host.ring_alarms(storage.alarm_at_ms);
      CHECK(world.host.sends.empty());
      storage.values.at(key) = whole;
      world.host.ring_alarms(storage.alarm_at_ms);
      CHECK(storage.list(prefix, {}, 9).empty());
      CHECK(storage.alarm_at_ms == 0);
    }
  }
}

TEST_CASE("A page of ids that cannot be read keeps the report owed, and the alarm set") {
  Reporting world;
  world.merge(1, 300, 390);
  MemoryStorage& storage = world.storage("user");
  const std::string whole = storage.values.at("ids/00000001");
  storage.values.at("ids/00000001") = "?";
  for (int i = 0; i < 9; ++i) {
    world.host.ring_alarms(storage.alarm_at_ms);
    REQUIRE(storage.alarm_at_ms > world.host.now_ms);
  }
  CHECK(storage.alarm_at_ms - world.host.now_ms == limits::kMergeAlarmMsMax);
  storage.values.at("ids/00000001") = whole;
  world.host.now_ms = storage.alarm_at_ms;
  CHECK(world.told().rows.size() >= 300);
  CHECK(storage.alarm_at_ms == 0);
}

// --- Whoever asks for a person ---

// An object with a person of two ids in its record.
struct Asked {
  MemoryStorage storage;
  PersonBounds bounds;

  explicit Asked(bool is_identified = false) {
    change([&](PersonRecord& record) {
      record.state = RecordState::kOwner;
      record.has_person = true;
      record.person.uuid = "018f0000-0000-5000-8000-000000000001";
      record.person.properties = "{}";
      record.person.is_identified = is_identified;
      record.person.ids = {{"ann", 0}, {"a phone", 1}};
    });
  }
  void change(const std::function<void(PersonRecord&)>& how) {
    std::optional<StoredFault> fault;
    PersonRecord record = load_record(storage, bounds, fault);
    how(record);
    store_record(storage, record, fault);
    REQUIRE_FALSE(fault.has_value());
  }
  void merges(bool under_way) {
    change([&](PersonRecord& record) {
      record.intent.reset();
      if (!under_way) return;
      PersonOp op;
      ByteWriter bytes;
      write_op(bytes, op);
      record.intent.emplace();
      record.intent->op = bytes.take();
    });
  }
  SurrenderReply ask(const SurrenderRequest& request, uint8_t version = kSurrenderVersion) {
    std::optional<StoredFault> fault;
    SurrenderReply reply = surrender(storage, request, version, {}, bounds, fault);
    REQUIRE_FALSE(fault.has_value());
    return reply;
  }
  static SurrenderRequest by(std::string_view survivor, uint64_t sequence) {
    SurrenderRequest request;
    request.self = "ann";
    request.survivor = survivor;
    request.sequence = sequence;
    return request;
  }
};

TEST_CASE("A survivor with room for just a person's ids and their bytes takes it, with less not") {
  const uint64_t bytes = std::string_view("anna phone").size() + 2 * 4;
  for (const auto& [ids, room, is_given] :
       std::initializer_list<std::tuple<uint64_t, uint64_t, bool>>{
           {2, bytes, true}, {1, bytes, false}, {2, bytes - 1, false}}) {
    Asked ann;
    SurrenderRequest request = Asked::by("user", 1);
    request.room_ids = ids;
    request.room_bytes = room;
    CAPTURE(ids, room);
    CHECK((ann.ask(request).status == SurrenderStatus::kGiven) == is_given);
    if (is_given) continue;
    CHECK(read_stored_person(ann.storage).distinct_ids.size() == 2);
    // For good: the first version says nothing of room. Another merge may be granted.
    CHECK(ann.ask(Asked::by("user", 1), 1).status == SurrenderStatus::kCancelled);
    CHECK(ann.ask(Asked::by("user", 2), 1).status == SurrenderStatus::kGiven);
  }
  // Whoever has no person brings its own id along.
  for (const auto& [ids, room, is_given] :
       std::initializer_list<std::tuple<uint64_t, uint64_t, bool>>{
           {1, 3, true}, {0, 3, false}, {1, 2, false}}) {
    Asked nobody;
    nobody.storage.values.clear();
    SurrenderRequest request = Asked::by("user", 1);
    request.room_ids = ids;
    request.room_bytes = room;
    CAPTURE(ids, room);
    CHECK((nobody.ask(request).status == SurrenderStatus::kGiven) == is_given);
  }
}

TEST_CASE("An identified person is refused to whoever may not take one, and stays") {
  for (const bool is_identified : {false, true}) {
    for (const bool unless_identified : {false, true}) {
      Asked ann(is_identified);
      SurrenderRequest request = Asked::by("user", 1);
      request.unless_identified = unless_identified;
      CAPTURE(is_identified, unless_identified);
      const bool is_refused = is_identified && unless_identified;
      CHECK(ann.ask(request).status ==
            (is_refused ? SurrenderStatus::kRefused : SurrenderStatus::kGiven));
      CHECK(read_stored_person(ann.storage).has_tombstone != is_refused);
    }
  }
}

TEST_CASE(
    "Of two who merge at once the earlier name waits, and the other's merge is over for good") {
  Asked ann;
  ann.merges(true);
  CHECK(ann.ask(Asked::by("aaron", 1)).status == SurrenderStatus::kBusy);
  // Nobody waits for itself.
  CHECK(Asked(ann).ask(Asked::by("ann", 1)).status == SurrenderStatus::kCancelled);
  CHECK(ann.ask(Asked::by("zoe", 3)).status == SurrenderStatus::kCancelled);
  CHECK(ann.ask(Asked::by("zoe", 4)).status == SurrenderStatus::kCancelled);
  ann.merges(false);
  for (const uint64_t sequence : {3, 4}) {
    CHECK(ann.ask(Asked::by("zoe", sequence)).status == SurrenderStatus::kCancelled);
  }
  // What aaron was not told is his, and so is zoe's next merge.
  Asked copy = ann;
  CHECK(ann.ask(Asked::by("aaron", 1)).status == SurrenderStatus::kGiven);
  CHECK(copy.ask(Asked::by("zoe", 5)).status == SurrenderStatus::kGiven);
}

TEST_CASE(
    "A person remembers so many merges that it ended, one a survivor, and forgets the oldest") {
  Asked ann;
  ann.merges(true);
  const auto name = [](size_t i) { return "z" + std::to_string(i); };
  for (size_t i = 0; i <= limits::kCancelNotesMax; ++i) {
    for (const uint64_t sequence : {1, 2}) {
      CHECK(ann.ask(Asked::by(name(i), sequence)).status == SurrenderStatus::kCancelled);
    }
  }
  ann.merges(false);
  Asked copy = ann;
  CHECK(copy.ask(Asked::by(name(0), 1)).status == SurrenderStatus::kGiven);
  for (size_t i = 1; i <= limits::kCancelNotesMax; ++i) {
    CHECK(ann.ask(Asked::by(name(i), 2)).status == SurrenderStatus::kCancelled);
  }
}

TEST_CASE("A person that was taken is given to the same merge again, and to no other") {
  Asked ann;
  CHECK(ann.ask(Asked::by("user", 1)).status == SurrenderStatus::kGiven);
  const SurrenderReply again = ann.ask(Asked::by("user", 1));
  CHECK(again.status == SurrenderStatus::kGiven);
  CHECK(again.has_person);
  CHECK(again.person.ids.size() == 2);
  for (const SurrenderRequest& other : {Asked::by("user", 2), Asked::by("boss", 1)}) {
    const SurrenderReply reply = ann.ask(other);
    CHECK(reply.status == SurrenderStatus::kMoved);
    CHECK(reply.moved_to == "user");
  }
}

TEST_CASE(
    "A person's ids stand in its record up to a bound, and one byte more moves them to a page") {
  Asked ann;
  std::optional<StoredFault> fault;
  const uint64_t bytes = bytes_of_ids(load_record(ann.storage, ann.bounds, fault).person.ids);
  REQUIRE(bytes > 1);
  for (const size_t bound : {bytes, bytes - 1}) {
    Asked copy = ann;
    copy.bounds.inline_ids_bytes = bound;
    copy.change([](PersonRecord&) {});
    CHECK(copy.storage.values.count("ids/00000000") == (bound == bytes ? 0 : 1));
    CHECK(read_stored_person(copy.storage).distinct_ids.size() == 2);
  }
}

TEST_CASE("A person of many ids is given in parts that end with the page that reaches the bound") {
  Asked ann;
  ann.bounds.inline_ids_bytes = 0;
  ann.bounds.id_page_bytes = 1;  // one id a page
  ann.change([](PersonRecord&) {});
  REQUIRE(ann.storage.values.count("ids/00000001") == 1);
  const size_t page = ann.ask(Asked::by("user", 1)).pages.at(0).size();
  for (const auto& [bytes, pages] :
       std::initializer_list<std::pair<size_t, size_t>>{{page, 1}, {page + 1, 2}}) {
    Asked copy = ann;
    copy.bounds.surrender_bytes = bytes;
    const SurrenderReply first = copy.ask(Asked::by("user", 1));
    CHECK(first.pages.size() == pages);
    CHECK(first.person.id_pages == 2);
    SurrenderRequest request = Asked::by("user", 1);
    request.first_page = 1;
    const SurrenderReply second = copy.ask(request);
    CHECK(second.pages.size() == 1);
    CHECK(second.first_page == 1);
    CHECK(second.person.ids.empty());
    // The first version has no parts.
    CHECK(copy.ask(Asked::by("user", 1), 1).pages.size() == 2);
  }
}

TEST_CASE("What is left of a person that was taken goes when the survivor has it, and not before") {
  Asked ann;
  ann.bounds.inline_ids_bytes = 0;
  ann.change([&](PersonRecord& record) {
    note_report(ann.storage, record, {"e", "ann", "", 0, 0, 1});
  });
  ann.storage.put("report-ids", "x");
  const auto acknowledged = [&ann] {
    std::optional<StoredFault> fault;
    acknowledge(ann.storage, ann.bounds, fault);
    CHECK_FALSE(fault.has_value());
    return ann.storage.values.size();
  };
  const size_t all = ann.storage.values.size();
  REQUIRE(all == 5);  // the record, a page, the index, a report, and where its ids begin
  CHECK(acknowledged() == all);
  CHECK(ann.ask(Asked::by("user", 1)).status == SurrenderStatus::kGiven);
  const auto repointed = [&ann](std::string_view expected, std::string_view to) {
    std::optional<StoredFault> fault;
    repoint(ann.storage, expected, to, {}, ann.bounds, fault);
    return read_stored_person(ann.storage).redirect_to;
  };
  // The survivor may still ask for it under its own name.
  CHECK(repointed("user", "boss") == "user");
  CHECK(acknowledged() == 1);
  CHECK(read_stored_person(ann.storage).redirect_to == "user");
  CHECK(repointed("somebody else", "boss") == "user");
  CHECK(repointed("user", "boss") == "boss");
  Asked owner;
  std::optional<StoredFault> fault;
  repoint(owner.storage, "", "boss", {}, owner.bounds, fault);
  CHECK(read_stored_person(owner.storage).redirect_to == "");
}

TEST_CASE("An operator is told a thousand of a person's ids, and how many there are") {
  for (const size_t over : {0, 1}) {
    Asked ann;
    ann.change([&](PersonRecord& record) {
      for (size_t i = 2; i < 1'000 + over; ++i) {
        record.person.ids.push_back({"id-" + std::to_string(i), 1});
      }
    });
    for (const size_t inline_bytes : {size_t{1} << 20, size_t{0}}) {
      ann.bounds.inline_ids_bytes = inline_bytes;
      ann.bounds.id_page_bytes = 1'000;
      ann.change([](PersonRecord&) {});
      std::optional<StoredFault> fault;
      const auto told = nlohmann::json::parse(describe_person(ann.storage, ann.bounds, fault));
      CHECK(told["distinct_ids"].size() == 1'000);
      CHECK(told["distinct_ids_count"] == 1'000 + over);
    }
  }
}

// --- Changes that an object tells ---

TEST_CASE("A row of the persons stream has the columns of its schema, and what it says in them") {
  std::string file;
  {
    std::ifstream in(std::string(HOGFLARE_TEST_DATA_DIR) + "/../schemas/persons.json");
    file.assign(std::istreambuf_iterator<char>(in), {});
  }
  PersonChange change;
  change.kind = ChangeKind::kDelete;
  change.uuid = "018f0000-0000-5000-8000-000000000001";
  change.id = 5;
  change.version = 7;
  change.is_identified = true;
  change.created_at_ms = 1'704'067'200'000;
  change.properties = R"({"email":"ann@riders.test","plan":"pro"})";
  change.distinct_id = "ann";
  change.distinct_ids = {"ann", "phone"};
  change.merged_into = "018f0000-0000-5000-8000-000000000002";
  change.event_uuid = "018f0000-0000-5000-8000-000000000003";
  Project project;
  project.team_id = 3;
  const auto row_of = [&] {
    RowBatch rows(Stream::kPersons);
    append_person_rows(rows, change, project, "phc_x", 1'704'067'201'000);
    REQUIRE(rows.size() == 1);
    return nlohmann::json::parse(rows.row(0));
  };
  const nlohmann::json row = row_of();
  const auto schema = nlohmann::json::parse(file);
  for (const auto& field : schema["fields"]) {
    INFO(field["name"].get<std::string>());
    CHECK(row.contains(field["name"].get<std::string>()));
  }
  CHECK(row["team_id"] == 3);
  CHECK(row["person_id"] == change.uuid);
  CHECK(row["id"] == 5);
  CHECK(row["distinct_id"] == "ann");
  CHECK(row["distinct_ids"] == nlohmann::json({"ann", "phone"}));
  CHECK(row["properties"]["plan"] == "pro");
  CHECK(row["is_identified"] == true);
  CHECK(row["is_deleted"] == true);
  CHECK(row["version"] == 7);
  CHECK(row["operation"] == "delete");
  CHECK(row["merged_into"] == change.merged_into);
  CHECK(row["source_event_uuid"] == change.event_uuid);
  CHECK(row["created_at"] == "2024-01-01T00:00:00.000Z");
  CHECK(row["timestamp"] == "2024-01-01T00:00:01.000Z");
  CHECK(row["api_key"] == "phc_x");
  for (const auto& [kind, name] :
       std::initializer_list<std::pair<ChangeKind, const char*>>{{ChangeKind::kCreate, "create"},
                                                                 {ChangeKind::kUpdate, "update"},
                                                                 {ChangeKind::kMerge, "merge"}}) {
    change.kind = kind;
    const nlohmann::json other = row_of();
    CHECK(other["operation"] == name);
    CHECK(other["is_deleted"] == false);
    CHECK(other["uuid"] != row["uuid"]);
  }
  // What is not known is not said.
  change.id = 0;
  change.merged_into.clear();
  change.properties = "{}";
  const nlohmann::json bare = row_of();
  for (const char* name : {"id", "merged_into", "custom_properties"}) {
    INFO(name);
    CHECK_FALSE(bare.contains(name));
  }
}

TEST_CASE("A change is told with texts up to their bounds, and a reply with a longer one is none") {
  const std::string uuid = "018f0000-0000-5000-8000-000000000001";
  const auto is_read = [&](const std::function<void(PersonChange&)>& how) {
    PersonChange change;
    change.uuid = uuid;
    change.properties = "{}";
    how(change);
    ApplyReplyWriter writer;
    return read_apply_reply(writer.finish(ApplyStatus::kDone, {}, false, false, {change}))
        .has_value();
  };
  constexpr size_t kMost = 8'000;
  const std::string most(kMost, 'x');
  for (const bool fits : {true, false}) {
    const std::string text = fits ? most : most + "x";
    CAPTURE(fits);
    CHECK(is_read([&](PersonChange& change) { change.distinct_id = text; }) == fits);
    CHECK(is_read([&](PersonChange& change) { change.event_uuid = text; }) == fits);
    CHECK(is_read([&](PersonChange& change) { change.distinct_ids = {"a", text}; }) == fits);
    CHECK(is_read([&](PersonChange& change) {
            change.properties = std::string(limits::kPersonPropertiesBytesMax + !fits, ' ');
          }) == fits);
    CHECK(is_read([&](PersonChange& change) { change.merged_into = fits ? uuid : "user"; }) ==
          fits);
    CHECK(is_read([&](PersonChange& change) { change.uuid = fits ? uuid : ""; }) == fits);
    CHECK(is_read([&](PersonChange& change) {
            change.kind = static_cast<ChangeKind>(static_cast<int>(ChangeKind::kDelete) + !fits);
          }) == fits);
  }
}

}  // namespace
}  // namespace hogflare::test
