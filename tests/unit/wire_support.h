// What the tests of wire, capture and rows share: a fixed clock, a context, small helpers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "hogflare/capture.h"
#include "hogflare/timestamp.h"

namespace hogflare::test {

inline int64_t at(std::string_view rfc3339) { return parse_rfc3339(rfc3339).value_or(-1); }

// 2026-01-01T12:00:00Z, the "now" of the conformance cases.
inline constexpr int64_t kNowMs = 1'767'268'800'000;

struct Fixture {
  Config config;
  uint8_t seed[32] = {1, 2, 3};
  Entropy entropy{seed};
  RequestHead head;

  Fixture() { head.method = "POST"; }

  CaptureContext context() { return {kNowMs, config, entropy}; }

  Result<std::unique_ptr<CaptureBatch>> decode(std::string body,
                                               Endpoint endpoint = Endpoint::kLegacy) {
    return decode_capture(head, endpoint, std::move(body), context());
  }
};

inline std::string text(const json::Value& value) {
  return value.exists() ? std::string(value.raw()) : std::string("(absent)");
}

// The code of a result that must be an error; kInternal when it is a success.
template <typename T>
ErrorCode code_of(const Result<T>& result) {
  return result.ok() ? ErrorCode::kInternal : result.error().code;
}

// zlib's windowBits: which wrapper a stream gets.
enum class Wrapper { kGzip, kZlib, kRaw };
std::string deflate_text(std::string_view text, Wrapper wrapper);
inline std::string gzip(std::string_view text) { return deflate_text(text, Wrapper::kGzip); }
std::string encode_base64(std::string_view bytes);
std::string encode_url(std::string_view text);
// A file below tests/.
std::string read_data_file(std::string_view path);

}  // namespace hogflare::test
