#include "json/dom.h"

#include <nlohmann/json.hpp>

namespace hogflare::json {

template <>
nlohmann::json dom_of(std::string_view text) {
  return nlohmann::json::parse(text, nullptr, false);
}

template <>
nlohmann::ordered_json dom_of(std::string_view text) {
  return nlohmann::ordered_json::parse(text, nullptr, false);
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
