// Finds the next byte of a JSON string that needs a look, 16 bytes at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

// What the compiler would rather call than repeat, where the call costs more than the work.
#define HF_INLINE [[gnu::always_inline]] inline

namespace hogflare::json {

// True for a byte that ends the plain run of a string: a quote, a backslash, a control character or
// the first byte of a multi-byte UTF-8 sequence.
inline bool is_special(unsigned char byte) {
  return byte < 0x20 || byte == '"' || byte == '\\' || byte >= 0x80;
}

inline constexpr ptrdiff_t kBlock = 16;

// Which of the kBlock bytes at `from` are special, the first one's bit lowest.
HF_INLINE uint32_t special_mask(const char* from) {
#if defined(__wasm_simd128__)
  const v128_t block = wasm_v128_load(from);
  // Signed comparison: bytes from 0x80 up are negative, so they count as below the space too.
  const v128_t hit = wasm_v128_or(wasm_i8x16_lt(block, wasm_i8x16_splat(0x20)),
                                  wasm_v128_or(wasm_i8x16_eq(block, wasm_i8x16_splat('"')),
                                               wasm_i8x16_eq(block, wasm_i8x16_splat('\\'))));
  return static_cast<uint32_t>(wasm_i8x16_bitmask(hit));
#elif defined(__SSE2__)
  const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  const __m128i hit = _mm_or_si128(_mm_cmplt_epi8(block, _mm_set1_epi8(0x20)),
                                   _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('"')),
                                                _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'))));
  return static_cast<uint32_t>(_mm_movemask_epi8(hit));
#else
  uint32_t mask = 0;
  for (int i = 0; i < kBlock; ++i) {
    mask |= static_cast<uint32_t>(is_special(static_cast<unsigned char>(from[i]))) << i;
  }
  return mask;
#endif
}

// Which of the kBlock bytes at `from` are backslashes.
HF_INLINE uint32_t backslash_mask(const char* from) {
#if defined(__wasm_simd128__)
  return static_cast<uint32_t>(
      wasm_i8x16_bitmask(wasm_i8x16_eq(wasm_v128_load(from), wasm_i8x16_splat('\\'))));
#elif defined(__SSE2__)
  const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8('\\'))));
#else
  uint32_t mask = 0;
  for (int i = 0; i < kBlock; ++i) mask |= static_cast<uint32_t>(from[i] == '\\') << i;
  return mask;
#endif
}

// The first special byte in [from, end), or `end`, where less than a block is left.
inline const char* find_special_bytewise(const char* from, const char* end) {
  while (from < end && !is_special(static_cast<unsigned char>(*from))) ++from;
  return from;
}

// The first special byte in [from, end), or `end`. Reads nothing behind `end`.
inline const char* find_special(const char* from, const char* end) {
  while (end - from >= kBlock) {
    const uint32_t mask = special_mask(from);
    if (mask != 0) return from + __builtin_ctz(mask);
    from += kBlock;
  }
  return find_special_bytewise(from, end);
}

// Length of the well-formed UTF-8 sequence at `from` (1 to 4), or 0 when it is malformed.
inline int utf8_length(const char* from, const char* end) {
  const auto at = [from](int i) { return static_cast<unsigned char>(from[i]); };
  const auto tail = [](unsigned char byte) { return (byte & 0xC0) == 0x80; };
  const unsigned char lead = at(0);
  const auto left = end - from;
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return left >= 2 && tail(at(1)) ? 2 : 0;
  if (lead < 0xF0) {
    if (left < 3 || !tail(at(1)) || !tail(at(2))) return 0;
    if (lead == 0xE0 && at(1) < 0xA0) return 0;
    if (lead == 0xED && at(1) >= 0xA0) return 0;
    return 3;
  }
  if (lead < 0xF5) {
    if (left < 4 || !tail(at(1)) || !tail(at(2)) || !tail(at(3))) return 0;
    if (lead == 0xF0 && at(1) < 0x90) return 0;
    if (lead == 0xF4 && at(1) >= 0x90) return 0;
    return 4;
  }
  return 0;
}

}  // namespace hogflare::json
