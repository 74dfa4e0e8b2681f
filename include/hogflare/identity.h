// What one event wants of people: the rules that need the event alone (I-1, I-2, I-5.2, I-6.3),
// so that the person's object only applies the result.
//
//   IdentityPlan plan = plan_identity(event, {.project = project, .now_ms = turn.now_ms});
//   if (plan.kind == IdentityPlan::Kind::kCall) … plan.op(event) goes to the person's object
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/enrich.h"
#include "hogflare/event.h"
#include "hogflare/person.h"

namespace hogflare {

// A PostHog ingestion warning about one event (I-12).
struct NamedWarning {
  std::string_view name;  // static text
  std::string detail;
  // About data that is stored as it came: an isolate writes some of them and counts the rest.
  bool is_limited = false;
};

struct IdentityPlan {
  enum class Kind : uint8_t {
    kDrop,        // no row; the last warning says why
    kPersonless,  // a row with the deterministic uuid; no object is called
    kCall,        // the person's object decides
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
  bool only_reads = false;  // an AI event: shows its person and changes nobody
  std::vector<NamedWarning> warnings;

  // Views into this plan and the event.
  PersonOp op(const Event& event) const;
};

// What plan_identity needs to know beside the event.
struct IdentityContext {
  const Project& project;
  PersonlessMode mode = PersonlessMode::kStateless;
  int64_t now_ms = 0;
  const ConnectionPlace* place = nullptr;  // null: nothing is known of the connection
};

IdentityPlan plan_identity(const Event& event, const IdentityContext& context);

// Why an event is no event for people, groups and rows, though its shape is right: an alias that is
// no text, a group key nobody could store, a client's own warning. Source: PostHog
// nodejs/src/ingestion/common/steps/event-preprocessing/validate-event-properties.ts and
// handle-client-ingestion-warning-step.ts.
std::optional<NamedWarning> refusal_of(const Event& event);

// $ai_…: PostHog routes them by this prefix to a pipeline that only reads people and groups
// (nodejs/src/ingestion/common/ai-event-types.ts).
bool is_ai_event(std::string_view name);

// I-6.3: ids no merge may touch.
bool is_illegal_distinct_id(std::string_view distinct_id);

}  // namespace hogflare
