// PostHog's walk over one unit's events of a funnel, event by event.
//
// Source of the rules: docs/INSIGHTS.md "Funnels"; PostHog funnel-udf, restated in own words.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "hogflare/insights_limits.h"

namespace hogflare::insights {

// One event of a unit: `steps` and `exclusions` are masks of steps (bit 0 is the first). An
// exclusion's mask holds the steps it stands in the way of reaching.
struct FunnelEvent {
  int64_t t_us = 0;
  uint32_t steps = 0;
  uint32_t exclusions = 0;
  int64_t bucket = 0;              // of time, for trends
  std::vector<std::string> value;  // breakdown
};

struct FunnelRules {
  enum class Order : uint8_t { kOrdered, kStrict, kUnordered };
  size_t steps = 0;
  Order order = Order::kOrdered;
  int64_t window_us = 0;
  uint32_t optional = 0;      // mask of optional steps
  int attribution_step = -1;  // this step only by events of `value`
  std::vector<std::string> value;
};

// When each step was (−1: not).
using StepTimes = std::array<int64_t, limits::kFunnelStepsMax>;

// How far a unit got: `reached` is a mask of steps.
struct FunnelRun {
  uint32_t reached = 0;
  bool excluded = false;
  StepTimes times_us = {};
};

// `events` in order of time. A unit whose furthest is excluded is in no step at all.
FunnelRun walk_funnel(const FunnelRules& rules, const std::vector<FunnelEvent>& events);

// For each bucket in which the unit entered: whether it got to `from` and to the last step.
struct FunnelEntry {
  int64_t bucket = 0;
  bool reached_from = false;
  bool reached_to = false;
};
std::vector<FunnelEntry> walk_funnel_trends(const FunnelRules& rules,
                                            const std::vector<FunnelEvent>& events,
                                            size_t from_step);

}  // namespace hogflare::insights
