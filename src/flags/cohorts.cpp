#include "flags/cohorts.h"

#include <re2/re2.h>

#include <algorithm>

#include "hogflare/result.h"

namespace hogflare::flags {
namespace {

bool has_list(const Cohort& cohort) { return cohort.is_static || cohort.is_stored; }

// Whether the cohort itself looks at what only the stored person has.
bool reads_person(const Catalog& catalog, const Request& request, const Cohort& cohort) {
  if (has_list(cohort)) return true;
  return std::any_of(cohort.slots.begin(), cohort.slots.end(), [&](int slot) {
    return !request_covers(catalog.slots[static_cast<size_t>(slot)], catalog, request);
  });
}

}  // namespace

CohortMemberships::CohortMemberships(const Catalog& catalog, const Request& request,
                                     const StoredState& stored, PropertyMaps& properties,
                                     const MatchContext& context)
    : catalog_(catalog),
      request_(request),
      stored_(stored),
      properties_(properties),
      context_(context),
      entries_(catalog.cohorts.size()) {}

Membership CohortMemberships::of(int wanted) {
  if (entries_[static_cast<size_t>(wanted)].known == Known::kYes) {
    return entries_[static_cast<size_t>(wanted)].membership;
  }
  struct Frame {
    int cohort;
    size_t next = 0;
  };
  std::vector<Frame> stack;
  stack.push_back(Frame{wanted});
  while (!stack.empty()) {
    Frame& frame = stack.back();
    Entry& entry = entries_[static_cast<size_t>(frame.cohort)];
    const Cohort& cohort = catalog_.cohorts[static_cast<size_t>(frame.cohort)];
    HF_ASSERT(cohort.state == Cohort::State::kOk);  // no cycle, so the stack is bounded
    if (frame.next < cohort.references.size()) {
      const int next = cohort.references[frame.next++];
      if (entries_[static_cast<size_t>(next)].known == Known::kNo) stack.push_back(Frame{next});
      continue;
    }
    entry.membership = evaluate(cohort);
    entry.known = Known::kYes;
    stack.pop_back();
  }
  return entries_[static_cast<size_t>(wanted)].membership;
}

// What the list says; nullopt: there is none.
std::optional<Membership> CohortMemberships::listed(const Cohort& cohort) const {
  const Membership out = stored_.has_all_person_ids ? Membership::kOut : Membership::kUnknown;
  if (cohort.members) {
    const MemberList& members = *cohort.members;
    const bool is_in = members.contains(request_.distinct_id) ||
                       std::any_of(stored_.person_ids.begin(), stored_.person_ids.end(),
                                   [&](const std::string& id) { return members.contains(id); });
    return is_in ? Membership::kIn : out;
  }
  const auto found =
      std::find_if(stored_.cohorts.begin(), stored_.cohorts.end(),
                   [&](const StoredCohort& stored) { return stored.id == cohort.id; });
  if (found == stored_.cohorts.end()) return std::nullopt;
  switch (found->answer) {
    case StoredCohort::Answer::kIn:
      return Membership::kIn;
    case StoredCohort::Answer::kOut:
      return out;
    case StoredCohort::Answer::kFailed:
      return Membership::kUnknown;
    case StoredCohort::Answer::kNoList:
      break;
  }
  return std::nullopt;
}

Membership CohortMemberships::evaluate(const Cohort& cohort) {
  if (has_list(cohort)) {
    if (const std::optional<Membership> known = listed(cohort)) return *known;
    if (cohort.is_static || cohort.is_query) return Membership::kUnknown;
  }
  return cohort.tree ? evaluate(*cohort.tree) : Membership::kOut;
}

Membership CohortMemberships::evaluate(const CohortNode& node) {
  if (node.kind == CohortNode::Kind::kBadGroup) return Membership::kUnreadable;
  if (node.kind == CohortNode::Kind::kLeaf) return evaluate_leaf(node.leaf);
  const bool all = node.kind == CohortNode::Kind::kAll;
  Membership result = all ? Membership::kIn : Membership::kOut;
  for (const CohortNode& value : node.values) {
    const Membership membership = evaluate(value);
    if (membership == Membership::kUnreadable) return membership;
    if (membership == (all ? Membership::kOut : Membership::kIn)) return membership;
    if (membership > Membership::kIn) result = std::max(result, membership);
  }
  return result;
}

Membership CohortMemberships::evaluate_leaf(const Filter& leaf) {
  const auto known = [](bool is_in) { return is_in ? Membership::kIn : Membership::kOut; };
  if (leaf.kind == Filter::Kind::kUnknowable) return Membership::kRuleMissed;
  if (leaf.kind == Filter::Kind::kProperty) {
    const Match match = leaf.matcher.match(properties_.at(leaf.slot), context_);
    if (match == Match::kUnknown || match == Match::kTooLong) return Membership::kUnknown;
    return known((match == Match::kYes) != leaf.negation);
  }
  if (leaf.kind != Filter::Kind::kCohort) return Membership::kOut;
  if (!leaf.known_operator) return known(leaf.negation);
  const Entry& target = entries_[static_cast<size_t>(leaf.target)];
  HF_ASSERT(target.known == Known::kYes);
  const bool inverted = leaf.not_in != leaf.negation;
  switch (target.membership) {
    case Membership::kOut:
    case Membership::kIn:
      return known((target.membership == Membership::kIn) != inverted);
    case Membership::kRuleMissed:
      // A rule that counts as a miss must not make a member of somebody.
      return inverted ? Membership::kUnknown : Membership::kRuleMissed;
    default:
      return target.membership;
  }
}

bool CohortMemberships::any_reads_person(const std::vector<int>& cohorts) {
  if (cohorts.empty()) return false;
  if (reads_person_.empty()) {
    reads_person_.resize(catalog_.cohorts.size());
    for (const int index : catalog_.cohort_order) {  // references first
      const Cohort& cohort = catalog_.cohorts[static_cast<size_t>(index)];
      const auto reads = [&](int other) { return reads_person_[static_cast<size_t>(other)]; };
      reads_person_[static_cast<size_t>(index)] =
          reads_person(catalog_, request_, cohort) ||
          std::any_of(cohort.references.begin(), cohort.references.end(), reads);
    }
  }
  return std::any_of(cohorts.begin(), cohorts.end(),
                     [&](int cohort) { return reads_person_[static_cast<size_t>(cohort)]; });
}

void add_cohort_needs(const Catalog& catalog, const Request& request, std::vector<int> cohorts,
                      Needs& wanted) {
  if (cohorts.empty()) return;
  std::vector<bool> seen(catalog.cohorts.size(), false);
  while (!cohorts.empty()) {
    const auto index = static_cast<size_t>(cohorts.back());
    cohorts.pop_back();
    if (seen[index]) continue;
    seen[index] = true;
    const Cohort& cohort = catalog.cohorts[index];
    wanted.person = wanted.person || reads_person(catalog, request, cohort);
    wanted.person_ids = wanted.person_ids || has_list(cohort);
    if (has_list(cohort) && !cohort.members) {
      wanted.cohorts.push_back({cohort.id, cohort.is_stored && !cohort.is_query});
    }
    cohorts.insert(cohorts.end(), cohort.references.begin(), cohort.references.end());
  }
}

}  // namespace hogflare::flags
