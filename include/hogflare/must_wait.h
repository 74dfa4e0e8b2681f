// Times that were noted to be waited for, perhaps by a clock that was ahead then.
//
//   if (must_wait(retry_at_ms, turn.now_ms, kPauseMs)) return;
#pragma once

#include <cstdint>

namespace hogflare {

// Whether `at_ms` is to be waited for, where no wait is longer than `wait_ms_max`: a later time is
// of a clock that was ahead when it was noted, and is due.
inline bool must_wait(int64_t at_ms, int64_t now_ms, int64_t wait_ms_max) {
  return at_ms > now_ms && at_ms - now_ms <= wait_ms_max;
}

}  // namespace hogflare
