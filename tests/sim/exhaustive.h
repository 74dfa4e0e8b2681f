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

// Every sequence of events one after the other, up to renaming of the ids, against the model: all kinds
// of event over up to four ids, up to `all_kinds` events; merges and updates over three ids up to
// `merges` events.
ExhaustiveResult enumerate_sequences(size_t all_kinds, size_t merges);

// A few merges at once, two and three ids, in every schedule that differs from plain order in at most
// `deviations` places, a crash of an object being one of the differences.
ExhaustiveResult enumerate_schedules(size_t deviations, const ProtocolFaults& protocol);

}  // namespace hogflare::sim
