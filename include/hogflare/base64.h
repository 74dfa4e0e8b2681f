// Base64 (RFC 4648 §4, the standard alphabet) as capture bodies use it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hogflare {

// PostHog's test for "this body must be base64" (capture/src/utils.rs): only characters of the
// alphabet or '=' in the first 128, and a total length that is a multiple of four. Empty: false.
bool looks_like_base64(std::string_view text);

// Padding may be missing. Nullopt for a character outside the alphabet, data behind the padding, or
// a length no encoder makes.
std::optional<std::string> decode_base64(std::string_view text);

// The six bits of a character, or -1 when it is not in the alphabet.
int base64_value(char c);

}  // namespace hogflare
