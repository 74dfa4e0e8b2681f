#include "hogflare/rows.h"

#include <array>
#include <utility>

#include "hogflare/limits.h"
#include "hogflare/text.h"
#include "hogflare/timestamp.h"
#include "columns.h"
#include "elements.h"
#include "exception.h"
#include "members.h"
#include "properties.h"

namespace hogflare {
namespace rows {

// What copying the client's properties found out.
struct Seen {
  uint32_t left_out = 0;  // enrichment that must not be added
  bool is_internal = false;
  bool has_os = false;
  bool is_server = false;
  bool has_chain = false;
  // JSON of what goes to the row in another form, or under another name too; empty: nothing does.
  std::string_view os_name;
  std::string_view session_id;
  std::string_view elements;
  std::string scratch;  // of session_id
  json::Value exception_list;
  json::Value exception_fingerprint;
  ExceptionColumns exception;  // what `columns` shows of it
  ColumnValues columns;
  CustomProperties custom;
};

}  // namespace rows
namespace {

using json::Member;
using json::Value;
using rows::close_object;
using rows::Column;
using rows::KnownProperty;
using rows::MemberRun;
using rows::Pieces;
using rows::Role;
using rows::Seen;

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

constexpr std::string_view kGroupColumns[] = {
    ",\"group0\":", ",\"group1\":", ",\"group2\":", ",\"group3\":", ",\"group4\":"};
constexpr std::string_view kGroupProperties[] = {
    ",\"$group_0\":", ",\"$group_1\":", ",\"$group_2\":", ",\"$group_3\":", ",\"$group_4\":"};

constexpr std::string_view kExtraColumn = ",\"extra\":";
constexpr std::string_view kCustomColumn = ",\"custom_properties\":";
// A time with its quotes.
constexpr size_t kTimeBytes = 26;

// What of the edge's knowledge has a column.
constexpr std::pair<size_t, Column> kPlaces[] = {{kEnrichedCountryCode, Column::kCountryCode},
                                                 {kEnrichedCity, Column::kCity},
                                                 {kEnrichedRegion, Column::kRegion}};
constexpr uint32_t kPlacesMask =
    1u << kEnrichedCountryCode | 1u << kEnrichedCity | 1u << kEnrichedRegion;

// JavaScript's truth of a JSON value.
bool is_truthy(const Value& value) {
  if (value.is_null() || value.is_false()) return false;
  const std::string_view raw = value.raw();
  return raw != "\"\"" && raw != "0";
}

bool is_empty_text(const Value& value) { return value.is_null() || value.raw() == "\"\""; }

// Whether the member goes to the row as it is.
bool stays(const Member& member, rows::KnownProperty known, const Event& event,
           const PersonView& person, const GroupView& groups, const Enrichment& enrichment,
           Seen& seen) {
  switch (known.role) {
    case Role::kPlain:
      return true;
    case Role::kEnriched:
      if (known.index == kEnrichedIp) {
        if (is_empty_text(member.value)) return false;
        // An address that is not the connection's is somewhere else.
        if (!enrichment.is_address(member.value.raw())) seen.left_out |= kEnrichedPlaceMask;
        if (enrichment.ip_policy() == IpPolicy::kAnonymize) return false;
      }
      seen.left_out |= 1u << known.index;
      if ((seen.left_out & kEnrichedGeoMask) != 0) seen.left_out |= kEnrichedPlaceMask;
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
      if (is_truthy(member.value)) seen.left_out |= kEnrichedPlaceMask;
      return true;
    case Role::kCaptureInternal:
      seen.is_internal = true;
      return true;
    case Role::kOs:
      seen.has_os = true;
      return true;
    case Role::kOsName:
      seen.os_name = member.value.raw();
      return true;
    case Role::kIsServer:
      seen.is_server = member.value.is_true();
      return true;
    case Role::kSessionId:
      seen.session_id = rows::session_id_of(member.value.raw(), seen.scratch);
      seen.columns.lift(Column::kSessionId, seen.session_id);
      if (seen.session_id.data() != member.value.raw().data()) return false;
      seen.session_id = {};
      return true;
    case Role::kElements:
      seen.elements = member.value.raw();
      return false;
    case Role::kElementsChain:
      seen.has_chain = is_truthy(member.value);
      return seen.has_chain;
    case Role::kExceptionList:
      seen.exception_list = member.value;
      return true;
    case Role::kExceptionFingerprint:
      seen.exception_fingerprint = member.value;
      return true;
  }
  return true;
}

// What the row has under another name or in another form than the client. Lean rows have what
// becomes a column there alone.
void add_converted(Pieces& pieces, const Event& event, Seen& seen, bool is_lean) {
  if (!seen.session_id.empty()) pieces.add(",\"$session_id\":").add(seen.session_id);
  // PostHog's normalizeOsAlias (nodejs/src/common/utils/event.ts).
  const bool is_lifted = event.name != "$snapshot" && event.name != "$performance_event";
  if (!seen.os_name.empty() && !seen.has_os && !seen.is_server && is_lifted) {
    const bool is_text = seen.os_name.front() == '"' && seen.os_name.size() > 2 &&
                         seen.os_name.size() <= limits::kColumnTextBytesMax;
    if (!is_lean || !is_text) pieces.add(",\"$os\":").add(seen.os_name);
    seen.columns.lift(Column::kOs, seen.os_name);
  }
  if (seen.elements.empty() || seen.has_chain) return;
  const std::optional<std::string> chain = rows::elements_chain(seen.elements);
  if (chain) {
    pieces.add(",\"$elements_chain\":").string(*chain);
  } else {
    pieces.add(",\"$elements\":").add(seen.elements);
  }
}

// Root members with a column or a rule of their own; the others go to `extra`.
bool has_own_place(std::string_view name) {
  switch (name.size()) {
    case 4:
      return name == "uuid" || name == "$set";
    case 5:
      return name == "event" || name == "token";
    case 6:
      return name == "offset" || name == "$token";
    case 7:
      return name == "api_key" || name == "context";
    case 9:
      return name == "timestamp" || name == "$set_once";
    case 10:
      return name == "properties";
    case 11:
      return name == "distinct_id";
    case 12:
      return name == "$distinct_id";
    default:
      return false;
  }
}

// What posthog-js sends among the properties and the row has in columns of the seed's.
bool has_row_column(std::string_view name) { return name == "distinct_id" || name == "token"; }

// Whether a column has the whole text of a property: it is not cut, and no other source fills it.
// `$session_id` stays: views of recordings read it, on tables without columns too.
bool is_in_column(const KnownProperty& known, std::string_view raw) {
  constexpr size_t kQuotes = 2;
  return known.column != KnownProperty::kNone &&
         static_cast<Column>(known.column) < Column::kExceptionType &&
         static_cast<Column>(known.column) != Column::kIsIdentified &&
         static_cast<Column>(known.column) != Column::kSessionId && raw.front() == '"' &&
         raw.size() > kQuotes && raw.size() <= limits::kColumnTextBytesMax + kQuotes;
}

// What a lean row's `properties` do without: null, and what stands in another column.
bool is_said_elsewhere(const Member& member, std::string_view name, const KnownProperty& known) {
  if (member.value.is_null() || is_in_column(known, member.value.raw())) return true;
  if (known.role != Role::kPlain) return false;
  return has_row_column(name) ||
         (rows::is_persons_own(name) && known.column == KnownProperty::kNone);
}

std::string_view mode_raw(std::string_view mode) {
  if (mode == "full") return "\"full\"";
  return mode == "propertyless" ? "\"propertyless\"" : "\"force_upgrade\"";
}

void add_person(Pieces& pieces, const PersonView& person, bool shows_created_at) {
  if (!person.person_id.empty()) pieces.add(",\"person_id\":").string(person.person_id);
  if (shows_created_at && person.person_created_at_ms) {
    pieces.add(",\"person_created_at\":").time(*person.person_created_at_ms);
  }
}

}  // namespace

RowWriter::RowWriter(const RequestHead& head, const RowShared& shared, const Config& config,
                     int64_t now_ms)
    : enrichment_(Enrichment::of(
          head, config.anonymize_ip || (shared.project != nullptr && shared.project->anonymize_ips)
                    ? IpPolicy::kAnonymize
                    : IpPolicy::kKeep)),
      team_id_(shared.project == nullptr ? config.team_id : shared.project->team_id),
      mode_(config.rows),
      person_properties_(config.person_properties) {
  Pieces(behind_timestamp_).add(",\"created_at\":").time(now_ms).add(",\"properties\":");
  Pieces(api_key_member_).add(",\"api_key\":").string(shared.token);
  const int64_t sent_at_ms = shared.sent_at_ms.value_or(kFirstWritableMs - 1);
  if (sent_at_ms >= kFirstWritableMs && sent_at_ms <= kLastWritableMs) {
    Pieces(sent_at_member_).add(",\"$sent_at\":").time(sent_at_ms);
  }
}

void RowWriter::append_head(std::string& out, const Head& head) const {
  Pieces(out)
      .add("{\"uuid\":\"")
      .add(head.uuid)
      .add("\",\"team_id\":")
      .add(std::to_string(head.team_id))
      .add(",\"source\":\"posthog\",\"event\":")
      .string(head.name)
      .add(",\"distinct_id\":")
      .string(head.distinct_id)
      .add(",\"timestamp\":")
      .time(head.timestamp_ms)
      .add(behind_timestamp_);
}

void RowWriter::append_fixed_head(std::string& out, const Event& event) const {
  append_head(out, {.uuid = event.uuid,
                    .team_id = event.team_id,
                    .name = event.name,
                    .distinct_id = event.distinct_id,
                    .timestamp_ms = event.timestamp_ms});
}

void RowWriter::append_properties(std::string& out, const Event& event, const PersonView& person,
                                  const GroupView& groups, Seen& seen) const {
  const size_t begin = out.size();
  seen.is_internal = event.is_internal;
  if (event.cookieless == CookielessPart::kKept) seen.left_out = kEnrichedFineMask;
  // History is sent again by an importer, whose connection says nothing about it.
  if (event.historical) seen.left_out = kEnrichedAllMask;
  if (event.properties.exists()) {
    MemberRun run(out);
    std::string scratch;
    const bool is_lean = mode_ == RowsMode::kLean;
    for (const Member member : event.properties.members()) {
      const std::string_view name = member.name(scratch);
      const KnownProperty& known = rows::known_property(name);
      if (known.column != KnownProperty::kNone) {
        seen.columns.lift(static_cast<Column>(known.column), member.value);
      }
      if (known.role == Role::kPlain) {
        if (!rows::is_persons_own(name)) {
          if (is_geoip_name(name)) seen.left_out |= kEnrichedPlaceMask;
        } else if (known.column == KnownProperty::kNone && !has_row_column(name)) {
          seen.custom.add(member);
        }
      } else if (!stays(member, known, event, person, groups, enrichment_, seen)) {
        run.leave_out();
        continue;
      }
      if (is_lean && is_said_elsewhere(member, name, known)) {
        run.leave_out();
      } else {
        run.keep(member);
      }
    }
    run.flush();
    if (is_lean && !seen.custom.fits()) append_own(out, event);
  }
  Pieces pieces(out);
  add_converted(pieces, event, seen, mode_ == RowsMode::kLean);
  if (mode_ == RowsMode::kFull) {
    if (!person.row_set.empty()) pieces.add(",\"$set\":").add(person.row_set);
    if (!person.row_set_once.empty()) pieces.add(",\"$set_once\":").add(person.row_set_once);
  }
  if (person.personless) pieces.add(",\"$process_person_profile\":false");
  for (size_t i = 0; i < groups.raw_values.size(); ++i) {
    if (groups.raw_values[i].empty() || person.personless) continue;
    pieces.add(kGroupProperties[i]).add(groups.raw_values[i]);
  }
  if (seen.is_internal && (seen.left_out & kEnrichedIpMask) == 0) {
    pieces.add(",\"$ip\":\"127.0.0.1\"");
    seen.left_out |= kEnrichedIpMask | kEnrichedPlaceMask;
  }
  pieces.flush();
  note_columns(person, seen);
  const bool is_lean = mode_ == RowsMode::kLean;
  enrichment_.append_members(out, is_lean ? seen.left_out | kPlacesMask : seen.left_out);
  close_object(out, begin);
}

// Of a lean row whose own properties do not fit into custom_properties: all of them.
void RowWriter::append_own(std::string& out, const Event& event) {
  MemberRun run(out);
  std::string scratch;
  for (const Member member : event.properties.members()) {
    if (!member.value.is_null() && rows::is_events_own(member.name(scratch))) {
      run.keep(member);
    } else {
      run.leave_out();
    }
  }
  run.flush();
}

// Columns whose values are not the client's properties, or not only.
void RowWriter::note_columns(const PersonView& person, Seen& seen) const {
  for (const auto& [index, column] : kPlaces) {
    const std::string_view raw = enrichment_.value_of(index);
    if (!raw.empty() && (seen.left_out >> index & 1u) == 0) seen.columns.set(column, raw);
  }
  if (person.is_identified) {
    seen.columns.set(Column::kIsIdentified, *person.is_identified ? "true" : "false");
  }
  if (!person.mode.empty()) seen.columns.set(Column::kPersonMode, mode_raw(person.mode));
  if (!seen.exception_list.exists() && !seen.exception_fingerprint.exists()) return;
  seen.exception = rows::exception_columns(seen.exception_list, seen.exception_fingerprint);
  const auto set = [&seen](Column column, std::string_view raw) {
    if (!raw.empty()) seen.columns.set(column, raw);
  };
  set(Column::kExceptionType, seen.exception.type);
  set(Column::kExceptionMessage, seen.exception.message);
  set(Column::kExceptionFingerprint, seen.exception.fingerprint);
}

void RowWriter::append_columns(std::string& out, const Event& event, Seen& seen,
                               size_t properties_bytes) {
  seen.columns.append(out, properties_bytes);
  if (seen.custom.empty()) return;
  out += kCustomColumn;
  seen.custom.append(out, event.properties, rows::is_events_own);
}

void RowWriter::append_extra_members(std::string& out, const Event& event, const PersonView& person,
                                     std::string_view time) const {
  MemberRun run(out);
  std::string scratch;
  Value timestamp;
  Value offset;
  for (const Member member : event.root.members()) {
    const std::string_view name = member.name(scratch);
    if (name == "timestamp") timestamp = member.value;
    if (name == "offset") offset = member.value;
    if (has_own_place(name)) {
      run.leave_out();
    } else {
      run.keep(member);
    }
  }
  run.flush();
  Pieces pieces(out);
  pieces.add(sent_at_member_);
  // What the client said about the time, when the column says something else.
  if (timestamp.exists() && timestamp.raw() != time) {
    pieces.add(",\"$client_timestamp\":").add(timestamp.raw());
  }
  if (offset.exists()) pieces.add(",\"$client_offset\":").add(offset.raw());
  if (event.historical) pieces.add(",\"$historical_migration\":true");
  if (!person.mode.empty() && person.mode != "full") {
    pieces.add(",\"$person_mode\":").string(person.mode);
  }
}

bool RowWriter::shows_person_properties(const PersonView& person) const {
  if (mode_ == RowsMode::kLean && person.person_properties == "{}") return false;
  return person_properties_ == PersonPropertiesMode::kRow ||
         (person_properties_ == PersonPropertiesMode::kChanged && person.is_changed);
}

bool RowWriter::append_event(const Event& event, const PersonView& person, const GroupView& groups,
                             RowBatch& rows) const {
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
  // The column's text, which the client's is compared with. A copy, because `out` may move.
  std::array<char, kTimeBytes> time;
  out.copy(time.data(), kTimeBytes, out.size() - behind_timestamp_.size() - kTimeBytes);
  const size_t properties = out.size();
  Seen seen;
  append_properties(out, event, person, groups, seen);
  const size_t properties_bytes = out.size() - properties;
  Pieces pieces(out);
  const Value context = event.root.find("context");
  if (context.exists() && !context.is_null()) pieces.add(",\"context\":").add(context.raw());
  const bool shows_state = shows_person_properties(person);
  add_person(pieces, person, shows_state || person_properties_ == PersonPropertiesMode::kRow);
  if (shows_state) {
    pieces.add(",\"person_properties\":").add(person.person_properties);
  }
  for (size_t i = 0; i < groups.keys.size(); ++i) {
    if (!groups.keys[i].empty()) pieces.add(kGroupColumns[i]).string(groups.keys[i]);
  }
  if (!groups.group_properties_json.empty()) {
    pieces.add(",\"group_properties\":").add(groups.group_properties_json);
  }
  pieces.add(api_key_member_).flush();
  const size_t before_extra = out.size();
  out += kExtraColumn;
  const size_t extra = out.size();
  append_extra_members(out, event, person, {time.data(), kTimeBytes});
  if (out.size() == extra) {
    out.resize(before_extra);
  } else {
    close_object(out, extra);
  }
  append_columns(out, event, seen, properties_bytes);
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
  std::string tail;
  Pieces pieces(tail);
  const Value context = event.root.find("context");
  if (context.exists() && !context.is_null()) {
    pieces.add(",\"context\":")
        .add(rows::shrink_object(std::string(context.raw()), kCutContextBytes));
  }
  const bool shows_state = shows_person_properties(person);
  add_person(pieces, person, shows_state || person_properties_ == PersonPropertiesMode::kRow);
  if (shows_state) {
    pieces.add(",\"person_properties\":")
        .add(rows::shrink_object(std::string(person.person_properties), kCutPersonBytes));
  }
  for (size_t i = 0; i < groups.keys.size(); ++i) {
    if (groups.keys[i].empty()) continue;
    pieces.add(kGroupColumns[i]).string(first_code_points(groups.keys[i], kCutGroupKeyChars));
  }
  if (!groups.group_properties_json.empty()) {
    pieces.add(",\"group_properties\":")
        .add(rows::shrink_object(groups.group_properties_json, kCutGroupsBytes));
  }
  std::string time;
  Pieces(time).time(event.timestamp_ms);
  std::string extra;
  // In one piece, as the properties below.
  const size_t own = event.properties.exists() ? event.properties.raw().size() : 0;
  extra.reserve(event.root.raw().size() - std::min(own, event.root.raw().size()) + kAddedBytesMax);
  append_extra_members(extra, event, person, time);
  close_object(extra, 0);
  pieces.add(api_key_member_)
      .add(kExtraColumn)
      .add(rows::shrink_object(std::move(extra), kCutExtraBytes))
      .flush();

  // In one piece: a string that grows takes twice its size again.
  std::string properties;
  properties.reserve((event.properties.exists() ? event.properties.raw().size() : 0) +
                     person.row_set.size() + person.row_set_once.size() + kAddedBytesMax);
  Seen seen;
  append_properties(properties, event, person, groups, seen);
  std::string columns;
  append_columns(columns, event, seen, limits::kRowBytesMax);

  const size_t begin = out.size();
  append_fixed_head(out, event);
  const size_t fixed = out.size() - begin + tail.size() + columns.size() + 1;
  properties = rows::shrink_object(std::move(properties), limits::kRowBytesMax - fixed);
  out += properties;
  out += tail;
  append_columns(out, event, seen, properties.size());
  out += '}';
}

}  // namespace hogflare
