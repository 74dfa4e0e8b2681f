// Writing small JSON objects member by member, where no speed is asked for.
//
//   std::string out = "{";
//   append_text(out, "name", name);
//   append_number(out, "rows", 12);
//   out += '}';
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hogflare/json.h"

namespace hogflare {

// Appends "name": for a value that follows, with a comma before it unless it is the first of its object.
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

}  // namespace hogflare
