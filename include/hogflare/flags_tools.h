// What `npm run flags:check` and `npm run flags:eval` print, as JSON from the same core that runs
// at the edge.
//
//   std::string report = tool_check(R"({"document": "[{\"key\": \"beta\"}]"})", zones);
#pragma once

#include <string>
#include <string_view>

#include "hogflare/zones.h"

namespace hogflare::flags {

// Input: {"document": <the file's text>, "group_types": ["company", ...]?}.
// Output: {"ok": bool, "flags": n, "problems": [{"severity", "path", "message"}]}.
std::string tool_check(std::string_view arguments, Zones& zones);

// Input: the above and {"request": {...a /flags body, without token...}, "person": {...stored
// properties...}?, "stored_groups": {type: {...}}?, "cohorts": {id: "in", "out",
// "failed" or "none"}?, "hash_keys": {flag: key}?,
// "person_read": "failed"?,
// "now_ms": n}.
// Output: {"ok": true, "errorsWhileComputingFlags": bool, "flags": [{"key", "dialect", "value",
// "payload", "reason", "condition_index", "identifier", "bucket", "variant_bucket",
// "needs_server"}]} or {"ok": false, "error": text, "problems": [...]}. `bucket` is in percent:
// what the rollout is compared with.
std::string tool_eval(std::string_view arguments, Zones& zones);

// For tests: the bodies a request gets. Input: that of tool_eval. Output: {"ok": true, "v2": body,
// "v3": body, "legacy": body, "feed": body}.
std::string tool_answer(std::string_view arguments, Zones& zones);

}  // namespace hogflare::flags
