// Reads and writes documents off the hot path as values of nlohmann/json. Its parser and writer are
// compiled here alone: they are most of what a source takes to compile that has them itself.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace hogflare::json {

// The value of a whole text, or a discarded value (is_discarded()) where it is no JSON. Nesting is
// not bounded: for a text from outside, Document::parse_const says first whether it is too deep.
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
