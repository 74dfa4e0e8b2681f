// Reading members of small JSON objects, where what is missing or of another type is a default.
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

}  // namespace hogflare
