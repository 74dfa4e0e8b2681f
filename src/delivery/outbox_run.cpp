#include "delivery/outbox_run.h"

#include <algorithm>
#include <iterator>

#include "hogflare/backoff.h"
#include "hogflare/json.h"

namespace hogflare {
namespace {

constexpr Backoff kBackoff{.base_ms = limits::kOutboxBackoffBaseMs,
                           .cap_ms = limits::kOutboxBackoffCapMs};
constexpr PerStream<Stream> kStreamsInOrder = {Stream::kEvents, Stream::kPersons, Stream::kRejects,
                                               Stream::kDistinctIds};

// Appends the rows of one stored send, an array, to an array that is being built.
void join(std::string& array, std::string_view rows) {
  if (array.empty()) {
    array = rows;
    return;
  }
  array.back() = ',';
  array += rows.substr(1);
}

// The rows [first, last) of a parsed array as an array of their own.
std::string slice(const std::vector<std::string_view>& rows, size_t first, size_t last) {
  std::string out = "[";
  for (size_t i = first; i < last; ++i) {
    if (i > first) out += ',';
    out += rows[i];
  }
  out += ']';
  return out;
}

std::vector<std::string_view> rows_of(const json::Document& array) {
  std::vector<std::string_view> rows;
  for (const json::Value row : array.root().elements()) rows.push_back(row.raw());
  return rows;
}

// `send` with only the rows [first, last), and as if it had not failed.
StoredSend part_of(const StoredSend& send, const std::vector<std::string_view>& rows, size_t first,
                   size_t last) {
  return {.key = {},
          .stream = send.stream,
          .first_failed_ms = send.first_failed_ms,
          .row_count = static_cast<uint32_t>(last - first),
          .failures = 0,
          .status = send.status,
          .reason = send.reason,
          .rows = slice(rows, first, last)};
}

}  // namespace

OutboxRun::~OutboxRun() {
  for (const auto& [id, flight] : in_flight_) *bytes_in_flight_ -= flight.bytes;
}

void OutboxRun::start(const Turn& turn, Effects& effects) {
  started_ms_ = turn.now_ms;
  bytes_in_flight_ = &turn.metrics.outbox_bytes_in_flight;
  if (const OutboxStore store(turn); store.fault().has_value()) {
    // The code that can read it may be back, after a rollback for instance.
    refuse_stored(turn, "outbox", *store.fault());
    finished_ = true;
    turn.storage->set_alarm(turn.now_ms + limits::kOutboxBackoffCapMs);
    return;
  }
  if (kind_ == OutboxRunKind::kDrain) return pump(turn, effects);
  if (!faults_.skip_rearm) turn.storage->set_alarm(turn.now_ms + limits::kOutboxRearmMs);
  // A turn of its own, which commits: what is stored may be what the work dies of, and an alarm
  // that died seven times is forgotten.
  rearmed_ = effects.add(Wait{0});
}

// Takes up the streams that are due, or nearly: one alarm for two streams is better than two. Asked
// again as the run goes on, so that a stream whose sink hangs does not hold up the others.
void OutboxRun::take_up_streams(const Turn& turn) {
  OutboxStore store(turn);
  for (const Stream stream : kStreamsInOrder) {
    const OutboxStreamMeta& meta = store.meta().streams[index_of(stream)];
    StreamRun& run = streams_[index_of(stream)];
    const bool due = kind_ == OutboxRunKind::kDrain ||
                     meta.retry_at(turn.now_ms) <= turn.now_ms + limits::kOutboxBackoffBaseMs;
    if (run.taken_up || meta.sends == 0 || !due) continue;
    run.taken_up = true;
    run.active = turn.config.sinks[index_of(stream)] != SinkKind::kNone;
    run.after = meta.cursor;
    run.stop_after = meta.cursor;
    // While nothing lands, ever smaller parcels get past one bad send sooner.
    run.parcel_sends = std::max(1u, limits::kOutboxParcelSends >> std::min(meta.failures, 31u));
    if (!run.active) note_failure(stream, 0, "no sink is configured for this stream");
  }
}

void OutboxRun::resume(const Turn& turn, EffectResult result, Effects& effects) {
  if (rearmed_ == result.id) {
    rearmed_.reset();
    return pump(turn, effects);
  }
  const auto found = in_flight_.find(result.id);
  HF_ASSERT(found != in_flight_.end());
  Flight flight = std::move(found->second);
  in_flight_.erase(found);
  *bytes_in_flight_ -= flight.bytes;
  StreamRun& run = streams_[index_of(flight.stream)];
  --run.in_flight;
  const SinkVerdict verdict = sink_verdict(result);
  ++turn.metrics.sends[index_of(flight.stream)][static_cast<size_t>(verdict)];
  if (verdict == SinkVerdict::kDelivered) {
    handle_delivered(turn, flight.stream, flight.parcel);
  } else {
    if (result.http_status == 0 &&
        turn.now_ms - flight.sent_at_ms >= int64_t{turn.config.pipeline_timeout_ms}) {
      ++turn.metrics.send_timeouts[index_of(flight.stream)];
    }
    handle_failed(turn, flight.stream, std::move(flight.parcel), verdict, result);
  }
  pump(turn, effects);
}

void OutboxRun::pump(const Turn& turn, Effects& effects) {
  take_up_streams(turn);
  const bool time_left = turn.now_ms - started_ms_ < int64_t{limits::kOutboxRunMs};
  for (const Stream stream : kStreamsInOrder) {
    while (time_left && sends_ < limits::kOutboxRunSends && send_next(turn, stream, effects)) {
    }
  }
  if (in_flight_.empty()) finish(turn);
}

// One probe while a stream is failing; more when it has answered.
uint32_t OutboxRun::sends_at_once(Stream stream, const OutboxStore& store) const {
  const StreamRun& run = streams_[index_of(stream)];
  const bool failing = run.failed_in_a_row > 0 ||
                       (run.landed == 0 && store.meta().streams[index_of(stream)].failures > 0);
  if (failing) return 1;
  return stream == Stream::kEvents ? limits::kOutboxSendsAtOnce : limits::kOutboxSideSendsAtOnce;
}

// The keys that follow in storage, around the end once.
OutboxRun::Parcel OutboxRun::next_keys(const OutboxStore& store, Stream stream) {
  StreamRun& run = streams_[index_of(stream)];
  Parcel keys = store.list(stream, run.after, run.parcel_sends);
  if (keys.empty() && !run.wrapped && !run.stop_after.empty()) {
    run.wrapped = true;
    run.after.clear();
    keys = store.list(stream, run.after, run.parcel_sends);
  }
  if (run.wrapped) {
    keys.erase(std::upper_bound(keys.begin(), keys.end(), run.stop_after), keys.end());
  }
  // The halves a split has made stand in the queue already.
  keys.erase(std::remove_if(keys.begin(), keys.end(),
                            [&run](const std::string& key) { return run.halves.count(key) > 0; }),
             keys.end());
  return keys;
}

// False when there is nothing to send now.
bool OutboxRun::send_next(const Turn& turn, Stream stream, Effects& effects) {
  StreamRun& run = streams_[index_of(stream)];
  if (!run.active) return false;
  OutboxStore store(turn);
  if (run.in_flight >= sends_at_once(stream, store)) return false;
  run.lacked_memory = *bytes_in_flight_ + limits::kSendBytesMax > limits::kOutboxMemoryBytesMax;
  if (run.lacked_memory) return false;
  const bool halved = !run.parcels.empty();
  Parcel keys = halved ? std::move(run.parcels.front()) : next_keys(store, stream);
  if (halved) run.parcels.pop_front();
  if (keys.empty()) return false;
  std::string rows;
  uint32_t row_count = 0;
  Parcel parcel;
  for (const std::string& key : keys) {
    const std::optional<StoredSend> send = store.load(key);
    if (send.has_value()) {
      if (!parcel.empty() && rows.size() + send->rows.size() > limits::kSendBytesMax) break;
      join(rows, send->rows);
      row_count += send->row_count;
      parcel.push_back(key);
    } else if (const std::optional<StoredFault> fault = store.take_unreadable()) {
      // It waits for code that can read it; the others must not.
      refuse_stored(turn, "outbox", *fault);
      note_failure(stream, 0, "a stored send cannot be read");
    }
    if (!halved) run.after = key;
  }
  if (faults_.delete_before_success) {
    for (const std::string& key : parcel) store.erase(key);
    store.save();
  }
  if (parcel.empty()) return true;  // another run has delivered them
  const size_t bytes = rows.size();
  const uint32_t id =
      effects.add(SendRows{stream, std::move(rows), row_count, turn.config.pipeline_timeout_ms});
  in_flight_.emplace(id, Flight{stream, std::move(parcel), turn.now_ms, bytes});
  *bytes_in_flight_ += bytes;
  ++run.in_flight;
  ++sends_;
  return true;
}

void OutboxRun::handle_delivered(const Turn& turn, Stream stream, const Parcel& parcel) {
  StreamRun& run = streams_[index_of(stream)];
  ++run.landed;
  run.failed_in_a_row = 0;
  // Growing step by step: a sink that has just come back is not met with all that waits at once.
  run.parcel_sends = std::min(run.parcel_sends * 2, limits::kOutboxParcelSends);
  OutboxStore store(turn);
  const uint64_t rows_before = store.meta().streams[index_of(stream)].rows;
  for (const std::string& key : parcel) {
    if (store.erase(key)) ++counts_.sends_delivered;
  }
  const uint64_t rows = rows_before - store.meta().streams[index_of(stream)].rows;
  store.save();
  counts_.rows_delivered += rows;
  turn.metrics.outbox_rows_delivered[index_of(stream)] += rows;
}

void OutboxRun::handle_failed(const Turn& turn, Stream stream, Parcel parcel, SinkVerdict verdict,
                              const EffectResult& result) {
  StreamRun& run = streams_[index_of(stream)];
  ++counts_.failures;
  turn.metrics.log.add(LogLevel::kWarn, "outbox_send_failed",
                       {{"stream", name_of(stream)},
                        {"verdict", name_of(verdict)},
                        {"status", result.http_status},
                        {"sends", parcel.size()}});
  if (verdict == SinkVerdict::kTooLarge || verdict == SinkVerdict::kPoison) {
    run.failed_in_a_row = 0;  // the sink is well
    if (parcel.size() > 1) {
      requeue_halves(stream, std::move(parcel));
    } else {
      isolate(turn, stream, parcel.front(), result);
    }
    return;
  }
  note_failure(stream, result.http_status, failure_reason(result));
  run.retry_after_ms = std::max(run.retry_after_ms, result.retry_after_ms);
  ++run.failed_in_a_row;
  run.parcel_sends = std::max(1u, static_cast<uint32_t>(parcel.size()) / 2);
  if (verdict == SinkVerdict::kTransient && parcel.size() == 1) {
    suspect(turn, stream, parcel.front());
  } else if (verdict == SinkVerdict::kTransient && run.landed > 0) {
    requeue_halves(stream, std::move(parcel));
  }
  if (verdict == SinkVerdict::kMisconfigured || run.landed == 0 ||
      run.failed_in_a_row >= limits::kOutboxRunFailures) {
    run.active = false;
  }
}

void OutboxRun::note_failure(Stream stream, uint16_t status, std::string reason) {
  StreamRun& run = streams_[index_of(stream)];
  ++run.failed;
  run.last_status = status;
  run.last_reason = std::move(reason);
}

// To the end of the queue, so that one bad half does not hide the good ones behind it.
void OutboxRun::requeue_halves(Stream stream, Parcel parcel) {
  const auto middle = parcel.begin() + static_cast<std::ptrdiff_t>(parcel.size() / 2);
  std::deque<Parcel>& parcels = streams_[index_of(stream)].parcels;
  parcels.emplace_back(parcel.begin(), middle);
  parcels.emplace_back(middle, parcel.end());
}

// A send that keeps failing alone, whatever the sink's reason, may hold a row the sink chokes on.
void OutboxRun::suspect(const Turn& turn, Stream stream, const std::string& key) {
  OutboxStore store(turn);
  const std::optional<StoredSend> send = store.load(key);
  if (!send.has_value()) return;
  if (send->failures + 1 >= limits::kOutboxSuspectFailures && send->row_count > 1) {
    split_stored(turn, stream, *send, store);
  } else if (send->failures < limits::kOutboxSuspectFailures) {
    store.set_failures(key, send->failures + 1);
  }
  store.save();
}

// False when the stored bytes are not an array of several rows.
bool OutboxRun::split_stored(const Turn& turn, Stream stream, const StoredSend& send,
                             OutboxStore& store) {
  const Result<json::Document> document = json::Document::parse_const(send.rows, 1);
  if (!document.ok()) return false;
  const std::vector<std::string_view> rows = rows_of(document.value());
  if (rows.size() < 2) return false;
  const size_t middle = rows.size() / 2;
  StreamRun& run = streams_[index_of(stream)];
  for (std::string& key : store.put_halves(send, part_of(send, rows, 0, middle),
                                           part_of(send, rows, middle, rows.size()))) {
    run.halves.insert(key);
    run.parcels.push_back({std::move(key)});
  }
  if (faults_.forget_upper_half) store.erase(run.parcels.back().front());
  ++turn.metrics.send_splits[index_of(stream)];
  return true;
}

// The sink refuses this send: halves it, or quarantines its one row.
void OutboxRun::isolate(const Turn& turn, Stream stream, const std::string& key,
                        const EffectResult& result) {
  OutboxStore store(turn);
  const std::optional<StoredSend> send = store.load(key);
  if (!send.has_value()) return;
  if (faults_.quarantine_whole_send || !split_stored(turn, stream, *send, store)) {
    QuarantinedRow row{.stream = stream,
                       .first_failed_ms = send->first_failed_ms,
                       .quarantined_ms = turn.now_ms,
                       .status = result.http_status,
                       .reason = failure_reason(result),
                       .row = send->rows.substr(1, send->rows.size() - 2)};
    if (!store.has_quarantine_room(row.row.size())) {
      // It stays where it is: nothing is dropped to make room.
      note_failure(stream, result.http_status, "the quarantine is full");
      return;
    }
    if (!faults_.drop_refused_row && !store.put_quarantined(std::move(row))) {
      note_failure(stream, result.http_status, "a refused row is too large for the quarantine");
      return;
    }
    store.erase(key);
    ++counts_.rows_quarantined;
    ++turn.metrics.outbox_rows_quarantined[index_of(stream)];
    turn.metrics.log.add(LogLevel::kError, "row_quarantined",
                         {{"stream", name_of(stream)}, {"status", result.http_status}});
  }
  store.save();
}

void OutboxRun::finish(const Turn& turn) {
  finished_ = true;
  OutboxStore store(turn);
  int64_t next_ms = 0;
  for (size_t i = 0; i < kStreamCount; ++i) {
    const StreamRun& run = streams_[i];
    OutboxStreamMeta& meta = store.meta().streams[i];
    if (meta.sends == 0) continue;
    int64_t soonest_ms = turn.now_ms + limits::kOutboxContinueMs;
    if (run.lacked_memory && run.landed + run.failed == 0) {
      // Nothing was found out: its backoff stays as it is.
      soonest_ms = turn.now_ms + limits::kOutboxMemoryWaitMs;
    } else if (run.failed > 0) {
      meta.failures = run.landed > 0 ? 1 : meta.failures + 1;
      const uint32_t asked_ms = std::min(run.retry_after_ms, limits::kOutboxBackoffCapMs);
      const uint32_t delay_ms =
          std::max(asked_ms, equal_jitter_ms(kBackoff, meta.failures - 1, turn.entropy));
      meta.retry_at_ms = turn.now_ms + delay_ms;
      meta.last_status = run.last_status;
      meta.last_reason = run.last_reason;
      meta.cursor = run.after;
    } else if (run.taken_up) {
      meta.failures = 0;
      meta.retry_at_ms = 0;
      meta.cursor.clear();
    }
    const int64_t due_ms = std::max(meta.retry_at(turn.now_ms), soonest_ms);
    if (next_ms == 0 || due_ms < next_ms) next_ms = due_ms;
  }
  store.save();
  turn.storage->set_alarm(faults_.disarm_with_work_left ? 0 : next_ms);
}

}  // namespace hogflare
