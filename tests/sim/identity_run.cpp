#include "identity_run.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "hogflare/limits.h"
#include "hogflare/person_calls.h"
#include "hogflare/timestamp.h"
#include "hogflare/uuid.h"

namespace hogflare::sim {
namespace {

using Json = nlohmann::json;

constexpr int64_t kHealAfterMs = 120'000;
constexpr int kAttemptsMax = 60;
constexpr uint64_t kMessagesMax = 2'000'000;
constexpr int64_t kTimeMs = 1'767'200'000'000;
constexpr uint64_t kNever = UINT64_MAX;

bool is_merge(const std::string& name) {
  return name == "$identify" || name == "$create_alias" || name == "$merge_dangerously";
}

std::string object_of(const Properties& properties) {
  std::string text = "{";
  for (const auto& [name, value] : properties) {
    text += (text.size() > 1 ? ",\"" : "\"") + name + "\":" + value;
  }
  return text + "}";
}

std::string event_uuid(size_t number) {
  char text[40];
  std::snprintf(text, sizeof text, "00000000-0000-4000-8000-%012zu", number);
  return text;
}

std::string json_of(const ModelEvent& event, const std::string& uuid) {
  std::string at;
  append_rfc3339(at, event.timestamp_ms);
  std::string text = "{\"event\":\"" + event.name + "\",\"uuid\":\"" + uuid +
                     "\",\"distinct_id\":\"" + event.distinct_id + "\",\"timestamp\":\"" + at +
                     "\",\"properties\":{\"$n\":1";
  for (const auto& [name, value] : event.properties) text += ",\"" + name + "\":" + value;
  if (!event.set.empty()) text += ",\"$set\":" + object_of(event.set);
  if (!event.set_once.empty()) text += ",\"$set_once\":" + object_of(event.set_once);
  if (!event.unset.empty()) {
    text += ",\"$unset\":[";
    for (const std::string& name : event.unset) {
      text += (text.back() == '[' ? "\"" : ",\"") + name + "\"";
    }
    text += "]";
  }
  if (!event.other.empty()) {
    text += event.name == "$identify" ? ",\"$anon_distinct_id\":\"" : ",\"alias\":\"";
    text += event.other + "\"";
  }
  if (event.personless) text += ",\"$process_person_profile\":false";
  return text + "}}";
}

HttpInput http_input(std::string body) {
  HttpInput input;
  input.head = std::string("POST\0/batch/\0\0\0application/json\0", 32);
  input.head.append(19 + 14, '\0');
  input.body = std::move(body);
  return input;
}

Properties properties_of(const Json& object) {
  Properties properties;
  for (const auto& [name, value] : object.items()) {
    if (name != "$creator_event_uuid") properties[name] = value.dump();
  }
  return properties;
}

}  // namespace

// --- Plans ---

namespace {

ModelEvent draw_small_event(Choices& choices, uint32_t ids, int64_t number) {
  static const char* kIds[] = {"ann", "bob", "cat", "dan"};
  ModelEvent event;
  event.timestamp_ms = kTimeMs + 1000 * choices.below(100) + number;
  event.distinct_id = kIds[choices.below(ids)];
  const uint32_t kind = choices.below(20);
  if (kind < 11) {
    event.name = kind < 7 ? "$identify" : kind < 9 ? "$create_alias" : "$merge_dangerously";
    event.other = kIds[choices.below(ids)];
  } else {
    event.name = kind < 15   ? "custom"
                 : kind < 16 ? "$set"
                 : kind < 17 ? "$exception"
                 : kind < 18 ? "$feature_flag_called"
                             : "$pageview";
    event.personless = kind == 19;
    if (event.name == "$pageview")
      event.properties["$current_url"] = std::to_string(choices.below(3));
  }
  const std::string value = std::to_string(number);
  for (const char* key : {"a", "b"}) {
    switch (choices.below(6)) {
      case 0:
      case 1:
        event.set[key] = value;
        break;
      case 2:
        event.set_once[key] = value;
        break;
      case 3:
        event.set[key] = "null";
        break;
      case 4:
        if (!is_merge(event.name)) event.unset.push_back(key);
        break;
      default:
        break;
    }
  }
  return event;
}

ModelEvent draw_large_event(Choices& choices, uint32_t ids, size_t number) {
  ModelEvent event;
  event.timestamp_ms = kTimeMs + 1000 * choices.below(1000) + static_cast<int64_t>(number);
  event.distinct_id = "id" + std::to_string(choices.below(ids));
  const std::string value = std::to_string(number);
  const uint32_t kind = choices.below(20);
  if (kind < 9) {
    event.name = kind < 5 ? "$identify" : kind < 6 ? "$create_alias" : "$merge_dangerously";
    event.other = "id" + std::to_string(choices.below(ids));
    event.set["event_" + value] = value;
  } else if (kind < 17) {
    event.name = "custom";
    event.set["event_" + value] = value;
    event.set["last_" + event.distinct_id] = value;
    event.set_once["first_" + event.distinct_id] = value;
  } else if (kind < 18) {
    event.name = "$pageview";
    event.properties["$current_url"] = value;
  } else {
    event.name = kind < 19 ? "seen" : "$feature_flag_called";
    event.personless = kind < 19;
  }
  return event;
}

}  // namespace

// Half of the histories have people whose ids leave the record at once, in pages of a few, travel
// in several parts, and are dismissed and reported one by one.
static PersonBounds draw_bounds(Choices& choices, bool small) {
  PersonBounds bounds;
  if (choices.below(2) == 0) return bounds;
  bounds.inline_ids_bytes = choices.below(40);
  bounds.id_page_bytes = 1 + choices.below(40);
  bounds.surrender_bytes = 1 + choices.below(60);
  bounds.inline_op_bytes = choices.below(2) == 0 ? 0 : 200;
  bounds.acknowledge_at_once = 1 + choices.below(3);
  bounds.acknowledges_per_alarm = 1 + choices.below(4);
  bounds.id_rows_bytes = 1 + choices.below(400);
  // The model knows no cap.
  if (!small && choices.below(3) == 0) bounds.ids = 2 + choices.below(12);
  return bounds;
}

Plan draw_plan(Choices& choices) {
  Plan plan;
  plan.exact = choices.below(2) == 0;
  plan.compares_with_model = choices.below(2) == 0;
  const bool some_give_up = choices.below(3) == 0;
  const bool small = plan.compares_with_model;
  const bool many = !small && choices.below(4) == 0;
  const uint32_t ids = small  ? 2 + choices.below(3)
                       : many ? 10 + choices.below(40)
                              : 2 + choices.below(9);
  uint32_t left = small  ? 2 + choices.below(5)
                  : many ? 30 + choices.below(60)
                         : 6 + choices.below(35);
  plan.people = draw_bounds(choices, small);
  plan.clients.resize(small ? 1 + choices.below(3) : 1 + choices.below(6));
  size_t number = 1;
  while (left > 0) {
    PlannedRequest request;
    request.gives_up = some_give_up && choices.below(4) == 0;
    const uint32_t events =
        std::min(left, choices.below(3) > 0 ? 1 : 1 + choices.below(small ? 2 : 6));
    for (uint32_t i = 0; i < events; ++i, ++number) {
      request.events.push_back(small ? draw_small_event(choices, ids, static_cast<int64_t>(number))
                                     : draw_large_event(choices, ids, number));
    }
    left -= events;
    plan.clients[choices.below(static_cast<uint32_t>(plan.clients.size()))].push_back(
        std::move(request));
  }
  return plan;
}

Faults draw_faults(Choices& choices) {
  Faults faults;
  // A quarter of the histories is only concurrent.
  if (choices.below(4) == 0) return faults;
  const auto share = [&](uint32_t most) { return choices.below(2) == 0 ? 0 : choices.below(most); };
  faults.crash = share(150);
  faults.lose_request = share(100);
  faults.lose_reply = share(150);
  faults.duplicate_call = share(200);
  faults.late = share(100);
  faults.evict = share(50);
  faults.lose_response = share(150);
  faults.late_alarm = share(500);
  if (choices.below(3) == 0) {
    faults.silence = share(150);
    faults.stall = share(30);
  }
  // Where the platform's limits bite, until the world heals.
  faults.spares_outboxes = true;
  if (choices.below(3) == 0) {
    faults.fail_alarm = share(200);
    faults.refuse_put = share(100);
    if (choices.below(2) == 0) faults.value_bytes_max = 150 + choices.below(2'000);
    if (choices.below(2) == 0) faults.subrequests_max = 1 + choices.below(12);
    faults.connections_max = 1 + choices.below(platform::kConnections);
  }
  return faults;
}

// --- The run ---

struct IdentityRun::Impl {
  struct Event {
    ModelEvent model;
    std::string uuid;
    size_t request;
  };
  struct Request {
    std::vector<size_t> events;
    std::string body;
    bool gives_up = false;
    int attempts = 0;
    uint64_t started = kNever;
    uint64_t acknowledged = kNever;
    bool is_faulted = false;
    uint64_t ended = kNever;  // nothing works for it any more
  };
  // What an object's storage says at the end.
  struct Owner {
    std::string object_id;  // the distinct id of the object
    StoredPerson stored;
    Json properties;
  };

  Plan plan;
  World world;
  const std::vector<std::string> (&sends)[kStreamCount];
  std::vector<Event> events;
  std::vector<Request> requests;
  std::vector<std::vector<size_t>> clients;  // → requests
  std::string wrong;
  std::string trace;                           // empty: nobody wants one
  std::map<std::string, StoredPerson> people;  // every object, by distinct id
  std::map<std::string, Owner> owners;
  std::map<std::string, std::string> owner_of;   // distinct id → owners
  std::map<std::string, std::string> redirects;  // as committed so far
  std::map<std::string, uint64_t> surrendered;   // → when

  Impl(Plan a_plan, Choices& choices, WorldOptions options, Sink& sink,
       const std::vector<std::string> (&a_sends)[kStreamCount])
      : plan(std::move(a_plan)),
        world(with_mode(std::move(options), plan), choices, sink),
        sends(a_sends) {
    clients.emplace_back();
    for (const PlannedRequest& request : plan.first) add_request(request);
    for (const std::vector<PlannedRequest>& planned : plan.clients) {
      clients.emplace_back();
      for (const PlannedRequest& request : planned) add_request(request);
    }
    world.on_commit = [this](const ObjectId& id, ObjectStorage& storage) {
      committed(id, storage);
    };
  }

  static WorldOptions with_mode(WorldOptions options, const Plan& plan) {
    if (plan.exact) options.vars += R"(,"HOGFLARE_PERSONLESS":"exact")";
    options.people = plan.people;
    return options;
  }

  void add_request(const PlannedRequest& planned) {
    Request request;
    request.gives_up = planned.gives_up;
    request.body = R"({"api_key":"phc_sim","batch":[)";
    for (const ModelEvent& event : planned.events) {
      const std::string uuid = event_uuid(events.size() + 1);
      if (!request.events.empty()) request.body += ',';
      request.body += json_of(event, uuid);
      request.events.push_back(events.size());
      events.push_back({event, uuid, requests.size()});
    }
    request.body += "]}";
    clients.back().push_back(requests.size());
    requests.push_back(std::move(request));
  }

  void fail(const std::string& what) {
    if (wrong.empty()) wrong = what;
  }

  // --- Clients ---

  void send(size_t client, size_t position) {
    if (position == clients[client].size()) {
      if (client == 0) start_clients();
      return;
    }
    const size_t index = clients[client][position];
    Request& request = requests[index];
    if (request.started == kNever) request.started = world.step();
    ++request.attempts;
    world.http(http_input(request.body), static_cast<uint32_t>(index + 1),
               [this, client, position, index](const Reply* reply) {
                 answered(client, position, index, reply);
               });
  }

  void start_clients() {
    for (size_t client = 1; client < clients.size(); ++client) {
      world.after(0, [this, client] { send(client, 0); });
    }
  }

  void answered(size_t client, size_t position, size_t index, const Reply* reply) {
    Request& request = requests[index];
    if (reply != nullptr && reply->status == 200) {
      request.acknowledged = world.step();
      send(client, position + 1);
      return;
    }
    if (reply != nullptr && reply->status < 500) {
      fail("a request was answered " + std::to_string(reply->status) + ": " + reply->body);
      return;
    }
    if (request.attempts > 1) request.is_faulted = true;
    if (request.gives_up) {
      send(client, position + 1);
    } else if (request.attempts >= kAttemptsMax) {
      fail("request " + std::to_string(index) + " never got an answer but " +
           (reply == nullptr ? "silence" : reply->body));
    } else {
      request.is_faulted = true;
      world.after(500 + 500 * request.attempts,
                  [this, client, position] { send(client, position); });
    }
  }

  // --- While it runs ---

  uint64_t surrendered_at(const std::string& name) const {
    const auto found = surrendered.find(name);
    return found == surrendered.end() ? kNever : found->second;
  }

  // Redirects only move forward: to an object that gave its person away later, or still has it.
  void committed(const ObjectId& id, ObjectStorage& storage) {
    if (id.object_class != ObjectClass::kPerson) return;
    const std::string name = id.name.substr(id.name.find(':') + 1);
    const StoredPerson stored = read_stored_person(storage);
    trace_commit(name, stored);
    if (stored.state != StoredPerson::State::kRedirect) {
      if (redirects.count(name) > 0) fail("\"" + name + "\" was a redirect and is one no more");
      return;
    }
    const bool is_new = surrendered.emplace(name, world.step()).second;
    std::string& before = redirects[name];
    if (!is_new && before != stored.redirect_to &&
        surrendered_at(stored.redirect_to) <= surrendered_at(before)) {
      fail("the redirect of \"" + name + "\" moved backwards, from \"" + before + "\" to \"" +
           stored.redirect_to + "\"");
    }
    before = stored.redirect_to;
  }

  void trace_commit(const std::string& name, const StoredPerson& stored) {
    if (trace.empty()) return;
    trace += "step " + std::to_string(world.step()) + ", " + name + ": ";
    if (stored.state == StoredPerson::State::kRedirect) trace += "-> " + stored.redirect_to;
    if (stored.state == StoredPerson::State::kOwner) {
      trace += "version " + std::to_string(stored.version) + " " + stored.properties;
    }
    trace += std::string(stored.has_intent ? " intent" : "") +
             (stored.has_tombstone ? " tombstone" : "") + "\n";
  }

  std::string run() {
    world.after(0, [this] { send(0, 0); });
    world.after(kHealAfterMs, [this] { world.heal(); });
    if (!world.run(kMessagesMax)) fail("it does not come to rest");
    for (size_t i = 0; i < requests.size(); ++i) {
      Request& request = requests[i];
      if (request.acknowledged == kNever && !request.gives_up) {
        fail("request " + std::to_string(i) + " was never answered");
      }
      request.is_faulted |= world.was_faulted(static_cast<uint32_t>(i + 1));
      request.ended = std::max(world.last_step_of(static_cast<uint32_t>(i + 1)),
                               request.acknowledged == kNever ? 0 : request.acknowledged);
    }
    if (wrong.empty()) check();
    return wrong;
  }

  bool is_acknowledged(const Event& event) const {
    return requests[event.request].acknowledged != kNever;
  }
  bool some_gave_up() const {
    return std::any_of(requests.begin(), requests.end(),
                       [](const Request& request) { return request.acknowledged == kNever; });
  }

  // --- When it is quiet ---

  void check() {
    read_objects();
    if (wrong.empty()) check_resolution();
    if (wrong.empty()) check_properties();
    if (wrong.empty()) check_merges();
    if (wrong.empty()) check_caps();
    if (wrong.empty()) check_event_rows();
    if (wrong.empty()) check_persons_stream();
    if (wrong.empty()) check_distinct_ids_stream();
    if (wrong.empty() && plan.compares_with_model) check_model();
  }

  void read_objects() {
    for (auto& [id, storage] : world.objects()) {
      if (id.object_class != ObjectClass::kPerson) continue;
      const std::string name = id.name.substr(id.name.find(':') + 1);
      StoredPerson stored = read_stored_person(storage);
      if (stored.has_intent) fail("a merge into \"" + name + "\" is still under way");
      if (stored.has_tombstone) fail("\"" + name + "\" still keeps a tombstone");
      if (stored.has_unacknowledged) fail("\"" + name + "\" has not acknowledged a merge");
      if (stored.has_unreported) fail("\"" + name + "\" has not reported a merge");
      if (stored.state == StoredPerson::State::kOwner) {
        Json properties = Json::parse(stored.properties, nullptr, false);
        if (!properties.is_object()) fail("the properties of \"" + name + "\" are no JSON object");
        owners[name] = {name, stored, std::move(properties)};
      }
      people[name] = std::move(stored);
    }
    std::set<std::string> uuids;
    std::set<uint64_t> numbers;
    for (const auto& [name, owner] : owners) {
      for (const auto& [id, version] : owner.stored.distinct_ids) {
        if (!owner_of.emplace(id, name).second) fail("\"" + id + "\" belongs to two people");
      }
      if (!uuids.insert(owner.stored.uuid).second) fail("two people have one uuid");
      // A call that arrives twice, which the platform does not do, may use up its offered id twice.
      if (world.counts().duplicated > 0) continue;
      if (owner.stored.id != 0 && !numbers.insert(owner.stored.id).second) {
        fail("two people have the sequential id " + std::to_string(owner.stored.id));
      }
    }
  }

  void check_resolution() {
    for (const auto& [name, stored] : people) {
      std::string at = name;
      int hops = 0;
      while (people[at].state == StoredPerson::State::kRedirect) {
        at = people[at].redirect_to;
        if (++hops > limits::kRedirectHopsMax)
          return fail("redirects from \"" + name + "\" have no end");
      }
      const auto owner = owner_of.find(name);
      if (owner == owner_of.end()) {
        if (stored.state != StoredPerson::State::kEmpty) fail("\"" + name + "\" leads to nobody");
      } else if (owner->second != at) {
        fail("\"" + name + "\" leads to \"" + at + "\" but is an id of \"" + owner->second + "\"");
      }
    }
    for (const Event& event : events) {
      const bool makes_person =
          !event.model.personless && event.model.name != "$feature_flag_called";
      if (!is_acknowledged(event) || !makes_person) continue;
      if (owner_of.count(event.model.distinct_id) == 0) {
        fail("\"" + event.model.distinct_id + "\" has no person though event " + event.uuid +
             " was acknowledged");
      }
    }
  }

  const Json* stored_property(const Event& event, const std::string& name) {
    const auto owner = owner_of.find(event.model.distinct_id);
    if (owner == owner_of.end()) return nullptr;
    const Json& properties = owners[owner->second].properties;
    const auto found = properties.find(name);
    return found == properties.end() ? nullptr : &*found;
  }

  // Large histories: each property can be judged by itself, because only events of one distinct id
  // write it.
  void check_properties() {
    if (plan.compares_with_model) return;
    for (const Event& event : events) {
      for (const auto& [name, value] : event.model.set) {
        const Json* stored = stored_property(event, name);
        if (is_acknowledged(event) && stored == nullptr) {
          fail("property " + name + " of acknowledged event " + event.uuid + " is lost");
        }
        if (stored != nullptr && name.substr(0, 5) == "last_") check_last(name, stored->dump());
      }
      for (const auto& [name, value] : event.model.set_once) {
        const Json* stored = stored_property(event, name);
        if (stored != nullptr) check_first(name, stored->dump());
      }
    }
  }

  const Event* writer_of(const std::string& value) const {
    const size_t number = static_cast<size_t>(std::atoll(value.c_str()));
    for (const Event& event : events) {
      const auto found = event.model.set.find("event_" + std::to_string(number));
      if (found != event.model.set.end()) return &event;
    }
    return nullptr;
  }

  // The last value may not come from an event that was over before another acknowledged one began.
  void check_last(const std::string& name, const std::string& value) {
    const Event* writer = writer_of(value);
    if (writer == nullptr) return fail("nobody wrote " + name + "=" + value);
    for (const Event& later : events) {
      if (!is_acknowledged(later) || later.model.set.count(name) == 0) continue;
      if (later.request != writer->request &&
          requests[writer->request].ended < requests[later.request].started) {
        fail(name + " is still " + value + " though a later event set it");
      }
    }
  }

  void check_first(const std::string& name, const std::string& value) {
    const Event* writer = writer_of(value);
    if (writer == nullptr) return fail("nobody wrote " + name + "=" + value);
    for (const Event& earlier : events) {
      if (!is_acknowledged(earlier) || earlier.model.set_once.count(name) == 0) continue;
      if (requests[earlier.request].acknowledged < requests[writer->request].started) {
        fail(name + " is " + value + " though an earlier event had set it");
      }
    }
  }

  void check_merges() {
    // Who may be one person at all.
    std::map<std::string, std::string> root;
    const std::function<std::string(const std::string&)> find = [&](const std::string& id) {
      const auto up = root.find(id);
      return up == root.end() || up->second == id ? id : find(up->second);
    };
    std::set<std::string> touched;
    for (const Event& event : events) {
      if (event.model.other.empty() || event.model.other == event.model.distinct_id) continue;
      root[find(event.model.other)] = find(event.model.distinct_id);
      touched.insert({event.model.other, event.model.distinct_id});
    }
    for (const auto& [name, owner] : owners) {
      bool may_be_identified = false;
      for (const auto& [id, version] : owner.stored.distinct_ids) {
        if (find(id) != find(name)) fail("\"" + id + "\" and \"" + name + "\" were never merged");
        may_be_identified |= touched.count(id) > 0;
      }
      if (owner.stored.is_identified && !may_be_identified) fail("\"" + name + "\" is identified");
    }
    for (const Event& event : events) {
      const ModelEvent& model = event.model;
      if (!is_acknowledged(event) || model.other.empty() || model.other == model.distinct_id)
        continue;
      if (model.personless) continue;
      const std::string into = name_of_owner(model.distinct_id);
      const std::string other = name_of_owner(model.other);
      if (!owners[into].stored.is_identified) fail("\"" + into + "\" is not identified");
      if (into == other || has_no_room(into, other)) continue;
      if (model.name == "$merge_dangerously") {
        fail("\"" + model.other + "\" was not merged into \"" + model.distinct_id + "\"");
      } else if (other.empty() || !owners[other].stored.is_identified) {
        fail("\"" + model.other + "\" is neither merged into \"" + model.distinct_id +
             "\" nor identified");
      }
    }
  }

  // Empty: nobody has the id, which a merge that was refused for want of room leaves so.
  std::string name_of_owner(const std::string& id) const {
    const auto found = owner_of.find(id);
    return found == owner_of.end() ? std::string() : found->second;
  }

  // Whether a merge of the two may have been refused for the number of ids: people only grow, so
  // what did not fit then does not fit now.
  bool has_no_room(const std::string& into, const std::string& other) {
    const size_t others = other.empty() ? 1 : owners[other].stored.distinct_ids.size();
    return owners[into].stored.distinct_ids.size() + others > plan.people.ids;
  }

  // A survivor that got no answer asks in the protocol's first version, which knows no cap.
  void check_caps() {
    const Counts& counts = world.counts();
    if (counts.lost + counts.crashes + counts.evictions + counts.unanswered > 0) return;
    for (const auto& [name, owner] : owners) {
      if (owner.stored.distinct_ids.size() > plan.people.ids)
        fail("\"" + name + "\" has too many ids");
    }
  }

  std::vector<Json> rows_of(Stream stream) const {
    std::vector<Json> rows;
    for (const std::string& send : sends[static_cast<size_t>(stream)]) {
      for (Json& row : Json::parse(send, nullptr, false)) rows.push_back(std::move(row));
    }
    return rows;
  }

  // Every acknowledged event has a row, and every row's person is the present one or re-attributed.
  void check_event_rows() {
    std::set<std::string> seen;
    for (const Json& row : rows_of(Stream::kEvents)) {
      const std::string id = row["distinct_id"];
      const std::string person = row["person_id"];
      seen.insert(row["uuid"].get<std::string>());
      const auto found = owner_of.find(id);
      if (found == owner_of.end()) {
        if (person != Uuid::of_person(1, id).text())
          fail("a row of \"" + id + "\" has a strange person");
        continue;
      }
      const StoredPerson& owner = owners[found->second].stored;
      if (person == owner.uuid) continue;
      const bool overridden =
          std::any_of(owner.distinct_ids.begin(), owner.distinct_ids.end(),
                      [&](const auto& entry) { return entry.first == id && entry.second > 0; });
      if (!overridden) fail("a row of \"" + id + "\" stays with a person that is no more");
    }
    for (const Event& event : events) {
      const bool dropped = event.model.personless && is_merge(event.model.name);
      if (is_acknowledged(event) && !dropped && seen.count(event.uuid) == 0) {
        fail("acknowledged event " + event.uuid + " has no row");
      }
    }
  }

  // What the SQL views of sql/ make of the persons stream must be the people in the objects.
  void check_persons_stream() {
    struct Latest {
      Json row;
      std::set<std::string> claims;
    };
    std::map<std::string, Latest> persons;
    for (const Json& row : rows_of(Stream::kPersons)) {
      Latest& latest = persons[row["person_id"].get<std::string>()];
      latest.claims.insert(row["distinct_id"].get<std::string>());
      for (const Json& id : row["distinct_ids"]) latest.claims.insert(id.get<std::string>());
      const auto rank = [](const Json& of) {
        return std::make_pair(of["version"].get<uint64_t>(), of["is_deleted"].get<bool>());
      };
      if (latest.row.is_null() || rank(latest.row) <= rank(row)) latest.row = row;
    }
    std::map<std::string, std::string> view;
    for (const auto& [uuid, latest] : persons) {
      std::string at = uuid;
      for (size_t hop = 0; hop < 64 && persons.count(at) > 0 && persons[at].row["is_deleted"];
           ++hop) {
        at = persons[at].row.value("merged_into", "");
      }
      for (const std::string& id : latest.claims) {
        const auto owner = owner_of.find(id);
        if (owner == owner_of.end() || owners[owner->second].stored.uuid != at) {
          return fail("by the persons stream \"" + id + "\" is person " + at);
        }
        view[id] = at;
      }
    }
    const bool all_acknowledged = !some_gave_up();
    for (const auto& [name, owner] : owners) {
      for (const auto& [id, version] : owner.stored.distinct_ids) {
        const bool must = all_acknowledged || owner.stored.distinct_ids.size() > 1;
        if (must && view.count(id) == 0) fail("the persons stream does not know \"" + id + "\"");
      }
      if (wrong.empty() && all_acknowledged) check_snapshot(owner, persons[owner.stored.uuid].row);
    }
  }

  // The newest row of a distinct id, or its own uuid where there is none, names its person.
  void check_distinct_ids_stream() {
    std::map<std::string, std::pair<uint64_t, std::string>> newest;
    for (const Json& row : rows_of(Stream::kDistinctIds)) {
      const std::string id = row["distinct_id"];
      const auto version = row["version"].get<uint64_t>();
      const std::string person = row["person_id"];
      if (owner_of.count(id) == 0)
        return fail("a row of distinct_ids is of \"" + id + "\", whom nobody has");
      const auto [found, is_new] = newest.try_emplace(id, version, person);
      if (is_new) continue;
      if (version == found->second.first && person != found->second.second) {
        return fail("two rows of \"" + id + "\" with one version name different persons");
      }
      if (version > found->second.first) found->second = {version, person};
    }
    for (const auto& [id, object] : owner_of) {
      const auto found = newest.find(id);
      const std::string person =
          found == newest.end() ? Uuid::of_person(1, id).text() : found->second.second;
      if (person != owners[object].stored.uuid) {
        return fail("by the distinct_ids stream \"" + id + "\" is person " + person +
                    ", its object has " + owners[object].stored.uuid);
      }
    }
  }

  // A call that was still on its way when its event had been acknowledged reports to nobody.
  bool has_late_activity(const Owner& owner) const {
    return std::any_of(events.begin(), events.end(), [&](const Event& event) {
      const Request& request = requests[event.request];
      const auto found = owner_of.find(event.model.distinct_id);
      return request.ended > request.acknowledged && found != owner_of.end() &&
             found->second == owner.object_id;
    });
  }

  void check_snapshot(const Owner& owner, const Json& row) {
    const bool is_same =
        row["properties"] == owner.properties && row["is_identified"] == owner.stored.is_identified;
    if (!is_same && !has_late_activity(owner)) {
      fail("the latest snapshot of \"" + owner.object_id +
           "\" is not what its object holds: " + row.dump() + " but " + owner.stored.properties +
           " version " + std::to_string(owner.stored.version));
    }
  }

  // --- Against the model ---

  std::string observed() const {
    std::vector<ModelPerson> all;
    for (const auto& [name, owner] : owners) {
      ModelPerson person;
      for (const auto& [id, version] : owner.stored.distinct_ids) {
        person.ids[id] = version > 0;
        if (Uuid::of_person(1, id).text() == owner.stored.uuid) person.uuid_of = id;
      }
      person.created_at_ms = owner.stored.created_at_ms;
      person.is_identified = owner.stored.is_identified;
      person.properties = properties_of(owner.properties);
      all.push_back(std::move(person));
    }
    return text_of(std::move(all));
  }

  // From when on an event may have had effect, and until when.
  uint64_t end_of(const Event& event) const {
    const Request& request = requests[event.request];
    if (request.acknowledged == kNever) return kNever;
    if (!request.is_faulted) return request.acknowledged;
    return is_merge(event.model.name) ? kNever : request.ended;
  }

  // Requests' events whose ids are connected keep their order.
  bool comes_before(size_t left, size_t right) const {
    if (events[left].request != events[right].request) {
      return end_of(events[left]) < requests[events[right].request].started;
    }
    if (left > right) return false;
    std::set<std::string> ids = {events[left].model.distinct_id, events[left].model.other};
    for (bool grew = true; grew;) {
      grew = false;
      for (const size_t index : requests[events[left].request].events) {
        const ModelEvent& model = events[index].model;
        const std::string& other = model.other.empty() ? model.distinct_id : model.other;
        if (ids.count(model.distinct_id) == ids.count(other)) continue;
        ids.insert({model.distinct_id, other});
        grew = true;
      }
    }
    return ids.count(events[right].model.distinct_id) > 0;
  }

  // Searches the orders that the history allows, an event of a request that was sent again counting
  // once or more, for one that ends in what is stored.
  void check_model() {
    const std::string found = observed();
    std::vector<uint32_t> needs(events.size());
    uint32_t acknowledged = 0;
    for (size_t i = 0; i < events.size(); ++i) {
      if (is_acknowledged(events[i])) acknowledged |= 1u << i;
      for (size_t j = 0; j < events.size(); ++j) {
        if (i != j && is_acknowledged(events[j]) && comes_before(j, i)) needs[i] |= 1u << j;
      }
    }
    std::unordered_set<std::string> visited;
    std::vector<std::pair<uint32_t, Model>> open;
    open.emplace_back(0, Model(plan.exact));
    std::string example;
    while (!open.empty()) {
      auto [done, model] = std::move(open.back());
      open.pop_back();
      if ((done & acknowledged) == acknowledged) {
        example = text_of(model.people());
        if (example == found) return;
      }
      for (size_t i = 0; i < events.size(); ++i) {
        const uint32_t bit = 1u << i;
        if ((needs[i] & ~done) != 0) continue;
        if ((done & bit) != 0 && !may_repeat(i, done)) continue;
        Model next = model;
        next.apply(events[i].model);
        if (!visited.insert(std::to_string(done | bit) + next.text()).second) continue;
        open.emplace_back(done | bit, std::move(next));
      }
    }
    fail("no order of the events gives what is stored:\n" + found + "but for instance\n" + example);
  }

  bool may_repeat(size_t index, uint32_t done) const {
    const Request& request = requests[events[index].request];
    if (!request.is_faulted) return false;
    for (size_t i = 0; i < events.size(); ++i) {
      const bool is_later = end_of(events[index]) < requests[events[i].request].started;
      if ((done & (1u << i)) != 0 && is_later) return false;
    }
    return true;
  }

  std::string history() const {
    std::string text = plan.exact ? "exact mode\n" : "stateless mode\n";
    for (size_t client = 0; client < clients.size(); ++client) {
      for (const size_t index : clients[client]) {
        const Request& request = requests[index];
        text += "client " + std::to_string(client) + ", request " + std::to_string(index) +
                ", steps " + std::to_string(request.started) + " to " +
                (request.acknowledged == kNever ? "never" : std::to_string(request.acknowledged)) +
                " (last activity " + std::to_string(request.ended) + ", " +
                std::to_string(request.attempts) + " attempts)\n";
        for (const size_t event : request.events) {
          text += "    " + json_of(events[event].model, events[event].uuid) + "\n";
        }
      }
    }
    text += trace + "\npersons stream:\n";
    for (const Json& row : rows_of(Stream::kPersons)) text += row.dump() + "\n";
    text += "distinct_ids stream:\n";
    for (const Json& row : rows_of(Stream::kDistinctIds)) text += row.dump() + "\n";
    return text + "\nstored:\n" + observed();
  }
};

IdentityRun::IdentityRun(Plan plan, Choices& choices, WorldOptions options, Sink& sink,
                         const std::vector<std::string> (&sends)[kStreamCount])
    : impl_(std::make_unique<Impl>(std::move(plan), choices, std::move(options), sink, sends)) {}
IdentityRun::~IdentityRun() = default;
void IdentityRun::keep_trace() { impl_->trace = "\n"; }
std::string IdentityRun::run() { return impl_->run(); }
const Counts& IdentityRun::counts() const { return impl_->world.counts(); }
World& IdentityRun::world() { return impl_->world; }
std::string IdentityRun::history() const { return impl_->history(); }

}  // namespace hogflare::sim
