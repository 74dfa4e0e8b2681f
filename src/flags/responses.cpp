// Bodies of /flags, /decide and the config endpoints.
#include "hogflare/flags_responses.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <charconv>

#include "flags/catalog.h"
#include "flags/hash.h"
#include "flags/json_writer.h"
#include "hogflare/whole_number.h"

namespace hogflare::flags {
namespace {

// Room for a description that names a number.
using DescriptionRoom = char[48];

// Texts around the number that users count conditions and rules by.
std::string_view numbered(std::string_view before, std::string_view behind,
                          const FlagResult& result, DescriptionRoom& room) {
  before.copy(room, before.size());
  char* end = std::to_chars(room + before.size(), room + sizeof room - behind.size(),
                            result.condition_index + 1)
                  .ptr;
  behind.copy(end, behind.size());
  return {room, static_cast<size_t>(end - room) + behind.size()};
}

// The text lives in `room` or for ever.
std::string_view description_of(const FlagResult& result, DescriptionRoom& room) {
  switch (result.reason) {
    case Reason::kConditionMatch:
      return numbered("Matched condition set ", "", result, room);
    case Reason::kNoConditionMatch:
      return "No matching condition set";
    case Reason::kNoConditionMatchGroupsSkipped:
      return "No matching condition set (group conditions were not evaluated because no group type "
             "was provided)";
    case Reason::kNoConditionMatchBehavioural:
      return "No matching condition set (membership of a behavioural cohort is not fully "
             "evaluated)";
    case Reason::kOutOfRolloutBound:
      return "Out of rollout bound";
    case Reason::kNoGroupType:
      return "No group type";
    case Reason::kSuperConditionValue:
      return "Super condition value";
    case Reason::kHoldoutConditionValue:
      return "Holdout condition value";
    case Reason::kMissingDependency:
      return "Flag cannot be evaluated due to missing dependency";
    case Reason::kCohortNotFound:
      return "Cohort dependency not found";
    case Reason::kCohortCycle:
      return "The cohorts this flag depends on form a cycle";
    case Reason::kCohortUnreadable:
      return "Failed to parse cohort filters";
    case Reason::kMembershipUnknown:
      return "Membership of a cohort this flag depends on cannot be known";
    case Reason::kDependencyFailed:
      return "A flag this flag depends on failed";
    case Reason::kFlagUnreadable:
      return "Failed to parse flag data";
    case Reason::kInvalidRegex:
      return "A rule's pattern cannot be run";
    case Reason::kInvalidProperty:
      return "A rule compares values that cannot be compared";
    case Reason::kMissingContext:
      return "Properties that a rule looks at could not be read";
    case Reason::kTargetingMatch:
      return numbered("Matched rule ", "", result, room);
    case Reason::kRolloutMiss:
      return numbered("Rule ", " rollout miss", result, room);
    case Reason::kExperimentPaused:
      return numbered("Rule ", " is paused", result, room);
    case Reason::kRuleHoldout:
      return numbered("Rule ", " holdout", result, room);
    case Reason::kNoRuleMatch:
      return "No rule matched";
    case Reason::kHashKeyError:
      return "The stored hash key could not be read";
    case Reason::kDatabaseError:
      return "Stored properties could not be read";
    default:
      return {};  // the seed gives none
  }
}

const Flag& flag_of(const Evaluation& evaluation, const FlagResult& result) {
  return evaluation.catalog->flags[static_cast<size_t>(result.flag)];
}

void write_value(JsonWriter& json, const FlagResult& result) {
  if (result.enabled && !result.variant.empty()) {
    json.text(result.variant);
  } else {
    json.boolean(result.enabled);
  }
}

void write_reason(JsonWriter& json, const FlagResult& result, std::string_view code) {
  json.key("reason").open_object();
  json.key("code").text(code);
  json.key("condition_index");
  if (result.condition_index == kNone) {
    json.null();
  } else {
    json.integer(result.condition_index);
  }
  DescriptionRoom room;
  json.key("description").text(description_of(result, room));
  json.close_object();
}

// Version 3: one typed value, and for rules who decided it. Never a seed.
void write_typed_detail(JsonWriter& json, const Flag& flag, const FlagResult& result) {
  const bool has_rules = flag.config_version != 1;
  json.open_object();
  json.key("key").text(flag.key);
  json.key("value");
  if (result.failed || (has_rules && result.value == nullptr)) {
    json.null();
  } else if (has_rules) {
    json.value(*result.value);
  } else {
    write_value(json, result);
  }
  if (result.failed) json.key("failed").boolean(true);
  const bool broken = has_rules && result.failed;
  write_reason(json, result, broken ? "error" : typed_reason_code(result.reason));
  json.key("metadata").open_object();
  json.key("id").integer(flag.id.value_or(0));
  json.key("version").integer(flag.version.value_or(0));
  json.key("config_version").integer(flag.config_version);
  json.key("description").null();
  json.key("payload");
  if (has_rules || result.payload == nullptr) {
    json.null();
  } else {
    json.value(*result.payload);
  }
  json.key("has_experiment").boolean(flag.has_experiment);
  if (has_rules && result.condition_index != kNone) {
    const Rule& rule = flag.rules->rules[static_cast<size_t>(result.condition_index)];
    json.key("rule_type").text(rule_kind_name(rule.kind));
    json.key("rule_id").text(rule.id);
  }
  if (!has_rules && result.enabled && !result.variant.empty()) {
    json.key("variant_key").text(result.variant);
  }
  json.close_object().close_object();
}

void write_detail(JsonWriter& json, const Flag& flag, const FlagResult& result) {
  json.open_object();
  json.key("key").text(flag.key);
  json.key("enabled").boolean(result.enabled);
  json.key("variant");
  if (result.variant.empty()) {
    json.null();
  } else {
    json.text(result.variant);
  }
  if (result.failed) json.key("failed").boolean(true);
  write_reason(json, result, reason_code(result.reason));
  json.key("metadata").open_object();
  json.key("id").integer(flag.id.value_or(0));
  json.key("version").integer(flag.version.value_or(0));
  json.key("description").null();
  json.key("payload");
  if (result.payload == nullptr) {
    json.null();
  } else {
    json.value(*result.payload);
  }
  json.key("has_experiment").boolean(flag.has_experiment);
  json.close_object().close_object();
}

// The seed leaves out what it does not know, and gives the payload as JSON text.
void write_seed_detail(JsonWriter& json, const Flag& flag, const FlagResult& result) {
  json.open_object();
  json.key("key").text(flag.key);
  json.key("enabled").boolean(result.enabled);
  if (!result.variant.empty()) json.key("variant").text(result.variant);
  if (flag.id || flag.version || flag.description || result.payload != nullptr) {
    json.key("metadata").open_object();
    if (flag.id) json.key("id").integer(*flag.id);
    if (flag.version) json.key("version").integer(*flag.version);
    if (flag.description) json.key("description").text(*flag.description);
    if (result.payload != nullptr) json.key("payload").text(to_json(*result.payload));
    json.close_object();
  }
  json.key("reason").open_object();
  json.key("code").text(reason_code(result.reason));
  if (result.condition_index != kNone) {
    json.key("condition_index").integer(result.condition_index);
  }
  json.close_object().close_object();
}

void write_details(JsonWriter& json, const Evaluation& evaluation, FlagsVersion version) {
  json.key("flags").open_object();
  for (const FlagResult& result : evaluation.results) {
    const Flag& flag = flag_of(evaluation, result);
    json.key(flag.key);
    if (version == FlagsVersion::kV3) {
      write_typed_detail(json, flag, result);
    } else if (flag.dialect == Dialect::kSeed) {
      write_seed_detail(json, flag, result);
    } else {
      write_detail(json, flag, result);
    }
  }
  json.close_object();
}

enum class Disabled : uint8_t { kKeep, kLeaveOut };

// featureFlags and featureFlagPayloads. `inactive` says what becomes of the seed's inactive flags,
// `off` of flags that are false.
void write_maps(JsonWriter& json, const Evaluation& evaluation, Disabled inactive, Disabled off) {
  json.key("featureFlags").open_object();
  for (const FlagResult& result : evaluation.results) {
    const Flag& flag = flag_of(evaluation, result);
    if (inactive == Disabled::kLeaveOut && !flag.active) continue;
    if (off == Disabled::kLeaveOut && !result.enabled) continue;
    json.key(flag.key);
    write_value(json, result);
  }
  json.close_object();
  json.key("featureFlagPayloads").open_object();
  for (const FlagResult& result : evaluation.results) {
    if (result.payload == nullptr || result.payload->is_null()) continue;
    if (off == Disabled::kLeaveOut && !result.enabled) continue;
    json.key(evaluation.key(result)).value(*result.payload);
  }
  json.close_object();
}

void write_common(JsonWriter& json, bool errors, bool quota_limited,
                  const ResponseContext& context) {
  json.key("errorsWhileComputingFlags").boolean(errors);
  json.key("requestId").text(context.request_id);
  json.key("evaluatedAt").integer(context.now_ms);
  if (quota_limited) json.key("quotaLimited").open_array().text("feature_flags").close_array();
}

// What a flag's details take, and everything beside the flags, roughly.
constexpr size_t kFlagAnswerBytes = 300;
constexpr size_t kAnswerBytes = 1'200;

void write_merged_config(JsonWriter& json, const ResponseContext& context) {
  if (!context.config) return;
  json.raw(*context.config);
  json.key("config").open_object().key("enable_collect_everything").boolean(true).close_object();
}

}  // namespace

JsonWriter& JsonWriter::integer(int64_t value) {
  const fmt::format_int digits(value);
  return raw({digits.data(), digits.size()});
}

std::string write_flags(const Evaluation& evaluation, FlagsVersion version,
                        const ResponseContext& context) {
  if (evaluation.quota_limited && !evaluation.results.empty()) {
    Evaluation none = evaluation;
    none.results.clear();
    return write_flags(none, version, context);
  }
  JsonWriter json;
  json.reserve(kAnswerBytes + evaluation.results.size() * kFlagAnswerBytes);
  json.open_object();
  const bool seed = evaluation.catalog != nullptr && evaluation.catalog->has_seed_flags;
  if (version == FlagsVersion::kLegacy) {
    write_maps(json, evaluation, Disabled::kKeep, Disabled::kKeep);
  } else {
    // The seed answers with its maps beside the details, and its clients may read either.
    if (version == FlagsVersion::kV2 && seed) {
      write_maps(json, evaluation, Disabled::kLeaveOut, Disabled::kKeep);
    }
    write_details(json, evaluation, version);
  }
  write_common(json, evaluation.errors_while_computing, evaluation.quota_limited, context);
  if (context.minimal_flag_called_events && version != FlagsVersion::kLegacy) {
    json.key("minimalFlagCalledEvents").boolean(true);
  }
  write_merged_config(json, context);
  return json.close_object().take();
}

std::string write_decide(const Evaluation& evaluation, int version,
                         const ResponseContext& context) {
  if (version >= 4) return write_flags(evaluation, FlagsVersion::kV2, context);
  if (version == 3) return write_flags(evaluation, FlagsVersion::kLegacy, context);
  JsonWriter json;
  json.open_object();
  if (version == 2) {
    write_maps(json, evaluation, Disabled::kLeaveOut, Disabled::kLeaveOut);
  } else {
    json.key("featureFlags").open_array();
    for (const FlagResult& result : evaluation.results) {
      if (result.enabled && !evaluation.quota_limited) json.text(evaluation.key(result));
    }
    json.close_array();
  }
  write_common(json, evaluation.errors_while_computing, evaluation.quota_limited, context);
  write_merged_config(json, context);
  return json.close_object().take();
}

std::string write_minimal_config(const ResponseContext& context) {
  JsonWriter json;
  json.open_object();
  json.key("flags").open_object().close_object();
  json.key("featureFlags").open_object().close_object();
  write_common(json, false, false, context);
  write_merged_config(json, context);
  return json.close_object().take();
}

int read_version(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return whole_number<int>(text).value_or(1);
}

FlagsAnswer flags_answer(std::optional<std::string_view> version,
                         std::optional<std::string_view> config) {
  if (!version && !config) return FlagsAnswer{FlagsVersion::kV2, true};
  FlagsAnswer answer;
  answer.with_config = config && *config != "false" && *config != "0";
  const int number = version ? read_version(*version) : 1;
  answer.version = number < 2    ? FlagsVersion::kLegacy
                   : number == 3 ? FlagsVersion::kV3
                                 : FlagsVersion::kV2;
  return answer;
}

}  // namespace hogflare::flags
