// Finds the next byte of a JSON string that needs a look, 16 bytes at a time.
#pragma once

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

// The first special byte in [from, end), or `end`. Reads nothing behind `end`.
HF_INLINE const char* find_special(const char* from, const char* end) {
#if defined(__wasm_simd128__)
  const v128_t quote = wasm_i8x16_splat('"');
  const v128_t backslash = wasm_i8x16_splat('\\');
  const v128_t space = wasm_i8x16_splat(0x20);
  while (end - from >= 16) {
    const v128_t block = wasm_v128_load(from);
    // Signed comparison: bytes from 0x80 up are negative, so they count as below the space too.
    const v128_t hit = wasm_v128_or(
        wasm_i8x16_lt(block, space),
        wasm_v128_or(wasm_i8x16_eq(block, quote), wasm_i8x16_eq(block, backslash)));
    const uint32_t mask = static_cast<uint32_t>(wasm_i8x16_bitmask(hit));
    if (mask != 0) return from + __builtin_ctz(mask);
    from += 16;
  }
#elif defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(0x20);
  while (end - from >= 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m128i hit = _mm_or_si128(
        _mm_cmplt_epi8(block, space),
        _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash)));
    const uint32_t mask = static_cast<uint32_t>(_mm_movemask_epi8(hit));
    if (mask != 0) return from + __builtin_ctz(mask);
    from += 16;
  }
#endif
  while (from < end && !is_special(static_cast<unsigned char>(*from))) ++from;
  return from;
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
