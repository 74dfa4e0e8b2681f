// One simulated history of delivery: clients that send events and retry, a sink that fails in every
// way it can, objects that crash and lose calls, and the equation that must hold when it is quiet.
//
//   SeededChoices choices(seed);
//   DeliveryHistory history(choices, OutboxFaults{});
//   std::string wrong = history.run();   // empty: all is well
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "world.h"

namespace hogflare::sim {

struct DeliveryCounts {
  uint64_t accepted = 0;
  uint64_t landed = 0;
  uint64_t rejected = 0;
  uint64_t quarantined = 0;
  uint64_t copies = 0;
  uint64_t retried = 0;  // answers other than 200
  uint64_t full = 0;     // of them: histories with a 503
};

class DeliveryHistory {
 public:
  DeliveryHistory(Choices& choices, const OutboxFaults& broken);
  ~DeliveryHistory();

  // What is wrong, empty when nothing is.
  std::string run();
  const DeliveryCounts& counts() const;
  const Counts& world_counts() const;
  // What was drawn, as text.
  std::string describe() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hogflare::sim
