// Why a flag answers as it does, condition by condition. The evaluator says which condition
// decided; here every condition, and every filter in it, becomes a flag of its own that is asked
// beside the others, so that the answers are the evaluator's own.
//
//   const std::string probed = with_probes(document, "beta");
//   … evaluate it as any document …
//   Json conditions = conditions_of(document, "beta", values);
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace hogflare::console {

// The document's flags as an array, whichever way it holds them; null when it has none.
const nlohmann::ordered_json* flags_of(const nlohmann::ordered_json& document);

// The document with a flag for each condition of the flag `key` and for each of their filters. The
// same document when the flag is not in PostHog's format, whose conditions are lists of filters.
// Adds their keys to `keys`.
std::string with_probes(const nlohmann::ordered_json& document, std::string_view key,
                        std::vector<std::string>* keys = nullptr);
// Whether `key` is such a flag's.
bool is_probe(std::string_view key);

struct ProbeContext {
  // Whether the flag called so is on in the evaluation of the document with probes.
  std::function<bool(std::string_view)> is_on;
  // The property's value that was looked at; null: there is none.
  std::function<nlohmann::ordered_json(const nlohmann::ordered_json& filter)> actual;
};
// [{"index", "matches", "rollout_percentage", "variant", "filters": [{"key", "type", "operator",
//   "wanted", "actual", "matches"}]}]; null for a flag in another format.
nlohmann::ordered_json conditions_of(const nlohmann::ordered_json& document, std::string_view key,
                                     const ProbeContext& context);

// One line for a list of flags: {"key", "name", "active", "kind", "rollout"}.
nlohmann::ordered_json summary_of(const nlohmann::ordered_json& flag);

}  // namespace hogflare::console
