#include "base/stored_value.h"

#include <cstring>

namespace hogflare {
namespace {

constexpr size_t kSumBytes = 8;
constexpr size_t kHeadBytes = 1 + kSumBytes;

uint64_t word_at(const char* at, size_t size) {
  uint64_t word = 0;
  std::memcpy(&word, at, size);
  return word;
}

}  // namespace

uint64_t checksum(std::string_view bytes) {
  // Each step maps different words to different states, and different states to different states.
  uint64_t sum = bytes.size();
  const auto add = [&](uint64_t word) {
    sum = (sum ^ word) * 0x9e3779b97f4a7c15;
    sum ^= sum >> 32;
  };
  size_t at = 0;
  for (; at + sizeof sum <= bytes.size(); at += sizeof sum)
    add(word_at(bytes.data() + at, sizeof sum));
  if (at < bytes.size()) add(word_at(bytes.data() + at, bytes.size() - at));
  return sum;
}

std::string seal(uint8_t version, std::string_view body) {
  std::string value;
  value.reserve(kHeadBytes + body.size());
  value += static_cast<char>(version);
  const uint64_t sum = checksum(body);
  for (size_t i = 0; i < kSumBytes; ++i) value += static_cast<char>(sum >> (8 * i));
  value += body;
  return value;
}

std::optional<std::string_view> unseal(std::string_view value, uint8_t version) {
  if (value.size() < kHeadBytes || static_cast<uint8_t>(value[0]) != version) return std::nullopt;
  const std::string_view body = value.substr(kHeadBytes);
  uint64_t sum = 0;
  for (size_t i = 0; i < kSumBytes; ++i) {
    sum |= static_cast<uint64_t>(static_cast<uint8_t>(value[1 + i])) << (8 * i);
  }
  if (sum != checksum(body)) return std::nullopt;
  return body;
}

}  // namespace hogflare
