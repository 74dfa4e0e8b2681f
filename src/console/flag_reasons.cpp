#include "console/flag_reasons.h"

#include <algorithm>

#include "json/dom.h"

namespace hogflare::console {
namespace {

using Json = nlohmann::ordered_json;

// No flag of a document's can begin with a control character's escape by accident.
constexpr std::string_view kProbe = "\x01probe";
// Conditions and filters of one flag that are asked for; more are told without an answer.
constexpr size_t kProbesMax = 500;

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

const Json* find_flag(const Json& document, std::string_view key) {
  const Json* flags = flags_of(document);
  if (flags == nullptr) return nullptr;
  for (const Json& flag : *flags) {
    if (flag.is_object() && text_of(flag, "key") == key) return &flag;
  }
  return nullptr;
}

// The flag's conditions; null when they are not lists of filters.
const Json* groups_of(const Json& flag) {
  const Json* filters = member(flag, "filters");
  if (filters == nullptr || member(*filters, "rules") != nullptr) return nullptr;
  const Json* groups = member(*filters, "groups");
  return groups != nullptr && groups->is_array() ? groups : nullptr;
}

std::string probe_key(size_t condition, int filter) {
  return std::string(kProbe) + '/' + std::to_string(condition) + '/' + std::to_string(filter);
}

// The flag with this one condition, rolled out to everybody who meets it.
Json probe_of(const Json& flag, std::string key, const Json& group, const Json& properties) {
  Json condition = group;
  condition["properties"] = properties;
  condition["rollout_percentage"] = 100;
  condition.erase("variant");
  Json probe = {{"key", std::move(key)}, {"active", true}};
  Json filters = {{"groups", Json::array({std::move(condition)})}};
  const Json* aggregation = member(*member(flag, "filters"), "aggregation_group_type_index");
  if (aggregation != nullptr) filters["aggregation_group_type_index"] = *aggregation;
  probe["filters"] = std::move(filters);
  return probe;
}

Json list_of(const Json& group, const char* name) {
  const Json* list = member(group, name);
  return list != nullptr && list->is_array() ? *list : Json::array();
}

}  // namespace

const Json* flags_of(const Json& document) {
  if (document.is_array()) return &document;
  const Json* flags = member(document, "flags");
  return flags != nullptr && flags->is_array() ? flags : nullptr;
}

bool is_probe(std::string_view key) { return key.substr(0, kProbe.size()) == kProbe; }

std::string with_probes(const Json& document, std::string_view key,
                        std::vector<std::string>* keys) {
  const Json* flag = find_flag(document, key);
  const Json* groups = flag == nullptr ? nullptr : groups_of(*flag);
  Json probed = document;
  Json* flags = probed.is_array() ? &probed : probed.contains("flags") ? &probed["flags"] : nullptr;
  if (groups == nullptr || flags == nullptr) return json::text_of(document);
  size_t count = 0;
  const auto add = [&](size_t condition, int filter, const Json& properties) {
    std::string name = probe_key(condition, filter);
    if (keys != nullptr) keys->push_back(name);
    flags->push_back(probe_of(*flag, std::move(name), (*groups)[condition], properties));
    ++count;
  };
  for (size_t i = 0; i < groups->size() && count < kProbesMax; ++i) {
    const Json& group = (*groups)[i];
    if (!group.is_object()) continue;
    const Json properties = list_of(group, "properties");
    add(i, -1, properties);
    for (size_t k = 0; k < properties.size() && count < kProbesMax; ++k) {
      add(i, static_cast<int>(k), Json::array({properties[k]}));
    }
  }
  return json::text_of(probed);
}

Json conditions_of(const Json& document, std::string_view key, const ProbeContext& context) {
  const Json* flag = find_flag(document, key);
  const Json* groups = flag == nullptr ? nullptr : groups_of(*flag);
  if (groups == nullptr) return nullptr;
  Json conditions = Json::array();
  for (size_t i = 0; i < groups->size(); ++i) {
    const Json& group = (*groups)[i];
    if (!group.is_object()) continue;
    Json condition = {{"index", i}, {"matches", context.is_on(probe_key(i, -1))}};
    const Json* rollout = member(group, "rollout_percentage");
    condition["rollout_percentage"] =
        rollout == nullptr || rollout->is_null() ? Json(100) : *rollout;
    const Json* variant = member(group, "variant");
    condition["variant"] = variant == nullptr ? Json(nullptr) : *variant;
    condition["filters"] = Json::array();
    const Json properties = list_of(group, "properties");
    for (size_t k = 0; k < properties.size(); ++k) {
      const Json& filter = properties[k];
      if (!filter.is_object()) continue;
      const Json* wanted = member(filter, "value");
      condition["filters"].push_back(
          {{"key", filter.contains("key") ? filter["key"] : Json(nullptr)},
           {"type", filter.contains("type") ? filter["type"] : Json("person")},
           {"operator", filter.contains("operator") ? filter["operator"] : Json("exact")},
           {"wanted", wanted == nullptr ? Json(nullptr) : *wanted},
           {"actual", context.actual(filter)},
           {"matches", context.is_on(probe_key(i, static_cast<int>(k)))}});
    }
    conditions.push_back(std::move(condition));
  }
  return conditions;
}

Json summary_of(const Json& flag) {
  const Json* active = member(flag, "active");
  if (active == nullptr) active = member(flag, "enabled");
  Json summary = {{"key", text_of(flag, "key")}, {"name", text_of(flag, "name")}};
  summary["active"] = active == nullptr || !active->is_boolean() || active->get<bool>();
  const Json* filters = member(flag, "filters");
  const Json* multivariate = filters == nullptr ? nullptr : member(*filters, "multivariate");
  const bool has_variants = multivariate != nullptr && multivariate->is_object();
  summary["kind"] = filters == nullptr                     ? "simple"
                    : member(*filters, "rules") != nullptr ? "rules"
                    : has_variants                         ? "multivariate"
                                                           : "boolean";
  // The widest condition's.
  Json rollout = nullptr;
  if (const Json* groups = groups_of(flag)) {
    double widest = 0;
    for (const Json& group : *groups) {
      const Json* percentage = member(group, "rollout_percentage");
      const bool is_number = percentage != nullptr && percentage->is_number();
      widest = std::max(widest, is_number ? percentage->get<double>() : 100.0);
    }
    rollout = widest;
  } else if (const Json* percentage = member(flag, "rollout_percentage")) {
    rollout = *percentage;
  }
  summary["rollout"] = std::move(rollout);
  return summary;
}

}  // namespace hogflare::console
