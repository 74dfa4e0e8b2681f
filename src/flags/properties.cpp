#include "flags/properties.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>

namespace hogflare::flags {
namespace {

// I-5.2 without $os_name and utm_name, in PostHog's order.
constexpr std::array<std::string_view, 42> kInitialSources = {"$app_build",
                                                              "$app_name",
                                                              "$app_namespace",
                                                              "$app_version",
                                                              "$browser",
                                                              "$browser_version",
                                                              "$device_type",
                                                              "$current_url",
                                                              "$pathname",
                                                              "$os",
                                                              "$os_version",
                                                              "$referring_domain",
                                                              "$referrer",
                                                              "$screen_height",
                                                              "$screen_width",
                                                              "$viewport_height",
                                                              "$viewport_width",
                                                              "$raw_user_agent",
                                                              "utm_source",
                                                              "utm_medium",
                                                              "utm_campaign",
                                                              "utm_content",
                                                              "utm_term",
                                                              "gclid",
                                                              "gad_source",
                                                              "gclsrc",
                                                              "dclid",
                                                              "gbraid",
                                                              "wbraid",
                                                              "fbclid",
                                                              "msclkid",
                                                              "twclid",
                                                              "li_fat_id",
                                                              "mc_cid",
                                                              "igshid",
                                                              "ttclid",
                                                              "rdt_cid",
                                                              "irclid",
                                                              "_kx",
                                                              "epik",
                                                              "qclid",
                                                              "sccid"};

constexpr std::string_view kInitialPrefix = "$initial_";

}  // namespace

std::string_view source_of_initial(std::string_view initial) {
  if (initial.substr(0, kInitialPrefix.size()) != kInitialPrefix) return {};
  const std::string_view name = initial.substr(kInitialPrefix.size());
  for (const std::string_view source : kInitialSources) {
    // Only the `$` in front is dropped: $browser -> browser, _kx stays.
    if (!source.empty() && (source == name || (source[0] == '$' && source.substr(1) == name))) {
      return source;
    }
  }
  return {};
}

PropertyMaps::PropertyMaps(const Catalog& catalog, const Request& request,
                           const StoredState& stored)
    : catalog_(catalog),
      request_(request),
      stored_(stored),
      distinct_id_(Value::of(std::string_view(request.distinct_id))),
      created_at_(Value::of(std::string_view(stored.person_created_at))),
      entries_(catalog.slots.size()) {
  group_keys_.reserve(request.groups.size());
  for (const GroupKey& group : request.groups) {
    group_keys_.push_back(Value::of(std::string_view(group.key)));
  }
}

Property& PropertyMaps::at(int slot) {
  if (slot == kNone) return absent_;
  Entry& entry = entries_[static_cast<size_t>(slot)];
  if (!entry.resolved) {
    entry.property = Property(resolve(catalog_.slots[static_cast<size_t>(slot)]));
    entry.resolved = true;
  }
  return entry.property;
}

const Value* PropertyMaps::resolve(const Slot& slot) {
  switch (slot.kind) {
    case SlotKind::kPerson:
      return person_with_derived(slot.key);
    case SlotKind::kCreatedAt:
      return created_at_.text.empty() ? nullptr : &created_at_;
    case SlotKind::kGroup: {
      const std::string* type = catalog_.group_type(slot.group_index);
      return type == nullptr ? nullptr : group(*type, slot.key);
    }
    case SlotKind::kSeedPerson:
      return person(slot.key);
    case SlotKind::kSeedGroup:
      break;
  }
  return seed_group(slot.group_type, slot.key);
}

const Value* PropertyMaps::person(std::string_view key) const {
  if (const Value* given = request_.person_properties.find(key)) return given;
  return request_.only_request_properties ? nullptr : stored_.person_properties.find(key);
}

const Value* PropertyMaps::person_with_derived(std::string_view key) const {
  if (const Value* own = person(key)) return own;
  if (key == "distinct_id") return &distinct_id_;
  if (key == "$os") return person("$os_name");
  if (key == "$os_name") return person("$os");
  const std::string_view source = source_of_initial(key);
  if (source.empty()) return nullptr;
  if (const Value* current = person(source)) return current;
  return source == "$os" ? person("$os_name") : nullptr;
}

const Value* PropertyMaps::group(std::string_view type, std::string_view key) const {
  const GroupKey* named = request_.group(type);
  const Value* given = request_.group_properties.find(type);
  if (given != nullptr) {
    if (const Value* own = given->find(key)) return own;
  }
  if (key == "$group_key" && named != nullptr && named->usable) {
    return &group_keys_[static_cast<size_t>(named - request_.groups.data())];
  }
  for (const StoredGroup& stored : stored_.groups) {
    if (stored.type == type) return stored.properties.find(key);
  }
  return nullptr;
}

const Value* PropertyMaps::seed_group(std::string_view type, std::string_view key) const {
  // The seed takes a request's group properties instead of the stored ones, not over them.
  if (const Value* given = request_.group_properties.find(type)) return given->find(key);
  for (const StoredGroup& stored : stored_.groups) {
    if (stored.type == type) return stored.properties.find(key);
  }
  return nullptr;
}

bool request_covers(const Slot& slot, const Catalog& catalog, const Request& request) {
  switch (slot.kind) {
    case SlotKind::kPerson:
    case SlotKind::kSeedPerson:
      if (request.only_request_properties) return true;
      if (slot.kind == SlotKind::kPerson && slot.key == "distinct_id") return true;
      return request.person_properties.find(slot.key) != nullptr;
    case SlotKind::kCreatedAt:
      return false;
    case SlotKind::kGroup: {
      const std::string* type = catalog.group_type(slot.group_index);
      const GroupKey* named = type == nullptr ? nullptr : request.group(*type);
      if (named == nullptr || !named->usable || slot.key == "$group_key") return true;
      const Value* given = request.group_properties.find(*type);
      return given != nullptr && given->find(slot.key) != nullptr;
    }
    case SlotKind::kSeedGroup:
      break;
  }
  const GroupKey* named = request.group(slot.group_type);
  return named == nullptr || !named->usable ||
         request.group_properties.find(slot.group_type) != nullptr;
}

}  // namespace hogflare::flags
