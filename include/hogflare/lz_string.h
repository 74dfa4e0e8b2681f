// The compression of the lz-string JavaScript library, which old posthog-js sends as `lz64`.
//
// No maintained C++ implementation exists; the format is an LZ78 whose codes are written least
// significant bit first with growing width (github.com/pieroxy/lz-string).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "hogflare/result.h"

namespace hogflare {

// `LZString.decompressFromBase64`, the UTF-16 result as UTF-8 with lone surrogates replaced by
// U+FFFD. kDecodeFailed for a broken stream, kTooLarge over `output_bytes_max` or where unpacking
// would take more than `memory_bytes_max`.
Result<std::string> decompress_lz_base64(std::string_view base64, size_t output_bytes_max,
                                         size_t memory_bytes_max = SIZE_MAX);

}  // namespace hogflare
