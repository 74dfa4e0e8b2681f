// A deployment in one process for the cookieless tests: requests through Core, every object with
// its storage and alarm, a sink that keeps rows. A call may be lost on its way or on its way back,
// and a Worker may die with whatever it knew.
#pragma once

#include <deque>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hogflare/core.h"
#include "hogflare/json.h"
#include "hogflare/person_calls.h"
#include "hogflare/timestamp.h"
#include "object_host.h"
#include "tests/no_decompressor.h"
#include "tests/table_zones.h"

namespace hogflare::test {

using Json = nlohmann::json;

struct Connection {
  std::string ip;
  std::string user_agent;
  std::string origin;
};

class CookielessWorld {
 public:
  enum class Fault : uint8_t { kNone, kLost, kAnswerLost };

  explicit CookielessWorld(Json vars, std::string flags = R"({"flags":[]})")
      : vars_(std::move(vars)), flags_(std::move(flags)) {
    vars_["CLOUDFLARE_PIPELINE_ENDPOINT"] = "http://sink.invalid/";
    vars_["CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT"] = "http://sink.invalid/persons";
    vars_["CLOUDFLARE_REJECTS_PIPELINE_ENDPOINT"] = "http://sink.invalid/rejects";
    new_isolate();
  }

  int64_t now_ms = *parse_timestamp("2026-05-20T10:00:00Z");
  std::map<ObjectKey, MemoryStorage> objects;
  std::map<ObjectKey, int> calls;
  std::function<Fault(const CallObject&)> fault;
  // May change what an object has answered.
  std::function<void(const CallObject&, std::string&)> answered;
  std::vector<Json> rows, persons, rejects;
  std::string said;  // everything that left: rows, answers, logs

  // What an isolate knows is gone, as after an eviction.
  void new_isolate() {
    const Json host = {
        {"vars", vars_},
        {"bindings", {"PERSONS", "GROUPS", "PERSON_ID_COUNTER", "OUTBOX", "COOKIELESS"}},
        {"bundled_flags", flags_}};
    core_ = std::make_unique<Core>(host.dump(), decompressor_, zones_);
  }

  const Config& config() const { return core_->config(); }

  Reply post(const std::string& path, const Json& body, const Connection& from,
             const std::string& query = {}, const std::string& authorization = {}) {
    std::string head;
    const std::string fields[] = {"POST",
                                  path,
                                  query,
                                  "",  // method, path, query, the body's state
                                  "application/json",
                                  "",
                                  from.user_agent,
                                  from.origin,
                                  "",
                                  authorization,
                                  "",
                                  "",
                                  "posthog-js/1.0",
                                  "1",
                                  "00000000-0000-4000-8000-000000000000",
                                  iso(now_ms),
                                  from.ip,
                                  "",
                                  "ray",
                                  "",
                                  "",
                                  "",
                                  "",
                                  "",
                                  "DE",
                                  "EU",
                                  "Berlin",
                                  "Berlin",
                                  "BE",
                                  "10115",
                                  "52.5",
                                  "13.4",
                                  "Europe/Berlin",
                                  "",
                                  "1",
                                  "64500",
                                  "Example AS",
                                  "TXL"};
    for (const std::string& field : fields) head.append(field).append(1, '\0');
    std::unique_ptr<Task> task = core_->http({std::move(head), body.dump()});
    run(*task, nullptr);
    said += task->reply().body;
    return task->reply();
  }

  void ring_alarms() {
    std::vector<ObjectKey> due;
    for (auto& [key, storage] : objects) {
      if (storage.alarm_at_ms != 0 && storage.alarm_at_ms <= now_ms) due.push_back(key);
    }
    for (const ObjectKey& key : due) {
      objects[key].alarm_at_ms = 0;
      std::unique_ptr<Task> task = core_->object({ObjectEntry::kAlarm, key.object_class, {}});
      run(*task, &objects[key]);
    }
  }

  // The person that owns the id now; empty: none.
  std::string owner_of(int64_t team_id, std::string id) {
    for (int hop = 0; hop < 20; ++hop) {
      const auto found = objects.find({ObjectClass::kPerson, person_object_name(team_id, id)});
      if (found == objects.end()) return {};
      const StoredPerson person = read_stored_person(found->second);
      if (person.state == StoredPerson::State::kOwner) return person.uuid;
      if (person.state != StoredPerson::State::kRedirect) return {};
      id = person.redirect_to;
    }
    return {};
  }

  static std::string iso(int64_t at_ms) {
    std::string text;
    append_rfc3339(text, at_ms);
    return text;
  }

 private:
  void run(Task& task, Storage* storage) {
    // Every task has random bytes of its own, as from the host.
    uint8_t seed[32] = {};
    for (uint8_t& byte : seed) byte = static_cast<uint8_t>(random_ = random_ * 75 % 65537);
    Entropy entropy(seed);
    Effects effects;
    std::deque<Effect> pending;
    task.start(core_->turn(now_ms, entropy, storage), effects);
    for (;;) {
      for (Effect& effect : effects.take()) pending.push_back(std::move(effect));
      if (pending.empty()) break;
      const Effect effect = std::move(pending.front());
      pending.pop_front();
      task.resume(core_->turn(now_ms, entropy, storage), perform(effect), effects);
    }
    HF_ASSERT(task.finished());
    said += core_->take_log();
  }

  EffectResult perform(const Effect& effect) {
    EffectResult result;
    result.id = effect.id;
    result.ok = true;
    if (const auto* call = std::get_if<CallObject>(&effect.kind)) {
      const ObjectKey key{call->object_class, call->name};
      ++calls[key];
      const Fault what = fault ? fault(*call) : Fault::kNone;
      if (what != Fault::kLost) {
        MemoryStorage& storage = objects[key];
        const MemoryStorage before = storage;
        std::unique_ptr<Task> task =
            core_->object({ObjectEntry::kCall, call->object_class, call->request});
        run(*task, &storage);
        result.body = task->reply().body;
        // As the host does: a turn that ends in an error is undone.
        if (task->reply().status != 200) storage = before;
        result.ok = task->reply().status == 200;
        if (answered) answered(*call, result.body);
      }
      if (what != Fault::kNone) result = {.id = effect.id, .body = "no answer"};
    } else if (const auto* send = std::get_if<SendRows>(&effect.kind)) {
      result.http_status = 200;
      said += send->rows;
      for (const Json& row : Json::parse(send->rows)) {
        (send->stream == Stream::kEvents    ? rows
         : send->stream == Stream::kPersons ? persons
                                            : rejects)
            .push_back(row);
      }
    } else if (const auto* wait = std::get_if<Wait>(&effect.kind)) {
      now_ms += wait->delay_ms;
    }
    return result;
  }

  Json vars_;
  std::string flags_;
  NoDecompressor decompressor_;
  TableZones zones_;
  std::unique_ptr<Core> core_;
  uint32_t random_ = 4711;
};

}  // namespace hogflare::test
