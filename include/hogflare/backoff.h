// How long to wait before trying again.
//
//   const Backoff backoff{.base_ms = 100, .cap_ms = 2'000};
//   effects.add(Wait{full_jitter_ms(backoff, failures, turn.entropy)});
//
// Source of the two forms: "Exponential Backoff And Jitter", AWS Architecture Blog.
#pragma once

#include <cstdint>

#include "hogflare/task.h"

namespace hogflare {

struct Backoff {
  uint32_t base_ms;
  uint32_t cap_ms;
};

// base × 2^failures, at most the cap.
uint32_t ceiling_ms(const Backoff& backoff, uint32_t failures);

// Uniform in [1, ceiling]: spreads many callers best, may be almost nothing.
uint32_t full_jitter_ms(const Backoff& backoff, uint32_t failures, Entropy& entropy);

// Half the ceiling and a uniform part of the other half: for one patient caller that should really
// wait.
uint32_t equal_jitter_ms(const Backoff& backoff, uint32_t failures, Entropy& entropy);

}  // namespace hogflare
