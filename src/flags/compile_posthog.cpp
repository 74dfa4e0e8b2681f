// PostHog's own flag format: an object with `filters`. Source: F-1.1.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <map>

#include "flags/compiler.h"
#include "flags/text.h"
#include "hogflare/text.h"

namespace hogflare::flags {
namespace {

// Weights are given with two decimals at most; this much rounding is not "over 100".
constexpr double kWeightSlack = 1e-6;

Runtime runtime_from_text(std::string_view text) {
  if (equals_ignoring_case(text, "client")) return Runtime::kClient;
  if (equals_ignoring_case(text, "server")) return Runtime::kServer;
  return Runtime::kAll;  // unknown text counts as all
}

}  // namespace

void Compiler::check_weights(double sum) {
  if (sum <= 100 + kWeightSlack) return;
  // 3 x 33.34 loses a few hundredths of its last variant; more than a point is a slip.
  note(sum < 101 ? Severity::kWarning : Severity::kError,
       fmt::format("the variants' rollout_percentage sum to {}; together they must not exceed 100, "
                   "and what is over is taken from the last",
                   sum));
}

bool Compiler::check_variants(const Value& variants) {
  if (variants.items.size() <= limits::kVariantsMax) return true;
  unreadable(fmt::format("holds {} variants; at most {} are taken", variants.items.size(),
                         limits::kVariantsMax));
  return false;
}

void Compiler::compile_posthog_flag(const Value& definition, const Value& filters, Flag& flag) {
  read_bool(definition, "deleted", false);  // its type; collect_keys reads it
  flag.continuity = read_bool(definition, "ensure_experience_continuity", false);
  flag.has_experiment = read_bool(definition, "has_experiment", false);
  flag.runtime = runtime_from_text(read_text(definition, "evaluation_runtime"));
  for (const std::string_view name :
       {"evaluation_contexts", "evaluation_tags", "evaluation_environments"}) {
    const Value* contexts = definition.find(name);
    if (contexts == nullptr || contexts->is_null()) continue;
    flag.contexts = read_texts(definition, name);
    break;
  }
  std::string_view bucketing = read_text(definition, "bucketing_identifier");
  Scope scope(*this, "filters");
  if (is_rules_format(filters)) return compile_rules_flag(filters, flag);
  if (bucketing.empty()) bucketing = read_text(filters, "bucketing_identifier");
  flag.by_device = bucketing == "device_id";
  flag.early_exit = read_bool(filters, "early_exit", false);
  flag.group_index = read_group_index(filters, "aggregation_group_type_index");
  compile_payloads(filters, flag);
  compile_variants(filters, flag);
  compile_holdout(filters, flag);
  compile_enrolment(filters, flag);
  if (filters.find("groups") == nullptr) return;
  const Value* groups = required(filters, "groups", Value::Kind::kArray);
  if (groups == nullptr) return;
  Scope list(*this, "groups");
  flag.conditions.reserve(groups->items.size());
  for (size_t i = 0; i < groups->items.size(); ++i) {
    Scope item(*this, i);
    if (!groups->items[i].is_object()) {
      unreadable("must be an object: {\"properties\": [...], \"rollout_percentage\": 0-100}");
      continue;
    }
    flag.conditions.push_back(compile_condition(groups->items[i], flag));
  }
}

int Compiler::read_group_index(const Value& object, std::string_view name) {
  const std::optional<int64_t> index = read_integer(object, name);
  if (!index) return kNone;
  if (*index < 0 || *index > 1'000'000) {
    Scope scope(*this, name);
    error(fmt::format("must be a group type index from 0 to {}", limits::kGroupTypes - 1));
    return kNone;
  }
  if (*index >= limits::kGroupTypes || catalog_->group_types[static_cast<size_t>(*index)].empty()) {
    Scope scope(*this, name);
    warn(
        fmt::format("group type {} has no name; add it to group_type_mapping or the flag's group "
                    "conditions are never met",
                    *index));
  }
  return static_cast<int>(*index);
}

void Compiler::compile_payloads(const Value& filters, Flag& flag) {
  const Value* payloads = member(filters, "payloads", Value::Kind::kObject);
  if (payloads == nullptr) return;
  flag.payloads = payloads->items;
  const auto found = std::find(payloads->keys.begin(), payloads->keys.end(), "true");
  if (found != payloads->keys.end()) {
    flag.true_payload = static_cast<int>(found - payloads->keys.begin());
  }
}

void Compiler::compile_variants(const Value& filters, Flag& flag) {
  const Value* multivariate = member(filters, "multivariate", Value::Kind::kObject);
  if (multivariate == nullptr) return;
  Scope scope(*this, "multivariate");
  const Value* variants = required(*multivariate, "variants", Value::Kind::kArray);
  if (variants == nullptr) return;
  Scope list(*this, "variants");
  if (!check_variants(*variants)) return;
  std::map<std::string_view, int> places;
  const Value* payloads = filters.find("payloads");
  for (size_t i = 0; payloads != nullptr && i < payloads->keys.size(); ++i) {
    places.emplace(payloads->keys[i], static_cast<int>(i));
  }
  double sum = 0;
  double upper = 0;
  for (size_t i = 0; i < variants->items.size(); ++i) {
    Scope item(*this, i);
    const Value& definition = variants->items[i];
    Variant variant;
    const Value* key = required(definition, "key", Value::Kind::kString);
    if (key != nullptr) variant.key = key->text;
    if (key != nullptr && key->text.empty()) error("must have a key that is not empty");
    const std::optional<double> given = read_percentage(definition, "rollout_percentage");
    if (!given) unreadable("must have a rollout_percentage, a number");
    const double weight = given.value_or(0);
    sum += weight;
    upper += weight / 100;  // left to right in binary64, as the service sums
    variant.upper = upper;
    const auto payload = places.find(variant.key);
    if (payload != places.end()) variant.payload = payload->second;
    flag.variants.push_back(std::move(variant));
  }
  check_weights(sum);
}

// {"id": 7, "exclusion_percentage": 10}, or the older list of one group with a ready variant.
void Compiler::compile_holdout(const Value& filters, Flag& flag) {
  Holdout holdout;
  if (const Value* definition = member(filters, "holdout", Value::Kind::kObject)) {
    Scope scope(*this, "holdout");
    const std::optional<int64_t> id = read_integer(*definition, "id");
    if (!id) error("must have a numeric id");
    holdout.variant = fmt::format("holdout-{}", id.value_or(0));
    holdout.exclusion = read_percentage(*definition, "exclusion_percentage").value_or(0);
  } else if (const Value* groups = member(filters, "holdout_groups", Value::Kind::kArray)) {
    if (groups->items.empty()) return;
    Scope scope(*this, "holdout_groups");
    Scope item(*this, size_t{0});
    holdout.variant = std::string(read_text(groups->items[0], "variant"));
    holdout.exclusion = read_percentage(groups->items[0], "rollout_percentage").value_or(100);
    if (holdout.variant.empty()) error("must have a variant, such as holdout-7");
  } else {
    return;
  }
  const Value* payloads = filters.find("payloads");
  if (payloads != nullptr && payloads->is_object()) {
    const auto found = std::find(payloads->keys.begin(), payloads->keys.end(), holdout.variant);
    if (found != payloads->keys.end()) {
      holdout.payload = static_cast<int>(found - payloads->keys.begin());
    }
  }
  flag.holdout = std::move(holdout);
}

void Compiler::compile_enrolment(const Value& filters, Flag& flag) {
  flag.enrolment = read_bool(filters, "feature_enrollment", false);
  if (flag.enrolment) {
    flag.enrolment_slot =
        slot(Slot{SlotKind::kPerson, kNone, {}, "$feature_enrollment/" + flag.key});
    return;
  }
  const Value* groups = member(filters, "super_groups", Value::Kind::kArray);
  if (groups == nullptr || groups->items.empty() || !groups->items[0].is_object()) return;
  Scope scope(*this, "super_groups");
  Scope item(*this, size_t{0});
  flag.super_condition = compile_condition(groups->items[0], flag);
  for (const Filter& filter : flag.super_condition->filters) {
    if (filter.kind == Filter::Kind::kProperty && filter.slot != kNone) {
      flag.super_slots.push_back(filter.slot);
    }
  }
}

Condition Compiler::compile_condition(const Value& group, Flag& flag) {
  Condition condition;
  // An absent index means the flag's; null means the person, also on a group flag.
  condition.group_index = group.find("aggregation_group_type_index") == nullptr
                              ? flag.group_index
                              : read_group_index(group, "aggregation_group_type_index");
  condition.rollout = read_percentage(group, "rollout_percentage").value_or(100);
  const std::string_view variant = read_text(group, "variant");
  if (!variant.empty()) {
    for (size_t i = 0; i < flag.variants.size(); ++i) {
      if (flag.variants[i].key == variant) condition.variant = static_cast<int>(i);
    }
    if (condition.variant == kNone) {
      Scope scope(*this, "variant");
      warn(fmt::format("'{}' is not one of the flag's variants, so the hash decides", variant));
    }
  }
  const Value* properties = member(group, "properties", Value::Kind::kArray);
  if (properties == nullptr) return condition;
  Scope list(*this, "properties");
  condition.filters.reserve(properties->items.size());
  for (size_t i = 0; i < properties->items.size(); ++i) {
    Scope item(*this, i);
    if (!properties->items[i].is_object()) {
      unreadable("must be an object: {\"key\", \"type\", \"operator\", \"value\"}");
      continue;
    }
    Filter filter = compile_filter(properties->items[i], condition.group_index, &flag);
    if (filter.kind == Filter::Kind::kCohort) {
      condition.cohort_filters.push_back(std::move(filter));
    } else {
      condition.filters.push_back(std::move(filter));
    }
  }
  return condition;
}

Filter Compiler::compile_filter(const Value& definition, int group_index, Flag* flag) {
  const std::string_view type = read_text(definition, "type");
  if (type.empty() || type == "person" || type == "group" || type == "person_metadata") {
    return compile_property_filter(definition, type, group_index);
  }
  if (type == "cohort") return compile_cohort_filter(definition);
  if (type == "flag") return compile_flag_filter(definition, flag);
  Filter filter;
  Scope scope(*this, "type");
  unreadable(
      fmt::format("unknown type '{}'; give person, group, cohort, flag or person_metadata", type));
  return filter;
}

Filter Compiler::compile_property_filter(const Value& definition, std::string_view type,
                                         int group_index) {
  Filter filter;
  filter.kind = Filter::Kind::kProperty;
  const Value* name_of_property = required(definition, "key", Value::Kind::kString);
  const std::string key(name_of_property == nullptr ? "" : name_of_property->text);
  if (name_of_property != nullptr && key.empty()) {
    Scope scope(*this, "key");
    error("must be a text that is not empty");
  }
  if (type == "group") {
    const bool own = definition.find("group_type_index") != nullptr &&
                     !definition.find("group_type_index")->is_null();
    const int index = own ? read_group_index(definition, "group_type_index") : group_index;
    if (index != kNone) filter.slot = slot(Slot{SlotKind::kGroup, index, {}, key});
    if (index == kNone) warn("a group filter without group_type_index sees no properties");
  } else if (type == "person_metadata") {
    if (key == "created_at") {
      filter.slot = slot(Slot{SlotKind::kCreatedAt, kNone, {}, key});
    } else {
      Scope scope(*this, "key");
      error(fmt::format("'{}' is not a column of the person; only created_at is", key));
    }
  } else {
    filter.slot = slot(Slot{SlotKind::kPerson, kNone, {}, key});
  }
  const Value* name = member(definition, "operator", Value::Kind::kString);
  std::optional<Operator> op = Operator::kExact;
  if (name != nullptr) op = operator_from_name(name->text);
  if (name != nullptr && (name->text == "min" || name->text == "max")) {
    op = name->text == "min" ? Operator::kGte : Operator::kLte;
    filter.old_operator = true;
  }
  if (!op) {
    Scope scope(*this, "operator");
    unreadable(
        fmt::format("unknown operator '{}'; see docs/FLAGS.md for those there are", name->text));
    filter.kind = Filter::Kind::kNothing;
    return filter;
  }
  std::string problem;
  filter.matcher =
      Matcher::compile(*op, definition.find("value"), catalog_->zone, catalog_->patterns, problem);
  if (!problem.empty()) {
    Scope scope(*this, "value");
    error(std::move(problem));
  }
  for (std::string& told : filter.matcher.notes()) {
    Scope scope(*this, "value");
    warn(std::move(told));
  }
  return filter;
}

Filter Compiler::compile_cohort_filter(const Value& definition) {
  Filter filter;
  filter.kind = Filter::Kind::kCohort;
  const std::string_view op = read_text(definition, "operator");
  filter.not_in = op == "not_in";
  filter.known_operator = op.empty() || op == "in" || op == "not_in";
  if (!filter.known_operator) {
    Scope scope(*this, "operator");
    error(fmt::format("a cohort filter takes in or not_in, not '{}'", op));
  }
  const Value* value = definition.find("value");
  const std::optional<int64_t> id = value == nullptr ? std::nullopt : cohort_id_of(*value);
  const auto found = id ? cohort_index_.find(*id) : cohort_index_.end();
  if (found != cohort_index_.end()) {
    filter.target = found->second;
    return filter;
  }
  filter.names_no_id = !id;
  Scope scope(*this, "value");
  error(
      fmt::format("unknown cohort {}; add it to cohorts", value == nullptr ? "" : to_json(*value)));
  return filter;
}

Filter Compiler::compile_flag_filter(const Value& definition, Flag* flag) {
  Filter filter;
  filter.kind = Filter::Kind::kFlag;
  const std::string_view op = read_text(definition, "operator");
  filter.known_operator = op == "flag_evaluates_to";
  if (!filter.known_operator) {
    Scope scope(*this, "operator");
    error(fmt::format("a flag filter takes flag_evaluates_to, not '{}'", op));
  }
  const Value* value = definition.find("value");
  if (value != nullptr && value->is_bool()) {
    filter.expected.kind = value->boolean ? Expected::Kind::kTrue : Expected::Kind::kFalse;
  } else if (value != nullptr && value->is_string()) {
    filter.expected = Expected{Expected::Kind::kVariant, value->text};
  } else {
    Scope scope(*this, "value");
    error("must be true, false or a variant's key");
  }
  const Value* key = definition.find("key");
  const auto found = key == nullptr ? flag_index_.end() : flag_index_.find(key->text);
  if (found != flag_index_.end()) {
    filter.target = found->second;
    if (std::find(flag->dependencies.begin(), flag->dependencies.end(), found->second) ==
        flag->dependencies.end()) {
      flag->dependencies.push_back(found->second);
    }
  } else {
    flag->missing_dependency = true;
    Scope scope(*this, "key");
    warn(fmt::format("there is no flag {}; this flag answers false with missing_dependency",
                     key == nullptr ? "" : to_json(*key)));
  }
  return filter;
}

}  // namespace hogflare::flags
