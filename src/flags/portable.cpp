#include "flags/portable.h"

#include <re2/re2.h>

#include <algorithm>

#include "hogflare/ascii.h"

namespace hogflare::flags {
namespace {

bool matcher_agrees(const Catalog& catalog, const Matcher& matcher) {
  switch (matcher.op()) {
    case Operator::kBetween:
    case Operator::kNotBetween:
    case Operator::kIcontainsMulti:
    case Operator::kNotIcontainsMulti:
    case Operator::kIsDateExact:
    case Operator::kIn:
    case Operator::kNotIn:
    case Operator::kFlagEvaluatesTo:
    case Operator::kIsNotSet:  // answered from what the SDK was given, not from what is stored
      return false;
    case Operator::kRegex:
    case Operator::kNotRegex:
      return is_portable_pattern(matcher.pattern());
    case Operator::kIsSet:
      return true;
    default:
      return matcher.operand_is_portable(catalog.matching_version);
  }
}

bool filter_agrees(const Catalog& catalog, const Filter& filter, int group_index) {
  switch (filter.kind) {
    case Filter::Kind::kProperty: {
      if (filter.slot == kNone || filter.old_operator) return false;
      const Slot& slot = catalog.slots[static_cast<size_t>(filter.slot)];
      // SDKs look at one map per condition: the group's in a group condition, else the person's.
      const bool same_map = slot.kind == SlotKind::kPerson
                                ? group_index == kNone
                                : slot.kind == SlotKind::kGroup && slot.group_index == group_index;
      return same_map && matcher_agrees(catalog, filter.matcher);
    }
    case Filter::Kind::kCohort:
      return group_index == kNone && filter.target != kNone && filter.known_operator &&
             catalog.cohorts[static_cast<size_t>(filter.target)].agrees;
    case Filter::Kind::kFlag:
      return filter.known_operator && filter.target != kNone;
    default:
      return false;
  }
}

// SDKs tell a list of groups from a list of leaves by its first element.
bool node_agrees(const Catalog& catalog, const CohortNode& node) {
  if (node.kind == CohortNode::Kind::kLeaf) {
    // Node reads a nested not_in as in, and passes over a cohort's negation.
    if (node.leaf.kind == Filter::Kind::kCohort && (node.leaf.not_in || node.leaf.negation)) {
      return false;
    }
    return filter_agrees(catalog, node.leaf, kNone);
  }
  if (node.kind == CohortNode::Kind::kBadGroup || node.values.empty()) return false;
  const bool leaves = node.values[0].kind == CohortNode::Kind::kLeaf;
  return std::all_of(node.values.begin(), node.values.end(), [&](const CohortNode& value) {
    return (value.kind == CohortNode::Kind::kLeaf) == leaves && node_agrees(catalog, value);
  });
}

bool condition_agrees(const Catalog& catalog, const Flag& flag, const Condition& condition) {
  const auto agrees = [&](const Filter& filter) {
    return filter_agrees(catalog, filter, condition.group_index);
  };
  return condition.group_index == flag.group_index &&
         std::all_of(condition.filters.begin(), condition.filters.end(), agrees) &&
         std::all_of(condition.cohort_filters.begin(), condition.cohort_filters.end(), agrees);
}

bool own_rules_agree(const Catalog& catalog, const Flag& flag) {
  if (flag.seed) {
    const SeedRules& rules = *flag.seed;
    return !flag.active || (rules.conditions.empty() && rules.rollout >= 100 &&
                            rules.variants.empty() && rules.group_type.empty());
  }
  // SDKs read rules as conditions, of which there are none: silently false for everybody.
  if (flag.unreadable || flag.config_version != 1) return false;
  if (flag.holdout || flag.enrolment || flag.super_condition || flag.by_device) return false;
  // /flags leaves these out for the server SDKs that read the feed.
  if (flag.runtime == Runtime::kClient) return false;
  if (flag.missing_dependency || flag.cyclic || flag.continuity) return false;
  // An SDK passes over a condition it cannot decide; the condition might have ended the flag.
  if (flag.early_exit && flag.conditions.size() > 1) return false;
  return std::all_of(
      flag.conditions.begin(), flag.conditions.end(),
      [&](const Condition& condition) { return condition_agrees(catalog, flag, condition); });
}

}  // namespace

void mark_agreeing_cohorts(Catalog& catalog) {
  for (const int index : catalog.cohort_order) {
    Cohort& cohort = catalog.cohorts[static_cast<size_t>(index)];
    cohort.agrees = !cohort.is_static && !cohort.is_stored && !cohort.is_old_form && cohort.tree &&
                    cohort.state == Cohort::State::kOk && node_agrees(catalog, *cohort.tree);
  }
}

void mark_agreeing_flags(Catalog& catalog) {
  for (const int index : catalog.order) {  // dependencies first; those on a cycle never agree
    Flag& flag = catalog.flags[static_cast<size_t>(index)];
    flag.agrees = own_rules_agree(catalog, flag) &&
                  std::all_of(flag.dependencies.begin(), flag.dependencies.end(), [&](int other) {
                    return catalog.flags[static_cast<size_t>(other)].agrees;
                  });
  }
}

bool is_portable_pattern(std::string_view pattern) {
  // Not \w \d \s \b: Unicode here, ASCII in the Node.js SDK.
  static constexpr std::string_view kEscapes = "ntr";
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const char next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (static_cast<unsigned char>(c) >= 0x80) return false;
    if (c == '\\') {
      const bool letter = (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z');
      if (is_digit(next) || next == '\0') return false;
      if (letter && kEscapes.find(next) == std::string_view::npos) return false;
      ++i;
    } else if (c == '(' && next == '?') {
      if (pattern.substr(i, 3) != "(?:") return false;
    } else if (c == '[' && (next == '[' || next == ']')) {
      return false;  // POSIX classes; "]" first in a class
    } else if ((c == '&' || c == '-' || c == '~') && next == c) {
      return false;  // classes combined
    } else if (c == '+' && i > 0 &&
               (pattern[i - 1] == '+' || pattern[i - 1] == '*' || pattern[i - 1] == '?' ||
                pattern[i - 1] == '}')) {
      return false;  // possessive
    } else if (c == '{' && !is_digit(next)) {
      return false;  // "{,3}" is a repetition to some and text to others
    } else if (c == '{' && i > 0 &&
               std::string_view("*+?}").find(pattern[i - 1]) != std::string_view::npos) {
      return false;  // "a{2}{3}": text here, an error elsewhere
    }
  }
  return true;
}

}  // namespace hogflare::flags
