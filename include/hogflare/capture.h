// From a capture request to events: shapes, tokens, and the rules of every field
// (W-2.4, W-2.5, W-2.8, W-3). One bad event becomes a reject; the others go on.
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
#include "hogflare/decompress.h"
#include "hogflare/event.h"
#include "hogflare/limits.h"
#include "hogflare/memory_share.h"
#include "hogflare/request.h"
#include "hogflare/result.h"
#include "hogflare/task.h"
#include "hogflare/wire.h"

namespace hogflare {

struct CaptureContext {
  int64_t now_ms;
  const Config& config;
  Entropy& entropy;                      // for events without uuid
  Decompressor* decompressor = nullptr;  // for brotli and zstd; null: they are answered 415
  // What the request takes of the isolate's memory; outlives the decoding. Null: it is alone.
  MemoryShare* memory = nullptr;
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

// What /s receives for one session and window: PostHog's `$snapshot_items`. It touches no person.
// Views are borrowed from the batch.
struct Recording {
  std::string uuid;  // the first event's, else a new version 7
  std::string distinct_id;
  int64_t timestamp_ms = 0;
  // JSON as the client sent it.
  std::string_view session_id;
  std::string_view window_id;
  std::string_view snapshot_source;
  std::string library;  // text
  // What stands between the brackets of each `$snapshot_data`, or one bare object, in order: joined
  // by commas and put into brackets they are the text of `$snapshot_items`.
  std::vector<std::string_view> items;
};

// Capture v1's answer for one event.
enum class V1Result : uint8_t { kOk, kWarning, kDrop, kRetry };
struct V1Outcome {
  V1Result result = V1Result::kOk;
  std::string_view details;  // static text; empty: none
};
struct V1Line {
  std::string_view raw_uuid;  // as the client wrote it, with its quotes; borrowed from the batch
  std::optional<uint32_t> event;  // index in CaptureBatch::events; none: dropped, see `outcome`
  V1Outcome outcome;
};

// A decoded request. Events and rejects hold views into it, so it stays where it is.
//
// Of a large request `events` and `rejects` are one window at a time (limits::kWindow…), because
// tens of thousands of events fit a request that is allowed:
//   do { … batch.events, batch.rejects … } while (decode_next_window(batch, context));
struct CaptureBatch {
  CaptureBatch() = default;
  CaptureBatch(const CaptureBatch&) = delete;
  CaptureBatch& operator=(const CaptureBatch&) = delete;

  std::vector<Event> events;          // in the request's order; of this window
  std::vector<Reject> rejects;        // of this window
  std::vector<Recording> recordings;  // of /s, instead of events
  std::vector<V1Line> v1_lines;       // of capture v1: one per event of the request, in its order
  uint32_t filtered = 0;              // $performance_event, left out silently as PostHog does
  std::string token;
  const Project* project = nullptr;
  std::optional<int64_t> sent_at_ms;
  bool historical = false;

  // Why a request that holds no acceptable event is answered 4xx: its first reject's reason.
  std::optional<Error> refusal() const {
    const bool holds_something = !events.empty() || !recordings.empty() || filtered > 0;
    if (holds_something || rejects.empty()) return std::nullopt;
    return rejects.front().error;
  }

  // Owners of what the views show.
  std::string body;
  std::optional<json::Document> document;
  // Items of the request that became neither event nor reject yet.
  std::vector<json::Value> items;
  size_t next_item = 0;

  bool has_more() const { return next_item < items.size(); }
};

// Decodes everything but replay and capture v1. An error is the whole request's: kEmptyPayload,
// kDecodeFailed, kParseFailed, kHydrateFailed, kEmptyBatch, kTooLarge, kMissingToken,
// kMultipleTokens, kInvalidToken, kUnknownToken, kOriginNotAllowed, kMemoryBusy. Nothing is stored
// then. The batch holds the first window.
Result<std::unique_ptr<CaptureBatch>> decode_capture(const RequestHead& head, Endpoint endpoint,
                                                     std::string body,
                                                     const CaptureContext& context);

// Replaces the batch's events and rejects by those of the next window; what points to the old ones
// is gone then. False, and nothing changed, when there is none.
bool decode_next_window(CaptureBatch& batch, const CaptureContext& context);

// Decodes /s into `recordings` (W-6.2; PostHog capture/src/events/recordings.rs).
// Events that follow one another in the request with the same distinct_id, session and window
// become one recording with the first one's uuid and time. The same errors as decode_capture,
// except that the first event's token is the request's.
Result<std::unique_ptr<CaptureBatch>> decode_replay(const RequestHead& head, std::string body,
                                                    const CaptureContext& context);

// --- What /flags shares ---

// kOriginNotAllowed when the project names origins and `origin` is another one. A request without
// Origin, as servers send it, is no business of this check.
std::optional<Error> check_origin(const Project& project, std::string_view origin);

}  // namespace hogflare
