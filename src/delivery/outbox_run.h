// One alarm's (or one drain's) work in an outbox object: send what is due, oldest first.
//
// Several stored sends of a stream travel as one parcel. A parcel that fails is halved, so that a
// send the sink cannot take does not hold up its neighbours; a send that is refused for good while
// travelling alone is halved in storage, down to the row, which is quarantined.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "delivery/outbox_store.h"
#include "hogflare/delivery.h"
#include "hogflare/outbox.h"
#include "hogflare/task.h"

namespace hogflare {

enum class OutboxRunKind : uint8_t {
  kAlarm,  // streams whose backoff is over
  kDrain,  // all streams, now
};

class OutboxRun {
 public:
  struct Counts {
    uint64_t rows_delivered = 0;
    uint64_t sends_delivered = 0;
    uint64_t rows_quarantined = 0;
    uint64_t failures = 0;  // parcels that did not land
  };

  OutboxRun(OutboxRunKind kind, const OutboxFaults& faults) : kind_(kind), faults_(faults) {}
  ~OutboxRun();
  OutboxRun(const OutboxRun&) = delete;
  OutboxRun& operator=(const OutboxRun&) = delete;

  // An alarm's run arms the next alarm before anything else: whatever becomes of it, there will be
  // another.
  void start(const Turn& turn, Effects& effects);
  void resume(const Turn& turn, EffectResult result, Effects& effects);
  bool finished() const { return finished_; }
  const Counts& counts() const { return counts_; }

 private:
  using Parcel = std::vector<std::string>;  // keys of stored sends
  struct StreamRun {
    bool taken_up = false;   // due in this run
    bool active = false;     // and not given up
    std::string after;       // the last key taken from storage
    std::string stop_after;  // having wrapped around: where this run began
    bool wrapped = false;
    bool lacked_memory = false;    // other objects of the isolate had it
    std::deque<Parcel> parcels;    // halves of failed ones, before new ones
    std::set<std::string> halves;  // keys of stored sends this run has made by halving
    uint32_t parcel_sends = 1;     // stored sends the next parcel may join
    uint32_t in_flight = 0;
    uint32_t landed = 0;  // parcels
    uint32_t failed = 0;
    uint32_t failed_in_a_row = 0;
    uint32_t retry_after_ms = 0;
    uint16_t last_status = 0;
    std::string last_reason;
  };
  struct Flight {
    Stream stream;
    Parcel parcel;
    int64_t sent_at_ms;
    size_t bytes;
  };

  void take_up_streams(const Turn& turn);
  void pump(const Turn& turn, Effects& effects);
  bool send_next(const Turn& turn, Stream stream, Effects& effects);
  uint32_t sends_at_once(Stream stream, const OutboxStore& store) const;
  Parcel next_keys(const OutboxStore& store, Stream stream);
  void handle_delivered(const Turn& turn, Stream stream, const Parcel& parcel);
  void handle_failed(const Turn& turn, Stream stream, Parcel parcel, SinkVerdict verdict,
                     const EffectResult& result);
  void note_failure(Stream stream, uint16_t status, std::string reason);
  void requeue_halves(Stream stream, Parcel parcel);
  void suspect(const Turn& turn, Stream stream, const std::string& key);
  bool split_stored(const Turn& turn, Stream stream, const StoredSend& send, OutboxStore& store);
  void isolate(const Turn& turn, Stream stream, const std::string& key, const EffectResult& result);
  void finish(const Turn& turn);

  OutboxRunKind kind_;
  OutboxFaults faults_;
  PerStream<StreamRun> streams_;
  std::map<uint32_t, Flight> in_flight_;
  // Of the isolate (metrics.h), which outlives its tasks; this run's part of it is that of
  // in_flight_.
  uint64_t* bytes_in_flight_ = nullptr;
  std::optional<uint32_t> rearmed_;  // the pause between arming the alarm and the work
  int64_t started_ms_ = 0;
  uint32_t sends_ = 0;
  bool finished_ = false;
  Counts counts_;
};

}  // namespace hogflare
