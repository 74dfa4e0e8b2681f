#include "hogflare/people_run.h"

#include <algorithm>
#include <set>
#include <utility>

#include "hogflare/limits.h"
#include "hogflare/memory_limits.h"
#include "hogflare/person_object.h"
#include "hogflare/reply_room.h"
#include "hogflare/uuid.h"

namespace hogflare {
namespace {

constexpr uint32_t kBusyDelayMs = 25;
constexpr uint32_t kFailedDelayMs = 50;
// Computed ids that a request keeps beside the last one: each takes a digest to compute.
constexpr size_t kComputedPeopleMax = 16;

// Union by the smaller index, so that a group's root is its first event.
size_t find_root(std::vector<size_t>& parents, size_t index) {
  while (parents[index] != index) {
    parents[index] = parents[parents[index]];
    index = parents[index];
  }
  return index;
}

}  // namespace

PeopleRun::PeopleRun(std::span<const Event> events, const Project& project, IdentityCaches& caches,
                     RequestBudget& budget, const ConnectionPlace* place)
    : source_(events),
      project_(project),
      caches_(caches),
      place_(place),
      budget_(budget),
      events_(events.size()) {}

PeopleRun::~PeopleRun() { budget_.memory.give_back(memory_bytes_ + held_bytes_); }

// For each event that calls an object, the first event that merges connect it with.
std::vector<size_t> PeopleRun::find_connected() const {
  std::map<std::string_view, size_t> first_of;  // distinct id → an event of its chain
  std::vector<size_t> parents(events_.size());
  const auto join = [&](size_t event, std::string_view id) {
    const auto [found, is_new] = first_of.try_emplace(id, event);
    if (is_new) return;
    const size_t left = find_root(parents, event);
    const size_t right = find_root(parents, found->second);
    parents[std::max(left, right)] = std::min(left, right);
  };
  for (size_t i = 0; i < events_.size(); ++i) {
    parents[i] = i;
    const IdentityPlan& plan = events_[i].plan;
    if (plan.kind != IdentityPlan::Kind::kCall) continue;
    join(i, source_[i].distinct_id);
    if (plan.merge != MergeKind::kNone) join(i, plan.other);
  }
  for (size_t i = 0; i < events_.size(); ++i) parents[i] = find_root(parents, i);
  return parents;
}

// `calls` is how many events call an object.
void PeopleRun::plan_chains(size_t calls) {
  if (calls == 0) return;
  const std::vector<size_t> first_of = calls > 1 ? find_connected() : std::vector<size_t>();
  std::vector<size_t> chain_of(calls > 1 ? events_.size() : 0);
  for (size_t i = 0; i < events_.size(); ++i) {
    if (events_[i].plan.kind != IdentityPlan::Kind::kCall) continue;
    const bool is_first = calls == 1 || first_of[i] == i;
    const size_t chain = is_first ? chains_.size() : chain_of[first_of[i]];
    if (is_first) chains_.emplace_back();
    if (calls > 1) chain_of[i] = chain;
    chains_[chain].events.push_back(i);
  }
  replies_.reserve(chains_.size());
  open_ = chains_.size();
}

size_t PeopleRun::plan(const Turn& turn) {
  personless_ = turn.config.personless;
  wants_changes_ = turn.config.sinks[static_cast<size_t>(Stream::kPersons)] != SinkKind::kNone;
  size_t calls = 0;
  for (size_t i = 0; i < events_.size(); ++i) {
    IdentityPlan& plan = events_[i].plan;
    const ConnectionPlace* const place = source_[i].historical ? nullptr : place_;
    plan = plan_identity(source_[i], {project_, personless_, turn.now_ms, place});
    calls += plan.kind == IdentityPlan::Kind::kCall ? 1 : 0;
    for (NamedWarning& warning : plan.warnings) {
      if (warning.is_limited && !caches_.may_warn(project_.team_id, warning.name, turn.now_ms)) {
        turn.metrics.count_warning(warning.name);
        continue;
      }
      warnings_.push_back({i, std::string(warning.name), std::move(warning.detail),
                           plan.kind == IdentityPlan::Kind::kDrop});
    }
    plan.warnings.clear();
  }
  plan_chains(calls);
  return planned_calls();
}

// One call carries the events of a chain that follow one another with one distinct id; where merges
// succeed it carries more.
size_t PeopleRun::planned_calls() const {
  size_t calls = chains_.size();
  for (const Chain& chain : chains_) {
    for (size_t i = 1; i < chain.events.size(); ++i) {
      calls += source_[chain.events[i]].distinct_id != source_[chain.events[i - 1]].distinct_id;
    }
  }
  return calls;
}

void PeopleRun::start(const Turn& turn, Effects& effects) { start_more(turn, effects); }

void PeopleRun::start_more(const Turn& turn, Effects& effects) {
  while (next_chain_ < chains_.size() && calls_in_flight_ < limits::kObjectCallsInFlight) {
    send(next_chain_++, turn, effects);
  }
}

std::string_view PeopleRun::owner_of(const Chain& chain, std::string_view distinct_id) const {
  std::string_view owner = distinct_id;
  for (int hop = 0; hop < limits::kRedirectHopsMax; ++hop) {
    if (!chain.moved.empty()) {
      const auto moved = chain.moved.find(owner);
      if (moved != chain.moved.end()) {
        owner = moved->second;
        continue;
      }
    }
    const std::string* hint = caches_.redirect_of(project_.team_id, owner);
    if (hint == nullptr) break;
    owner = *hint;
  }
  return owner;
}

// The operations from chain.next on that belong to chain.target, as far as one call may carry them.
ApplyRequest PeopleRun::next_request(Chain& chain) const {
  ApplyRequest request;
  request.team_id = project_.team_id;
  request.personless = personless_;
  request.wants_changes = wants_changes_;
  request.wants_identified = true;
  request.self = chain.target;
  request.ops.reserve(chain.events.size() - chain.next);
  std::set<std::string_view> merged;
  std::string_view last_own = source_[chain.events[chain.next]].distinct_id;
  size_t bytes = 0;
  for (size_t at = chain.next; at < chain.events.size(); ++at) {
    const Event& event = source_[chain.events[at]];
    const IdentityPlan& plan = events_[chain.events[at]].plan;
    const bool is_own =
        event.distinct_id == last_own || owner_of(chain, event.distinct_id) == chain.target;
    if (is_own) last_own = event.distinct_id;
    const bool is_merged = !is_own && merged.contains(std::string_view(event.distinct_id));
    if (!is_own && !is_merged) break;
    bytes += plan.set.size() + plan.set_once.size() + event.distinct_id.size() + 64;
    for (const std::string& name : plan.unset) bytes += name.size() + limits::kUnsetPlaceBytes;
    if (bytes > limits::kPersonCallBytesMax && at > chain.next) break;
    PersonOp op = plan.op(event);
    op.needs_merge = !is_own;
    op.covered = at == chain.next && chain.next_is_covered;
    if (op.merge != MergeKind::kNone) merged.insert(plan.other);
    request.ops.push_back(std::move(op));
  }
  return request;
}

void PeopleRun::hold_texts(Chain& chain, ApplyRequest& request) {
  size_t op_bytes = 0;
  for (const PersonOp& op : request.ops) op_bytes += op_bytes_max(op);
  const size_t kept = memory_bytes_ + held_bytes_;
  const size_t open = std::min(open_, limits::kObjectCallsInFlight);
  const ReplyRoom room = hold_reply(
      budget_.memory,
      {.op_bytes = (wants_changes_ ? 2 : 1) * op_bytes,
       .kept_left = limits::kKeptTextsBytesMax - std::min(limits::kKeptTextsBytesMax, kept),
       .calls = open - std::min(open, calls_in_flight_)});
  // Said a little smaller than it is, but for what is not held.
  request.texts_bytes_max =
      told_bytes(room.held_bytes > 0 ? room.bytes : room.bytes + room.bytes / 3);
  chain.held_bytes = room.held_bytes;
  held_bytes_ += room.held_bytes;
}

void PeopleRun::send(size_t index, const Turn& turn, Effects& effects) {
  if (!budget_.take_object_call()) return fail(index);
  Chain& chain = chains_[index];
  const std::string_view owner = owner_of(chain, source_[chain.events[chain.next]].distinct_id);
  if (owner != chain.target) chain.came_from.clear();
  chain.target = owner;
  ApplyRequest request = next_request(chain);
  chain.sent_count = request.ops.size();
  hold_texts(chain, request);
  lease_ids(turn, effects);
  chain.offered_id = caches_.take_person_id(project_.team_id);
  request.offered_id = chain.offered_id;
  const uint32_t id = effects.add(CallObject{ObjectClass::kPerson,
                                             person_object_name(project_.team_id, chain.target),
                                             write_apply(request)});
  in_flight_.push_back({SentKind::kApply, index, id});
  ++calls_in_flight_;
}

void PeopleRun::lease_ids(const Turn& turn, Effects& effects) {
  const int64_t team_id = project_.team_id;
  if (!caches_.begin_lease(team_id, turn.now_ms)) return;
  if (!budget_.take_object_call()) return caches_.lease_failed(team_id);
  const uint32_t id =
      effects.add(CallObject{ObjectClass::kPersonIdCounter, counter_object_name(team_id),
                             write_lease(limits::kPersonIdLease)});
  in_flight_.push_back({SentKind::kLease, 0, id});
}

void PeopleRun::resume(const Turn& turn, EffectResult result, Effects& effects) {
  const auto found = find(result.id);
  HF_ASSERT(found != in_flight_.end());
  const SentEffect sent = *found;
  in_flight_.erase(found);
  switch (sent.kind) {
    case SentKind::kRepoint:
      return;
    case SentKind::kLease: {
      const uint64_t first = result.ok ? read_lease_reply(result.body) : 0;
      if (first == 0) {
        caches_.lease_failed(project_.team_id);
      } else {
        caches_.lease_arrived(project_.team_id, first, limits::kPersonIdLease);
      }
      return;
    }
    case SentKind::kWait:
      send(sent.chain, turn, effects);
      return;
    case SentKind::kApply:
      --calls_in_flight_;
      answered(sent.chain, turn, std::move(result), effects);
      start_more(turn, effects);
      return;
  }
}

void PeopleRun::answered(size_t index, const Turn& turn, EffectResult result, Effects& effects) {
  Chain& chain = chains_[index];
  budget_.memory.give_back(chain.held_bytes);
  held_bytes_ -= std::exchange(chain.held_bytes, 0);
  std::optional<ApplyReply> read;
  if (result.ok) read = read_apply_reply(std::move(result.body));
  const bool took_id = read.has_value() && read->took_id;
  // An answer that did not come may have taken the id: a gap costs nothing, a twin would.
  if (read.has_value() && !took_id && chain.offered_id != 0) {
    caches_.give_back_person_id(project_.team_id, chain.offered_id);
  }
  if (!read.has_value() || read->status == ApplyStatus::kBad ||
      read->results.size() > chain.sent_count) {
    again(index, turn, effects, kFailedDelayMs);
    return;
  }
  changes_left_out_ += read->left_out_change ? 1 : 0;
  keep(std::move(*read));
  ApplyReply& reply = replies_.back();
  const bool progressed = !reply.results.empty();
  take_results(chain, reply);
  if (chain.next == chain.events.size()) {
    --open_;
    return;
  }
  if (progressed) chain.attempts = 0;
  switch (reply.status) {
    case ApplyStatus::kMoved:
      moved(chain, reply, effects);
      if (++chain.hops > limits::kRedirectHopsMax) {
        fail(index);
        return;
      }
      send(index, turn, effects);
      return;
    case ApplyStatus::kDone:
    case ApplyStatus::kPartial:
      if (!progressed) {
        again(index, turn, effects, kFailedDelayMs);
        return;
      }
      chain.hops = 0;
      send(index, turn, effects);
      return;
    default:
      again(index, turn, effects, kBusyDelayMs);
      return;
  }
}

// A reply stays until the window's rows are written; what there is no memory for its rows do
// without.
void PeopleRun::keep(ApplyReply reply) {
  size_t bytes = memory_of(reply);
  if (memory_bytes_ + bytes > limits::kKeptTextsBytesMax || !budget_.memory.take(bytes)) {
    changes_left_out_ += reply.changes.size();
    leave_out_texts(reply);
    bytes = 0;
  }
  memory_bytes_ += bytes;
  replies_.push_back(std::move(reply));
}

// `reply` is one of replies_: what events show of it stays there.
void PeopleRun::take_results(Chain& chain, ApplyReply& reply) {
  for (const OpResult& result : reply.results) {
    const size_t event = chain.events[chain.next++];
    chain.next_is_covered = false;
    PlannedEvent& planned = events_[event];
    planned.exists = result.exists;
    planned.upgraded = result.upgraded;
    if (result.exists) {
      planned.uuid = result.uuid;
      planned.created_at_ms = result.created_at_ms;
      planned.is_identified = result.is_identified;
      planned.is_changed = result.is_changed || !result.is_identified.has_value();
      planned.properties = reply.property_texts[result.properties];
      planned.properties_left_out = result.properties_left_out;
    }
    const IdentityPlan& plan = planned.plan;
    if (!result.refused && plan.merge != MergeKind::kNone && plan.other != chain.target) {
      chain.moved[plan.other] = chain.target;
    }
    if (result.refused || result.too_large) warn_of(event, result);
  }
  reply.results = {};
  // An object of an older deployment tells of changes nobody asked for.
  if (!wants_changes_) reply.changes.clear();
  for (PersonChange& change : reply.changes) changes_.push_back(std::move(change));
}

void PeopleRun::warn_of(size_t event, const OpResult& result) {
  if (result.is_full) {
    warnings_.push_back(
        {event, "person_merge_move_limit_hit",
         "a person with \"" + events_[event].plan.other + "\" and \"" + source_[event].distinct_id +
             "\" would have more than " + std::to_string(limits::kPersonIdsMax) +
             " distinct ids, or too long ones; the event was stored without a merge"});
  } else if (result.refused) {
    warnings_.push_back({event, "cannot_merge_already_identified",
                         "\"" + events_[event].plan.other +
                             "\" belongs to an identified person; the event was stored for \"" +
                             source_[event].distinct_id + "\" without a merge"});
  }
  if (result.too_large) {
    warnings_.push_back({event, "person_properties_size_violation",
                         "the person's properties would be larger than " +
                             std::to_string(limits::kPersonPropertiesBytesMax) +
                             " bytes; this event did not change them"});
  }
}

void PeopleRun::moved(Chain& chain, const ApplyReply& reply, Effects& effects) {
  chain.next_is_covered = chain.next_is_covered || reply.next_is_covered;
  chain.moved[chain.target] = reply.moved_to;
  caches_.remember_redirect(person_object_name(project_.team_id, chain.target), reply.moved_to);
  // What saves later requests a call must not cost this one its own.
  const bool may_repoint = budget_.object_calls_left > chains_.size();
  if (!chain.came_from.empty() && may_repoint && budget_.take_object_call()) {
    // Two steps in one search: let the first object point at the end of both.
    const uint32_t id = effects.add(
        CallObject{ObjectClass::kPerson, person_object_name(project_.team_id, chain.came_from),
                   write_repoint(chain.came_from, chain.target, reply.moved_to)});
    in_flight_.push_back({SentKind::kRepoint, 0, id});
    caches_.remember_redirect(person_object_name(project_.team_id, chain.came_from),
                              reply.moved_to);
  }
  chain.came_from = chain.target;
  chain.target = reply.moved_to;
}

void PeopleRun::again(size_t index, const Turn& turn, Effects& effects, uint32_t base_delay_ms) {
  Chain& chain = chains_[index];
  if (++chain.attempts >= limits::kPersonAttemptsMax) {
    fail(index);
    return;
  }
  const uint32_t most_ms = base_delay_ms << chain.attempts;
  const auto delay_ms = static_cast<uint32_t>(most_ms / 2 + turn.entropy.below(most_ms / 2 + 1));
  const uint32_t id = effects.add(Wait{delay_ms});
  in_flight_.push_back({SentKind::kWait, index, id});
}

void PeopleRun::fail(size_t index) {
  Chain& chain = chains_[index];
  // Later events of the chain depend on the earlier ones' order.
  for (size_t at = chain.next; at < chain.events.size(); ++at)
    events_[chain.events[at]].failed = true;
  --open_;
}

// Valid until the next call.
std::string_view PeopleRun::computed_id(const Event& event) {
  const std::string_view wanted = event.distinct_id;
  if (computed_.distinct_id == wanted) return computed_.person_id;
  for (ComputedPerson& before : computed_before_) {
    if (before.distinct_id != wanted) continue;
    std::swap(before, computed_);
    return computed_.person_id;
  }
  if (!computed_.distinct_id.empty() && computed_before_.size() < kComputedPeopleMax) {
    computed_before_.push_back(std::move(computed_));
  }
  computed_ = {wanted, Uuid::of_person(event.team_id, wanted).text()};
  return computed_.person_id;
}

PersonView PeopleRun::take_view(size_t index) {
  HF_ASSERT(finished() && !events_[index].failed);
  const PlannedEvent& planned = events_[index];
  const Event& event = source_[index];
  const IdentityPlan& plan = planned.plan;
  PersonView view;
  if (plan.kind == IdentityPlan::Kind::kDrop) {
    view.dropped = true;
    return view;
  }
  // $feature_flag_called without a person becomes a personless event (I-3.5).
  view.personless = plan.personless ||
                    (plan.access == PersonAccess::kIfExists && !plan.only_reads && !planned.exists);
  if (!view.personless) {
    view.row_set = plan.set;
    view.row_set_once = plan.set_once;
  }
  if (!planned.exists) {
    view.person_id = computed_id(event);
    view.mode = view.personless ? "propertyless" : "full";
    return view;
  }
  view.person_id = planned.uuid;
  view.person_created_at_ms = planned.created_at_ms;
  view.is_identified = planned.is_identified;
  view.is_changed = planned.is_changed;
  view.mode = !view.personless ? "full" : planned.upgraded ? "force_upgrade" : "propertyless";
  if (!view.personless) view.person_properties = planned.properties;
  view.properties_left_out = !view.personless && planned.properties_left_out;
  return view;
}

void PeopleRun::append_change_rows(const Turn& turn, RowBatch& rows) const {
  HF_ASSERT(finished());
  const std::string_view api_key = source_.empty() ? std::string_view() : source_.front().token;
  for (const PersonChange& change : changes_) {
    append_person_rows(rows, change, project_, api_key, turn.now_ms);
  }
}

}  // namespace hogflare
