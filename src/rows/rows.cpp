#include "hogflare/rows.h"

#include "hogflare/limits.h"
#include "hogflare/text.h"
#include "hogflare/timestamp.h"
#include "members.h"
#include "properties.h"

namespace hogflare {
namespace {

using json::Member;
using json::Value;
using rows::append_comma;
using rows::append_raw_member;
using rows::append_text_member;
using rows::append_time_member;
using rows::MemberRun;
using rows::Role;

// Shares of an oversized row; `properties` gets what the others leave.
constexpr size_t kCutContextBytes = 32u << 10;
constexpr size_t kCutExtraBytes = 64u << 10;
constexpr size_t kCutGroupsBytes = 64u << 10;
constexpr size_t kCutPersonBytes = 256u << 10;
constexpr size_t kCutGroupKeyChars = 400;
// Enrichment and groups at their longest.
constexpr size_t kAddedBytesMax = 64u << 10;
// An event from here on cannot become a row in full, whatever its row leaves out.
constexpr size_t kHopelessBytes = 4 * limits::kRowBytesMax;

constexpr std::string_view kGroupColumns[] = {"group0", "group1", "group2", "group3", "group4"};

// JavaScript's truth of a JSON value.
bool is_truthy(const Value& value) {
  if (value.is_null() || value.is_false()) return false;
  const std::string_view raw = value.raw();
  return raw != "\"\"" && raw != "0";
}

bool is_empty_text(const Value& value) { return value.is_null() || value.raw() == "\"\""; }

// A name between its quotes, decoded into `scratch` when it holds an escape.
std::string_view name_of(const Member& member, std::string& scratch) {
  const std::string_view inner = member.inner_key();
  if (inner.find('\\') == std::string_view::npos) return inner;
  scratch = member.key();
  return scratch;
}

// What copying the client's properties found out.
struct Seen {
  uint32_t left_out = 0;  // enrichment that must not be added
  bool is_internal = false;
};

// Whether the member goes to the row as it is.
bool stays(const Member& member, std::string_view name, const Event& event,
           const PersonView& person, const GroupView& groups, IpPolicy ip_policy, Seen& seen) {
  const rows::KnownProperty known = rows::known_property(name);
  switch (known.role) {
    case Role::kPlain:
      return true;
    case Role::kEnriched:
      if (known.index == kEnrichedIp) {
        if (ip_policy == IpPolicy::kAnonymize || is_empty_text(member.value)) return false;
      }
      seen.left_out |= 1u << known.index;
      return true;
    case Role::kSet:
    case Role::kProcessPersonProfile:
    case Role::kBloat:
      return false;
    case Role::kUnset:
      return !person.personless && event.name != "$groupidentify";
    case Role::kGroup:
      return !person.personless && groups.raw_values[known.index].empty();
    case Role::kGeoipDisable:
      if (is_truthy(member.value)) seen.left_out |= kEnrichedGeoMask;
      return true;
    case Role::kCaptureInternal:
      seen.is_internal = true;
      return true;
  }
  return true;
}

// Whether the JSON text `raw` is exactly the column's form of `unix_ms`. `scratch` is left as it was;
// its room saves an allocation for every row.
bool says(std::string_view raw, int64_t unix_ms, std::string& scratch) {
  const size_t begin = scratch.size();
  scratch += '"';
  append_rfc3339(scratch, unix_ms);
  scratch += '"';
  const bool same = std::string_view(scratch).substr(begin) == raw;
  scratch.resize(begin);
  return same;
}

// Root members with a column or a rule of their own; the others go to `extra`.
bool has_own_place(std::string_view name) {
  static constexpr std::string_view kNames[] = {
      "event", "properties", "distinct_id", "$distinct_id", "uuid",  "timestamp", "offset",
      "$set",  "$set_once",  "token",       "$token",       "api_key", "context"};
  for (const std::string_view own : kNames) {
    if (own == name) return true;
  }
  return false;
}

}  // namespace

RowWriter::RowWriter(const RequestHead& head, const RowShared& shared, const Config& config,
                     int64_t now_ms)
    : enrichment_(Enrichment::of(
          head, config.anonymize_ip || (shared.project != nullptr && shared.project->anonymize_ips)
                    ? IpPolicy::kAnonymize
                    : IpPolicy::kKeep)),
      team_id_(shared.project == nullptr ? config.team_id : shared.project->team_id) {
  created_at_member_ = "{";
  append_time_member(created_at_member_, "created_at", now_ms);
  created_at_member_[0] = ',';
  api_key_member_ = "{";
  append_text_member(api_key_member_, "api_key", shared.token);
  api_key_member_[0] = ',';
  const int64_t sent_at_ms = shared.sent_at_ms.value_or(kFirstWritableMs - 1);
  if (sent_at_ms >= kFirstWritableMs && sent_at_ms <= kLastWritableMs) {
    sent_at_member_ = "\"$sent_at\":\"";
    append_rfc3339(sent_at_member_, sent_at_ms);
    sent_at_member_ += '"';
  }
}

void RowWriter::append_head(std::string& out, const Head& head) const {
  out += "{\"uuid\":\"";
  out += head.uuid;
  out += "\",\"team_id\":";
  out += std::to_string(head.team_id);
  out += ",\"source\":\"posthog\"";
  append_text_member(out, "event", head.name);
  append_text_member(out, "distinct_id", head.distinct_id);
  append_time_member(out, "timestamp", head.timestamp_ms);
  out += created_at_member_;
}

void RowWriter::append_fixed_head(std::string& out, const Event& event) const {
  append_head(out, {.uuid = event.uuid,
                    .team_id = event.team_id,
                    .name = event.name,
                    .distinct_id = event.distinct_id,
                    .timestamp_ms = event.timestamp_ms});
}

void RowWriter::append_person(std::string& out, const PersonView& person) const {
  if (!person.person_id.empty()) append_text_member(out, "person_id", person.person_id);
  if (person.person_created_at_ms) {
    append_time_member(out, "person_created_at", *person.person_created_at_ms);
  }
}

void RowWriter::append_properties(std::string& out, const Event& event, const PersonView& person,
                                  const GroupView& groups) const {
  const size_t begin = out.size();
  out += '{';
  Seen seen;
  seen.is_internal = event.is_internal;
  if (event.properties.exists()) {
    MemberRun run(out);
    std::string scratch;
    for (const Member member : event.properties.members()) {
      const std::string_view name = name_of(member, scratch);
      if (stays(member, name, event, person, groups, enrichment_.ip_policy(), seen)) {
        run.keep(member);
      } else {
        run.leave_out();
      }
    }
    run.flush();
  }
  if (!person.row_set.empty()) append_raw_member(out, "$set", person.row_set);
  if (!person.row_set_once.empty()) append_raw_member(out, "$set_once", person.row_set_once);
  if (person.personless) append_raw_member(out, "$process_person_profile", "false");
  for (size_t i = 0; i < groups.raw_values.size(); ++i) {
    if (groups.raw_values[i].empty() || person.personless) continue;
    append_raw_member(out, std::string("$group_") + static_cast<char>('0' + i),
                      groups.raw_values[i]);
  }
  if (seen.is_internal && (seen.left_out & kEnrichedIpMask) == 0) {
    append_raw_member(out, "$ip", "\"127.0.0.1\"");
    seen.left_out |= kEnrichedIpMask;
  }
  const size_t behind_own = out.size();
  enrichment_.append_members(out, seen.left_out);
  // The enrichment writes a comma before each of its members; the first of all has none.
  if (behind_own == begin + 1 && out.size() > behind_own) out.erase(behind_own, 1);
  out += '}';
}

void RowWriter::append_extra(std::string& out, const Event& event,
                             const PersonView& person) const {
  out += '{';
  MemberRun run(out);
  std::string scratch;
  Value timestamp;
  Value offset;
  for (const Member member : event.root.members()) {
    const std::string_view name = name_of(member, scratch);
    if (name == "timestamp") timestamp = member.value;
    if (name == "offset") offset = member.value;
    if (has_own_place(name)) {
      run.leave_out();
    } else {
      run.keep(member);
    }
  }
  run.flush();
  if (!sent_at_member_.empty()) {
    append_comma(out);
    out += sent_at_member_;
  }
  // What the client said about the time, when the column says something else.
  if (timestamp.exists() && !says(timestamp.raw(), event.timestamp_ms, out)) {
    append_raw_member(out, "$client_timestamp", timestamp.raw());
  }
  if (offset.exists()) append_raw_member(out, "$client_offset", offset.raw());
  if (event.historical) append_raw_member(out, "$historical_migration", "true");
  if (!person.mode.empty() && person.mode != "full") {
    append_text_member(out, "$person_mode", person.mode);
  }
  out += '}';
}

bool RowWriter::append_event(const Event& event, const PersonView& person,
                             const GroupView& groups, RowBatch& rows) const {
  HF_ASSERT(!person.dropped);
  std::string& out = rows.buffer();
  const size_t begin = out.size();
  // An event of 20 MiB is not copied only to find out that it does not fit.
  if (event.root.raw().size() > kHopelessBytes) {
    append_cut_row(out, event, person, groups);
    HF_ASSERT(rows.end_row().ok());
    return false;
  }
  append_fixed_head(out, event);
  out += ",\"properties\":";
  append_properties(out, event, person, groups);
  const Value context = event.root.find("context");
  if (context.exists() && !context.is_null()) append_raw_member(out, "context", context.raw());
  append_person(out, person);
  append_raw_member(out, "person_properties", person.person_properties);
  for (size_t i = 0; i < groups.keys.size(); ++i) {
    if (!groups.keys[i].empty()) append_text_member(out, kGroupColumns[i], groups.keys[i]);
  }
  if (!groups.group_properties_json.empty()) {
    append_raw_member(out, "group_properties", groups.group_properties_json);
  }
  out += api_key_member_;
  const size_t before_extra = out.size();
  out += ",\"extra\":";
  append_extra(out, event, person);
  if (out.compare(before_extra, std::string::npos, ",\"extra\":{}") == 0) out.resize(before_extra);
  out += '}';
  const bool whole = out.size() - begin <= limits::kRowBytesMax;
  if (!whole) {
    out.resize(begin);
    append_cut_row(out, event, person, groups);
  }
  HF_ASSERT(rows.end_row().ok());
  return whole;
}

void RowWriter::append_cut_row(std::string& out, const Event& event, const PersonView& person,
                               const GroupView& groups) const {
  // Behind `properties`: everything else, each within its share.
  std::string tail = "{";
  const Value context = event.root.find("context");
  if (context.exists() && !context.is_null()) {
    append_raw_member(tail, "context",
                      rows::shrink_object(std::string(context.raw()), kCutContextBytes));
  }
  append_person(tail, person);
  append_raw_member(tail, "person_properties",
                    rows::shrink_object(std::string(person.person_properties), kCutPersonBytes));
  for (size_t i = 0; i < groups.keys.size(); ++i) {
    if (groups.keys[i].empty()) continue;
    append_text_member(tail, kGroupColumns[i],
                       first_code_points(groups.keys[i], kCutGroupKeyChars));
  }
  if (!groups.group_properties_json.empty()) {
    append_raw_member(tail, "group_properties",
                      rows::shrink_object(groups.group_properties_json, kCutGroupsBytes));
  }
  tail += api_key_member_;
  std::string extra;
  append_extra(extra, event, person);
  append_raw_member(tail, "extra", rows::shrink_object(std::move(extra), kCutExtraBytes));
  tail[0] = ',';

  const size_t begin = out.size();
  append_fixed_head(out, event);
  out += ",\"properties\":";
  const size_t fixed = out.size() - begin + tail.size() + 1;
  // In one piece: a string that grows takes twice its size again.
  std::string properties;
  properties.reserve((event.properties.exists() ? event.properties.raw().size() : 0) +
                     person.row_set.size() + person.row_set_once.size() + kAddedBytesMax);
  append_properties(properties, event, person, groups);
  out += rows::shrink_object(std::move(properties), limits::kRowBytesMax - fixed);
  out += tail;
  out += '}';
}

}  // namespace hogflare
