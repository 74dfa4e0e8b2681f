// The seed's dialect: an object without `filters`. Source: F-12.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <map>

#include "flags/compiler.h"

namespace hogflare::flags {
namespace {

struct SeedOperatorName {
  std::string_view name;
  SeedFilter::Op op;
};

constexpr std::array<SeedOperatorName, 12> kSeedOperators = {{
    {"eq", SeedFilter::Op::kEqual},
    {"exact", SeedFilter::Op::kEqual},
    {"is_set", SeedFilter::Op::kIsSet},
    {"is_not", SeedFilter::Op::kIsNot},
    {"in", SeedFilter::Op::kIn},
    {"not_in", SeedFilter::Op::kNotIn},
    {"contains", SeedFilter::Op::kContains},
    {"regex", SeedFilter::Op::kRegex},
    {"gt", SeedFilter::Op::kGt},
    {"gte", SeedFilter::Op::kGte},
    {"lt", SeedFilter::Op::kLt},
    {"lte", SeedFilter::Op::kLte},
}};

}  // namespace

void Compiler::compile_seed_flag(const Value& definition, Flag& flag) {
  SeedRules rules;
  if (const Value* description = member(definition, "description", Value::Kind::kString)) {
    flag.description = description->text;
  }
  const std::string_view type = read_text(definition, "type");
  rules.multivariate = type == "multivariate";
  if (!type.empty() && type != "boolean" && type != "multivariate") {
    Scope scope(*this, "type");
    error(fmt::format("must be boolean or multivariate, is '{}'", type));
  }
  const auto rollout = [&](const Value& owner) {
    const std::optional<double> percentage = read_number(owner, "rollout_percentage");
    if (percentage && !(*percentage >= 0 && *percentage <= 100)) {
      Scope scope(*this, "rollout_percentage");
      warn(fmt::format("{} is outside 0 to 100 and is taken as the nearer end", *percentage));
    }
    return percentage;
  };
  rules.rollout = rollout(definition).value_or(100);
  const Value* salt = member(definition, "salt", Value::Kind::kString);
  rules.salt = salt == nullptr ? flag.key : salt->text;
  rules.group_type = std::string(read_text(definition, "group_type"));
  flag.contexts = read_texts(definition, "evaluation_environments");
  rules.variants = compile_seed_variants(definition);

  // A variant's own payload goes over the one in variant_payloads.
  std::map<std::string_view, size_t> places;
  const auto add_payload = [&](const std::string& name, const Value& value) {
    flag.payloads.push_back(value);
    const int index = static_cast<int>(flag.payloads.size()) - 1;
    const auto [known, added] = places.emplace(name, rules.variant_payloads.size());
    if (added) {
      rules.variant_payloads.emplace_back(name, index);
    } else {
      rules.variant_payloads[known->second].second = index;
    }
  };
  const Value* payload = definition.find("payload");
  if (payload != nullptr && !payload->is_null()) {
    flag.payloads.push_back(*payload);
    rules.payload = 0;
  }
  if (const Value* payloads = member(definition, "variant_payloads", Value::Kind::kObject)) {
    for (size_t i = 0; i < payloads->keys.size(); ++i) {
      add_payload(payloads->keys[i], payloads->items[i]);
    }
  }
  if (const Value* variants = definition.find("variants"); variants != nullptr) {
    for (const Value& variant : variants->items) {
      const Value* key = variant.find("key");
      const Value* own = variant.find("payload");
      if (key != nullptr && own != nullptr && !own->is_null()) {
        add_payload(key->text, *own);
      }
    }
  }
  if (const Value* conditions = member(definition, "conditions", Value::Kind::kArray)) {
    Scope list(*this, "conditions");
    for (size_t i = 0; i < conditions->items.size(); ++i) {
      Scope item(*this, i);
      if (!conditions->items[i].is_object()) {
        error("must be an object: {\"properties\": [...], \"rollout_percentage\": 0-100}");
        continue;
      }
      rules.conditions.push_back(compile_seed_condition(conditions->items[i]));
      rules.conditions.back().rollout = rollout(conditions->items[i]);
    }
  }
  flag.seed = std::move(rules);
}

std::vector<SeedVariant> Compiler::compile_seed_variants(const Value& owner) {
  std::vector<SeedVariant> variants;
  const Value* list = member(owner, "variants", Value::Kind::kArray);
  if (list == nullptr) return variants;
  Scope scope(*this, "variants");
  if (!check_variants(*list)) return variants;
  double sum = 0;
  for (size_t i = 0; i < list->items.size(); ++i) {
    Scope item(*this, i);
    SeedVariant variant;
    variant.key = std::string(read_text(list->items[i], "key"));
    if (variant.key.empty()) error("must be an object with a key that is not empty");
    variant.weight = std::max(0.0, read_number(list->items[i], "rollout_percentage").value_or(0));
    sum += variant.weight;
    variants.push_back(std::move(variant));
  }
  check_weights(sum);
  return variants;
}

SeedCondition Compiler::compile_seed_condition(const Value& definition) {
  SeedCondition condition;
  condition.variants = compile_seed_variants(definition);
  if (const Value* variant = member(definition, "variant", Value::Kind::kString)) {
    condition.variant = variant->text;
  }
  const Value* properties = member(definition, "properties", Value::Kind::kArray);
  if (properties == nullptr) return condition;
  Scope list(*this, "properties");
  for (size_t i = 0; i < properties->items.size(); ++i) {
    Scope item(*this, i);
    if (!properties->items[i].is_object()) {
      error("must be an object: {\"key\", \"value\", \"operator\"}");
      continue;
    }
    condition.filters.push_back(compile_seed_filter(properties->items[i]));
  }
  return condition;
}

SeedFilter Compiler::compile_seed_filter(const Value& definition) {
  SeedFilter filter;
  const std::string key(read_text(definition, "key"));
  if (key.empty()) {
    Scope scope(*this, "key");
    error("must be a text that is not empty");
  }
  if (read_text(definition, "type") == "group") {
    const std::string group_type(read_text(definition, "group_type"));
    if (group_type.empty()) {
      warn("a group filter without group_type never matches");
    } else {
      filter.slot = slot(Slot{SlotKind::kSeedGroup, kNone, group_type, key});
    }
  } else {
    filter.slot = slot(Slot{SlotKind::kSeedPerson, kNone, {}, key});
  }
  std::string_view name = read_text(definition, "operator");
  if (name.empty()) name = read_text(definition, "op");
  if (!name.empty()) {
    const auto* known = std::find_if(kSeedOperators.begin(), kSeedOperators.end(),
                                     [&](const SeedOperatorName& op) { return op.name == name; });
    if (known != kSeedOperators.end()) {
      filter.op = known->op;
    } else {
      // The dialect compares for equality under any other name. That is kept for names that exist
      // elsewhere; a name nobody knows is a slip of the pen.
      Scope scope(*this, "operator");
      const std::string message = fmt::format(
          "'{}' is no operator of this dialect (eq, is_not, in, not_in, contains, regex, is_set, "
          "gt, gte, lt, lte), where it means eq; to use PostHog's, write the flag with filters",
          name);
      note(operator_from_name(name) ? Severity::kWarning : Severity::kError, message);
    }
  }
  const Value* value = definition.find("value");
  if (value != nullptr) filter.expected = *value;
  if (value == nullptr && filter.op != SeedFilter::Op::kIsSet) {
    Scope scope(*this, "value");
    error("is missing");
  }
  if (filter.op == SeedFilter::Op::kRegex && filter.expected.is_string()) {
    const Patterns::Plain& plain = catalog_->patterns.plain(filter.expected.text);
    filter.regex = plain.regex.get();
    if (!plain.problem.empty()) {
      Scope scope(*this, "value");
      error(plain.problem);
    }
  }
  return filter;
}

}  // namespace hogflare::flags
