#include "shapes.h"

#include "hogflare/base64.h"
#include "hogflare/decompress.h"
#include "hogflare/limits.h"

namespace hogflare::capture {
namespace {

using json::Member;
using json::Value;

// Names and punctuation that rewriting adds to an item.
constexpr size_t kAddedByRewriting = 96;

// A JSON object under construction from raw pieces.
class ObjectText {
 public:
  explicit ObjectText(std::string& out) : out_(out) { out_ += '{'; }
  void add_raw_key(std::string_view raw_key, std::string_view raw_value) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += raw_key;
    out_ += ':';
    out_ += raw_value;
  }
  void add(const Member& member) { add_raw_key(member.raw_key(), member.value.raw()); }
  void add(std::string_view plain_key, std::string_view raw_value) {
    add_raw_key("\"" + std::string(plain_key) + "\"", raw_value);
  }
  void add_if_exists(std::string_view plain_key, const Value& value) {
    if (value.exists()) add(plain_key, value.raw());
  }
  void add_all(const Value& object) {
    for (const Member member : object.members()) add(member);
  }
  void close() { out_ += '}'; }

 private:
  std::string& out_;
  bool first_ = true;
};

std::string_view event_name_of(Endpoint endpoint) {
  if (endpoint == Endpoint::kAlias) return "\"$create_alias\"";
  if (endpoint == Endpoint::kGroups) return "\"$groupidentify\"";
  return "\"$identify\"";
}

bool has_any(const Value& object, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (object.find(name).exists()) return true;
  }
  return false;
}

// The bare properties of /identify are the person's; those of an event say so by their names.
void add_identify_properties(ObjectText& out, const Value& root, const Value& properties) {
  const bool is_event_form =
      has_any(properties, {"$set", "$set_once", "$unset", "$anon_distinct_id"});
  if (is_event_form) {
    out.add_all(properties);
  } else {
    out.add_if_exists("$set", properties);
  }
  if (!properties.find("$anon_distinct_id").exists()) {
    out.add_if_exists("$anon_distinct_id", root.find("$anon_distinct_id"));
  }
}

void add_group_properties(ObjectText& out, const Value& root, const Value& properties) {
  if (has_any(properties, {"$group_type", "$group_key", "$group_set"})) {
    out.add_all(properties);
    return;
  }
  out.add_if_exists("$group_type", root.find("group_type"));
  out.add_if_exists("$group_key", root.find("group_key"));
  out.add_if_exists("$group_set", properties);
}

void append_properties(std::string& text, Endpoint endpoint, const Value& root) {
  const Value given = root.find("properties");
  const Value properties = given.is_object() ? given : Value();
  ObjectText out(text);
  switch (endpoint) {
    case Endpoint::kIdentify:
      add_identify_properties(out, root, properties);
      break;
    case Endpoint::kGroups:
      add_group_properties(out, root, properties);
      break;
    case Endpoint::kAlias:
      if (properties.exists()) out.add_all(properties);
      out.add_if_exists("alias", root.find("alias"));
      break;
    default:
      if (properties.exists()) out.add_all(properties);
      out.add_if_exists("$unset", root.find("$unset"));
  }
  out.close();
}

bool is_event(const Value& item) { return item.find("event").exists(); }

void append_rewritten(std::string& text, Endpoint endpoint, const Value& item) {
  if (!item.is_object() || is_event(item)) {
    text += item.raw();
    return;
  }
  ObjectText out(text);
  for (const Member member : item.members()) {
    const bool moved = member.key_is("properties") || member.key_is("$anon_distinct_id") ||
                       (endpoint == Endpoint::kEngage && member.key_is("$unset"));
    if (!moved) out.add(member);
  }
  if (endpoint == Endpoint::kGroups && !has_any(item, {"distinct_id", "$distinct_id"})) {
    out.add_if_exists("distinct_id", item.find("group_key"));
  }
  out.add("event", event_name_of(endpoint));
  const Value given = item.find("properties");
  // Something that is no object stays as it is, to be refused by name.
  const bool is_odd = given.exists() && !given.is_object() && !given.is_null();
  out.add("properties", is_odd ? given.raw() : std::string_view());
  if (!is_odd) append_properties(text, endpoint, item);
  out.close();
}

// What stands in the rewritten item once more than in the item itself.
size_t repeated_bytes(Endpoint endpoint, const Value& item) {
  const auto bytes_of = [&item](std::string_view name) {
    const Value value = item.find(name);
    return value.exists() ? value.raw().size() : 0;
  };
  if (!item.is_object() || is_event(item)) return 0;
  if (endpoint == Endpoint::kAlias) return bytes_of("alias");
  // The key is the distinct_id too.
  if (endpoint == Endpoint::kGroups) return bytes_of("group_type") + 2 * bytes_of("group_key");
  return 0;
}

Result<Shape> shape_of_list(const Value& wrapper, const Value& list, size_t events_max) {
  if (auto error = too_many_events(list, events_max)) return std::move(*error);
  Shape shape;
  shape.wrapper = wrapper;
  size_t count = 0;
  for (const Value item : list.elements()) count += item.exists() ? 1 : 0;
  shape.items.reserve(count);
  for (const Value item : list.elements()) shape.items.push_back(item);
  if (shape.items.empty()) return Error{ErrorCode::kEmptyBatch};
  return shape;
}

}  // namespace

std::optional<Error> check_size(const Value& event) {
  const auto over = [](size_t count, std::string_view what, size_t most) {
    return Error{ErrorCode::kEventTooLarge, "the event has " + std::to_string(count) +
                                                std::string(what) + "; at most " +
                                                std::to_string(most) + " are taken"};
  };
  const size_t bytes = event.raw().size();
  if (bytes > limits::kEventBytesMax) return over(bytes, " bytes of JSON", limits::kEventBytesMax);
  const size_t values = event.node().next - event.index();
  if (values > limits::kEventValuesMax) return over(values, " values", limits::kEventValuesMax);
  return std::nullopt;
}

std::optional<Error> too_many_events(const Value& list, size_t events_max) {
  size_t count = 0;
  for (const Value item : list.elements()) {
    if (item.exists() && ++count > events_max) {
      return Error{ErrorCode::kTooLarge, "the request holds more than " +
                                             std::to_string(events_max) +
                                             " events; nothing was stored, send it in parts"};
    }
  }
  return std::nullopt;
}

Result<Shape> find_shape(const Value& root, size_t events_max) {
  if (root.is_array()) return shape_of_list(Value(), root, events_max);
  if (!root.is_object()) {
    return Error{ErrorCode::kHydrateFailed, "the body must be a JSON object or array"};
  }
  Value list = root.find("batch");
  const bool is_envelope =
      !list.exists() && !root.find("event").exists() && root.find("data").exists();
  if (is_envelope) list = root.find("data");
  if (list.is_array()) return shape_of_list(root, list, events_max);
  Shape shape;
  if (list.is_object()) {
    shape.wrapper = root;
    shape.items.push_back(list);
    return shape;
  }
  if (list.exists() && !is_envelope) {
    return Error{ErrorCode::kHydrateFailed, "batch must be an array of events"};
  }
  shape.items.push_back(root);
  shape.is_single = true;
  return shape;
}

std::optional<Result<std::string>> unwrap_data_text(const Value& root, size_t bytes_max,
                                                    std::string& token, MemoryShare& memory) {
  if (!root.is_object() || has_any(root, {"batch", "event"})) return std::nullopt;
  const Value data = root.find("data");
  if (!data.is_string()) return std::nullopt;
  for (const std::string_view name : {"api_key", "token"}) {
    const Value given = root.find(name);
    if (token.empty() && given.is_string()) {
      token = json::decode_beginning(given.raw(), limits::kTokenRawBytesMax);
    }
  }
  // The text and what its base64 stands for.
  if (auto refused = memory.hold_more(2 * data.raw().size())) {
    return Result<std::string>(std::move(*refused));
  }
  std::string text = data.text();
  if (looks_like_base64(text)) {
    std::optional<std::string> bytes = decode_base64(text);
    if (bytes) text = std::move(*bytes);
  }
  if (!is_gzip(text)) return Result<std::string>(std::move(text));
  return memory.unpack(Encoding::kGzip, text, bytes_max);
}

bool needs_rewriting(Endpoint endpoint, const Shape& shape) {
  const bool has_own_shape = endpoint == Endpoint::kEngage || endpoint == Endpoint::kIdentify ||
                             endpoint == Endpoint::kAlias || endpoint == Endpoint::kGroups;
  if (!has_own_shape) return false;
  for (const Value& item : shape.items) {
    if (item.is_object() && !is_event(item)) return true;
  }
  return false;
}

Result<std::string> rewrite(Endpoint endpoint, const Shape& shape, MemoryShare& memory) {
  const Error too_large(ErrorCode::kTooLarge, "as events the request has more than " +
                                                  std::to_string(limits::kDecompressedBytesMax) +
                                                  " bytes");
  std::string text;
  // What an item may become is its own text with some of it repeated, and what is added is less
  // than this.
  size_t expected = shape.wrapper.exists() ? shape.wrapper.raw().size() : 0;
  expected += shape.items.size() * kAddedByRewriting;
  for (const Value& item : shape.items) {
    expected += repeated_bytes(endpoint, item);
    if (!shape.wrapper.exists()) expected += item.raw().size() + 1;
  }
  if (expected > limits::kDecompressedBytesMax) return too_large;
  if (auto refused = memory.hold_more(expected)) return std::move(*refused);
  text.reserve(expected);
  if (shape.is_single) {
    append_rewritten(text, endpoint, shape.items.front());
    return text;
  }
  if (shape.wrapper.exists()) {
    text += '{';
    for (const Member member : shape.wrapper.members()) {
      if (member.key_is("batch") || member.key_is("data")) continue;
      text += member.raw_key();
      text += ':';
      text += member.value.raw();
      text += ',';
    }
    text += "\"batch\":";
  }
  text += '[';
  for (const Value& item : shape.items) {
    if (&item != &shape.items.front()) text += ',';
    append_rewritten(text, endpoint, item);
    if (text.size() > limits::kDecompressedBytesMax) return too_large;
  }
  text += ']';
  if (shape.wrapper.exists()) text += '}';
  return text;
}

}  // namespace hogflare::capture
