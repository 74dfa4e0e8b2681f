// Bodies of /flags, /decide and OFREP. Source: F-1.2, W-7.2.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "hogflare/event.h"
#include "hogflare/flags.h"
#include "hogflare/flags_limits.h"
#include "hogflare/text.h"
#include "flags/text.h"

namespace hogflare::flags {
namespace {

using Names = std::initializer_list<std::string_view>;

// The first of a field's aliases that is there and not null.
const Value* field(const Value& body, Names names) {
  for (const std::string_view name : names) {
    const Value* value = body.find(name);
    if (value != nullptr && !value->is_null()) return value;
  }
  return nullptr;
}

Error wrong_type(std::string_view name, std::string_view wanted) {
  return Error(ErrorCode::kParseFailed,
               fmt::format("Failed to parse request: {} must be {}", name, wanted));
}

bool read_flag(const Value& body, std::string_view name) {
  const Value* value = body.find(name);
  return value != nullptr && value->is_bool() && value->boolean;
}

std::optional<std::string> read_optional_text(const Value& body, Names names) {
  const Value* value = field(body, names);
  if (value == nullptr || (!value->is_string() && !value->is_number())) return std::nullopt;
  return value->text;
}

// A list of texts; anything else in it is passed over.
std::optional<std::vector<std::string>> read_text_list(const Value& body, Names names) {
  const Value* value = field(body, names);
  if (value == nullptr || !value->is_array()) return std::nullopt;
  std::vector<std::string> texts;
  for (const Value& item : value->items) {
    if (item.is_string()) texts.push_back(item.text);
  }
  return texts;
}

void read_groups(const Value& groups, Request& request) {
  for (size_t i = 0; i < groups.keys.size(); ++i) {
    const Value& key = groups.items[i];
    GroupKey group;
    group.type = groups.keys[i];
    if (key.is_string() || key.is_number()) group.key = key.text;
    group.usable = !group.key.empty();
    request.groups.push_back(std::move(group));
  }
}

std::optional<Runtime> read_runtime(const Value& body) {
  const Value* value = body.find("evaluation_runtime");
  if (value == nullptr || !value->is_string()) return std::nullopt;
  if (equals_ignoring_case(value->text, "client")) return Runtime::kClient;
  if (equals_ignoring_case(value->text, "server")) return Runtime::kServer;
  return Runtime::kAll;
}

// The identifiers that flags hash beside distinct_id.
void read_identifiers(const Value& body, Request& request) {
  request.anon_distinct_id = read_optional_text(body, {"$anon_distinct_id", "anon_distinct_id"});
  // Server SDKs send it among the properties; the field itself wins.
  const Value* anonymous = request.person_properties.find("$anon_distinct_id");
  const bool is_given = request.anon_distinct_id && !request.anon_distinct_id->empty();
  if (!is_given && anonymous != nullptr && anonymous->is_string() && !anonymous->text.empty()) {
    request.anon_distinct_id = anonymous->text;
  }
  // It is stored with a person as a hash key, where no distinct_id is longer.
  if (request.anon_distinct_id) {
    std::string& id = *request.anon_distinct_id;
    id.resize(first_code_points(id, limits::kDistinctIdChars).size());
  }
  request.timezone = read_optional_text(body, {"timezone"}).value_or("");
  request.cookieless_hash_extra = read_optional_text(body, {"cookieless_hash_extra"}).value_or("");
  request.device_id = read_optional_text(body, {"device_id", "$device_id"});
  if (request.device_id && !request.device_id->empty()) return;
  request.device_id.reset();
  const Value* device = request.person_properties.find("$device_id");
  if (device != nullptr && device->is_string() && !device->text.empty()) {
    request.device_id = device->text;
  }
}

void read_options(const Value& body, const RequestHeaders& headers, Request& request) {
  request.flag_keys = read_text_list(body, {"flag_keys", "flag_keys_to_evaluate"});
  request.evaluation_contexts =
      read_text_list(body, {"evaluation_contexts", "evaluation_environments"})
          .value_or(std::vector<std::string>());
  request.runtime = read_runtime(body).value_or(detect_runtime(headers));
  request.geoip_disable = read_flag(body, "geoip_disable");
  request.disable_flags = read_flag(body, "disable_flags");
}

// Moves an object field out of the body; false when it is there and no object.
bool take_object(const Value& body, Names names, Value& out) {
  const Value* value = field(body, names);
  if (value == nullptr) return true;
  if (!value->is_object()) return false;
  out = *value;
  return true;
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
  });
}

// After a log-in SDKs in cookieless mode send everybody's placeholder: nobody is put into a bucket
// by it.
void leave_out_placeholders(Request& request) {
  for (std::optional<std::string>* id : {&request.anon_distinct_id, &request.device_id}) {
    if (*id && is_cookieless_placeholder(**id)) id->reset();
  }
}

}  // namespace

Runtime detect_runtime(const RequestHeaders& headers) {
  const std::string_view agent = headers.user_agent;
  if (starts_with_any(agent, {"posthog-python/", "posthog-ruby/", "posthog-php/", "posthog-java/",
                              "posthog-go/", "posthog-node/", "posthog-dotnet/", "posthog-elixir/",
                              "posthog-rs/", "posthog-server/", "python-requests/", "curl/"})) {
    return Runtime::kServer;
  }
  if (starts_with_any(agent, {"posthog-android/", "posthog-ios/", "posthog-react-native/",
                              "posthog-flutter/"})) {
    return Runtime::kClient;
  }
  for (const std::string_view browser : {"Mozilla/", "Chrome/", "Safari/", "Firefox/", "Edge/"}) {
    if (agent.find(browser) != std::string_view::npos) return Runtime::kClient;
  }
  return headers.has_browser_headers ? Runtime::kClient : Runtime::kUnknown;
}

void Request::fill_person_property(std::string_view key, std::string_view text) {
  const Value* given = person_properties.find(key);
  if (given != nullptr && !given->is_null()) return;
  person_properties.set(key, Value::of(text));
}

void Request::sort() {
  person_properties.sort_keys();
  for (Value& properties : group_properties.items) properties.sort_keys();
  group_properties.sort_keys();
  std::sort(groups.begin(), groups.end(),
            [](const GroupKey& left, const GroupKey& right) { return left.type < right.type; });
  groups_are_sorted_ = true;
}

const GroupKey* Request::group(std::string_view type) const {
  if (groups_are_sorted_) {
    const auto found = std::lower_bound(
        groups.begin(), groups.end(), type,
        [](const GroupKey& group, std::string_view wanted) { return group.type < wanted; });
    return found == groups.end() || found->type != type ? nullptr : &*found;
  }
  for (const GroupKey& candidate : groups) {
    if (candidate.type == type) return &candidate;
  }
  return nullptr;
}

Result<Request> parse_request(std::string_view json, const RequestHeaders& headers) {
  Result<Value> parsed = parse_value(json, limits::kFlagsRequestNodesMax);
  if (!parsed.ok()) {
    return Error(parsed.error().code, "Failed to parse request: " + parsed.error().detail);
  }
  const Value& body = parsed.value();
  if (!body.is_object()) return wrong_type("the body", "a JSON object");
  Request request;
  const Value* token = field(body, {"token", "$token", "api_key"});
  if (token == nullptr || !token->is_string() || token->text.empty()) {
    return Error(ErrorCode::kMissingToken,
                 "No API token provided; send the project API key as token");
  }
  request.token = token->text;
  if (!take_object(body, {"person_properties", "$properties"}, request.person_properties)) {
    return wrong_type("person_properties", "an object");
  }
  if (!take_object(body, {"group_properties", "$group_properties"}, request.group_properties)) {
    return wrong_type("group_properties", "an object of objects");
  }
  Value groups = Value::object();
  if (!take_object(body, {"groups", "$groups"}, groups)) return wrong_type("groups", "an object");
  read_groups(groups, request);
  read_identifiers(body, request);
  read_options(body, headers, request);
  leave_out_placeholders(request);
  const Value* distinct_id = field(body, {"distinct_id", "$distinct_id"});
  if (distinct_id == nullptr) {
    if (request.disable_flags) return request;
    return Error(ErrorCode::kMissingDistinctId,
                 "The distinct_id field is missing from the request; send it as text or number");
  }
  if (!distinct_id->is_string() && !distinct_id->is_number()) {
    return wrong_type("distinct_id", "a text or a number");
  }
  request.distinct_id = std::string(first_code_points(distinct_id->text, limits::kDistinctIdChars));
  return request;
}

OfrepRequest parse_ofrep_request(std::string_view json, const RequestHeaders& headers) {
  OfrepRequest parsed;
  const auto fail = [&](OfrepError error, std::string_view detail) {
    parsed.error = error;
    parsed.detail = std::string(detail);
    return parsed;
  };
  const Result<Value> body = parse_value(json, limits::kFlagsRequestNodesMax);
  if (!body.ok()) return fail(OfrepError::kParseError, body.error().detail);
  if (!body.value().is_object()) return fail(OfrepError::kParseError, "the body must be an object");
  const Value* context = body.value().find("context");
  if (context == nullptr || context->is_null()) {
    return fail(OfrepError::kTargetingKeyMissing, "context.targetingKey is missing");
  }
  if (!context->is_object()) return fail(OfrepError::kInvalidContext, "context must be an object");
  const Value* key = context->find("targetingKey");
  if (key == nullptr || key->is_null() || (key->is_string() && key->text.empty())) {
    return fail(OfrepError::kTargetingKeyMissing, "context.targetingKey is missing");
  }
  if (!key->is_string()) {
    return fail(OfrepError::kInvalidContext, "context.targetingKey must be a text");
  }
  Request& request = parsed.request;
  request.distinct_id = std::string(first_code_points(key->text, limits::kDistinctIdChars));
  for (size_t i = 0; i < context->keys.size(); ++i) {
    const std::string& name = context->keys[i];
    const Value& value = context->items[i];
    const bool groups = name == "groups";
    if (groups || name == "groupProperties" || name == "group_properties") {
      if (!value.is_object()) {
        return fail(OfrepError::kInvalidContext, "context." + name + " must be an object");
      }
      if (groups) {
        read_groups(value, request);
      } else {
        request.group_properties = value;
      }
    } else if (name != "targetingKey") {
      // An object names nothing twice, so that nothing needs to be looked for: set() would for
      // each.
      request.person_properties.keys.push_back(name);
      request.person_properties.items.push_back(value);
    }
  }
  read_identifiers(*context, request);
  leave_out_placeholders(request);
  request.runtime = detect_runtime(headers);
  return parsed;
}

}  // namespace hogflare::flags
