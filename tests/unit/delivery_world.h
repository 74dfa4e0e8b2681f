// A deployment in one process for the delivery tests: a clock, a scripted sink, eight outbox
// objects with their storage and alarms, and an event loop that performs effects. Deterministic by
// its seed.
#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/delivery.h"
#include "hogflare/json.h"
#include "hogflare/metrics.h"
#include "hogflare/outbox.h"
#include "hogflare/task.h"
#include "platform/storage_limits.h"

namespace hogflare::testing {

class FakeStorage final : public Storage {
 public:
  bool get(std::string_view key, std::string& value) override {
    const auto found = values.find(std::string(key));
    if (found == values.end()) return false;
    value = found->second;
    return true;
  }
  void put(std::string_view key, std::string_view value) override {
    HF_ASSERT(platform::refusal_of_put(key, value).empty());
    values[std::string(key)] = std::string(value);
    ++rows_written;
  }
  void erase(std::string_view key) override {
    values.erase(std::string(key));
    ++rows_written;
  }
  std::vector<std::string> list(std::string_view prefix, std::string_view after,
                                uint32_t count_max) override {
    std::vector<std::string> keys;
    for (const auto& [key, value] : values) {
      if (key.substr(0, prefix.size()) != prefix || (!after.empty() && key <= after)) continue;
      if (keys.size() == count_max) break;
      keys.push_back(key);
    }
    return keys;
  }
  void set_alarm(int64_t at_ms) override {
    alarm_at_ms = at_ms;
    ++rows_written;
  }
  int64_t alarm() override { return alarm_at_ms; }

  std::map<std::string, std::string> values;
  int64_t alarm_at_ms = 0;
  bool alarm_runs = false;
  uint64_t rows_written = 0;
};

// What the sink does with one send.
struct SinkAnswer {
  uint16_t status = 200;  // 0: no answer
  bool commit = true;
  bool hang = false;  // the answer never comes: the time-out ends it
  uint32_t delay_ms = 20;
  uint32_t retry_after_ms = 0;
  std::string body;
  bool shared = false;  // another request's send carried the rows
};

enum class ObjectFault : uint8_t { kNone, kUnreachable, kReplyLost };

inline std::vector<std::string> rows_in(std::string_view array) {
  const Result<json::Document> document = json::Document::parse_const(array, 1);
  HF_ASSERT(document.ok());
  std::vector<std::string> rows;
  for (const json::Value row : document.value().root().elements()) {
    rows.emplace_back(row.raw());
  }
  return rows;
}

class DeliveryWorld {
 public:
  explicit DeliveryWorld(uint64_t seed = 1) : entropy(make_entropy(seed)) {
    config.sinks = {SinkKind::kHttp, SinkKind::kHttp, SinkKind::kHttp};
    config.pipeline_timeout_ms = 10'000;
  }

  static Entropy make_entropy(uint64_t seed) {
    uint8_t bytes[32] = {};
    std::memcpy(bytes, &seed, sizeof seed);
    bytes[31] = 7;
    Entropy made(bytes);
    for (int i = 0; i < 8; ++i) made.next();
    return made;
  }

  Config config;
  Metrics metrics;
  SinkHealth health;
  Entropy entropy;
  int64_t now_ms = 1'800'000'000'000;

  std::function<SinkAnswer(const SendRows&)> sink = [](const SendRows&) { return SinkAnswer{}; };
  std::function<ObjectFault(const std::string&)> object_fault = [](const std::string&) {
    return ObjectFault::kNone;
  };
  // True: the alarm's task disappears before this effect's result arrives.
  std::function<bool()> alarm_crashes = [] { return false; };

  std::map<std::string, FakeStorage> objects;
  std::vector<SendRows> sends;                              // every one the sink saw
  PerStream<std::vector<std::vector<std::string>>> landed;  // rows by send
  std::vector<std::vector<std::string>> stored;  // rows of every put that reached an object
  uint64_t alarms_run = 0;

  Turn turn(Storage* storage = nullptr) { return {now_ms, entropy, config, metrics, storage}; }

  // Runs a request's delivery to its end; time passes, alarms ring.
  std::unique_ptr<DeliveryRun> deliver(std::vector<RowBatch> batches) {
    auto run = std::make_unique<DeliveryRun>(std::move(batches), health);
    DeliveryRun* raw = run.get();
    auto effects = std::make_shared<Effects>();
    std::function<void(EffectResult)> take = [this, raw, effects, &take](EffectResult result) {
      HF_ASSERT(raw->owns(result.id));
      raw->resume(turn(), std::move(result), *effects);
      perform(effects->take(), take, [] { return true; });
    };
    raw->start(turn(), *effects);
    perform(effects->take(), take, [] { return true; });
    while (!run->finished()) HF_ASSERT(step());
    return run;
  }

  Reply run_task(std::unique_ptr<Task> task) {
    Reply reply;
    bool done = false;
    host(std::move(task), nullptr, [&](const Reply& made) {
      reply = made;
      done = true;
    });
    while (!done) HF_ASSERT(step());
    return reply;
  }

  // Lets this much time pass.
  void pass(int64_t duration_ms) {
    const int64_t until_ms = now_ms + duration_ms;
    while (next_ms() != 0 && next_ms() <= until_ms) step();
    now_ms = until_ms;
  }

  std::vector<std::string> landed_rows(Stream stream) const {
    std::vector<std::string> rows;
    for (const auto& send : landed[index_of(stream)]) {
      rows.insert(rows.end(), send.begin(), send.end());
    }
    return rows;
  }

  OutboxStats stats() {
    OutboxStatsRun run;
    Effects effects;
    bool started = false;
    std::vector<Effect> open;
    while (!started || !run.finished()) {
      if (!started) {
        run.start(turn(), effects);
        started = true;
      } else {
        const Effect effect = open.back();
        open.pop_back();
        EffectResult result{.id = effect.id, .ok = true};
        const CallObject& call = std::get<CallObject>(effect.kind);
        auto task = make_outbox_call(call.request);
        Effects none;
        task->start(turn(&objects[call.name]), none);
        result.body = task->reply().body;
        run.resume(turn(), std::move(result), effects);
      }
      for (Effect& effect : effects.take()) open.push_back(std::move(effect));
    }
    return run.stats();
  }

 private:
  using Take = std::function<void(EffectResult)>;

  struct Event {
    int64_t at_ms;
    std::function<void()> happen;
  };

  void at(int64_t when_ms, std::function<void()> happen) {
    events_.emplace(std::make_pair(when_ms, order_++), std::move(happen));
  }

  // An object's next alarm rings when the running one has ended (workerd's alarm scheduler).
  static bool alarm_waits(const FakeStorage& storage) {
    return storage.alarm_at_ms != 0 && !storage.alarm_runs;
  }

  int64_t next_ms() const {
    int64_t next = events_.empty() ? 0 : events_.begin()->first.first;
    for (const auto& [name, storage] : objects) {
      if (alarm_waits(storage) && (next == 0 || storage.alarm_at_ms < next)) {
        next = storage.alarm_at_ms;
      }
    }
    return next;
  }

  // Performs the next thing that is due; false when nothing ever will be.
  bool step() {
    const int64_t next = next_ms();
    if (next == 0) return false;
    now_ms = std::max(now_ms, next);
    for (auto& [name, storage] : objects) {
      if (!alarm_waits(storage) || storage.alarm_at_ms > next) continue;
      storage.alarm_at_ms = 0;
      storage.alarm_runs = true;
      ++alarms_run;
      host(make_outbox_alarm(), &storage, [&s = storage](const Reply&) { s.alarm_runs = false; });
      return true;
    }
    auto first = events_.begin();
    const std::function<void()> happen = std::move(first->second);
    events_.erase(first);
    happen();
    return true;
  }

  struct Hosted {
    std::unique_ptr<Task> task;
    Effects effects;
    FakeStorage* storage;
    std::function<void(const Reply&)> done;
    bool crashed = false;
  };

  void host(std::unique_ptr<Task> task, FakeStorage* storage,
            std::function<void(const Reply&)> done) {
    auto hosted = std::make_shared<Hosted>();
    hosted->task = std::move(task);
    hosted->storage = storage;
    hosted->done = std::move(done);
    hosted->task->start(turn(storage), hosted->effects);
    go_on(hosted);
  }

  void go_on(const std::shared_ptr<Hosted>& hosted) {
    if (hosted->task->finished()) {
      hosted->done(hosted->task->reply());
      return;
    }
    perform(
        hosted->effects.take(),
        [this, hosted](EffectResult result) {
          hosted->task->resume(turn(hosted->storage), std::move(result), hosted->effects);
          go_on(hosted);
        },
        [this, hosted] {
          if (hosted->storage != nullptr && !hosted->crashed && alarm_crashes()) {
            hosted->crashed = true;
            hosted->storage->alarm_runs = false;
            // Whoever waits for this task's reply learns that there will be none.
            hosted->done({.status = 500, .headers = {}, .body = {}});
          }
          return !hosted->crashed;
        });
  }

  void perform(std::vector<Effect> effects, const Take& take, const std::function<bool()>& alive) {
    for (Effect& effect : effects) {
      if (std::holds_alternative<SendRows>(effect.kind)) {
        send(effect.id, std::get<SendRows>(effect.kind), take, alive);
      } else if (std::holds_alternative<CallObject>(effect.kind)) {
        call(effect.id, std::get<CallObject>(effect.kind), take);
      } else {
        const uint32_t id = effect.id;
        at(now_ms + std::get<Wait>(effect.kind).delay_ms,
           [take, id] { take({.id = id, .ok = true}); });
      }
    }
  }

  void send(uint32_t id, const SendRows& rows, const Take& take,
            const std::function<bool()>& alive) {
    HF_ASSERT(rows.rows.size() <= limits::kSendBytesMax);
    std::vector<std::string> parsed = rows_in(rows.rows);
    HF_ASSERT(parsed.size() == rows.row_count);
    sends.push_back(rows);
    const SinkAnswer answer = sink(rows);
    if (answer.commit) landed[index_of(rows.stream)].push_back(std::move(parsed));
    EffectResult result{.id = id,
                        .ok = !answer.hang && answer.status != 0,
                        .http_status = answer.hang ? uint16_t{0} : answer.status,
                        .shared = answer.shared,
                        .retry_after_ms = answer.retry_after_ms,
                        .body = answer.body};
    const uint32_t delay_ms = answer.hang ? rows.timeout_ms : answer.delay_ms;
    at(now_ms + delay_ms, [take, alive, result] {
      if (alive()) take(result);
    });
  }

  void call(uint32_t id, const CallObject& call, const Take& take) {
    HF_ASSERT(call.object_class == ObjectClass::kOutbox);
    const ObjectFault fault = object_fault(call.name);
    if (fault == ObjectFault::kUnreachable) {
      at(now_ms + 5, [take, id] { take({.id = id, .ok = false, .body = "unreachable"}); });
      return;
    }
    const size_t line_end = call.request.find('\n');
    if (line_end != std::string::npos) {
      stored.push_back(rows_in(std::string_view(call.request).substr(line_end + 1)));
    }
    host(make_outbox_call(call.request), &objects[call.name],
         [this, take, id, fault](const Reply& reply) {
           EffectResult result{.id = id, .ok = true, .body = reply.body};
           if (fault == ObjectFault::kReplyLost) result = {.id = id, .ok = false};
           at(now_ms + 5, [take, result] { take(result); });
         });
  }

  std::map<std::pair<int64_t, uint64_t>, std::function<void()>> events_;
  uint64_t order_ = 0;
};

// {"n":1}, {"n":2} …
inline RowBatch numbered_rows(Stream stream, uint32_t first, uint32_t count,
                              size_t padding_bytes = 0) {
  RowBatch batch(stream);
  for (uint32_t i = 0; i < count; ++i) {
    std::string row = "{\"n\":" + std::to_string(first + i);
    if (padding_bytes > 0) row += ",\"p\":\"" + std::string(padding_bytes, 'x') + "\"";
    HF_ASSERT(batch.append(row + "}").ok());
  }
  return batch;
}

inline std::vector<RowBatch> batches_of(RowBatch batch) {
  std::vector<RowBatch> batches;
  batches.push_back(std::move(batch));
  return batches;
}

}  // namespace hogflare::testing
