// Recordings in the bucket RECORDINGS: one packed object for each recording of a request, and what
// the events row says of it instead of holding it. docs/RECORDINGS.md.
//
//   RecordingPuts puts(batch.recordings, team_id, memory, bucket_health);
//   puts.start(turn, effects);
//   // in resume: if (puts.owns(result.id)) puts.resume(turn, std::move(result), effects);
//   if (puts.finished() && puts.stored(0)) writer.append_recording_index(…);
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/capture.h"
#include "hogflare/memory_share.h"
#include "hogflare/task.h"

namespace hogflare {

// What is known of a recording without its object.
struct RecordingIndex {
  std::string key;
  int64_t first_ms =
      0;  // times of the items, the page's clock; the event's time where none has one
  int64_t last_ms = 0;
  uint64_t bytes = 0;  // of the object, unpacked
  uint32_t items = 0;
  uint32_t clicks = 0;
  uint32_t keys = 0;              // changes of inputs
  std::vector<std::string> urls;  // of pages, without copies
};

// "1/SESSION/WINDOW/1700000000000-UUID". Letters, digits, '-', '_', '.' and '~' of a window's id
// stay, other bytes are %xx, so no client can leave its session's folder.
std::string recording_key(int64_t team_id, const Recording& recording);
// Where the objects of a session are: "1/SESSION/".
std::string recording_prefix(int64_t team_id, std::string_view session_id);

// The object: one line, {"window_id":…,"uuid":"…","data":[items]}.
std::string recording_text(const Recording& recording);
// What it has at most.
size_t recording_text_bytes(const Recording& recording);
// `text` is recording_text's.
RecordingIndex recording_index(int64_t team_id, const Recording& recording, std::string_view text);

// Kept in the isolate: until when the bucket is left alone after a failure.
struct BucketHealth {
  int64_t retry_at_ms = 0;
};

// Puts the recordings of one request one after another. What could not be put, for whatever reason,
// is not `stored` and becomes rows.
class RecordingPuts {
 public:
  // `recordings`, `memory` and `health` outlive the run.
  RecordingPuts(const std::vector<Recording>& recordings, int64_t team_id, MemoryShare& memory,
                BucketHealth& health)
      : recordings_(recordings), team_id_(team_id), memory_(memory), health_(health) {}

  void start(const Turn& turn, Effects& effects);
  bool owns(uint32_t effect_id) const { return effect_ != 0 && effect_ == effect_id; }
  void resume(const Turn& turn, EffectResult result, Effects& effects);
  bool finished() const { return started_ && effect_ == 0; }

  // The index of a recording that is in the bucket; null: it is not. Needs finished().
  const RecordingIndex* stored(size_t recording) const;

 private:
  // False: nothing is under way, the recording is left to the rows.
  bool put(const Turn& turn, Effects& effects);

  const std::vector<Recording>& recordings_;
  const int64_t team_id_;
  MemoryShare& memory_;
  BucketHealth& health_;
  std::vector<std::optional<RecordingIndex>> indexes_;  // of those that were tried
  size_t held_bytes_ = 0;
  uint32_t effect_ = 0;
  bool started_ = false;
};

}  // namespace hogflare
