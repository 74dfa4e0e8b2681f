#include "insights/funnel_walk.h"

#include <algorithm>
#include <deque>

namespace hogflare::insights {
namespace {

// What is known of a chain that ends in a step. `entry_us` is the time of its first step. Chains
// are copied with every step that somebody takes: nothing of them lies on the heap.
struct Slot {
  bool filled = false;
  bool excluded = false;
  int64_t entry_us = 0;
  uint32_t reached = 0;
  StepTimes times_us = {};
  std::array<uint32_t, limits::kFunnelStepsMax> used = {};  // indexes of its events, one a step
  uint32_t used_count = 0;

  bool uses(size_t event) const {
    const auto end = used.begin() + used_count;
    return std::find(used.begin(), end, event) != end;
  }
};

bool same_entry(const Slot& left, const Slot& right) {
  return left.filled && right.filled && left.entry_us == right.entry_us;
}

class OrderedWalk {
 public:
  OrderedWalk(const FunnelRules& rules, const std::vector<FunnelEvent>& events)
      : rules_(rules), events_(events), slots_(rules.steps) {}

  FunnelRun run() {
    for (size_t begin = 0; begin < events_.size();) {
      size_t end = begin + 1;
      bool alike = true;
      while (end < events_.size() && events_[end].t_us == events_[begin].t_us) {
        alike = alike && events_[end].steps == events_[begin].steps &&
                events_[end].exclusions == events_[begin].exclusions;
        ++end;
      }
      if (alike) {
        for (size_t i = begin; i < end; ++i) step_event(i);
      } else {
        mixed_instant(begin, end);
      }
      if (slots_.back().filled) break;
      begin = end;
    }
    return {.reached = best_.reached, .excluded = best_.excluded, .times_us = best_.times_us};
  }

 private:
  // Events of one instant but of different steps count in step order, each once a chain.
  void mixed_instant(size_t begin, size_t end) {
    for (size_t step = 0; step < rules_.steps; ++step) {
      for (size_t i = begin; i < end; ++i) {
        if ((events_[i].steps >> step & 1) != 0) enter(step, i, true);
      }
    }
  }

  void step_event(size_t i) {
    const FunnelEvent& event = events_[i];
    for (size_t step = rules_.steps; step-- > 0;) {
      // An exclusion and a step of the same event: the exclusion is looked at first.
      if ((event.exclusions >> step & 1) != 0) exclude(step, event);
      if ((event.steps >> step & 1) != 0) enter(step, i, false);
    }
    if (rules_.order != FunnelRules::Order::kStrict) return;
    for (size_t step = 0; step < rules_.steps; ++step) {
      if ((event.steps >> step & 1) == 0) slots_[step] = Slot{};
    }
  }

  // The chain that a step goes on from: the step before it, or behind skipped optional ones, the
  // newest.
  const Slot* before(size_t step, const FunnelEvent& event) const {
    const Slot* best = nullptr;
    for (size_t k = step; k-- > 0;) {
      const Slot& slot = slots_[k];
      if (slot.filled && event.t_us - slot.entry_us <= rules_.window_us &&
          (best == nullptr || slot.entry_us > best->entry_us)) {
        best = &slot;
      }
      if ((rules_.optional >> k & 1) == 0) break;
    }
    return best;
  }

  void exclude(size_t step, const FunnelEvent& event) {
    if (step == 0) return;
    Slot& slot = slots_[step - 1];
    const bool moved_on = same_entry(slots_[step], slot);
    if (!slot.filled || moved_on || slot.excluded || event.t_us - slot.entry_us > rules_.window_us)
      return;
    slot.excluded = true;
    if (furthest_ == static_cast<int>(step) - 1 && event.t_us - best_.entry_us <= rules_.window_us)
      best_.excluded = true;
  }

  void enter(size_t step, size_t i, bool mixed) {
    const FunnelEvent& event = events_[i];
    if (rules_.attribution_step == static_cast<int>(step) && event.value != rules_.value) return;
    Slot next;
    if (step == 0) {
      next.filled = true;
      next.entry_us = event.t_us;
      next.times_us.fill(-1);
    } else {
      const Slot* previous = before(step, event);
      if (previous == nullptr || same_entry(slots_[step], *previous)) return;
      if (mixed && previous->uses(i)) return;
      next = *previous;
    }
    next.times_us[step] = event.t_us;
    next.reached |= 1u << step;
    next.used[next.used_count++] = static_cast<uint32_t>(i);
    const int at = static_cast<int>(step);
    if (at > furthest_ || (at == furthest_ && best_.excluded)) {
      furthest_ = at;
      best_ = next;
    }
    if (!next.excluded) slots_[step] = std::move(next);
  }

  const FunnelRules& rules_;
  const std::vector<FunnelEvent>& events_;
  std::vector<Slot> slots_;
  Slot best_;
  int furthest_ = -1;
};

// A window that slides over the events: as many steps as it holds at once.
class UnorderedWalk {
 public:
  UnorderedWalk(const FunnelRules& rules, const std::vector<FunnelEvent>& events)
      : rules_(rules), events_(events), queues_(rules.steps) {}

  FunnelRun run() {
    for (const FunnelEvent& event : events_) {
      drop_old(event.t_us);
      if (event.exclusions != 0) {
        for (auto& queue : queues_) queue.clear();
        continue;
      }
      add(event);
      if (filled() == rules_.steps) break;
    }
    keep();
    FunnelRun out;
    out.times_us.fill(-1);
    std::copy(best_.begin(), best_.end(), out.times_us.begin());
    for (size_t i = 0; i < rules_.steps; ++i) out.reached |= out.times_us[i] >= 0 ? 1u << i : 0;
    return out;
  }

 private:
  void drop_old(int64_t now_us) {
    while (true) {
      std::deque<int64_t>* oldest = nullptr;
      for (auto& queue : queues_) {
        if (!queue.empty() && (oldest == nullptr || queue.front() < oldest->front()))
          oldest = &queue;
      }
      if (oldest == nullptr || oldest->front() + rules_.window_us >= now_us) return;
      keep();
      oldest->pop_front();
    }
  }

  // An event of several steps goes to the one that waits longest.
  void add(const FunnelEvent& event) {
    std::deque<int64_t>* chosen = nullptr;
    for (size_t step = 0; step < rules_.steps; ++step) {
      if ((event.steps >> step & 1) == 0) continue;
      if (rules_.attribution_step == static_cast<int>(step) && event.value != rules_.value)
        continue;
      std::deque<int64_t>& queue = queues_[step];
      if (chosen == nullptr ||
          (!chosen->empty() && (queue.empty() || queue.back() < chosen->back())))
        chosen = &queue;
    }
    if (chosen != nullptr) chosen->push_back(event.t_us);
  }

  size_t filled() const {
    return static_cast<size_t>(
        std::count_if(queues_.begin(), queues_.end(), [](const auto& q) { return !q.empty(); }));
  }

  void keep() {
    if (filled() <= best_.size()) return;
    best_.clear();
    for (const auto& queue : queues_) {
      if (!queue.empty()) best_.push_back(queue.front());
    }
    std::sort(best_.begin(), best_.end());
  }

  const FunnelRules& rules_;
  const std::vector<FunnelEvent>& events_;
  std::vector<std::deque<int64_t>> queues_;
  std::vector<int64_t> best_;
};

}  // namespace

FunnelRun walk_funnel(const FunnelRules& rules, const std::vector<FunnelEvent>& events) {
  FunnelRun out = rules.order == FunnelRules::Order::kUnordered ? UnorderedWalk(rules, events).run()
                                                                : OrderedWalk(rules, events).run();
  if (out.excluded) out.reached = 0;
  return out;
}

std::vector<FunnelEntry> walk_funnel_trends(const FunnelRules& rules,
                                            const std::vector<FunnelEvent>& events,
                                            size_t from_step) {
  // A run for each bucket in which the unit entered: its events are the entries of that bucket and
  // all later steps. A bucket's run ends when it converts.
  std::vector<FunnelEntry> out;
  std::vector<int64_t> buckets;
  for (const FunnelEvent& event : events) {
    if ((event.steps & 1) != 0 &&
        std::find(buckets.begin(), buckets.end(), event.bucket) == buckets.end()) {
      buckets.push_back(event.bucket);
    }
  }
  for (const int64_t bucket : buckets) {
    std::vector<FunnelEvent> own;
    for (const FunnelEvent& event : events) {
      own.push_back(event);
      if (event.bucket != bucket) own.back().steps &= ~1u;
    }
    const FunnelRun run = walk_funnel(rules, own);
    if (run.reached == 0) continue;
    out.push_back({.bucket = bucket,
                   .reached_from = (run.reached >> from_step & 1) != 0,
                   .reached_to = (run.reached >> (rules.steps - 1) & 1) != 0});
  }
  return out;
}

}  // namespace hogflare::insights
