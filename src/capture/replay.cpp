// Session replay: /s (W-6).
#include "fields.h"
#include "hogflare/ascii.h"
#include "hogflare/cookieless.h"
#include "hogflare/limits.h"
#include "hogflare/text.h"
#include "hogflare/uuid.h"
#include "shapes.h"
#include "token.h"

namespace hogflare {
namespace {

using capture::RootFields;
using capture::Shape;
using json::Value;

// Deep enough for the properties of an event in a wrapper: wrapper, batch, event, properties,
// member. What is inside `$snapshot_data` nobody looks at.
constexpr uint32_t kIndexDepth = 4;
// A window id, a source or a library's name is an identifier; PostHog sets no bound of its own.
constexpr size_t kNameBytesMax = 200;
constexpr std::string_view kDefaultSource = "\"web\"";

struct SnapshotFields {
  Value session_id;
  Value window_id;
  Value source;
  Value library;
  Value data;
  Value distinct_id;
  Value cookieless_mode;
  Value ignore_sent_at;

  static SnapshotFields of(const Value& properties) {
    SnapshotFields fields;
    const std::pair<std::string_view, Value*> places[] = {
        {"$session_id", &fields.session_id},
        {"$window_id", &fields.window_id},
        {"$snapshot_source", &fields.source},
        {"$lib", &fields.library},
        {"$snapshot_data", &fields.data},
        {"distinct_id", &fields.distinct_id},
        {"$cookieless_mode", &fields.cookieless_mode},
        {"$ignore_sent_at", &fields.ignore_sent_at}};
    for (const json::Member member : properties.members()) {
      for (const auto& [name, place] : places) {
        if (member.key_is(name) && !member.value.is_null()) *place = member.value;
      }
    }
    return fields;
  }
};

Error invalid(std::string detail) { return {ErrorCode::kInvalidReplay, std::move(detail)}; }

bool is_session_id(const Value& value) {
  if (!value.is_string()) return false;
  const std::string_view inner = value.raw().substr(1, value.raw().size() - 2);
  if (inner.empty() || inner.size() > limits::kSessionIdBytesMax) return false;
  for (const char c : inner) {
    if (!is_alphanumeric(c) && c != '-') return false;
  }
  return true;
}

// The product of a User-Agent, when it is one of PostHog's: "posthog-android/1.0.4".
std::string library_of(const Value& given, std::string_view user_agent) {
  if (given.is_string()) {
    const std::string text = json::decode_beginning(given.raw(), 12 * (kNameBytesMax + 1));
    return std::string(first_code_points(text, kNameBytesMax));
  }
  if (user_agent.empty()) return "unknown";
  const std::string_view product = user_agent.substr(0, user_agent.find('/'));
  if (product.find("posthog") == std::string_view::npos) return "web";
  return std::string(first_code_points(product, kNameBytesMax));
}

// The text between an array's brackets, or the whole object.
std::string_view items_of(const Value& data) {
  const std::string_view raw = data.raw();
  if (data.is_object()) return raw;
  const std::string_view inner = raw.substr(1, raw.size() - 2);
  return trim_ascii(inner).empty() ? std::string_view() : inner;
}

class ReplayDecoder {
 public:
  ReplayDecoder(const RequestHead& head, const CaptureContext& context, MemoryShare& memory,
                CaptureBatch& batch)
      : head_(head), context_(context), memory_(memory), batch_(batch) {}

  // An error where there is no memory for what the item becomes.
  std::optional<Error> add(const Value& item, size_t index) {
    Recording recording;
    if (auto error = read(item, recording)) {
      if (auto refused = hold<Reject>(recording, error->detail.size())) return refused;
      batch_.rejects.push_back({index, std::move(*error), item.raw(),
                                std::move(recording.distinct_id), "$snapshot",
                                std::move(recording.uuid)});
      return std::nullopt;
    }
    if (batch_.recordings.empty() || !continues(batch_.recordings.back(), recording)) {
      if (auto refused = hold<Recording>(recording, recording.library.size())) return refused;
      if (recording.uuid.empty()) {
        recording.uuid = Uuid::version_7(context_.now_ms, context_.entropy).text();
      }
      batch_.recordings.push_back(std::move(recording));
      return std::nullopt;
    }
    for (const std::string_view items : recording.items) {
      batch_.recordings.back().items.push_back(items);
    }
    return std::nullopt;
  }

 private:
  // The item in a list that grows to twice its size, and its texts: a name that a header gives
  // stands in each of fifty thousand.
  template <typename T>
  std::optional<Error> hold(const Recording& recording, size_t text_bytes) {
    constexpr size_t kBlocksBytes = 128;  // a uuid, the list of items, and what blocks take
    return memory_.hold_more(2 * sizeof(T) + kBlocksBytes + recording.distinct_id.size() +
                             text_bytes);
  }

  static bool continues(const Recording& last, const Recording& next) {
    return last.session_id == next.session_id && last.window_id == next.window_id &&
           last.distinct_id == next.distinct_id;
  }

  std::optional<Error> read(const Value& item, Recording& recording) {
    if (!item.is_object())
      return Error{ErrorCode::kHydrateFailed, "an event must be a JSON object"};
    const RootFields root = RootFields::of(item);
    if (root.properties.exists() && !root.properties.is_object()) {
      return Error{ErrorCode::kInvalidProperties, "properties must be a JSON object"};
    }
    const SnapshotFields fields =
        root.properties.exists() ? SnapshotFields::of(root.properties) : SnapshotFields{};
    const size_t data_bytes = fields.data.exists() ? fields.data.raw().size() : 0;
    if (item.raw().size() - data_bytes > limits::kEventBytesMax) {
      return Error{ErrorCode::kEventTooLarge,
                   "the event has " + std::to_string(item.raw().size() - data_bytes) +
                       " bytes of JSON beside its $snapshot_data; at most " +
                       std::to_string(limits::kEventBytesMax) + " are taken"};
    }
    recording.distinct_id = capture::distinct_id_of(root.distinct_id, fields.distinct_id);
    if (auto error = capture::read_uuid(root.uuid, recording.uuid)) return error;
    if (recording.distinct_id.empty()) return Error{ErrorCode::kMissingDistinctId};
    // posthog-js records nothing in cookieless mode, and a recording shows more than an id would.
    if (is_cookieless_placeholder(recording.distinct_id) || fields.cookieless_mode.is_true()) {
      return Error{ErrorCode::kCookielessUnsupported, "$snapshot"};
    }
    if (fields.cookieless_mode.exists() && !fields.cookieless_mode.is_bool()) {
      return Error{ErrorCode::kInvalidCookielessMode, "$cookieless_mode must be true or false"};
    }
    if (auto error = read_session(fields, recording)) return error;
    if (!fields.data.is_array() && !fields.data.is_object()) {
      return invalid("replay event submitted without snapshot data");
    }
    const std::string_view items = items_of(fields.data);
    if (!items.empty()) recording.items.push_back(items);
    recording.library = library_of(fields.library, head_.user_agent);
    recording.timestamp_ms = time_of(root, fields);
    return std::nullopt;
  }

  std::optional<Error> read_session(const SnapshotFields& fields, Recording& recording) const {
    // PostHog asks only the first event of a request for its session.
    const bool inherits = !fields.session_id.exists() && !batch_.recordings.empty();
    if (!fields.session_id.exists() && !inherits) {
      return invalid("replay event submitted without session id");
    }
    if (!inherits && !is_session_id(fields.session_id)) {
      return invalid("replay event has invalid session id: it must be a string of at most " +
                     std::to_string(limits::kSessionIdBytesMax) + " letters, digits and '-'");
    }
    recording.session_id = inherits ? batch_.recordings.back().session_id : fields.session_id.raw();
    recording.window_id = recording.session_id;
    if (fields.window_id.exists()) {
      recording.window_id = fields.window_id.raw();
    } else if (inherits) {
      recording.window_id = batch_.recordings.back().window_id;
    }
    recording.snapshot_source = fields.source.exists() ? fields.source.raw() : kDefaultSource;
    if (recording.window_id.size() > kNameBytesMax) {
      return invalid("replay event has invalid window id: it is longer than 200 bytes");
    }
    if (recording.snapshot_source.size() > kNameBytesMax) {
      return invalid("replay event has an invalid $snapshot_source: it is longer than 200 bytes");
    }
    return std::nullopt;
  }

  int64_t time_of(const RootFields& root, const SnapshotFields& fields) const {
    const EventClock clock{context_.now_ms, batch_.sent_at_ms};
    EventTimes times = capture::times_of(root, clock.now_ms);
    times.ignore_sent_at = fields.ignore_sent_at.is_true();
    return clock.event_time(times);
  }

  const RequestHead& head_;
  const CaptureContext& context_;
  MemoryShare& memory_;
  CaptureBatch& batch_;
};

}  // namespace

Result<std::unique_ptr<CaptureBatch>> decode_replay(const RequestHead& head, std::string body,
                                                    const CaptureContext& context) {
  size_t alone = 0;
  MemoryShare own(alone);
  MemoryShare& memory = context.memory != nullptr ? *context.memory : own;
  Result<DecodedBody> decoded =
      decode_body(head, Endpoint::kReplay, std::move(body), context.config.body_bytes_max, memory);
  if (!decoded.ok()) return decoded.error();
  auto batch = std::make_unique<CaptureBatch>();
  batch->body = std::move(decoded.value().text);
  if (auto error = capture::parse_body(*batch, kIndexDepth, memory)) return std::move(*error);
  // What the index did not need is for others, while this request's rows are on their way.
  if (auto refused = memory.hold(batch->body.size() + batch->document->index_bytes())) {
    return std::move(*refused);
  }
  const Result<Shape> shape =
      capture::find_shape(batch->document->root(), context.config.events_max);
  if (!shape.ok()) return shape.error();
  if (auto error = capture::admit(shape.value(), decoded.value().token,
                                  capture::TokenRule::kFirstEvent, head, context, *batch)) {
    return std::move(*error);
  }
  const Value& first = shape.value().items.front();
  if (first.is_object()) {
    batch->sent_at_ms = capture::time_of(RootFields::of(first).sent_at);
  }
  if (!batch->sent_at_ms) {
    batch->sent_at_ms = capture::sent_at_of(shape.value().wrapper, head, context.config);
  }
  ReplayDecoder decoder(head, context, memory, *batch);
  for (size_t i = 0; i < shape.value().items.size(); ++i) {
    if (auto refused = decoder.add(shape.value().items[i], i)) return std::move(*refused);
  }
  return batch;
}

}  // namespace hogflare
