#include "hogflare/capture.h"

#include <algorithm>

#include "fields.h"
#include "hogflare/limits.h"
#include "shapes.h"
#include "token.h"

namespace hogflare {
namespace {

using capture::RootFields;
using capture::Shape;
using json::Value;

// Deep enough for the members of properties.$set and properties.$groups inside a batch: wrapper,
// batch, event, properties, $set, member.
constexpr uint32_t kIndexDepth = 5;
constexpr std::string_view kPerformanceEvent = "$performance_event";

// Parses the body and brings it into event form; two more passes at most, for old shapes only.
Result<Shape> parse_shape(Endpoint endpoint, const Config& config, DecodedBody& decoded,
                          CaptureBatch& batch, MemoryShare& memory) {
  batch.body = std::move(decoded.text);
  if (const auto error = capture::parse_body(batch, kIndexDepth, memory)) return *error;
  if (auto inner = capture::unwrap_data_text(batch.document->root(), config.body_bytes_max,
                                             decoded.token, memory)) {
    if (!inner->ok()) return inner->error();
    batch.body = std::move(*inner).value();
    if (const auto error = capture::parse_body(batch, kIndexDepth, memory)) return *error;
  }
  Result<Shape> shape = capture::find_shape(batch.document->root(), config.events_max);
  if (!shape.ok() || !capture::needs_rewriting(endpoint, shape.value())) return shape;
  Result<std::string> events = capture::rewrite(endpoint, shape.value(), memory);
  if (!events.ok()) return events.error();
  batch.body = std::move(events).value();
  if (const auto error = capture::parse_body(batch, kIndexDepth, memory)) return *error;
  return capture::find_shape(batch.document->root(), config.events_max);
}

void add_event(const Value& item, size_t index, const EventClock& clock,
               const CaptureContext& context, CaptureBatch& batch) {
  Event event;
  event.root = item;
  event.token = batch.token;
  event.team_id = batch.project->team_id;
  event.historical = batch.historical;
  std::optional<Error> error = capture::check_size(item);
  if (!error && !item.is_object()) {
    error = Error{ErrorCode::kHydrateFailed, "an event must be a JSON object"};
  }
  if (!error) error = capture::fill_event(RootFields::of(item), clock, context, event);
  if (event.name == kPerformanceEvent) {
    ++batch.filtered;
    return;
  }
  if (!error) {
    batch.events.push_back(std::move(event));
    return;
  }
  batch.rejects.push_back({index, std::move(*error), item.raw(), std::move(event.distinct_id),
                           std::move(event.name), std::move(event.uuid)});
}

}  // namespace

Result<std::unique_ptr<CaptureBatch>> decode_capture(const RequestHead& head, Endpoint endpoint,
                                                     std::string body,
                                                     const CaptureContext& context) {
  HF_ASSERT(endpoint != Endpoint::kReplay && endpoint != Endpoint::kCaptureV1);
  size_t alone = 0;
  MemoryShare own(alone);
  MemoryShare& memory = context.memory != nullptr ? *context.memory : own;
  Result<DecodedBody> decoded =
      decode_body(head, endpoint, std::move(body), context.config.body_bytes_max, memory);
  if (!decoded.ok()) return decoded.error();
  auto batch = std::make_unique<CaptureBatch>();
  Result<Shape> shape = parse_shape(endpoint, context.config, decoded.value(), *batch, memory);
  if (!shape.ok()) return shape.error();

  if (auto error = capture::admit(shape.value(), decoded.value().token,
                                  capture::TokenRule::kAllAgree, head, context, *batch)) {
    return std::move(*error);
  }
  const Value& wrapper = shape.value().wrapper;
  batch->sent_at_ms = capture::sent_at_of(wrapper, head, context.config);
  batch->historical = wrapper.exists() && wrapper.find("historical_migration").is_true();
  batch->items = std::move(shape.value().items);
  decode_next_window(*batch, context);
  return batch;
}

bool decode_next_window(CaptureBatch& batch, const CaptureContext& context) {
  if (!batch.has_more()) return false;
  batch.events.clear();
  batch.rejects.clear();
  const size_t left = batch.items.size() - batch.next_item;
  batch.events.reserve(std::min<size_t>(left, limits::kWindowEventsMax));
  const EventClock clock{context.now_ms, batch.sent_at_ms};
  size_t bytes = 0;
  for (size_t count = 0; batch.has_more() && count < limits::kWindowEventsMax; ++count) {
    const Value item = batch.items[batch.next_item];
    bytes += item.raw().size();
    if (count > 0 && bytes > limits::kWindowBytesMax) break;
    add_event(item, batch.next_item++, clock, context, batch);
  }
  return true;
}

}  // namespace hogflare
