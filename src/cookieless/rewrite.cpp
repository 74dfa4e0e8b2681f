// An event as it goes on with its visitor's ids: without what they were made of.
#include <algorithm>
#include <array>

#include "hogflare/ascii.h"
#include "hogflare/cookieless.h"

namespace hogflare {
namespace {

using Names = std::span<const std::string_view>;

// Of the event itself: where PostHog's server-side clients put an address, and ids that are
// replaced.
constexpr auto kRootNames = std::to_array<std::string_view>(
    {"distinct_id", "$distinct_id", "ip", "$ip", "$raw_user_agent", "$cookieless_extra"});
constexpr auto kPropertyNames = std::to_array<std::string_view>(
    {"$ip", "$raw_user_agent", "$cookieless_extra", "$distinct_id", "$device_id", "$session_id"});
constexpr auto kPersonNames =
    std::to_array<std::string_view>({"$raw_user_agent", "$initial_raw_user_agent"});
constexpr auto kContextNames =
    std::to_array<std::string_view>({"ip", "$ip", "userAgent", "user_agent", "$raw_user_agent"});

bool contains(Names names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void append_member(std::string& out, std::string_view raw_key, std::string_view value) {
  if (out.back() != '{') out += ',';
  out.append(raw_key).append(1, ':').append(value);
}

void append_text(std::string& out, std::string_view name, std::string_view text) {
  std::string value;
  json::append_string(value, text);
  append_member(out, name, value);
}

// The object without members of these names. It may lie below its document's index.
void append_without(std::string& out, const json::Value& object, Names names) {
  if (!object.is_object()) {
    out += object.raw();
    return;
  }
  const Result<json::Document> parsed = json::Document::parse_const(object.raw(), 1);
  if (!parsed.ok()) {  // more members than a document may hold, or halves of characters
    out += "{}";
    return;
  }
  out += '{';
  std::string scratch;
  for (const json::Member member : parsed.value().root().members()) {
    if (contains(names, member.name(scratch))) continue;
    append_member(out, member.raw_key(), member.value.raw());
  }
  out += '}';
}

void append_properties(std::string& out, const Event& event, const CookielessIds& ids) {
  out += '{';
  std::string scratch;
  for (const json::Member member : event.properties.members()) {
    const std::string_view name = member.name(scratch);
    if (contains(kPropertyNames, name)) continue;
    if (name == "$anon_distinct_id" && !ids.anon_distinct_id.empty()) continue;
    if (name == "distinct_id") {
      append_text(out, "\"distinct_id\"", ids.distinct_id);
    } else if (name == "$set" || name == "$set_once") {
      std::string object;
      append_without(object, member.value, kPersonNames);
      append_member(out, member.raw_key(), object);
    } else {
      append_member(out, member.raw_key(), member.value.raw());
    }
  }
  if (ids.names_distinct_id) append_text(out, "\"$distinct_id\"", ids.distinct_id);
  if (!ids.anon_distinct_id.empty()) {
    append_text(out, "\"$anon_distinct_id\"", ids.anon_distinct_id);
  }
  append_text(out, "\"$device_id\"", ids.device_id);
  append_text(out, "\"$session_id\"", ids.session_id);
  out += '}';
}

// Escapes of letters, digits and '_' as what they stand for; they need none.
std::string with_plain_ascii(std::string_view event) {
  std::string out;
  out.reserve(event.size());
  for (size_t at = 0; at < event.size(); ++at) {
    const std::string_view hex = event.substr(at, 6);
    if (event[at] != '\\' || hex.size() < 6 || hex.substr(1, 3) != "u00" || !is_hex_digit(hex[4]) ||
        !is_hex_digit(hex[5])) {
      out += event[at];
      continue;
    }
    const char c = static_cast<char>(hex_digit(hex[4]) * 16 + hex_digit(hex[5]));
    if (is_alphanumeric(c) || c == '_' || c == '$') {
      out += c;
    } else {
      out += hex;
    }
    at += 5;
  }
  return out;
}

// Whether a member says so whose name has no escapes.
bool says_cookieless(std::string_view event) {
  // In capture v1's options it has no '$'.
  static constexpr std::string_view kName = "cookieless_mode\"";
  for (size_t at = event.find(kName); at != std::string_view::npos; at = event.find(kName)) {
    const bool is_property = at > 0 && event[at - 1] == '$';
    event.remove_prefix(at + kName.size());
    const size_t colon = event.find_first_not_of(" \t\r\n");
    if (colon == std::string_view::npos || event[colon] != ':') continue;
    const size_t value = event.find_first_not_of(" \t\r\n", colon + 1);
    if (value == std::string_view::npos) continue;
    if (event.substr(value, 4) == "true") return true;
    // An option is coerced (capture v1).
    for (const std::string_view yes : {"\"true\"", "1", "\"1\""}) {
      if (!is_property && event.substr(value, yes.size()) == yes) return true;
    }
  }
  return false;
}

// An event with escapes is looked at in parts, each with the beginning of the next, where a member
// that begins in it ends.
constexpr size_t kPartBytes = 1u << 20;
constexpr size_t kMemberBytesMax = 1'024;

}  // namespace

bool asks_for_cookieless(std::string_view event) {
  if (event.find("\\u00") == std::string_view::npos) return says_cookieless(event);
  // A name may be spelled with escapes. A part at a time: an event that is refused for its size may
  // be as large as a body.
  for (size_t from = 0; from < event.size(); from += kPartBytes) {
    if (says_cookieless(with_plain_ascii(event.substr(from, kPartBytes + kMemberBytesMax)))) {
      return true;
    }
  }
  return false;
}

void append_cookieless_event(std::string& out, const Event& event, const CookielessIds& ids) {
  out += '{';
  append_text(out, "\"distinct_id\"", ids.distinct_id);
  std::string scratch;
  for (const json::Member member : event.root.members()) {
    const std::string_view name = member.name(scratch);
    if (contains(kRootNames, name) || name == "properties") continue;
    const bool is_person = name == "$set" || name == "$set_once";
    if (!is_person && name != "context") {
      append_member(out, member.raw_key(), member.value.raw());
      continue;
    }
    std::string object;
    append_without(object, member.value, is_person ? Names(kPersonNames) : Names(kContextNames));
    append_member(out, member.raw_key(), object);
  }
  std::string properties;
  append_properties(properties, event, ids);
  append_member(out, "\"properties\"", properties);
  out += '}';
}

}  // namespace hogflare
