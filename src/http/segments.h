// Parts of a path behind its route.
#pragma once

#include <string_view>

namespace hogflare {

// The text up to the next slash, which goes with it; all of it where there is none. Views of
// `path`'s text.
inline std::string_view take_segment(std::string_view& path) {
  const size_t end = path.find('/');
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  return segment;
}

}  // namespace hogflare
