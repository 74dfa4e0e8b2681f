#include "json/dom.h"

#include <array>
#include <nlohmann/json.hpp>

#include "hogflare/limits.h"

namespace hogflare::json {
namespace {

template <typename Json>
Json bounded(std::string_view text) {
  if (!dom_bytes(text)) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, false);
}

// The place of the quote that ends the text which begins at `at`, or the end.
size_t end_of_text(std::string_view text, size_t at) {
  while (++at < text.size() && text[at] != '"') at += text[at] == '\\' ? 1 : 0;
  return at;
}

// Whether the list or object that opens at `at` holds nothing.
bool is_empty(std::string_view text, size_t at) {
  const size_t next = text.find_first_not_of(" \t\r\n", at + 1);
  return next != std::string_view::npos && (text[next] == ']' || text[next] == '}');
}

}  // namespace

// Of what is no JSON it counts what stands before the place where a parser stops.
std::optional<size_t> dom_bytes(std::string_view text) {
  struct Open {
    bool is_object;
    size_t members;
  };
  std::array<Open, limits::kJsonDepthMax> open;
  size_t depth = 0, values = 1, lookups = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      at = end_of_text(text, at);
    } else if (c == '[' || c == '{') {
      if (depth == open.size()) return std::nullopt;
      open[depth++] = {.is_object = c == '{', .members = 1};
      values += is_empty(text, at) ? 0 : 1;
    } else if (c == ']' || c == '}') {
      depth -= depth > 0 ? 1 : 0;
    } else if (c == ',') {
      ++values;
      if (depth > 0 && open[depth - 1].is_object) lookups += open[depth - 1].members++;
    }
    if (values > limits::kDomValuesMax || lookups > limits::kDomLookupsMax) return std::nullopt;
  }
  return values * limits::kDomValueBytes + 2 * text.size();
}

template <>
nlohmann::json dom_of(std::string_view text) {
  return bounded<nlohmann::json>(text);
}

template <>
nlohmann::ordered_json dom_of(std::string_view text) {
  return bounded<nlohmann::ordered_json>(text);
}

std::string text_of(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string text_of(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string indented_text_of(const nlohmann::ordered_json& value) {
  return value.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace hogflare::json
