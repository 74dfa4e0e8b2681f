// From the bytes of a v0 request to its JSON text, in PostHog's order, and what every answer
// shares. Source: PostHog rust/capture/src/payload/{common,decompression}.rs (W-2.1 to W-2.3).
//
//   const Endpoint endpoint = capture_endpoint(find_route(head.path));
//   Result<DecodedBody> body = decode_body(head, endpoint, std::move(bytes));
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hogflare/memory_share.h"
#include "hogflare/request.h"
#include "hogflare/result.h"
#include "hogflare/routes.h"
#include "hogflare/task.h"

namespace hogflare {

// The routes that take events. They differ in limits, base64 tolerance and body shapes.
enum class Endpoint {
  kBatch,     // /batch, /i/v0/e, /i/v0/ai/batch
  kLegacy,    // /e, /capture, /track
  kEngage,    // /engage: `event` may be absent
  kIdentify,  // /identify, /alias, /groups: shapes of their own
  kAlias,
  kGroups,
  kReplay,     // /s
  kCaptureV1,  // /i/v1/analytics/events
};

// How to decode the bodies of a route that takes events; other routes are the caller's bug.
Endpoint capture_endpoint(const Route& route);

// Bytes a body of this endpoint may have on the wire.
size_t wire_bytes_max(Endpoint endpoint);

struct DecodedBody {
  std::string text;   // should be JSON
  std::string token;  // a form's api_key or token; empty when it has none
};

// Everything of W-2.3 before JSON parsing. More lenient than PostHog where nothing else is meant: a
// gzip hint without gzip magic is plain text (a proxy inflated it), unpadded base64 under a base64
// hint, a form without its content type, zlib under `Content-Encoding: deflate`.
// The text may have `text_bytes_max` bytes. `memory` holds the text afterwards, and meanwhile what
// decoding takes. Errors: kEmptyPayload, kDecodeFailed, kTooLarge, kMemoryBusy.
Result<DecodedBody> decode_body(const RequestHead& head, Endpoint endpoint, std::string body,
                                size_t text_bytes_max, MemoryShare& memory);
// The same for a request that is alone.
Result<DecodedBody> decode_body(const RequestHead& head, Endpoint endpoint, std::string body);

// The JSON text of a /flags or /decide request (W-7.1; PostHog
// feature-flags/src/handler/decoding.rs): `?data=` of a GET, a form's base64, gzip by query, header
// or magic, base64. Errors: kEmptyPayload, kDecodeFailed (also for an unknown `compression` and for
// content types that are not JSON, text or form), kTooLarge, kMemoryBusy; `memory` as above.
Result<std::string> decode_flags_body(const RequestHead& head, std::string body,
                                      MemoryShare& memory);
Result<std::string> decode_flags_body(const RequestHead& head, std::string body);

// --- Answers ---

// Origin and requested headers mirrored, credentials allowed; for every answer, errors too. Empty
// without an Origin.
std::vector<Header> cors_headers(const RequestHead& head);

// 200 {"status":"Ok"}; 204 without a body for ?beacon=1.
Reply success_reply(const RequestHead& head);
// The preflight's answer.
Reply options_reply(const RequestHead& head);
// Plain text: the code's meaning, then the detail. 503 carries Retry-After: 1.
Reply error_reply(const RequestHead& head, const Error& error);

}  // namespace hogflare
