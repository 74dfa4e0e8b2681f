#include <algorithm>

#include "hogflare/backoff.h"
#include "hogflare/config.h"
#include "hogflare/delivery.h"
#include "hogflare/outbox.h"

namespace hogflare {
namespace {

constexpr Backoff kBackoff{.base_ms = limits::kSendBackoffBaseMs,
                           .cap_ms = limits::kSendBackoffCapMs};

uint32_t sends_at_once(Stream stream) {
  return stream == Stream::kEvents ? limits::kSendsAtOnce : limits::kSideSendsAtOnce;
}

}  // namespace

DeliveryRun::DeliveryRun(std::vector<RowBatch> batches, SinkHealth& health) : health_(health) {
  // Events are started first: the other streams take what is left of the connections.
  std::sort(batches.begin(), batches.end(),
            [](const RowBatch& a, const RowBatch& b) { return a.stream() < b.stream(); });
  batches_.reserve(batches.size());
  for (RowBatch& rows : batches) {
    HF_ASSERT(batches_.empty() || batches_.back().rows.stream() != rows.stream());
    batches_.push_back({.rows = std::move(rows)});
  }
}

void DeliveryRun::start(const Turn& turn, Effects& effects) {
  HF_ASSERT(!started_);
  started_ = true;
  if (deadline_ms_ == 0) deadline_ms_ = turn.now_ms + limits::kDeliveryDeadlineMs;
  for (size_t batch = 0; batch < batches_.size(); ++batch) {
    const RowBatch& rows = batches_[batch].rows;
    if (rows.empty()) continue;
    const size_t stream = index_of(rows.stream());
    if (turn.config.sinks[stream] != SinkKind::kNone) {
      cut(batch, 0, rows.size());
    } else if (rows.stream() == Stream::kEvents) {
      // Without a sink for events nothing may be acknowledged.
      batches_[batch].unsent_fate = RowFate::kFailed;
      turn.metrics.rows_failed[stream] += rows.size();
      failure_ = ErrorCode::kSinkUnavailable;
      turn.metrics.log.add(LogLevel::kError, "no_sink", {{"stream", name_of(rows.stream())}});
    } else {
      batches_[batch].unsent_fate = RowFate::kUnrouted;
      turn.metrics.rows_unrouted[stream] += rows.size();
    }
  }
  pump(turn, effects);
}

// Greedy in order: a send takes rows until the next one would not fit.
void DeliveryRun::cut(size_t batch, uint32_t first, uint32_t last) {
  const RowBatch& rows = batches_[batch].rows;
  while (first < last) {
    uint32_t end = first + 1;
    while (end < last && rows.array_bytes(first, end + 1) <= limits::kSendBytesMax) ++end;
    Send send;
    send.batch = batch;
    send.first = first;
    send.last = end;
    sends_.push_back(std::move(send));
    ++open_sends_;
    first = end;
  }
}

void DeliveryRun::resume(const Turn& turn, EffectResult result, Effects& effects) {
  const auto found = find(result.id);
  HF_ASSERT(found != in_flight_.end());
  const size_t index = found->send;
  in_flight_.erase(found);
  Send& send = sends_[index];
  switch (send.state) {
    case State::kSending:
      --connections_;
      --batches_[send.batch].sends_in_flight;
      handle_sent(turn, index, result, effects);
      break;
    case State::kStoring:
      --connections_;
      handle_stored(turn, index, result);
      break;
    case State::kWaiting:
      send.state = State::kQueued;
      break;
    case State::kQueued:
    case State::kToStore:
    case State::kDone:
      HF_ASSERT(false);  // nothing of theirs is in flight
  }
  pump(turn, effects);
}

void DeliveryRun::pump(const Turn& turn, Effects& effects) {
  while (connections_ < limits::kSendsAtOnce) {
    const std::optional<size_t> index = pick();
    if (!index.has_value()) return;
    if (sends_[*index].state == State::kToStore) {
      store(turn, *index, effects);
    } else {
      dispatch(turn, *index, effects);
    }
  }
}

// What has already failed goes to safety first; then the order of sends_, events before the rest.
std::optional<size_t> DeliveryRun::pick() const {
  std::optional<size_t> queued;
  for (size_t i = 0; i < sends_.size(); ++i) {
    const Send& send = sends_[i];
    if (send.state == State::kToStore) return i;
    if (send.state != State::kQueued || queued.has_value()) continue;
    const Batch& batch = batches_[send.batch];
    if (batch.sends_in_flight < sends_at_once(batch.rows.stream())) queued = i;
  }
  return queued;
}

void DeliveryRun::dispatch(const Turn& turn, size_t index, Effects& effects) {
  Send& send = sends_[index];
  Batch& batch = batches_[send.batch];
  const Stream stream = batch.rows.stream();
  const int64_t left_ms = deadline_ms_ - turn.now_ms;
  const bool late = left_ms < int64_t{limits::kSendTimeoutMinMs};
  const bool spent = !late && budget_ != nullptr && budget_->sends_left == 0;
  if (late || spent || !health_.allows(stream, turn.now_ms)) {
    if (send.first_failed_ms == 0) send.first_failed_ms = turn.now_ms;
    if (send.reason.empty()) {
      send.reason = late ? "no time left" : spent ? "no sends left" : "the sink is failing";
    }
    if (!late && !spent) ++turn.metrics.sends_skipped[index_of(stream)];
    send.state = State::kToStore;
    return;
  }
  if (budget_ != nullptr) --budget_->sends_left;
  if (send.attempts > 0) ++turn.metrics.send_retries[index_of(stream)];
  ++send.attempts;
  send.sent_at_ms = turn.now_ms;
  send.timeout_ms =
      static_cast<uint32_t>(std::min<int64_t>(left_ms, turn.config.pipeline_timeout_ms));
  send.state = State::kSending;
  const uint32_t id = effects.add(SendRows{stream, batch.rows.array(send.first, send.last),
                                           send.last - send.first, send.timeout_ms});
  in_flight_.push_back({id, index});
  ++connections_;
  ++batch.sends_in_flight;
}

void DeliveryRun::handle_sent(const Turn& turn, size_t index, const EffectResult& result,
                              Effects& effects) {
  Send& send = sends_[index];
  const Stream stream = batches_[send.batch].rows.stream();
  const SinkVerdict verdict = sink_verdict(result);
  send.timed_out =
      result.http_status == 0 && turn.now_ms - send.sent_at_ms >= int64_t{send.timeout_ms};
  if (!result.shared) {
    if (send.timed_out) {
      health_.note_hang(stream, turn.now_ms);
    } else {
      health_.note(stream, verdict, turn.now_ms);
    }
    ++turn.metrics.sends[index_of(stream)][static_cast<size_t>(verdict)];
  }
  if (verdict == SinkVerdict::kDelivered) {
    conclude(turn, index, RowFate::kDelivered);
    return;
  }
  if (send.first_failed_ms == 0) send.first_failed_ms = turn.now_ms;
  send.status = result.http_status;
  send.reason = failure_reason(result);
  send.retry_after_ms = result.retry_after_ms;
  turn.metrics.log.add(verdict == SinkVerdict::kTransient ? LogLevel::kWarn : LogLevel::kError,
                       "send_failed",
                       {{"stream", name_of(stream)},
                        {"verdict", name_of(verdict)},
                        {"status", result.http_status},
                        {"rows", send.last - send.first},
                        {"attempt", send.attempts}});
  if (verdict == SinkVerdict::kTransient) {
    handle_transient(turn, index, effects);
  } else if (verdict == SinkVerdict::kTooLarge && send.last - send.first > 1 &&
             (budget_ == nullptr || budget_->sends_left > 0)) {
    split(turn, index);
  } else {
    send.state = State::kToStore;
  }
}

// Tries again in the request when that is likely to be quick, else leaves it to the outbox.
void DeliveryRun::handle_transient(const Turn& turn, size_t index, Effects& effects) {
  Send& send = sends_[index];
  if (send.timed_out) ++turn.metrics.send_timeouts[index_of(batches_[send.batch].rows.stream())];
  uint32_t delay_ms = full_jitter_ms(kBackoff, send.attempts - 1, turn.entropy);
  delay_ms = std::max(delay_ms, send.retry_after_ms);
  // A client that has waited for one whole time-out does not wait for a second one.
  if (send.timed_out || send.attempts >= limits::kSendAttempts ||
      send.retry_after_ms > limits::kSendRetryAfterMaxMs ||
      turn.now_ms + delay_ms + limits::kSendTimeoutMinMs > deadline_ms_) {
    send.state = State::kToStore;
    return;
  }
  send.state = State::kWaiting;
  in_flight_.push_back({effects.add(Wait{delay_ms}), index});
}

// The halves start anew: an answer of 413 costs no attempt.
void DeliveryRun::split(const Turn& turn, size_t index) {
  Send upper = sends_[index];
  const uint32_t middle = upper.first + (upper.last - upper.first) / 2;
  ++turn.metrics.send_splits[index_of(batches_[upper.batch].rows.stream())];
  upper.state = State::kQueued;
  upper.attempts = 0;
  Send& lower = sends_[index];
  lower = upper;
  lower.last = middle;
  upper.first = middle;
  sends_.insert(sends_.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(upper));
  for (InFlight& other : in_flight_) {
    if (other.send > index) ++other.send;
  }
  ++open_sends_;
}

void DeliveryRun::store(const Turn& turn, size_t index, Effects& effects) {
  Send& send = sends_[index];
  if (budget_ != nullptr && !budget_->take_object_call()) {
    failure_ = ErrorCode::kSinkUnavailable;
    return conclude(turn, index, RowFate::kFailed);
  }
  const Batch& batch = batches_[send.batch];
  if (send.shard_tries == 0) {
    send.shard = static_cast<uint32_t>(turn.entropy.below(limits::kOutboxShards));
  } else {
    send.shard = (send.shard + 1) % limits::kOutboxShards;
  }
  ++send.shard_tries;
  const std::string rows = batch.rows.array(send.first, send.last);
  std::string request = write_outbox_put({.stream = batch.rows.stream(),
                                          .row_count = send.last - send.first,
                                          .first_failed_ms = send.first_failed_ms,
                                          .retry_after_ms = send.retry_after_ms,
                                          .status = send.status,
                                          .reason = send.reason,
                                          .rows = rows});
  send.state = State::kStoring;
  const uint32_t id =
      effects.add(CallObject{ObjectClass::kOutbox, outbox_name(send.shard), std::move(request)});
  in_flight_.push_back({id, index});
  ++connections_;
}

void DeliveryRun::handle_stored(const Turn& turn, size_t index, const EffectResult& result) {
  Send& send = sends_[index];
  const PutResult put = read_put_reply(result);
  if (put == PutResult::kStored) {
    ++turn.metrics.outbox_puts;
    turn.metrics.outbox_put_bytes += batches_[send.batch].rows.array_bytes(send.first, send.last);
    conclude(turn, index, RowFate::kInOutbox);
    return;
  }
  if (put == PutResult::kFull) {
    ++turn.metrics.outbox_puts_full;
    send.shard_full = true;
  } else {
    ++turn.metrics.outbox_puts_failed;
  }
  if (send.shard_tries < limits::kOutboxShardTries) {
    send.state = State::kToStore;
    return;
  }
  failure_ = send.shard_full ? ErrorCode::kOutboxFull : ErrorCode::kSinkUnavailable;
  turn.metrics.log.add(LogLevel::kError, "rows_not_kept",
                       {{"stream", name_of(batches_[send.batch].rows.stream())},
                        {"rows", send.last - send.first},
                        {"cause", error_info(*failure_).tag},
                        {"sink", send.reason}});
  conclude(turn, index, RowFate::kFailed);
}

void DeliveryRun::conclude(const Turn& turn, size_t index, RowFate fate) {
  Send& send = sends_[index];
  const size_t stream = index_of(batches_[send.batch].rows.stream());
  const uint64_t rows = send.last - send.first;
  HF_ASSERT(send.fate == RowFate::kPending);
  send.state = State::kDone;
  send.fate = fate;
  --open_sends_;
  if (fate == RowFate::kDelivered) turn.metrics.rows_delivered[stream] += rows;
  if (fate == RowFate::kInOutbox) turn.metrics.rows_to_outbox[stream] += rows;
  if (fate == RowFate::kFailed) turn.metrics.rows_failed[stream] += rows;
}

RowFate DeliveryRun::fate(Stream stream, uint32_t row) const {
  for (size_t batch = 0; batch < batches_.size(); ++batch) {
    const RowBatch& rows = batches_[batch].rows;
    if (rows.stream() != stream) continue;
    HF_ASSERT(row < rows.size());
    for (const Send& send : sends_) {
      if (send.batch == batch && send.first <= row && row < send.last) return send.fate;
    }
    return batches_[batch].unsent_fate;
  }
  HF_ASSERT(false);  // the request has no batch of this stream
  return RowFate::kFailed;
}

StreamOutcome DeliveryRun::outcome(Stream stream) const {
  HF_ASSERT(finished());
  StreamOutcome outcome;
  const auto count = [&](RowFate fate, uint32_t rows) {
    if (fate == RowFate::kDelivered) outcome.delivered += rows;
    if (fate == RowFate::kInOutbox) outcome.in_outbox += rows;
    if (fate == RowFate::kUnrouted) outcome.unrouted += rows;
    if (fate == RowFate::kFailed) outcome.failed += rows;
  };
  for (const Batch& batch : batches_) {
    if (batch.rows.stream() == stream) count(batch.unsent_fate, batch.rows.size());
  }
  for (const Send& send : sends_) {
    if (batches_[send.batch].rows.stream() == stream) count(send.fate, send.last - send.first);
  }
  return outcome;
}

DeliveryVerdict DeliveryRun::verdict() const {
  const bool all_kept =
      outcome(Stream::kEvents).failed == 0 && outcome(Stream::kRejects).failed == 0;
  return all_kept ? DeliveryVerdict::kKept : DeliveryVerdict::kRetry;
}

}  // namespace hogflare
