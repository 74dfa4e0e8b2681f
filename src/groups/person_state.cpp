#include "hogflare/person_state.h"

#include <algorithm>

#include "hogflare/cookieless.h"
#include "hogflare/group_calls.h"
#include "hogflare/limits.h"
#include "hogflare/property_bag.h"
#include "hogflare/timestamp.h"

namespace hogflare {
namespace {

constexpr int kAttemptsMax = 2;

flags::Value properties_value(std::string_view text) {
  Result<flags::Value> parsed = flags::parse_value(text);
  return parsed.ok() ? std::move(parsed).value() : flags::Value::object();
}

}  // namespace

StoredStateRun::StoredStateRun(int64_t team_id, const flags::Request& request,
                               const flags::Needs& wanted, const flags::Definitions& definitions,
                               IdentityCaches& caches)
    : team_id_(team_id),
      request_(request),
      wanted_(wanted),
      definitions_(definitions),
      caches_(caches) {}

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
  for (const auto& [type, key] : wanted_.groups) {
    state_.groups.emplace_back();
    state_.groups.back().type = type;
    group_attempts_.push_back(0);
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
  const Lookup& lookup = lookups_[index];
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
  ApplyRequest request;
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
  std::optional<ApplyReply> reply;
  if (result.ok) reply = read_apply_reply(std::move(result.body));
  if (reply.has_value() && reply->status == ApplyStatus::kMoved &&
      ++lookup.hops <= limits::kRedirectHopsMax) {
    caches_.remember_redirect(person_object_name(team_id_, lookup.owner), reply->moved_to);
    lookup.owner = reply->moved_to;
    look_up(index, effects);
    return;
  }
  if (reply.has_value() && reply->status == ApplyStatus::kDone && reply->results.size() == 1) {
    take_person(lookup, *reply);
  } else if (++lookup.attempts < kAttemptsMax) {
    look_up(index, effects);
    return;
  } else {
    lookup.failed = true;
  }
  if (--open_lookups_ == 0) people_answered(effects);
}

void StoredStateRun::take_person(Lookup& lookup, const ApplyReply& reply) {
  const OpResult& found = reply.results[0];
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
  if (!found.exists || !lookup.is_main || lookup.writes) return;
  state_.person_exists = true;
  state_.person_properties = properties_value(reply.property_texts[found.properties]);
  state_.person_properties.sort_keys();
  state_.person_created_at.clear();
  append_rfc3339(state_.person_created_at, found.created_at_ms);
}

// All people were read, or all keys written.
void StoredStateRun::people_answered(Effects& effects) {
  state_.hash_keys.clear();
  for (const Lookup& lookup : lookups_) {
    if (lookup.failed) state_.hash_keys_read = flags::Read::kFailed;
    if (lookup.failed && lookup.is_main) state_.person_read = flags::Read::kFailed;
    for (const HashKey& key : lookup.hash_keys) {
      // An older version may have stored them.
      if (key.hash_key.empty() || is_cookieless_placeholder(key.hash_key)) continue;
      const auto same = [&](const auto& known) { return known.first == key.flag; };
      if (std::any_of(state_.hash_keys.begin(), state_.hash_keys.end(), same)) continue;
      state_.hash_keys.emplace_back(key.flag, key.hash_key);
    }
  }
  const bool has_written = !flags_to_store_.empty();
  if (!wanted_.hash_keys || has_written || state_.hash_keys_read == flags::Read::kFailed) return;
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
  const uint32_t id =
      effects.add(CallObject{ObjectClass::kGroup, group_object_name(team_id_, type, key),
                             write_group_call({}), limits::kFlagsReadTimeoutMs});
  in_flight_.emplace(id, Sent{true, index});
}

void StoredStateRun::group_answered(size_t index, const EffectResult& result, Effects& effects) {
  std::optional<GroupReply> reply;
  if (result.ok) reply = read_group_reply(result.body);
  if (reply.has_value()) {
    state_.groups[index].properties = properties_value(reply->texts.front());
    state_.groups[index].properties.sort_keys();
  } else if (++group_attempts_[index] < kAttemptsMax) {
    call_group(index, effects);
  } else {
    state_.groups[index].read = flags::Read::kFailed;
  }
}

}  // namespace hogflare
