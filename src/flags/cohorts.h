// Who is a member of which cohort, for one request.
//
//   CohortMemberships cohorts(catalog, request, stored, properties, context);
//   if (cohorts.of(filter.target) == Membership::kIn) …
//
// A cohort is evaluated once a request however many flags and cohorts refer to it; those it refers
// to come first, so that only groups within one cohort recurse. Source: F-5.
#pragma once

#include <cstdint>
#include <vector>

#include "flags/catalog.h"
#include "flags/properties.h"

namespace hogflare::flags {

// The last three are no answers, from the mildest to the worst.
enum class Membership : uint8_t {
  kOut,
  kIn,
  kRuleMissed,  // hangs on a rule that cannot be evaluated: no member, but not known to be none
  kUnknown,     // hangs on a list that is not to be had, or on the opposite of kRuleMissed
  kUnreadable,  // a group of a type that there is not was reached
};

class CohortMemberships {
 public:
  // The references must outlive this.
  CohortMemberships(const Catalog& catalog, const Request& request, const StoredState& stored,
                    PropertyMaps& properties, const MatchContext& context);

  // `cohort` must be in State::kOk.
  Membership of(int cohort);
  // Whether one of `cohorts`, or what they refer to, looks at what only the stored person has.
  bool any_reads_person(const std::vector<int>& cohorts);

 private:
  enum class Known : uint8_t { kNo, kYes };
  struct Entry {
    Known known = Known::kNo;
    Membership membership = Membership::kOut;
  };

  Membership evaluate(const Cohort& cohort);
  Membership evaluate(const CohortNode& node);
  Membership evaluate_leaf(const Filter& leaf);
  std::optional<Membership> listed(const Cohort& cohort) const;

  const Catalog& catalog_;
  const Request& request_;
  const StoredState& stored_;
  PropertyMaps& properties_;
  const MatchContext& context_;
  std::vector<Entry> entries_;
  std::vector<bool> reads_person_;  // made when it is first asked for
};

// Adds what the evaluation of `cohorts` may look at.
void add_cohort_needs(const Catalog& catalog, const Request& request, std::vector<int> cohorts,
                      Needs& wanted);

}  // namespace hogflare::flags
