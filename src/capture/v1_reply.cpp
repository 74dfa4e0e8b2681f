// Capture v1's answers.
#include "hogflare/capture_v1.h"
#include "hogflare/json.h"
#include "hogflare/text.h"
#include "hogflare/timestamp.h"

namespace hogflare {
namespace {

constexpr std::string_view kErrorUri = "https://posthog.com/docs/api";
constexpr std::string_view kPersonProcessingDisabled = "person_processing_disabled";
constexpr std::string_view kRetryAfterSecs = "1";

std::string_view name_of(V1Result result) {
  switch (result) {
    case V1Result::kOk:
      return "ok";
    case V1Result::kWarning:
      return "warning";
    case V1Result::kDrop:
      return "drop";
    case V1Result::kRetry:
      return "retry";
  }
  return "drop";
}

Reply json_reply(const RequestHead& head, uint16_t status, std::string body, int64_t now_ms) {
  Reply reply;
  reply.status = status;
  reply.headers = cors_headers(head);
  reply.headers.push_back({"Content-Type", "application/json"});
  if (!head.posthog_request_id.empty()) {
    reply.headers.push_back({"PostHog-Request-Id", std::string(head.posthog_request_id)});
  }
  std::string date;
  append_imf_fixdate(date, now_ms);
  reply.headers.push_back({"Date", std::move(date)});
  reply.body = std::move(body);
  return reply;
}

V1Outcome outcome_of(const V1Line& line, const CaptureBatch& batch,
                     std::span<const V1Outcome> fates) {
  if (!line.event) return line.outcome;
  const V1Outcome& fate = fates[*line.event];
  const bool says_nothing = fate.details.empty() && fate.result == V1Result::kOk;
  if (says_nothing && batch.events[*line.event].person_processing_off) {
    return {fate.result, kPersonProcessingDisabled};
  }
  return fate;
}

}  // namespace

std::string_view v1_tag(ErrorCode code) {
  switch (code) {
    case ErrorCode::kEmptyPayload:
      return "empty_body";
    case ErrorCode::kDecodeFailed:
      return "request_decoding_error";
    case ErrorCode::kParseFailed:
    case ErrorCode::kHydrateFailed:
      return "request_parsing_error";
    case ErrorCode::kTooLarge:
    case ErrorCode::kTooManyObjects:
      return "payload_too_large";
    case ErrorCode::kInvalidToken:
    case ErrorCode::kUnknownToken:
      return "invalid_api_token";
    case ErrorCode::kUnsupportedMediaType:
      return "unsupported_content_type";
    case ErrorCode::kMissingHeader:
      return "missing_required_headers";
    case ErrorCode::kInvalidHeader:
      return "invalid_header_value";
    case ErrorCode::kMissingUuid:
      return "missing_event_uuid";
    case ErrorCode::kInvalidUuid:
      return "invalid_event_uuid";
    case ErrorCode::kDuplicateUuid:
      return "duplicate_event_uuid";
    case ErrorCode::kInvalidTimestamp:
      return "invalid_event_timestamp";
    case ErrorCode::kInvalidProperties:
      return "malformed_event_properties";
    case ErrorCode::kEventTooLarge:
      return "event_too_big";
    case ErrorCode::kSinkUnavailable:
    case ErrorCode::kObjectUnavailable:
    case ErrorCode::kMemoryBusy:
    case ErrorCode::kOutboxFull:
      return "service_unavailable";
    case ErrorCode::kInternal:
      return "internal_error";
    default:
      return error_info(code).tag;
  }
}

Reply write_v1_reply(const RequestHead& head, const CaptureBatch& batch,
                     std::span<const V1Outcome> fates, int64_t now_ms) {
  HF_ASSERT(fates.size() == batch.events.size());
  std::string body = "{\"results\":{";
  bool some_retry = false;
  for (const V1Line& line : batch.v1_lines) {
    const V1Outcome outcome = outcome_of(line, batch, fates);
    some_retry = some_retry || outcome.result == V1Result::kRetry;
    if (body.back() != '{') body += ',';
    body += line.raw_uuid;
    body += ":{\"result\":\"";
    body += name_of(outcome.result);
    body += '"';
    if (!outcome.details.empty()) {
      body += ",\"details\":";
      json::append_string(body, outcome.details);
    }
    body += '}';
  }
  body += "}}";
  Reply reply = json_reply(head, 200, std::move(body), now_ms);
  if (some_retry) reply.headers.push_back({"Retry-After", std::string(kRetryAfterSecs)});
  return reply;
}

Reply write_v1_error(const RequestHead& head, const Error& error, int64_t now_ms) {
  std::string description(error_info(error.code).meaning);
  if (!error.detail.empty()) {
    description += ": ";
    description += error.detail;
  }
  std::string body = "{\"error\":";
  json::append_string(body, v1_tag(error.code));
  body += ",\"error_description\":";
  json::append_string(body, description);
  body += ",\"error_uri\":";
  json::append_string(body, kErrorUri);
  body += '}';
  Reply reply = json_reply(head, error.http_status(), std::move(body), now_ms);
  if (error.retryable()) reply.headers.push_back({"Retry-After", std::string(kRetryAfterSecs)});
  return reply;
}

}  // namespace hogflare
