// Packs a text with zlib, for tests, guard and fuzzers.
#pragma once

#include <zlib.h>

#include <string>
#include <string_view>

#include "hogflare/result.h"

namespace hogflare::test {

// windowBits of the three wrappers (zlib.h, deflateInit2).
inline constexpr int kZlibBits = MAX_WBITS;
inline constexpr int kGzipBits = MAX_WBITS + 16;
inline constexpr int kRawBits = -MAX_WBITS;

// `level`: zlib's, 1 quick to 9 small.
inline std::string deflated(std::string_view text, int window_bits, int level) {
  z_stream stream = {};
  HF_ASSERT(deflateInit2(&stream, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  HF_ASSERT(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace hogflare::test
