#include "hogflare/memory_share.h"

#include <algorithm>

#include "hogflare/json.h"
#include "hogflare/limits.h"
#include "hogflare/lz_string.h"
#include "hogflare/memory_limits.h"

namespace hogflare {
namespace {

// A smaller text is not worth counting its values: most are behind a comma.
constexpr size_t kCountedFrom = 64u << 10;
constexpr size_t kBytesPerNode = 2;

Error too_large() {
  return {ErrorCode::kTooLarge, "unpacked it needs more memory than there is; send it in parts"};
}

Error busy() {
  return {ErrorCode::kMemoryBusy,
          "other requests take the memory this one needs; nothing was stored"};
}

size_t difference(size_t more, size_t less) { return more - std::min(less, more); }

// What a request of so many bytes may take where all have `sum`.
size_t left_beside(size_t sum, size_t own) {
  constexpr size_t kOfAll = limits::kRequestMemoryBytesMax + limits::kSmallRequestsBytesMax;
  return std::max(
      difference(limits::kRequestMemoryBytesMax, sum),
      std::min(difference(limits::kSmallRequestBytesMax, own), difference(kOfAll, sum)));
}

}  // namespace

// Alone a request would never have what it did not get.
Error MemoryShare::refusal() const { return sum_ > bytes_ ? busy() : too_large(); }

std::optional<Error> MemoryShare::hold_more(size_t bytes) {
  if (take(bytes)) return std::nullopt;
  return bytes > limits::kRequestMemoryBytesMax - bytes_ ? too_large() : busy();
}

std::optional<Error> MemoryShare::hold(size_t bytes) {
  const size_t wanted = bytes + limits::kRequestMemoryBytesBase;
  if (wanted > limits::kRequestMemoryBytesMax) return too_large();
  const size_t others = sum_ - bytes_;
  if (wanted > bytes_ && wanted > left_beside(others, 0)) return busy();
  sum_ = others + wanted;
  bytes_ = wanted;
  return std::nullopt;
}

bool MemoryShare::take(size_t bytes) {
  if (bytes > left()) return false;
  sum_ += bytes;
  bytes_ += bytes;
  return true;
}

void MemoryShare::give_back(size_t bytes) {
  HF_ASSERT(bytes <= bytes_);
  sum_ -= bytes;
  bytes_ -= bytes;
}

size_t MemoryShare::left() const { return left_beside(sum_, bytes_); }

Result<std::string> MemoryShare::unpack(Encoding encoding, std::string_view bytes,
                                        size_t output_bytes_max, Decompressor* host) {
  const size_t most = std::min(output_bytes_max, left());
  if (most == 0) return refusal();
  return taken(
      host != nullptr ? host->run(encoding, bytes, most) : decompress(encoding, bytes, most),
      most < output_bytes_max);
}

Result<std::string> MemoryShare::unpack_lz(std::string_view base64, size_t output_bytes_max) {
  return taken(decompress_lz_base64(base64, output_bytes_max, left()), true);
}

Result<std::string> MemoryShare::taken(Result<std::string> unpacked, bool is_limited) {
  if (unpacked.ok()) {
    HF_ASSERT(take(unpacked.value().size()));
    return unpacked;
  }
  if (is_limited && unpacked.error().code == ErrorCode::kTooLarge) return refusal();
  return unpacked;
}

size_t json_index_bytes(std::string_view text) {
  if (text.size() < kCountedFrom) return (text.size() / kBytesPerNode + 1) * sizeof(json::Node);
  size_t count = 1;
  for (const char c : text) count += (c == ',') | (c == '{') | (c == '[');
  return std::min<size_t>(count, limits::kJsonNodesMax) * sizeof(json::Node);
}

}  // namespace hogflare
