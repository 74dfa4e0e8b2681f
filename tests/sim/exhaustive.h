// Histories and schedules that are visited all, not drawn.
#pragma once

#include <cstdint>
#include <string>

#include "hogflare/person_object.h"

namespace hogflare::sim {

struct ExhaustiveResult {
  uint64_t histories = 0;
  uint64_t runs = 0;
  std::string wrong;  // the first failure, with its history
};

// Sequences of events one after the other, up to renaming of the ids, against the model, in both
// personless modes. All of four ids and six events would be some ten million; visited are all of
//   four ids, up to three events: updates, personless events, $identify, $merge_dangerously
//   three ids, four events: updates, $identify, $merge_dangerously
//   two ids, five and six events: the same
//   four ids, five and six events: $identify (six in stateless mode only)
ExhaustiveResult enumerate_sequences();

// A few merges at once, two and three ids, in every schedule that differs from plain order in at
// most `deviations` places, a crash of an object being one of the differences.
ExhaustiveResult enumerate_schedules(size_t deviations, const ProtocolFaults& protocol);

}  // namespace hogflare::sim
