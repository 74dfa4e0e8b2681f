#include "exhaustive.h"

#include <algorithm>
#include <functional>

#include "identity_run.h"

namespace hogflare::sim {
namespace {

constexpr int64_t kTimeMs = 1'767'200'000'000;
const char* const kIds[] = {"ann", "bob", "cat", "dan"};

struct Step {
  const char* name;
  int id;
  int other;  // -1: none
  bool personless = false;
};

ModelEvent event_of(const Step& step, size_t position) {
  ModelEvent event;
  event.name = step.name;
  event.distinct_id = kIds[step.id];
  if (step.other >= 0) event.other = kIds[step.other];
  event.personless = step.personless;
  event.timestamp_ms = kTimeMs - 1000 * static_cast<int64_t>(position);
  const std::string value = std::to_string(position);
  if (!step.personless) {
    event.set["a"] = value;
    event.set_once["b_" + event.distinct_id] = value;
  }
  return event;
}

enum class Kinds { kAll, kMergesAndUpdates, kIdentify, kIdentifyStateless };

// The steps over ids below `ids`, in which the first new id is the next unused one.
std::vector<Step> steps(int ids, int used, Kinds kinds) {
  std::vector<Step> list;
  const bool has_updates = kinds == Kinds::kAll || kinds == Kinds::kMergesAndUpdates;
  const int ids_max = std::min(ids, used + 1);
  for (int id = 0; id < ids_max; ++id) {
    if (has_updates) list.push_back({"custom", id, -1});
    if (kinds == Kinds::kAll) list.push_back({"seen", id, -1, true});
    const int others_max = std::min(ids, std::max(used, id + 1) + 1);
    for (int other = 0; other < others_max; ++other) {
      if (other == id) continue;
      list.push_back({"$identify", id, other});
      if (has_updates) list.push_back({"$merge_dangerously", id, other});
    }
  }
  return list;
}

class Sequences {
 public:
  Sequences(int ids, size_t length, Kinds kinds) : ids_(ids), length_(length), kinds_(kinds) {}

  void visit(ExhaustiveResult& result) { extend(0, result); }

 private:
  void extend(int used, ExhaustiveResult& result) {
    if (!result.wrong.empty()) return;
    if (steps_.size() == length_) {
      try_out(result);
      return;
    }
    for (const Step& step : steps(ids_, used, kinds_)) {
      steps_.push_back(step);
      extend(std::max({used, step.id + 1, step.other + 1}), result);
      steps_.pop_back();
    }
  }

  void try_out(ExhaustiveResult& result) {
    ++result.histories;
    for (const bool exact : {false, true}) {
      if (!exact && has_personless()) continue;
      if (exact && kinds_ == Kinds::kIdentifyStateless) continue;
      Plan plan;
      plan.exact = exact;
      plan.compares_with_model = true;
      plan.clients.emplace_back();
      for (size_t i = 0; i < steps_.size(); ++i) {
        PlannedRequest request;
        request.events.push_back(event_of(steps_[i], i + 1));
        plan.clients[0].push_back(std::move(request));
      }
      DeviatingChoices choices({});
      WorldOptions options;
      options.isolates = 1;
      options.any_order = true;
      ReliableSink sink;
      IdentityRun run(std::move(plan), choices, std::move(options), sink, sink.sends);
      ++result.runs;
      const std::string wrong = run.run();
      if (!wrong.empty()) result.wrong = wrong + "\n" + run.history();
    }
  }

  bool has_personless() const {
    return std::any_of(steps_.begin(), steps_.end(),
                       [](const Step& step) { return step.personless; });
  }

  int ids_;
  size_t length_;
  Kinds kinds_;
  std::vector<Step> steps_;
};

// Events that happen one after the other first, then others all at once.
struct Scene {
  std::vector<Step> before;
  std::vector<Step> at_once;
};

std::vector<Scene> scenes() {
  const Step ann = {"custom", 0, -1}, bob = {"custom", 1, -1}, cat = {"custom", 2, -1};
  const auto merge = [](int into, int other) { return Step{"$merge_dangerously", into, other}; };
  const auto identify = [](int into, int other) { return Step{"$identify", into, other}; };
  return {
      {{ann, bob}, {merge(0, 1), merge(1, 0)}},  // mutual
      {{ann, bob}, {identify(0, 1), identify(1, 0)}},
      {{}, {identify(0, 1), identify(1, 0)}},
      {{ann, bob, cat}, {merge(0, 1), merge(1, 2)}},  // chained
      {{ann, bob, cat}, {merge(1, 0), merge(2, 1)}},
      {{ann, bob, cat}, {merge(0, 1), merge(2, 1)}},  // two want one
      {{ann, bob, cat}, {identify(0, 1), identify(2, 1)}},
      {{ann, bob, cat}, {merge(0, 1), merge(1, 2), merge(2, 0)}},  // cyclic
      {{ann, bob}, {merge(0, 1), {"custom", 0, -1}, {"custom", 1, -1}}},
      {{ann, merge(0, 1), cat}, {merge(2, 1), merge(0, 2)}},  // through a redirect
  };
}

class Schedules {
 public:
  Schedules(Scene scene, size_t deviations, const ProtocolFaults& protocol)
      : scene_(std::move(scene)), deviations_max_(deviations), protocol_(protocol) {}

  void visit(ExhaustiveResult& result) {
    ++result.histories;
    extend({}, result);
  }

 private:
  void extend(std::vector<DeviatingChoices::Deviation> deviations, ExhaustiveResult& result) {
    DeviatingChoices choices(deviations);
    try_out(choices, result);
    if (!result.wrong.empty() || deviations.size() == deviations_max_) return;
    const std::vector<uint32_t> bounds = choices.bounds();
    const size_t first = deviations.empty() ? 0 : deviations.back().at + 1;
    for (size_t at = first; at < bounds.size(); ++at) {
      const bool is_fault = bounds[at] == Choices::kThousand;
      for (uint32_t taken = is_fault ? bounds[at] - 1 : 1; taken < bounds[at]; ++taken) {
        deviations.push_back({at, taken});
        extend(deviations, result);
        deviations.pop_back();
        if (!result.wrong.empty()) return;
      }
    }
  }

  void try_out(DeviatingChoices& choices, ExhaustiveResult& result) {
    Plan plan;
    plan.compares_with_model = true;
    size_t position = 0;
    PlannedRequest before;
    for (const Step& step : scene_.before) before.events.push_back(event_of(step, ++position));
    for (const Step& step : scene_.at_once) {
      PlannedRequest request;
      request.events.push_back(event_of(step, ++position));
      plan.clients.push_back({std::move(request)});
    }
    if (!before.events.empty()) plan.first = {std::move(before)};
    WorldOptions options;
    options.isolates = 1;
    options.any_order = true;
    options.faults.crash = 1;
    options.protocol = protocol_;
    ReliableSink sink;
    IdentityRun run(std::move(plan), choices, std::move(options), sink, sink.sends);
    ++result.runs;
    const std::string wrong = run.run();
    if (!wrong.empty()) result.wrong = wrong + "\n" + run.history();
  }

  Scene scene_;
  size_t deviations_max_;
  ProtocolFaults protocol_;
};

}  // namespace

ExhaustiveResult enumerate_sequences() {
  ExhaustiveResult result;
  for (size_t length = 1; length <= 3; ++length) Sequences(4, length, Kinds::kAll).visit(result);
  Sequences(3, 4, Kinds::kMergesAndUpdates).visit(result);
  Sequences(2, 5, Kinds::kMergesAndUpdates).visit(result);
  Sequences(2, 6, Kinds::kMergesAndUpdates).visit(result);
  Sequences(4, 5, Kinds::kIdentify).visit(result);
  Sequences(4, 6, Kinds::kIdentifyStateless).visit(result);
  return result;
}

ExhaustiveResult enumerate_schedules(size_t deviations, const ProtocolFaults& protocol) {
  ExhaustiveResult result;
  for (const Scene& scene : scenes()) {
    Schedules(scene, deviations, protocol).visit(result);
    if (!result.wrong.empty()) break;
  }
  return result;
}

}  // namespace hogflare::sim
