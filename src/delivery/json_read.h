// Reading the delivery's own small JSON documents: what is missing or of another type is a default.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "hogflare/json.h"

namespace hogflare {

inline int64_t to_number(const json::Value& value) {
  if (!value.is_number()) return 0;
  const std::string_view raw = value.raw();
  int64_t number = 0;
  std::from_chars(raw.data(), raw.data() + raw.size(), number);
  return number;
}

// The member as a whole number; 0 when there is none.
inline int64_t number_of(const json::Value& object, std::string_view key) {
  return to_number(object.find(key));
}

// The same for a number of type T, which is 0 when the value is negative.
template <typename T>
T count_of(const json::Value& object, std::string_view key) {
  const int64_t number = number_of(object, key);
  return number < 0 ? T{0} : static_cast<T>(number);
}

inline std::string text_of(const json::Value& object, std::string_view key) {
  const json::Value value = object.find(key);
  return value.is_string() ? value.text() : std::string();
}

// Appends "name":number with a comma before it unless it is the first of its object.
inline void append_number(std::string& out, std::string_view name, int64_t number) {
  if (out.back() != '{') out += ',';
  json::append_string(out, name);
  out += ':';
  out += std::to_string(number);
}

inline void append_text(std::string& out, std::string_view name, std::string_view text) {
  if (out.back() != '{') out += ',';
  json::append_string(out, name);
  out += ':';
  json::append_string(out, text);
}

// Appends "name": for a value that follows.
inline void append_name(std::string& out, std::string_view name) {
  if (out.back() != '{') out += ',';
  json::append_string(out, name);
  out += ':';
}

}  // namespace hogflare
