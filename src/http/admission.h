// What a capture request takes of the isolate's memory, stated before any of it is taken. The sum over
// the requests in flight stays below limits::kRequestMemoryBytesMax, so that an allocation, which
// would end every request in flight, does not fail.
#pragma once

#include <cstddef>
#include <string_view>

#include "hogflare/wire.h"

namespace hogflare {

struct MemoryNeed {
  size_t decoding;  // at most, until the events are found
  size_t running;   // from then on
};

// Of a body as it came and a query that may hold the payload instead. What it unpacks to is what gzip
// announces, and a guess where nothing announces it (base64, deflate, brotli, zstd).
MemoryNeed memory_need(Endpoint endpoint, std::string_view body, std::string_view query);

// What may be unpacked and indexed within so much memory.
size_t unpacked_bytes_within(size_t memory_bytes);

// Of a request whose text is `body_bytes` long and whose index is `index_bytes`.
size_t running_bytes(size_t body_bytes, size_t index_bytes);

// A request's share of the sum, for as long as it lives.
class MemoryShare {
 public:
  explicit MemoryShare(size_t& sum) : sum_(sum) {}
  ~MemoryShare() { sum_ -= bytes_; }
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;

  // False: it does not fit beside what runs.
  bool take(size_t bytes);
  // Not taken by any request.
  size_t left() const;
  // Of what was taken this is needed now; it may be more by what nobody could know before.
  void set(size_t bytes);

 private:
  size_t& sum_;
  size_t bytes_ = 0;
};

}  // namespace hogflare
