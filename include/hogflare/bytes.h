// The compact form of what objects store and of the calls between the Worker and its objects:
// variable-length integers and length-prefixed strings. Each message begins with a version byte of
// its own, because a rollout runs old and new code side by side.
//
//   ByteWriter out;
//   out.u8(kVersion);
//   out.text(distinct_id);
//   ByteReader in(bytes);
//   if (in.u8() != kVersion) …
//   std::string_view distinct_id = in.text();
//   if (!in.done()) …   // truncated, or something follows
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace hogflare {

class ByteWriter {
 public:
  void u8(uint8_t value) {
    if (size_ == bytes_.size()) grow(1);
    bytes_[size_++] = static_cast<char>(value);
  }
  // LEB128: seven bits a byte, low bits first.
  void number(uint64_t value) {
    // Most lengths and all counts of small things.
    if (value < 0x80) return u8(static_cast<uint8_t>(value));
    while (value >= 0x80) {
      u8(static_cast<uint8_t>(value | 0x80));
      value >>= 7;
    }
    u8(static_cast<uint8_t>(value));
  }
  // Zigzag, so that small negative numbers stay short.
  void signed_number(int64_t value) {
    number((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
  }
  void text(std::string_view value) {
    number(value.size());
    raw(value);
  }
  void raw(std::string_view value) {
    if (bytes_.size() - size_ < value.size()) grow(value.size());
    value.copy(bytes_.data() + size_, value.size());
    size_ += value.size();
  }
  // Makes room for what is to come.
  void reserve(size_t bytes) {
    if (bytes_.size() < bytes) bytes_.resize(bytes);
  }
  size_t size() const { return size_; }
  std::string take() {
    bytes_.resize(size_);
    size_ = 0;
    return std::move(bytes_);
  }
  // Until the next write.
  std::string_view bytes() const { return std::string_view(bytes_).substr(0, size_); }

 private:
  // What the string has anyway, then twice as much: a byte is stored where it belongs, without a
  // call.
  void grow(size_t bytes) {
    const size_t least = size_ + bytes;
    bytes_.resize(std::max(least <= bytes_.capacity() ? bytes_.capacity() : 2 * size_, least));
  }

  std::string bytes_;  // room beyond size_
  size_t size_ = 0;
};

// Reads never run past the end: after the first that would, ok() is false and everything reads as
// zero or empty. Texts are views into the bytes.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

  uint8_t u8() {
    if (rest_.empty()) return fail();
    const auto value = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  uint64_t number() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = u8();
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return fail();
  }
  int64_t signed_number() {
    const uint64_t value = number();
    return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
  }
  std::string_view text() {
    const uint64_t size = number();
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view value = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return value;
  }
  // A count of things that take at least one byte each, so that a broken count cannot ask for more
  // memory than there are bytes.
  size_t count() {
    const uint64_t value = number();
    if (value > rest_.size()) return fail();
    return static_cast<size_t>(value);
  }

 private:
  uint8_t fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace hogflare
