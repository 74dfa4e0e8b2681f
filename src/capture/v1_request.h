// What capture v1 has of its own before events are read: headers, body, options.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hogflare/capture.h"

namespace hogflare::v1 {

// Wrapper, batch, event, properties, $set, member.
inline constexpr uint32_t kIndexDepth = 5;

enum class BodyEncoding { kNone, kGzip, kDeflate, kBrotli, kZstd };

// The checked headers; views into the request's.
struct RequestHeaders {
  std::string_view token;
  BodyEncoding encoding = BodyEncoding::kNone;
  int64_t request_time_ms = 0;
  std::string_view library;  // of PostHog-Sdk-Info; empty when it is not usable
  std::string_view library_version;
};

// kMissingAuthorization, kMissingHeader (which names all that are absent), kInvalidHeader,
// kUnsupportedMediaType, kUnsupportedEncoding; in PostHog's order (v1/context.rs). What the token
// is worth `authorize` says.
Result<RequestHeaders> read_headers(const RequestHead& head);

// kTooLarge, kEmptyPayload, kDecodeFailed, kMemoryBusy; kUnsupportedEncoding for brotli and zstd
// without a decompressor.
Result<std::string> decode_body(const RequestHeaders& headers, std::string body,
                                const CaptureContext& context, MemoryShare& memory);

// An event's `options`, `session_id` and `window_id`.
struct Options {
  std::string properties;  // JSON members, comma between them: what they become
  uint8_t names = 0;       // which of the injected names are among them, by bits
  bool disable_skew_correction = false;
  std::string wrong;  // what cannot be used; empty: all is well
};
std::vector<Options> read_options(const json::Value& batch);

// What with_injected_properties() returns has at most so many bytes.
size_t injected_bytes(const json::Value& root, const std::vector<Options>& options,
                      const RequestHeaders& headers);
// The request's text with every event's properties completed. A name that is given twice is the
// client's only where nothing is injected under it, as with PostHog.
std::string with_injected_properties(const json::Value& root, const std::vector<Options>& options,
                                     const RequestHeaders& headers);

}  // namespace hogflare::v1
