// xoshiro256** (Blackman and Vigna): small, fast and good enough for uniqueness and jitter.
#include <cstring>

#include "hogflare/task.h"

namespace hogflare {
namespace {

uint64_t rotate_left(uint64_t value, int bits) { return (value << bits) | (value >> (64 - bits)); }

}  // namespace

Entropy::Entropy(const uint8_t (&seed)[32]) {
  std::memcpy(state_, seed, sizeof state_);
  // The all-zero state is the generator's one fixed point.
  if ((state_[0] | state_[1] | state_[2] | state_[3]) == 0) state_[0] = 1;
}

uint64_t Entropy::next() {
  const uint64_t result = rotate_left(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = rotate_left(state_[3], 45);
  return result;
}

uint64_t Entropy::below(uint64_t bound) {
  HF_ASSERT(bound > 0);
  // Values under `skip` would make the low residues likelier.
  const uint64_t skip = (0 - bound) % bound;
  uint64_t value = next();
  while (value < skip) value = next();
  return value % bound;
}

}  // namespace hogflare
