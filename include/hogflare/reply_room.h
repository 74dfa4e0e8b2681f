// How many bytes of texts the answer of an object may have. An answer is there before anybody can
// refuse it, and many are under way at once: so each call says what there is room for, and that
// much of the request's memory is held until the answer has come.
//
//   ReplyRoom room = hold_reply(memory, {.op_bytes = …, .kept_left = …, .calls = …});
//   effects.add(CallObject{…, write_call(room.bytes)});
//   …  memory.give_back(room.held_bytes);
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "hogflare/limits.h"
#include "hogflare/memory_limits.h"
#include "hogflare/memory_share.h"

namespace hogflare {

struct ReplyWish {
  size_t op_bytes = 0;   // of the call's operations, which the request holds already
  size_t kept_left = 0;  // of texts, that the request may still keep
  size_t calls = 1;      // that may be under way, this one among them
};

struct ReplyRoom {
  size_t bytes = 0;
  size_t held_bytes = 0;
};

// What one answer may have when there is room for all: an eighth of the largest, and more with what
// its operations bring.
inline size_t reply_texts_most(size_t op_bytes) {
  return static_cast<size_t>(std::min<uint64_t>(
      limits::kPersonReplyBytesMax, limits::kPersonReplyBytesMax / 8 +
                                        limits::kPersonPropertiesBytesMax +
                                        limits::kCarriedBytesPerByte * uint64_t{op_bytes}));
}

// Half of the memory stays for requests to come, and every call gets a part of the other half; what
// any answer may have is not held.
inline ReplyRoom hold_reply(MemoryShare& memory, const ReplyWish& wish) {
  if (wish.kept_left == 0) return {};
  constexpr size_t kHalf = limits::kRequestMemoryBytesMax / 2;
  const size_t calls = std::max<size_t>(wish.calls, 1);
  const size_t share = (std::max(memory.left(), kHalf) - kHalf) / 2 / calls;
  const size_t bytes = std::min({share, wish.kept_left / calls, reply_texts_most(wish.op_bytes)});
  const size_t least = limits::kReplyTextsBytesMin + wish.op_bytes;
  if (bytes <= least || !memory.take(bytes)) return {least, 0};
  return {bytes, bytes};
}

}  // namespace hogflare
