// A host without decompression, for worlds in which bodies come plain.
#pragma once

#include <string>
#include <string_view>

#include "hogflare/decompress.h"
#include "hogflare/result.h"

namespace hogflare::test {

class NoDecompressor final : public Decompressor {
 public:
  Result<std::string> run(Encoding, std::string_view, size_t) override {
    return Error(ErrorCode::kDecodeFailed, "this host unpacks nothing");
  }
};

}  // namespace hogflare::test
