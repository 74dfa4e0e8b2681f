#include "hogflare/result.h"

#include <array>
#include <cstdio>
#include <cstring>

#if defined(__wasm__)
// Tells the host which assertion failed, before the module stops. Texts are UTF-8, sizes in bytes.
// src/wasm/imports.txt lists it, js-shim/core.js answers it.
extern "C" __attribute__((import_module("host"), import_name("panic"))) void host_panic(
    const char* condition, uint32_t condition_size, const char* file, uint32_t file_size,
    uint32_t line);
#endif

namespace hogflare {
namespace {

constexpr std::array<ErrorInfo, kErrorCodeCount> kErrors = {{
    {"empty_payload", 400, false, "request missing data payload"},
    {"decode_failed", 400, false, "failed to decode request"},
    {"parse_failed", 400, false, "failed to parse request"},
    {"hydrate_failed", 400, false, "failed to hydrate events from request"},
    {"empty_batch", 400, false, "request holds no event"},
    {"invalid_batch", 400, false, "the batch is missing a member or has a malformed one"},
    {"too_large", 413, false, "request is larger than the limit"},
    {"missing_token", 401, false, "event submitted without an api_key"},
    {"multiple_tokens", 401, false, "request holds events with more than one api_key"},
    {"invalid_token", 401, false, "API key is not valid"},
    {"unknown_token", 401, false, "the project API key is not one of this deployment's projects"},
    {"missing_authorization", 401, false, "the Authorization header is missing"},
    {"invalid_signature", 401, false, "request signature is missing or wrong"},
    {"unauthorized", 401, false, "the credential is missing or wrong"},
    {"origin_not_allowed", 403, false, "this origin is not allowed for the project"},
    {"not_found", 404, false, "no such path"},
    {"method_not_allowed", 405, false, "method not allowed for this path"},
    {"unsupported_media_type", 415, false, "content type is not supported"},
    {"unsupported_encoding", 415, false, "content encoding is not supported"},
    {"missing_header", 400, false, "request is missing required headers"},
    {"invalid_header", 400, false, "a header is malformed"},
    {"missing_event_name", 400, false, "event submitted with an empty event name"},
    {"event_name_too_long", 400, false, "event name exceeds its maximum length"},
    {"missing_distinct_id", 400, false, "event submitted without a distinct_id"},
    {"distinct_id_too_large", 400, false, "distinct_id exceeds its maximum length"},
    {"missing_uuid", 400, false, "event submitted without a uuid"},
    {"duplicate_uuid", 400, false, "two events of the batch have the same uuid"},
    {"invalid_uuid", 400, false, "event submitted with an invalid uuid"},
    {"invalid_cookieless_mode", 400, false, "event submitted with invalid cookieless mode"},
    {"invalid_replay", 400, false, "replay event is not usable"},
    {"invalid_timestamp", 400, false, "event timestamp cannot be read"},
    {"invalid_properties", 400, false, "event properties are not a JSON object"},
    {"invalid_options", 400, false, "event options cannot be used"},
    {"event_too_large", 413, false, "maximum event size exceeded"},
    {"cookieless_unsupported_event", 400, false,
     "a cookieless visitor cannot be aliased or merged"},
    {"cookieless_stateless_no_identify", 400, false,
     "a cookieless visitor is not identified while the mode is stateless"},
    {"cookieless_team_disabled", 400, false, "cookieless mode is off for this project"},
    {"cookieless_missing_ua", 400, false, "cookieless event submitted without $raw_user_agent"},
    {"cookieless_missing_ip", 400, false, "cookieless event submitted without an address"},
    {"cookieless_missing_host", 400, false, "cookieless event submitted without $host"},
    {"cookieless_timestamp_out_of_range", 400, false,
     "the cookieless event's day is over or to come"},
    {"cookieless_placeholder", 400, false,
     "the cookieless placeholder is nobody's distinct_id without $cookieless_mode"},
    {"cookieless_error", 400, false, "the cookieless visitor cannot be told from others"},
    {"invalid_config", 500, false, "configuration value cannot be used"},
    {"invalid_flags", 500, false, "flag definition cannot be used"},
    {"sink_unavailable", 503, true, "transient error, please retry"},
    {"object_unavailable", 503, true, "transient error, please retry"},
    {"memory_busy", 503, true, "transient error, please retry"},
    {"too_many_objects", 413, false, "request is larger than the limit"},
    {"outbox_full", 503, true, "transient error, please retry"},
    {"internal", 500, true, "internal error"},
}};

}  // namespace

const ErrorInfo& error_info(ErrorCode code) { return kErrors[static_cast<size_t>(code)]; }

void assertion_failed(const char* condition, const char* file, int line) {
#if defined(__wasm__)
  // Nothing is allocated here: that may be what failed.
  host_panic(condition, static_cast<uint32_t>(std::strlen(condition)), file,
             static_cast<uint32_t>(std::strlen(file)), static_cast<uint32_t>(line));
  __builtin_trap();
#else
  std::fprintf(stderr, "assertion failed: %s (%s:%d)\n", condition, file, line);
  std::abort();
#endif
}

}  // namespace hogflare
