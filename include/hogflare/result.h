// Errors as values.
//
// A function that can fail returns `Result<T>`: either a value or an `Error`. Nothing in the core
// throws; a bug in the core ends the instance through HF_ASSERT, which the host survives.
//
//   Result<Uuid> uuid = Uuid::try_parse(text);
//   if (!uuid.ok()) return uuid.error();
//   use(uuid.value());
#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace hogflare {

// Every way a request, an event or a document can be refused. The HTTP status, the stable text tag
// and whether a retry can help come from one table in src/base/result.cpp.
// Sources: capture's error table (W-2.8), capture v1 (W-4.3 to W-4.5), flags (W-7.4).
enum class ErrorCode : uint8_t {
  kEmptyPayload,           // no body and no ?data=
  kDecodeFailed,           // base64, gzip, LZ-string, form or UTF-8 is broken
  kParseFailed,            // not JSON, or a field has the wrong type
  kHydrateFailed,          // JSON, but no shape of an event request
  kEmptyBatch,             // a batch without events
  kInvalidBatch,           // capture v1: created_at or batch is missing or malformed
  kTooLarge,               // over a size limit, on the wire or after decompression
  kMissingToken,           // no project token anywhere
  kMultipleTokens,         // an array with two different tokens
  kInvalidToken,           // the token's form is impossible
  kUnknownToken,           // HOGFLARE_PROJECTS is set and does not hold this token
  kMissingAuthorization,   // capture v1 without an Authorization header
  kInvalidSignature,       // HMAC missing or wrong
  kUnauthorized,           // an admin or personal key is missing or wrong
  kOriginNotAllowed,       // the project restricts origins and this one is not among them
  kNotFound,               // unknown path
  kMethodNotAllowed,       // known path, wrong method
  kUnsupportedMediaType,   // capture v1: content type
  kUnsupportedEncoding,    // capture v1: content encoding
  kMissingHeader,          // capture v1: a required header is absent
  kInvalidHeader,          // capture v1: a header is malformed
  kMissingEventName,       // event name absent or empty
  kEventNameTooLong,       // capture v1 only; v0 cuts it
  kMissingDistinctId,      // no usable distinct_id
  kDistinctIdTooLarge,     // capture v1 only; v0 cuts it
  kMissingUuid,            // capture v1: every event needs a uuid
  kDuplicateUuid,          // capture v1: two events of one batch have the same uuid
  kInvalidUuid,            // uuid given but not a UUID
  kInvalidCookielessMode,  // $cookieless_mode is not a boolean
  kInvalidReplay,          // $snapshot without session id, data, or with a bad id
  kInvalidTimestamp,       // capture v1 only; v0 falls back to the server's clock
  kInvalidProperties,      // properties is not an object
  kInvalidOptions,         // capture v1: options or an id beside them has the wrong type
  kEventTooLarge,          // one event does not fit the sink's row limit
  // Cookieless visitors (docs/COOKIELESS.md); the tags are PostHog's reasons for dropping an event.
  kCookielessUnsupported,   // an alias or a merge
  kCookielessNoIdentify,    // $identify while the project's mode is stateless
  kCookielessDisabled,      // the project's mode is off
  kCookielessMissingAgent,  // no $raw_user_agent
  kCookielessMissingIp,     // neither $ip nor an address of the connection
  kCookielessMissingHost,   // no $host
  kCookielessOutOfRange,    // the event's day has no salt yet, or none any more
  kCookielessPlaceholder,   // $posthog_cookieless as distinct_id, without $cookieless_mode
  kCookielessFlags,         // /flags for a cookieless visitor without address, Origin or User-Agent
  kInvalidConfig,           // a configuration value cannot be used
  kInvalidFlags,            // a flag definition cannot be used
  kSinkUnavailable,         // the sink did not take the rows and the outbox could not keep them
  kObjectUnavailable,       // a Durable Object did not answer
  kMemoryBusy,              // other requests take the memory that this one needs
  kTooManyObjects,          // more people and groups than one request may call (413)
  kOutboxFull,              // HOGFLARE_OUTBOX_MAX_BYTES reached
  kInternal,                // a bug in Hogflare
};

inline constexpr int kErrorCodeCount = static_cast<int>(ErrorCode::kInternal) + 1;

struct ErrorInfo {
  std::string_view tag;  // stable snake_case name: reject reason, metric label, JSON error code
  uint16_t http_status;
  bool retryable;  // true: sending the same bytes again may succeed
  std::string_view meaning;
};

// The table's line for `code`. Total: every code has one.
const ErrorInfo& error_info(ErrorCode code);

struct [[nodiscard]] Error {
  ErrorCode code;
  std::string detail;  // what was wrong, where, and what would be right; never a secret

  Error(ErrorCode error_code, std::string error_detail = {})
      : code(error_code), detail(std::move(error_detail)) {}

  uint16_t http_status() const { return error_info(code).http_status; }
  bool retryable() const { return error_info(code).retryable; }
  std::string_view tag() const { return error_info(code).tag; }
};

// Ends the program: natively by abort(), in wasm by a trap that the shim turns into a 503.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

// Stays on in release builds.
#define HF_ASSERT(condition)          \
  ((condition) ? static_cast<void>(0) \
               : ::hogflare::assertion_failed(#condition, __FILE__, __LINE__))

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return value_.has_value(); }

  const T& value() const& {
    HF_ASSERT(value_.has_value());
    return *value_;
  }
  T& value() & {
    HF_ASSERT(value_.has_value());
    return *value_;
  }
  T&& value() && {
    HF_ASSERT(value_.has_value());
    return std::move(*value_);
  }
  const Error& error() const {
    HF_ASSERT(error_.has_value());
    return *error_;
  }

 private:
  std::optional<T> value_;
  std::optional<Error> error_;
};

// Success without a value.
struct Ok {};

}  // namespace hogflare
