// A whole number that is a text from its first byte to its last.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace hogflare {

// Decimal digits, behind '-' where T has a sign; nullopt for anything else and for what T does not
// hold.
template <typename T>
std::optional<T> whole_number(std::string_view text) {
  T number{};
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && at == end ? std::optional<T>(number) : std::nullopt;
}

}  // namespace hogflare
