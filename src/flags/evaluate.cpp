// Evaluation of PostHog's flag format, and the order of it all. Source: F-2 to F-8.
#include <re2/re2.h>

#include <algorithm>
#include <map>

#include "hogflare/flags.h"
#include "hogflare/text.h"
#include "flags/catalog.h"
#include "flags/cohorts.h"
#include "flags/evaluate_seed.h"
#include "flags/hash.h"
#include "flags/properties.h"
#include "flags/rules.h"
#include "flags/selection.h"
#include "flags/text.h"

namespace hogflare::flags {
namespace {

// How far a condition came. Of several misses the higher is reported, of equal ones the later.
// kSkipped reads as kOutOfRollout, but ends no flag early: the condition was never looked at.
enum class Outcome : uint8_t { kNoGroupType, kNoMatch, kOutOfRollout, kSkipped, kMatch, kFailed };

// The stored continuity keys, to be found by their flag. An older version stored empty ones, whose
// bucket is everybody's.
class HashKeys {
 public:
  explicit HashKeys(const StoredState& stored) {
    for (const auto& [flag, key] : stored.hash_keys) {
      if (!key.empty()) keys_.emplace(flag, key);  // the first of a flag's
    }
  }
  // Empty: there is none.
  std::string_view of(std::string_view flag) const {
    const auto found = keys_.find(flag);
    return found == keys_.end() ? std::string_view() : found->second;
  }

 private:
  std::map<std::string_view, std::string_view> keys_;
};

class Evaluator {
 public:
  Evaluator(const Catalog& catalog, const Request& request, const StoredState& stored,
            int64_t now_ms)
      : catalog_(catalog),
        request_(request),
        stored_(stored),
        hash_keys_(stored),
        context_{now_ms, catalog.matching_version, catalog.zone},
        properties_(catalog, request, stored),
        cohorts_(catalog, request, stored, properties_, context_),
        all_read_(stored.person_read == Read::kOk &&
                  std::all_of(stored.groups.begin(), stored.groups.end(),
                              [](const StoredGroup& g) { return g.read == Read::kOk; })) {}

  Evaluation run();

 private:
  // What one flag hashes. Each of the two hashes is taken at most once for one identifier.
  struct Hashes {
    std::string_view identifier;
    double rollout = -1;
    double variant = -1;
  };

  void evaluate_flag(const Flag& flag, FlagResult& result);
  bool decide_enrolment(const Flag& flag, FlagResult& result);
  bool decide_holdout(const Flag& flag, FlagResult& result);
  void decide_conditions(const Flag& flag, FlagResult& result);
  Outcome evaluate_condition(const Flag& flag, const Condition& condition, FlagResult& result,
                             bool& provisional);
  void accept(const Flag& flag, const Condition& condition, FlagResult& result);
  bool read_failed(const Flag& flag, FlagResult& result);

  std::string_view person_identifier(const Flag& flag) const;
  bool set_identifier(const Flag& flag, int group_index);
  double rollout_hash(const Flag& flag);
  double variant_hash(const Flag& flag);

  Match matches(const Filter& filter);
  bool dependency_matches(const Filter& filter) const;
  bool has_failed(int flag) const;
  bool reads_as_false(int flag) const;
  bool allows(const Filter& filter, std::vector<const Filter*>& assumed) const;
  Outcome evaluate_cohorts(const Condition& condition, FlagResult& result);
  static Outcome fail(Reason reason, FlagResult& result);

  const Catalog& catalog_;
  const Request& request_;
  const StoredState& stored_;
  const HashKeys hash_keys_;
  MatchContext context_;
  PropertyMaps properties_;
  CohortMemberships cohorts_;
  std::vector<int> result_of_;  // per flag: index into results_, or kNone
  std::vector<FlagResult> results_;
  Hashes hashes_;
  // Why what is provisional is not settled.
  Reason unsettled_ = Reason::kDependencyFailed;
  bool behavioural_miss_ = false;
  bool all_read_ = true;  // person and groups
};

Evaluation Evaluator::run() {
  Evaluation evaluation;
  evaluation.catalog = &catalog_;
  const std::vector<Inclusion> included = select_flags(catalog_, request_);
  result_of_.assign(catalog_.flags.size(), kNone);
  results_.reserve(catalog_.order.size());
  for (const int index : catalog_.order) {
    if (included[static_cast<size_t>(index)] != Inclusion::kEvaluated) continue;
    FlagResult result;
    result.flag = index;
    evaluate_flag(catalog_.flags[static_cast<size_t>(index)], result);
    evaluation.errors_while_computing = evaluation.errors_while_computing || result.failed;
    result_of_[static_cast<size_t>(index)] = static_cast<int>(results_.size());
    results_.push_back(result);
  }
  for (size_t i = 0; i < included.size(); ++i) {
    if (catalog_.flags[i].cyclic && included[i] == Inclusion::kEvaluated) {
      evaluation.errors_while_computing = true;
    }
  }
  std::sort(results_.begin(), results_.end(),
            [](const FlagResult& left, const FlagResult& right) { return left.flag < right.flag; });
  evaluation.results = std::move(results_);
  return evaluation;
}

void Evaluator::evaluate_flag(const Flag& flag, FlagResult& result) {
  hashes_ = Hashes{};
  if (flag.missing_dependency) {
    result.reason = Reason::kMissingDependency;
    return;
  }
  if (flag.unreadable) {
    result.failed = true;
    result.reason = Reason::kFlagUnreadable;
    return;
  }
  if (flag.rules) {
    evaluate_rules(*flag.rules, request_, stored_, properties_, context_, result);
    return;
  }
  if (read_failed(flag, result)) return;
  if (flag.seed) {
    evaluate_seed_flag(flag, request_, properties_, result);
    return;
  }
  if (decide_enrolment(flag, result)) return;
  if (decide_holdout(flag, result)) return;
  decide_conditions(flag, result);
}

// A flag that needs what could not be read becomes an error entry; the others still answer.
bool Evaluator::read_failed(const Flag& flag, FlagResult& result) {
  if (stored_.hash_keys_read == Read::kFailed && flag.continuity && flag.needs_hash) {
    result.failed = true;
    result.reason = Reason::kHashKeyError;
    return true;
  }
  if (all_read_) return false;
  bool failed = stored_.person_read == Read::kFailed && cohorts_.any_reads_person(flag.cohorts);
  for (const int index : flag.slots) {
    if (failed) break;
    const Slot& slot = catalog_.slots[static_cast<size_t>(index)];
    if (request_covers(slot, catalog_, request_)) continue;
    if (slot.kind == SlotKind::kGroup || slot.kind == SlotKind::kSeedGroup) {
      const std::string* named = catalog_.group_type(slot.group_index);
      const std::string_view type = named != nullptr ? *named : std::string_view(slot.group_type);
      failed = std::any_of(stored_.groups.begin(), stored_.groups.end(), [&](const StoredGroup& g) {
        return g.type == type && g.read == Read::kFailed;
      });
    } else {
      failed = stored_.person_read == Read::kFailed;
    }
  }
  if (failed) {
    result.failed = true;
    result.reason = Reason::kDatabaseError;
  }
  return failed;
}

bool Evaluator::decide_enrolment(const Flag& flag, FlagResult& result) {
  if (flag.enrolment) {
    const Value* enrolled = properties_.at(flag.enrolment_slot).value();
    if (enrolled == nullptr) return false;
    result.enabled = (enrolled->is_bool() && enrolled->boolean) ||
                     (enrolled->is_string() && enrolled->text == "true");
    result.reason = Reason::kSuperConditionValue;
    result.condition_index = 0;
    // The service attaches the payload of `true` whatever the answer.
    if (flag.true_payload != kNone) {
      result.payload = &flag.payloads[static_cast<size_t>(flag.true_payload)];
    }
    return true;
  }
  if (!flag.super_condition) return false;
  const bool decided = std::any_of(flag.super_slots.begin(), flag.super_slots.end(), [&](int slot) {
    return properties_.at(slot).value() != nullptr;
  });
  if (!decided) return false;
  FlagResult failure;
  bool provisional = false;
  const Outcome outcome = evaluate_condition(flag, *flag.super_condition, failure, provisional);
  if (outcome == Outcome::kMatch && provisional) fail(unsettled_, failure);
  if (failure.failed) {
    fail(failure.reason, result);
    return true;
  }
  result.enabled = outcome == Outcome::kMatch;
  result.reason = Reason::kSuperConditionValue;
  result.condition_index = 0;
  if (flag.true_payload != kNone) {
    result.payload = &flag.payloads[static_cast<size_t>(flag.true_payload)];
  }
  return true;
}

bool Evaluator::decide_holdout(const Flag& flag, FlagResult& result) {
  if (!flag.holdout) return false;
  const Holdout& holdout = *flag.holdout;
  bool held = holdout.exclusion >= 100;
  if (!held) {
    // No flag key in the hash: one person is in or out for all holdouts of equal percentage.
    // Stored continuity keys do not count here, $anon_distinct_id does.
    std::string_view identifier = request_.distinct_id;
    if (flag.group_index != kNone) {
      const std::string* type = catalog_.group_type(flag.group_index);
      const GroupKey* group = type == nullptr ? nullptr : request_.group(*type);
      identifier = group == nullptr || !group->usable ? std::string_view() : group->key;
    } else if (flag.by_device && request_.device_id) {
      identifier = *request_.device_id;
    } else if (flag.continuity && request_.anon_distinct_id) {
      identifier = *request_.anon_distinct_id;
    }
    identifier = first_code_points(identifier, limits::kDistinctIdChars);
    held = hash01("holdout-", identifier, "") <= holdout.exclusion / 100;
  }
  if (!held) return false;
  result.enabled = true;
  result.variant = holdout.variant;
  result.reason = Reason::kHoldoutConditionValue;
  if (holdout.payload != kNone) {
    result.payload = &flag.payloads[static_cast<size_t>(holdout.payload)];
  }
  return true;
}

// Conditions in stored order, the first that matches decides. A filter on a failed flag, and one
// that cannot be answered here, passes provisionally: what would be answered is noted, and if the
// settled answer is another one, then nobody can say which is right.
void Evaluator::decide_conditions(const Flag& flag, FlagResult& result) {
  Outcome best = Outcome::kNoGroupType;
  bool groups_skipped = false;
  bool noted_miss = false;
  std::vector<std::string_view> noted;  // variants, empty for none
  behavioural_miss_ = false;
  for (size_t i = 0; i < flag.conditions.size(); ++i) {
    const Condition& condition = flag.conditions[i];
    bool provisional = false;
    Outcome outcome = evaluate_condition(flag, condition, result, provisional);
    if (outcome == Outcome::kFailed) return;
    if (provisional) {
      if (outcome == Outcome::kMatch) {
        FlagResult would;
        accept(flag, condition, would);
        if (noted.empty() || noted.back() != would.variant) noted.push_back(would.variant);
      }
      noted_miss = noted_miss || (outcome == Outcome::kOutOfRollout && flag.early_exit);
      outcome = Outcome::kNoMatch;
    }
    if (outcome == Outcome::kMatch) {
      result.condition_index = static_cast<int>(i);
      accept(flag, condition, result);
      break;
    }
    groups_skipped = groups_skipped || outcome == Outcome::kNoGroupType;
    if (outcome >= best) {
      best = outcome == Outcome::kSkipped ? Outcome::kOutOfRollout : outcome;
      result.condition_index = static_cast<int>(i);
    }
    if (outcome == Outcome::kOutOfRollout && flag.early_exit) break;
  }
  const auto differs = [&](std::string_view variant) {
    return !result.enabled || variant != result.variant;
  };
  if ((result.enabled && noted_miss) || std::any_of(noted.begin(), noted.end(), differs)) {
    fail(unsettled_, result);
    return;
  }
  if (result.enabled) return;
  switch (best) {
    case Outcome::kOutOfRollout:
      result.reason = Reason::kOutOfRolloutBound;
      return;
    case Outcome::kNoMatch:
      result.reason = behavioural_miss_ ? Reason::kNoConditionMatchBehavioural
                      : groups_skipped  ? Reason::kNoConditionMatchGroupsSkipped
                                        : Reason::kNoConditionMatch;
      return;
    default:
      result.reason = Reason::kNoGroupType;
  }
}

Outcome Evaluator::fail(Reason reason, FlagResult& result) {
  const int flag = result.flag;
  result = FlagResult{};
  result.flag = flag;
  result.failed = true;
  result.reason = reason;
  return Outcome::kFailed;
}

// `provisional` is set where a match hangs on a flag that failed, on a pattern that cannot run
// here, or on a text that is too long.
Outcome Evaluator::evaluate_condition(const Flag& flag, const Condition& condition,
                                      FlagResult& result, bool& provisional) {
  if (condition.group_index == kNone && flag.by_device &&
      (!request_.device_id || request_.device_id->empty())) {
    return Outcome::kSkipped;
  }
  if (!set_identifier(flag, condition.group_index)) return Outcome::kNoGroupType;
  std::vector<const Filter*> assumed;
  std::optional<Reason> unknown;
  for (const Filter& filter : condition.filters) {
    if (filter.kind == Filter::Kind::kFlag && has_failed(filter.target)) {
      if (!allows(filter, assumed)) return Outcome::kNoMatch;
      continue;
    }
    const Match match = matches(filter);
    if (match == Match::kUnknown) {
      unknown = Reason::kInvalidRegex;
    } else if (match == Match::kTooLong) {
      unknown = Reason::kInvalidProperty;
    } else if (match != Match::kYes) {
      return Outcome::kNoMatch;
    }
  }
  const Outcome outcome = evaluate_cohorts(condition, result);
  if (outcome != Outcome::kMatch) return outcome;
  provisional = unknown || !assumed.empty();
  if (provisional) unsettled_ = unknown.value_or(Reason::kDependencyFailed);
  if (condition.rollout >= 100) return Outcome::kMatch;
  return rollout_hash(flag) <= condition.rollout / 100 ? Outcome::kMatch : Outcome::kOutOfRollout;
}

// All cohorts are resolved before the first is asked for its members, so that an error is told
// whatever the others say. kMatch, kNoMatch or kFailed.
Outcome Evaluator::evaluate_cohorts(const Condition& condition, FlagResult& result) {
  for (const Filter& filter : condition.cohort_filters) {
    if (filter.target == kNone) {
      return fail(filter.names_no_id ? Reason::kCohortUnreadable : Reason::kCohortNotFound, result);
    }
    switch (catalog_.cohorts[static_cast<size_t>(filter.target)].state) {
      case Cohort::State::kOk:
        break;
      case Cohort::State::kUnknownReference:
        return fail(Reason::kCohortNotFound, result);
      case Cohort::State::kCycle:
        return fail(Reason::kCohortCycle, result);
      case Cohort::State::kUnreadable:
        return fail(Reason::kCohortUnreadable, result);
    }
    if (cohorts_.of(filter.target) == Membership::kUnreadable) {
      return fail(Reason::kCohortUnreadable, result);
    }
  }
  bool is_unknown = false;
  for (const Filter& filter : condition.cohort_filters) {
    const Membership membership = cohorts_.of(filter.target);
    const bool known = membership == Membership::kIn || membership == Membership::kOut;
    if (!filter.known_operator || (known && (membership == Membership::kIn) == filter.not_in)) {
      if (catalog_.cohorts[static_cast<size_t>(filter.target)].has_unknowable) {
        behavioural_miss_ = true;
      }
      return Outcome::kNoMatch;
    }
    if (membership == Membership::kRuleMissed && !filter.not_in) {
      behavioural_miss_ = true;
      return Outcome::kNoMatch;
    }
    is_unknown = is_unknown || !known;
  }
  return is_unknown ? fail(Reason::kMembershipUnknown, result) : Outcome::kMatch;
}

bool Evaluator::has_failed(int flag) const {
  if (flag == kNone) return false;
  const int index = result_of_[static_cast<size_t>(flag)];
  if (index == kNone || !results_[static_cast<size_t>(index)].failed) return false;
  return !reads_as_false(flag);
}

// A flag in a format that is not known reads as false where another depends on it; other failed
// flags have no value.
bool Evaluator::reads_as_false(int flag) const {
  const Flag& known = catalog_.flags[static_cast<size_t>(flag)];
  return known.unreadable && known.config_version != 1;
}

// Whether some value of the failed flag satisfies `filter` and the filters on it in `assumed`,
// which it joins.
bool Evaluator::allows(const Filter& filter, std::vector<const Filter*>& assumed) const {
  using Kind = Expected::Kind;
  if (!filter.known_operator || filter.expected.kind == Kind::kNever) return false;
  for (const Filter*& other : assumed) {
    if (other->target != filter.target) continue;
    const Expected& one = other->expected;
    const Expected& two = filter.expected;
    if ((one.kind == Kind::kFalse) != (two.kind == Kind::kFalse)) return false;
    if (one.kind == Kind::kVariant && two.kind == Kind::kVariant && one.variant != two.variant) {
      return false;
    }
    if (two.kind == Kind::kVariant) other = &filter;  // the narrower stays
    return true;
  }
  assumed.push_back(&filter);
  return true;
}

void Evaluator::accept(const Flag& flag, const Condition& condition, FlagResult& result) {
  result.enabled = true;
  result.reason = Reason::kConditionMatch;
  int chosen = condition.variant;
  if (chosen == kNone && !flag.variants.empty()) {
    const double hash = variant_hash(flag);
    for (size_t i = 0; i < flag.variants.size() && chosen == kNone; ++i) {
      if (hash < flag.variants[i].upper) chosen = static_cast<int>(i);
    }
  }
  int payload = flag.true_payload;  // weights that do not reach the hash give plain true
  if (chosen != kNone) {
    const Variant& variant = flag.variants[static_cast<size_t>(chosen)];
    result.variant = variant.key;
    payload = variant.payload;
  }
  if (payload != kNone) result.payload = &flag.payloads[static_cast<size_t>(payload)];
}

std::string_view Evaluator::person_identifier(const Flag& flag) const {
  if (flag.by_device && request_.device_id && !request_.device_id->empty()) {
    return *request_.device_id;
  }
  if (flag.continuity) {
    const std::string_view hash_key = hash_keys_.of(flag.key);
    if (!hash_key.empty()) return hash_key;
    if (request_.anon_distinct_id) return *request_.anon_distinct_id;
  }
  return request_.distinct_id;
}

// False when the condition buckets by a group that the request does not name.
bool Evaluator::set_identifier(const Flag& flag, int group_index) {
  std::string_view identifier;
  if (group_index == kNone) {
    identifier = person_identifier(flag);
  } else {
    const std::string* type = catalog_.group_type(group_index);
    const GroupKey* group = type == nullptr ? nullptr : request_.group(*type);
    if (group == nullptr || !group->usable) return false;
    identifier = group->key;
  }
  identifier = first_code_points(identifier, limits::kDistinctIdChars);
  if (identifier != hashes_.identifier) hashes_ = Hashes{identifier};
  return true;
}

// An empty identifier counts as 0.0: in at any percentage, first variant.
double Evaluator::rollout_hash(const Flag& flag) {
  if (hashes_.identifier.empty()) return 0;
  if (hashes_.rollout < 0) hashes_.rollout = hash01(flag.prefix, hashes_.identifier, "");
  return hashes_.rollout;
}

double Evaluator::variant_hash(const Flag& flag) {
  if (hashes_.identifier.empty()) return 0;
  if (hashes_.variant < 0) hashes_.variant = hash01(flag.prefix, hashes_.identifier, "variant");
  return hashes_.variant;
}

// Errors of the matcher count as a miss.
Match Evaluator::matches(const Filter& filter) {
  switch (filter.kind) {
    case Filter::Kind::kProperty:
      return filter.matcher.match(properties_.at(filter.slot), context_);
    case Filter::Kind::kFlag:
      return dependency_matches(filter) ? Match::kYes : Match::kNo;
    default:
      return Match::kNo;
  }
}

bool Evaluator::dependency_matches(const Filter& filter) const {
  if (!filter.known_operator || filter.target == kNone) return false;
  const int index = result_of_[static_cast<size_t>(filter.target)];
  if (index == kNone) return filter.expected.kind == Expected::Kind::kFalse;  // filtered out
  const FlagResult& target = results_[static_cast<size_t>(index)];
  if (target.failed && !reads_as_false(filter.target)) return false;
  switch (filter.expected.kind) {
    case Expected::Kind::kTrue:
      return target.enabled;
    case Expected::Kind::kFalse:
      return !target.enabled;
    case Expected::Kind::kVariant:
      return target.enabled && target.variant == filter.expected.variant;
    case Expected::Kind::kNever:
      break;
  }
  return false;
}

}  // namespace

Needs needs(const Definitions& definitions, const Request& request) {
  const Catalog& catalog = definitions.catalog();
  Needs wanted;
  const std::vector<Inclusion> included = select_flags(catalog, request);
  std::vector<int> cohorts;
  std::vector<bool> seen(catalog.slots.size(), false);
  for (size_t i = 0; i < included.size(); ++i) {
    const Flag& flag = catalog.flags[i];
    if (included[i] != Inclusion::kEvaluated || flag.cyclic || flag.missing_dependency) continue;
    if (flag.dialect == Dialect::kSeed && !flag.active) continue;
    wanted.hash_keys = wanted.hash_keys || (flag.continuity && flag.needs_hash);
    cohorts.insert(cohorts.end(), flag.cohorts.begin(), flag.cohorts.end());
    for (const int index : flag.slots) {
      if (seen[static_cast<size_t>(index)]) continue;
      seen[static_cast<size_t>(index)] = true;
      const Slot& slot = catalog.slots[static_cast<size_t>(index)];
      if (request_covers(slot, catalog, request)) continue;
      if (slot.kind != SlotKind::kGroup && slot.kind != SlotKind::kSeedGroup) {
        wanted.person = true;
        continue;
      }
      const std::string* named = catalog.group_type(slot.group_index);
      const std::string& type = named != nullptr ? *named : slot.group_type;
      const std::pair<std::string, std::string> group(type, request.group(type)->key);
      if (std::find(wanted.groups.begin(), wanted.groups.end(), group) == wanted.groups.end()) {
        wanted.groups.push_back(group);
      }
    }
  }
  add_cohort_needs(catalog, request, std::move(cohorts), wanted);
  return wanted;
}

std::vector<std::string> hash_keys_to_store(const Definitions& definitions, const Request& request,
                                            const StoredState& stored) {
  std::vector<std::string> missing;
  const bool has_key = request.anon_distinct_id && !request.anon_distinct_id->empty();
  if (!has_key || stored.hash_keys_read == Read::kFailed) return missing;
  const HashKeys known(stored);
  for (const Flag& flag : definitions.catalog().flags) {
    if (!flag.continuity || !flag.active || flag.deleted) continue;
    if (known.of(flag.key).empty()) missing.push_back(flag.key);
  }
  return missing;
}

Evaluation evaluate(const Definitions& definitions, const Request& request,
                    const StoredState& stored, int64_t now_ms) {
  return Evaluator(definitions.catalog(), request, stored, now_ms).run();
}

std::string_view Evaluation::key(const FlagResult& result) const {
  return catalog->flags[static_cast<size_t>(result.flag)].key;
}

const FlagResult* Evaluation::find(std::string_view key) const {
  for (const FlagResult& result : results) {
    if (this->key(result) == key) return &result;
  }
  return nullptr;
}

std::string_view reason_code(Reason reason) {
  switch (reason) {
    case Reason::kConditionMatch:
      return "condition_match";
    case Reason::kNoConditionMatch:
    case Reason::kNoConditionMatchGroupsSkipped:
    case Reason::kNoConditionMatchBehavioural:
      return "no_condition_match";
    case Reason::kOutOfRolloutBound:
      return "out_of_rollout_bound";
    case Reason::kNoGroupType:
      return "no_group_type";
    case Reason::kSuperConditionValue:
      return "super_condition_value";
    case Reason::kHoldoutConditionValue:
      return "holdout_condition_value";
    case Reason::kMissingDependency:
      return "missing_dependency";
    case Reason::kCohortNotFound:
      return "dependency_not_found_cohort";
    case Reason::kCohortCycle:
      return "dependency_cycle_cohort";
    case Reason::kCohortUnreadable:
      return "cohort_filters_parsing_error";
    case Reason::kFlagUnreadable:
      return "flag_data_parsing_error";
    case Reason::kMembershipUnknown:
      return "cohort_membership_unknown";
    case Reason::kDependencyFailed:
      return "dependency_failed";
    case Reason::kHashKeyError:
      return "hash_key_override_error";
    case Reason::kDatabaseError:
      return "database_error";
    case Reason::kInvalidRegex:
      return "invalid_regex";
    case Reason::kInvalidProperty:
      return "invalid_property";
    case Reason::kMissingContext:
      return "missing_context";
    case Reason::kTargetingMatch:
      return "condition_match";
    case Reason::kRolloutMiss:
      return "out_of_rollout_bound";
    case Reason::kRuleHoldout:
      return "holdout_condition_value";
    case Reason::kExperimentPaused:
    case Reason::kNoRuleMatch:
      return "no_condition_match";
    case Reason::kSeedMatch:
      return "match";
    case Reason::kSeedNoMatch:
      return "no_match";
    case Reason::kSeedOutOfRollout:
      return "out_of_rollout";
    case Reason::kSeedDisabled:
      return "disabled";
  }
  return "";
}

std::string_view typed_reason_code(Reason reason) {
  switch (reason) {
    case Reason::kInvalidRegex:
    case Reason::kInvalidProperty:
    case Reason::kMissingContext:
      return "error";
    case Reason::kTargetingMatch:
      return "targeting_match";
    case Reason::kRolloutMiss:
      return "rollout_miss";
    case Reason::kExperimentPaused:
      return "experiment_paused";
    case Reason::kRuleHoldout:
      return "holdout";
    case Reason::kNoRuleMatch:
      return "no_rule_match";
    default:
      return reason_code(reason);
  }
}

}  // namespace hogflare::flags
