// The OpenFeature Remote Evaluation Protocol: one flag or all of them as typed values.
// Source: OpenFeature's OFREP OpenAPI document, version 0.2.
#include <re2/re2.h>

#include "flags/catalog.h"
#include "flags/json_writer.h"
#include "hogflare/flags_responses.h"

namespace hogflare::flags {
namespace {

std::string_view error_code(OfrepError error) {
  switch (error) {
    case OfrepError::kTargetingKeyMissing:
      return "TARGETING_KEY_MISSING";
    case OfrepError::kInvalidContext:
      return "INVALID_CONTEXT";
    case OfrepError::kFlagNotFound:
      return "FLAG_NOT_FOUND";
    case OfrepError::kGeneral:
      return "GENERAL";
    default:
      return "PARSE_ERROR";
  }
}

// SPLIT when a hash had a say, TARGETING_MATCH when only filters had, STATIC when nothing did.
std::string_view match_reason(const Flag& flag, const FlagResult& result) {
  if (flag.seed) {
    const SeedRules& rules = *flag.seed;
    const bool conditional = result.condition_index != kNone;
    const auto index = static_cast<size_t>(result.condition_index);
    const double rollout =
        conditional ? rules.conditions[index].rollout.value_or(rules.rollout) : rules.rollout;
    if (rollout < 100 || !result.variant.empty()) return "SPLIT";
    return conditional && !rules.conditions[index].filters.empty() ? "TARGETING_MATCH" : "STATIC";
  }
  const Condition& condition = flag.conditions[static_cast<size_t>(result.condition_index)];
  const bool hashed_variant = condition.variant == kNone && !flag.variants.empty();
  if (condition.rollout < 100 || hashed_variant) return "SPLIT";
  const bool filtered = !condition.filters.empty() || !condition.cohort_filters.empty();
  return filtered ? "TARGETING_MATCH" : "STATIC";
}

std::string_view ofrep_reason(const Flag& flag, const FlagResult& result) {
  switch (result.reason) {
    case Reason::kConditionMatch:
    case Reason::kSeedMatch:
      return match_reason(flag, result);
    case Reason::kHoldoutConditionValue:
      return "SPLIT";
    case Reason::kSuperConditionValue:
    case Reason::kTargetingMatch:
      return "TARGETING_MATCH";
    case Reason::kSeedDisabled:
      return "DISABLED";
    default:
      return "DEFAULT";
  }
}

// The name of a value: its own text where that is short, and the rule that gave an object.
std::string variant_of(const Flag& flag, const FlagResult& result) {
  if (result.value == nullptr) {
    if (flag.config_version != 1) return "default";
    if (result.enabled && !result.variant.empty()) return std::string(result.variant);
    return result.enabled ? "true" : "false";
  }
  if (!result.value->is_object()) return text_form(*result.value);
  if (result.condition_index == kNone) return "default";
  return flag.rules->rules[static_cast<size_t>(result.condition_index)].id;
}

// Metadata values must be flat: a payload that is no scalar goes as its JSON text.
void write_metadata(JsonWriter& json, const Flag& flag, const FlagResult& result) {
  json.key("metadata").open_object();
  json.key("reasonCode").text(typed_reason_code(result.reason));
  if (flag.id) json.key("flagId").integer(*flag.id);
  if (flag.version) json.key("flagVersion").integer(*flag.version);
  if (flag.config_version == 1 && result.payload != nullptr && !result.payload->is_null()) {
    json.key("payload");
    if (result.payload->is_array() || result.payload->is_object()) {
      json.text(to_json(*result.payload));
    } else {
      json.value(*result.payload);
    }
  }
  json.close_object();
}

void write_failure(JsonWriter& json, std::string_view key, std::string_view code,
                   std::string_view detail) {
  json.open_object();
  if (!key.empty()) json.key("key").text(key);
  json.key("errorCode").text(code);
  json.key("errorDetails").text(detail);
  json.close_object();
}

void write_result(JsonWriter& json, const Flag& flag, const FlagResult& result) {
  if (result.failed) {
    write_failure(json, flag.key, "GENERAL", reason_code(result.reason));
    return;
  }
  json.open_object();
  json.key("key").text(flag.key);
  json.key("reason").text(ofrep_reason(flag, result));
  if (flag.config_version != 1) {
    // Null leaves the value to the caller's code, for which OFREP leaves it out.
    if (result.value != nullptr) json.key("value").value(*result.value);
  } else if (result.enabled && !result.variant.empty()) {
    json.key("value").text(result.variant);
  } else {
    json.key("value").boolean(result.enabled);
  }
  // Always there: the Python provider cannot do without.
  json.key("variant").text(variant_of(flag, result));
  write_metadata(json, flag, result);
  json.close_object();
}

void write_disabled(JsonWriter& json, const Flag& flag) {
  json.open_object();
  json.key("key").text(flag.key);
  json.key("reason").text("DISABLED");
  json.key("value").boolean(false);
  json.key("variant").text("false");
  json.close_object();
}

}  // namespace

OfrepResponse write_ofrep_flag(const Evaluation& evaluation, std::string_view key) {
  JsonWriter json;
  const Catalog& catalog = *evaluation.catalog;
  if (const FlagResult* result = evaluation.find(key)) {
    write_result(json, catalog.flags[static_cast<size_t>(result->flag)], *result);
    return OfrepResponse{result->failed ? 500 : 200, json.take()};
  }
  const int index = catalog.find_flag(key);
  if (index != kNone) {
    const Flag& flag = catalog.flags[static_cast<size_t>(index)];
    if (!flag.active && !flag.deleted) {
      write_disabled(json, flag);
      return OfrepResponse{200, json.take()};
    }
  }
  return write_ofrep_error(OfrepError::kFlagNotFound, "there is no such flag for this client", key);
}

OfrepResponse write_ofrep_flags(const Evaluation& evaluation) {
  JsonWriter json;
  json.open_object().key("flags").open_array();
  for (const FlagResult& result : evaluation.results) {
    write_result(json, evaluation.catalog->flags[static_cast<size_t>(result.flag)], result);
  }
  json.close_array().close_object();
  return OfrepResponse{200, json.take()};
}

OfrepResponse write_ofrep_error(OfrepError error, std::string_view detail, std::string_view key) {
  JsonWriter json;
  write_failure(json, key, error_code(error), detail);
  const int status = error == OfrepError::kGeneral        ? 500
                     : error == OfrepError::kFlagNotFound ? 404
                                                          : 400;
  return OfrepResponse{status, json.take()};
}

}  // namespace hogflare::flags
