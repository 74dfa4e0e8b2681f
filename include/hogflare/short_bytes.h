// Comparing and copying short texts in place: a call of memcmp or memcpy costs more than the work,
// and in wasm memcmp goes byte by byte.
//
//   if (text.size() == 5 && same_bytes(text.data(), "event", 5)) …
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace hogflare {

template <typename Word>
inline bool same_word(const char* left, const char* right) {
  Word a, b;
  std::memcpy(&a, left, sizeof a);
  std::memcpy(&b, right, sizeof b);
  return a == b;
}

// Whether `size` bytes are the same. The last word overlaps the one before it; where `size` is
// known to the compiler nothing but two or three integer comparisons is left.
inline bool same_bytes(const char* left, const char* right, size_t size) {
  if (size >= 8) {
    for (size_t i = 0; i + 8 < size; i += 8) {
      if (!same_word<uint64_t>(left + i, right + i)) return false;
    }
    return same_word<uint64_t>(left + size - 8, right + size - 8);
  }
  if (size >= 4) {
    return same_word<uint32_t>(left, right) &&
           same_word<uint32_t>(left + size - 4, right + size - 4);
  }
  return size == 0 || (left[0] == right[0] && left[size / 2] == right[size / 2] &&
                       left[size - 1] == right[size - 1]);
}

template <typename Word>
inline void copy_word(char* to, const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  std::memcpy(to, &word, sizeof word);
}

// Copies `size` bytes between places that do not overlap.
inline void copy_bytes(char* to, const char* from, size_t size) {
  if (size >= 8) {
    for (size_t i = 0; i + 8 < size; i += 8) copy_word<uint64_t>(to + i, from + i);
    copy_word<uint64_t>(to + size - 8, from + size - 8);
  } else if (size >= 4) {
    copy_word<uint32_t>(to, from);
    copy_word<uint32_t>(to + size - 4, from + size - 4);
  } else if (size > 0) {
    to[0] = from[0];
    to[size / 2] = from[size / 2];
    to[size - 1] = from[size - 1];
  }
}

}  // namespace hogflare
