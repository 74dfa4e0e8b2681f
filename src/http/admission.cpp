#include "admission.h"

#include <algorithm>

#include "hogflare/decompress.h"
#include "hogflare/json.h"
#include "hogflare/limits.h"

namespace hogflare {
namespace {

// A smaller text is not worth counting its values.
constexpr size_t kCountedFrom = 64u << 10;
constexpr size_t kIndexBytesMax = sizeof(json::Node) * limits::kJsonNodesMax;
// Every value but a container's first stands behind a comma, so a text has half as many as bytes.
constexpr size_t kIndexBytesPerByte = sizeof(json::Node) / 2;
// What events unpack to at most where nothing announces it: JSON of many alike reaches ten times.
constexpr size_t kUnannouncedRatio = 16;
// Rows in parts, people and sends: at most so much, and never more than the body gives cause for.
constexpr size_t kWorkBytesMax = 8u << 20;

size_t index_bytes_at_most(size_t text_bytes) {
  return std::min(text_bytes * kIndexBytesPerByte, kIndexBytesMax);
}

size_t index_bytes_of(std::string_view text) {
  if (text.size() < kCountedFrom) return index_bytes_at_most(text.size());
  size_t count = 1;
  for (const char c : text) count += (c == ',') | (c == '{') | (c == '[');
  return std::min(count * sizeof(json::Node), kIndexBytesMax);
}

// RFC 1952 §2.3.1: the last four bytes are the length of what was packed, modulo 2^32. Whoever lies
// is held to the limit of a body.
size_t announced_bytes(std::string_view gzip) {
  if (gzip.size() < 18) return limits::kDecompressedBytesMax;
  size_t bytes = 0;
  for (size_t i = 1; i <= 4; ++i) {
    bytes = bytes << 8 | static_cast<unsigned char>(gzip[gzip.size() - i]);
  }
  return std::min(bytes, limits::kDecompressedBytesMax);
}

// What is rewritten as a whole stands there twice for a moment.
bool is_rewritten(Endpoint endpoint) {
  return endpoint == Endpoint::kCaptureV1 || endpoint == Endpoint::kEngage ||
         endpoint == Endpoint::kIdentify || endpoint == Endpoint::kAlias ||
         endpoint == Endpoint::kGroups;
}

}  // namespace

size_t running_bytes(size_t body_bytes, size_t index_bytes) {
  return body_bytes + index_bytes + std::min(body_bytes, kWorkBytesMax) +
         limits::kRequestMemoryBytesBase;
}

MemoryNeed memory_need(Endpoint endpoint, std::string_view body, std::string_view query) {
  const bool in_query = query.find("data=") != std::string_view::npos;
  const bool is_json =
      !in_query && !body.empty() && (body.front() == '{' || body.front() == '[');
  size_t unpacked = std::max(body.size(), in_query ? query.size() : 0);
  size_t index = 0;
  bool is_guess = false;
  if (is_json) {
    index = index_bytes_of(body);
  } else {
    is_guess = in_query || !is_gzip(body);
    unpacked = is_guess ? std::min(unpacked * kUnannouncedRatio, limits::kDecompressedBytesMax)
                        : std::max(unpacked, announced_bytes(body));
    index = index_bytes_at_most(unpacked);
  }
  const size_t packed = is_json ? 0 : body.size();
  const size_t copy = is_rewritten(endpoint) ? unpacked : 0;
  size_t decoding = unpacked + std::max(packed, index + copy);
  // A guess refuses nobody for good.
  if (is_guess) {
    decoding = std::min(decoding,
                        limits::kRequestMemoryBytesMax - limits::kRequestMemoryBytesBase);
  }
  return {decoding + limits::kRequestMemoryBytesBase, running_bytes(unpacked, index)};
}

size_t unpacked_bytes_within(size_t memory_bytes) {
  const size_t beside_full_index = memory_bytes > kIndexBytesMax ? memory_bytes - kIndexBytesMax : 0;
  return std::min(limits::kDecompressedBytesMax,
                  std::max(beside_full_index, memory_bytes / (1 + kIndexBytesPerByte)));
}

size_t MemoryShare::left() const {
  return limits::kRequestMemoryBytesMax - std::min(sum_, limits::kRequestMemoryBytesMax);
}

bool MemoryShare::take(size_t bytes) {
  if (sum_ + bytes > limits::kRequestMemoryBytesMax) return false;
  set(bytes);
  return true;
}

void MemoryShare::set(size_t bytes) {
  sum_ = sum_ - bytes_ + bytes;
  bytes_ = bytes;
}

}  // namespace hogflare
