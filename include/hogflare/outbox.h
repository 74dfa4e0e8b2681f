// OUTBOX objects: sends that were not delivered, kept and retried until they are.
//
// Named "outbox:0" … "outbox:7". A request's DeliveryRun puts sends into one of them; its alarm
// sends them again, with backoff, for as long as it takes; rows that the sink itself refuses are
// isolated by halving and quarantined. Why it is built so: docs/adr/0003-outbox.md; what an
// operator sees and does: docs/DELIVERY.md.
//
//   std::unique_ptr<Task> task = make_outbox_call(request);    // the object's RPC method
//   std::unique_ptr<Task> task = make_outbox_alarm();          // the object's alarm
//   std::unique_ptr<Task> task = make_admin_task(AdminKind::kOutbox, {});  // the Worker
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/limits.h"
#include "hogflare/metrics.h"
#include "hogflare/outbox_stats.h"
#include "hogflare/task.h"

namespace hogflare {

// --- Requests to an outbox object ---
// A JSON object on one line; a put is followed by a line feed and the rows.

// "outbox:N".
// In every call of an outbox object, as "version"; one without is of the deployment before.
inline constexpr int64_t kOutboxCallVersion = 1;

std::string outbox_name(uint32_t shard);

struct OutboxPut {
  Stream stream;
  uint32_t row_count;
  int64_t first_failed_ms;
  uint32_t retry_after_ms;  // what the sink asked for; 0: nothing
  uint16_t status;          // the sink's; 0: no answer
  std::string_view reason;
  std::string_view rows;  // a JSON array
};
std::string write_outbox_put(const OutboxPut& put);

enum class PutResult : uint8_t { kStored, kFull, kFailed };
// kFailed for anything that is not one of the two replies, a missing answer included.
PutResult read_put_reply(const EffectResult& result);

// --- Figures ---

// Asks every shard; a sub-state machine like DeliveryRun, for /healthz and /metrics.
class OutboxStatsRun {
 public:
  void start(const Turn& turn, Effects& effects);
  bool owns(uint32_t effect_id) const { return in_flight_.count(effect_id) > 0; }
  void resume(const Turn& turn, EffectResult result, Effects& effects);
  bool finished() const { return started_ && in_flight_.empty(); }
  const OutboxStats& stats() const { return stats_; }

 private:
  void ask(Effects& effects);

  OutboxStats stats_;
  std::map<uint32_t, uint32_t> in_flight_;  // effect id to shard
  uint32_t next_shard_ = 0;
  bool started_ = false;
};

// JSON of the figures, as GET /admin/outbox shows them and /healthz embeds them.
std::string write_outbox_stats(const OutboxStats& stats);

// --- Tasks ---

// Steps of the outbox that a test build leaves out to see the simulator notice.
struct OutboxFaults {
  bool skip_put_alarm = false;           // store a send without setting the alarm
  bool skip_put_counts = false;          // store a send without counting it
  bool store_nothing_when_full = false;  // say "stored" all the same
  bool skip_rearm = false;               // work before the next alarm is set
  bool disarm_with_work_left = false;
  bool delete_before_success = false;  // forget a send when it leaves, not when it arrived
  bool forget_upper_half = false;      // halve a send and keep one half
  bool quarantine_whole_send = false;  // instead of looking for the row
  bool drop_refused_row = false;       // instead of quarantining it
};

// One call to an outbox object. The reply's status is 200 and its body JSON; 400 for a request that
// is not one of ours.
std::unique_ptr<Task> make_outbox_call(std::string request);

// The object's alarm. The reply's body is empty.
std::unique_ptr<Task> make_outbox_alarm();
// The same with faults, for the simulator.
std::unique_ptr<Task> make_outbox_call(std::string request, const OutboxFaults& faults);
std::unique_ptr<Task> make_outbox_alarm(const OutboxFaults& faults);

enum class AdminKind : uint8_t {
  kOutbox,             // GET  /admin/outbox
  kDrain,              // POST /admin/outbox/drain
  kQuarantine,         // GET  /admin/quarantine
  kRedriveQuarantine,  // POST /admin/quarantine/redrive
};

struct AdminQuery {
  std::optional<uint32_t> shard;  // only this one; absent: all
  std::string after;              // kQuarantine: the `next` of the page before; needs `shard`
};

// In the Worker: calls the shards and merges. Authorisation is the caller's. Replies 200 when every
// shard answered, 207 with the shards that did not in "failed_shards", 502 when none did.
std::unique_ptr<Task> make_admin_task(AdminKind kind, AdminQuery query);

}  // namespace hogflare
