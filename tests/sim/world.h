// A Cloudflare account in one process: Workers in isolates, objects with storage and alarms, a
// sink. Everything that happens is one message of a queue ordered by a simulated clock, and every
// decision (latency, loss, crash, eviction) comes from Choices, so that a seed replays to the byte.
//
//   SeededChoices choices(seed);
//   ReliableSink sink;
//   World world(options, choices, sink);
//   world.http(input, attempt, [&](const Reply* reply) { … });   // null: no answer
//   world.run();                                                // until nothing is left to happen
//
// What runs in it is the real core: Core::http for requests and Core::object for objects. An
// object's turn commits all of its writes or none; a crash may come before the commit, behind it,
// or between two of the turn's effects, and takes every task of that object along. An eviction
// takes an isolate: its caches, requests and object tasks. Storage and alarms stay.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "choice.h"
#include "hogflare/core.h"
#include "hogflare/outbox.h"
#include "hogflare/person_object.h"
#include "platform/storage_limits.h"

namespace hogflare::sim {

// The sink's side of one send. Another sink may refuse, hang or answer late.
struct SinkAnswer {
  bool answers = true;  // false: the time-out ends it
  uint16_t status = 200;
  uint32_t retry_after_ms = 0;
  uint32_t delay_ms = 5;
  std::string body;
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual SinkAnswer take(Stream stream, const std::string& rows, int64_t now_ms) = 0;
};

// Takes everything. `sends` are JSON arrays in order of arrival.
class ReliableSink final : public Sink {
 public:
  SinkAnswer take(Stream stream, const std::string& rows, int64_t) override {
    sends[static_cast<size_t>(stream)].push_back(rows);
    return {};
  }
  std::vector<std::string> sends[kStreamCount];
};

// Shares are in thousandths of the occasions named.
struct Faults {
  uint32_t crash = 0;           // of object turns
  uint32_t lose_request = 0;    // of object calls, on the way there
  uint32_t lose_reply = 0;      // of object calls, on the way back
  uint32_t duplicate_call = 0;  // of object calls: arrives a second time, perhaps much later
  uint32_t silence = 0;         // of object calls: is carried out, and nothing says how it ended
  uint32_t stall = 0;  // of object calls: their object takes up nothing for a while from then on
  uint32_t late = 0;   // of messages: seconds instead of milliseconds
  uint32_t evict = 0;  // of Worker turns
  uint32_t lose_response = 0;  // of requests
  uint32_t late_alarm = 0;     // of alarms
  uint32_t fail_alarm = 0;     // of alarms: the handler never runs, as when its object cannot start
  uint32_t refuse_put = 0;     // of object turns: one of its first puts is refused
  // The platform's own numbers (tests/platform/limits.json) or, where limits bite, smaller ones.
  uint32_t value_bytes_max = platform::kObjectValueBytes;  // key and value together
  uint32_t subrequests_max = platform::kSubrequests;       // of one invocation
  uint32_t connections_max = platform::kConnections;  // sends of one invocation without an answer
  // Whether outboxes have the platform's own numbers, and no refused puts, crashes and lost calls:
  // three of them in a row are enough. A row of the persons
  // stream that no outbox keeps is lost (docs/DELIVERY.md), and people could not be compared with
  // the stream.
  bool spares_outboxes = false;
};

struct WorldOptions {
  std::string vars = R"("CLOUDFLARE_PIPELINE_ENDPOINT":"http://sink/",)"
                     R"("CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT":"http://sink/persons",)"
                     R"("CLOUDFLARE_REJECTS_PIPELINE_ENDPOINT":"http://sink/rejects",)"
                     R"("CLOUDFLARE_DISTINCT_IDS_PIPELINE_ENDPOINT":"http://sink/distinct_ids")";
  size_t isolates = 2;
  Faults faults;
  ProtocolFaults protocol;
  PersonBounds people;
  OutboxFaults outbox;
  // Messages that are due at once are taken in any order instead of by their latency.
  bool any_order = false;
};

struct ObjectId {
  ObjectClass object_class;
  std::string name;
  bool operator<(const ObjectId& other) const {
    return std::tie(object_class, name) < std::tie(other.object_class, other.name);
  }
};

// Storage of one object, with the changes of the turn under way so that they can be taken back.
class ObjectStorage final : public Storage {
 public:
  bool get(std::string_view key, std::string& value) override;
  void put(std::string_view key, std::string_view value) override;
  void erase(std::string_view key) override;
  std::vector<std::string> list(std::string_view prefix, std::string_view after,
                                uint32_t count_max) override;
  void set_alarm(int64_t at_ms) override;
  int64_t alarm() override { return alarm_at_ms_; }

  // The put number `refused_put` of the turn is refused, 0: none; larger values always are.
  void begin_turn(uint32_t value_bytes_max, uint32_t refused_put);
  void roll_back();
  // Whether a put of the turn was refused, which ends the object (js-shim/core.js).
  bool has_refused() const { return has_refused_; }
  bool alarm_was_set() const { return alarm_was_set_; }
  void take_alarm() { alarm_at_ms_ = 0; }
  bool was_written() const { return has_written_; }

  uint64_t rows_read = 0;
  uint64_t rows_written = 0;

 private:
  using Values = std::map<std::string, std::string, std::less<>>;
  Values values_;
  std::vector<std::pair<std::string, std::optional<std::string>>> undo_;
  int64_t alarm_at_ms_ = 0;
  int64_t alarm_before_ms_ = 0;
  bool alarm_was_set_ = false;
  size_t value_bytes_max_ = platform::kObjectValueBytes;
  uint32_t puts_ = 0;
  uint32_t refused_put_ = 0;
  bool has_refused_ = false;
  bool has_written_ = false;  // as js-shim/core.js sees it: an alarm and an erased nothing count
};

struct Counts {
  uint64_t messages = 0;
  uint64_t turns = 0;
  uint64_t crashes = 0;
  uint64_t evictions = 0;
  uint64_t lost = 0;
  uint64_t unanswered = 0;  // calls without an answer of use, in time
  uint64_t duplicated = 0;
  uint64_t alarms = 0;
  uint64_t sends = 0;
  uint64_t refused_turns = 0;  // undone, for the storage refused a put
  uint64_t failed_turns = 0;   // undone, for they had written and ended in an error
  uint64_t silent = 0;         // calls that only the time-out ended
  uint64_t stalls = 0;
  uint64_t refused_subrequests = 0;  // above an invocation's budget
  uint64_t queued_sends = 0;         // waited for a connection
  uint64_t failed_alarms = 0;
  std::map<ObjectClass, uint64_t> calls;
};

class World {
 public:
  using Done = std::function<void(const Reply*)>;

  World(const WorldOptions& options, Choices& choices, Sink& sink);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  int64_t now_ms() const { return now_ms_; }
  // Sends a request to some isolate. `attempt` is handed on to every call it leads to; `done` gets
  // null when the answer was lost.
  void http(HttpInput input, uint32_t attempt, Done done);
  // Does something later.
  void after(int64_t delay_ms, std::function<void()> action);
  // Takes messages until none is left. False when that does not end within `messages_max`.
  bool run(uint64_t messages_max);
  // From now on nothing goes wrong.
  void heal() { faults_ = {}; }

  std::map<ObjectId, ObjectStorage>& objects() { return objects_; }
  const Counts& counts() const { return counts_; }
  // Message number of the last turn that worked for an attempt.
  uint64_t last_step_of(uint32_t attempt) const;
  // Whether something went wrong for an attempt.
  bool was_faulted(uint32_t attempt) const { return faulted_.count(attempt) > 0; }
  uint64_t step() const { return counts_.messages; }

  // Called after each committed turn that wrote.
  std::function<void(const ObjectId&, ObjectStorage&)> on_commit;

 private:
  struct Isolate;
  struct Run;
  struct Alarm {
    uint64_t setting = 0;  // counts changes, so that a message of an older one is void
    int failures = 0;
    bool is_running = false;
  };

  void post(int64_t delay_ms, std::function<void()> action);
  uint32_t latency_ms();
  Run& begin(std::unique_ptr<Task> task, size_t isolate, std::optional<ObjectId> object,
             uint32_t attempt, Done done);
  void turn(uint64_t run_id, const EffectResult* result);
  bool is_spared_outbox(ObjectClass object_class) const {
    return faults_.spares_outboxes && object_class == ObjectClass::kOutbox;
  }
  void perform(uint64_t run_id, Effect effect);
  void call_object(uint64_t run_id, uint32_t effect_id, const CallObject& call);
  void arrive(const ObjectId& object, const std::string& request, uint32_t attempt, Done done);
  void queue_send(uint64_t run_id, uint32_t effect_id, const SendRows& send);
  void send_rows(uint64_t run_id, uint32_t effect_id, const SendRows& send);
  void send_ended(uint64_t run_id, const EffectResult& result);
  void answer(uint64_t run_id, EffectResult result);
  void finish(uint64_t run_id);
  void kill(uint64_t run_id);
  void crash_object(const ObjectId& object);
  void evict(size_t isolate);
  void arm(const ObjectId& object);
  void ring(const ObjectId& object, uint64_t setting);
  void alarm_ended(const ObjectId& object, bool succeeded);
  size_t isolate_of(const ObjectId& object) const;

  WorldOptions options_;
  Faults faults_;
  Choices& choices_;
  Sink& sink_;
  int64_t now_ms_ = 1'767'268'800'000;
  uint64_t next_message_ = 0;
  std::map<std::pair<int64_t, uint64_t>, std::function<void()>> messages_;
  std::vector<std::unique_ptr<Isolate>> isolates_;
  std::map<ObjectId, ObjectStorage> objects_;
  std::map<ObjectId, Alarm> alarms_;
  std::map<ObjectId, int64_t> stalled_until_ms_;
  std::unordered_map<uint64_t, std::unique_ptr<Run>> runs_;
  uint64_t next_run_ = 1;
  Counts counts_;
  std::unordered_map<uint32_t, uint64_t> last_step_;
  std::set<uint32_t> faulted_;
};

}  // namespace hogflare::sim
