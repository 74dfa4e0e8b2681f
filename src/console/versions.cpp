#include "console/versions.h"

#include <algorithm>

#include "hogflare/digest.h"
#include "hogflare/timestamp.h"
#include "json/dom.h"

namespace hogflare::console {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kEtagDigits = 32;

// Names of a list in ascending order, which is the order of their times.
std::vector<Json> entries_of(std::string_view list_json) {
  const Json list = json::dom_of<Json>(list_json);
  std::vector<Json> entries;
  if (!list.is_array()) return entries;
  for (const Json& entry : list) {
    if (entry.is_object() && entry.contains("name") && entry["name"].is_string()) {
      entries.push_back(entry);
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Json& left, const Json& right) {
    return left["name"].get_ref<const std::string&>() < right["name"].get_ref<const std::string&>();
  });
  return entries;
}

}  // namespace

std::string etag_of(std::string_view document) {
  return '"' + to_hex(sha256(document)).substr(0, kEtagDigits) + '"';
}

bool matches(std::string_view if_match, std::string_view etag) {
  while (!if_match.empty()) {
    const size_t comma = if_match.find(',');
    std::string_view candidate = if_match.substr(0, comma);
    while (!candidate.empty() && candidate.front() == ' ') candidate.remove_prefix(1);
    while (!candidate.empty() && candidate.back() == ' ') candidate.remove_suffix(1);
    if (candidate == etag || candidate == "*") return true;
    if_match.remove_prefix(comma == std::string_view::npos ? if_match.size() : comma + 1);
  }
  return false;
}

std::string version_key(std::string_view key, int64_t at_ms) {
  std::string name(key);
  name += '@';
  append_rfc3339(name, at_ms);
  return name;
}

ChangeKv put_kv(std::string key, const Json& metadata, std::string_view value) {
  std::string bytes = json::text_of(metadata);
  const uint32_t size = static_cast<uint32_t>(bytes.size());
  bytes += value;
  return {KvChange::kPut, std::move(key), std::move(bytes), size};
}

Json versions_of(std::string_view list_json, std::string_view key) {
  std::vector<Json> entries = entries_of(list_json);
  Json versions = Json::array();
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    const std::string& name = (*entry)["name"].get_ref<const std::string&>();
    if (name.size() <= key.size()) continue;
    Json version = {{"at", name.substr(key.size() + 1)}};
    const auto metadata = entry->find("metadata");
    if (metadata != entry->end() && metadata->is_object()) version.update(*metadata);
    versions.push_back(std::move(version));
  }
  return versions;
}

std::vector<std::string> outdated_versions(std::string_view list_json, size_t count_max) {
  const std::vector<Json> entries = entries_of(list_json);
  std::vector<std::string> keys;
  for (size_t i = 0; i + count_max < entries.size(); ++i) {
    keys.push_back(entries[i]["name"].get<std::string>());
  }
  return keys;
}

}  // namespace hogflare::console
