// Reads the rules format. Source: PostHog, rust/feature-flags/src/flags/config_v2.rs and its tests.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "flags/compiler.h"
#include "flags/rules.h"
#include "flags/semver.h"
#include "hogflare/ascii.h"
#include "hogflare/flags_limits.h"

namespace hogflare::flags {
namespace {

using Names = std::initializer_list<std::string_view>;

constexpr double kSafeIntegerMax = 9'007'199'254'740'991.0;  // 2^53 - 1
constexpr int kHundredthsWhole = 10'000;                     // 100.00 percent

size_t code_points(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// A UUID with its hyphens, in small letters; empty when it is none.
std::string canonical_uuid(std::string_view text) {
  if (text.size() != 36) return {};
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen ? text[i] != '-' : !is_hex_digit(text[i])) return {};
    out.push_back(text[i] >= 'A' && text[i] <= 'F' ? static_cast<char>(text[i] + 32) : text[i]);
  }
  return out;
}

bool is_variant_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return is_alphanumeric(c) || c == '_' || c == '-';
  });
}

bool is_whole_number(const Value& value) {
  return value.is_number() && value.number == std::floor(value.number);
}

// Numbers and perhaps a pre-release, as the format's writer leaves them: no leading `v`, no build
// behind the numbers; a wildcard may end in stars and dots.
bool is_version_operand(std::string_view text, Operator op) {
  if (op == Operator::kSemverWildcard) {
    text = text.substr(0, text.find_last_not_of(".*") + 1);
  }
  const size_t core_end = text.find_first_of("-+");
  if (core_end != std::string_view::npos && text[core_end] == '+') return false;
  return !text.empty() && text[0] != 'v' && parse_version(text).has_value();
}

// One `filters`. The first fault ends the reading: every reader returns false or nothing from
// there.
class RuleReader {
 public:
  RuleReader(const TextFaults& faults, const TimeZone& zone, Patterns& patterns)
      : faults_(faults), zone_(zone), patterns_(patterns) {}

  RulesReading read(const Value& filters) {
    if (read_filters(filters)) {
      reading_.rules = std::move(rules_);
    } else if (!reading_.problem) {
      malformed("", "filters", "cannot be read");
    }
    return std::move(reading_);
  }

 private:
  enum class ReturnType : uint8_t { kBoolean, kString, kNumber, kObject };

  bool fail(std::string path, std::string_view kind, std::string_view field,
            std::string_view what) {
    if (!reading_.problem) {
      reading_.problem = RulesProblem{std::move(path), fmt::format("{} {}: {}", kind, field, what)};
    }
    return false;
  }
  bool malformed(std::string path, std::string_view field, std::string_view what) {
    return fail(std::move(path), "malformed", field, what);
  }

  static std::string below(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
  }

  // Objects are closed.
  bool is_closed(const Value& object, Names names, const std::string& path,
                 std::string_view field) {
    for (const std::string& key : object.keys) {
      if (std::find(names.begin(), names.end(), key) != names.end()) continue;
      return malformed(below(path, key), field, "the format knows no such member");
    }
    return true;
  }

  const Value* required(const Value& object, std::string_view name, const std::string& path) {
    const Value* value = object.find(name);
    if (value == nullptr) malformed(below(path, name), name, "is missing");
    return value;
  }

  const std::string* required_text(const Value& object, std::string_view name,
                                   const std::string& path) {
    const Value* value = required(object, name, path);
    if (value == nullptr) return nullptr;
    if (value->is_string()) return &value->text;
    malformed(below(path, name), name, "must be a text");
    return nullptr;
  }

  bool read_text_faults(const Value& filters) {
    if (to_json(filters).size() > limits::kRulesBytesMax) {
      return fail("", "limit_exceeded", "filters",
                  fmt::format("has more than {} bytes", limits::kRulesBytesMax));
    }
    if (faults_.has_duplicates) {
      return malformed("", "json_keys_unique", "an object has a member twice");
    }
    if (faults_.underflows) {
      return malformed("", "number_is_binary64", "a number is too small to be one");
    }
    return true;
  }

  bool read_filters(const Value& filters) {
    if (!read_text_faults(filters)) return false;
    if (!is_closed(
            filters,
            {"version", "return_type", "default_value", "rules", "aggregation_group_type_index"},
            "", "filters")) {
      return false;
    }
    if (!read_return_type(filters)) return false;
    if (const Value* index = filters.find("aggregation_group_type_index")) {
      const bool whole = is_whole_number(*index);
      return fail("aggregation_group_type_index", whole ? "unsupported" : "malformed",
                  "aggregation_group_type_index", "rules for groups are not evaluated");
    }
    const Value* fallback = required(filters, "default_value", "");
    if (fallback == nullptr) return false;
    if (!fallback->is_null()) {
      if (!accepts(*fallback)) {
        return malformed("default_value", "default_value", "must be null or of the return_type");
      }
      rules_.default_value = keep(*fallback);
    }
    return read_rule_list(filters);
  }

  bool read_rule_list(const Value& filters) {
    const Value* list = required(filters, "rules", "");
    if (list == nullptr) return false;
    if (!list->is_array()) return malformed("rules", "rules", "must be a list");
    if (list->items.size() > limits::kRulesMax) {
      return fail("rules", "limit_exceeded", "rules",
                  fmt::format("at most {} rules are taken", limits::kRulesMax));
    }
    std::set<std::string> ids;
    for (size_t i = 0; i < list->items.size(); ++i) {
      const std::string path = fmt::format("rules[{}]", i);
      Rule rule;
      if (!read_rule(list->items[i], path, rule)) return false;
      if (!ids.insert(canonical_uuid(rule.id)).second) {
        return malformed(below(path, "id"), "rule.id", "another rule has this id");
      }
      rules_.rules.push_back(std::move(rule));
    }
    return true;
  }

  bool read_return_type(const Value& filters) {
    const std::string* name = required_text(filters, "return_type", "");
    if (name == nullptr) return false;
    if (*name == "boolean")
      return_type_ = ReturnType::kBoolean;
    else if (*name == "string")
      return_type_ = ReturnType::kString;
    else if (*name == "number")
      return_type_ = ReturnType::kNumber;
    else if (*name == "object")
      return_type_ = ReturnType::kObject;
    else
      return malformed("return_type", "return_type", "give boolean, string, number or object");
    return true;
  }

  bool accepts(const Value& value) const {
    switch (return_type_) {
      case ReturnType::kBoolean:
        return value.is_bool();
      case ReturnType::kString:
        return value.is_string() && !value.text.empty();
      case ReturnType::kNumber:
        return value.is_number() && std::fabs(value.number) <= kSafeIntegerMax;
      case ReturnType::kObject:
        break;
    }
    return value.is_object() && is_nested_value(value, 1);
  }

  // Objects and lists count, the value itself is level 1.
  static bool is_nested_value(const Value& value, int level) {
    if (value.is_number()) return std::fabs(value.number) <= kSafeIntegerMax;
    if (!value.is_object() && !value.is_array()) return true;
    return level <= limits::kRuleValueDepthMax &&
           std::all_of(value.items.begin(), value.items.end(),
                       [level](const Value& item) { return is_nested_value(item, level + 1); });
  }

  int keep(const Value& value) {
    RuleValue kept;
    kept.value = value;
    if (value.is_number() || value.is_object()) {
      kept.payload = Value::of(std::string_view(to_json(value)));
    }
    rules_.values.push_back(std::move(kept));
    return static_cast<int>(rules_.values.size()) - 1;
  }

  bool read_value(const Value& object, const std::string& path, int& index) {
    const Value* value = required(object, "value", path);
    if (value == nullptr) return false;
    if (!accepts(*value)) {
      return malformed(below(path, "value"), "value",
                       "must be of the return_type: a text that is not empty, a number up to "
                       "2^53-1, an object of at most 20 levels");
    }
    index = keep(*value);
    return true;
  }

  bool read_percentage(const Value& object, std::string_view name, const std::string& path,
                       double& percentage) {
    const Value* value = required(object, name, path);
    if (value == nullptr) return false;
    const std::string place = below(path, name);
    if (!value->is_number() || !(value->number >= 0 && value->number <= 100) ||
        faults_.decimals.count(place) > 0) {
      return malformed(place, name, "must be from 0 to 100 with at most two decimals");
    }
    percentage = value->number;
    return true;
  }

  bool read_seed(const Value& object, const std::string& path, std::string& seed) {
    const std::string* text = required_text(object, "seed", path);
    if (text == nullptr) return false;
    if (text->empty() || code_points(*text) > limits::kRuleSeedCharsMax) {
      return malformed(below(path, "seed"), "seed", "must have 1 to 400 characters");
    }
    seed = *text;
    return true;
  }

  bool read_rule_kind(const Value& definition, const std::string& path, Rule& rule) {
    const std::string* type = required_text(definition, "rule_type", path);
    if (type == nullptr) return false;
    if (*type == "targeted_release") {
      return is_closed(definition,
                       {"id", "rule_type", "targeting", "description", "metadata", "value"}, path,
                       "rule");
    }
    if (*type == "percentage_rollout") {
      rule.kind = RuleKind::kPercentageRollout;
      return is_closed(
          definition,
          {"id", "rule_type", "targeting", "description", "metadata", "value", "rollout_percentage",
           "on_rollout_miss", "assignment_algorithm", "seed", "assign_by"},
          path, "rule");
    }
    if (*type != "experiment") {
      return malformed(below(path, "rule_type"), "rule_type",
                       "give targeted_release, percentage_rollout or experiment");
    }
    rule.kind = RuleKind::kExperiment;
    const Value* experiment = definition.find("experiment_id");
    if (experiment != nullptr && is_whole_number(*experiment)) {
      return fail(below(path, "experiment_id"), "unsupported", "experiment_id",
                  "experiments with a row of their own are not evaluated");
    }
    return is_closed(definition,
                     {"id", "rule_type", "targeting", "description", "metadata", "experiment_id",
                      "paused", "rollout_percentage", "on_rollout_miss", "assignment_algorithm",
                      "seed", "assign_by", "variants", "holdout"},
                     path, "rule");
  }

  bool read_rule(const Value& definition, const std::string& path, Rule& rule) {
    if (!definition.is_object()) return malformed(path, "rule", "must be an object");
    if (!read_rule_kind(definition, path, rule)) return false;
    const std::string* id = required_text(definition, "id", path);
    if (id == nullptr) return false;
    if (canonical_uuid(*id).empty()) {
      return malformed(below(path, "id"), "rule.id", "must be a UUID with hyphens");
    }
    rule.id = canonical_uuid(*id);
    const Value* description = definition.find("description");
    if (description != nullptr && !description->is_string()) {
      return malformed(below(path, "description"), "description", "must be a text");
    }
    const Value* metadata = definition.find("metadata");
    if (metadata != nullptr && !metadata->is_object()) {
      return malformed(below(path, "metadata"), "metadata", "must be an object");
    }
    const Value* targeting = required(definition, "targeting", path);
    if (targeting == nullptr || !read_targeting(*targeting, below(path, "targeting"), rule)) {
      return false;
    }
    switch (rule.kind) {
      case RuleKind::kTargetedRelease:
        return read_value(definition, path, rule.value);
      case RuleKind::kPercentageRollout:
        return read_rollout(definition, path, rule) && read_value(definition, path, rule.value);
      case RuleKind::kExperiment:
        break;
    }
    return read_experiment(definition, path, rule);
  }

  bool read_rollout(const Value& definition, const std::string& path, Rule& rule) {
    const std::string* algorithm = required_text(definition, "assignment_algorithm", path);
    if (algorithm == nullptr) return false;
    if (*algorithm != "sha1_60_v1") {
      return malformed(below(path, "assignment_algorithm"), "assignment_algorithm",
                       "give sha1_60_v1");
    }
    const Value* subject = definition.find("assign_by");
    if (subject != nullptr && !(subject->is_string() && subject->text == "person")) {
      return malformed(below(path, "assign_by"), "assign_by", "give person or leave it out");
    }
    const std::string* miss = required_text(definition, "on_rollout_miss", path);
    if (miss == nullptr) return false;
    rule.miss_ends = *miss == "return_default";
    if (!rule.miss_ends && *miss != "continue") {
      return malformed(below(path, "on_rollout_miss"), "on_rollout_miss",
                       "give continue or return_default");
    }
    return read_percentage(definition, "rollout_percentage", path, rule.rollout) &&
           read_seed(definition, path, rule.seed);
  }

  bool read_experiment(const Value& definition, const std::string& path, Rule& rule) {
    const Value* experiment = required(definition, "experiment_id", path);
    if (experiment == nullptr) return false;
    if (!experiment->is_null()) {
      return malformed(below(path, "experiment_id"), "experiment_id", "must be null or an id");
    }
    const Value* paused = required(definition, "paused", path);
    if (paused == nullptr) return false;
    if (!paused->is_bool()) return malformed(below(path, "paused"), "paused", "must be a boolean");
    rule.paused = paused->boolean;
    if (!read_rollout(definition, path, rule)) return false;
    const Value* variants = required(definition, "variants", path);
    if (variants == nullptr || !read_variants(*variants, below(path, "variants"), rule)) {
      return false;
    }
    const Value* holdout = definition.find("holdout");
    return holdout == nullptr || read_holdout(*holdout, below(path, "holdout"), rule);
  }

  bool read_variants(const Value& list, const std::string& path, Rule& rule) {
    if (!list.is_array() || list.items.size() < 2) {
      return malformed(path, "variants", "must be a list of two or more");
    }
    if (list.items.size() > limits::kRuleVariantsMax) {
      return fail(path, "limit_exceeded", "variants",
                  fmt::format("at most {} are taken", limits::kRuleVariantsMax));
    }
    std::set<std::string_view> keys;
    long hundredths = 0;  // whole, as weights have two decimals at most
    for (size_t i = 0; i < list.items.size(); ++i) {
      const Value& definition = list.items[i];
      const std::string place = fmt::format("{}[{}]", path, i);
      if (!definition.is_object()) return malformed(place, "variant", "must be an object");
      if (!is_closed(definition, {"key", "weight", "value"}, place, "variant")) return false;
      const std::string* key = required_text(definition, "key", place);
      if (key == nullptr) return false;
      if (!is_variant_key(*key) || !keys.insert(*key).second) {
        return malformed(below(place, "key"), "variant.key",
                         "must be letters, digits, _ and -, and no other variant's");
      }
      RuleVariant variant;
      if (!read_percentage(definition, "weight", place, variant.weight)) return false;
      if (!read_value(definition, place, variant.value)) return false;
      hundredths += std::lround(variant.weight * 100);
      rule.variants.push_back(variant);
    }
    if (hundredths == kHundredthsWhole) return true;
    return malformed(path, "variants", "the weights must sum to 100");
  }

  bool read_holdout(const Value& definition, const std::string& path, Rule& rule) {
    if (!definition.is_object()) return malformed(path, "holdout", "must be an object");
    if (!is_closed(definition, {"id", "seed", "exclusion_percentage"}, path, "holdout")) {
      return false;
    }
    const Value* id = required(definition, "id", path);
    if (id == nullptr) return false;
    if (!id->is_null()) {
      return malformed(below(path, "id"), "holdout.id", "must be null where experiment_id is");
    }
    RuleHoldout holdout;
    if (!read_seed(definition, path, holdout.seed)) return false;
    if (!read_percentage(definition, "exclusion_percentage", path, holdout.exclusion)) return false;
    rule.holdout = std::move(holdout);
    return true;
  }

  // --- targeting

  bool read_targeting(const Value& definition, const std::string& path, Rule& rule) {
    if (!definition.is_object()) return malformed(path, "targeting", "must be an object");
    if (!is_closed(definition, {"properties"}, path, "targeting")) return false;
    const Value* list = required(definition, "properties", path);
    if (list == nullptr) return false;
    const std::string place = below(path, "properties");
    if (!list->is_array()) return malformed(place, "properties", "must be a list");
    if (list->items.size() > limits::kRulePredicatesMax) {
      return fail(place, "limit_exceeded", "properties",
                  fmt::format("at most {} are taken", limits::kRulePredicatesMax));
    }
    for (size_t i = 0; i < list->items.size(); ++i) {
      Predicate predicate;
      if (!read_predicate(list->items[i], fmt::format("{}[{}]", place, i), predicate)) return false;
      rule.targeting.push_back(std::move(predicate));
    }
    return true;
  }

  bool read_predicate(const Value& definition, const std::string& path, Predicate& predicate) {
    if (!definition.is_object()) return malformed(path, "property", "must be an object");
    if (!is_closed(definition,
                   {"key", "type", "value", "operator", "negation", "group_type_index",
                    "cohort_name", "group_key_names", "label"},
                   path, "property")) {
      return false;
    }
    const Value* type = definition.find("type");
    const bool is_text = type != nullptr && type->is_string();
    if (is_text && (type->text == "cohort" || type->text == "group" || type->text == "flag")) {
      return fail(below(path, "type"), "unsupported", "property.type",
                  fmt::format("rules that look at a {} are not evaluated", type->text));
    }
    if (!is_text || type->text != "person") {
      return malformed(below(path, "type"), "property.type", "give person");
    }
    const Value* key = definition.find("key");
    if (key == nullptr || !key->is_string() || key->text.empty()) {
      return malformed(below(path, "key"), "property.key", "must be a text that is not empty");
    }
    predicate.key = key->text;
    const Value* negation = definition.find("negation");
    if (negation != nullptr && !negation->is_null() && !negation->is_bool()) {
      return malformed(below(path, "negation"), "property.negation", "must be a boolean");
    }
    predicate.negation = negation != nullptr && negation->is_bool() && negation->boolean;
    const Value* group = definition.find("group_type_index");
    if (group != nullptr && !group->is_null()) {
      return malformed(below(path, "group_type_index"), "property.group_type_index",
                       "a filter on the person has none");
    }
    return read_matcher(definition, path, predicate);
  }

  bool read_matcher(const Value& definition, const std::string& path, Predicate& predicate) {
    const Value* name = definition.find("operator");
    std::optional<Operator> op = Operator::kExact;
    if (name != nullptr && !name->is_null()) {
      op = name->is_string() ? operator_from_name(name->text) : std::nullopt;
    }
    if (!op || *op == Operator::kBetween || *op == Operator::kNotBetween || *op == Operator::kIn ||
        *op == Operator::kNotIn || *op == Operator::kFlagEvaluatesTo) {
      return malformed(below(path, "operator"), "property.operator",
                       "no operator of the rules format; see docs/FLAGS.md");
    }
    const Value* operand = definition.find("value");
    std::string problem;
    predicate.matcher = Matcher::compile(*op, operand, zone_, patterns_, problem);
    if (!takes_operand(*op, operand, problem)) {
      return malformed(below(path, "value"), "property.value",
                       problem.empty() ? "not an operand of this operator" : problem);
    }
    if ((*op == Operator::kRegex || *op == Operator::kNotRegex) && !problem.empty()) {
      predicate.broken_pattern = true;
      reading_.faults.push_back(RulesProblem{below(path, "value"), std::move(problem)});
    }
    for (std::string& told : predicate.matcher.notes()) {
      reading_.notes.push_back(RulesProblem{below(path, "value"), std::move(told)});
    }
    return true;
  }

  // `problem`: what Matcher::compile says of the operand.
  static bool takes_operand(Operator op, const Value* operand, const std::string& problem) {
    const bool is_text = operand != nullptr && operand->is_string();
    switch (op) {
      case Operator::kExact:
      case Operator::kIsNot:
      case Operator::kIsSet:
      case Operator::kIsNotSet:
        return true;
      case Operator::kIcontainsMulti:
      case Operator::kNotIcontainsMulti:
        return operand != nullptr && operand->is_array();
      case Operator::kGt:
      case Operator::kGte:
      case Operator::kLt:
      case Operator::kLte:
        return is_text || (operand != nullptr && operand->is_number());
      case Operator::kIsDateExact:
      case Operator::kIsDateBefore:
      case Operator::kIsDateAfter:
        return is_text && problem.empty();
      default:
        return is_text && (!is_semver(op) || is_version_operand(operand->text, op));
    }
  }

  const TextFaults& faults_;
  const TimeZone& zone_;
  Patterns& patterns_;
  RulesReading reading_;
  Rules rules_;
  ReturnType return_type_ = ReturnType::kBoolean;
};

}  // namespace

std::string_view rule_kind_name(RuleKind kind) {
  switch (kind) {
    case RuleKind::kTargetedRelease:
      return "targeted_release";
    case RuleKind::kPercentageRollout:
      return "percentage_rollout";
    case RuleKind::kExperiment:
      break;
  }
  return "experiment";
}

RulesReading read_rules(const Value& filters, const TextFaults& faults, const TimeZone& zone,
                        Patterns& patterns) {
  return RuleReader(faults, zone, patterns).read(filters);
}

// Which format `filters` is in: without a version, or with 1, it is the one of conditions.
bool Compiler::is_rules_format(const Value& filters) {
  const Value* version = filters.find("version");
  if (version != nullptr) return !version->is_number() || version->number != 1;
  if (filters.find("rules") != nullptr || filters.find("config_version") != nullptr) {
    warn("has no \"version\", so it is read as conditions; rules need \"version\": 2");
  }
  return false;
}

void Compiler::compile_rules_flag(const Value& filters, Flag& flag) {
  flag.config_version = 2;
  flag.continuity = false;
  const Value& version = *filters.find("version");
  if (!version.is_number() || version.number != 2) {
    Scope place(*this, "version");
    unreadable(
        fmt::format("unsupported version: {} is no format known here; give 2, or leave it out",
                    to_json(version)));
    return;
  }
  if (!text_faults_) text_faults_ = scan_filters(text_);
  RulesReading reading =
      read_rules(filters, (*text_faults_)[path_], catalog_->zone, catalog_->patterns);
  for (RulesProblem& fault : reading.faults) {
    Scope place(*this, fault.path);
    error(std::move(fault.message));
  }
  for (RulesProblem& told : reading.notes) {
    Scope place(*this, told.path);
    warn(std::move(told.message));
  }
  if (reading.problem) {
    if (reading.problem->path.empty()) return unreadable(std::move(reading.problem->message));
    Scope place(*this, reading.problem->path);
    return unreadable(std::move(reading.problem->message));
  }
  for (Rule& rule : reading.rules->rules) {
    for (Predicate& predicate : rule.targeting) {
      predicate.slot = slot(Slot{SlotKind::kPerson, kNone, {}, predicate.key});
    }
  }
  flag.rules = std::move(reading.rules);
}

}  // namespace hogflare::flags
