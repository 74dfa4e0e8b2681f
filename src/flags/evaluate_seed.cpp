#include "flags/evaluate_seed.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "flags/hash.h"
#include "flags/text.h"

namespace hogflare::flags {
namespace {

std::optional<double> coerce_number(const Value& value) {
  if (value.is_number()) return value.number;
  if (value.is_string()) return parse_number(trim(value.text));
  if (value.is_bool()) return value.boolean ? 1.0 : 0.0;
  return std::nullopt;
}

std::optional<bool> coerce_bool(const Value& value) {
  if (value.is_bool()) return value.boolean;
  if (value.kind == Value::Kind::kInteger) return value.number != 0;
  if (!value.is_string()) return std::nullopt;
  const std::string text = unicode_lower(trim(value.text));
  if (text == "true" || text == "1" || text == "yes") return true;
  if (text == "false" || text == "0" || text == "no") return false;
  return std::nullopt;
}

bool values_equal(const Value& actual, const Value& expected) {
  if (actual == expected) return true;
  const std::optional<double> actual_number = coerce_number(actual);
  const std::optional<double> expected_number = coerce_number(expected);
  if (actual_number && expected_number) {
    return std::fabs(*actual_number - *expected_number) < std::numeric_limits<double>::epsilon();
  }
  const std::optional<bool> actual_bool = coerce_bool(actual);
  const std::optional<bool> expected_bool = coerce_bool(expected);
  return actual_bool && expected_bool && *actual_bool == *expected_bool;
}

bool is_listed(const Value& actual, const Value& list) {
  return std::any_of(list.items.begin(), list.items.end(),
                     [&](const Value& item) { return values_equal(actual, item); });
}

bool contains(const Value& actual, const Value& expected) {
  if (actual.is_string() && expected.is_string()) {
    return actual.text.find(expected.text) != std::string::npos;
  }
  if (!actual.is_array()) return false;
  return std::any_of(actual.items.begin(), actual.items.end(),
                     [&](const Value& item) { return values_equal(item, expected); });
}

bool compares(SeedFilter::Op op, const Value& actual, const Value& expected) {
  const std::optional<double> left = coerce_number(actual);
  const std::optional<double> right = coerce_number(expected);
  if (!left || !right) return false;
  switch (op) {
    case SeedFilter::Op::kGt:
      return *left > *right;
    case SeedFilter::Op::kGte:
      return *left >= *right;
    case SeedFilter::Op::kLt:
      return *left < *right;
    default:
      return *left <= *right;
  }
}

bool matches(const SeedFilter& filter, PropertyMaps& properties) {
  const Value* actual = properties.at(filter.slot).value();
  if (actual == nullptr) return false;  // for is_not and not_in too
  const Value& expected = filter.expected;
  switch (filter.op) {
    case SeedFilter::Op::kEqual:
      return values_equal(*actual, expected);
    case SeedFilter::Op::kIsSet:
      return !actual->is_null();
    case SeedFilter::Op::kIsNot:
      return !values_equal(*actual, expected);
    case SeedFilter::Op::kIn:
      return expected.is_array() && is_listed(*actual, expected);
    case SeedFilter::Op::kNotIn:
      return expected.is_array() && !is_listed(*actual, expected);
    case SeedFilter::Op::kContains:
      return contains(*actual, expected);
    case SeedFilter::Op::kRegex:
      return actual->is_string() && filter.regex != nullptr &&
             re2::RE2::PartialMatch(actual->text, *filter.regex);
    default:
      return compares(filter.op, *actual, expected);
  }
}

std::string_view pick_variant(const std::vector<SeedVariant>& variants, int bucket) {
  double sum = 0;
  for (const SeedVariant& variant : variants) {
    sum += variant.weight;
    if (bucket < std::min(sum, 100.0)) return variant.key;
  }
  return {};
}

void set_variant(const Flag& flag, std::string_view variant, FlagResult& result) {
  result.variant = variant;
  for (const auto& [name, payload] : flag.seed->variant_payloads) {
    if (name == variant) result.payload = &flag.payloads[static_cast<size_t>(payload)];
  }
}

// `condition` is null for a flag without conditions.
void decide(const Flag& flag, const SeedCondition* condition, const Request& request,
            FlagResult& result) {
  const SeedRules& rules = *flag.seed;
  const std::string* identifier = &request.distinct_id;
  if (!rules.group_type.empty()) {
    const GroupKey* group = request.group(rules.group_type);
    if (group == nullptr) {
      result.reason = Reason::kSeedNoMatch;
      return;
    }
    identifier = &group->key;
  }
  const double rollout =
      condition != nullptr && condition->rollout ? *condition->rollout : rules.rollout;
  const int bucket = seed_bucket(rules.salt, *identifier);
  if (!(bucket < std::clamp(rollout, 0.0, 100.0))) {
    result.reason = Reason::kSeedOutOfRollout;
    return;
  }
  result.enabled = true;
  result.reason = Reason::kSeedMatch;
  const std::vector<SeedVariant>& variants =
      condition != nullptr && !condition->variants.empty() ? condition->variants : rules.variants;
  if (rules.multivariate || !variants.empty()) {
    // The one bucket decides rollout and variant alike.
    std::string_view variant = pick_variant(variants, bucket);
    if (condition != nullptr && condition->variant) variant = *condition->variant;
    if (!variant.empty()) {
      set_variant(flag, variant, result);
      return;
    }
  }
  if (rules.payload != kNone) result.payload = &flag.payloads[static_cast<size_t>(rules.payload)];
}

}  // namespace

void evaluate_seed_flag(const Flag& flag, const Request& request, PropertyMaps& properties,
                        FlagResult& result) {
  if (!flag.active) {
    result.reason = Reason::kSeedDisabled;
    return;
  }
  const SeedRules& rules = *flag.seed;
  if (rules.conditions.empty()) {
    decide(flag, nullptr, request, result);
    return;
  }
  for (size_t i = 0; i < rules.conditions.size(); ++i) {
    const SeedCondition& condition = rules.conditions[i];
    const bool all = std::all_of(condition.filters.begin(), condition.filters.end(),
                                 [&](const SeedFilter& f) { return matches(f, properties); });
    if (!all) continue;
    // The first condition whose properties match decides, in its rollout or out of it.
    result.condition_index = static_cast<int>(i);
    decide(flag, &condition, request, result);
    return;
  }
  result.reason = Reason::kSeedNoMatch;
}

}  // namespace hogflare::flags
