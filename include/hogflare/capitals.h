// Whether a text that is small letters almost always has to be looked at.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace hogflare {

// Whether a byte lies between '@' and '_', where the capital letters are, eight bytes at a time;
// the last word overlaps the one before it. Needs eight bytes.
inline bool may_have_capital(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101'0101'0101'0101;
  uint64_t found = 0;
  for (size_t i = 0; i < text.size(); i += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, text.data() + std::min(i, text.size() - sizeof word), sizeof word);
    const uint64_t other = (word & kOnes * 0x60) ^ kOnes * 0x40;  // a byte is 0 for such a letter
    found |= (other - kOnes) & ~other & kOnes * 0x80;
  }
  return found != 0;
}

}  // namespace hogflare
