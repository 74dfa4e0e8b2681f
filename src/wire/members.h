// json/members.h with times.
#pragma once

#include "hogflare/timestamp.h"
#include "json/members.h"

namespace hogflare {

// Appends "name":"2026-11-26T12:00:00.000Z".
inline void append_time(std::string& out, std::string_view name, int64_t unix_ms) {
  std::string text;
  append_rfc3339(text, unix_ms);
  append_text(out, name, text);
}

}  // namespace hogflare
