// Evaluation of the rules format. Source: PostHog, rust/feature-flags/src/flags/evaluate_v2.rs.
#include <re2/re2.h>

#include "flags/catalog.h"
#include "flags/hash.h"
#include "flags/properties.h"
#include "flags/rules.h"

namespace hogflare::flags {
namespace {

// What is known of the person: everything, what the request brought, nothing.
enum class Knowledge : uint8_t { kComplete, kPartial, kNone };

Knowledge knowledge_of(const Request& request, const StoredState& stored) {
  if (stored.person_read == Read::kOk || request.only_request_properties) {
    return Knowledge::kComplete;
  }
  return request.person_properties.items.empty() ? Knowledge::kNone : Knowledge::kPartial;
}

class RulesEvaluator {
 public:
  RulesEvaluator(const Rules& rules, const Request& request, Knowledge knowledge,
                 PropertyMaps& properties, const MatchContext& context, FlagResult& result)
      : rules_(rules),
        subject_(request.distinct_id),
        knowledge_(knowledge),
        properties_(properties),
        context_(context),
        result_(result) {}

  void run() {
    for (size_t i = 0; i < rules_.rules.size(); ++i) {
      const Rule& rule = rules_.rules[i];
      const bool targeted = targets(rule);
      if (result_.failed) return;
      if (!targeted || !decides(rule)) continue;
      result_.condition_index = static_cast<int>(i);
      return;
    }
    answer(Reason::kNoRuleMatch, rules_.default_value);
  }

 private:
  // Whether the rule ends the flag; the reason and value are set then.
  bool decides(const Rule& rule) {
    if (rule.kind == RuleKind::kTargetedRelease) return answer(Reason::kTargetingMatch, rule.value);
    if (rule.paused) return answer(Reason::kExperimentPaused, rules_.default_value);
    if (rule.holdout && includes(rule.holdout->seed, rule.holdout->exclusion)) {
      return answer(Reason::kRuleHoldout, rules_.default_value);
    }
    if (includes(rule.seed + ".", rule.rollout)) {
      const bool split = rule.kind == RuleKind::kExperiment;
      return answer(Reason::kTargetingMatch, split ? variant_of(rule).value : rule.value);
    }
    return rule.miss_ends && answer(Reason::kRolloutMiss, rules_.default_value);
  }

  // An empty subject is in no rollout and no holdout, not even at 100 percent.
  bool includes(std::string_view prefix, double percentage) const {
    if (subject_.empty()) return false;
    return percentage >= 100 || hash01(prefix, subject_, "") <= percentage / 100;
  }

  // Past the last border (rounding, or a hash of 1) the last variant counts.
  const RuleVariant& variant_of(const Rule& rule) const {
    const double hash = hash01(rule.seed + ".", subject_, "variant");
    double border = 0;
    for (const RuleVariant& variant : rule.variants) {
      border += variant.weight / 100;  // left to right in binary64, as the service sums
      if (hash < border) return variant;
    }
    return rule.variants.back();
  }

  bool targets(const Rule& rule) {
    for (const Predicate& predicate : rule.targeting) {
      Property& property = properties_.at(predicate.slot);
      if (knowledge_ == Knowledge::kNone ||
          (knowledge_ == Knowledge::kPartial && property.value() == nullptr)) {
        return fail(Reason::kMissingContext);
      }
      if (predicate.broken_pattern) return fail(Reason::kInvalidRegex);
      const Match match = predicate.matcher.match(property, context_);
      if (match == Match::kError || match == Match::kTooLong) {
        return fail(Reason::kInvalidProperty);
      }
      if ((match == Match::kYes) == predicate.negation) return false;
    }
    return true;
  }

  bool fail(Reason reason) {
    result_.failed = true;
    result_.reason = reason;
    return false;
  }

  // The value, and what clients of older answers see of it.
  bool answer(Reason reason, int index) {
    result_.reason = reason;
    if (index == kNone) return true;  // null: off, and the caller's code decides
    const RuleValue& value = rules_.values[static_cast<size_t>(index)];
    result_.value = &value.value;
    result_.enabled = !value.value.is_bool() || value.value.boolean;
    if (value.value.is_string()) result_.variant = value.value.text;
    if (value.payload) result_.payload = &*value.payload;
    return true;
  }

  const Rules& rules_;
  std::string_view subject_;
  Knowledge knowledge_;
  PropertyMaps& properties_;
  const MatchContext& context_;
  FlagResult& result_;
};

}  // namespace

void evaluate_rules(const Rules& rules, const Request& request, const StoredState& stored,
                    PropertyMaps& properties, const MatchContext& context, FlagResult& result) {
  RulesEvaluator(rules, request, knowledge_of(request, stored), properties, context, result).run();
}

}  // namespace hogflare::flags
