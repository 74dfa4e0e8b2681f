#include "flags/evaluate_seed.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "flags/hash.h"
#include "flags/text.h"
#include "hogflare/flags_limits.h"

namespace hogflare::flags {
namespace {

// Texts that a number or a yes or no may be read from.
bool is_readable(const Value& value) {
  return value.is_string() && value.text.size() <= limits::kFlagPropertyTextBytesMax;
}

std::optional<double> coerce_number(const Value& value) {
  if (value.is_number()) return value.number;
  if (is_readable(value)) return parse_number(trim(value.text));
  if (value.is_bool()) return value.boolean ? 1.0 : 0.0;
  return std::nullopt;
}

std::optional<bool> coerce_bool(const Value& value) {
  if (value.is_bool()) return value.boolean;
  if (value.kind == Value::Kind::kInteger) return value.number != 0;
  if (!is_readable(value)) return std::nullopt;
  const std::string_view given = trim(value.text);
  if (given.size() > std::string_view("false").size()) return std::nullopt;
  const std::string text = unicode_lower(given);
  if (text == "true" || text == "1" || text == "yes") return true;
  if (text == "false" || text == "0" || text == "no") return false;
  return std::nullopt;
}

// A value with what it is compared as, read once however many others it meets.
struct Coerced {
  explicit Coerced(const Value& given)
      : value(given), number(coerce_number(given)), truth(coerce_bool(given)) {}

  const Value& value;
  const std::optional<double> number;
  const std::optional<bool> truth;
};

bool equals(const Coerced& one, const Value& other) {
  if (one.value == other) return true;
  if (one.number) {
    const std::optional<double> number = coerce_number(other);
    if (number) return std::fabs(*one.number - *number) < std::numeric_limits<double>::epsilon();
  }
  if (!one.truth) return false;
  const std::optional<bool> truth = coerce_bool(other);
  return truth && *one.truth == *truth;
}

bool any_equals(const Coerced& one, const Value& list) {
  return std::any_of(list.items.begin(), list.items.end(),
                     [&](const Value& item) { return equals(one, item); });
}

Match to_match(bool matched) { return matched ? Match::kYes : Match::kNo; }

Match contains(Property& actual, const Value& expected) {
  const Value& value = *actual.value();
  if (!value.is_array() && !(value.is_string() && expected.is_string())) return Match::kNo;
  if (actual.is_too_long()) return Match::kTooLong;
  if (value.is_array()) return to_match(any_equals(Coerced(expected), value));
  return to_match(value.text.find(expected.text) != std::string::npos);
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

Match matches_pattern(const SeedFilter& filter, Property& actual) {
  if (!actual.value()->is_string() || filter.regex == nullptr) return Match::kNo;
  if (actual.is_too_long()) return Match::kTooLong;
  return to_match(re2::RE2::PartialMatch(actual.value()->text, *filter.regex));
}

Match matches(const SeedFilter& filter, PropertyMaps& properties) {
  Property& property = properties.at(filter.slot);
  const Value* actual = property.value();
  if (actual == nullptr) return Match::kNo;  // for is_not and not_in too
  const Value& expected = filter.expected;
  switch (filter.op) {
    case SeedFilter::Op::kEqual:
      return to_match(equals(Coerced(*actual), expected));
    case SeedFilter::Op::kIsSet:
      return to_match(!actual->is_null());
    case SeedFilter::Op::kIsNot:
      return to_match(!equals(Coerced(*actual), expected));
    case SeedFilter::Op::kIn:
      return to_match(expected.is_array() && any_equals(Coerced(*actual), expected));
    case SeedFilter::Op::kNotIn:
      return to_match(expected.is_array() && !any_equals(Coerced(*actual), expected));
    case SeedFilter::Op::kContains:
      return contains(property, expected);
    case SeedFilter::Op::kRegex:
      return matches_pattern(filter, property);
    default:
      return to_match(compares(filter.op, *actual, expected));
  }
}

// The first filter that does not match decides.
Match matches(const SeedCondition& condition, PropertyMaps& properties) {
  for (const SeedFilter& filter : condition.filters) {
    const Match match = matches(filter, properties);
    if (match != Match::kYes) return match;
  }
  return Match::kYes;
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
    const Match match = matches(condition, properties);
    if (match == Match::kTooLong) {
      result.failed = true;
      result.reason = Reason::kInvalidProperty;
      return;
    }
    if (match != Match::kYes) continue;
    // The first condition whose properties match decides, in its rollout or out of it.
    result.condition_index = static_cast<int>(i);
    decide(flag, &condition, request, result);
    return;
  }
  result.reason = Reason::kSeedNoMatch;
}

}  // namespace hogflare::flags
