// Documents in the flags namespace with the versions before: a document stands under its key, a
// version that was replaced under "KEY@TIME" (the same for `hogflare flags history`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/task.h"

namespace hogflare::console {

// A strong ETag of the document's bytes.
std::string etag_of(std::string_view document);
// Whether an If-Match header names `etag`: strong comparison (RFC 9110 §13.1.1), in a list, or *.
bool matches(std::string_view if_match, std::string_view etag);

// "KEY@2026-11-14T12:00:00.000Z"
std::string version_key(std::string_view key, int64_t at_ms);
// A put of `value` that lists show with `metadata`.
ChangeKv put_kv(std::string key, const nlohmann::ordered_json& metadata, std::string_view value);

// What a list of versions gave, newest first: [{"at", …metadata}].
nlohmann::ordered_json versions_of(std::string_view list_json, std::string_view key);
// Of the same list the keys that are over `count_max`, the oldest.
std::vector<std::string> outdated_versions(std::string_view list_json, size_t count_max);

}  // namespace hogflare::console
