// Reads and writes documents off the hot path as values of nlohmann/json. Its parser and writer are
// compiled here alone: they are most of what a source takes to compile that has them itself.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "json/limits.h"

namespace hogflare::json {

// What dom_of() takes at most for a text, in bytes; nothing where it does not read it: it nests
// deeper than limits::kJsonDepthMax, holds more than kDomValuesMax values, or objects so large that
// they make kDomLookupsMax comparisons.
std::optional<size_t> dom_bytes(std::string_view text);

// The value of a whole text, or a discarded value (is_discarded()) where it is no JSON or over
// those bounds. So nothing that walks down a value recurses deeper than they allow.
// Json is nlohmann::json or nlohmann::ordered_json, which keeps the order of members.
template <typename Json>
Json dom_of(std::string_view text);
template <>
nlohmann::json dom_of(std::string_view text);
template <>
nlohmann::ordered_json dom_of(std::string_view text);

// A value as JSON without blanks, or a member a line; what is no UTF-8 becomes U+FFFD.
std::string text_of(const nlohmann::json& value);
std::string text_of(const nlohmann::ordered_json& value);
std::string indented_text_of(const nlohmann::ordered_json& value);

}  // namespace hogflare::json
