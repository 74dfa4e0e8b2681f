// Copying the members of an object that stay, in runs: between two members that both stay lies
// nothing but the comma, so a run is one copy of the request's bytes.
#pragma once

#include <string>

#include "hogflare/json.h"

namespace hogflare::rows {

class MemberRun {
 public:
  // `out` stands behind an opening brace.
  explicit MemberRun(std::string& out) : out_(out) {}

  void keep(const json::Member& member) {
    const std::string_view value = member.value.raw();
    if (begin_ == nullptr) begin_ = member.raw_key().data();
    end_ = value.data() + value.size();
  }
  void leave_out() { flush(); }

  // Ends the run before anything else is added.
  void flush() {
    if (begin_ == nullptr) return;
    if (!empty_) out_ += ',';
    out_.append(begin_, end_);
    begin_ = nullptr;
    empty_ = false;
  }

 private:
  std::string& out_;
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
  bool empty_ = true;
};

// The comma before a further member, unless `out` stands behind an opening brace.
inline void append_comma(std::string& out) {
  if (out.back() != '{') out += ',';
}

// "name":value with a comma before it where one is needed; `name` needs no escaping.
void append_text_member(std::string& out, std::string_view name, std::string_view text);
void append_raw_member(std::string& out, std::string_view name, std::string_view raw);
void append_time_member(std::string& out, std::string_view name, int64_t unix_ms);

// `object` (JSON text) without its largest members until it has at most `bytes_max` bytes; a member
// `$hogflare_truncated` lists their names. What is no object is replaced by the mark alone.
std::string shrink_object(std::string object, size_t bytes_max);

}  // namespace hogflare::rows
