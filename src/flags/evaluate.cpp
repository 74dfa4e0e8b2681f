// Evaluation of PostHog's flag format, and the order of it all. Source: flag-semantics.md §2-§8.
#include <re2/re2.h>

#include <algorithm>

#include "hogflare/flags.h"
#include "hogflare/text.h"
#include "flags/catalog.h"
#include "flags/evaluate_seed.h"
#include "flags/hash.h"
#include "flags/properties.h"
#include "flags/rules.h"
#include "flags/selection.h"
#include "flags/text.h"

namespace hogflare::flags {
namespace {

// How far a condition came. Of several misses the higher is reported, of equal ones the later.
enum class Outcome : uint8_t { kNoGroupType, kNoMatch, kOutOfRollout, kMatch, kFailed };

class Evaluator {
 public:
  Evaluator(const Catalog& catalog, const Request& request, const StoredState& stored,
            int64_t now_ms)
      : catalog_(catalog),
        request_(request),
        stored_(stored),
        context_{now_ms, catalog.matching_version, catalog.zone},
        properties_(catalog, request, stored),
        cohorts_(catalog.cohorts.size(), Membership::kUnknown) {}

  Evaluation run();

 private:
  enum class Membership : uint8_t { kUnknown, kIn, kOut };

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
  Outcome evaluate_condition(const Flag& flag, const Condition& condition, FlagResult& result);
  void accept(const Flag& flag, const Condition& condition, FlagResult& result);
  bool read_failed(const Flag& flag, FlagResult& result) const;

  std::string_view person_identifier(const Flag& flag) const;
  bool set_identifier(const Flag& flag, int group_index);
  double rollout_hash(const Flag& flag);
  double variant_hash(const Flag& flag);

  bool matches(const Filter& filter);
  bool dependency_matches(const Filter& filter) const;
  bool is_member(int cohort);
  bool has_stored_membership(const Cohort& cohort) const;
  bool cohort_group_matches(const CohortGroup& group, const Cohort& cohort);

  const Catalog& catalog_;
  const Request& request_;
  const StoredState& stored_;
  MatchContext context_;
  PropertyMaps properties_;
  std::vector<Membership> cohorts_;
  std::vector<int> result_of_;  // per flag: index into results_, or kNone
  std::vector<FlagResult> results_;
  Hashes hashes_;
  bool behavioural_miss_ = false;
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
  std::sort(results_.begin(), results_.end(), [](const FlagResult& left, const FlagResult& right) {
    return left.flag < right.flag;
  });
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
bool Evaluator::read_failed(const Flag& flag, FlagResult& result) const {
  if (stored_.hash_keys_read == Read::kFailed && flag.continuity && flag.needs_hash) {
    result.failed = true;
    result.reason = Reason::kHashKeyError;
    return true;
  }
  bool failed = stored_.person_read == Read::kFailed && flag.needs_membership;
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
  FlagResult ignored;
  result.enabled = evaluate_condition(flag, *flag.super_condition, ignored) == Outcome::kMatch;
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

void Evaluator::decide_conditions(const Flag& flag, FlagResult& result) {
  Outcome best = Outcome::kNoGroupType;
  bool groups_skipped = false;
  behavioural_miss_ = false;
  for (size_t i = 0; i < flag.conditions.size(); ++i) {
    const Condition& condition = flag.conditions[i];
    const Outcome outcome = evaluate_condition(flag, condition, result);
    if (outcome == Outcome::kFailed) return;
    if (outcome == Outcome::kMatch) {
      result.condition_index = static_cast<int>(i);
      accept(flag, condition, result);
      return;
    }
    groups_skipped = groups_skipped || outcome == Outcome::kNoGroupType;
    if (outcome >= best) {
      best = outcome;
      result.condition_index = static_cast<int>(i);
    }
    if (outcome == Outcome::kOutOfRollout && flag.early_exit) break;
  }
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

Outcome Evaluator::evaluate_condition(const Flag& flag, const Condition& condition,
                                      FlagResult& result) {
  if (condition.group_index == kNone && flag.by_device &&
      (!request_.device_id || request_.device_id->empty())) {
    return Outcome::kOutOfRollout;
  }
  if (!set_identifier(flag, condition.group_index)) return Outcome::kNoGroupType;
  for (const Filter& filter : condition.filters) {
    if (!matches(filter)) return Outcome::kNoMatch;
  }
  for (const Filter& filter : condition.cohort_filters) {
    const Cohort::State state =
        filter.target == kNone ? Cohort::State::kUnknownReference
                               : catalog_.cohorts[static_cast<size_t>(filter.target)].state;
    if (state == Cohort::State::kOk) continue;
    result.condition_index = kNone;
    result.failed = true;
    result.reason = state == Cohort::State::kCycle        ? Reason::kCohortCycle
                    : state == Cohort::State::kUnreadable ? Reason::kCohortUnreadable
                                                          : Reason::kCohortNotFound;
    return Outcome::kFailed;
  }
  for (const Filter& filter : condition.cohort_filters) {
    const bool member = filter.known_operator && is_member(filter.target) != filter.not_in;
    if (member) continue;
    if (catalog_.cohorts[static_cast<size_t>(filter.target)].behavioural) behavioural_miss_ = true;
    return Outcome::kNoMatch;
  }
  if (condition.rollout >= 100) return Outcome::kMatch;
  return rollout_hash(flag) <= condition.rollout / 100 ? Outcome::kMatch : Outcome::kOutOfRollout;
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
    for (const auto& [key, hash_key] : stored_.hash_keys) {
      if (key == flag.key) return hash_key;
    }
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
bool Evaluator::matches(const Filter& filter) {
  switch (filter.kind) {
    case Filter::Kind::kProperty:
      return filter.matcher.match(properties_.at(filter.slot), context_) == Match::kYes;
    case Filter::Kind::kFlag:
      return dependency_matches(filter);
    default:
      return false;
  }
}

bool Evaluator::dependency_matches(const Filter& filter) const {
  if (!filter.known_operator || filter.target == kNone) return false;
  const int index = result_of_[static_cast<size_t>(filter.target)];
  if (index == kNone) return filter.expected.kind == Expected::Kind::kFalse;  // filtered out
  const FlagResult& target = results_[static_cast<size_t>(index)];
  // A format that is not known reads as false here, where other failed flags have no value.
  const Flag& flag = catalog_.flags[static_cast<size_t>(filter.target)];
  const bool reads_as_false = flag.unreadable && flag.config_version != 1;
  if (target.failed && !reads_as_false) return false;
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

bool Evaluator::has_stored_membership(const Cohort& cohort) const {
  return std::find(stored_.cohort_ids.begin(), stored_.cohort_ids.end(), cohort.id) !=
         stored_.cohort_ids.end();
}

bool Evaluator::is_member(int index) {
  Membership& known = cohorts_[static_cast<size_t>(index)];
  if (known != Membership::kUnknown) return known == Membership::kIn;
  const Cohort& cohort = catalog_.cohorts[static_cast<size_t>(index)];
  bool member = false;
  if (cohort.is_static || cohort.behavioural) {
    member = has_stored_membership(cohort);
  } else if (cohort.has_filters) {
    const auto matches = [&](const CohortGroup& group) {
      return cohort_group_matches(group, cohort);
    };
    member = cohort.all ? std::all_of(cohort.groups.begin(), cohort.groups.end(), matches)
                        : std::any_of(cohort.groups.begin(), cohort.groups.end(), matches);
  }
  known = member ? Membership::kIn : Membership::kOut;
  return member;
}

bool Evaluator::cohort_group_matches(const CohortGroup& group, const Cohort& cohort) {
  HF_ASSERT(cohort.state == Cohort::State::kOk);
  const auto leaf_matches = [&](const Filter& leaf) {
    if (leaf.kind != Filter::Kind::kCohort) return matches(leaf) != leaf.negation;
    const bool member = leaf.known_operator && is_member(leaf.target) != leaf.not_in;
    // The service honours a cohort leaf's negation in AND groups only.
    return group.all ? member != leaf.negation : member;
  };
  return group.all ? std::all_of(group.leaves.begin(), group.leaves.end(), leaf_matches)
                   : std::any_of(group.leaves.begin(), group.leaves.end(), leaf_matches);
}

}  // namespace

Needs needs(const Definitions& definitions, const Request& request) {
  const Catalog& catalog = definitions.catalog();
  Needs wanted;
  const std::vector<Inclusion> included = select_flags(catalog, request);
  for (size_t i = 0; i < included.size(); ++i) {
    const Flag& flag = catalog.flags[i];
    if (included[i] != Inclusion::kEvaluated || flag.cyclic || flag.missing_dependency) continue;
    if (flag.dialect == Dialect::kSeed && !flag.active) continue;
    wanted.hash_keys = wanted.hash_keys || (flag.continuity && flag.needs_hash);
    wanted.person = wanted.person || flag.needs_membership;
    for (const int index : flag.slots) {
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
  return wanted;
}

std::vector<std::string> hash_keys_to_store(const Definitions& definitions, const Request& request,
                                            const StoredState& stored) {
  std::vector<std::string> missing;
  if (!request.anon_distinct_id || stored.hash_keys_read == Read::kFailed) return missing;
  for (const Flag& flag : definitions.catalog().flags) {
    if (!flag.continuity || !flag.active || flag.deleted) continue;
    const bool known =
        std::any_of(stored.hash_keys.begin(), stored.hash_keys.end(),
                    [&](const auto& entry) { return entry.first == flag.key; });
    if (!known) missing.push_back(flag.key);
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
