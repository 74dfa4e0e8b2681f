#include "hogflare/backoff.h"

#include <algorithm>

namespace hogflare {

uint32_t ceiling_ms(const Backoff& backoff, uint32_t failures) {
  HF_ASSERT(backoff.base_ms > 0 && backoff.base_ms <= backoff.cap_ms);
  // 2^32 times any base is over any cap.
  const uint64_t ceiling = uint64_t{backoff.base_ms} << std::min(failures, 31u);
  return static_cast<uint32_t>(std::min<uint64_t>(ceiling, backoff.cap_ms));
}

uint32_t full_jitter_ms(const Backoff& backoff, uint32_t failures, Entropy& entropy) {
  return 1 + static_cast<uint32_t>(entropy.below(ceiling_ms(backoff, failures)));
}

uint32_t equal_jitter_ms(const Backoff& backoff, uint32_t failures, Entropy& entropy) {
  const uint32_t ceiling = ceiling_ms(backoff, failures);
  return ceiling - static_cast<uint32_t>(entropy.below(ceiling / 2 + 1));
}

}  // namespace hogflare
