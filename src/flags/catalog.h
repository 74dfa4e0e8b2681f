// The compiled form of a definitions document: what `evaluate` walks.
//
// Property keys are interned: each (kind, key) that some filter names has a slot, and one request
// resolves a slot at most once. Flags, cohorts and variants refer to one another by index.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hogflare/flags.h"
#include "flags/member_list.h"
#include "flags/operators.h"
#include "flags/rules.h"
#include "flags/timezone.h"

namespace hogflare::flags {

enum class Dialect : uint8_t { kPostHog, kSeed };

// Where a slot's value comes from.
enum class SlotKind : uint8_t {
  kPerson,      // stored, request, derived, distinct_id
  kCreatedAt,   // the person's creation time
  kGroup,       // properties of a group by type index
  kSeedPerson,  // stored and request only
  kSeedGroup,   // properties of a group by type name
};

struct Slot {
  SlotKind kind;
  int group_index = -1;    // kGroup
  std::string group_type;  // kSeedGroup
  std::string key;
};

inline constexpr int kNone = -1;

// What a flag dependency expects of its target.
struct Expected {
  enum class Kind : uint8_t { kTrue, kFalse, kVariant, kNever };
  Kind kind = Kind::kNever;
  std::string variant;
};

struct Filter {
  // kUnknowable: a cohort's leaf of another type, such as behavioral.
  enum class Kind : uint8_t { kProperty, kCohort, kFlag, kNothing, kUnknowable };
  Kind kind = Kind::kNothing;
  int slot = kNone;            // kProperty; kNone: a group filter without a group
  Matcher matcher;             // kProperty
  bool negation = false;       // cohort leaves only
  int target = kNone;          // kCohort, kFlag: an index; kNone: unknown
  bool not_in = false;         // kCohort
  bool known_operator = true;  // kCohort, kFlag: false never matches
  bool names_no_id = false;    // kCohort: the value is not the id of any cohort there could be
  bool old_operator = false;   // kProperty: min or max, which SDKs do not know
  Expected expected;           // kFlag
};

struct Condition {
  std::vector<Filter> filters;         // all but cohort filters, in order
  std::vector<Filter> cohort_filters;  // after the others
  double rollout = 100;
  int variant = kNone;
  int group_index = kNone;  // kNone: buckets by person
};

struct Variant {
  std::string key;
  double upper = 0;  // running sum of the weights, as a fraction
  int payload = kNone;
};

struct Holdout {
  std::string variant;
  double exclusion = 0;
  int payload = kNone;
};

struct SeedFilter {
  enum class Op : uint8_t {
    kEqual,
    kIsSet,
    kIsNot,
    kIn,
    kNotIn,
    kContains,
    kRegex,
    kGt,
    kGte,
    kLt,
    kLte,
  };
  Op op = Op::kEqual;
  int slot = kNone;  // kNone: a group filter without group_type, never matches
  Value expected;
  const re2::RE2* regex = nullptr;  // of the document's patterns
};

struct SeedVariant {
  std::string key;
  double weight = 0;
};

struct SeedCondition {
  std::vector<SeedFilter> filters;
  std::optional<double> rollout;
  std::vector<SeedVariant> variants;
  std::optional<std::string> variant;
};

struct SeedRules {
  bool multivariate = false;
  double rollout = 100;
  std::string salt;
  std::string group_type;  // empty: the person
  std::vector<SeedVariant> variants;
  std::vector<std::pair<std::string, int>> variant_payloads;
  int payload = kNone;
  std::vector<SeedCondition> conditions;
};

struct Flag {
  Dialect dialect = Dialect::kPostHog;
  std::string key;
  std::string prefix;  // "key."
  std::optional<int64_t> id;
  std::optional<int64_t> version;
  std::optional<std::string> description;
  bool active = true;
  bool deleted = false;
  bool unreadable = false;  // does not parse: answered as failed
  bool agrees = false;      // SDKs answer it as it is answered here; see portable.h
  bool has_experiment = false;
  bool continuity = false;
  bool by_device = false;
  bool survey = false;
  bool early_exit = false;
  bool enrolment = false;
  Runtime runtime = Runtime::kAll;
  std::vector<std::string> contexts;

  std::vector<Condition> conditions;
  std::vector<Variant> variants;
  std::vector<Value> payloads;
  int true_payload = kNone;
  std::optional<Holdout> holdout;
  int group_index = kNone;
  int enrolment_slot = kNone;
  std::optional<Condition> super_condition;
  std::vector<int> super_slots;

  std::vector<int> dependencies;  // direct, by index
  bool missing_dependency = false;
  bool cyclic = false;

  // What an evaluation may look at; cohorts have slots and cohorts of their own.
  std::vector<int> slots;    // its own filters', sorted
  std::vector<int> cohorts;  // those its filters name, sorted
  bool needs_hash = false;   // some identifier is hashed: a rollout below 100 or variants

  std::optional<SeedRules> seed;
  int config_version = 1;      // 2: in the rules format, or in one that is not known
  std::optional<Rules> rules;  // absent when they do not parse
};

// One place of a cohort's tree.
struct CohortNode {
  // kBadGroup: a group of a type that there is not, an error only where it is reached.
  enum class Kind : uint8_t { kLeaf, kAll, kAny, kBadGroup };
  Kind kind = Kind::kAny;
  Filter leaf;
  std::vector<CohortNode> values;
};

struct Cohort {
  enum class State : uint8_t { kOk, kUnknownReference, kCycle, kUnreadable };
  int64_t id = 0;
  bool is_static = false;
  bool is_stored = false;          // cohort_type realtime or behavioral: its list, where it has one
  bool is_query = false;           // defined by a query, which nobody here runs
  bool is_old_form = false;        // defined by groups, which SDKs do not read
  bool has_unknowable = false;     // some leaf of its own cannot be decided
  bool agrees = false;             // SDKs decide it as here; see portable.h
  std::optional<CohortNode> tree;  // none: nobody
  std::optional<MemberList> members;  // the document's list
  State state = State::kOk;
  std::vector<int> references;  // sorted
  std::vector<int> slots;       // of its own leaves, sorted
};

struct Catalog {
  Patterns patterns;  // outlives the filters that point to them
  std::vector<Flag> flags;
  std::vector<Cohort> cohorts;
  std::vector<int> cohort_order;  // references first
  std::vector<Slot> slots;
  std::vector<int> order;  // flags, dependencies first; cyclic flags left out
  std::array<std::string, limits::kGroupTypes> group_types;
  bool has_seed_flags = false;
  bool has_cycle = false;
  int matching_version = 1;
  TimeZone zone;
  std::vector<Problem> problems;
  size_t document_bytes = 0;  // of its text
  Value document;  // {"flags": [...], "cohorts": ..., ...}: what the feeds are written from

  int find_flag(std::string_view key) const;
  const std::string* group_type(int index) const;
};

}  // namespace hogflare::flags
