#include "hogflare/capture.h"

#include "fields.h"
#include "hogflare/text.h"
#include "shapes.h"

namespace hogflare {
namespace {

using capture::RootFields;
using capture::Shape;
using json::Value;

// Deep enough for the members of properties.$set and properties.$groups inside a batch: wrapper,
// batch, event, properties, $set, member.
constexpr uint32_t kIndexDepth = 5;
constexpr std::string_view kPerformanceEvent = "$performance_event";

// A token as it stands in JSON; what is no string cannot be a token.
std::string token_text(const Value& token) {
  return std::string(trim_ascii(capture::text_of(token)));
}

Value wrapper_token(const Value& wrapper) {
  if (!wrapper.exists()) return Value();
  for (const std::string_view name : {"api_key", "token", "$token"}) {
    const Value token = wrapper.find(name);
    if (token.exists() && !token.is_null()) return token;
  }
  return Value();
}

Value event_token(const Value& item) {
  const RootFields fields = RootFields::of(item);
  if (fields.token.exists()) return fields.token;
  if (!fields.properties.is_object()) return Value();
  return capture::PropertyFields::of(fields.properties).token;
}

// The request's one token: wrapper, then form, then events, which must agree.
Result<std::string> find_token(const Shape& shape, const std::string& form_token) {
  const Value wrapped = wrapper_token(shape.wrapper);
  if (wrapped.exists()) return token_text(wrapped);
  if (!form_token.empty()) return std::string(trim_ascii(form_token));
  std::optional<std::string> found;
  for (const Value& item : shape.items) {
    const Value given = event_token(item);
    if (!given.exists()) continue;
    std::string text = token_text(given);
    if (found && *found != text) return Error{ErrorCode::kMultipleTokens};
    found = std::move(text);
  }
  if (!found) return Error{ErrorCode::kMissingToken};
  return std::move(*found);
}

// Parses the body and brings it into event form; two more passes at most, for old shapes only.
Result<Shape> parse_shape(Endpoint endpoint, DecodedBody& decoded, CaptureBatch& batch) {
  batch.body = std::move(decoded.text);
  if (const auto error = capture::parse_body(batch, kIndexDepth)) return *error;
  if (auto inner = capture::unwrap_data_text(batch.document->root(), decoded.token)) {
    if (!inner->ok()) return inner->error();
    batch.body = std::move(*inner).value();
    if (const auto error = capture::parse_body(batch, kIndexDepth)) return *error;
  }
  Result<Shape> shape = capture::find_shape(batch.document->root());
  if (!shape.ok() || !capture::needs_rewriting(endpoint, shape.value())) return shape;
  batch.body = capture::rewrite(endpoint, shape.value());
  if (const auto error = capture::parse_body(batch, kIndexDepth)) return *error;
  return capture::find_shape(batch.document->root());
}

void add_event(const Value& item, size_t index, const EventClock& clock,
               const CaptureContext& context, CaptureBatch& batch) {
  Event event;
  event.root = item;
  event.token = batch.token;
  event.team_id = batch.project->team_id;
  event.historical = batch.historical;
  std::optional<Error> error;
  RootFields fields;
  if (item.is_object()) {
    fields = RootFields::of(item);
    error = capture::fill_event(fields, clock, context, event);
  } else {
    error = Error{ErrorCode::kHydrateFailed, "an event must be a JSON object"};
  }
  if (event.name == kPerformanceEvent) {
    ++batch.filtered;
    return;
  }
  if (!error) {
    batch.events.push_back(std::move(event));
    return;
  }
  const bool has_uuid = fields.uuid.is_string() && error->code != ErrorCode::kInvalidUuid;
  batch.rejects.push_back({index, std::move(*error), item.raw(), std::move(event.distinct_id),
                           std::move(event.name),
                           has_uuid ? std::move(event.uuid) : std::string()});
}

std::optional<int64_t> sent_at_of(const Value& wrapper, std::string_view query) {
  if (wrapper.exists()) {
    if (const auto ms = capture::time_of(wrapper.find("sent_at"))) return ms;
  }
  return capture::query_sent_at(query);
}

}  // namespace

Result<std::unique_ptr<CaptureBatch>> decode_capture(const RequestHead& head, Endpoint endpoint,
                                                     std::string body,
                                                     const CaptureContext& context) {
  HF_ASSERT(endpoint != Endpoint::kReplay && endpoint != Endpoint::kCaptureV1);
  Result<DecodedBody> decoded = decode_body(head, endpoint, std::move(body));
  if (!decoded.ok()) return decoded.error();
  auto batch = std::make_unique<CaptureBatch>();
  const Result<Shape> shape = parse_shape(endpoint, decoded.value(), *batch);
  if (!shape.ok()) return shape.error();

  Result<std::string> token = find_token(shape.value(), decoded.value().token);
  if (!token.ok()) return token.error();
  batch->token = std::move(token).value();
  const Result<const Project*> project = capture::authorize(batch->token, head, context.config);
  if (!project.ok()) return project.error();
  batch->project = project.value();

  const Value& wrapper = shape.value().wrapper;
  batch->sent_at_ms = sent_at_of(wrapper, head.query);
  batch->historical = wrapper.exists() && wrapper.find("historical_migration").is_true();
  const EventClock clock{context.now_ms, batch->sent_at_ms};
  batch->events.reserve(shape.value().items.size());
  for (size_t i = 0; i < shape.value().items.size(); ++i) {
    add_event(shape.value().items[i], i, clock, context, *batch);
  }
  return batch;
}

}  // namespace hogflare
