// Delivery of one request's rows: to the sinks, else to an outbox object.
//
// Rows are appended to one RowBatch per stream; a DeliveryRun, owned by the request's task, cuts
// them into sends, retries where that can help, and hands what is left to an OUTBOX object.
// Afterwards every row has a fate. What is promised and how the sink behaves: docs/DELIVERY.md.
//
//   RowBatch events(Stream::kEvents);
//   write_row(events.buffer(), event);        // one JSON object
//   if (!events.end_row().ok()) …             // over the sink's row limit: becomes a reject
//   DeliveryRun run(std::move(batches), health);
//   run.start(turn, effects);
//   // in resume: if (run.owns(result.id)) run.resume(turn, std::move(result), effects);
//   if (run.finished()) reply(run.verdict(), run.fate(Stream::kEvents, row));
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/limits.h"
#include "hogflare/metrics.h"
#include "hogflare/request_budget.h"
#include "hogflare/result.h"
#include "hogflare/task.h"

namespace hogflare {

// --- Rows ---

// Rows of one stream, in order, in one buffer: any range of them is one slice.
class RowBatch {
 public:
  explicit RowBatch(Stream stream) : stream_(stream) {}

  Stream stream() const { return stream_; }
  uint32_t size() const { return static_cast<uint32_t>(ends_.size()); }
  bool empty() const { return ends_.empty(); }

  // Where the next row is appended. Nothing that stands there already may be changed.
  std::string& buffer();
  // Closes the row written since the last call. kEventTooLarge when it is over
  // limits::kRowBytesMax: the row is then taken back. Needs at least one byte.
  Result<Ok> end_row();
  // Takes back what was written since the last end_row.
  void cancel_row();
  // buffer() and end_row() for a row that is ready.
  Result<Ok> append(std::string_view row);

  std::string_view row(uint32_t index) const;
  // Rows [first, last) as a JSON array.
  std::string array(uint32_t first, uint32_t last) const;
  struct Room {
    size_t bytes;
    size_t rows;
  };
  // Makes room for rows to come.
  void reserve(const Room& room) {
    bytes_.reserve(room.bytes);
    ends_.reserve(room.rows);
  }
  // Bytes of all rows.
  size_t bytes() const { return bytes_.size(); }
  // Bytes of that array.
  size_t array_bytes(uint32_t first, uint32_t last) const;

 private:
  size_t begin_of(uint32_t index) const { return index == 0 ? 0 : ends_[index - 1] + 1; }

  Stream stream_;
  std::string bytes_;           // row,row,row
  std::vector<uint32_t> ends_;  // offset behind each row
};

// --- The sink ---

// What an answer means. A 2xx whose JSON says "success": false is transient.
SinkVerdict sink_verdict(const EffectResult& result);

// A short text for logs and stored sends: status and the beginning of the sink's answer.
std::string failure_reason(const EffectResult& result);

// A circuit breaker per stream, kept in the isolate's context: while a sink is known to be down,
// requests go straight to the outbox instead of each waiting for a time-out.
class SinkHealth {
 public:
  // Whether to send now. While broken it lets one probe through after each pause.
  bool allows(Stream stream, int64_t now_ms);
  // kPoison and kTooLarge are answers of a sink that is well.
  void note(Stream stream, SinkVerdict verdict, int64_t now_ms);
  // No answer at all in a send's time: one of these is enough, for every request would wait as
  // long.
  void note_hang(Stream stream, int64_t now_ms);
  bool open(Stream stream) const { return state_[index_of(stream)].pause_ms > 0; }

 private:
  struct State {
    uint32_t failures = 0;  // in a row
    int64_t first_failure_ms = 0;
    uint32_t pause_ms = 0;    // 0: closed
    int64_t probe_at_ms = 0;  // when open: the next send that is let through
    bool probing = false;     // one was let through and has not been answered
  };
  void reopen(State& state, int64_t now_ms);
  PerStream<State> state_{};
};

// --- The run ---

enum class RowFate : uint8_t {
  kPending,    // the run has not finished
  kDelivered,  // the sink has it
  kInOutbox,   // an outbox object has it
  kUnrouted,   // the stream has no sink (persons and rejects are optional)
  kFailed,     // nobody has it
};

// What the request as a whole may be told.
enum class DeliveryVerdict : uint8_t {
  kKept,   // every event row and every reject is delivered, in the outbox, or has no sink
  kRetry,  // at least one is not: a refusal nobody recorded is a loss as well
};

struct StreamOutcome {
  uint32_t delivered = 0;
  uint32_t in_outbox = 0;
  uint32_t unrouted = 0;
  uint32_t failed = 0;
};

class DeliveryRun {
 public:
  // At most one batch per stream; empty batches are fine. `health` outlives the run.
  DeliveryRun(std::vector<RowBatch> batches, SinkHealth& health);

  // No attempt starts later than `until_ms`, by itself a run takes limits::kDeliveryDeadlineMs; and
  // sends and outbox calls come out of `budget`, which outlives the run. For a request that has
  // several runs.
  void limit(int64_t until_ms, RequestBudget& budget) {
    deadline_ms_ = until_ms;
    budget_ = &budget;
  }
  void start(const Turn& turn, Effects& effects);
  bool owns(uint32_t effect_id) const { return find(effect_id) != in_flight_.end(); }
  void resume(const Turn& turn, EffectResult result, Effects& effects);
  bool finished() const { return started_ && open_sends_ == 0; }

  // The rest needs finished().
  DeliveryVerdict verdict() const;
  // kOutboxFull or kSinkUnavailable when some row failed: the last cause.
  std::optional<ErrorCode> failure() const { return failure_; }
  RowFate fate(Stream stream, uint32_t row) const;
  StreamOutcome outcome(Stream stream) const;

 private:
  enum class State : uint8_t {
    kQueued,   // to be sent
    kSending,  // SendRows in flight
    kWaiting,  // Wait in flight, then kQueued
    kToStore,  // to be put into an outbox
    kStoring,  // CallObject in flight
    kDone,
  };
  struct Send {
    size_t batch;  // index into batches_
    uint32_t first;
    uint32_t last;
    State state = State::kQueued;
    RowFate fate = RowFate::kPending;  // of all its rows
    uint32_t attempts = 0;
    int64_t sent_at_ms = 0;
    uint32_t timeout_ms = 0;
    bool timed_out = false;  // the last attempt had no answer
    int64_t first_failed_ms = 0;
    uint32_t retry_after_ms = 0;
    uint16_t status = 0;
    std::string reason;
    uint32_t shard = 0;
    uint32_t shard_tries = 0;
    bool shard_full = false;
  };
  struct Batch {
    RowBatch rows;
    uint32_t sends_in_flight = 0;
    RowFate unsent_fate = RowFate::kPending;  // of rows that no send has: the stream has no sink
  };
  struct InFlight {
    uint32_t effect_id;
    size_t send;  // index into sends_
  };

  // A few at most, so that looking at each is the quickest way to one.
  std::vector<InFlight>::const_iterator find(uint32_t effect_id) const {
    return std::find_if(in_flight_.begin(), in_flight_.end(),
                        [&](const InFlight& each) { return each.effect_id == effect_id; });
  }
  void cut(size_t batch, uint32_t first, uint32_t last);
  void pump(const Turn& turn, Effects& effects);
  std::optional<size_t> pick() const;
  void dispatch(const Turn& turn, size_t index, Effects& effects);
  void store(const Turn& turn, size_t index, Effects& effects);
  void handle_sent(const Turn& turn, size_t index, const EffectResult& result, Effects& effects);
  void handle_transient(const Turn& turn, size_t index, Effects& effects);
  void handle_stored(const Turn& turn, size_t index, const EffectResult& result);
  void split(const Turn& turn, size_t index);
  void conclude(const Turn& turn, size_t index, RowFate fate);

  std::vector<Batch> batches_;
  SinkHealth& health_;
  std::vector<Send> sends_;  // events first
  std::vector<InFlight> in_flight_;
  uint32_t connections_ = 0;  // of them, without the waits
  size_t open_sends_ = 0;
  bool started_ = false;
  int64_t deadline_ms_ = 0;
  RequestBudget* budget_ = nullptr;  // null: of nobody's
  std::optional<ErrorCode> failure_;
};

}  // namespace hogflare
