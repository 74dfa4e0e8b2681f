// The rules format of PostHog's flags (`filters.version` 2): ordered rules that give typed values.
//
//   RulesReading reading = read_rules(filters, faults, zone, patterns);
//   if (reading.problem) ...                       // the flag is answered as failed
//   evaluate_rules(*reading.rules, request, stored, properties, context, result);
//
// Closed objects: any member the contract does not name makes the flag malformed, as does whatever
// JSON readers hide (a member twice, a percentage written with more than two decimals), so the text
// itself is looked at as well.
//
// Source: PostHog's contract feature_flag_rules_v2 3.0.0; rust/feature-flags/src/flags/config_v2.rs
// and evaluate_v2.rs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/flags.h"
#include "flags/operators.h"
#include "flags/timezone.h"

namespace hogflare::flags {

class PropertyMaps;

enum class RuleKind : uint8_t { kTargetedRelease, kPercentageRollout, kExperiment };

// "targeted_release" and so on.
std::string_view rule_kind_name(RuleKind kind);

// A value of the flag's return type, and what clients of older answers get as payload.
struct RuleValue {
  Value value;
  std::optional<Value> payload;  // numbers and objects: their JSON text
};

// One property of the person. An absent property and a wrong operand are told apart from a miss.
struct Predicate {
  std::string key;
  int slot = -1;  // interned by the compiler
  Matcher matcher;
  bool negation = false;
  bool broken_pattern = false;  // a pattern that cannot run fails the flag when it is reached
};

struct RuleVariant {
  double weight = 0;  // percent
  int value = -1;     // into Rules::values
};

struct RuleHoldout {
  std::string seed;
  double exclusion = 0;  // percent
};

struct Rule {
  std::string id;
  RuleKind kind = RuleKind::kTargetedRelease;
  std::vector<Predicate> targeting;
  int value = -1;  // into Rules::values; -1: the variants have it
  bool paused = false;
  double rollout = 100;    // percent
  bool miss_ends = false;  // on_rollout_miss: return_default
  std::string seed;
  std::vector<RuleVariant> variants;
  std::optional<RuleHoldout> holdout;
};

struct Rules {
  std::vector<RuleValue> values;
  int default_value = -1;  // into values; -1: null, the caller's code decides
  std::vector<Rule> rules;
};

// --- Reading ----------------------------------------------------------------------------------

// What a parsed value no longer shows of one `filters`.
struct TextFaults {
  bool has_duplicates = false;
  bool underflows = false;         // a number too small for a double
  std::set<std::string> decimals;  // rules[0].rollout_percentage: more than two of them
};

// Faults by the path of `filters`: "flags[3].filters". `json` as parse_value takes it.
std::map<std::string, TextFaults> scan_filters(std::string_view json);

struct RulesProblem {
  std::string path;     // below filters: rules[0].seed; empty: filters itself
  std::string message;  // "malformed seed: ..." in the words of the contract
};

struct RulesReading {
  std::optional<Rules> rules;
  std::optional<RulesProblem> problem;  // exactly one of the two
  std::vector<RulesProblem> notes;      // spellings that mean something else elsewhere
  std::vector<RulesProblem> faults;     // of predicates that fail the flag when they are reached
};

// Needs `patterns` as long as the rules live.
RulesReading read_rules(const Value& filters, const TextFaults& faults, const TimeZone& zone,
                        Patterns& patterns);

// --- Evaluating -------------------------------------------------------------------------------

void evaluate_rules(const Rules& rules, const Request& request, const StoredState& stored,
                    PropertyMaps& properties, const MatchContext& context, FlagResult& result);

}  // namespace hogflare::flags
