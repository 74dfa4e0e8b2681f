#include "hogflare/capture_v1.h"

#include <array>
#include <set>

#include "fields.h"
#include "hogflare/cookieless.h"
#include "hogflare/limits.h"
#include "hogflare/text.h"
#include "hogflare/uuid.h"
#include "shapes.h"
#include "v1_request.h"

namespace hogflare {
namespace {

using json::Value;

constexpr std::string_view kPerformanceEvent = "$performance_event";
constexpr std::string_view kDroppedPerformanceEvent = "dropped_performance_event";

// PostHog capture/src/v1/analytics/constants.rs: what broken clients send for everybody.
constexpr std::array<std::string_view, 20> kIllegalDistinctIds = {
    "0",
    "00000000-0000-0000-0000-000000000000",
    "anonymous",
    "anonymous-user",
    "[object object]",
    "backend",
    "distinct_id",
    "distinctid",
    "email",
    "false",
    "guest",
    "id",
    "nan",
    "none",
    "not_authenticated",
    "null",
    "system",
    "true",
    "undefined",
    "user"};

bool is_illegal(std::string_view distinct_id) {
  for (const std::string_view illegal : kIllegalDistinctIds) {
    if (equals_ignoring_case(distinct_id, illegal)) return true;
  }
  return false;
}

// Every event's uuid, before anything is decided about any of them.
std::optional<Error> check_uuids(const Value& list) {
  std::set<std::string> seen;
  size_t index = 0;
  for (const Value item : list.elements()) {
    const Value given = item.find("uuid");
    const std::string where = "batch[" + std::to_string(index++) + "]";
    if (!given.exists() || given.is_null()) return Error{ErrorCode::kMissingUuid, where};
    if (!given.is_string()) return Error{ErrorCode::kInvalidUuid, where + ".uuid must be a string"};
    const std::string text = json::decode_beginning(given.raw(), limits::kUuidRawBytesMax);
    const std::string_view trimmed = trim_ascii(text);
    const bool is_whole = given.raw().size() <= limits::kUuidRawBytesMax;
    if (is_whole && trimmed.empty()) return Error{ErrorCode::kMissingUuid, where};
    const std::optional<Uuid> uuid = is_whole ? Uuid::try_parse(trimmed) : std::nullopt;
    if (!uuid) {
      return Error{ErrorCode::kInvalidUuid,
                   where + ": \"" + std::string(first_code_points(trimmed, 64)) + "\""};
    }
    if (!seen.insert(uuid->text()).second) return Error{ErrorCode::kDuplicateUuid, uuid->text()};
  }
  return std::nullopt;
}

std::optional<int64_t> rfc3339_of(const Value& value) {
  if (!value.is_string() || value.raw().size() > limits::kTimeRawBytesMax) return std::nullopt;
  return parse_rfc3339(value.text());
}

std::optional<Error> check_batch(const Value& root, size_t events_max) {
  if (!root.is_object()) return Error{ErrorCode::kParseFailed, "the body must be a JSON object"};
  const Value list = root.find("batch");
  if (!list.is_array()) return Error{ErrorCode::kParseFailed, "batch must be an array of events"};
  if (list.elements().empty()) return Error{ErrorCode::kEmptyBatch};
  if (auto error = capture::too_many_events(list, events_max)) return error;
  const Value created_at = root.find("created_at");
  if (!rfc3339_of(created_at)) {
    return Error{ErrorCode::kInvalidBatch, "created_at must be an RFC 3339 time"};
  }
  for (const Value item : list.elements()) {
    if (!item.is_object()) return Error{ErrorCode::kParseFailed, "an event must be a JSON object"};
  }
  return check_uuids(list);
}

// A string; empty when absent or of another type. Of one that is too long the beginning, which is
// too long as well.
std::string name_of(const Value& value) {
  if (!value.is_string()) return {};
  std::string text = json::decode_beginning(value.raw(), 6 * (limits::kV1NameBytesMax + 2));
  replace_nul(text);
  return text;
}

// v1 trims what v0 keeps.
std::string distinct_id_of(const Value& value) {
  if (!value.is_string()) return {};
  // No blanks around it make an id of so much: it is too long, and only its beginning is kept.
  const bool is_long = value.raw().size() > limits::kIdRawBytesMax;
  std::string text = json::decode_beginning(value.raw(), limits::kIdRawBytesMax);
  replace_nul(text);
  if (is_long) return text;
  return is_blank(text) ? std::string() : std::string(trim_ascii(text));
}

class V1Decoder {
 public:
  V1Decoder(const v1::RequestHeaders& headers, const CaptureContext& context, CaptureBatch& batch)
      : context_(context), batch_(batch) {
    skew_ms_ = headers.request_time_ms - context.now_ms;
  }

  void add(const Value& item, const v1::Options& options, size_t index) {
    Event event;
    event.root = item;
    event.token = batch_.token;
    event.team_id = batch_.project->team_id;
    event.historical = batch_.historical;
    event.is_internal = is_internal_;
    V1Line line{.raw_uuid = item.find("uuid").raw()};
    const std::optional<Error> error = read(item, options, event);
    if (event.name == kPerformanceEvent) {
      ++batch_.filtered;
      line.outcome = {V1Result::kDrop, kDroppedPerformanceEvent};
    } else if (error) {
      line.outcome = {V1Result::kDrop, v1_tag(error->code)};
      batch_.rejects.push_back({index, *error, item.raw(), std::move(event.distinct_id),
                                std::move(event.name), std::move(event.uuid)});
    } else {
      line.event = static_cast<uint32_t>(batch_.events.size());
      batch_.events.push_back(std::move(event));
    }
    batch_.v1_lines.push_back(line);
  }

  void set_internal(bool is_internal) { is_internal_ = is_internal; }

 private:
  std::optional<Error> read(const Value& item, const v1::Options& options, Event& event) const {
    // check_uuids has seen it.
    event.uuid = Uuid::try_parse(trim_ascii(item.find("uuid").text()))->text();
    if (std::optional<Error> error = capture::check_size(item)) return error;
    event.name = name_of(item.find("event"));
    event.distinct_id = distinct_id_of(item.find("distinct_id"));
    const Value properties = item.find("properties");
    if (properties.is_object()) event.properties = properties;
    if (event.name.empty()) return Error{ErrorCode::kMissingEventName};
    if (event.name.size() > limits::kV1NameBytesMax) return Error{ErrorCode::kEventNameTooLong};
    if (event.distinct_id.empty()) return Error{ErrorCode::kMissingDistinctId};
    if (event.distinct_id.size() > limits::kV1NameBytesMax) {
      return Error{ErrorCode::kDistinctIdTooLarge};
    }
    const Value timestamp = item.find("timestamp");
    const auto at = rfc3339_of(timestamp);
    if (!at) return Error{ErrorCode::kInvalidTimestamp, "timestamp must be an RFC 3339 time"};
    if (properties.exists() && !properties.is_object()) {
      return Error{ErrorCode::kInvalidProperties, "properties must be a JSON object"};
    }
    if (!options.wrong.empty()) return Error{ErrorCode::kInvalidOptions, options.wrong};
    event.timestamp_ms = time_of(*at, options.disable_skew_correction);
    event.person_processing_off = is_illegal(event.distinct_id);
    if (event.properties.exists() && event.properties.find("$cookieless_mode").is_true()) {
      event.cookieless = CookielessPart::kAsked;
    } else if (is_cookieless_placeholder(event.distinct_id)) {
      event.cookieless = CookielessPart::kPlaceholder;
    }
    return std::nullopt;
  }

  // Without correction PostHog takes the time as it is, even one far ahead.
  int64_t time_of(int64_t timestamp_ms, bool disable_skew_correction) const {
    if (disable_skew_correction) {
      const bool writable = timestamp_ms >= kFirstWritableMs && timestamp_ms <= kLastWritableMs;
      return writable ? timestamp_ms : 0;
    }
    const EventClock clock{context_.now_ms, context_.now_ms + skew_ms_};
    return clock.event_time({.timestamp_ms = timestamp_ms});
  }

  const CaptureContext& context_;
  CaptureBatch& batch_;
  int64_t skew_ms_ = 0;
  bool is_internal_ = false;
};

}  // namespace

Result<std::unique_ptr<CaptureBatch>> decode_capture_v1(const RequestHead& head, std::string body,
                                                        const CaptureContext& context) {
  const Result<v1::RequestHeaders> headers = v1::read_headers(head);
  if (!headers.ok()) return headers.error();
  auto batch = std::make_unique<CaptureBatch>();
  batch->token = std::string(headers.value().token);
  const Result<const Project*> project = capture::authorize(batch->token, head, context.config);
  if (!project.ok()) return project.error();
  batch->project = project.value();
  batch->sent_at_ms = headers.value().request_time_ms;

  size_t alone = 0;
  MemoryShare own(alone);
  MemoryShare& memory = context.memory != nullptr ? *context.memory : own;
  Result<std::string> text = v1::decode_body(headers.value(), std::move(body), context, memory);
  if (!text.ok()) return text.error();
  batch->body = std::move(text).value();
  if (auto error = capture::parse_body(*batch, v1::kIndexDepth, memory)) return std::move(*error);
  const Value given = batch->document->root();
  if (auto error = check_batch(given, context.config.events_max)) return std::move(*error);

  const std::vector<v1::Options> options = v1::read_options(given.find("batch"));
  if (auto refused = memory.hold_more(v1::injected_bytes(given, options, headers.value()))) {
    return std::move(*refused);
  }
  batch->body = v1::with_injected_properties(given, options, headers.value());
  if (auto error = capture::parse_body(*batch, v1::kIndexDepth, memory)) return std::move(*error);
  const Value root = batch->document->root();
  batch->historical = root.find("historical_migration").is_true();
  V1Decoder decoder(headers.value(), context, *batch);
  decoder.set_internal(root.find("capture_internal").is_true());
  size_t index = 0;
  for (const Value item : root.find("batch").elements()) {
    decoder.add(item, options[index], index);
    ++index;
  }
  return batch;
}

}  // namespace hogflare
