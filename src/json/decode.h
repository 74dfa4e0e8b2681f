// A JSON string decoded into memory that the caller has, where many short ones follow each other.
#pragma once

#include <cstddef>
#include <string_view>

namespace hogflare::json {

// Bytes that decode_to may write behind what it gives.
inline constexpr size_t kDecodeSlack = 16;

// Decodes a raw JSON string (with its quotes), as append_decoded does, and returns the end. `to`
// has room for the raw string and kDecodeSlack more: nothing is longer decoded.
char* decode_to(char* to, std::string_view raw);

}  // namespace hogflare::json
