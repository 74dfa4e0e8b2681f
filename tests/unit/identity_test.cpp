// People and groups below the vectors: what an event wants, how much a request costs, how merges
// keep large people, and what flags read and write. Crashes and races are tests/sim's.
#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "hogflare/limits.h"
#include "hogflare/memory_limits.h"
#include "hogflare/memory_share.h"
#include "hogflare/person_state.h"
#include "identity/person_surrender.h"
#include "identity_support.h"

namespace hogflare::test {
namespace {

struct Fixture {
  ObjectHost host;
  IdentityCaches caches;
  Project project;

  explicit Fixture(PersonlessMode mode = PersonlessMode::kStateless) {
    host.config.personless = mode;
  }

  // What it returns is valid until the next one.
  PersonView send(const std::string& json) {
    run.reset();
    batch = std::make_unique<EventBatch>();
    batch->add(json);
    run = std::make_unique<RequestRun>(host, caches, project, *batch);
    REQUIRE_FALSE(run->people.failed(0));
    warnings.clear();
    for (const Warning& warning : run->people.warnings()) warnings.push_back(warning.name);
    return run->people.take_view(0);
  }
  StoredPerson stored(const std::string& distinct_id) {
    return read_stored_person(
        host.objects[{ObjectClass::kPerson, person_object_name(1, distinct_id)}]);
  }
  // An isolate that remembers nothing.
  void forget() { caches = IdentityCaches(); }
  uint64_t person_calls() { return host.calls[ObjectClass::kPerson]; }
  uint64_t person_rows_written(const std::string& distinct_id) {
    return host.objects[{ObjectClass::kPerson, person_object_name(1, distinct_id)}].rows_written;
  }
  void ring() { host.ring_alarms(host.now_ms + 2 * limits::kMergeAlarmMs); }

  std::vector<std::string> warnings;
  std::unique_ptr<EventBatch> batch;
  std::unique_ptr<RequestRun> run;
};

std::string event(const std::string& name, const std::string& id,
                  const std::string& properties = "") {
  return "{\"event\":\"" + name + "\",\"distinct_id\":\"" + id + "\",\"properties\":{" +
         properties + "}}";
}

std::string merge(const std::string& into, const std::string& other) {
  return event("$merge_dangerously", into, "\"alias\":\"" + other + "\"");
}

// --- What an event wants ---

TEST_CASE("An event with person processing forced off is personless without a look-up") {
  for (const PersonlessMode mode : {PersonlessMode::kStateless, PersonlessMode::kExact}) {
    Fixture f(mode);
    f.send(event("custom", "ann", R"("$set":{"a":1})"));
    const uint64_t calls = f.host.all_calls();
    EventBatch batch;
    batch.add(event("$identify", "ann", R"("$anon_distinct_id":"bob","$set":{"a":2})"))
        .person_processing_off = true;
    RequestRun run(f.host, f.caches, f.project, batch);
    const PersonView view = run.people.take_view(0);
    CHECK_FALSE(view.dropped);
    CHECK(view.personless);
    CHECK(view.mode == "propertyless");
    CHECK(view.person_id == Uuid::of_person(1, "ann").text());
    CHECK(view.row_set == "");
    CHECK(view.person_properties == "{}");
    CHECK(f.host.all_calls() == calls);
    CHECK(f.stored("ann").version == 0);
  }
}

TEST_CASE("Groups of an event with person processing forced off are not touched") {
  Fixture f;
  EventBatch batch;
  batch
      .add(event("$groupidentify", "ann",
                 R"("$group_type":"org","$group_key":"o","$group_set":{"a":1})"))
      .person_processing_off = true;
  RequestRun run(f.host, f.caches, f.project, batch);
  CHECK(f.host.all_calls() == 0);
  CHECK(run.groups.take_view(0).group_properties_json == "");
}

TEST_CASE("Ids that no merge may touch, and their legal neighbours") {
  for (const char* id : {"", " ", "\t", "\xC2\xA0", "anonymous", "GUEST", "'email'", "\"null\"",
                         "[object Object]", "NaN", "0", "undefined", "None", "distinct_id"}) {
    INFO(id);
    CHECK(is_illegal_distinct_id(id));
  }
  // White space as JavaScript has it, and what only looks like it.
  for (const char* id :
       {"\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE2\x80\xA9",
        "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80", "\xEF\xBB\xBF"}) {
    CAPTURE(static_cast<int>(id[0]), static_cast<int>(id[1]), static_cast<int>(id[2]));
    CHECK(is_illegal_distinct_id(id));
    CHECK(is_illegal_distinct_id(" " + std::string(id)));
    CHECK_FALSE(is_illegal_distinct_id(std::string(id) + "a"));
  }
  for (const char* id : {"\xE2\x80\x8B", "\xE2\x80\xA7", "\xE2\x81\xA0", "\xE3\x80\x81"}) {
    CHECK_FALSE(is_illegal_distinct_id(id));
  }
  for (const char* id : {"anonymous ", "nan", "NULL", "00", "user:undefined", "''email''", "'"}) {
    INFO(id);
    CHECK_FALSE(is_illegal_distinct_id(id));
  }
}

// --- Cost ---

TEST_CASE("Any number of one person's events in a request is one call") {
  Fixture f;
  EventBatch batch;
  for (int i = 0; i < 50; ++i) {
    batch.add(event("custom", "ann", "\"$set\":{\"n\":" + std::to_string(i) + "}"));
  }
  RequestRun run(f.host, f.caches, f.project, batch);
  CHECK(f.person_calls() == 1);
  CHECK(run.people.take_view(49).person_properties.find("\"n\":49") != std::string::npos);
  CHECK(run.people.take_view(0).person_properties.find("\"n\":0") != std::string::npos);
}

TEST_CASE("An event that changes nothing writes no row, and a personless one calls nobody") {
  Fixture f;
  f.send(event("custom", "somebody else"));  // the isolate has leased person ids
  f.send(event("custom", "ann", R"("$set":{"a":1},"$current_url":"/a")"));
  const uint64_t rows = f.host.rows_written();
  f.send(event("custom", "ann", R"("$set":{"a":1},"$current_url":"/a")"));
  f.send(event("custom", "ann", R"("$current_url":"/b")"));
  CHECK(f.host.rows_written() == rows);
  const uint64_t calls = f.host.all_calls();
  f.send(event("custom", "ann", R"("$process_person_profile":false)"));
  CHECK(f.host.all_calls() == calls);
}

TEST_CASE("An id without a person is remembered in the exact mode, with one row, and else not") {
  Fixture stateless;
  stateless.send(event("$feature_flag_called", "nobody"));
  CHECK(stateless.person_rows_written("nobody") == 0);
  const std::string personless = event("custom", "nobody", R"("$process_person_profile":false)");
  for (const std::string& first : {personless, event("$feature_flag_called", "nobody")}) {
    Fixture exact(PersonlessMode::kExact);
    exact.send(first);
    CHECK(exact.person_rows_written("nobody") == 1);
    exact.send(personless);
    exact.send(event("$feature_flag_called", "nobody"));
    CHECK(exact.person_rows_written("nobody") == 1);
  }
}

TEST_CASE("An event says whether it changed its person") {
  Fixture f;
  CHECK(f.send(event("custom", "ann", R"("$set":{"a":1})")).is_changed);
  CHECK_FALSE(f.send(event("custom", "ann", R"("$set":{"a":1})")).is_changed);
  CHECK(f.send(event("custom", "ann", R"("$set":{"a":2})")).is_changed);
  CHECK_FALSE(f.send(event("custom", "ann")).is_changed);
  // Whoever is identified already changes by the id that comes along.
  CHECK(f.send(event("$identify", "ann", R"("$anon_distinct_id":"one")")).is_changed);
  CHECK(f.send(event("$identify", "ann", R"("$anon_distinct_id":"two")")).is_changed);
  CHECK_FALSE(f.send(event("$identify", "ann", R"("$anon_distinct_id":"two")")).is_changed);
}

TEST_CASE("An event shows since when its person is known, and a merge takes the earlier time") {
  Fixture f;
  const auto at = [](const std::string& id, const std::string& time) {
    return R"({"event":"custom","distinct_id":")" + id + R"(","timestamp":")" + time + "\"}";
  };
  const int64_t day = 86'400'000;
  const int64_t first = *parse_timestamp("2024-03-01T00:00:00Z");
  CHECK(f.send(at("user", "2024-03-02T00:00:00Z")).person_created_at_ms == first + day);
  CHECK(f.send(at("user", "2024-03-03T00:00:00Z")).person_created_at_ms == first + day);
  CHECK(f.send(at("ann", "2024-03-01T00:00:00Z")).person_created_at_ms == first);
  CHECK(f.send(merge("user", "ann")).person_created_at_ms == first);
}

TEST_CASE("A number that was offered to somebody who has one goes to the next who has none") {
  Fixture f;
  f.send(event("custom", "somebody else"));  // the isolate has leased person ids
  f.send(event("custom", "ann"));
  for (int i = 0; i < 5; ++i) {
    f.send(event("custom", "ann", "\"$set\":{\"n\":" + std::to_string(i) + "}"));
  }
  f.send(event("custom", "bob"));
  CHECK(f.stored("ann").id != 0);
  CHECK(f.stored("bob").id == f.stored("ann").id + 1);
}

TEST_CASE(
    "Numbers that a clock that was ahead has asked for are asked for again, and none is twice") {
  constexpr int64_t kNowMs = 1'704'067'200'000;
  constexpr int64_t kYearMs = 365 * int64_t{86'400'000};
  IdentityCaches caches;
  REQUIRE(caches.begin_lease(1, kNowMs + kYearMs));
  CHECK_FALSE(caches.begin_lease(1, kNowMs + kYearMs + 1));
  // The clock is right; no answer has come.
  REQUIRE(caches.begin_lease(1, kNowMs));
  CHECK_FALSE(caches.begin_lease(1, kNowMs + 1));
  // It jumps ahead once more, and everything is answered late.
  REQUIRE(caches.begin_lease(1, kNowMs + kYearMs));
  std::set<uint64_t> taken;
  for (const uint64_t first : {2'001, 1, 1'001}) {
    caches.lease_arrived(1, first, 1'000);
    for (int i = 0; i < 100; ++i) CHECK(taken.insert(caches.take_person_id(1)).second);
  }
  CHECK(taken.count(0) == 0);
  // 900 are left: nobody asks, whatever the clock says.
  for (const int64_t now_ms : {kNowMs, kNowMs + kYearMs, kNowMs - kYearMs}) {
    CHECK_FALSE(caches.begin_lease(1, now_ms));
  }
}

TEST_CASE("A first $identify takes at most three object calls") {
  for (const char* known : {"", "ann", "user"}) {
    Fixture f;
    f.send(event("custom", "somebody else"));  // the isolate has leased person ids
    if (*known != '\0') f.send(event("custom", known));
    const uint64_t calls = f.host.all_calls();
    f.send(event("$identify", "user", R"("$anon_distinct_id":"ann")"));
    CHECK(f.host.all_calls() - calls <= 3);
  }
}

// --- Redelivery ---

TEST_CASE("A late copy of an event does not bring old values back") {
  Fixture f;
  const std::string old = R"({"event":"custom","uuid":"00000000-0000-4000-8000-00000000000a",)"
                          R"("distinct_id":"ann","properties":{"$set":{"a":"old"}}})";
  f.send(old);
  f.send(event("custom", "ann", R"("$set":{"a":"new"})"));
  const PersonView view = f.send(old);
  CHECK(f.stored("ann").properties.find("\"a\":\"new\"") != std::string::npos);
  CHECK(view.person_properties.find("\"a\":\"old\"") != std::string::npos);
}

TEST_CASE("Different events with one uuid are all applied") {
  Fixture f;
  for (const char* value : {"1", "2"}) {
    f.send(R"({"event":"custom","uuid":"00000000-0000-4000-8000-00000000000b",)"
           R"("distinct_id":"ann","properties":{"$set":{"a":)" +
           std::string(value) + "}}}");
  }
  CHECK(f.stored("ann").properties.find("\"a\":2") != std::string::npos);
}

// --- Merges ---

TEST_CASE("A refused merge leaves both people, and later events go to the right one") {
  Fixture f;
  f.send(event("$identify", "u1", R"("$anon_distinct_id":"ann")"));
  f.send(event("custom", "u2"));
  EventBatch batch;
  batch.add(event("$identify", "u2", R"("$anon_distinct_id":"ann","$set":{"a":1})"));
  batch.add(event("custom", "ann", R"("$set":{"b":2})"));
  RequestRun run(f.host, f.caches, f.project, batch);
  REQUIRE_FALSE(run.people.failed(1));
  CHECK(run.people.take_view(0).person_id == f.stored("u2").uuid);
  CHECK(run.people.take_view(1).person_id == f.stored("u1").uuid);
  CHECK(run.people.warnings().size() == 1);
  CHECK(f.stored("u2").properties.find("\"b\"") == std::string::npos);
}

TEST_CASE("Mutual, chained and cyclic merges end with one owner") {
  const std::vector<std::vector<std::pair<const char*, const char*>>> shapes = {
      {{"a", "b"}, {"b", "a"}},
      {{"a", "b"}, {"b", "c"}, {"c", "d"}},
      {{"c", "d"}, {"b", "c"}, {"a", "b"}},
      {{"a", "b"}, {"b", "c"}, {"c", "a"}, {"d", "a"}},
  };
  for (const auto& shape : shapes) {
    for (const bool in_one_request : {false, true}) {
      Fixture f;
      std::set<std::string> ids;
      EventBatch batch;
      for (const auto& [into, other] : shape) {
        for (const char* id : {into, other}) {
          if (ids.insert(id).second) {
            f.send(event("custom", id, "\"$set\":{\"" + std::string(id) + "\":1}"));
          }
        }
      }
      for (const auto& [into, other] : shape) {
        if (in_one_request) {
          batch.add(merge(into, other));
        } else {
          f.send(merge(into, other));
        }
      }
      if (in_one_request) {
        RequestRun run(f.host, f.caches, f.project, batch);
        for (size_t i = 0; i < shape.size(); ++i) REQUIRE_FALSE(run.people.failed(i));
      }
      f.ring();
      int owners = 0;
      for (const std::string& id : ids) {
        const StoredPerson stored = f.stored(id);
        CHECK_FALSE(stored.has_intent);
        CHECK_FALSE(stored.has_tombstone);
        if (stored.state != StoredPerson::State::kOwner) continue;
        ++owners;
        CHECK(stored.distinct_ids.size() == ids.size());
        for (const std::string& key : ids) {
          CHECK(stored.properties.find("\"" + key + "\":1") != std::string::npos);
        }
      }
      CHECK(owners == 1);
    }
  }
}

TEST_CASE(
    "People with ten thousand distinct ids merge, and property updates do not rewrite the ids") {
  Fixture f;
  const auto grow = [&](const std::string& owner, int count) {
    for (int from = 0; from < count; from += 500) {
      EventBatch batch;
      for (int i = from; i < from + 500; ++i) {
        batch.add(merge(owner, owner + "-device-" + std::to_string(i)));
      }
      RequestRun run(f.host, f.caches, f.project, batch);
      REQUIRE_FALSE(run.people.failed(499));
    }
  };
  grow("ann", 5000);
  grow("bob", 5000);
  f.send(merge("ann", "bob"));
  f.ring();

  const StoredPerson ann = f.stored("ann");
  CHECK(ann.distinct_ids.size() == 10'002);
  std::set<std::string> ids;
  for (const auto& [id, version] : ann.distinct_ids) {
    ids.insert(id);
    if (id.substr(0, 3) == "bob") CHECK(version > 0);
  }
  CHECK(ids.size() == 10'002);
  CHECK_FALSE(f.stored("bob").has_tombstone);
  for (const auto& [key, storage] : f.host.objects) {
    CHECK(storage.largest_value <= limits::kStorageValueBytesMax);
  }

  f.forget();
  const PersonView view = f.send(event("custom", "bob-device-4999", R"("$set":{"x":1})"));
  CHECK(view.person_id == ann.uuid);
  const uint64_t rows = f.host.rows_written();
  f.send(event("custom", "ann", R"("$set":{"x":2})"));
  CHECK(f.host.rows_written() == rows + 1);
}

TEST_CASE("Redirects get shorter when they are used") {
  Fixture f;
  for (const char* id : {"a", "b", "c", "d", "e"}) f.send(event("custom", id));
  f.send(merge("b", "a"));
  f.send(merge("c", "b"));
  f.send(merge("d", "c"));
  f.send(merge("e", "d"));
  f.ring();
  REQUIRE(f.stored("a").redirect_to == "b");
  const auto calls_to_find_a = [&] {
    f.forget();
    const uint64_t before = f.person_calls();
    CHECK(f.send(event("custom", "a")).person_id == f.stored("e").uuid);
    return f.person_calls() - before;
  };
  const uint64_t first = calls_to_find_a();
  const uint64_t second = calls_to_find_a();
  const uint64_t third = calls_to_find_a();
  CHECK(second < first);
  CHECK(third <= second);
  CHECK(f.stored("a").redirect_to == "e");
  CHECK(calls_to_find_a() == 2);
  // With the isolate's hint it is one.
  const uint64_t before = f.person_calls();
  f.send(event("custom", "a"));
  CHECK(f.person_calls() == before + 1);
}

TEST_CASE("A merge is reported by the alarm when the request that asked for it cannot") {
  Fixture f;
  f.host.config.sinks[static_cast<size_t>(Stream::kPersons)] = SinkKind::kHttp;
  f.send(event("custom", "ann", R"("$set":{"a":1})"));
  f.send(event("custom", "user"));
  f.send(event("$identify", "user", R"("$anon_distinct_id":"ann")"));
  CHECK(f.stored("user").has_unreported);
  CHECK(f.host.sends.empty());
  f.ring();
  CHECK_FALSE(f.stored("user").has_unreported);
  REQUIRE(f.host.sends.size() == 1);
  const std::string& rows = f.host.sends[0];
  CHECK(rows.find("\"operation\":\"merge\"") != std::string::npos);
  CHECK(rows.find("\"distinct_ids\":[\"user\",\"ann\"]") != std::string::npos);
  CHECK(rows.find("\"merged_into\":\"" + f.stored("user").uuid + "\"") != std::string::npos);
  CHECK(rows.find("\"created_at\":\"2024-01-01T00:00:00") != std::string::npos);
  CHECK(rows.find("\"timestamp\":\"2024-01-01T00:00:") != std::string::npos);
  f.ring();
  CHECK(f.host.sends.size() == 1);
}

TEST_CASE("The alarm reports a merge for the project it happened in") {
  Fixture f;
  f.project.team_id = 7;
  f.host.config.sinks[static_cast<size_t>(Stream::kPersons)] = SinkKind::kHttp;
  for (const char* id : {"ann", "user"}) f.send(event("custom", id));
  f.send(event("$identify", "user", R"("$anon_distinct_id":"ann")"));
  f.host.sends.clear();
  f.ring();
  REQUIRE(f.host.sends.size() == 1);
  size_t rows = 0;
  for (size_t at = f.host.sends[0].find("\"team_id\":"); at != std::string::npos;
       at = f.host.sends[0].find("\"team_id\":", at + 1)) {
    CHECK(f.host.sends[0].substr(at, 12) == "\"team_id\":7,");
    ++rows;
  }
  CHECK(rows == 2);  // the survivor and the one who is no more
}

TEST_CASE("A person is described with its ids, their versions, and who was merged into it") {
  Fixture f;
  const auto numbered = [](char number, const std::string& json) {
    return "{\"uuid\":\"00000000-0000-4000-8000-00000000000" + std::string(1, number) + "\"," +
           json.substr(1);
  };
  const auto describe = [&](const std::string& id) {
    return f.host.call(
        CallObject{ObjectClass::kPerson, person_object_name(1, id), write_describe()});
  };
  CHECK(describe("user") == R"({"state":"empty","personless":false})");
  f.send(numbered('1', event("custom", "ann", R"("$set":{"a":1})")));
  f.send(numbered('2', event("custom", "user")));
  const std::string merged = f.stored("ann").uuid;
  f.send(numbered('3', event("$identify", "user", R"("$anon_distinct_id":"ann")")));
  const std::string person = describe("user");
  CHECK(person.find("{\"state\":\"person\",\"personless\":false,\"uuid\":\"" +
                    f.stored("user").uuid + "\"") == 0);
  CHECK(person.find(
            R"("is_identified":true,"created_at":"2024-01-01T00:00:00.000Z","properties":{)") !=
        std::string::npos);
  CHECK(person.find(R"("distinct_ids":[{"distinct_id":"user","version":0},)"
                    R"({"distinct_id":"ann","version":1}],"distinct_ids_count":2)") !=
        std::string::npos);
  CHECK(person.find(R"("changes":[{"event_uuid":"00000000-0000-4000-8000-000000000002"},)"
                    R"({"event_uuid":"00000000-0000-4000-8000-000000000003","merged_uuid":")" +
                    merged + "\"}]}") != std::string::npos);
  CHECK(describe("ann") == R"({"state":"redirect","personless":false,"redirect_to":"user"})");
}

// A person's object in the middle of a merge, whose effects the test performs.
struct OpenMerge {
  // `first` comes before the merge in the same call.
  OpenMerge(Fixture& f, const std::string& into, const std::string& other,
            std::vector<PersonOp> first = {})
      : host(f.host), storage(f.host.objects[{ObjectClass::kPerson, person_object_name(1, into)}]) {
    ApplyRequest request;
    request.self = into;
    request.ops = std::move(first);
    PersonOp op;
    op.distinct_id = into;
    op.other = other;
    op.merge = MergeKind::kDangerously;
    request.ops.push_back(std::move(op));
    task = make_person_call(write_apply(request));
    task->start(host.turn(&storage), effects);
    take();
  }
  void take() {
    const std::vector<Effect> taken = effects.take();
    REQUIRE(taken.size() == (task->finished() ? 0 : 1));
    if (!taken.empty()) effect = taken[0];
  }
  const CallObject& question() const {
    REQUIRE(std::holds_alternative<CallObject>(effect.kind));
    return std::get<CallObject>(effect.kind);
  }
  void answer(std::string body) {
    task->resume(host.turn(&storage), {.id = effect.id, .ok = true, .body = std::move(body)},
                 effects);
    take();
  }
  void ask() { answer(host.call(question())); }
  void lose() {
    task->resume(host.turn(&storage), {.id = effect.id, .ok = false}, effects);
    take();
  }
  void wait() {
    REQUIRE(std::holds_alternative<Wait>(effect.kind));
    answer({});
  }
  ApplyStatus status() const {
    REQUIRE(task->finished());
    return read_apply_reply(task->reply().body).value().status;
  }

  ObjectHost& host;
  MemoryStorage& storage;
  std::unique_ptr<Task> task;
  Effects effects;
  Effect effect;
};

TEST_CASE("A merge under way is told of with whom it is, until it is done") {
  Fixture f;
  for (const char* id : {"a", "b"}) f.send(event("custom", id));
  const auto told = [&] {
    return f.host.call(
        CallObject{ObjectClass::kPerson, person_object_name(1, "a"), write_describe()});
  };
  CHECK(told().find("merge_under_way") == std::string::npos);
  OpenMerge merge(f, "a", "b");
  CHECK(told().find(R"({"state":"person","personless":false,"merge_under_way":{"with":"b",)"
                    R"("since":"2024-01-01T00:00:00.000Z"},"uuid":")") == 0);
  merge.ask();
  CHECK(told().find("merge_under_way") == std::string::npos);
}

TEST_CASE("A merge that the alarm carried out meanwhile is shown as it ended") {
  Fixture f;
  f.send(event("custom", "a", R"("$set":{"own":1})"));
  f.send(event("custom", "b", R"("$set":{"theirs":1})"));
  PersonOp before;
  before.distinct_id = "a";
  OpenMerge merge(f, "a", "b", {before});
  f.ring();
  REQUIRE_FALSE(f.stored("a").has_intent);
  merge.ask();
  REQUIRE(merge.status() == ApplyStatus::kDone);
  const ApplyReply reply = read_apply_reply(merge.task->reply().body).value();
  REQUIRE(reply.results.size() == 2);
  const auto text = [&](size_t i) {
    return std::string(reply.property_texts[reply.results[i].properties]);
  };
  CHECK(text(0).find("\"own\":1") != std::string::npos);
  CHECK(text(0).find("theirs") == std::string::npos);
  CHECK(text(1).find("\"own\":1") != std::string::npos);
  CHECK(text(1).find("\"theirs\":1") != std::string::npos);
}

TEST_CASE("Who is identified and what changed is told to whoever asks for it, and to no other") {
  Fixture f;
  f.send(event("$identify", "a", R"("$anon_distinct_id":"b")"));
  for (const bool asks : {false, true}) {
    ApplyRequest request;
    request.self = "a";
    request.wants_identified = asks;
    PersonOp op;
    op.distinct_id = "a";
    request.ops.push_back(op);
    const ApplyReply reply =
        read_apply_reply(f.host.call(CallObject{ObjectClass::kPerson, person_object_name(1, "a"),
                                                write_apply(request)}))
            .value();
    REQUIRE(reply.results.size() == 1);
    CHECK(reply.results[0].is_identified.has_value() == asks);
    if (asks) CHECK(reply.results[0].is_identified.value());
    CHECK_FALSE(reply.results[0].is_changed);
  }
}

TEST_CASE("An id that was merged earlier in a request is not asked again for where it leads") {
  Fixture f;
  for (const char* id : {"user", "anon", "other"}) f.send(event("custom", id));
  f.host.calls_by_name.clear();
  EventBatch batch;
  batch.add(merge("user", "anon"));
  batch.add(event("custom", "other"));  // another object's: it ends the first call
  batch.add(event("custom", "anon", R"("$set":{"late":1})"));
  batch.add(merge("user", "other"));
  RequestRun run(f.host, f.caches, f.project, batch);
  for (size_t i = 0; i < 4; ++i) REQUIRE_FALSE(run.people.failed(i));
  // The survivor's question is the one call.
  CHECK(f.host.calls_by_name[person_object_name(1, "anon")] == 1);
  CHECK(run.people.take_view(2).person_id == f.stored("user").uuid);
  CHECK(f.stored("user").properties.find("\"late\":1") != std::string::npos);
}

TEST_CASE("A merge with a person who is merging waits, asks again, and takes all in the end") {
  Fixture f;
  for (const char* id : {"a", "b", "c"}) f.send(event("custom", id));
  OpenMerge other(f, "b", "c");
  OpenMerge merge(f, "a", "b");
  for (int i = 0; i < 3; ++i) {
    merge.ask();
    merge.wait();
  }
  other.ask();
  CHECK(other.status() == ApplyStatus::kDone);
  merge.ask();
  CHECK(merge.status() == ApplyStatus::kDone);
  CHECK(f.stored("a").distinct_ids.size() == 3);
  CHECK(f.stored("b").redirect_to == "a");
}

TEST_CASE("A merge with a person who goes on merging is left for later after some attempts") {
  Fixture f;
  for (const char* id : {"a", "b", "c"}) f.send(event("custom", id));
  const OpenMerge other(f, "b", "c");
  OpenMerge merge(f, "a", "b");
  for (int i = 1; i < limits::kPersonAttemptsMax; ++i) {
    merge.ask();
    merge.wait();
  }
  merge.ask();
  CHECK(merge.status() == ApplyStatus::kBusy);
  CHECK(f.stored("a").has_intent);
  CHECK(f.stored("a").distinct_ids.size() == 1);
}

TEST_CASE("A merge whose question gets no answer asks once more; an answer that is none ends it") {
  Fixture f;
  for (const char* id : {"a", "b"}) f.send(event("custom", id));
  {
    OpenMerge merge(f, "a", "b");
    const std::string question = merge.question().request;
    merge.lose();
    // As an object of the first version understands it.
    CHECK(merge.question().name == person_object_name(1, "b"));
    CHECK(merge.question().request != question);
    merge.lose();
    CHECK(merge.status() == ApplyStatus::kFailed);
    CHECK(f.stored("a").has_intent);
  }
  OpenMerge merge(f, "a", "b");
  merge.answer("nonsense");
  CHECK(merge.status() == ApplyStatus::kFailed);
  OpenMerge last(f, "a", "b");
  last.lose();
  last.ask();
  CHECK(last.status() == ApplyStatus::kDone);
  CHECK(f.stored("a").distinct_ids.size() == 2);
}

TEST_CASE("An alarm asks a person who is merging once, and comes back") {
  Fixture f;
  for (const char* id : {"a", "b", "c"}) f.send(event("custom", id));
  const OpenMerge other(f, "b", "c");
  { const OpenMerge merge(f, "a", "b"); }
  MemoryStorage& storage = f.host.objects[{ObjectClass::kPerson, person_object_name(1, "a")}];
  f.host.calls_by_name.clear();
  storage.alarm_at_ms = 0;
  std::unique_ptr<Task> task = make_person_alarm();
  f.host.run(*task, &storage);
  CHECK(f.host.calls_by_name[person_object_name(1, "b")] == 1);
  CHECK(storage.alarm_at_ms == f.host.now_ms + limits::kMergeAlarmMs);
  CHECK(f.stored("a").has_intent);
}

TEST_CASE(
    "An alarm whose question gets no answer asks once more, as the first version understands it") {
  Fixture f;
  for (const char* id : {"a", "b"}) f.send(event("custom", id));
  { const OpenMerge merge(f, "a", "b"); }
  MemoryStorage& storage = f.host.objects[{ObjectClass::kPerson, person_object_name(1, "a")}];
  const std::unique_ptr<Task> task = make_person_alarm();
  Effects effects;
  task->start(f.host.turn(&storage), effects);
  std::vector<std::string> questions;
  for (std::vector<Effect> due = effects.take(); !due.empty(); due = effects.take()) {
    REQUIRE(due.size() == 1);
    questions.push_back(std::get<CallObject>(due[0].kind).request);
    task->resume(f.host.turn(&storage), {.id = due[0].id, .ok = false}, effects);
  }
  REQUIRE(task->finished());
  REQUIRE(questions.size() == 2);
  CHECK(questions[0] != questions[1]);
  CHECK(f.stored("a").has_intent);
  CHECK(storage.alarm_at_ms > f.host.now_ms);
}

TEST_CASE("Whoever finds a merge under way sets the alarm that finishes it, if none is set") {
  Fixture f;
  for (const char* id : {"a", "b"}) f.send(event("custom", id));
  { const OpenMerge merge(f, "a", "b"); }
  MemoryStorage& storage = f.host.objects[{ObjectClass::kPerson, person_object_name(1, "a")}];
  CHECK(storage.alarm_at_ms == f.host.now_ms + limits::kMergeAlarmMs);
  for (const int64_t set_ms : {int64_t{0}, f.host.now_ms + 2 * limits::kMergeAlarmMs}) {
    storage.alarm_at_ms = set_ms;
    const OpenMerge again(f, "a", "b");
    CHECK(storage.alarm_at_ms == f.host.now_ms + limits::kMergeAlarmMs);
  }
  // An earlier one stays.
  storage.alarm_at_ms = f.host.now_ms + 1;
  const OpenMerge last(f, "a", "b");
  CHECK(storage.alarm_at_ms == f.host.now_ms + 1);
}

TEST_CASE("A merge and the event's own properties are one version of the person") {
  for (const char* own : {"", R"(,"$set":{"own":1})"}) {
    Fixture f;
    f.send(event("custom", "ann", R"("$set":{"theirs":1})"));
    f.send(event("custom", "user", R"("$set":{"mine":1})"));
    const uint64_t version = f.stored("user").version;
    f.send(event("$identify", "user", R"("$anon_distinct_id":"ann")" + std::string(own)));
    CHECK(f.stored("user").version == version + 1);
  }
}

TEST_CASE("A part of a person that nobody waits for makes the survivor ask from the beginning") {
  Fixture f;
  for (const char* id : {"a", "b"}) f.send(event("custom", id));
  OpenMerge merge(f, "a", "b");
  const std::string question = merge.question().request;
  SurrenderReply part;
  part.status = SurrenderStatus::kGiven;
  part.has_person = true;
  part.first_page = 3;
  merge.answer(write_surrender_reply(part, kSurrenderVersion));
  CHECK(merge.question().request == question);
  merge.ask();
  CHECK(merge.status() == ApplyStatus::kDone);
  CHECK(f.stored("a").distinct_ids.size() == 2);
}

TEST_CASE(
    "A person that cannot be one is not taken over, and the next request takes the real one") {
  const std::string uuid = "018f0000-0000-5000-8000-000000000001";
  const auto given = [&](const std::function<void(Person&)>& change) {
    SurrenderReply reply;
    reply.status = SurrenderStatus::kGiven;
    reply.has_person = true;
    reply.person.uuid = uuid;
    reply.person.properties = "{}";
    reply.person.recent.note({"e", 1, uuid, 1});
    reply.person.unreported.push_back({"e", "b", uuid, 1, 0, 1});
    change(reply.person);
    return write_surrender_reply(reply, kSurrenderVersion);
  };
  REQUIRE(read_surrender_reply(given([](Person&) {})).has_value());
  for (const std::string& text :
       {std::string(), std::string("b"), uuid + "0", "{" + uuid + "}", "g" + uuid.substr(1)}) {
    CAPTURE(text);
    const std::string replies[] = {given([&](Person& person) { person.uuid = text; }),
                                   given([&](Person& person) {
                                     person.unreported[0].merged_uuid = text.empty() ? "b" : text;
                                   }),
                                   given([&](Person& person) {
                                     person.recent.note({"f", 2, text.empty() ? "b" : text, 2});
                                   }),
                                   given([&](Person& person) { person.properties = "{" + text; })};
    for (const std::string& reply : replies) {
      CHECK_FALSE(read_surrender_reply(reply).has_value());
    }
    Fixture f;
    for (const char* id : {"a", "b"}) f.send(event("custom", id));
    OpenMerge merge(f, "a", "b");
    merge.answer(replies[0]);
    CHECK(merge.status() == ApplyStatus::kFailed);
    CHECK(f.stored("a").distinct_ids.size() == 1);
    OpenMerge again(f, "a", "b");
    while (!again.task->finished()) again.ask();
    CHECK(again.status() == ApplyStatus::kDone);
    CHECK(f.stored("a").distinct_ids.size() == 2);
  }
}

TEST_CASE("A merge that is sent on in a circle fails after some hops, and is kept for the alarm") {
  Fixture f;
  for (const char* id : {"a", "b"}) f.send(event("custom", id));
  OpenMerge merge(f, "a", "b");
  for (int hop = 0; !merge.task->finished(); ++hop) {
    REQUIRE(hop <= limits::kRedirectHopsMax);
    SurrenderReply moved;
    moved.status = SurrenderStatus::kMoved;
    moved.moved_to = hop % 2 == 0 ? "c" : "b";
    merge.answer(write_surrender_reply(moved, kSurrenderVersion));
  }
  CHECK(merge.status() == ApplyStatus::kFailed);
  CHECK(f.stored("a").has_intent);
}

TEST_CASE("Parts of a person that were given up are not put together with later ones") {
  Fixture f;
  for (const char* id : {"a", "b"}) f.send(event("custom", id));
  OpenMerge merge(f, "a", "b");
  const std::string question = merge.question().request;
  const std::string whole = f.host.call(merge.question());
  SurrenderReply first = read_surrender_reply(whole).value();
  first.person.id_pages = 3;
  ByteWriter page;
  write_ids(page, {{"b-1", 0}});
  first.pages = {page.take()};
  SurrenderReply next;
  next.status = SurrenderStatus::kGiven;
  next.has_person = true;
  next.pages = first.pages;
  const auto part = [&next](uint64_t page) {
    next.first_page = page;
    return write_surrender_reply(next, kSurrenderVersion);
  };
  merge.answer(write_surrender_reply(first, kSurrenderVersion));
  CHECK(merge.question().request != question);  // the second page
  merge.answer(part(2));
  CHECK(merge.question().request == question);
  // The second page would fit what is forgotten.
  merge.answer(part(1));
  CHECK(merge.question().request == question);
  merge.answer(write_surrender_reply(first, kSurrenderVersion));
  merge.answer(part(1));
  // Whoever is asked instead begins with the first page as well.
  SurrenderReply moved;
  moved.status = SurrenderStatus::kMoved;
  moved.moved_to = "c";
  merge.answer(write_surrender_reply(moved, kSurrenderVersion));
  const std::string other_question = merge.question().request;
  CHECK(merge.question().name == person_object_name(1, "c"));
  merge.answer(part(2));
  CHECK(merge.question().request == other_question);
  merge.answer(write_surrender_reply(first, kSurrenderVersion));
  merge.answer(part(1));
  merge.answer(part(2));
  CHECK(merge.status() == ApplyStatus::kDone);
}

TEST_CASE("A request's persons row of a merge names all ids of whom it took in") {
  Fixture f;
  f.host.config.sinks[index_of(Stream::kPersons)] = SinkKind::kHttp;
  for (const char* id : {"ann", "phone", "user"}) f.send(event("custom", id));
  f.send(merge("ann", "phone"));
  f.send(merge("user", "ann"));
  RowBatch rows(Stream::kPersons);
  f.run->people.append_change_rows(f.host.turn(), rows);
  const std::string text(rows.array(0, rows.size()));
  for (const char* id : {"ann", "phone", "user"}) {
    INFO(id);
    CHECK(text.find("\"" + std::string(id) + "\"") != std::string::npos);
  }
  // And the row that says that ann's person is no more has its own times.
  const std::string deleted(rows.row(rows.size() - 1));
  CHECK(deleted.find("\"operation\":\"delete\"") != std::string::npos);
  CHECK(deleted.find("\"created_at\":\"2024-01-01T00:00:00.000Z\"") != std::string::npos);
}

TEST_CASE("A request tells the persons stream once of each person that it made or changed") {
  Fixture f;
  f.host.config.sinks[index_of(Stream::kPersons)] = SinkKind::kHttp;
  const auto told = [&f] {
    RowBatch rows(Stream::kPersons);
    f.run->people.append_change_rows(f.host.turn(), rows);
    return rows.empty() ? std::string() : rows.array(0, rows.size());
  };
  f.send(event("custom", "ann", R"("$set":{"a":1})"));
  CHECK(told().find(R"("operation":"create")") != std::string::npos);
  f.send(event("custom", "ann", R"("$set":{"a":2})"));
  const std::string changed = told();
  CHECK(changed.find(R"("operation":"update")") != std::string::npos);
  CHECK(changed.find(R"("a":2)") != std::string::npos);
  CHECK(changed.find(R"("distinct_ids":["ann"])") != std::string::npos);
  f.send(event("custom", "ann", R"("$set":{"a":2})"));
  CHECK(told().empty());
  EventBatch batch;
  batch.add(event("custom", "ann", R"("$set":{"a":3})"));
  batch.add(event("custom", "ann", R"("$set":{"a":4})"));
  const RequestRun two(f.host, f.caches, f.project, batch);
  RowBatch rows(Stream::kPersons);
  two.people.append_change_rows(f.host.turn(), rows);
  REQUIRE(rows.size() == 1);
  CHECK(rows.row(0).find(R"("a":4)") != std::string_view::npos);
}

TEST_CASE("An operation whose merge is known to be done shows its person and changes nothing") {
  Fixture f;
  f.send(event("custom", "ann", R"("$set":{"a":1})"));
  const uint64_t rows = f.person_rows_written("ann");
  ApplyRequest request;
  request.self = "ann";
  PersonOp op;
  op.distinct_id = "ann";
  op.other = "bob";
  op.merge = MergeKind::kDangerously;
  op.covered = true;
  op.set = R"({"a":2})";
  request.ops.push_back(op);
  const ApplyReply reply =
      read_apply_reply(f.host.call(CallObject{ObjectClass::kPerson, person_object_name(1, "ann"),
                                              write_apply(request)}))
          .value();
  CHECK(reply.status == ApplyStatus::kDone);
  REQUIRE(reply.results.size() == 1);
  // As its own event left it, whatever came since.
  CHECK(reply.property_texts[reply.results[0].properties].find("\"a\":2") != std::string::npos);
  CHECK(f.person_rows_written("ann") == rows);
  CHECK(f.host.calls_by_name[person_object_name(1, "bob")] == 0);
}

TEST_CASE(
    "A merge takes over what the survivor has room for, to the byte, and says what it has not") {
  const auto value = [](size_t bytes) { return "\"" + std::string(bytes - 2, 'x') + "\""; };
  for (const size_t more : {0, 1}) {
    CAPTURE(more);
    Fixture f;
    f.send(event("custom", "ann", R"("$set":{"a":)" + value(400'000) + "}"));
    const size_t left = limits::kPersonPropertiesBytesMax - f.stored("ann").properties.size();
    // As the text has it: its comma, its name's quotes and its colon beside.
    f.send(event("custom", "bob", R"("$set":{"a":1,"b":)" + value(left - 1 - 4 + more) + "}"));
    f.send(merge("ann", "bob"));
    const std::string stored = f.stored("ann").properties;
    CHECK(stored.size() <= limits::kPersonPropertiesBytesMax);
    CHECK((stored.size() == limits::kPersonPropertiesBytesMax) == (more == 0));
    CHECK((stored.find("\"b\":") != std::string::npos) == (more == 0));
    CHECK(f.warnings.empty() == (more == 0));
    CHECK(stored.find("\"a\":\"xxx") != std::string::npos);
    CHECK(f.stored("ann").distinct_ids.size() == 2);
  }
}

TEST_CASE("Names to unset have so many bytes together, and one more is a warning") {
  constexpr size_t kPlace = limits::kUnsetPlaceBytes;
  std::string names = "\"a\"";
  for (size_t left = limits::kUnsetBytesMax - 1 - kPlace; left > 0;) {
    const size_t size = left < 2'000 + kPlace ? left - kPlace : 1'000;
    names += ",\"" + std::string(size, 'x') + "\"";
    left -= size + kPlace;
  }
  for (const bool fits : {true, false}) {
    Fixture f;
    f.send(event("custom", "ann", R"("$set":{"a":1})"));
    f.send(event("custom", "ann", "\"$unset\":[" + names + (fits ? "" : ",\"y\"") + "]"));
    CAPTURE(fits);
    CHECK(f.warnings.empty() == fits);
    CHECK((f.stored("ann").properties.find("\"a\"") == std::string::npos) == fits);
  }
}

TEST_CASE("Many names of one letter are not unset: each has a place in several lists") {
  Fixture f;
  f.send(event("custom", "ann", R"("$set":{"a":1})"));
  std::string list = R"(["a")";
  while (list.size() + 3 <= limits::kUnsetRawBytesMax) list += ",1";
  f.send(event("custom", "ann", "\"$unset\":" + list + "]"));
  CHECK(f.warnings.size() == 1);
  CHECK(f.stored("ann").properties.find("\"a\"") != std::string::npos);
}

TEST_CASE("A list of names to unset is not taken apart when it is too long as it stands") {
  for (const bool fits : {true, false}) {
    Fixture f;
    f.send(event("custom", "ann", R"("$set":{"a":1})"));
    std::string list = R"(["a")";
    std::string name = ",\"";
    for (int i = 0; i < 100; ++i) name += "\\u0062";
    name += '"';
    while (list.size() + name.size() + 1 <= limits::kUnsetRawBytesMax) list += name;
    if (!fits) list += name;
    f.send(event("custom", "ann", "\"$unset\":" + list + "]"));
    CAPTURE(fits);
    CHECK(f.warnings.empty() == fits);
    CHECK((f.stored("ann").properties.find("\"a\"") == std::string::npos) == fits);
  }
}

// --- Groups ---

TEST_CASE(
    "An event without person processing has no groups; another member that is false has them") {
  for (const auto& [member, groups] : std::initializer_list<std::pair<const char*, const char*>>{
           {"$process_person_profile", ""}, {"is_beta", R"({"org":{"a":1}})"}}) {
    Fixture f;
    f.send(event("$groupidentify", "ann",
                 R"("$group_type":"org","$group_key":"o","$group_set":{"a":1})"));
    f.send(event("custom", "ann", R"("$groups":{"org":"o"},")" + std::string(member) + "\":false"));
    INFO(member);
    CHECK(f.run->groups.take_view(0).group_properties_json == groups);
  }
}

TEST_CASE("An AI event shows the groups there are and gives no type a slot") {
  Fixture f;
  f.send(event("$groupidentify", "ann",
               R"("$group_type":"org","$group_key":"o","$group_set":{"a":1})"));
  f.forget();
  f.send(event("$ai_generation", "ann", R"("$groups":{"org":"o","team":"t"})"));
  CHECK(f.run->groups.take_view(0).group_properties_json == R"({"org":{"a":1}})");
  f.forget();
  f.send(event("custom", "ann", R"("$groups":{"unit":"u","team":"t"})"));
  CHECK(f.run->groups.take_view(0).keys[1] == "u");
}

TEST_CASE("Group types take slots in order of first sight, and a sixth is ignored") {
  Fixture f;
  EventBatch batch;
  batch.add(event("custom", "ann", R"("$groups":{"a":1,"b":"x","c":"c","d":"d","e":"e","f":"f"})"));
  RequestRun run(f.host, f.caches, f.project, batch);
  const GroupView view = run.groups.take_view(0);
  CHECK(view.raw_values[0] == "1");
  CHECK(view.keys[0] == "1");
  CHECK(view.keys[1] == "x");
  CHECK(view.keys[4] == "e");
  CHECK(view.group_properties_json.find("\"f\"") == std::string::npos);
}

TEST_CASE("A type that is known costs no call, a new one costs one") {
  Fixture f;
  f.send(event("custom", "ann", R"("$groups":{"org":"o"})"));
  const auto types_calls = [&] { return f.host.calls_by_name[group_types_object_name(1)]; };
  const int before = types_calls();
  f.send(event("custom", "ann", R"("$groups":{"org":"p"})"));
  CHECK(types_calls() == before);
  f.send(event("custom", "ann", R"("$groups":{"team":"t"})"));
  CHECK(types_calls() == before + 1);
}

TEST_CASE("More groups than are called at once are all called") {
  Fixture f;
  constexpr size_t kGroups = limits::kObjectCallsInFlight + 12;
  EventBatch batch;
  for (size_t i = 0; i < kGroups; ++i) {
    batch.add(event("$groupidentify", "ann",
                    "\"$group_type\":\"org\",\"$group_key\":\"" + std::to_string(i) +
                        "\",\"$group_set\":{\"n\":" + std::to_string(i) + "}"));
  }
  RequestRun run(f.host, f.caches, f.project, batch);
  CHECK(f.host.calls[ObjectClass::kGroup] == kGroups + 1);  // and the one that has the types
  for (size_t i = 0; i < kGroups; ++i) {
    auto& storage =
        f.host.objects[{ObjectClass::kGroup, group_object_name(1, "org", std::to_string(i))}];
    CHECK(read_stored_group(storage).properties == "{\"n\":" + std::to_string(i) + "}");
  }
}

TEST_CASE("A group's row shows its properties as of each event") {
  Fixture f;
  EventBatch batch;
  batch.add(event("$groupidentify", "ann",
                  R"("$group_type":"org","$group_key":"o","$group_set":{"a":1})"));
  batch.add(event("custom", "ann", R"("$groups":{"org":"o"})"));
  batch.add(event("$groupidentify", "ann",
                  R"("$group_type":"org","$group_key":"o","$group_set":{"a":2})"));
  RequestRun run(f.host, f.caches, f.project, batch);
  CHECK(run.groups.take_view(0).group_properties_json == R"({"org":{"a":1}})");
  CHECK(run.groups.take_view(1).group_properties_json == R"({"org":{"a":1}})");
  CHECK(run.groups.take_view(2).group_properties_json == R"({"org":{"a":2}})");
}

// --- What flags keep with a person ---

struct FlagState {
  FlagState(Fixture& f, const std::string& id, const std::string& anonymous)
      : definitions(parse_definitions()),
        request(make_request(id, anonymous)),
        run(1, request, flags::needs(definitions, request), definitions, f.caches, memory) {
    Effects effects;
    run.start(f.host.turn(), effects);
    f.host.drive(
        [&](EffectResult result) { run.resume(f.host.turn(), std::move(result), effects); },
        [&] { return run.finished(); }, effects);
  }
  static flags::Definitions parse_definitions() {
    Result<flags::Definitions> parsed = flags::Definitions::parse(
        R"({"flags":[{"id":1,"key":"beta","active":true,"ensure_experience_continuity":true,)"
        R"("filters":{"groups":[{"properties":[],"rollout_percentage":50}]}}]})",
        {});
    HF_ASSERT(parsed.ok());
    return std::move(parsed).value();
  }
  static flags::Request make_request(const std::string& id, const std::string& anonymous) {
    flags::Request request;
    request.distinct_id = id;
    if (!anonymous.empty()) request.anon_distinct_id = anonymous;
    return request;
  }
  std::string hash_key() const {
    for (const auto& [flag, key] : run.state().hash_keys) {
      if (flag == "beta") return key;
    }
    return {};
  }

  flags::Definitions definitions;
  flags::Request request;
  size_t held = 0;
  MemoryShare memory{held};
  StoredStateRun run;
};

TEST_CASE("A continuity key is stored with the person once and never overwritten") {
  Fixture f;
  f.send(event("custom", "user"));
  // The answer that stores it has it already.
  CHECK(FlagState(f, "user", "device-1").hash_key() == "device-1");
  CHECK(FlagState(f, "user", "").hash_key() == "device-1");
  CHECK(FlagState(f, "user", "device-2").hash_key() == "device-1");
  CHECK(FlagState(f, "user", "").hash_key() == "device-1");
}

TEST_CASE("Continuity keys move along when people merge") {
  Fixture f;
  f.send(event("custom", "ann"));
  FlagState first(f, "ann", "device-1");
  f.send(event("custom", "user"));
  f.send(event("$identify", "user", R"("$anon_distinct_id":"ann")"));
  CHECK(FlagState(f, "user", "").hash_key() == "device-1");
}

TEST_CASE("The keys of the person behind $anon_distinct_id count where the main one has none") {
  Fixture f;
  f.send(event("custom", "ann"));
  f.send(event("custom", "user"));
  CHECK(FlagState(f, "ann", "device-1").hash_key() == "device-1");
  f.host.calls_by_name.clear();
  CHECK(FlagState(f, "user", "ann").hash_key() == "device-1");
  // One person is asked once.
  f.host.calls_by_name.clear();
  CHECK(FlagState(f, "ann", "ann").hash_key() == "device-1");
  CHECK(f.host.calls_by_name[person_object_name(1, "ann")] == 1);
}

TEST_CASE("A group's object that does not answer for flags is asked once more") {
  const Result<flags::Definitions> parsed = flags::Definitions::parse(
      R"({"flags":[{"id":1,"key":"f","filters":{"aggregation_group_type_index":0,"groups":[)"
      R"({"properties":[{"key":"tier","type":"group","group_type_index":0,"value":"gold"}]}]}}],)"
      R"("group_type_mapping":{"0":"org","1":"team"}})",
      {});
  REQUIRE(parsed.ok());
  flags::Request request = FlagState::make_request("ann", "");
  request.groups.push_back({.type = "org", .key = "o", .usable = true});
  for (const int lost : {0, 1, 2}) {
    CAPTURE(lost);
    Fixture f;
    f.send(event("$groupidentify", "ann",
                 R"("$group_type":"org","$group_key":"o","$group_set":{"tier":"gold"})"));
    size_t held = 0;
    MemoryShare memory(held);
    StoredStateRun run(1, request, flags::needs(parsed.value(), request), parsed.value(), f.caches,
                       memory);
    Effects effects;
    run.start(f.host.turn(), effects);
    int asked = 0;
    for (std::vector<Effect> due = effects.take(); !due.empty(); due = effects.take()) {
      for (const Effect& effect : due) {
        const CallObject& call = std::get<CallObject>(effect.kind);
        const bool answers = call.object_class != ObjectClass::kGroup || ++asked > lost;
        EffectResult result{.id = effect.id, .ok = answers};
        if (answers) result.body = f.host.call(call);
        run.resume(f.host.turn(), std::move(result), effects);
      }
    }
    REQUIRE(run.finished());
    REQUIRE(run.state().groups.size() == 1);
    CHECK(asked == (lost == 0 ? 1 : 2));
    CHECK((run.state().groups[0].read == flags::Read::kFailed) == (lost == 2));
    CHECK((run.state().groups[0].properties.find("tier") != nullptr) == (lost < 2));
  }
}

TEST_CASE(
    "Flags that name a list of people read all of a person's ids, or say that there are more") {
  const Result<flags::Definitions> parsed = flags::Definitions::parse(
      R"({"flags":[{"id":1,"key":"f","filters":{"groups":[{"properties":[{"key":"id",)"
      R"("type":"cohort","value":1}]}]}}],)"
      R"("cohorts":[{"id":1,"is_static":true,"members":["ann"]}]})",
      {});
  REQUIRE(parsed.ok());
  const flags::Request request = FlagState::make_request("user", "");
  for (const bool has_more : {false, true}) {
    CAPTURE(has_more);
    Fixture f;
    f.send(event("custom", "ann"));
    f.send(event("custom", "user"));
    f.send(event("$identify", "user", R"("$anon_distinct_id":"ann")"));
    size_t held = 0;
    MemoryShare memory(held);
    StoredStateRun run(1, request, flags::needs(parsed.value(), request), parsed.value(), f.caches,
                       memory);
    Effects effects;
    run.start(f.host.turn(), effects);
    for (std::vector<Effect> due = effects.take(); !due.empty(); due = effects.take()) {
      REQUIRE(due.size() == 1);
      EffectResult result{.id = due[0].id, .ok = true};
      result.body = f.host.call(std::get<CallObject>(due[0].kind));
      if (has_more) {
        std::optional<ApplyReply> reply = read_apply_reply(std::move(result.body));
        REQUIRE(reply.has_value());
        OpResult found = reply->results[0];
        found.hash_keys.emplace_back();
        PersonOp op;
        op.access = PersonAccess::kRead;
        ApplyReplyWriter writer;
        writer.add(found, {reply->property_texts[found.properties], 0}, op);
        result.body = writer.finish(ApplyStatus::kDone, {}, false, false, {});
      }
      run.resume(f.host.turn(), std::move(result), effects);
    }
    REQUIRE(run.finished());
    CHECK(run.state().has_all_person_ids == !has_more);
    CHECK(run.state().person_ids == std::vector<std::string>{f.stored("user").uuid, "user", "ann"});
  }
}

TEST_CASE("A person's object that answers with none is asked once more for flags") {
  const flags::Definitions definitions = FlagState::parse_definitions();
  const flags::Request request = FlagState::make_request("ann", "");
  ApplyReplyWriter busy;
  ApplyReplyWriter nobody;
  for (const std::string& answer :
       {busy.finish(ApplyStatus::kBusy, {}, false, false, {}),
        nobody.finish(ApplyStatus::kDone, {}, false, false, {}), std::string("?")}) {
    for (const int wrong : {0, 1, 2}) {
      CAPTURE(answer, wrong);
      Fixture f;
      f.send(event("custom", "ann"));
      size_t held = 0;
      MemoryShare memory(held);
      StoredStateRun run(1, request, flags::needs(definitions, request), definitions, f.caches,
                         memory);
      Effects effects;
      run.start(f.host.turn(), effects);
      int asked = 0;
      for (std::vector<Effect> due = effects.take(); !due.empty(); due = effects.take()) {
        REQUIRE(due.size() == 1);
        const std::string whole = f.host.call(std::get<CallObject>(due[0].kind));
        const std::string& body = ++asked > wrong ? whole : answer;
        run.resume(f.host.turn(), {.id = due[0].id, .ok = true, .body = body}, effects);
      }
      REQUIRE(run.finished());
      CHECK(asked == (wrong == 0 ? 1 : 2));
      CHECK((run.state().hash_keys_read == flags::Read::kFailed) == (wrong == 2));
    }
  }
}

// Flags that look at a property of the person and one of a group, and who asks them.
struct ReadOfAll {
  ReadOfAll(Fixture& f, size_t others_hold, const std::string& group_key)
      : request(FlagState::make_request("ann", "")), held(others_hold) {
    Result<flags::Definitions> parsed = flags::Definitions::parse(
        R"({"flags":[{"id":1,"key":"f","filters":{"groups":[{"properties":[)"
        R"({"key":"tier","type":"group","group_type_index":0,"value":"gold"},)"
        R"({"key":"plan","type":"person","value":"pro"}]}]}}],)"
        R"("group_type_mapping":{"0":"org"}})",
        {});
    REQUIRE(parsed.ok());
    const flags::Definitions definitions = std::move(parsed).value();
    request.groups.push_back({.type = "org", .key = group_key, .usable = true});
    run.emplace(1, request, flags::needs(definitions, request), definitions, f.caches, memory);
    Effects effects;
    run->start(f.host.turn(), effects);
    for (std::vector<Effect> due = effects.take(); !due.empty(); due = effects.take()) {
      for (const Effect& effect : due) {
        EffectResult result{.id = effect.id, .ok = true};
        result.body = f.host.call(std::get<CallObject>(effect.kind));
        largest_answer = std::max(largest_answer, result.body.size());
        ++answers;
        run->resume(f.host.turn(), std::move(result), effects);
      }
    }
    REQUIRE(run->finished());
  }

  flags::Request request;
  size_t held;
  MemoryShare memory{held};
  std::optional<StoredStateRun> run;
  size_t largest_answer = 0;
  int answers = 0;
};

// An object of so many small values.
std::string dense_object(size_t values) {
  std::string text = R"({"tier":"gold","plan":"pro","list":[1)";
  for (size_t i = 1; i < values; ++i) text += ",1";
  return text + "]}";
}

TEST_CASE("What flags read of people and groups is held, and what finds no room is not read") {
  constexpr size_t kValues = 50'000;
  const auto send = [](Fixture& f, size_t values) {
    f.send(event("$set", "ann", R"("$set":)" + dense_object(values)));
    f.send(event("$groupidentify", "ann",
                 R"("$group_type":"org","$group_key":"o","$group_set":)" + dense_object(values)));
  };
  SECTION("with room the values are held as long as they are there") {
    Fixture f;
    send(f, kValues);
    const ReadOfAll read(f, 0, "o");
    CHECK(read.run->state().person_properties.find("list")->items.size() == kValues);
    CHECK(read.run->state().groups[0].properties.find("list")->items.size() == kValues);
    CHECK(read.answers == 2);
    CHECK(read.held > 2 * kValues * sizeof(flags::Value));
    CHECK(read.held < 3 * kValues * sizeof(flags::Value));
  }
  SECTION("without it no large answer is asked for") {
    Fixture f;
    send(f, kValues);
    const size_t others = limits::kRequestMemoryBytesMax / 2;
    const ReadOfAll read(f, others, "o");
    CHECK(read.run->state().person_read == flags::Read::kFailed);
    CHECK(read.run->state().groups[0].read == flags::Read::kFailed);
    CHECK(read.largest_answer < 1'000);
    CHECK(read.held < others + 1'000);
  }
  SECTION("of many values in a text that fits no more are made than there is room for") {
    Fixture f;
    send(f, 10'000);
    const size_t others = limits::kRequestMemoryBytesMax - 10'000 * sizeof(flags::Value);
    const ReadOfAll read(f, others, "o");
    CHECK(read.run->state().person_read == flags::Read::kFailed);
    CHECK(read.run->state().groups[0].read == flags::Read::kFailed);
    CHECK(read.held < others + 1'000);
  }
  SECTION("a usual person is read while others take nearly all") {
    Fixture f;
    send(f, 20);
    const ReadOfAll read(f, limits::kRequestMemoryBytesMax - (64u << 10), "o");
    CHECK(read.run->state().person_properties.find("plan")->text == "pro");
    CHECK(read.run->state().groups[0].properties.find("tier")->text == "gold");
  }
}

TEST_CASE("A group whose key no event's may be is not asked for") {
  Fixture f;
  const ReadOfAll longest(f, 0, std::string(limits::kGroupNameChars, 'g'));
  CHECK(longest.answers == 2);
  const ReadOfAll longer(f, 0, std::string(limits::kGroupNameChars + 1, 'g'));
  CHECK(longer.answers == 1);
  CHECK(longer.run->state().groups.empty());
}

TEST_CASE("Flags that name no list of people read none of a person's further ids") {
  Fixture f;
  f.send(event("custom", "ann"));
  f.send(event("custom", "user"));
  f.send(event("$identify", "user", R"("$anon_distinct_id":"ann")"));
  const FlagState read(f, "user", "");
  CHECK(read.run.state().person_exists);
  CHECK(read.run.state().person_ids == std::vector<std::string>{f.stored("user").uuid});
}

TEST_CASE("Reading a person for flags creates nobody and writes nothing") {
  Fixture f;
  FlagState read(f, "nobody", "");
  CHECK_FALSE(read.run.state().person_exists);
  CHECK(f.host.rows_written() == 0);
  CHECK(f.stored("nobody").state == StoredPerson::State::kEmpty);
}

TEST_CASE(
    "A person for flags is read where it is known to have moved, and asked for twice at most") {
  Fixture f;
  for (const char* id : {"ann", "user"}) f.send(event("custom", id));
  f.send(event("$identify", "user", R"("$anon_distinct_id":"ann")"));
  const auto calls = [&](const std::string& id) {
    return f.host.calls_by_name[person_object_name(1, id)];
  };
  f.forget();
  f.host.calls_by_name.clear();
  CHECK(FlagState(f, "ann", "").run.state().person_exists);
  CHECK(calls("ann") == 1);
  CHECK(calls("user") == 1);
  // The isolate remembers where it went.
  f.host.calls_by_name.clear();
  const FlagState again(f, "ann", "");
  CHECK(again.run.state().person_exists);
  CHECK(calls("ann") == 0);
  CHECK(calls("user") == 1);

  size_t asked = 0;
  Fixture silent;
  const flags::Definitions definitions = FlagState::parse_definitions();
  const flags::Request request = FlagState::make_request("ann", "");
  size_t held = 0;
  MemoryShare memory(held);
  StoredStateRun run(1, request, flags::needs(definitions, request), definitions, silent.caches,
                     memory);
  Effects effects;
  run.start(silent.host.turn(), effects);
  for (std::vector<Effect> due = effects.take(); !due.empty(); due = effects.take()) {
    REQUIRE(due.size() == 1);
    ++asked;
    run.resume(silent.host.turn(), {.id = due[0].id, .ok = false}, effects);
  }
  REQUIRE(run.finished());
  CHECK(asked == 2);
  CHECK(run.state().hash_keys_read == flags::Read::kFailed);
}

}  // namespace
}  // namespace hogflare::test
