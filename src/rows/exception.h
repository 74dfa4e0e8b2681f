// What an `$exception` event is grouped by: PostHog's rule (rust/cymbal, "fingerprinting"), without
// source maps, which nobody has when the event comes. docs/SCHEMAS.md has the rule in words.
#pragma once

#include <string>

#include "hogflare/json.h"

namespace hogflare::rows {

// JSON texts for the columns; empty: the column is left out.
struct ExceptionColumns {
  std::string type;
  std::string message;
  std::string fingerprint;
};

// `list` is `$exception_list`; `given` is `$exception_fingerprint`, or does not exist.
ExceptionColumns exception_columns(const json::Value& list, const json::Value& given);

}  // namespace hogflare::rows
