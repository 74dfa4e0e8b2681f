// Capture v1: POST /i/v1/analytics/events, with an answer for every event (W-4;
// PostHog rust/capture/src/v1).
//
//   auto decoded = decode_capture_v1(head, std::move(body), context);
//   if (!decoded.ok()) return write_v1_error(head, decoded.error());
//   … people, rows, delivery …
//   std::vector<V1Outcome> fates(batch.events.size());
//   if (row i is lost) fates[i] = kV1NotPersisted;
//   return write_v1_reply(head, batch, fates, now_ms);
#pragma once

#include <memory>
#include <span>
#include <string>

#include "hogflare/capture.h"

namespace hogflare {

// The outcomes that only whoever stores the events can know.
inline constexpr V1Outcome kV1NotPersisted = {V1Result::kRetry, "not_persisted"};
inline constexpr V1Outcome kV1Rejected = {V1Result::kDrop, "rejected"};

// Decodes into `events`, `rejects` and `v1_lines`. `options`, `session_id`, `window_id` and
// PostHog-Sdk-Info have become properties. An error is the whole request's and nothing is stored:
// kMissingAuthorization, kMissingHeader, kInvalidHeader, kUnsupportedMediaType,
// kUnsupportedEncoding, kInvalidToken, kUnknownToken, kOriginNotAllowed, kTooLarge, kEmptyPayload,
// kDecodeFailed, kParseFailed, kInvalidBatch, kEmptyBatch, kMissingUuid, kInvalidUuid,
// kDuplicateUuid. A request in which every event is dropped is a success: its answer says so line
// by line.
Result<std::unique_ptr<CaptureBatch>> decode_capture_v1(const RequestHead& head, std::string body,
                                                        const CaptureContext& context);

// 200 with the result of every event; `fates[i]` is what became of batch.events[i]. An event whose
// person processing is off says so when it is stored.
Reply write_v1_reply(const RequestHead& head, const CaptureBatch& batch,
                     std::span<const V1Outcome> fates, int64_t now_ms);

// {"error", "error_description", "error_uri"}; Retry-After on what may be sent again.
Reply write_v1_error(const RequestHead& head, const Error& error, int64_t now_ms);

// PostHog's name for an error in capture v1's answers.
std::string_view v1_tag(ErrorCode code);

}  // namespace hogflare
