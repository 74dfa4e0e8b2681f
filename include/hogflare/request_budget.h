// What one capture request may still ask of others, for all of its windows together.
//
//   RequestBudget budget(config.object_calls_max, memory);
//   if (!budget.take_object_call()) … as if the object had not answered
#pragma once

#include <cstdint>

#include "hogflare/limits.h"
#include "hogflare/memory_share.h"

namespace hogflare {

struct RequestBudget {
  RequestBudget(uint32_t object_calls_max, MemoryShare& request_memory)
      : object_calls_left(object_calls_max * limits::kObjectCallsFactor), memory(request_memory) {}

  // False: the platform would refuse one more before the request has told its client anything.
  bool take_object_call() { return take(object_calls_left); }
  bool take_send() { return take(sends_left); }

  uint32_t object_calls_left;
  uint32_t sends_left = limits::kSendsPerRequestMax;
  // For what objects answer, which nobody knows before.
  MemoryShare& memory;

 private:
  static bool take(uint32_t& left) {
    if (left == 0) return false;
    --left;
    return true;
  }
};

}  // namespace hogflare
