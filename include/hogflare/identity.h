// What one event wants of people: the rules that need the event alone (identity-semantics.md §1, §2,
// §5.2, §6.2), so that the person's object only applies the result.
//
//   IdentityPlan plan = plan_identity(event, project, PersonlessMode::kStateless);
//   if (plan.kind == IdentityPlan::Kind::kCall) … plan.op(event) goes to the person's object
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/event.h"
#include "hogflare/person.h"

namespace hogflare {

struct IdentityPlan {
  enum class Kind : uint8_t {
    kDrop,        // no row: an identity event with person processing off
    kPersonless,  // a row with the deterministic uuid; no object is called
    kCall,        // the person's object decides
  };
  struct NamedWarning {
    std::string_view name;
    std::string detail;
  };

  Kind kind = Kind::kCall;
  bool personless = false;  // $process_person_profile is off: the row loses $set, $set_once, $unset
  std::string set;          // JSON object with top level folded in and lifted names; empty: none
  std::string set_once;
  std::vector<std::string> unset;  // canonical keys
  std::string other;
  MergeKind merge = MergeKind::kNone;
  PersonAccess access = PersonAccess::kUpdate;
  bool updates_existing = true;
  bool writes_noisy = false;
  bool may_upgrade = false;
  std::vector<NamedWarning> warnings;

  // Views into this plan and the event.
  PersonOp op(const Event& event) const;
};

IdentityPlan plan_identity(const Event& event, const Project& project, PersonlessMode mode);

// §6.2: ids no merge may touch.
bool is_illegal_distinct_id(std::string_view distinct_id);

}  // namespace hogflare
