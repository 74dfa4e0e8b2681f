// Writing small JSON objects member by member, where no speed is asked for.
//
//   std::string out = "{";
//   append_text(out, "name", name);
//   append_number(out, "rows", 12);
//   out += '}';
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "hogflare/json.h"

namespace hogflare {

// Appends "name": for a value that follows, with a comma before it unless it is the first of its
// object.
inline void append_name(std::string& out, std::string_view name) {
  if (out.back() != '{') out += ',';
  json::append_string(out, name);
  out += ':';
}

inline void append_number(std::string& out, std::string_view name, int64_t number) {
  append_name(out, name);
  out += std::to_string(number);
}

inline void append_text(std::string& out, std::string_view name, std::string_view text) {
  append_name(out, name);
  json::append_string(out, text);
}

// An object's members as texts, written in the order of their names. Borrows the texts; of two
// members of one name the later one stays.
class MemberTexts {
 public:
  void put(std::string_view name, std::string_view text) { members_[std::string(name)] = text; }
  // The members of the object that `text` is; anything else adds nothing.
  void put_all(std::string_view text) {
    const auto document = json::Document::parse_const(text, 1);
    if (!document.ok()) return;
    for (const json::Member member : document.value().root().members()) {
      members_[member.key()] = member.value.raw();
    }
  }
  std::string object() const {
    size_t bytes = 2;
    for (const auto& [name, text] : members_) bytes += name.size() + text.size() + 4;
    std::string out;
    out.reserve(bytes);
    out += '{';
    for (const auto& [name, text] : members_) {
      append_name(out, name);
      out.append(text);
    }
    out += '}';
    return out;
  }

 private:
  std::map<std::string, std::string_view> members_;
};

}  // namespace hogflare
