#include "hogflare/identity.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>

#include "hogflare/cookieless.h"
#include "hogflare/js_string.h"
#include "hogflare/limits.h"
#include "hogflare/text.h"

namespace hogflare {
namespace {

// §6.2: in lower case, and in exactly this spelling.
constexpr auto kIllegalAnyCase = std::to_array<std::string_view>(
    {"anonymous", "guest", "distinctid", "distinct_id", "id", "not_authenticated", "email",
     "undefined", "true", "false"});
constexpr auto kIllegalExact = std::to_array<std::string_view>(
    {"[object Object]", "NaN", "None", "none", "null", "0", "undefined"});

template <size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string ascii_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool is_listed(std::string_view id) {
  return contains(kIllegalExact, id) || contains(kIllegalAnyCase, ascii_lower(id));
}

// White space as JavaScript's trim() has it.
size_t space_length(std::string_view at) {
  const auto first = static_cast<unsigned char>(at[0]);
  if (first == ' ' || (first >= 0x09 && first <= 0x0D)) return 1;
  if (at.substr(0, 2) == "\xC2\xA0") return 2;
  const std::string_view three = at.substr(0, 3);
  if (three == "\xE1\x9A\x80" || three == "\xE3\x80\x80" || three == "\xEF\xBB\xBF") return 3;
  if (three == "\xE2\x80\xA8" || three == "\xE2\x80\xA9" || three == "\xE2\x80\xAF") return 3;
  if (three == "\xE2\x81\x9F") return 3;
  const bool general = three.size() == 3 && three.substr(0, 2) == "\xE2\x80" &&
                       static_cast<unsigned char>(three[2]) <= 0x8A;
  return general ? 3 : 0;
}

bool is_blank_id(std::string_view id) {
  while (!id.empty()) {
    const size_t length = space_length(id);
    if (length == 0) return false;
    id.remove_prefix(length);
  }
  return true;
}

size_t code_points(std::string_view text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

bool is_truthy(json::Value value) {
  if (!value.exists()) return false;
  switch (value.kind()) {
    case json::Kind::kNull:
    case json::Kind::kFalse:
      return false;
    case json::Kind::kString:
      return value.raw().size() > 2;
    case json::Kind::kNumber:
      return js_number_text(value.raw()) != "0";
    default:
      return true;
  }
}

// The event properties identity looks at, found in one walk.
struct Found {
  json::Value set, set_once, unset, switch_value, anon_distinct_id, alias, groups, is_server;
};

void note_property(std::string_view name, json::Value value, Found& found) {
  if (name == "$set") found.set = value;
  else if (name == "$set_once") found.set_once = value;
  else if (name == "$unset") found.unset = value;
  else if (name == "$process_person_profile") found.switch_value = value;
  else if (name == "$anon_distinct_id") found.anon_distinct_id = value;
  else if (name == "alias") found.alias = value;
  else if (name == "$groups") found.groups = value;
  else if (name == "$is_server") found.is_server = value;
}

Found find_properties(json::Value properties) {
  Found found;
  for (const json::Member member : properties.members()) {
    const std::string_view key = member.inner_key();
    if (key.empty() || (key[0] != '$' && key[0] != 'a' && key[0] != '\\')) continue;
    if (key.find('\\') == std::string_view::npos) {
      note_property(key, member.value, found);
    } else {
      note_property(member.key(), member.value, found);
    }
  }
  return found;
}

bool is_nonempty_object(json::Value value) {
  return value.is_object() && value.raw().find('"') != std::string_view::npos;
}

void set_if_missing(PropertyBag& bag, std::string_view key, std::string_view value) {
  if (!bag.has(key)) bag.set(key, value);
}

// §5.2. $os_name is another name of $os, except on servers, which lift neither.
void lift_properties(json::Value properties, bool is_server, PropertyBag& set, PropertyBag& once) {
  for (const json::Member member : properties.members()) {
    const std::string_view key = member.inner_key();
    const std::string_view initial = initial_property(key);
    if (initial.empty()) continue;
    if (is_server && (key == "$os" || key == "$os_version")) continue;
    std::string_view value = member.value.raw();
    if (has_nul_escape(value)) value = set.keep(without_nul_escapes(value));
    set_if_missing(set, key, value);
    // The value may be kept by `set`, which lives as long.
    set_if_missing(once, initial, value);
  }
  if (is_server) return;
  if (const PropertyBag::Entry* name = set.find("$os_name")) set_if_missing(set, "$os", name->value);
  if (const PropertyBag::Entry* name = once.find("$initial_os_name")) {
    set_if_missing(once, "$initial_os", name->value);
  }
  set.erase("$os_name");
  once.erase("$initial_os_name");
}

std::vector<std::string> unset_keys(json::Value unset) {
  std::vector<std::string> keys;
  if (!unset.exists()) return keys;
  std::string raw(unset.raw());
  const Result<json::Document> document = json::Document::parse(raw, limits::kJsonDepthMax);
  if (!document.ok()) return keys;  // more values than a document may hold
  const json::Value root = document.value().root();
  for (const json::Value name : root.elements()) {
    if (const auto text = js_string(name)) keys.push_back(canonical_key_of(*text));
  }
  for (const json::Member member : root.members()) keys.push_back(canonical_key_of(member.key()));
  return keys;
}

MergeKind merge_kind(std::string_view event) {
  if (event == "$identify") return MergeKind::kIdentify;
  if (event == "$create_alias") return MergeKind::kAlias;
  if (event == "$merge_dangerously") return MergeKind::kDangerously;
  return MergeKind::kNone;
}

void warn_of_illegal_id(std::string_view id, IdentityPlan& plan) {
  const std::string shown(first_code_points(id, limits::kDistinctIdChars));
  plan.warnings.push_back({"cannot_merge_with_illegal_distinct_id",
                           "the distinct id \"" + shown +
                               "\" cannot take part in a merge; the event was stored without one"});
}

// §6: the table of triggers, then §6.2.
void plan_merge(const Event& event, const Found& found, IdentityPlan& plan) {
  const MergeKind kind = merge_kind(event.name);
  if (kind == MergeKind::kNone) return;
  json::Value other;
  if (kind == MergeKind::kIdentify) {
    other = found.anon_distinct_id;
  } else if (is_truthy(found.alias)) {
    other = found.alias;
  }
  if (!other.exists()) return;
  std::optional<std::string> other_id = js_string(other);
  if (!other_id) return warn_of_illegal_id(other.raw(), plan);
  plan.other = std::move(*other_id);
  for (const std::string_view id : {std::string_view(event.distinct_id),
                                    std::string_view(plan.other)}) {
    if (!is_illegal_distinct_id(id)) continue;
    warn_of_illegal_id(id, plan);
    plan.other.clear();
    return;
  }
  if (plan.other == event.distinct_id) {
    plan.other.clear();
    return;
  }
  plan.merge = kind;
}

// What could never be stored is refused before it is taken apart.
void add_bounded(std::initializer_list<json::Value> objects, PropertyBag& bag, IdentityPlan& plan) {
  for (const json::Value object : objects) {
    if (!object.exists()) continue;
    if (object.raw().size() <= limits::kPersonPropertiesBytesMax) {
      bag.add(object);
      continue;
    }
    plan.warnings.push_back({"person_properties_size_violation",
                             "an object of " + std::to_string(object.raw().size()) +
                                 " bytes of person properties was left out; a person holds at most " +
                                 std::to_string(limits::kPersonPropertiesBytesMax)});
  }
}

void plan_sets(const Event& event, const Found& found, IdentityPlan& plan) {
  // §2: group identification never touches a person's properties.
  if (event.name == "$groupidentify") return;
  PropertyBag set;
  PropertyBag once;
  add_bounded({found.set, event.set}, set, plan);
  add_bounded({found.set_once, event.set_once}, once, plan);
  if (event.name != "$snapshot" && event.name != "$performance_event") {
    lift_properties(event.properties, found.is_server.is_true(), set, once);
  }
  if (!set.empty() || found.set.exists() || event.set.exists()) plan.set = set.text();
  if (!once.empty() || found.set_once.exists() || event.set_once.exists()) {
    plan.set_once = once.text();
  }
  plan.unset = unset_keys(found.unset);
}

void plan_personless(const Event& event, const Project& project, PersonlessMode mode,
                     IdentityPlan& plan) {
  plan.personless = true;
  if (merge_kind(event.name) != MergeKind::kNone) {
    plan.kind = IdentityPlan::Kind::kDrop;
    plan.warnings.push_back({"invalid_event_when_process_person_profile_is_false",
                             event.name + " needs person processing, which is off"});
    return;
  }
  if (mode == PersonlessMode::kStateless) {
    plan.kind = IdentityPlan::Kind::kPersonless;
    return;
  }
  plan.access = PersonAccess::kPersonless;
  plan.may_upgrade = !project.person_processing_opt_out;
}

}  // namespace

bool is_illegal_distinct_id(std::string_view id) {
  if (is_blank_id(id) || is_listed(id) || is_cookieless_placeholder(id)) return true;
  if (id.find('\0') != std::string_view::npos || code_points(id) > 400) return true;
  const bool quoted = id.size() >= 2 && id.front() == id.back() &&
                      (id.front() == '\'' || id.front() == '"');
  return quoted && is_listed(id.substr(1, id.size() - 2));
}

IdentityPlan plan_identity(const Event& event, const Project& project, PersonlessMode mode) {
  IdentityPlan plan;
  if (!event.counts()) {
    plan.kind = IdentityPlan::Kind::kDrop;
    return plan;
  }
  if (event.person_processing_off) {
    // §2: the header wins outright. Nothing is looked up, nothing upgraded, and an identity event is
    // a personless row instead of none.
    plan.personless = true;
    plan.kind = IdentityPlan::Kind::kPersonless;
    return plan;
  }
  const Found found = find_properties(event.properties);
  const json::Value wanted = found.switch_value;
  if (wanted.exists() && !wanted.is_bool()) {
    plan.warnings.push_back(
        {"invalid_process_person_profile",
         "$process_person_profile must be true or false, not " +
             std::string(wanted.raw().substr(0, 100)) + "; the event was processed with a person"});
  }
  if (wanted.is_false() || project.person_processing_opt_out) {
    plan_personless(event, project, mode, plan);
    return plan;
  }
  plan_merge(event, found, plan);
  plan_sets(event, found, plan);
  plan.updates_existing = event.name != "$exception" && event.name != "$$heatmap";
  plan.writes_noisy = merge_kind(event.name) != MergeKind::kNone || event.name == "$set";
  if (event.name == "$feature_flag_called" && project.flag_called_personless &&
      !wanted.is_true() && !is_nonempty_object(found.groups)) {
    plan.access = PersonAccess::kIfExists;
  }
  return plan;
}

PersonOp IdentityPlan::op(const Event& event) const {
  PersonOp op;
  op.distinct_id = event.distinct_id;
  op.other = other;
  op.merge = merge;
  op.access = access;
  op.updates_existing = updates_existing;
  op.writes_noisy = writes_noisy;
  op.may_upgrade = may_upgrade;
  op.event_uuid = event.uuid;
  op.timestamp_ms = event.timestamp_ms;
  op.set = set;
  op.set_once = set_once;
  for (const std::string& key : unset) op.unset.push_back(key);
  return op;
}

}  // namespace hogflare
