// Events for identity tests, made from JSON as capture would make them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hogflare/event.h"
#include "hogflare/groups_run.h"
#include "hogflare/people_run.h"
#include "hogflare/timestamp.h"
#include "object_host.h"

namespace hogflare::test {

// One request's events and the texts they point into.
class EventBatch {
 public:
  // `json` is an event object as SDKs send it.
  Event& add(std::string json) {
    texts_.push_back(std::make_unique<std::string>(std::move(json)));
    Result<json::Document> parsed = json::Document::parse(*texts_.back(), 3);
    HF_ASSERT(parsed.ok());
    documents_.push_back(std::make_unique<json::Document>(std::move(parsed).value()));
    const json::Value root = documents_.back()->root();
    Event event;
    event.root = root;
    event.name = root.find("event").text();
    const json::Value id = root.find("distinct_id");
    event.distinct_id = id.is_string() ? id.text() : std::string(id.raw());
    event.properties = root.find("properties");
    event.set = root.find("$set");
    event.set_once = root.find("$set_once");
    const json::Value uuid = root.find("uuid");
    event.uuid = uuid.exists() ? uuid.text() : next_uuid();
    const json::Value at = root.find("timestamp");
    event.timestamp_ms = at.exists() ? *parse_timestamp(at.text()) : 1'704'067'200'000;
    event.token = "phc_test";
    events.push_back(std::move(event));
    return events.back();
  }

  std::vector<Event> events;

 private:
  std::string next_uuid() {
    const std::string number = std::to_string(++count_);
    return "00000000-0000-4000-8000-" + std::string(12 - number.size(), '0') + number;
  }
  inline static int count_ = 0;
  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<std::unique_ptr<json::Document>> documents_;
};

// Runs people and groups of one request to their end.
struct RequestRun {
  RequestRun(ObjectHost& host, IdentityCaches& caches, const Project& project, EventBatch& batch)
      : people(batch.events, project, caches, budget),
        groups(batch.events, project, caches, budget) {
    Effects effects;
    planned = people.plan(host.turn()) + groups.plan(host.turn().config);
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
  }
  size_t memory_sum = 0;
  MemoryShare memory{memory_sum};
  RequestBudget budget{limits::kObjectCallsMax, memory};
  size_t planned = 0;  // object calls
  PeopleRun people;
  GroupsRun groups;
};

}  // namespace hogflare::test
