#include "hogflare/person_state.h"

#include <algorithm>
#include <set>
#include <utility>

#include "hogflare/cookieless.h"
#include "hogflare/group_calls.h"
#include "hogflare/limits.h"
#include "hogflare/property_bag.h"
#include "hogflare/reply_room.h"
#include "hogflare/text.h"
#include "hogflare/timestamp.h"

namespace hogflare {
namespace {

constexpr int kAttemptsMax = 2;

// Of a list that grows there are up to three copies' worth for a moment: it doubles, and the half
// of it that is full is copied.
constexpr size_t kGrowthMax = 3;
// Ids and continuity keys in an answer: short ones have a string's head beside them.
constexpr size_t kTextsPerByte = 4;

size_t values_in(std::string_view text) {
  size_t count = 1;
  for (const char c : text) count += (c == ',') | (c == '{') | (c == '[');
  return std::min(count, limits::kFlagValuesMax);
}

size_t text_bytes_of(const ApplyReply& reply) {
  size_t bytes = 0;
  for (const std::string_view text : reply.property_texts) bytes += text.size();
  return bytes;
}

bool is_too_long(std::string_view group_key) {
  return first_code_points(group_key, limits::kGroupNameChars).size() < group_key.size();
}

// For the largest properties, and what stands beside them in an answer.
ReplyRoom hold_properties(MemoryShare& memory) {
  constexpr size_t kBeside = 1'024;
  return hold_reply(memory, {.kept_left = limits::kPersonPropertiesBytesMax + kBeside});
}

}  // namespace

StoredStateRun::StoredStateRun(int64_t team_id, const flags::Request& request,
                               const flags::Needs& wanted, const flags::Definitions& definitions,
                               IdentityCaches& caches, MemoryShare& memory)
    : team_id_(team_id),
      request_(request),
      wanted_(wanted),
      definitions_(definitions),
      caches_(caches),
      memory_(memory) {}

void StoredStateRun::start(const Turn&, Effects& effects) {
  if (wanted_.person || wanted_.hash_keys) {
    lookups_.emplace_back();
    lookups_.back().distinct_id = request_.distinct_id;
    lookups_.back().is_main = true;
  }
  const std::optional<std::string>& anonymous = request_.anon_distinct_id;
  if (wanted_.hash_keys && anonymous && !anonymous->empty() && *anonymous != request_.distinct_id) {
    lookups_.emplace_back();
    lookups_.back().distinct_id = *anonymous;
  }
  open_lookups_ = lookups_.size();
  for (size_t i = 0; i < lookups_.size(); ++i) {
    lookups_[i].owner = owner_of(lookups_[i].distinct_id);
    look_up(i, effects);
  }
  // No event of such a group is taken, so that nothing is stored of it.
  std::erase_if(wanted_.groups, [](const auto& group) { return is_too_long(group.second); });
  for (const auto& [type, key] : wanted_.groups) {
    state_.groups.emplace_back();
    state_.groups.back().type = type;
    group_calls_.emplace_back();
    call_group(state_.groups.size() - 1, effects);
  }
}

std::string StoredStateRun::owner_of(const std::string& distinct_id) const {
  std::string owner = distinct_id;
  for (int hop = 0; hop < limits::kRedirectHopsMax; ++hop) {
    const std::string* hint = caches_.redirect_of(team_id_, owner);
    if (hint == nullptr) break;
    owner = *hint;
  }
  return owner;
}

void StoredStateRun::look_up(size_t index, Effects& effects) {
  Lookup& lookup = lookups_[index];
  PersonOp op;
  op.distinct_id = lookup.distinct_id;
  op.access = PersonAccess::kRead;
  if (lookup.is_main && wanted_.person_ids) op.unset.push_back("distinct_ids");
  if (lookup.writes) {
    op.unset.clear();
    op.access = PersonAccess::kWriteHashKeys;
    op.other = *request_.anon_distinct_id;
    for (const std::string& flag : flags_to_store_) op.unset.push_back(flag);
  }
  ReplyRoom room;
  if (lookup.is_main && wanted_.person && !lookup.writes) room = hold_properties(memory_);
  lookup.held_bytes = room.held_bytes;
  ApplyRequest request;
  // Said a little smaller than it is, but for what is not held.
  request.texts_bytes_max =
      told_bytes(room.held_bytes > 0 ? room.bytes : room.bytes + room.bytes / 3);
  request.team_id = team_id_;
  request.self = lookup.owner;
  request.ops.push_back(std::move(op));
  const uint32_t id =
      effects.add(CallObject{ObjectClass::kPerson, person_object_name(team_id_, lookup.owner),
                             write_apply(request), limits::kFlagsReadTimeoutMs});
  in_flight_.emplace(id, Sent{false, index});
}

void StoredStateRun::resume(const Turn&, EffectResult result, Effects& effects) {
  const auto found = in_flight_.find(result.id);
  HF_ASSERT(found != in_flight_.end());
  const Sent sent = found->second;
  in_flight_.erase(found);
  if (sent.is_group) {
    group_answered(sent.index, result, effects);
  } else {
    looked_up(sent.index, std::move(result), effects);
  }
}

void StoredStateRun::looked_up(size_t index, EffectResult result, Effects& effects) {
  Lookup& lookup = lookups_[index];
  memory_.give_back(std::exchange(lookup.held_bytes, 0));
  std::optional<ApplyReply> reply;
  if (result.ok) reply = read_apply_reply(std::move(result.body));
  if (reply.has_value() && reply->status == ApplyStatus::kMoved &&
      ++lookup.hops <= limits::kRedirectHopsMax) {
    caches_.remember_redirect(person_object_name(team_id_, lookup.owner), reply->moved_to);
    lookup.owner = reply->moved_to;
    look_up(index, effects);
    return;
  }
  const bool is_answer =
      reply.has_value() && reply->status == ApplyStatus::kDone && reply->results.size() == 1;
  if (is_answer && take_person(lookup, *reply)) {
    // All of it is there.
  } else if (++lookup.attempts < kAttemptsMax) {
    look_up(index, effects);
    return;
  } else {
    lookup.failed = true;
  }
  if (--open_lookups_ == 0) people_answered(effects);
}

bool StoredStateRun::take_person(Lookup& lookup, const ApplyReply& reply) {
  const OpResult& found = reply.results[0];
  const bool takes_properties = found.exists && lookup.is_main && !lookup.writes && wanted_.person;
  if (takes_properties && found.properties_left_out) return false;
  const size_t others = reply.bytes.size() - std::min(reply.bytes.size(), text_bytes_of(reply));
  if (memory_.hold_more(kTextsPerByte * others)) return false;
  if (takes_properties &&
      !read_properties(reply.property_texts[found.properties], state_.person_properties)) {
    return false;
  }
  lookup.exists = found.exists;
  lookup.uuid = found.uuid;
  lookup.hash_keys.clear();
  const bool takes_ids = lookup.is_main && !lookup.writes;
  if (takes_ids && found.exists) state_.person_ids.emplace_back(found.uuid);
  for (const HashKey& key : found.hash_keys) {
    if (!key.flag.empty()) {
      lookup.hash_keys.push_back(key);
    } else if (takes_ids && key.hash_key.empty()) {
      state_.has_all_person_ids = false;
    } else if (takes_ids) {
      state_.person_ids.push_back(key.hash_key);
    }
  }
  if (!found.exists || !lookup.is_main || lookup.writes) return true;
  state_.person_exists = true;
  state_.person_created_at.clear();
  append_rfc3339(state_.person_created_at, found.created_at_ms);
  return true;
}

// A small text may become many values: they are held before they are made. False: no room.
bool StoredStateRun::read_properties(std::string_view text, flags::Value& properties) {
  const size_t kept = 2 * text.size() + values_in(text) * sizeof(flags::Value);
  if (memory_.hold_more(kGrowthMax * kept)) return false;
  Result<flags::Value> parsed =
      flags::parse_value(text, limits::kFlagValuesMax, flags::Keep::kLong);
  properties = parsed.ok() ? std::move(parsed).value() : flags::Value::object();
  properties.sort_keys();
  memory_.give_back((kGrowthMax - 1) * kept);
  return true;
}

// All people were read, or all keys written.
void StoredStateRun::people_answered(Effects& effects) {
  state_.hash_keys.clear();
  std::set<std::string_view> known;
  for (const Lookup& lookup : lookups_) {
    if (lookup.failed) state_.hash_keys_read = flags::Read::kFailed;
    if (lookup.failed && lookup.is_main) state_.person_read = flags::Read::kFailed;
    for (const HashKey& key : lookup.hash_keys) {
      // An older version may have stored them.
      if (key.hash_key.empty() || is_cookieless_placeholder(key.hash_key)) continue;
      if (!known.insert(key.flag).second) continue;
      state_.hash_keys.emplace_back(key.flag, key.hash_key);
    }
  }
  const bool has_written = !flags_to_store_.empty();
  if (!may_write_ || !wanted_.hash_keys || has_written) return;
  if (state_.hash_keys_read == flags::Read::kFailed) return;
  flags_to_store_ = flags::hash_keys_to_store(definitions_, request_, state_);
  if (flags_to_store_.empty()) return;
  for (size_t i = 0; i < lookups_.size(); ++i) {
    if (!lookups_[i].exists) continue;
    // Both ids may be one person's.
    if (i > 0 && lookups_[0].exists && lookups_[0].uuid == lookups_[i].uuid) continue;
    lookups_[i].writes = true;
    lookups_[i].attempts = 0;
    ++open_lookups_;
    look_up(i, effects);
  }
}

void StoredStateRun::call_group(size_t index, Effects& effects) {
  const auto& [type, key] = wanted_.groups[index];
  GroupCall& call = group_calls_[index];
  ReplyRoom room{SIZE_MAX, limits::kPersonPropertiesBytesMax};
  if (call.says_room) {
    room = hold_properties(memory_);
  } else if (!memory_.take(room.held_bytes)) {
    state_.groups[index].read = flags::Read::kFailed;
    return;
  }
  call.held_bytes = room.held_bytes;
  const uint32_t id =
      effects.add(CallObject{ObjectClass::kGroup, group_object_name(team_id_, type, key),
                             write_group_call({}, room.bytes), limits::kFlagsReadTimeoutMs});
  in_flight_.emplace(id, Sent{true, index});
}

void StoredStateRun::group_answered(size_t index, const EffectResult& result, Effects& effects) {
  GroupCall& call = group_calls_[index];
  memory_.give_back(std::exchange(call.held_bytes, 0));
  std::optional<GroupReply> reply;
  if (result.ok) reply = read_group_reply(result.body);
  if (reply.has_value() && !reply->left_out &&
      read_properties(reply->texts.front(), state_.groups[index].properties)) {
    // All of it is there.
  } else if (++call.attempts < kAttemptsMax) {
    call.says_room = reply.has_value();
    call_group(index, effects);
  } else {
    state_.groups[index].read = flags::Read::kFailed;
  }
}

}  // namespace hogflare
