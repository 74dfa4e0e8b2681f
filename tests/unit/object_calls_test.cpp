// How many objects one request may call, and that what they answer stays within the isolate's
// memory.
#include <catch2/catch.hpp>
#include <functional>
#include <utility>

#include "hogflare/core.h"
#include "hogflare/limits.h"
#include "hogflare/memory_limits.h"
#include "identity_support.h"
#include "tests/no_decompressor.h"
#include "tests/table_zones.h"

using namespace hogflare;
using namespace hogflare::test;

namespace {

// Whole requests through the core: objects in memory, a sink whose answer the test chooses.
class World {
 public:
  explicit World(std::string variables = "", std::string more_bindings = "")
      : core_(R"({"vars":{"CLOUDFLARE_PIPELINE_ENDPOINT":"http://sink.invalid/")" + variables +
                  R"(},"bindings":["PERSONS","GROUPS","PERSON_ID_COUNTER","OUTBOX")" +
                  more_bindings + "]}",
              decompressor_, zones_) {}

  uint16_t sink_status = 200;
  bool objects_answer = true;
  size_t calls = 0;
  size_t sends = 0;
  std::map<std::string, MemoryStorage> objects;
  // What the request is given in place of an object's reply; `calls` counts from 1.
  std::function<void(size_t call, std::string& reply)> alter;

  // What was shown to pages that look: each project's object, and what it was told.
  std::vector<std::pair<std::string, std::string>> shown;

  // `watched`: the projects that somebody looks at, as the shim says it.
  Reply post(const std::string& path, std::string body, const std::string& watched = "") {
    constexpr size_t kHeaders = 20;
    std::string head = "POST";
    head += '\0' + path;
    head.append(3, '\0');
    head += "application/json";
    head.append(kHeaders + kEdgeFields.size() + 1, '\0');
    head += watched + '\0';
    std::unique_ptr<Task> task = core_.http({std::move(head), std::move(body)});
    run(*task, nullptr);
    return task->reply();
  }

 private:
  void run(Task& task, Storage* storage) {
    Effects effects;
    task.start(core_.turn(kNow, entropy_, storage), effects);
    std::deque<Effect> pending;
    for (;;) {
      for (Effect& effect : effects.take()) pending.push_back(std::move(effect));
      if (pending.empty()) break;
      const Effect effect = std::move(pending.front());
      pending.pop_front();
      task.resume(core_.turn(kNow, entropy_, storage), perform(effect, storage == nullptr),
                  effects);
    }
    REQUIRE(task.finished());
  }

  EffectResult perform(const Effect& effect, bool is_request) {
    EffectResult result;
    result.id = effect.id;
    result.ok = true;
    result.http_status = 200;
    if (std::holds_alternative<SendRows>(effect.kind)) {
      ++sends;
      result.http_status = sink_status;
    } else if (const auto* call = std::get_if<CallObject>(&effect.kind);
               call != nullptr && call->object_class == ObjectClass::kLive) {
      if (!call->request.empty()) shown.emplace_back(call->name, call->request);
    } else if (call != nullptr) {
      calls += is_request ? 1 : 0;
      result.ok = objects_answer;
      if (objects_answer) result.body = answer(*call);
      if (is_request && alter) alter(calls, result.body);
    }
    return result;
  }

  std::string answer(const CallObject& call) {
    ObjectInput input;
    input.entry = ObjectEntry::kCall;
    input.object_class = call.object_class;
    input.request = call.request;
    std::unique_ptr<Task> task = core_.object(std::move(input));
    run(*task, &objects[call.name]);
    return task->reply().body;
  }

  static constexpr int64_t kNow = 1'767'268'800'000;
  static constexpr uint8_t kSeed[32] = {9};
  NoDecompressor decompressor_;
  TableZones zones_;
  Core core_;
  Entropy entropy_{kSeed};
};

constexpr const char* kAllStreams =
    R"(,"CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT":"http://sink.invalid/p",)"
    R"("CLOUDFLARE_DISTINCT_IDS_PIPELINE_ENDPOINT":"http://sink.invalid/d")";

std::string batch_of_people(size_t first, size_t last) {
  std::string body = R"({"api_key":"phc_x","batch":[)";
  for (size_t i = first; i < last; ++i) {
    if (i > first) body += ',';
    body += R"({"event":"e","distinct_id":"p)" + std::to_string(i) + "\"}";
  }
  return body + "]}";
}

bool has_warning(const std::vector<Warning>& warnings, std::string_view name) {
  return std::any_of(warnings.begin(), warnings.end(),
                     [&](const Warning& warning) { return warning.name == name; });
}

// The people of a request whose person objects answer what `reply` says, by the number of the call.
struct AnsweredPeople {
  AnsweredPeople(EventBatch& batch, const std::function<std::string(int call)>& reply)
      : people(batch.events, project, caches, budget) {
    planned = people.plan(host.turn());
    Effects effects;
    people.start(host.turn(), effects);
    for (int turn = 0; turn < 1000 && !people.finished(); ++turn) {
      for (Effect& effect : effects.take()) {
        if (!people.owns(effect.id)) continue;
        EffectResult result;
        result.id = effect.id;
        const auto* call = std::get_if<CallObject>(&effect.kind);
        pauses += std::holds_alternative<Wait>(effect.kind) ? 1 : 0;
        if (call != nullptr && call->object_class == ObjectClass::kPerson) {
          result.ok = true;
          result.body = reply(++calls);
        }
        people.resume(host.turn(), std::move(result), effects);
      }
    }
    REQUIRE(people.finished());
  }

  IdentityCaches caches;
  Project project;
  size_t sum = 0;
  MemoryShare memory{sum};
  RequestBudget budget{limits::kObjectCallsMax, memory};
  ObjectHost host;
  size_t planned = 0;
  int calls = 0;  // of person objects
  int pauses = 0;
  PeopleRun people;
};

}  // namespace

TEST_CASE(
    "A batch of more people than a request may call is refused whole, and its parts are taken") {
  const size_t most = limits::kObjectCallsMax;
  World world;
  for (const size_t people : {most + 1, size_t{1500}, size_t{12'000}}) {
    const Reply reply = world.post("/batch/", batch_of_people(0, people));
    CHECK(reply.status == 413);
    CHECK(reply.body.find("nothing was stored, send it in parts") != std::string::npos);
    CHECK(world.calls == 0);
    CHECK(world.sends == 0);
  }
  CHECK(world.post("/batch/", batch_of_people(0, most)).status == 200);
  CHECK(world.objects.size() == most + 1);  // and the counter of ids
  CHECK(world.calls < 1000);
}

TEST_CASE("No byte changed in an object's reply ends more than its events") {
  const std::string body =
      R"({"api_key":"phc_x","batch":[{"event":"e","distinct_id":"a","$set":{"n":"x"}},)"
      R"({"event":"$identify","distinct_id":"b","properties":{"$anon_distinct_id":"a","$groups":{"company":"c"}}},)"
      R"({"event":"$groupidentify","distinct_id":"b","properties":)"
      R"({"$group_type":"company","$group_key":"c","$group_set":{"m":1}}}]})";
  World counted(kAllStreams);
  std::vector<size_t> sizes;
  counted.alter = [&](size_t, std::string& reply) { sizes.push_back(reply.size()); };
  REQUIRE(counted.post("/batch/", body).status == 200);
  REQUIRE(sizes.size() >= 4);  // the ids' counter, the group types, the group, and the person
  for (size_t call = 1; call <= sizes.size(); ++call) {
    for (size_t at = 0; at < sizes[call - 1]; ++at) {
      for (const int bits : {1, 2, 16, 64, 128, 255}) {
        World world(kAllStreams);
        world.alter = [&](size_t number, std::string& reply) {
          if (number != call) return;
          reply.resize(sizes[call - 1]);
          reply[at] = static_cast<char>(reply[at] ^ bits);
        };
        CAPTURE(call, at, bits);
        const uint16_t status = world.post("/batch/", body).status;
        CHECK((status == 200 || status == 503));
        // Whoever comes next finds everything as it should be.
        world.alter = nullptr;
        CHECK(
            world
                .post("/batch/", R"({"api_key":"phc_x","batch":[{"event":"e","distinct_id":"z"}]})")
                .status == 200);
      }
    }
  }
}

TEST_CASE("Events of one person, and events without a person, need no calls of their own") {
  World world;
  std::string body = R"({"api_key":"phc_x","batch":[)";
  std::string personless = body;
  for (int i = 0; i < 20'000; ++i) {
    if (i > 0) body += ',', personless += ',';
    body += R"({"event":"e","distinct_id":"one"})";
    personless += R"({"event":"e","distinct_id":"p)" + std::to_string(i) +
                  R"(","properties":{"$process_person_profile":false}})";
  }
  CHECK(world.post("/batch/", body + "]}").status == 200);
  CHECK(world.post("/batch/", personless + "]}").status == 200);
  CHECK(world.calls < 10);
}

TEST_CASE("An operator sets another number of object calls, and nonsense is refused") {
  World world(R"(,"HOGFLARE_OBJECT_CALLS_MAX":"128")");
  CHECK(world.post("/batch/", batch_of_people(0, 129)).status == 413);
  CHECK(world.post("/batch/", batch_of_people(0, 128)).status == 200);
  for (const std::string value : {"0", "127", "50001", "-1", "many", "1e3"}) {
    const Config config =
        parse_config(R"({"vars":{"HOGFLARE_OBJECT_CALLS_MAX":")" + value + "\"}}");
    CHECK(config.object_calls_max == limits::kObjectCallsMax);
    CHECK(std::any_of(config.problems.begin(), config.problems.end(), [](const auto& problem) {
      return problem.message.find("HOGFLARE_OBJECT_CALLS_MAX") == 0;
    }));
  }
}

TEST_CASE("A refused request is shown to its project's page, and to every page when nobody's") {
  const std::string variables = R"(,"HOGFLARE_OBJECT_CALLS_MAX":"128","HOGFLARE_PROJECTS":)"
                                R"("{\"phc_w\":{\"team_id\":11},\"phc_x\":{\"team_id\":22}}")";
  const auto shown_to = [&variables](std::string body, const std::string& watched) {
    World world(variables, ",\"LIVE\"");
    CHECK(world.post("/batch/", std::move(body), watched).status >= 400);
    std::string names;
    for (const auto& [name, frame] : world.shown) {
      CHECK(frame.find("\"rejects\":[{") != std::string::npos);
      names += name + ' ';
    }
    return names;
  };
  // Too many people for a request, of phc_x.
  CHECK(shown_to(batch_of_people(0, 129), "11,22") == "22 ");
  CHECK(shown_to(batch_of_people(0, 129), "22") == "22 ");
  CHECK(shown_to(batch_of_people(0, 129), "11").empty());
  CHECK(shown_to(batch_of_people(0, 129), "1,2,222").empty());
  // No project can be told from it.
  CHECK(shown_to("{", "11,22") == "11 22 ");
  CHECK(shown_to("{", "").empty());
}

TEST_CASE("Groups and connected ids count as calls; one event always fits") {
  World world;
  std::string groups;
  for (size_t i = 0; i < limits::kGroupsPerEventMax; ++i) {
    groups += (i > 0 ? ",\"t" : "\"t") + std::to_string(i) + "\":\"k\"";
  }
  const std::string event =
      R"({"api_key":"phc_x","event":"$identify","distinct_id":"a","properties":{
      "$anon_distinct_id":"b","$groups":{)" +
      groups + "}}}";
  CHECK(world.post("/e/", event).status == 200);

  // 901 groups of a type that is known.
  std::string body = R"({"api_key":"phc_x","batch":[)";
  for (size_t i = 0; i <= limits::kObjectCallsMax; ++i) {
    if (i > 0) body += ',';
    body += R"({"event":"e","distinct_id":"a","properties":{"$groups":{"t0":"k)" +
            std::to_string(i) + "\"}}}";
  }
  CHECK(world.post("/batch/", body + "]}").status == 413);

  // Two ids that take turns and are connected by a merge may each need a call.
  EventBatch batch;
  for (int i = 0; i < 10; ++i) {
    batch.add(std::string(R"({"event":"e","distinct_id":")") + (i % 2 ? "x" : "y") + "\"}");
  }
  batch.add(R"({"event":"$identify","distinct_id":"x","properties":{"$anon_distinct_id":"y"}})");
  ObjectHost host;
  IdentityCaches caches;
  const Project project;
  RequestRun run(host, caches, project, batch);
  CHECK(run.planned == 10);
  // One more is the survivor's own, which asks the other person for what it holds.
  CHECK(host.calls[ObjectClass::kPerson] <= run.planned + 1);
}

TEST_CASE("Retries of objects that do not answer stay within the request's calls") {
  World world;
  world.objects_answer = false;
  CHECK(world.post("/batch/", batch_of_people(0, limits::kObjectCallsMax)).status == 503);
  CHECK(world.calls <= limits::kObjectCallsMax * limits::kObjectCallsFactor);
}

TEST_CASE("A sink that refuses every send as too large is not asked for each row") {
  World world;
  world.sink_status = 413;
  std::string body = R"({"api_key":"phc_x","batch":[)";
  for (int i = 0; i < 20'000; ++i) {
    body += i > 0 ? "," : "";
    body += R"({"event":"e","distinct_id":"p","properties":{"$process_person_profile":false}})";
  }
  CHECK(world.post("/batch/", body + "]}").status == 200);  // the outbox has them
  CHECK(world.sends <= limits::kSendsPerRequestMax);
  CHECK(world.calls <= limits::kObjectCallsMax * limits::kObjectCallsFactor);
}

TEST_CASE("Redirects in a circle end, and the event may be sent again") {
  EventBatch batch;
  batch.add(R"({"event":"e","distinct_id":"p0"})");
  // Objects that say they have moved, for ever: to a name never met before, so that no hint
  // shortens the way.
  const AnsweredPeople moving(batch, [](int call) {
    return ApplyReplyWriter().finish(ApplyStatus::kMoved, "p" + std::to_string(call), false, false,
                                     {});
  });
  CHECK(moving.planned == 1);
  CHECK(moving.people.failed(0));
  // A hop is a call, and each but the first shortens the one before.
  CHECK(moving.calls > limits::kRedirectHopsMax);
  CHECK(moving.calls <= 2 * (limits::kRedirectHopsMax + 2));
}

TEST_CASE("An object that does nothing of what it is asked is asked a few times, with pauses") {
  for (const ApplyStatus status : {ApplyStatus::kDone, ApplyStatus::kPartial}) {
    EventBatch batch;
    batch.add(R"({"event":"e","distinct_id":"p"})");
    const AnsweredPeople idle(
        batch, [&](int) { return ApplyReplyWriter().finish(status, {}, false, false, {}); });
    CHECK(idle.people.failed(0));
    CHECK(idle.calls == limits::kPersonAttemptsMax);
    CHECK(idle.pauses == limits::kPersonAttemptsMax - 1);
  }
}

TEST_CASE("What a reply of one turn leaves to do is asked for without a pause") {
  EventBatch batch;
  for (int i = 0; i < 3; ++i) batch.add(R"({"event":"e","distinct_id":"p"})");
  const AnsweredPeople slow(batch, [](int) {
    ApplyReplyWriter writer;
    OpResult done;
    done.exists = true;
    done.uuid = "018f0000-0000-7000-8000-000000000000";
    writer.add(done, {"{}", 0}, PersonOp());
    return writer.finish(ApplyStatus::kPartial, {}, false, false, {});
  });
  CHECK_FALSE(slow.people.failed(2));
  CHECK(slow.calls == 3);
  CHECK(slow.pauses == 0);
}

TEST_CASE("So many people's objects are called at once, and the others as they answer") {
  EventBatch batch;
  const size_t people = 2 * limits::kObjectCallsInFlight + 3;
  for (size_t i = 0; i < people; ++i) {
    batch.add(R"({"event":"e","distinct_id":"p)" + std::to_string(i) + "\"}");
  }
  ObjectHost host;
  IdentityCaches caches;
  const Project project;
  size_t sum = 0;
  MemoryShare memory(sum);
  RequestBudget budget(limits::kObjectCallsMax, memory);
  PeopleRun run(batch.events, project, caches, budget);
  run.plan(host.turn());
  Effects effects;
  run.start(host.turn(), effects);
  std::vector<Effect> open;
  size_t most = 0;
  const auto take = [&] {
    for (Effect& effect : effects.take()) {
      const auto* call = std::get_if<CallObject>(&effect.kind);
      REQUIRE(call != nullptr);
      if (call->object_class == ObjectClass::kPerson) open.push_back(std::move(effect));
    }
    most = std::max(most, open.size());
  };
  size_t calls = 0;
  for (take(); !open.empty(); take()) {
    const Effect effect = open.front();
    open.erase(open.begin());
    ++calls;
    run.resume(host.turn(),
               {.id = effect.id, .ok = true, .body = host.call(std::get<CallObject>(effect.kind))},
               effects);
  }
  CHECK(most == limits::kObjectCallsInFlight);
  CHECK(calls == people);
}

TEST_CASE("One call of an object carries so many bytes, and the rest follows in another") {
  IdentityCaches caches;
  const Project project;
  EventBatch batch;
  const std::string filling(600'000, 'x');
  for (int i = 0; i < 20; ++i) {
    batch.add(R"({"event":"$set","distinct_id":"a","properties":{"$set":{"n":)" +
              std::to_string(i) + R"(,"f":")" + filling + "\"}}}");
  }
  ObjectHost host;
  {
    size_t sum = 0;
    MemoryShare memory(sum);
    RequestBudget budget(limits::kObjectCallsMax, memory);
    PeopleRun people(batch.events, project, caches, budget);
    people.plan(host.turn());
    Effects effects;
    people.start(host.turn(), effects);
    size_t bytes = 0;
    for (const Effect& effect : effects.take()) {
      const auto* call = std::get_if<CallObject>(&effect.kind);
      if (call != nullptr && call->object_class == ObjectClass::kPerson) {
        bytes += call->request.size();
      }
    }
    CHECK(bytes > limits::kPersonCallBytesMax / 2);
    CHECK(bytes <= limits::kPersonCallBytesMax);
  }
  IdentityCaches others;
  RequestRun run(host, others, project, batch);
  CHECK_FALSE(run.people.failed(19));
  const StoredPerson stored =
      read_stored_person(host.objects[{ObjectClass::kPerson, person_object_name(1, "a")}]);
  CHECK(stored.properties.find("\"n\":19") != std::string::npos);
}

TEST_CASE("What replies hold for their rows is kept up to the bound, to the byte") {
  constexpr size_t kPeople = 41;
  const auto bytes_kept = [&](size_t more, bool& left_out) {
    ObjectHost host;
    IdentityCaches caches;
    const Project project;
    EventBatch batch;
    for (size_t i = 0; i < kPeople; ++i) {
      const size_t size = 510'000 + (i + 1 == kPeople ? more : 0);
      batch.add(R"({"event":"$set","distinct_id":"p)" + std::to_string(10 + i) +
                R"(","properties":{"$set":{"f":")" + std::string(size, 'x') + "\"}}}");
    }
    RequestRun run(host, caches, project, batch);
    left_out = run.people.take_view(kPeople - 1).properties_left_out;
    return run.memory_sum;
  };
  bool left_out = true;
  const size_t kept = bytes_kept(0, left_out);
  CHECK_FALSE(left_out);
  REQUIRE(kept < limits::kKeptTextsBytesMax);
  const size_t room = limits::kKeptTextsBytesMax - kept;
  CHECK(bytes_kept(room, left_out) == limits::kKeptTextsBytesMax);
  CHECK_FALSE(left_out);
  CHECK(bytes_kept(room + 1, left_out) < limits::kKeptTextsBytesMax);
  CHECK(left_out);
}

TEST_CASE("Property texts of a reply are put together within a bound") {
  ObjectHost host;
  IdentityCaches caches;
  const Project project;
  EventBatch batch;
  const std::string filling(600'000, 'x');
  batch.add(R"({"event":"$set","distinct_id":"a","properties":{"$set":{"f":")" + filling + "\"}}}");
  for (int i = 0; i < 200; ++i) {
    batch.add(R"({"event":"$set","distinct_id":"a","properties":{"$set":{"n":)" +
              std::to_string(i) + "}}}");
  }
  RequestRun run(host, caches, project, batch);
  CHECK(run.memory_sum <= 2 * limits::kPersonReplyBytesMax);
  CHECK_FALSE(run.people.take_view(5).properties_left_out);
  CHECK(run.people.take_view(5).person_properties.size() > 600'000);
  CHECK(run.people.take_view(200).properties_left_out);
  CHECK(run.people.take_view(200).person_properties == "{}");
  CHECK(run.people.take_view(200).person_id == run.people.take_view(5).person_id);
}

TEST_CASE("A reply whose texts are left out holds its people's uuids and no more") {
  ApplyReplyWriter writer;
  OpResult result;
  result.exists = true;
  result.uuid = "018f0000-0000-7000-8000-000000000000";
  PersonOp op;
  writer.add(result, {"{\"a\":\"" + std::string(10'000, 'x') + "\"}", 0}, op);
  std::optional<ApplyReply> reply =
      read_apply_reply(writer.finish(ApplyStatus::kDone, {}, false, false, {}));
  REQUIRE(reply.has_value());
  CHECK(memory_of(*reply) > 10'000);
  leave_out_texts(*reply);
  CHECK(memory_of(*reply) == kUuidTextBytes);
  REQUIRE(reply->results.size() == 1);
  CHECK(reply->results[0].uuid == result.uuid);
  CHECK(reply->results[0].properties_left_out);
}

// --- Answers under way ---

// People or groups of 600 KB each, and what all answers have that are under way at once.
struct Answers {
  ObjectHost host;
  IdentityCaches caches;
  Project project;
  size_t sum = 0;  // of the request's memory
  size_t held = 0;
  size_t under_way = 0;
  size_t count = 0;

  void keep_large(size_t number) {
    for (size_t i = 0; i < number; ++i) {
      EventBatch batch;
      const std::string name = std::to_string(i);
      const std::string large = R"({"large":")" + std::string(600'000, 'x') + "\"}";
      batch.add(R"({"event":"$set","distinct_id":"p)" + name + R"(","properties":{"$set":)" +
                large + "}}");
      batch.add(group_event(name, large));
      RequestRun run(host, caches, project, batch);
    }
  }
  static std::string group_event(const std::string& key, const std::string& set) {
    return R"({"event":"$groupidentify","distinct_id":"p0","properties":{"$group_type":"t",
               "$group_key":"g)" +
           key + R"(","$group_set":)" + set + "}}";
  }
  // Starts `run`, lets every object answer what is asked at first, and gives it the answers.
  template <typename Run>
  void ask(Run& run) {
    Effects effects;
    run.start(host.turn(), effects);
    std::vector<EffectResult> results;
    for (const Effect& effect : effects.take()) {
      const auto* call = std::get_if<CallObject>(&effect.kind);
      if (call == nullptr || call->object_class == ObjectClass::kPersonIdCounter) continue;
      results.push_back({.id = effect.id, .ok = true, .body = host.call(*call)});
      under_way += results.back().body.size();
      ++count;
    }
    held = sum;
    for (EffectResult& result : results) run.resume(host.turn(), std::move(result), effects);
  }
};

TEST_CASE("What people and groups answer at once is held before it is asked for") {
  for (const bool wants_changes : {false, true}) {
    CAPTURE(wants_changes);
    Answers answers;
    if (wants_changes) answers.host.config.sinks[index_of(Stream::kPersons)] = SinkKind::kHttp;
    constexpr size_t kMany = limits::kObjectCallsInFlight;
    answers.keep_large(kMany);
    EventBatch people_batch;
    EventBatch groups_batch;
    for (size_t i = 0; i < kMany; ++i) {
      const std::string name = std::to_string(i);
      people_batch.add(R"({"event":"$set","distinct_id":"p)" + name +
                       R"(","properties":{"$set":{"n":1}}})");
      for (int n = 0; n < 14; ++n) {
        groups_batch.add(Answers::group_event(name, R"({"n":)" + std::to_string(n) + "}"));
      }
    }
    // Others have some of it.
    const size_t others = limits::kRequestMemoryBytesMax / 8;
    answers.sum = others;
    {
      MemoryShare memory(answers.sum);
      RequestBudget budget(limits::kObjectCallsMax, memory);
      PeopleRun people(people_batch.events, answers.project, answers.caches, budget);
      people.plan(answers.host.turn());
      answers.ask(people);
      CHECK(answers.count == kMany);
      const size_t unheld = kMany * (limits::kReplyTextsBytesMin + 2'000);
      CHECK(answers.held > others);
      CHECK(answers.under_way <= answers.held - others + unheld);
      CHECK(answers.held <= limits::kRequestMemoryBytesMax / 2);
      for (size_t i = 0; i < kMany; ++i) CHECK_FALSE(people.failed(i));
      // What was done is done.
      CHECK((people.changes_left_out() > kMany / 2) == wants_changes);
      GroupsRun groups(groups_batch.events, answers.project, answers.caches, budget);
      groups.plan(answers.host.turn().config);
      answers.under_way = 0;
      answers.ask(groups);
      CHECK(answers.count == 2 * kMany);
      CHECK(answers.under_way <= limits::kKeptGroupTextsBytesMax + unheld);
      CHECK(groups.take_view(0).properties_left_out);
      CHECK_FALSE(groups.failed(0));
    }
    CHECK(answers.sum == others);
  }
}

TEST_CASE("Few people and groups of any size are shown whole") {
  Answers answers;
  answers.keep_large(2);
  EventBatch batch;
  batch.add(R"({"event":"$set","distinct_id":"p0","properties":{"$set":{"n":1}}})");
  batch.add(Answers::group_event("1", R"({"n":1})"));
  RequestRun run(answers.host, answers.caches, answers.project, batch);
  CHECK(run.people.take_view(0).person_properties.size() > 600'000);
  CHECK(run.groups.take_view(1).group_properties_json.size() > 600'000);
  CHECK_FALSE(run.groups.take_view(1).properties_left_out);
}

TEST_CASE("A call says how many bytes of texts it has room for, and an answer keeps to that") {
  CHECK(told_bytes(SIZE_MAX) == SIZE_MAX);
  CHECK(told_bytes(0) == 0);
  CHECK(told_bytes(1'023) == 0);
  CHECK(told_bytes(1'024) == 1'024);
  CHECK(told_bytes(64u << 20) == 7u << 22);
  for (size_t bytes = 1'024; bytes < limits::kPersonReplyBytesMax; bytes += bytes / 7) {
    CAPTURE(bytes);
    CHECK(told_bytes(bytes) <= bytes);
    CHECK(told_bytes(bytes) > bytes / 5 * 4 - 1);
    ApplyRequest request;
    request.texts_bytes_max = bytes;
    request.wants_identified = true;
    const std::string call = write_apply(request);
    const std::optional<ApplyRequest> read = read_apply(call);
    REQUIRE(read.has_value());
    CHECK(read->texts_bytes_max == told_bytes(bytes));
    CHECK(read->wants_identified);
    CHECK_FALSE(read->wants_changes);
  }
  OpResult result;
  result.exists = true;
  result.uuid = "018f0000-0000-7000-8000-000000000000";
  const std::string text = "{\"a\":\"" + std::string(10'000, 'x') + "\"}";
  PersonChange change;
  change.uuid = result.uuid;
  change.properties = text;
  PersonChange gone = change;
  gone.kind = ChangeKind::kDelete;
  for (const size_t missing : {0, 1}) {
    ApplyReplyWriter writer;
    writer.bound_texts(text.size() - missing);
    writer.add(result, {text, 0}, PersonOp());
    writer.add(result, {text, 0}, PersonOp());  // the same again costs nothing
    const std::optional<ApplyReply> reply =
        read_apply_reply(writer.finish(ApplyStatus::kDone, {}, false, false, {change, gone}));
    REQUIRE(reply.has_value());
    for (const OpResult& each : reply->results) {
      CHECK(each.properties_left_out == (missing == 1));
    }
    CHECK(reply->left_out_change == (missing == 1));
    CHECK(reply->changes.size() == 2 - missing);
    CHECK(reply->changes.back().kind == ChangeKind::kDelete);
  }
}

TEST_CASE("A group's object of the version before is asked again in its own words") {
  const std::vector<GroupOp> ops = {{R"({"n":1})", 1}};
  const std::string call = write_group_call(ops, 1'000);
  CHECK(call != write_group_call(ops));
  ObjectHost host;
  const auto answer = [&](const std::string& request) {
    return read_group_reply(host.call({ObjectClass::kGroup, "1:group:1:t:k", request}));
  };
  const std::string large = R"({"f":")" + std::string(1'000, 'x') + "\"}";
  REQUIRE(answer(call).has_value());
  CHECK_FALSE(answer(call)->left_out);
  CHECK(answer(write_group_call({{large, 1}}, 1'000))->left_out);
  CHECK(answer(write_group_call({}, 1'000))->texts == std::vector<std::string>{"{}"});
  CHECK_FALSE(answer(write_group_call({}, 2'000))->left_out);
  CHECK_FALSE(answer(write_group_call({}))->left_out);

  IdentityCaches caches;
  const Project project;
  EventBatch batch;
  batch.add(Answers::group_event("k", R"({"n":2})"));
  size_t sum = 0;
  MemoryShare memory(sum);
  RequestBudget budget(limits::kObjectCallsMax, memory);
  GroupsRun groups(batch.events, project, caches, budget);
  groups.plan(host.turn().config);
  Effects effects;
  groups.start(host.turn(), effects);
  std::vector<std::string> asked;
  while (!groups.finished()) {
    std::vector<Effect> taken = effects.take();
    REQUIRE(taken.size() == 1);
    EffectResult result{.id = taken[0].id, .ok = true};
    if (const auto* request = std::get_if<CallObject>(&taken[0].kind)) {
      const bool is_understood = request->request[1] != 3;
      if (request->name != "1:types") asked.push_back(request->request);
      if (is_understood) result.body = host.call(*request);
    }
    groups.resume(host.turn(), std::move(result), effects);
  }
  REQUIRE(asked.size() == 2);
  CHECK(asked[0] != asked[1]);
  CHECK(asked[1] == write_group_call({{R"({"n":2})", batch.events[0].timestamp_ms}}));
  CHECK_FALSE(groups.failed(0));
  CHECK(groups.take_view(0).group_properties_json == R"({"t":{"n":2}})");
}

TEST_CASE("What there is no memory for is left out of rows, and said so") {
  ObjectHost host;
  IdentityCaches caches;
  const Project project;
  const std::string filling(100'000, 'x');
  EventBatch batch;
  batch.add(R"({"event":"$groupidentify","distinct_id":"a","properties":{"$group_type":"t",
            "$group_key":"k","$group_set":{"f":")" +
            filling + "\"}}}");
  batch.add(R"({"event":"$set","distinct_id":"a","properties":{"$set":{"f":")" + filling + "\"}}}");
  { RequestRun first(host, caches, project, batch); }
  constexpr size_t kMost = limits::kRequestMemoryBytesMax + limits::kSmallRequestsBytesMax;
  size_t sum = kMost - 50'000;  // others have the rest
  {
    MemoryShare memory(sum);
    RequestBudget budget(limits::kObjectCallsMax, memory);
    PeopleRun people(batch.events, project, caches, budget);
    GroupsRun groups(batch.events, project, caches, budget);
    people.plan(host.turn());
    groups.plan(host.turn().config);
    Effects effects;
    people.start(host.turn(), effects);
    groups.start(host.turn(), effects);
    host.drive(
        [&](EffectResult result) {
          if (people.owns(result.id)) {
            people.resume(host.turn(), std::move(result), effects);
          } else {
            groups.resume(host.turn(), std::move(result), effects);
          }
        },
        [&] { return people.finished() && groups.finished(); }, effects);
    CHECK(people.take_view(1).properties_left_out);
    CHECK(people.take_view(1).person_properties == "{}");
    CHECK(people.take_view(1).person_id.size() == 36);
    CHECK(groups.take_view(0).properties_left_out);
    CHECK(sum <= kMost);
  }
  CHECK(sum == kMost - 50'000);
}

TEST_CASE("The sizes of a person and of a group are refused from one byte over their limit on") {
  const size_t most = limits::kPersonPropertiesBytesMax;
  const auto event = [](std::string_view name, std::string_view set_name, size_t value_bytes) {
    std::string text = R"({"event":")" + std::string(name) +
                       R"(","distinct_id":"a","properties":{"$group_type":"t","$group_key":"k",")" +
                       std::string(set_name) + R"(":{"f":")";
    return text + std::string(value_bytes, 'x') + "\"}}}";
  };
  // {"f":"xxx…"} has 8 bytes beside its filling, and one more with something before it.
  for (const size_t size : {most - 1, most, most + 1}) {
    for (const bool exists : {false, true}) {
      INFO(size << (exists ? " and there already" : ""));
      const bool fits = size <= most;
      ObjectHost host;
      IdentityCaches caches;
      const Project project;
      EventBatch small;
      small.add(R"({"event":"$set","distinct_id":"a","properties":{"$set":{}}})");
      small.add(R"({"event":"$groupidentify","distinct_id":"a","properties":{"$group_type":"t",
                "$group_key":"k","$group_set":{"a":1}}})");
      // What a person has by itself: the event that made it.
      size_t person_bytes = 61;
      size_t group_bytes = 0;
      if (exists) {
        RequestRun first(host, caches, project, small);
        person_bytes = first.people.take_view(1).person_properties.size() - 1;
        group_bytes = std::string_view(R"("a":1,)").size();
      }
      EventBatch batch;
      batch.add(event("$set", "$set", size - person_bytes - 8));
      batch.add(event("$groupidentify", "$group_set", size - group_bytes - 8));
      RequestRun run(host, caches, project, batch);
      CHECK(has_warning(run.people.warnings(), "person_properties_size_violation") == !fits);
      CHECK(has_warning(run.groups.warnings(), "group_upsert_message_size_too_large") == !fits);
      if (fits) {
        CHECK(run.people.take_view(1).person_properties.size() == size);
        CHECK(run.groups.take_view(1).group_properties_json.size() == size + 6);  // {"t":…}
      } else {
        // A refused operation leaves nothing behind.
        CHECK(run.people.take_view(1).person_properties.size() < 100);
        CHECK(run.groups.take_view(1).group_properties_json.size() < 30);
      }
    }
  }
}

TEST_CASE("What an isolate remembers is bounded by bytes, not entries") {
  IdentityCaches caches;
  const std::string id(1'600, 'x');
  size_t most = 0;
  for (int i = 0; i < 20'000; ++i) {
    caches.remember_redirect("1:" + std::to_string(i) + id, id);
    most = std::max(most, caches.redirect_bytes());
  }
  CHECK(most <= limits::kRedirectHintsBytesMax);
  CHECK(most > limits::kRedirectHintsBytesMax / 2);
  REQUIRE(caches.redirect_of(1, "19999" + id) != nullptr);
  for (int i = 0; i < 2'000; ++i) {
    caches.remember_group_types(i, {std::string(8'000, 'a'), std::string(8'000, 'b')});
    REQUIRE(caches.group_type_bytes() <= limits::kCachedTypesBytesMax);
  }
  CHECK(caches.group_types(1'999) != nullptr);
  // What was remembered first has made room.
  CHECK(caches.group_types(0) == nullptr);
  CHECK(caches.redirect_of(1, "0" + id) == nullptr);
  for (uint64_t i = 0; i < 3 * limits::kPersonIdLease; ++i) caches.give_back_person_id(1, i + 1);
  uint64_t taken = 0;
  while (caches.take_person_id(1) != 0) ++taken;
  CHECK(taken == limits::kPersonIdLease);
}

TEST_CASE("An isolate remembers where ids lead up to its bound, to the byte") {
  constexpr size_t kEntryBytes = 4'096;
  constexpr size_t kFit = limits::kRedirectHintsBytesMax / kEntryBytes;
  const auto name = [](size_t number, size_t bytes) {
    const std::string digits = std::to_string(10'000 + number);
    return "1:" + digits + std::string(bytes - 2 - digits.size(), 'x');
  };
  const std::string to = "somebody";
  const size_t name_bytes = kEntryBytes - limits::kCacheEntryBytes - to.size();
  for (const size_t more : {0, 1}) {
    CAPTURE(more);
    IdentityCaches caches;
    for (size_t i = 0; i < kFit; ++i) {
      caches.remember_redirect(name(i, name_bytes + (i + 1 == kFit ? more : 0)), to);
    }
    CHECK(caches.redirect_bytes() ==
          (more == 0 ? limits::kRedirectHintsBytesMax : kEntryBytes + 1));
    const std::string* first = caches.redirect_of(1, name(0, name_bytes).substr(2));
    CHECK((first != nullptr) == (more == 0));
    // What is known already takes no more room.
    caches.remember_redirect(name(kFit - 1, name_bytes + more), to);
    CHECK(caches.redirect_of(1, name(kFit - 1, name_bytes + more).substr(2)) != nullptr);
    CHECK((caches.redirect_of(1, name(0, name_bytes).substr(2)) != nullptr) == (more == 0));
  }
}

TEST_CASE("An isolate leases ids when few are left, once at a time, and again after a time-out") {
  constexpr int64_t kNow = 1'767'268'800'000;
  IdentityCaches caches;
  CHECK(caches.take_person_id(1) == 0);
  REQUIRE(caches.begin_lease(1, kNow));
  // One is under way, of this project alone.
  CHECK_FALSE(caches.begin_lease(1, kNow + 9'999));
  CHECK(caches.begin_lease(2, kNow));
  CHECK(caches.begin_lease(1, kNow + 10'000));
  CHECK_FALSE(caches.begin_lease(1, kNow + 10'001));
  caches.lease_failed(1);
  REQUIRE(caches.begin_lease(1, kNow + 10'002));
  caches.lease_arrived(1, 100, 60);
  for (uint64_t id = 100; id < 109; ++id) CHECK(caches.take_person_id(1) == id);
  CHECK_FALSE(caches.begin_lease(1, kNow + 60'000));  // 51 are left
  CHECK(caches.take_person_id(1) == 109);
  caches.give_back_person_id(1, 109);
  CHECK_FALSE(caches.begin_lease(1, kNow + 60'000));
  CHECK(caches.take_person_id(1) == 109);
  CHECK(caches.begin_lease(1, kNow + 60'000));  // 50 are
  for (uint64_t id = 110; id < 160; ++id) CHECK(caches.take_person_id(1) == id);
  CHECK(caches.take_person_id(1) == 0);
  CHECK(caches.take_person_id(2) == 0);
}

TEST_CASE("Texts that come as differences are put together up to the bound, to the byte") {
  constexpr size_t kParts = 8;
  constexpr size_t kSize = limits::kPersonReplyBytesMax / kParts;
  static_assert(kSize * kParts == limits::kPersonReplyBytesMax);
  const auto left_out = [&](size_t more) {
    OpResult result;
    result.exists = true;
    result.uuid = "018f0000-0000-7000-8000-000000000000";
    ApplyReplyWriter writer;
    // The first is sent whole, and the last is larger by `more`.
    for (size_t i = 0; i <= kParts; ++i) {
      std::string text = R"({"n":)" + std::to_string(i) + R"(,"f":"")" + "}";
      text.insert(text.size() - 2, kSize - text.size() + (i == kParts ? more : 0), 'x');
      PersonOp op;
      writer.add(result, {text, 0}, op);
    }
    const ApplyReply reply =
        read_apply_reply(writer.finish(ApplyStatus::kDone, {}, false, false, {})).value();
    REQUIRE(reply.results.size() == kParts + 1);
    for (size_t i = 0; i < kParts; ++i) {
      CHECK_FALSE(reply.results[i].properties_left_out);
      CHECK(reply.property_texts[reply.results[i].properties].size() == kSize);
    }
    const OpResult& last = reply.results[kParts];
    const std::string_view text = reply.property_texts[last.properties];
    CHECK(text.size() == (last.properties_left_out ? 2 : kSize + more));
    return last.properties_left_out;
  };
  CHECK_FALSE(left_out(0));
  CHECK(left_out(1));
}

TEST_CASE("A configuration that cannot be used opens no path but health and liveness") {
  World world(R"(,"POSTHOG_TEAM_ID":"99999999999999999999","HOGFLARE_ADMIN_TOKEN":"t")");
  for (const std::string path :
       {"/e/", "/batch/", "/s/", "/flags/", "/decide/", "/engage/", "/i/v1/analytics/events",
        "/ofrep/v1/evaluate/flags", "/api/surveys"}) {
    INFO(path);
    CHECK(world.post(path, R"({"token":"phc_x","distinct_id":"a","event":"e"})").status == 503);
  }
  CHECK(world.calls == 0);
}
