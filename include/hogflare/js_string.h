// JavaScript's String(value) for a JSON value: how PostHog turns $anon_distinct_id, alias and group
// keys of any type into ids. Source: ECMA-262 §7.1.17 ToString and §6.1.6.1.20 Number::toString;
// I-1.1.
//
//   js_string(42) "42"   js_string(1.0) "1"   js_string(1e21) "1e+21"   js_string(null) "null"
//   js_string([1,[2,null]]) "1,2,"   js_string({}) "[object Object]"
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "hogflare/json.h"

namespace hogflare {

// Needs value.exists(). Nullopt for a value whose raw JSON is over limits::kIdRawBytesMax: no id is
// so long, and a list of lists would be read level by level.
std::optional<std::string> js_string(json::Value value);
// The same for a JSON text.
std::optional<std::string> js_string_of(std::string_view raw_json);
// Number::toString of the JSON number `raw`.
std::string js_number_text(std::string_view raw);

}  // namespace hogflare
