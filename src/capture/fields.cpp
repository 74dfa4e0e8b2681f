#include "fields.h"

#include <map>

#include "hogflare/capitals.h"
#include "hogflare/cookieless.h"
#include "hogflare/limits.h"
#include "hogflare/project_token.h"
#include "hogflare/short_bytes.h"
#include "hogflare/signature.h"
#include "hogflare/text.h"
#include "hogflare/url.h"
#include "hogflare/uuid.h"

namespace hogflare {

std::optional<Error> check_origin(const Project& project, std::string_view origin) {
  if (project.origins.empty() || origin.empty()) return std::nullopt;
  for (const std::string& allowed : project.origins) {
    if (allowed == origin) return std::nullopt;
  }
  return Error{ErrorCode::kOriginNotAllowed, std::string(first_code_points(origin, 200))};
}

}  // namespace hogflare

namespace hogflare::capture {
namespace {

// Of a field that null leaves absent; an empty text is no time either, as in PostHog.
bool says_something(const json::Value& timestamp) {
  return timestamp.exists() && timestamp.raw() != "\"\"";
}

using json::Value;

// 2021-01-01T00:00:00Z: capture ignores a query's send time before it.
constexpr int64_t kQuerySentAtFromMs = 1'609'459'200'000;

// JSON without white space outside of strings.
std::string compact(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  bool in_string = false;
  for (size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if (in_string) {
      out += c;
      if (c == '\\') out += raw[++i];
      if (c == '"') in_string = false;
      continue;
    }
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    in_string = c == '"';
    out += c;
  }
  return out;
}

// An object or list as serde_json writes it, whose maps are sorted by name: PostHog's capture makes
// a distinct_id of it (rust/common/types/src/event.rs).
void append_sorted(const Value& value, std::string& out) {
  if (value.is_string()) return json::append_string(out, value.text());
  if (!value.is_object() && !value.is_array()) {
    out += value.raw();
    return;
  }
  const bool is_object = value.is_object();
  out += is_object ? '{' : '[';
  const char* comma = "";
  for (const Value element : value.elements()) {
    out += comma;
    append_sorted(element, out);
    comma = ",";
  }
  std::map<std::string, Value> members;
  for (const json::Member member : value.members()) {
    members.insert_or_assign(member.key(), member.value);
  }
  for (const auto& [name, inner] : members) {
    out += comma;
    json::append_string(out, name);
    out += ':';
    append_sorted(inner, out);
    comma = ",";
  }
  out += is_object ? '}' : ']';
}

// Longer ones, which no id is, keep their order: they are cut anyway.
std::string sorted_text(std::string_view raw) {
  if (raw.size() > limits::kIdRawBytesMax) return compact(raw);
  const Result<json::Document> document = json::Document::parse_const(raw, limits::kJsonDepthMax);
  if (!document.ok()) return compact(raw);
  std::string out;
  append_sorted(document.value().root(), out);
  return out;
}

void set_unless_null(Value& field, const Value& value) {
  if (!value.is_null()) field = value;
}

// Lengths of the names that PropertyFields looks for.
constexpr uint32_t kPropertySizes = 1u << 5 | 1u << 11 | 1u << 15 | 1u << 16;

// Whether the name's length is one of `sizes`, as far as the index knows.
bool may_have_size(const json::Member& member, uint32_t sizes) {
  const uint32_t size = member.value.node().key_size;
  return size > 31 || (sizes >> size & 1u) != 0;
}

// Of a text that is a UUID: whether it is written as rows have it, without braces, URN and
// capitals.
bool is_canonical(std::string_view uuid) {
  constexpr size_t kTextBytes = 36;
  return uuid.size() == kTextBytes && !may_have_capital(uuid);
}

std::optional<Error> fill_name(const Value& name, Event& event) {
  if (!name.exists()) return Error{ErrorCode::kHydrateFailed, "the event has no event name"};
  if (!name.is_string()) {
    return Error{ErrorCode::kMissingEventName,
                 "event must be a string, not " + std::string(first_code_points(name.raw(), 64))};
  }
  // A unit has six bytes at most, and what is behind the last one does not count.
  std::string text = json::decode_beginning(name.raw(), 6 * (limits::kEventNameUnits + 2));
  if (text.empty()) return Error{ErrorCode::kMissingEventName};
  // U+FFFD is one unit as NUL is, so that what is cut away needs no replacing.
  text.resize(first_utf16_units(text, limits::kEventNameUnits).size());
  replace_nul(text);
  event.name = std::move(text);
  return std::nullopt;
}

std::optional<Error> check_shape(const RootFields& fields, const PropertyFields& inner) {
  // PHP's json_encode makes [] of an empty map.
  const bool is_empty_list = fields.properties.is_array() && fields.properties.elements().empty() &&
                             compact(fields.properties.raw()) == "[]";
  if (fields.properties.exists() && !fields.properties.is_object() && !is_empty_list) {
    return Error{ErrorCode::kInvalidProperties, "properties must be a JSON object"};
  }
  if (inner.cookieless_mode.exists() && !inner.cookieless_mode.is_bool()) {
    return Error{ErrorCode::kInvalidCookielessMode, "$cookieless_mode must be true or false"};
  }
  return std::nullopt;
}

}  // namespace

RootFields RootFields::of(const Value& event) {
  RootFields fields;
  Value dollar_distinct_id;
  for (const json::Member member : event.members()) {
    if (member.key_is("event")) {
      set_unless_null(fields.event, member.value);
    } else if (member.key_is("properties")) {
      set_unless_null(fields.properties, member.value);
    } else if (member.key_is("distinct_id")) {
      set_unless_null(fields.distinct_id, member.value);
    } else if (member.key_is("$distinct_id")) {
      set_unless_null(dollar_distinct_id, member.value);
    } else if (member.key_is("uuid")) {
      set_unless_null(fields.uuid, member.value);
    } else if (member.key_is("timestamp")) {
      set_unless_null(fields.timestamp, member.value);
    } else if (member.key_is("offset")) {
      set_unless_null(fields.offset, member.value);
    } else if (member.key_is("$set")) {
      set_unless_null(fields.set, member.value);
    } else if (member.key_is("$set_once")) {
      set_unless_null(fields.set_once, member.value);
    } else if (member.key_is("token") || member.key_is("$token") || member.key_is("api_key")) {
      set_unless_null(fields.token, member.value);
    } else if (member.key_is("sent_at")) {
      set_unless_null(fields.sent_at, member.value);
    }
  }
  if (!fields.distinct_id.exists()) fields.distinct_id = dollar_distinct_id;
  return fields;
}

PropertyFields PropertyFields::of(const Value& properties) {
  PropertyFields fields;
  std::string scratch;
  for (const json::Member member : properties.members()) {
    if (!may_have_size(member, kPropertySizes)) continue;
    const std::string_view name = member.name(scratch);
    const auto is = [name](std::string_view other) {
      return same_bytes(name.data(), other.data(), other.size());
    };
    // By length first, because most names are none of these.
    switch (name.size()) {
      case 5:
        if (is("token")) set_unless_null(fields.token, member.value);
        break;
      case 11:
        if (is("distinct_id")) set_unless_null(fields.distinct_id, member.value);
        break;
      case 15:
        if (is("$ignore_sent_at")) set_unless_null(fields.ignore_sent_at, member.value);
        break;
      case 16:
        if (is("$cookieless_mode")) set_unless_null(fields.cookieless_mode, member.value);
        break;
    }
  }
  return fields;
}

std::optional<Error> read_uuid(const Value& uuid, std::string& out) {
  if (uuid.exists() && !uuid.is_string()) {
    return Error{ErrorCode::kInvalidUuid, "uuid must be a string"};
  }
  if (!uuid.exists()) return std::nullopt;
  // Nobody escapes a UUID's characters, so decoding is the exception.
  std::string decoded;
  std::string_view text = uuid.raw().substr(1, uuid.raw().size() - 2);
  if (text.size() <= limits::kUuidRawBytesMax && text.find('\\') != std::string_view::npos) {
    text = decoded = uuid.text();
  }
  if (text.empty()) return std::nullopt;
  const std::optional<Uuid> parsed = Uuid::try_parse(text);
  if (!parsed) {
    return Error{ErrorCode::kInvalidUuid,
                 "\"" + std::string(first_code_points(text, 64)) + "\" is not a UUID"};
  }
  out = is_canonical(text) ? std::string(text) : parsed->text();
  return std::nullopt;
}

EventTimes times_of(const RootFields& fields, int64_t now_ms) {
  EventTimes times;
  times.timestamp_ms = time_of(fields.timestamp, now_ms);
  if (fields.offset.is_number()) {
    const std::string_view raw = fields.offset.raw();
    times.offset_ms = parse_int64(raw.substr(0, raw.find('.')));
  }
  return times;
}

std::string text_of(const Value& value) {
  if (!value.exists()) return {};
  if (value.is_string()) return value.text();
  return value.is_object() || value.is_array() ? sorted_text(value.raw()) : compact(value.raw());
}

std::string distinct_id_of(const Value& root, const Value& property) {
  std::string text = text_of(root.exists() ? root : property);
  if (is_blank(text)) return {};
  const std::string_view kept = first_code_points(text, limits::kDistinctIdChars);
  // A copy, for whoever keeps the id would keep the room of what was cut away.
  if (kept.size() < text.size()) text = std::string(kept);
  replace_nul(text);
  return text;
}

std::optional<int64_t> time_of(const Value& value, std::optional<int64_t> now_ms) {
  if (!value.exists()) return std::nullopt;
  if (value.is_number()) return parse_epoch_number(value.raw());
  if (!value.is_string()) return std::nullopt;
  const std::string_view raw = value.raw();
  if (raw.size() > limits::kTimeRawBytesMax) return std::nullopt;
  if (raw.find('\\') != std::string_view::npos) return parse_timestamp(value.text(), now_ms);
  return parse_timestamp(raw.substr(1, raw.size() - 2), now_ms);
}

std::optional<Error> check_unsigned(std::string_view token, const RequestHead& head,
                                    const Config& config) {
  if (config.signing_secret.empty() || is_signed(head)) return std::nullopt;
  if (config.unsigned_tokens.count(token) > 0) return std::nullopt;
  return Error{ErrorCode::kInvalidSignature,
               "requests of this project must be signed, and a payload in ?data= cannot be"};
}

Result<const Project*> authorize(std::string_view token, const RequestHead& head,
                                 const Config& config) {
  if (auto error = check_token(token)) return std::move(*error);
  if (auto error = check_unsigned(token, head, config)) return std::move(*error);
  const Project* project = config.project_of(token);
  if (project == nullptr) return Error{ErrorCode::kUnknownToken};
  if (auto error = check_origin(*project, head.origin)) return std::move(*error);
  return project;
}

std::optional<int64_t> query_sent_at(std::string_view query) {
  for (const std::string_view name : {"_", "sent_at"}) {
    const std::optional<std::string> text = form_value(query, name);
    if (!text) continue;
    const std::optional<int64_t> ms = parse_int64(*text);
    if (ms && *ms >= kQuerySentAtFromMs) return ms;
  }
  return std::nullopt;
}

std::optional<Error> fill_event(const RootFields& fields, const EventClock& clock,
                                const CaptureContext& context, Event& event) {
  const bool has_properties = fields.properties.is_object();
  const PropertyFields inner =
      has_properties ? PropertyFields::of(fields.properties) : PropertyFields{};
  event.properties = has_properties ? fields.properties : Value();
  event.set = fields.set;
  event.set_once = fields.set_once;
  // Everything is read before anything is refused: a reject shows what is known.
  event.distinct_id = distinct_id_of(fields.distinct_id, inner.distinct_id);
  const std::optional<Error> bad_name = fill_name(fields.event, event);
  const std::optional<Error> bad_uuid = read_uuid(fields.uuid, event.uuid);
  if (bad_name) return bad_name;
  if (const auto bad_shape = check_shape(fields, inner)) return bad_shape;
  if (event.distinct_id.empty()) return Error{ErrorCode::kMissingDistinctId};
  if (bad_uuid) return bad_uuid;
  if (inner.cookieless_mode.is_true()) {
    event.cookieless = CookielessPart::kAsked;
  } else if (is_cookieless_placeholder(event.distinct_id)) {
    event.cookieless = CookielessPart::kPlaceholder;
  }
  if (event.uuid.empty()) event.uuid = Uuid::version_7(context.now_ms, context.entropy).text();
  EventTimes times = times_of(fields, clock.now_ms);
  times.ignore_sent_at = inner.ignore_sent_at.is_true();
  event.timestamp_ms = clock.event_time(times);
  event.time_unread = !times.timestamp_ms && !times.offset_ms && says_something(fields.timestamp);
  return std::nullopt;
}

std::optional<Error> parse_body(CaptureBatch& batch, uint32_t index_depth, MemoryShare& memory) {
  batch.document.reset();
  if (auto refused = memory.hold(batch.body.size() + json_index_bytes(batch.body))) return refused;
  Result<json::Document> document =
      json::Document::parse({batch.body.data(), batch.body.size()}, index_depth);
  if (!document.ok()) return document.error();
  batch.document = std::move(document).value();
  return std::nullopt;
}

}  // namespace hogflare::capture
