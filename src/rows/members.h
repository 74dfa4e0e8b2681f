// Writing a row's members. Each is written with a comma before it, so that nobody has to know what
// stands there; the first comma of an object becomes its brace when the object is closed.
#pragma once

#include <string>
#include <string_view>

#include "hogflare/json.h"
#include "hogflare/short_bytes.h"

namespace hogflare::rows {

// Copies the members of an object that stay, in runs: between two members that both stay lies
// nothing but the comma, so a run is one copy of the request's bytes.
class MemberRun {
 public:
  explicit MemberRun(std::string& out) : out_(out) {}

  void keep(const json::Member& member) {
    const std::string_view value = member.value.raw();
    if (begin_ == nullptr) begin_ = member.raw_key().data();
    end_ = value.data() + value.size();
  }
  void leave_out() {
    if (begin_ != nullptr) flush();
  }

  // Ends the run before anything else is added.
  void flush() {
    if (begin_ == nullptr) return;
    // Before a name stands a byte of its object, which makes room for the comma in the same copy.
    const size_t comma = out_.size();
    const char* const from = begin_ - 1;
    out_.append(from, static_cast<size_t>(end_ - from));
    out_[comma] = ',';
    begin_ = nullptr;
  }

 private:
  std::string& out_;
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
};

// Gathers small pieces and appends them to `out` together: a call for each would cost more than its
// bytes. `out` is not touched by anybody else before `flush`, or the end of this object.
class Pieces {
 public:
  explicit Pieces(std::string& out) : out_(out) {}
  Pieces(const Pieces&) = delete;
  Pieces& operator=(const Pieces&) = delete;
  ~Pieces() { flush(); }

  Pieces& add(std::string_view piece);
  // A literal: a copy of known size in place.
  template <size_t kSize>
  Pieces& add(const char (&literal)[kSize]) {
    if (kSize - 1 > sizeof bytes_ - size_) flush();
    copy_bytes(bytes_ + size_, literal, kSize - 1);
    size_ += kSize - 1;
    return *this;
  }
  // A JSON string.
  Pieces& string(std::string_view utf8);
  // A time as a JSON string.
  Pieces& time(int64_t unix_ms);
  void flush();

 private:
  std::string& out_;
  size_t size_ = 0;
  char bytes_[256];
};

// Ends an object whose members stand in `out` from `begin` on.
inline void close_object(std::string& out, size_t begin) {
  if (out.size() == begin) {
    out += '{';
  } else {
    out[begin] = '{';
  }
  out += '}';
}

// `object` (JSON text) with its largest values cut to a size that makes it `bytes_max` bytes at
// most: each keeps its beginning, as JSON of its kind. A value without a beginning goes whole. A
// member
// `$hogflare_truncated` lists the names of both. What is no object is replaced by the mark alone.
std::string shrink_object(std::string object, size_t bytes_max);

}  // namespace hogflare::rows
