#include "hogflare/groups_run.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "hogflare/identity.h"
#include "hogflare/js_string.h"
#include "hogflare/limits.h"
#include "hogflare/memory_limits.h"
#include "hogflare/property_bag.h"
#include "hogflare/reply_room.h"
#include "hogflare/text.h"

namespace hogflare {
namespace {

constexpr uint32_t kRetryDelayMs = 50;
constexpr int kAttemptsMax = 3;

constexpr std::string_view kGroups = "$groups";
constexpr std::string_view kSwitch = "$process_person_profile";

bool is_truthy(json::Value value) {
  if (!value.exists() || value.is_null() || value.is_false()) return false;
  if (value.is_string()) return value.raw().size() > 2;
  return !value.is_number() || js_number_text(value.raw()) != "0";
}

bool is_too_long(std::string_view name) {
  return first_code_points(name, limits::kGroupNameChars).size() < name.size();
}

// Nullopt: too long for a name.
std::optional<std::string> id_text(json::Value value) {
  std::optional<std::string> text = js_string(value);
  if (text) replace_nul(*text);
  if (text && is_too_long(*text)) return std::nullopt;
  return text;
}

// The members of an object that may lie below its document's index.
class MembersOf {
 public:
  explicit MembersOf(json::Value object) : value_(object) {
    if (!object.members().empty() || object.raw().find('"') == std::string_view::npos) return;
    Result<json::Document> parsed = json::Document::parse_const(object.raw(), 1);
    if (!parsed.ok()) return;  // more members than a document may hold
    document_ = std::move(parsed).value();
    value_ = document_->root();
  }
  json::Members members() const { return value_.members(); }

 private:
  std::optional<json::Document> document_;
  json::Value value_;
};

}  // namespace

GroupsRun::GroupsRun(std::span<const Event> events, const Project& project, IdentityCaches& caches,
                     RequestBudget& budget)
    : source_(events), project_(project), caches_(caches), budget_(budget) {}

size_t GroupsRun::plan(const Config& config) {
  configured_ = config.has_group_types;
  // I-10.8: personless events have no groups.
  if (project_.person_processing_opt_out) return 0;
  for (size_t i = 0; i < source_.size(); ++i) find_groups(i);
  if (events_.empty()) return 0;
  if (configured_) {
    types_.assign(config.group_types.begin(), config.group_types.end());
  } else if (const auto* known = caches_.group_types(project_.team_id)) {
    types_ = *known;
  }
  return planned_calls();
}

// Until the types are known, any may turn out to have a slot.
size_t GroupsRun::planned_calls() const {
  const bool asks = must_ask_types();
  std::set<std::pair<std::string_view, std::string_view>> groups;
  for (const EventGroups& event : events_) {
    for (const Named& named : event.named) {
      if (asks || is_kept(named.type)) groups.emplace(named.type, named.key);
    }
  }
  return groups.size() + (asks ? 1 : 0);
}

bool GroupsRun::must_ask_types() const {
  if (configured_) return false;
  const bool is_full = types_.size() == static_cast<size_t>(limits::kGroupTypes);
  const auto is_known = [&](const std::string& type) { return slot_of(type) >= 0; };
  const bool all_known = std::all_of(wanted_types_.begin(), wanted_types_.end(), is_known) &&
                         std::all_of(read_types_.begin(), read_types_.end(), is_known);
  return !is_full && !all_known;
}

void GroupsRun::start(const Turn&, Effects& effects) {
  if (events_.empty()) return;
  if (must_ask_types()) {
    ask_types(effects);
  } else {
    call_groups(effects);
  }
}

// An AI event shows the groups there are and gives no type its slot.
void GroupsRun::want_type(const Event& event, const std::string& type) {
  if (is_ai_event(event.name)) {
    read_types_.push_back(type);
    return;
  }
  if (wanted_.insert(type).second) wanted_types_.push_back(type);
}

GroupsRun::EventGroups& GroupsRun::groups_of(size_t event) {
  if (events_.empty()) events_.resize(source_.size());
  return events_[event];
}

void GroupsRun::find_groups(size_t index) {
  const Event& event = source_[index];
  if (event.person_processing_off || !event.counts()) return;
  json::Value groups;
  bool is_off = false;
  if (event.properties.exists()) {
    for (const json::Member member : event.properties.members()) {
      // By the name's length first, which the index knows: most names are neither.
      const uint32_t size = member.value.node().key_size;
      if (size != kGroups.size() && size != kSwitch.size() && size != json::Node::kOddKey) continue;
      if (member.key_is(kGroups)) groups = member.value;
      if (member.key_is(kSwitch)) is_off = member.value.is_false();
    }
  }
  if (is_off || refusal_of(event)) return;
  if (groups.is_object()) find_named(index, groups);
  if (event.name == "$groupidentify") find_identified(index);
}

void GroupsRun::find_named(size_t index, json::Value groups) {
  const MembersOf of(groups);
  size_t count = 0;
  bool is_long = false;
  for (const json::Member member : of.members()) {
    if (++count > limits::kGroupsPerEventMax) {
      warnings_.push_back({index, "too_many_groups",
                           "the event names more than " +
                               std::to_string(limits::kGroupsPerEventMax) +
                               " groups; the rest was ignored"});
      break;
    }
    std::optional<std::string> key;
    if (member.raw_key().size() <= limits::kIdRawBytesMax) key = id_text(member.value);
    if (!key) {
      is_long = true;
      continue;
    }
    Named named;
    named.type = member.key();
    if (is_too_long(named.type)) {
      is_long = true;
      continue;
    }
    named.key = std::move(*key);
    named.raw_key = member.value.raw();
    want_type(source_[index], named.type);
    groups_of(index).named.push_back(std::move(named));
  }
  if (is_long) warn_of_long_name(index);
}

void GroupsRun::warn_of_long_name(size_t index) {
  warnings_.push_back({index, "group_name_too_long",
                       "a group type or key has more than " +
                           std::to_string(limits::kGroupNameChars) +
                           " characters; the group was ignored"});
}

void GroupsRun::find_identified(size_t index) {
  const Event& event = source_[index];
  if (!event.properties.exists()) return;
  const json::Value type = event.properties.find("$group_type");
  const json::Value key = event.properties.find("$group_key");
  if (!is_truthy(type) || !is_truthy(key)) return;
  const json::Value set = event.properties.find("$group_set");
  const bool is_absent = !set.exists() || set.is_null();
  if (!is_absent && !set.is_object()) {
    warnings_.push_back(
        {index, "invalid_group_set", "$group_set must be an object; the group was not changed"});
    return;
  }
  std::optional<std::string> type_text = id_text(type);
  std::optional<std::string> key_text = id_text(key);
  if (!type_text || !key_text) return warn_of_long_name(index);
  if (!is_absent && set.raw().size() > limits::kPersonPropertiesBytesMax) {
    warnings_.push_back({index, "group_upsert_message_size_too_large",
                         "$group_set has more than " +
                             std::to_string(limits::kPersonPropertiesBytesMax) +
                             " bytes; the group was not changed"});
    return;
  }
  EventGroups& found = groups_of(index);
  PropertyBag bag;
  if (!is_absent) bag.add(set);
  found.set = bag.text();
  found.identifies = true;
  Named named;
  named.type = std::move(*type_text);
  named.key = std::move(*key_text);
  want_type(event, named.type);
  found.named.push_back(std::move(named));
}

int GroupsRun::slot_of(std::string_view type) const {
  const auto found = std::find(types_.begin(), types_.end(), type);
  return found == types_.end() || type.empty() ? -1 : static_cast<int>(found - types_.begin());
}

// With configured slots, a type without one keeps its groups, as in the seed; where slots are given
// by first sight a sixth type is ignored, as PostHog does.
bool GroupsRun::is_kept(std::string_view type) const { return configured_ || slot_of(type) >= 0; }

void GroupsRun::ask_types(Effects& effects) {
  types_failed_ = !budget_.take_object_call();
  if (types_failed_) return;
  const std::vector<std::string_view> types(wanted_types_.begin(), wanted_types_.end());
  const uint32_t id =
      effects.add(CallObject{ObjectClass::kGroup, group_types_object_name(project_.team_id),
                             write_group_types_call(types)});
  in_flight_.emplace(id, Sent{SentKind::kTypes, 0});
}

void GroupsRun::resume(const Turn& turn, EffectResult result, Effects& effects) {
  const auto found = in_flight_.find(result.id);
  HF_ASSERT(found != in_flight_.end());
  const Sent sent = found->second;
  in_flight_.erase(found);
  switch (sent.kind) {
    case SentKind::kTypes:
      return types_answered(turn, result, effects);
    case SentKind::kTypesWait:
      return ask_types(effects);
    case SentKind::kGroup:
      return group_answered(sent.group, turn, result, effects);
    case SentKind::kGroupWait:
      call_group(sent.group, effects);
      return call_more(effects);
  }
}

void GroupsRun::wait(const Turn& turn, Effects& effects, Sent then) {
  const auto delay_ms = static_cast<uint32_t>(kRetryDelayMs + turn.entropy.below(kRetryDelayMs));
  in_flight_.emplace(effects.add(Wait{delay_ms}), then);
}

void GroupsRun::types_answered(const Turn& turn, const EffectResult& result, Effects& effects) {
  std::optional<std::vector<std::string>> types;
  if (result.ok) types = read_group_types_reply(result.body);
  if (types.has_value()) {
    types_ = *types;
    caches_.remember_group_types(project_.team_id, std::move(*types));
    call_groups(effects);
  } else if (++types_attempts_ < kAttemptsMax) {
    wait(turn, effects, {SentKind::kTypesWait, 0});
  } else {
    types_failed_ = true;
  }
}

void GroupsRun::call_groups(Effects& effects) {
  std::map<std::pair<std::string_view, std::string_view>, size_t> known;
  for (size_t i = 0; i < events_.size(); ++i) {
    for (Named& named : events_[i].named) {
      if (!is_kept(named.type)) continue;
      const auto [found, is_new] = known.try_emplace({named.type, named.key}, groups_.size());
      if (is_new) {
        groups_.emplace_back();
        groups_.back().type = named.type;
        groups_.back().key = named.key;
      }
      named.group = found->second;
      groups_[named.group].events.push_back(i);
    }
    if (events_[i].identifies && events_[i].named.back().group != kNoGroup) {
      groups_[events_[i].named.back().group].ops.push_back(i);
    }
  }
  unanswered_ = groups_.size();
  call_more(effects);
}

void GroupsRun::call_more(Effects& effects) {
  while (next_group_ < groups_.size() && in_flight_.size() < limits::kObjectCallsInFlight) {
    call_group(next_group_++, effects);
  }
}

void GroupsRun::call_group(size_t index, Effects& effects) {
  Group& group = groups_[index];
  group.failed = !budget_.take_object_call();
  if (group.failed) {
    --unanswered_;
    return;
  }
  std::vector<GroupOp> ops;
  size_t op_bytes = 0;
  for (const size_t event : group.ops) {
    ops.push_back({events_[event].set, source_[event].timestamp_ms});
    op_bytes += events_[event].set.size();
  }
  const size_t kept = memory_bytes_ + held_bytes_;
  const size_t open = std::min(unanswered_, limits::kObjectCallsInFlight);
  const ReplyRoom room =
      hold_reply(budget_.memory, {.op_bytes = op_bytes,
                                  .kept_left = limits::kKeptGroupTextsBytesMax -
                                               std::min(limits::kKeptGroupTextsBytesMax, kept),
                                  .calls = open - std::min(open, in_flight_.size())});
  group.held_bytes = room.held_bytes;
  held_bytes_ += room.held_bytes;
  // An object of the version before understands the second try.
  const bool says_room = group.attempts % 2 == 0;
  const uint32_t id = effects.add(
      CallObject{ObjectClass::kGroup, group_object_name(project_.team_id, group.type, group.key),
                 write_group_call(ops, says_room ? room.bytes : SIZE_MAX)});
  in_flight_.emplace(id, Sent{SentKind::kGroup, index});
}

void GroupsRun::group_answered(size_t index, const Turn& turn, const EffectResult& result,
                               Effects& effects) {
  Group& group = groups_[index];
  budget_.memory.give_back(group.held_bytes);
  held_bytes_ -= std::exchange(group.held_bytes, 0);
  std::optional<GroupReply> reply;
  if (result.ok) reply = read_group_reply(result.body);
  if (reply.has_value() && reply->after.size() == group.ops.size()) {
    keep(group, std::move(*reply));
    take_texts(index);
  } else if (++group.attempts < kAttemptsMax) {
    wait(turn, effects, {SentKind::kGroupWait, index});
    return;
  } else {
    group.failed = true;
  }
  --unanswered_;
  call_more(effects);
}

// What there is no memory for the rows do without.
void GroupsRun::keep(Group& group, GroupReply reply) {
  size_t bytes = 0;
  for (const std::string& text : reply.texts) bytes += text.size();
  group.left_out = reply.left_out || memory_bytes_ + bytes > limits::kKeptGroupTextsBytesMax ||
                   !budget_.memory.take(bytes);
  if (group.left_out) {
    reply.texts = {"{}"};
    reply.after.assign(reply.after.size(), 0);
  } else {
    memory_bytes_ += bytes;
  }
  group.reply = std::move(reply);
}

// Which of the reply's texts each event shows: the group as it was after that event.
void GroupsRun::take_texts(size_t index) {
  const Group& group = groups_[index];
  size_t op = 0;
  uint32_t text = 0;
  for (const size_t event : group.events) {
    if (op < group.ops.size() && group.ops[op] == event) {
      if (group.reply.too_large[op]) {
        warnings_.push_back({event, "group_upsert_message_size_too_large",
                             "the group's properties would be larger than " +
                                 std::to_string(limits::kPersonPropertiesBytesMax) +
                                 " bytes; this event did not change them"});
      }
      text = group.reply.after[op++];
    }
    for (Named& named : events_[event].named) {
      if (named.group == index) named.text = text;
    }
  }
}

bool GroupsRun::failed(size_t event) const {
  if (events_.empty()) return false;
  const EventGroups& found = events_[event];
  if (types_failed_) return !found.named.empty();
  return std::any_of(found.named.begin(), found.named.end(), [&](const Named& named) {
    return named.group != kNoGroup && groups_[named.group].failed;
  });
}

GroupView GroupsRun::take_view(size_t event, uint64_t properties_bytes_max) const {
  HF_ASSERT(finished());
  GroupView view;
  if (events_.empty()) return view;
  std::string& properties = view.group_properties_json;
  std::set<std::string_view> shown;
  for (const Named& named : events_[event].named) {
    if (named.group == kNoGroup || groups_[named.group].failed) continue;
    const int slot = slot_of(named.type);
    if (slot >= 0) {
      view.keys[static_cast<size_t>(slot)] = named.key;
      if (!named.raw_key.empty()) view.raw_values[static_cast<size_t>(slot)] = named.raw_key;
    }
    if (!shown.insert(named.type).second) continue;
    const std::string& text = groups_[named.group].reply.texts[named.text];
    // A row holds less than this in all.
    const bool has_room = properties.size() + named.type.size() + text.size() <=
                          std::min<uint64_t>(limits::kRowBytesMax, properties_bytes_max);
    view.properties_left_out |= groups_[named.group].left_out || !has_room;
    if (!has_room) continue;
    properties += properties.empty() ? "{" : ",";
    json::append_string(properties, named.type);
    properties += ':';
    properties += text;
  }
  if (!properties.empty()) properties += '}';
  return view;
}

}  // namespace hogflare
