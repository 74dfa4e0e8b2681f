// Queries and forms: application/x-www-form-urlencoded (WHATWG URL §5.1).
//
//   if (auto compression = form_value(head.query, "compression")) …
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hogflare {

// Decodes %xx and turns '+' into a space. A '%' without two hex digits stays as it is.
std::string decode_form_text(std::string_view text);

// The other way: letters, digits and -._~ as they are, a space as '+', everything else as %XX.
std::string encode_form_text(std::string_view text);
// The same with a space as %20, which every part of a URL takes (RFC 3986 §2.1).
void append_percent_encoded(std::string& out, std::string_view text);

// The decoded value of the last field called `name`, which needs no decoding itself; nullopt when
// there is none. A field without '=' has an empty value.
std::optional<std::string> form_value(std::string_view form, std::string_view name);

}  // namespace hogflare
