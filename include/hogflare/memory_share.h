// What a request takes of the isolate's memory, stated before any of it is taken. The sum over the
// requests in flight stays below limits::kRequestMemoryBytesMax, so that an allocation, which would
// end every request in flight, does not fail. Requests of kSmallRequestBytesMax at most find room
// above it, up to kSmallRequestsBytesMax.
//
//   MemoryShare memory(state.request_memory_bytes);
//   if (auto refused = memory.hold(body.size())) return *refused;
//   Result<std::string> text = memory.unpack(Encoding::kGzip, body, limits::kDecompressedBytesMax);
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "hogflare/decompress.h"
#include "hogflare/result.h"

namespace hogflare {

// A request's share of the sum, for as long as it lives.
class MemoryShare {
 public:
  // `sum` outlives the share.
  explicit MemoryShare(size_t& sum) : sum_(sum) {}
  ~MemoryShare() { sum_ -= bytes_; }
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;

  // From now on the request has so many bytes, and what every request has besides. kTooLarge when
  // nobody could have as many, kMemoryBusy when others have what is missing; nothing changes then.
  [[nodiscard]] std::optional<Error> hold(size_t bytes);
  // The same for bytes on top of what is held.
  [[nodiscard]] std::optional<Error> hold_more(size_t bytes);
  // False: they are not there.
  [[nodiscard]] bool take(size_t bytes);
  void give_back(size_t bytes);

  // What this request may still take.
  size_t left() const;

  // decompress() into what is left; its bytes are held on top of the rest then.
  Result<std::string> unpack(Encoding encoding, std::string_view bytes, size_t output_bytes_max,
                             Decompressor* host = nullptr);
  // decompress_lz_base64() likewise.
  Result<std::string> unpack_lz(std::string_view base64, size_t output_bytes_max);

 private:
  Result<std::string> taken(Result<std::string> unpacked, bool is_limited);
  Error refusal() const;

  size_t& sum_;
  size_t bytes_ = 0;
};

// The most that the index of a JSON text can take.
size_t json_index_bytes(std::string_view text);

}  // namespace hogflare
