#include "world.h"
#include "tests/no_decompressor.h"
#include "tests/table_zones.h"

#include <algorithm>
#include <deque>

namespace hogflare::sim {

// --- Storage ---

bool ObjectStorage::get(std::string_view key, std::string& value) {
  ++rows_read;
  const auto found = values_.find(key);
  if (found == values_.end()) return false;
  value = found->second;
  return true;
}

void ObjectStorage::put(std::string_view key, std::string_view value) {
  has_written_ = true;
  ++puts_;
  if (puts_ == refused_put_ || !platform::refusal_of_put(key, value, value_bytes_max_).empty()) {
    has_refused_ = true;
    return;
  }
  ++rows_written;
  std::string& slot = values_[std::string(key)];
  undo_.emplace_back(key, slot.empty() ? std::nullopt : std::optional<std::string>(slot));
  slot = value;
}

void ObjectStorage::erase(std::string_view key) {
  has_written_ = true;
  ++rows_written;
  const auto found = values_.find(key);
  if (found == values_.end()) return;
  undo_.emplace_back(found->first, found->second);
  values_.erase(found);
}

std::vector<std::string> ObjectStorage::list(std::string_view prefix, std::string_view after,
                                             uint32_t count_max) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : values_) {
    if (key.compare(0, prefix.size(), prefix) != 0 || (!after.empty() && key <= after)) continue;
    if (keys.size() == count_max) break;
    keys.push_back(key);
  }
  return keys;
}

void ObjectStorage::set_alarm(int64_t at_ms) {
  has_written_ = true;
  ++rows_written;
  alarm_at_ms_ = at_ms;
  alarm_was_set_ = true;
}

void ObjectStorage::begin_turn(uint32_t value_bytes_max, uint32_t refused_put) {
  undo_.clear();
  value_bytes_max_ = value_bytes_max;
  refused_put_ = refused_put;
  puts_ = 0;
  has_refused_ = false;
  has_written_ = false;
  alarm_before_ms_ = alarm_at_ms_;
  alarm_was_set_ = false;
}

void ObjectStorage::roll_back() {
  for (auto at = undo_.rbegin(); at != undo_.rend(); ++at) {
    if (at->second.has_value()) {
      values_[at->first] = *at->second;
    } else {
      values_.erase(at->first);
    }
  }
  undo_.clear();
  alarm_at_ms_ = alarm_before_ms_;
  alarm_was_set_ = false;
}

// --- World ---

struct World::Isolate {
  test::NoDecompressor decompressor;
  test::TableZones zones;
  std::unique_ptr<Core> core;
};

struct World::Run {
  uint64_t id;
  std::unique_ptr<Task> task;
  Effects effects;
  size_t isolate;
  std::optional<ObjectId> object;
  uint32_t attempt;
  Done done;
  std::unique_ptr<Entropy> entropy;
  bool has_answered = false;
  uint32_t subrequests = 0;
  uint32_t connections = 0;                               // sends under way
  std::deque<std::pair<uint32_t, SendRows>> queued = {};  // sends that wait for a connection
};

World::World(const WorldOptions& options, Choices& choices, Sink& sink)
    : options_(options), faults_(options.faults), choices_(choices), sink_(sink) {
  for (size_t i = 0; i < options.isolates; ++i) {
    isolates_.push_back(std::make_unique<Isolate>());
    evict(i);
  }
  counts_ = {};
}

World::~World() { runs_.clear(); }

void World::post(int64_t delay_ms, std::function<void()> action) {
  messages_.emplace(std::make_pair(now_ms_ + delay_ms, next_message_++), std::move(action));
}

void World::after(int64_t delay_ms, std::function<void()> action) {
  post(delay_ms, std::move(action));
}

uint32_t World::latency_ms() {
  if (options_.any_order) return 0;
  if (choices_.permille(faults_.late)) return 200 + choices_.below(20'000);
  return 1 + choices_.below(20);
}

bool World::run(uint64_t messages_max) {
  const uint64_t last = counts_.messages + messages_max;
  while (!messages_.empty()) {
    if (counts_.messages >= last) return false;
    auto next = messages_.begin();
    if (options_.any_order) {
      const int64_t at_ms = next->first.first;
      uint32_t ready = 0;
      for (auto at = messages_.begin(); at != messages_.end() && at->first.first == at_ms; ++at) {
        if (++ready == 4) break;
      }
      if (ready > 1) std::advance(next, choices_.below(ready));
    }
    now_ms_ = std::max(now_ms_, next->first.first);
    const std::function<void()> action = std::move(next->second);
    messages_.erase(next);
    ++counts_.messages;
    action();
  }
  return true;
}

uint64_t World::last_step_of(uint32_t attempt) const {
  const auto found = last_step_.find(attempt);
  return found == last_step_.end() ? 0 : found->second;
}

size_t World::isolate_of(const ObjectId& object) const {
  return std::hash<std::string>()(object.name) % isolates_.size();
}

void World::http(HttpInput input, uint32_t attempt, Done done) {
  const size_t isolate = choices_.below(static_cast<uint32_t>(isolates_.size()));
  const bool loses = choices_.permille(faults_.lose_response);
  if (loses) faulted_.insert(attempt);
  Done on_end = [this, loses, done = std::move(done)](const Reply* reply) {
    if (loses || reply == nullptr) {
      post(100, [done] { done(nullptr); });
    } else {
      post(latency_ms(), [done, copy = *reply] { done(&copy); });
    }
  };
  post(latency_ms(), [this, isolate, attempt, input = std::move(input), on_end]() mutable {
    Run& run = begin(isolates_[isolate]->core->http(std::move(input)), isolate, std::nullopt,
                     attempt, std::move(on_end));
    turn(run.id, nullptr);
  });
}

World::Run& World::begin(std::unique_ptr<Task> task, size_t isolate, std::optional<ObjectId> object,
                         uint32_t attempt, Done done) {
  auto run = std::make_unique<Run>();
  run->id = next_run_++;
  run->task = std::move(task);
  run->isolate = isolate;
  run->object = std::move(object);
  run->attempt = attempt;
  run->done = std::move(done);
  uint8_t seed[32] = {};
  for (uint8_t& byte : seed) byte = static_cast<uint8_t>(run->id >> (8 * ((&byte - seed) % 8)));
  if (!options_.any_order) seed[31] = static_cast<uint8_t>(choices_.below(256));
  run->entropy = std::make_unique<Entropy>(seed);
  Run& kept = *run;
  runs_.emplace(kept.id, std::move(run));
  return kept;
}

void World::turn(uint64_t run_id, const EffectResult* result) {
  const auto found = runs_.find(run_id);
  if (found == runs_.end()) return;
  Run& run = *found->second;
  ++counts_.turns;
  last_step_[run.attempt] = counts_.messages;
  ObjectStorage* storage = run.object ? &objects_[*run.object] : nullptr;
  if (storage != nullptr) {
    const uint32_t refused = choices_.permille(faults_.refuse_put) ? 1 + choices_.below(4) : 0;
    if (is_spared_outbox(run.object->object_class)) {
      storage->begin_turn(platform::kObjectValueBytes, 0);
    } else {
      storage->begin_turn(faults_.value_bytes_max, refused);
    }
  }
  const Turn turn = isolates_[run.isolate]->core->turn(now_ms_, *run.entropy, storage);
  if (result == nullptr) {
    run.task->start(turn, run.effects);
  } else {
    run.task->resume(turn, *result, run.effects);
  }
  if (storage == nullptr) {
    if (choices_.permille(faults_.evict)) {
      evict(run.isolate);
      return;
    }
    for (Effect& effect : run.effects.take()) perform(run_id, std::move(effect));
    finish(run_id);
    return;
  }
  const ObjectId object = *run.object;
  if (storage->has_refused()) {
    ++counts_.refused_turns;
    storage->roll_back();
    crash_object(object);
    return;
  }
  if (run.task->finished() && run.task->reply().status >= 500 && storage->was_written()) {
    ++counts_.failed_turns;
    storage->roll_back();
    crash_object(object);
    return;
  }
  const bool crashes = choices_.permille(faults_.crash) && !is_spared_outbox(object.object_class);
  if (crashes && choices_.below(3) == 0) {
    storage->roll_back();
    crash_object(object);
    return;
  }
  if (storage->alarm_was_set()) arm(object);
  if (storage->was_written() && on_commit) on_commit(object, *storage);
  std::vector<Effect> effects = run.effects.take();
  const size_t performed =
      crashes ? choices_.below(static_cast<uint32_t>(effects.size() + 1)) : effects.size();
  for (size_t i = 0; i < performed; ++i) perform(run_id, std::move(effects[i]));
  if (crashes) {
    crash_object(object);
  } else {
    finish(run_id);
  }
}

void World::finish(uint64_t run_id) {
  const auto found = runs_.find(run_id);
  if (found == runs_.end() || !found->second->task->finished()) return;
  const std::unique_ptr<Run> run = std::move(found->second);
  runs_.erase(found);
  run->done(&run->task->reply());
}

void World::kill(uint64_t run_id) {
  const auto found = runs_.find(run_id);
  if (found == runs_.end()) return;
  const std::unique_ptr<Run> run = std::move(found->second);
  runs_.erase(found);
  faulted_.insert(run->attempt);
  run->done(nullptr);
}

void World::crash_object(const ObjectId& object) {
  ++counts_.crashes;
  std::vector<uint64_t> dead;
  for (const auto& [id, run] : runs_) {
    if (run->object && !(*run->object < object) && !(object < *run->object)) dead.push_back(id);
  }
  std::sort(dead.begin(), dead.end());
  for (const uint64_t id : dead) kill(id);
}

void World::evict(size_t isolate) {
  ++counts_.evictions;
  std::vector<uint64_t> dead;
  for (const auto& [id, run] : runs_) {
    if (run->isolate == isolate) dead.push_back(id);
  }
  std::sort(dead.begin(), dead.end());
  for (const uint64_t id : dead) kill(id);
  const std::string host =
      "{\"vars\":{" + options_.vars +
      "},\"bindings\":[\"PERSONS\",\"GROUPS\",\"PERSON_ID_COUNTER\",\"OUTBOX\",\"COOKIELESS\"]}";
  isolates_[isolate]->core =
      std::make_unique<Core>(host, isolates_[isolate]->decompressor, isolates_[isolate]->zones);
}

// --- Effects ---

void World::perform(uint64_t run_id, Effect effect) {
  Run& run = *runs_.at(run_id);
  // Sends count as well. What a refused one means is an outage of its sink, which has its own plans
  // (delivery_run.cpp).
  const bool is_wait = std::holds_alternative<Wait>(effect.kind);
  const bool is_send = std::holds_alternative<SendRows>(effect.kind);
  const auto* called = std::get_if<CallObject>(&effect.kind);
  const bool is_spared = called != nullptr && is_spared_outbox(called->object_class);
  if (!is_wait && ++run.subrequests > faults_.subrequests_max && !is_send && !is_spared) {
    ++counts_.refused_subrequests;
    faulted_.insert(run.attempt);
    EffectResult refused;
    refused.id = effect.id;
    refused.body = platform::kTooManySubrequests;
    answer(run_id, std::move(refused));
    return;
  }
  if (const auto* call = std::get_if<CallObject>(&effect.kind)) {
    call_object(run_id, effect.id, *call);
  } else if (const auto* send = std::get_if<SendRows>(&effect.kind)) {
    queue_send(run_id, effect.id, *send);
  } else if (const auto* wait = std::get_if<Wait>(&effect.kind)) {
    EffectResult result;
    result.id = effect.id;
    result.ok = true;
    post(wait->delay_ms, [this, run_id, result] { turn(run_id, &result); });
  } else {
    EffectResult result;
    result.id = effect.id;
    result.ok = true;
    result.http_status = 404;
    answer(run_id, std::move(result));
  }
}

void World::answer(uint64_t run_id, EffectResult result) {
  post(latency_ms(), [this, run_id, result = std::move(result)] { turn(run_id, &result); });
}

void World::call_object(uint64_t run_id, uint32_t effect_id, const CallObject& call) {
  ++counts_.calls[call.object_class];
  const uint32_t attempt = runs_.at(run_id)->attempt;
  const ObjectId object{call.object_class, call.name};
  EffectResult none;
  none.id = effect_id;
  none.body = "no answer";
  // Whichever comes first counts: the answer or the time-out.
  const auto is_open = std::make_shared<bool>(true);
  const auto give_up = [this, run_id, none, attempt, is_open] {
    if (!std::exchange(*is_open, false)) return;
    ++counts_.unanswered;
    faulted_.insert(attempt);
    turn(run_id, &none);
  };
  post(call.timeout_ms, give_up);
  const bool loses_reply = choices_.permille(faults_.lose_reply);
  Done done = [this, run_id, none, is_open, loses_reply](const Reply* reply) {
    EffectResult result = none;
    if (reply != nullptr && reply->status == 200 && !loses_reply) {
      result.ok = true;
      result.http_status = 200;
      result.body = reply->body;
    }
    post(latency_ms(), [this, run_id, result = std::move(result), is_open] {
      if (!std::exchange(*is_open, false)) return;
      counts_.unanswered += result.ok ? 0 : 1;
      turn(run_id, &result);
    });
  };
  if (choices_.permille(faults_.silence)) {
    ++counts_.silent;
    done = [](const Reply*) {};
  }
  if (choices_.permille(faults_.stall)) {
    ++counts_.stalls;
    stalled_until_ms_[object] = now_ms_ + choices_.below(60'000);
  }
  const bool loses_request =
      choices_.permille(faults_.lose_request) && !is_spared_outbox(object.object_class);
  if (loses_reply || loses_request) {
    ++counts_.lost;
    faulted_.insert(attempt);
  }
  if (loses_request) {
    post(choices_.below(100), give_up);
    return;
  }
  if (choices_.permille(faults_.duplicate_call)) {
    ++counts_.duplicated;
    faulted_.insert(attempt);
    post(choices_.below(30'000), [this, object, request = call.request, attempt] {
      arrive(object, request, attempt, [](const Reply*) {});
    });
  }
  post(latency_ms(), [this, object, request = call.request, attempt, done = std::move(done)] {
    arrive(object, request, attempt, done);
  });
}

void World::arrive(const ObjectId& object, const std::string& request, uint32_t attempt,
                   Done done) {
  const auto stalled = stalled_until_ms_.find(object);
  if (stalled != stalled_until_ms_.end() && stalled->second > now_ms_) {
    post(stalled->second - now_ms_, [this, object, request, attempt, done = std::move(done)] {
      arrive(object, request, attempt, done);
    });
    return;
  }
  const size_t isolate = isolate_of(object);
  std::unique_ptr<Task> task;
  if (object.object_class == ObjectClass::kPerson) {
    task = make_person_call(request, options_.protocol, options_.people);
  } else if (object.object_class == ObjectClass::kOutbox) {
    task = make_outbox_call(request, options_.outbox);
  } else {
    task = isolates_[isolate]->core->object({ObjectEntry::kCall, object.object_class, request});
  }
  turn(begin(std::move(task), isolate, object, attempt, std::move(done)).id, nullptr);
}

void World::queue_send(uint64_t run_id, uint32_t effect_id, const SendRows& send) {
  Run& run = *runs_.at(run_id);
  if (run.connections >= faults_.connections_max) {
    ++counts_.queued_sends;
    run.queued.emplace_back(effect_id, send);
    return;
  }
  ++run.connections;
  send_rows(run_id, effect_id, send);
}

// Its connection is the next one's in the queue.
void World::send_ended(uint64_t run_id, const EffectResult& result) {
  const auto found = runs_.find(run_id);
  if (found == runs_.end()) return;
  Run& run = *found->second;
  --run.connections;
  if (!run.queued.empty()) {
    const auto [effect_id, send] = std::move(run.queued.front());
    run.queued.pop_front();
    ++run.connections;
    send_rows(run_id, effect_id, send);
  }
  turn(run_id, &result);
}

void World::send_rows(uint64_t run_id, uint32_t effect_id, const SendRows& send) {
  ++counts_.sends;
  const SinkAnswer sink = sink_.take(send.stream, send.rows, now_ms_);
  EffectResult result;
  result.id = effect_id;
  if (!sink.answers) {
    result.body = "no answer within the time-out";
    post(send.timeout_ms, [this, run_id, result] { send_ended(run_id, result); });
    return;
  }
  result.ok = true;
  result.http_status = sink.status;
  result.retry_after_ms = sink.retry_after_ms;
  result.body = sink.body;
  post(options_.any_order ? 0 : sink.delay_ms,
       [this, run_id, result] { send_ended(run_id, result); });
}

// --- Alarms ---

void World::arm(const ObjectId& object) {
  Alarm& alarm = alarms_[object];
  ++alarm.setting;
  const int64_t at_ms = objects_[object].alarm();
  if (at_ms == 0) return;
  const int64_t late_ms = choices_.permille(faults_.late_alarm) ? choices_.below(60'000) : 0;
  post(std::max<int64_t>(at_ms - now_ms_, 0) + late_ms,
       [this, object, setting = alarm.setting] { ring(object, setting); });
}

void World::ring(const ObjectId& object, uint64_t setting) {
  Alarm& alarm = alarms_[object];
  if (alarm.setting != setting) return;
  if (alarm.is_running) {
    post(1000, [this, object, setting] { ring(object, setting); });
    return;
  }
  ++counts_.alarms;
  alarm.is_running = true;
  objects_[object].take_alarm();
  // The last repetition runs: no handler can help an alarm that the platform gave up unrun.
  const bool may_fail = alarm.failures < static_cast<int>(platform::kAlarmRetries);
  if (may_fail && choices_.permille(faults_.fail_alarm)) {
    ++counts_.failed_alarms;
    alarm_ended(object, false);
    return;
  }
  const size_t isolate = isolate_of(object);
  std::unique_ptr<Task> task;
  if (object.object_class == ObjectClass::kPerson) {
    task = make_person_alarm(options_.protocol, options_.people);
  } else if (object.object_class == ObjectClass::kOutbox) {
    task = make_outbox_alarm(options_.outbox);
  } else {
    task = isolates_[isolate]->core->object({ObjectEntry::kAlarm, object.object_class, {}});
  }
  Done done = [this, object](const Reply* reply) { alarm_ended(object, reply != nullptr); };
  turn(begin(std::move(task), isolate, object, 0, std::move(done)).id, nullptr);
}

// A failed alarm is repeated a few times and then forgotten, unless the handler had set another.
void World::alarm_ended(const ObjectId& object, bool succeeded) {
  Alarm& alarm = alarms_[object];
  alarm.is_running = false;
  if (succeeded) {
    alarm.failures = 0;
    return;
  }
  ObjectStorage& storage = objects_[object];
  if (storage.alarm() != 0) {
    alarm.failures = 0;  // another alarm, with repetitions of its own
    return;
  }
  if (++alarm.failures > static_cast<int>(platform::kAlarmRetries)) {
    alarm.failures = 0;
    return;
  }
  const int64_t retry_ms = int64_t{platform::kAlarmRetryMs} << (alarm.failures - 1);
  const uint64_t setting = ++alarm.setting;
  post(retry_ms, [this, object, setting] { ring(object, setting); });
}

}  // namespace hogflare::sim
