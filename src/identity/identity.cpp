#include "hogflare/identity.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <utility>

#include "hogflare/ascii.h"
#include "hogflare/cookieless.h"
#include "hogflare/js_string.h"
#include "hogflare/limits.h"
#include "hogflare/memory_limits.h"
#include "hogflare/short_bytes.h"
#include "hogflare/text.h"
#include "hogflare/timestamp.h"

namespace hogflare {
namespace {

// I-6.3: in lower case, and in exactly this spelling.
constexpr auto kIllegalAnyCase =
    std::to_array<std::string_view>({"anonymous", "guest", "distinctid", "distinct_id", "id",
                                     "not_authenticated", "email", "undefined", "true", "false"});
constexpr auto kIllegalExact = std::to_array<std::string_view>(
    {"[object Object]", "NaN", "None", "none", "null", "0", "undefined"});

constexpr std::string_view kAiPrefix = "$ai_";
constexpr std::string_view kSurveyShown = "survey shown";
constexpr std::string_view kSurveySeen = "$survey_last_seen_date";
// What names the other side of a merge, and the warning when it is no text.
constexpr std::pair<std::string_view, std::string_view> kMergeProperties[] = {
    {"$anon_distinct_id", "invalid_anon_distinct_id"}, {"alias", "invalid_alias"}};

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
  json::Value os_name, ip, geoip_disable, session_id, lib;
  bool has_geoip = false;
};

// By length first, because most names are none of these.
void note_property(std::string_view name, json::Value value, Found& found) {
  const auto is = [name](std::string_view other) {
    return same_bytes(name.data(), other.data(), other.size());
  };
  switch (name.size()) {
    case 3:
      if (is("$ip")) found.ip = value;
      return;
    case 4:
      if (is("$set")) found.set = value;
      if (is("$lib")) found.lib = value;
      return;
    case 5:
      if (is("alias")) found.alias = value;
      return;
    case 6:
      if (is("$unset")) found.unset = value;
      return;
    case 7:
      if (is("$groups")) found.groups = value;
      return;
    case 8:
      if (is("$os_name")) found.os_name = value;
      return;
    case 9:
      if (is("$set_once")) found.set_once = value;
      return;
    case 10:
      if (is("$is_server")) found.is_server = value;
      return;
    case 11:
      if (is("$session_id")) found.session_id = value;
      return;
    case 14:
      if (is("$geoip_disable")) found.geoip_disable = value;
      break;
    case 17:
      if (is("$anon_distinct_id")) found.anon_distinct_id = value;
      break;
    case 23:
      if (is("$process_person_profile")) found.switch_value = value;
      break;
  }
  if (is_geoip_name(name)) found.has_geoip = true;
}

Found find_properties(json::Value properties) {
  Found found;
  std::string scratch;
  for (const json::Member member : properties.members()) {
    const std::string_view name = member.name(scratch);
    if (!name.empty() && (name[0] == '$' || name[0] == 'a')) {
      note_property(name, member.value, found);
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

// Meta's cookie of a click: fb.1.<start of the click's UTC day in ms>.<fbclid>. Empty: the id
// cannot be one. A day is enough for Meta's window of ninety, and one value a visit rewrites no
// person. Source: PostHog nodejs/src/common/utils/db/utils.ts, facebookClickId.
std::string facebook_click(std::string_view fbclid_raw, int64_t clicked_at_ms) {
  constexpr int64_t kDayMs = 86'400'000;
  if (fbclid_raw.size() < 3 || fbclid_raw.front() != '"') return {};
  const std::string_view id = fbclid_raw.substr(1, fbclid_raw.size() - 2);
  if (id.size() > limits::kFbclidBytesMax) return {};
  const bool is_plain_id = std::all_of(
      id.begin(), id.end(), [](char c) { return is_alphanumeric(c) || c == '_' || c == '-'; });
  if (!is_plain_id) return {};
  int64_t day = clicked_at_ms / kDayMs;
  if (clicked_at_ms % kDayMs < 0) --day;
  return "\"fb.1." + std::to_string(day * kDayMs) + "." + std::string(id) + "\"";
}

// I-5.2. A null is a visit without that parameter: it
// clears the latest value and is no first one.
void lift_properties(const Event& event, const Found& found, int64_t now_ms, PropertyBag& set,
                     PropertyBag& once) {
  const bool is_server = found.is_server.is_true();
  std::string_view fbclid;
  for (const json::Member member : event.properties.members()) {
    const std::string_view key = member.inner_key();
    const std::string_view initial = initial_property(key);
    if (initial.empty()) continue;
    if (is_server && (key == "$os" || key == "$os_version")) continue;
    if (key == "fbclid") fbclid = member.value.raw();
    std::string_view value = member.value.raw();
    if (has_nul_escape(value)) value = set.keep(without_nul_escapes(value));
    set_if_missing(set, key, value);
    // The value may be kept by `set`, which lives as long.
    if (!member.value.is_null()) set_if_missing(once, initial, value);
  }
  // $os_name is another name of $os, except on servers. What stands in $set only is the client's
  // own. A name that is spelled with escapes was not lifted.
  if (found.os_name.exists() && !is_server && set.has("$os_name")) {
    const std::string_view value = set.find("$os_name")->value;
    set_if_missing(set, "$os", value);
    if (!found.os_name.is_null()) set_if_missing(once, "$initial_os", value);
    set.erase("$os_name");
    once.erase("$initial_os_name");
  }
  if (fbclid.empty() || set.has("$fbc")) return;
  std::string click = facebook_click(fbclid, std::min(now_ms, event.timestamp_ms));
  if (!click.empty()) set.set("$fbc", set.keep(std::move(click)));
}

// The connection's place for the person, unless the client speaks of a place, or of an address, of
// its own: a server's city is nobody's.
const ConnectionPlace* place_of(const Found& found, const ConnectionPlace* place) {
  if (place == nullptr || place->set.empty() || found.has_geoip) return nullptr;
  if (is_truthy(found.geoip_disable)) return nullptr;
  const bool has_ip = is_truthy(found.ip);
  return has_ip && !place->is_address(found.ip.raw()) ? nullptr : place;
}

// `members` behind those of the object `text`, which has none of their names.
void append_members(std::string& text, std::string_view members) {
  if (text.empty()) text = "{}";
  text.pop_back();
  if (text.size() > 1) text += ',';
  text += members;
  text += '}';
}

bool has_geoip(const PropertyBag& bag, std::string_view prefix) {
  return std::any_of(bag.entries().begin(), bag.entries().end(), [&](const auto& entry) {
    return entry.key.substr(0, prefix.size()) == prefix;
  });
}

void warn_of_size(size_t bytes, IdentityPlan& plan) {
  plan.warnings.push_back({"person_properties_size_violation",
                           "an object of " + std::to_string(bytes) +
                               " bytes of person properties was left out; a person holds at most " +
                               std::to_string(limits::kPersonPropertiesBytesMax)});
}

// Several objects may be too much together though none is by itself.
std::string bounded_text(const PropertyBag& bag, IdentityPlan& plan) {
  const size_t bytes = bag.text_bytes();
  if (bytes <= limits::kPersonPropertiesBytesMax) return bag.text();
  warn_of_size(bytes, plan);
  return "{}";
}

// The names, until they are too many: `bytes` is what they count for.
std::vector<std::string> unset_keys(json::Value unset, size_t& bytes) {
  std::vector<std::string> keys;
  const auto add = [&](std::string_view name) {
    keys.push_back(canonical_key_of(name));
    bytes += keys.back().size() + limits::kUnsetPlaceBytes;
    return bytes <= limits::kUnsetBytesMax;
  };
  if (!unset.exists()) return keys;
  std::string raw(unset.raw());
  const Result<json::Document> document = json::Document::parse(raw, limits::kJsonDepthMax);
  if (!document.ok()) return keys;  // more values than a document may hold
  const json::Value root = document.value().root();
  for (const json::Value name : root.elements()) {
    const auto text = js_string(name);
    if (text && !add(*text)) return keys;
  }
  for (const json::Member member : root.members()) {
    if (!add(member.key())) return keys;
  }
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

// Hyphenated hex digits between quotes; letters of either case.
bool is_uuid_raw(std::string_view raw) {
  if (raw.size() != 38) return false;
  for (size_t i = 0; i < 36; ++i) {
    const char c = raw[i + 1];
    const bool is_hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_hyphen ? c != '-' : !is_hex_digit(c)) return false;
  }
  return true;
}

// SDKs that PostHog knows to send other uuids than version 7, and events without a $lib
// (validate-event-uuid-version.ts, KNOWN_NON_V7_LIBS).
constexpr auto kOtherUuidLibs =
    std::to_array<std::string_view>({"",
                                     "web",
                                     "posthog-node",
                                     "posthog-python",
                                     "posthog-go",
                                     "posthog-ios",
                                     "posthog-android",
                                     "posthog-ruby",
                                     "posthog-php",
                                     "posthog-dotnet",
                                     "posthog-rs",
                                     "posthog-react-native",
                                     "posthog-flutter",
                                     "posthog-edge",
                                     "posthog-java",
                                     "posthog-chrome-extension",
                                     "posthog-capture-v1-internal",
                                     "detsys-ids-client",
                                     "determinate-nixd",
                                     "pixiehog",
                                     "github.com/hollow-cube/posthog-java"});

// The time inside of a version 7 uuid's text.
int64_t uuid_time_ms(std::string_view uuid) {
  int64_t ms = 0;
  for (size_t i = 0; i < 13; ++i) {
    const char c = uuid[i];
    if (c != '-') ms = ms * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return ms;
}

// Data that is stored as it came and will disappoint whoever asks for it. Sources: PostHog
// validate-session-id-step.ts, validate-event-uuid-version.ts, validate-event-uuid-timestamp.ts.
void warn_of_data(const Event& event, const Found& found, IdentityPlan& plan) {
  const auto warn = [&](std::string_view name, std::string detail) {
    plan.warnings.push_back({name, std::move(detail), true});
  };
  const json::Value session = found.session_id;
  if (session.exists() && !session.is_null() && !is_uuid_raw(session.raw())) {
    warn("invalid_event_session_id", "$session_id must be a UUID, not " +
                                         std::string(first_code_points(session.raw(), 200)) +
                                         "; the event belongs to no session");
  }
  constexpr size_t kVersionAt = 14;
  if (event.uuid.size() != 36) return;
  if (event.uuid[kVersionAt] != '7') {
    const std::string lib = found.lib.is_string() ? found.lib.text() : std::string();
    if (contains(kOtherUuidLibs, lib)) return;
    warn("event_uuid_not_v7", "the uuid that \"" + std::string(first_code_points(lib, 100)) +
                                  "\" gave is not of version 7, which holds the event's time");
    return;
  }
  const int64_t made_at_ms = uuid_time_ms(event.uuid);
  const int64_t apart_ms = std::abs(event.timestamp_ms - made_at_ms);
  if (apart_ms <= limits::kUuidDriftMsMax) return;
  // An empty text is no uuid of the client's.
  const json::Value given = event.root.find("uuid");
  if (!given.is_string() || given.raw().size() <= 2) return;
  // By the clock that made the uuid as well: that one may be wrong, and the event's time corrected.
  const json::Value said = event.root.find("timestamp");
  // As the bytes stand: a time with an escape in it is not compared.
  const std::string_view raw = said.is_string() ? said.raw() : "\"\"";
  const std::optional<int64_t> said_ms = parse_timestamp(raw.substr(1, raw.size() - 2));
  if (!said_ms || std::abs(*said_ms - made_at_ms) <= limits::kUuidDriftMsMax) return;
  warn("event_uuid_timestamp_divergent",
       "the time inside of the event's uuid and its timestamp are " +
           std::to_string(apart_ms / 86'400'000) + " days apart");
}

// I-6.1: the table of triggers, then I-6.3.
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
  for (const std::string_view id :
       {std::string_view(event.distinct_id), std::string_view(plan.other)}) {
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
    warn_of_size(object.raw().size(), plan);
  }
}

void plan_sets(const Event& event, const Found& found, const IdentityContext& context,
               IdentityPlan& plan) {
  // I-2.5: group identification never touches a person's properties.
  if (event.name == "$groupidentify") return;
  PropertyBag set;
  PropertyBag once;
  add_bounded({found.set, event.set}, set, plan);
  add_bounded({found.set_once, event.set_once}, once, plan);
  if (event.name == kSurveyShown && !set.has(kSurveySeen)) {
    std::string seen = "\"";
    append_rfc3339(seen, event.timestamp_ms);
    set.set(kSurveySeen, set.keep(seen + '"'));
  }
  const ConnectionPlace* place = nullptr;
  if (event.name != "$snapshot" && event.name != "$performance_event") {
    lift_properties(event, found, context.now_ms, set, once);
    place = place_of(found, context.place);
  }
  if (!set.empty() || found.set.exists() || event.set.exists()) plan.set = bounded_text(set, plan);
  if (!once.empty() || found.set_once.exists() || event.set_once.exists()) {
    plan.set_once = bounded_text(once, plan);
  }
  const auto has_room = [](std::string_view text, std::string_view members) {
    return text.size() + members.size() + 3 <= limits::kPersonPropertiesBytesMax;
  };
  if (place != nullptr && has_room(plan.set, place->set) &&
      has_room(plan.set_once, place->set_once) && !has_geoip(set, "$geoip_") &&
      !has_geoip(once, "$initial_geoip_")) {
    append_members(plan.set, place->set);
    append_members(plan.set_once, place->set_once);
  }
  if (found.unset.exists() && found.unset.raw().size() > limits::kUnsetRawBytesMax) {
    return warn_of_size(found.unset.raw().size(), plan);
  }
  size_t bytes = 0;
  plan.unset = unset_keys(found.unset, bytes);
  if (bytes > limits::kUnsetBytesMax) {
    warn_of_size(found.unset.raw().size(), plan);
    plan.unset = {};
  }
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

namespace {

// A client that warns of itself: PostHog makes no event of it.
NamedWarning client_warning(const Event& event) {
  std::string detail = "the client gave no message";
  if (event.properties.exists()) {
    const json::Value message = event.properties.find("$$client_ingestion_warning_message");
    if (message.exists() && message.is_string()) detail = message.text();
  }
  detail.resize(first_code_points(detail, limits::kDistinctIdChars * 2).size());
  return {"client_ingestion_warning", std::move(detail)};
}

std::optional<NamedWarning> long_group_key(const Event& event) {
  if (!event.properties.exists()) return std::nullopt;
  const json::Value key = event.properties.find("$group_key");
  if (!key.exists() || key.raw().size() <= limits::kGroupKeyUnitsMax) return std::nullopt;
  if (const std::optional<std::string> text = js_string(key)) {
    if (first_utf16_units(*text, limits::kGroupKeyUnitsMax).size() == text->size()) {
      return std::nullopt;
    }
  }
  return NamedWarning{"group_key_too_long", "$group_key has more than " +
                                                std::to_string(limits::kGroupKeyUnitsMax) +
                                                " characters; the event was dropped"};
}

}  // namespace

bool is_illegal_distinct_id(std::string_view id) {
  if (is_blank_id(id) || is_listed(id) || is_cookieless_placeholder(id)) return true;
  if (id.find('\0') != std::string_view::npos || code_points(id) > 400) return true;
  const bool quoted =
      id.size() >= 2 && id.front() == id.back() && (id.front() == '\'' || id.front() == '"');
  return quoted && is_listed(id.substr(1, id.size() - 2));
}

bool is_ai_event(std::string_view name) { return name.substr(0, kAiPrefix.size()) == kAiPrefix; }

std::optional<NamedWarning> refusal_of(const Event& event) {
  if (event.name.empty() || event.name[0] != '$') return std::nullopt;
  if (event.name == "$$client_ingestion_warning") return client_warning(event);
  if (event.name == "$groupidentify") return long_group_key(event);
  if (merge_kind(event.name) == MergeKind::kNone) return std::nullopt;
  for (const auto& [property, warning] : kMergeProperties) {
    if (!event.properties.exists()) break;
    const json::Value value = event.properties.find(property);
    if (!value.exists() || value.is_null() || value.is_string()) continue;
    return NamedWarning{warning, std::string(property) + " must be a string, not " +
                                     std::string(first_code_points(value.raw(), 100)) +
                                     "; the event was dropped"};
  }
  return std::nullopt;
}

IdentityPlan plan_identity(const Event& event, const IdentityContext& context) {
  const Project& project = context.project;
  IdentityPlan plan;
  if (!event.counts()) {
    plan.kind = IdentityPlan::Kind::kDrop;
    return plan;
  }
  if (std::optional<NamedWarning> refusal = refusal_of(event)) {
    plan.kind = IdentityPlan::Kind::kDrop;
    plan.warnings.push_back(std::move(*refusal));
    return plan;
  }
  if (event.person_processing_off) {
    // I-2.2: the header wins outright. Nothing is looked up, nothing upgraded, and an identity
    // event is a personless row instead of none.
    plan.personless = true;
    plan.kind = IdentityPlan::Kind::kPersonless;
    return plan;
  }
  const Found found = find_properties(event.properties);
  const json::Value wanted = found.switch_value;
  if (wanted.exists() && !wanted.is_bool()) {
    plan.warnings.push_back(
        {"invalid_process_person_profile", "$process_person_profile must be true or false, not " +
                                               std::string(wanted.raw().substr(0, 100)) +
                                               "; the event was processed with a person"});
  }
  warn_of_data(event, found, plan);
  if (wanted.is_false() || project.person_processing_opt_out) {
    plan_personless(event, project, context.mode, plan);
    return plan;
  }
  if (is_ai_event(event.name)) {
    plan.only_reads = true;
    plan.updates_existing = false;
    plan.access = PersonAccess::kIfExists;
    return plan;
  }
  plan_merge(event, found, plan);
  plan_sets(event, found, context, plan);
  plan.updates_existing = event.name != "$exception" && event.name != "$$heatmap";
  plan.writes_noisy = merge_kind(event.name) != MergeKind::kNone || event.name == "$set";
  if (event.name == "$feature_flag_called" && project.flag_called_personless && !wanted.is_true() &&
      !is_nonempty_object(found.groups)) {
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
