// Runs tasks of the core natively: an in-memory stand-in for the platform that performs effects at
// once, in order, and counts what they cost. Nothing is lost or late here; the simulator is in
// tests/sim.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/group_calls.h"
#include "hogflare/metrics.h"
#include "hogflare/outbox.h"
#include "hogflare/person_object.h"
#include "hogflare/task.h"
#include "platform/storage_limits.h"

namespace hogflare::test {

// Refuses what Cloudflare refuses: the put does nothing, and the host undoes the turn.
class MemoryStorage final : public Storage {
 public:
  bool get(std::string_view key, std::string& value) override {
    ++rows_read;
    const auto found = values.find(std::string(key));
    if (found == values.end()) return false;
    value = found->second;
    return true;
  }
  void put(std::string_view key, std::string_view value) override {
    std::string why = platform::refusal_of_put(key, value, value_bytes_max);
    if (!why.empty()) {
      if (refusal.empty()) refusal = std::move(why);
      return;
    }
    remember(key);
    ++rows_written;
    largest_value = std::max(largest_value, key.size() + value.size());
    values[std::string(key)] = std::string(value);
  }
  void erase(std::string_view key) override {
    remember(key);
    ++rows_written;
    values.erase(std::string(key));
  }
  std::vector<std::string> list(std::string_view prefix, std::string_view after,
                                uint32_t count_max) override {
    std::vector<std::string> keys;
    for (const auto& [key, value] : values) {
      if (key.substr(0, prefix.size()) != prefix || key <= after) continue;
      if (keys.size() == count_max) break;
      keys.push_back(key);
    }
    return keys;
  }
  void set_alarm(int64_t at_ms) override {
    ++rows_written;
    has_written_ = true;
    alarm_at_ms = at_ms;
  }
  int64_t alarm() override { return alarm_at_ms; }

  void begin_turn() {
    undo_.emplace();
    has_written_ = false;
    refusal.clear();
    alarm_before_ms_ = alarm_at_ms;
  }
  // Ends the turn of a task as js-shim/core.js does; false: something was refused, or the turn has
  // written and ended its task with an error, and all of its writes are undone.
  bool end_turn(const Task* task = nullptr) {
    const bool has_failed = task != nullptr && task->finished() && task->reply().status >= 500;
    const bool stands = refusal.empty() && !(has_failed && has_written_);
    if (!stands) {
      for (auto at = undo_->rbegin(); at != undo_->rend(); ++at) {
        if (at->second) {
          values[at->first] = *at->second;
        } else {
          values.erase(at->first);
        }
      }
      alarm_at_ms = alarm_before_ms_;
    }
    undo_.reset();
    return stands;
  }

  std::map<std::string, std::string> values;
  std::string refusal;  // of the latest turn; empty: none
  size_t value_bytes_max = platform::kObjectValueBytes;
  int64_t alarm_at_ms = 0;
  uint64_t rows_read = 0;
  uint64_t rows_written = 0;
  size_t largest_value = 0;

 private:
  void remember(std::string_view key) {
    has_written_ = true;
    if (!undo_) return;
    const auto found = values.find(std::string(key));
    undo_->emplace_back(key, found == values.end() ? std::nullopt : std::optional(found->second));
  }

  std::optional<std::vector<std::pair<std::string, std::optional<std::string>>>> undo_;
  int64_t alarm_before_ms_ = 0;
  bool has_written_ = false;
};

struct ObjectKey {
  ObjectClass object_class;
  std::string name;
  bool operator<(const ObjectKey& other) const {
    return std::tie(object_class, name) < std::tie(other.object_class, other.name);
  }
};

class ObjectHost {
 public:
  std::map<ObjectKey, MemoryStorage> objects;
  Config config;
  int64_t now_ms = 1'704'067'200'000;
  std::map<ObjectClass, uint64_t> calls;
  std::map<std::string, int> calls_by_name;
  bool objects_answer = true;
  uint32_t subrequests_max = platform::kSubrequests;  // of one invocation
  std::vector<std::string> sends;                     // every one is answered with sink_status
  uint16_t sink_status = 200;
  std::function<void(const std::string&)> on_send;  // when set, nothing is kept in `sends`

  Turn turn(Storage* storage = nullptr) {
    return {.now_ms = now_ms,
            .entropy = entropy_,
            .config = config,
            .metrics = metrics_,
            .storage = storage};
  }

  uint64_t rows_written() const {
    uint64_t rows = 0;
    for (const auto& [key, storage] : objects) rows += storage.rows_written;
    return rows;
  }
  uint64_t rows_read() const {
    uint64_t rows = 0;
    for (const auto& [key, storage] : objects) rows += storage.rows_read;
    return rows;
  }
  uint64_t all_calls() const {
    uint64_t count = 0;
    for (const auto& [object_class, calls_of] : calls) count += calls_of;
    return count;
  }

  std::string call(const CallObject& request) { return try_call(request).value_or(""); }

  // Nothing: a turn of it was undone, or the platform does not carry the request or its reply.
  std::optional<std::string> try_call(const CallObject& request) {
    if (request.request.size() > platform::kRpcBytes) return std::nullopt;
    ++calls[request.object_class];
    ++calls_by_name[request.name];
    std::unique_ptr<Task> task = make_call(request);
    if (!run(*task, &objects[{request.object_class, request.name}])) return std::nullopt;
    if (task->reply().body.size() > platform::kRpcBytes) return std::nullopt;
    return task->reply().body;
  }

  // Rings every alarm that is due at `at_ms`, until none is.
  void ring_alarms(int64_t at_ms) {
    now_ms = std::max(now_ms, at_ms);
    for (bool rang = true; rang;) {
      rang = false;
      std::vector<ObjectKey> due;
      for (auto& [key, storage] : objects) {
        if (storage.alarm_at_ms != 0 && storage.alarm_at_ms <= now_ms) due.push_back(key);
      }
      for (const ObjectKey& key : due) {
        objects[key].alarm_at_ms = 0;
        std::unique_ptr<Task> task = make_person_alarm();
        run(*task, &objects[key]);
        ++alarms;
        rang = true;
      }
    }
  }
  uint64_t alarms = 0;

  // False: a turn was undone and the task is gone.
  bool run(Task& task, MemoryStorage* storage) {
    Effects effects;
    bool stands = true;
    const auto in_turn = [&](const auto& step) {
      if (!stands) return;
      if (storage != nullptr) storage->begin_turn();
      step();
      if (storage == nullptr || storage->end_turn(&task)) return;
      stands = false;
      effects.take();
    };
    in_turn([&] { task.start(turn(storage), effects); });
    drive(
        [&](EffectResult result) {
          in_turn([&] { task.resume(turn(storage), std::move(result), effects); });
        },
        [&] { return !stands || task.finished(); }, effects);
    return stands;
  }

  // Performs effects until `is_finished` and none is left: one invocation with its subrequests.
  template <typename Resume, typename IsFinished>
  void drive(Resume resume, IsFinished is_finished, Effects& effects) {
    std::deque<Effect> pending;
    uint32_t subrequests = 0;
    for (;;) {
      for (Effect& effect : effects.take()) pending.push_back(std::move(effect));
      if (pending.empty()) break;
      const Effect effect = std::move(pending.front());
      pending.pop_front();
      EffectResult result;
      result.id = effect.id;
      result.ok = true;
      const bool is_wait = std::holds_alternative<Wait>(effect.kind);
      if (!is_wait && ++subrequests > subrequests_max) {
        result.ok = false;
        result.body = platform::kTooManySubrequests;
      } else if (const auto* request = std::get_if<CallObject>(&effect.kind)) {
        std::optional<std::string> reply;
        if (objects_answer) reply = try_call(*request);
        result.ok = reply.has_value();
        if (reply) result.body = std::move(*reply);
      } else if (const auto* wait = std::get_if<Wait>(&effect.kind)) {
        now_ms += wait->delay_ms;
      } else if (const auto* send = std::get_if<SendRows>(&effect.kind)) {
        on_send ? on_send(send->rows) : sends.push_back(send->rows);
        result.http_status = sink_status;
      }
      resume(std::move(result));
    }
    HF_ASSERT(is_finished());
  }

 private:
  static std::unique_ptr<Task> make_call(const CallObject& request) {
    switch (request.object_class) {
      case ObjectClass::kOutbox:
        return make_outbox_call(request.request);
      case ObjectClass::kPerson:
        return make_person_call(request.request);
      case ObjectClass::kGroup:
        return make_group_call(request.request);
      default:
        return make_counter_call(request.request);
    }
  }

  static constexpr uint8_t kSeed[32] = {7};
  Entropy entropy_{kSeed};
  Metrics metrics_;
};

}  // namespace hogflare::test
