// The rules of single fields, shared by capture, replay and capture v1.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "hogflare/capture.h"
#include "hogflare/json.h"
#include "hogflare/timestamp.h"

namespace hogflare::capture {

// What the event object holds at its root, as far as capture looks; null counts as absent.
struct RootFields {
  json::Value event;
  json::Value distinct_id;
  json::Value uuid;
  json::Value timestamp;
  json::Value offset;
  json::Value properties;
  json::Value set;
  json::Value set_once;
  json::Value token;
  json::Value sent_at;

  static RootFields of(const json::Value& event);
};

// What capture looks at in an event's properties; null counts as absent.
struct PropertyFields {
  json::Value distinct_id;
  json::Value token;
  json::Value cookieless_mode;
  json::Value ignore_sent_at;

  static PropertyFields of(const json::Value& properties);
};

// A value as the text PostHog makes of it: a string's content, JSON without white space otherwise.
std::string text_of(const json::Value& value);

// distinct_id from the root, else from properties: NUL replaced, cut to limits::kDistinctIdChars.
// Empty when there is none or it is blank.
std::string distinct_id_of(const json::Value& root, const json::Value& property);

// The client's uuid in its canonical form; `out` stays empty without one. kInvalidUuid.
std::optional<Error> read_uuid(const json::Value& uuid, std::string& out);

// `timestamp` and `offset` of an event.
EventTimes times_of(const RootFields& fields, int64_t now_ms);

// Milliseconds of a string or number; nullopt when absent or unreadable. `now_ms` reads times of
// today.
std::optional<int64_t> time_of(const json::Value& value, std::optional<int64_t> now_ms = {});

// kInvalidSignature when requests are signed, this one is not, and `token` is none of
// HOGFLARE_UNSIGNED_TOKENS.
std::optional<Error> check_unsigned(std::string_view token, const RequestHead& head,
                                    const Config& config);

// The project of `token`, which is trimmed first. kInvalidToken, kUnknownToken, kOriginNotAllowed.
Result<const Project*> authorize(std::string_view token, const RequestHead& head,
                                 const Config& config);

// `?_=` or `?sent_at=`: milliseconds, ignored up to the year 2020.
std::optional<int64_t> query_sent_at(std::string_view query);

// Fills `event` from `fields`, whose root it names; says why when it cannot be stored. What could
// be read before that is in `event`.
std::optional<Error> fill_event(const RootFields& fields, const EventClock& clock,
                                const CaptureContext& context, Event& event);

// Parses batch.body, its text final, into batch.document. `memory` holds both afterwards.
std::optional<Error> parse_body(CaptureBatch& batch, uint32_t index_depth, MemoryShare& memory);

}  // namespace hogflare::capture
