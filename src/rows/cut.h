// A JSON value cut to a size, so that what is left is JSON of the same kind: the beginning of a
// text, the first elements and members.
//
//   cut_json("[{\"role\":\"user\",\"content\":\"abcdef…\"},…]", 40)   //
//   [{"role":"user","content":"abcdef"}]
#pragma once

#include <string>
#include <string_view>

namespace hogflare::rows {

// At most `bytes_max` bytes of `raw`, which is valid JSON, closed where it was cut. Nothing is cut
// inside of a character, an escape or a number. Empty: there is no such prefix (a number, or no
// room).
std::string cut_json(std::string_view raw, size_t bytes_max);

}  // namespace hogflare::rows
