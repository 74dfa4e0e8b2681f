// Decompression with a cap that stops a bomb while it unfolds: output is made in steps and never
// grows beyond the cap.
//
//   Result<std::string> text = decompress(Encoding::kGzip, body, limits::kDecompressedBytesMax);
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "hogflare/result.h"

namespace hogflare {

enum class Encoding { kGzip, kDeflate, kBrotli, kZstd };

// The gzip magic that PostHog looks for: 1f 8b 08.
bool is_gzip(std::string_view bytes);

// Gzip (all members of it), or deflate: zlib when the first byte is 0x78, else raw (PostHog
// capture/src/v1/util.rs). Other encodings are the Decompressor's. kDecodeFailed for a broken or
// cut stream, kTooLarge above `output_bytes_max`.
Result<std::string> decompress(Encoding encoding, std::string_view bytes, size_t output_bytes_max);

// What only the host can unfold: brotli and zstd.
class Decompressor {
 public:
  virtual ~Decompressor() = default;
  // As `decompress`.
  virtual Result<std::string> run(Encoding encoding, std::string_view bytes,
                                  size_t output_bytes_max) = 0;
};

}  // namespace hogflare
