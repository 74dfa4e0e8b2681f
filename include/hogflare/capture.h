// From a capture request to events: shapes, tokens, and the rules of every field
// (wire-protocol.md §2.4, §2.5, §2.8, §3). One bad event becomes a reject; the others go on.
//
//   CaptureContext context{.now_ms = now, .config = config, .entropy = entropy};
//   auto decoded = decode_capture(head, Endpoint::kBatch, std::move(body), context);
//   if (!decoded.ok()) return error_reply(head, decoded.error());
//   CaptureBatch& batch = *decoded.value();
//   if (const auto refusal = batch.refusal()) … record batch.rejects, answer error_reply
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/event.h"
#include "hogflare/request.h"
#include "hogflare/result.h"
#include "hogflare/task.h"
#include "hogflare/wire.h"

namespace hogflare {

struct CaptureContext {
  int64_t now_ms;
  const Config& config;
  Entropy& entropy;  // for events without uuid
};

// An event that cannot be stored, with what is known about it.
struct Reject {
  size_t event_index;  // in the request
  Error error;
  std::string_view raw;     // the event's JSON; borrowed from the batch
  std::string distinct_id;  // empty: unknown
  std::string event;        // empty: unknown
  std::string event_uuid;   // empty: none or invalid
};

// A decoded request. Events and rejects hold views into it, so it stays where it is.
struct CaptureBatch {
  CaptureBatch() = default;
  CaptureBatch(const CaptureBatch&) = delete;
  CaptureBatch& operator=(const CaptureBatch&) = delete;

  std::vector<Event> events;    // in the request's order
  std::vector<Reject> rejects;
  uint32_t filtered = 0;        // $performance_event, left out silently as PostHog does
  std::string token;
  const Project* project = nullptr;
  std::optional<int64_t> sent_at_ms;
  bool historical = false;

  // Why a request that holds no acceptable event is answered 4xx: its first reject's reason.
  std::optional<Error> refusal() const {
    if (!events.empty() || filtered > 0 || rejects.empty()) return std::nullopt;
    return rejects.front().error;
  }

  // Owners of what the views show.
  std::string body;
  std::optional<json::Document> document;
};

// Decodes everything but replay and capture v1. An error is the whole request's: kEmptyPayload,
// kDecodeFailed, kParseFailed, kHydrateFailed, kEmptyBatch, kTooLarge, kMissingToken,
// kMultipleTokens, kInvalidToken, kUnknownToken, kOriginNotAllowed. Nothing is stored then.
Result<std::unique_ptr<CaptureBatch>> decode_capture(const RequestHead& head, Endpoint endpoint,
                                                     std::string body,
                                                     const CaptureContext& context);

}  // namespace hogflare
