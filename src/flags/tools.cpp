#include "hogflare/flags_tools.h"
#include "hogflare/text.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include "flags/catalog.h"
#include "flags/hash.h"
#include "flags/json_writer.h"
#include "flags/portable.h"
#include "flags/text.h"
#include "hogflare/flags.h"
#include "hogflare/flags_responses.h"

namespace hogflare::flags {
namespace {

struct Arguments {
  std::string error;
  Value root = Value::object();
  std::string_view document;
  ParseOptions options;
};

void read_arguments(std::string_view json, Arguments& arguments) {
  Result<Value> parsed = parse_value(json);
  if (!parsed.ok() || !parsed.value().is_object()) {
    arguments.error = "the arguments must be a JSON object with \"document\"";
    return;
  }
  arguments.root = std::move(parsed).value();
  const Value* document = arguments.root.find("document");
  if (document == nullptr || !document->is_string()) {
    arguments.error = "\"document\" must hold the text of the definitions";
    return;
  }
  arguments.document = document->text;
  const Value* types = arguments.root.find("group_types");
  for (size_t i = 0; types != nullptr && i < types->items.size(); ++i) {
    if (i < arguments.options.group_types.size()) {
      arguments.options.group_types[i] = types->items[i].text;
    }
  }
}

void write_problems(JsonWriter& json, const std::vector<Problem>& problems) {
  json.key("problems").open_array();
  for (const Problem& problem : problems) {
    json.open_object();
    json.key("severity").text(problem.severity == Severity::kError ? "error" : "warning");
    json.key("path").text(problem.path);
    json.key("message").text(problem.message);
    json.close_object();
  }
  json.close_array();
}

std::string failure(std::string_view message, const std::vector<Problem>& problems) {
  JsonWriter json;
  json.open_object().key("ok").boolean(false).key("error").text(message);
  write_problems(json, problems);
  return json.close_object().take();
}

StoredState read_stored(const Value& arguments) {
  StoredState stored;
  const Value* person = arguments.find("person");
  if (person != nullptr && person->is_object()) {
    stored.person_exists = true;
    stored.person_properties = *person;
  }
  const Value* read = arguments.find("person_read");
  if (read != nullptr && read->text == "failed") stored.person_read = Read::kFailed;
  const Value* groups = arguments.find("stored_groups");
  for (size_t i = 0; groups != nullptr && i < groups->keys.size(); ++i) {
    stored.groups.push_back(StoredGroup{groups->keys[i], Read::kOk, groups->items[i]});
  }
  const Value* cohorts = arguments.find("cohorts");
  for (size_t i = 0; cohorts != nullptr && i < cohorts->keys.size(); ++i) {
    const std::optional<double> id = parse_number(cohorts->keys[i]);
    const std::string& answer = cohorts->items[i].text;
    if (!id) continue;
    stored.cohorts.push_back(
        {static_cast<int64_t>(*id), answer == "in"       ? StoredCohort::Answer::kIn
                                    : answer == "out"    ? StoredCohort::Answer::kOut
                                    : answer == "failed" ? StoredCohort::Answer::kFailed
                                                         : StoredCohort::Answer::kNoList});
  }
  const Value* hash_keys = arguments.find("hash_keys");
  for (size_t i = 0; hash_keys != nullptr && i < hash_keys->keys.size(); ++i) {
    stored.hash_keys.emplace_back(hash_keys->keys[i], hash_keys->items[i].text);
  }
  return stored;
}

// What the flag hashes for this request, at flag level; empty: a group that is not given.
std::string identifier_of(const Catalog& catalog, const Flag& flag, const Request& request,
                          const StoredState& stored) {
  const std::string* type =
      flag.seed ? &flag.seed->group_type : catalog.group_type(flag.group_index);
  std::string identifier = request.distinct_id;
  if (type != nullptr && !type->empty()) {
    const GroupKey* group = request.group(*type);
    identifier = group == nullptr ? std::string() : group->key;
  } else if (flag.by_device) {
    identifier = request.device_id.value_or(std::string());
  } else if (flag.continuity) {
    identifier = request.anon_distinct_id.value_or(identifier);
    for (const auto& [key, hash_key] : stored.hash_keys) {
      if (key == flag.key) identifier = hash_key;
    }
  }
  return std::string(first_code_points(identifier, limits::kDistinctIdChars));
}

void write_buckets(JsonWriter& json, const Flag& flag, const std::string& identifier) {
  json.key("identifier").text(identifier);
  if (identifier.empty() || flag.config_version != 1) {  // each rule has its own seed
    json.key("bucket").null();
    return;
  }
  if (flag.seed) {
    json.key("bucket").integer(seed_bucket(flag.seed->salt, identifier));
    return;
  }
  json.key("bucket").raw(float_text(hash01(flag.prefix, identifier, "") * 100));
  if (flag.variants.empty()) return;
  json.key("variant_bucket").raw(float_text(hash01(flag.prefix, identifier, "variant") * 100));
}

void write_result(JsonWriter& json, const Catalog& catalog, const FlagResult& result,
                  const Request& request, const StoredState& stored) {
  const Flag& flag = catalog.flags[static_cast<size_t>(result.flag)];
  json.open_object();
  json.key("key").text(flag.key);
  json.key("dialect").text(flag.seed ? "seed" : flag.config_version != 1 ? "rules" : "posthog");
  json.key("value");
  if (flag.config_version != 1 && result.value == nullptr) {
    json.null();
  } else if (result.value != nullptr) {
    json.value(*result.value);
  } else if (result.enabled && !result.variant.empty()) {
    json.text(result.variant);
  } else {
    json.boolean(result.enabled);
  }
  json.key("payload");
  if (result.payload == nullptr) {
    json.null();
  } else {
    json.value(*result.payload);
  }
  json.key("reason").text(typed_reason_code(result.reason));
  json.key("condition_index");
  if (result.condition_index == kNone) {
    json.null();
  } else {
    json.integer(result.condition_index);
  }
  write_buckets(json, flag, identifier_of(catalog, flag, request, stored));
  json.key("needs_server").boolean(!flag.agrees);
  json.close_object();
}

// A request as tool_eval and tool_answer take it: no token needed.
Result<Request> read_request(const Value& arguments) {
  Value body = Value::object();
  const Value* given = arguments.find("request");
  if (given != nullptr && given->is_object()) body = *given;
  if (body.find("token") == nullptr) body.set("token", Value::of(std::string_view("local")));
  return parse_request(to_json(body), RequestHeaders{});
}

int64_t read_now(const Value& arguments) {
  const Value* now = arguments.find("now_ms");
  return now == nullptr ? 0 : static_cast<int64_t>(now->number);
}

}  // namespace

std::string tool_check(std::string_view arguments_json, Zones& zones) {
  Arguments arguments;
  arguments.options.zones = &zones;
  read_arguments(arguments_json, arguments);
  if (!arguments.error.empty()) return failure(arguments.error, {});
  const std::vector<Problem> problems = Definitions::check(arguments.document, arguments.options);
  const bool ok = problems.empty() || problems.front().severity != Severity::kError;
  JsonWriter json;
  json.open_object().key("ok").boolean(ok);
  const Result<Definitions> parsed = Definitions::parse(arguments.document, arguments.options);
  json.key("flags").integer(parsed.ok() ? static_cast<int64_t>(parsed.value().size()) : 0);
  write_problems(json, problems);
  return json.close_object().take();
}

std::string tool_eval(std::string_view arguments_json, Zones& zones) {
  Arguments arguments;
  arguments.options.zones = &zones;
  read_arguments(arguments_json, arguments);
  if (!arguments.error.empty()) return failure(arguments.error, {});
  Result<Definitions> definitions = Definitions::parse(arguments.document, arguments.options);
  if (!definitions.ok()) {
    return failure("the definitions are refused",
                   Definitions::check(arguments.document, arguments.options));
  }
  const Result<Request> request = read_request(arguments.root);
  if (!request.ok()) return failure(request.error().detail, {});
  const StoredState stored = read_stored(arguments.root);
  const Evaluation evaluation =
      evaluate(definitions.value(), request.value(), stored, read_now(arguments.root));
  JsonWriter json;
  json.open_object().key("ok").boolean(true);
  json.key("errorsWhileComputingFlags").boolean(evaluation.errors_while_computing);
  json.key("flags").open_array();
  for (const FlagResult& result : evaluation.results) {
    write_result(json, *evaluation.catalog, result, request.value(), stored);
  }
  json.close_array();
  return json.close_object().take();
}

std::string tool_answer(std::string_view arguments_json, Zones& zones) {
  Arguments arguments;
  arguments.options.zones = &zones;
  read_arguments(arguments_json, arguments);
  if (!arguments.error.empty()) return failure(arguments.error, {});
  const Result<Definitions> definitions = Definitions::parse(arguments.document, arguments.options);
  if (!definitions.ok()) return failure(definitions.error().detail, {});
  const Result<Request> request = read_request(arguments.root);
  if (!request.ok()) return failure(request.error().detail, {});
  const int64_t now_ms = read_now(arguments.root);
  const Evaluation evaluation =
      evaluate(definitions.value(), request.value(), read_stored(arguments.root), now_ms);
  const ResponseContext context{"00000000-0000-4000-8000-000000000000", now_ms, {}};
  JsonWriter json;
  json.open_object().key("ok").boolean(true);
  json.key("v2").raw(write_flags(evaluation, FlagsVersion::kV2, context));
  json.key("v3").raw(write_flags(evaluation, FlagsVersion::kV3, context));
  json.key("legacy").raw(write_flags(evaluation, FlagsVersion::kLegacy, context));
  json.key("feed").raw(write_definitions(definitions.value(), Cohorts::kSend));
  return json.close_object().take();
}

}  // namespace hogflare::flags
