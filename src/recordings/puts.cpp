// One request's recordings into the bucket.
#include "hogflare/limits.h"
#include "hogflare/metrics.h"
#include "hogflare/must_wait.h"
#include "hogflare/recordings.h"
#include "hogflare/recordings_limits.h"

namespace hogflare {

void RecordingPuts::start(const Turn& turn, Effects& effects) {
  started_ = true;
  while (indexes_.size() < recordings_.size() && !put(turn, effects)) {
  }
}

bool RecordingPuts::put(const Turn& turn, Effects& effects) {
  const Recording& recording = recordings_[indexes_.size()];
  indexes_.emplace_back();
  if (indexes_.size() > limits::kRecordingPutsMax ||
      must_wait(health_.retry_at_ms, turn.now_ms, limits::kRecordingPauseMs)) {
    return false;
  }
  // The copy, and while it is looked at the places of its items.
  const size_t copy_bytes = recording_text_bytes(recording);
  if (!memory_.take(copy_bytes)) return false;
  std::string text = recording_text(recording);
  const size_t index_bytes = json_index_bytes(text);
  if (!memory_.take(index_bytes)) {
    memory_.give_back(copy_bytes);
    return false;
  }
  RecordingIndex index = recording_index(team_id_, recording, text);
  memory_.give_back(index_bytes);
  held_bytes_ = copy_bytes;
  effect_ = effects.add(
      PutObject{Bucket::kRecordings, index.key, std::move(text), limits::kRecordingPutTimeoutMs});
  indexes_.back() = std::move(index);
  return true;
}

void RecordingPuts::resume(const Turn& turn, EffectResult result, Effects& effects) {
  HF_ASSERT(owns(result.id));
  effect_ = 0;
  memory_.give_back(held_bytes_);
  if (result.ok) {
    ++turn.metrics.recording_puts;
    health_.retry_at_ms = 0;
  } else {
    ++turn.metrics.recording_puts_failed;
    health_.retry_at_ms = turn.now_ms + limits::kRecordingPauseMs;
    turn.metrics.log.add(LogLevel::kWarn, "recording_put_failed", {{"reason", result.body}});
    indexes_.back().reset();
  }
  while (indexes_.size() < recordings_.size() && !put(turn, effects)) {
  }
}

const RecordingIndex* RecordingPuts::stored(size_t recording) const {
  if (recording >= indexes_.size() || !indexes_[recording]) return nullptr;
  return &*indexes_[recording];
}

}  // namespace hogflare
