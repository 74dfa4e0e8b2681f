// The people of one request: which objects are called, in which order, and what each event's row
// shows of its person. A part of the request's task, which owns it and routes results to it.
//
//   PeopleRun people(events, project, caches, budget);
//   people.plan(turn);
//   people.start(turn, effects);
//   …  if (people.owns(result.id)) people.resume(turn, std::move(result), effects);
//   if (people.finished() && !people.failed(i)) PersonView view = people.take_view(i);
//
// Independent people run in parallel, one call each however many events are theirs. Events whose
// ids are connected by merges in this request keep their order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/delivery.h"
#include "hogflare/event.h"
#include "hogflare/identity.h"
#include "hogflare/identity_caches.h"
#include "hogflare/person_calls.h"
#include "hogflare/request_budget.h"
#include "hogflare/task.h"
#include "hogflare/uuid.h"

namespace hogflare {

class PeopleRun {
 public:
  // Events (all of one project), project, caches, budget and place must outlive the run. `place` is
  // of the request's connection; null: nothing is known of it.
  PeopleRun(std::span<const Event> events, const Project& project, IdentityCaches& caches,
            RequestBudget& budget, const ConnectionPlace* place = nullptr);
  ~PeopleRun();
  PeopleRun(const PeopleRun&) = delete;
  PeopleRun& operator=(const PeopleRun&) = delete;

  // Decides which objects are called, and returns how many calls that takes at most while nobody
  // was merged away and every object answers. Once, before start().
  size_t plan(const Turn& turn);
  void start(const Turn& turn, Effects& effects);
  bool owns(uint32_t effect_id) const { return find(effect_id) != in_flight_.end(); }
  void resume(const Turn& turn, EffectResult result, Effects& effects);

  // Every event has its answer. Calls nobody waits for (an id lease, a shortened redirect) may
  // still be in flight: the task should route their results while it lives, and need not live for
  // them.
  bool finished() const { return open_ == 0; }

  // Needs finished(). True: a person's object did not answer; the event may be sent again.
  bool failed(size_t event) const { return events_[event].failed; }
  // Needs finished() and !failed(event). The view is valid until the next call.
  PersonView take_view(size_t event);

  const std::vector<Warning>& warnings() const { return warnings_; }
  // Changes that there was no memory for, of which the persons stream hears with the next ones.
  size_t changes_left_out() const { return changes_left_out_; }
  // Needs finished(). What changed, as rows of schemas/persons.json; none without that stream's
  // sink.
  void append_change_rows(const Turn& turn, RowBatch& rows) const;

 private:
  struct PlannedEvent {
    IdentityPlan plan;
    bool failed = false;
    bool exists = false;
    bool upgraded = false;
    bool properties_left_out = false;
    std::string_view uuid;
    int64_t created_at_ms = 0;
    std::optional<bool> is_identified;
    bool is_changed = false;
    std::string_view properties = "{}";
  };
  // Events whose ids this request's merges connect, in the request's order.
  struct Chain {
    std::vector<size_t> events;
    size_t next = 0;  // index into `events`
    bool next_is_covered = false;
    // Distinct id → owner, found in this run. Ordered, as all that clients' names are keys of.
    std::map<std::string, std::string, std::less<>> moved;
    std::string target;     // distinct id of the object called last
    std::string came_from;  // the object whose reply led to `target`; empty: none
    size_t sent_count = 0;
    uint64_t offered_id = 0;
    int attempts = 0;
    int hops = 0;
    size_t held_bytes = 0;  // for the answer under way
  };
  enum class SentKind : uint8_t { kApply, kWait, kLease, kRepoint };
  struct SentEffect {
    SentKind kind;
    size_t chain;
    uint32_t effect_id;
  };

  // At most limits::kObjectCallsInFlight and a few more.
  std::vector<SentEffect>::const_iterator find(uint32_t effect_id) const {
    return std::find_if(in_flight_.begin(), in_flight_.end(),
                        [&](const SentEffect& each) { return each.effect_id == effect_id; });
  }
  void plan_chains(size_t calls);
  size_t planned_calls() const;
  std::vector<size_t> find_connected() const;
  void start_more(const Turn& turn, Effects& effects);
  void send(size_t chain, const Turn& turn, Effects& effects);
  void lease_ids(const Turn& turn, Effects& effects);
  // Valid until something is found to have moved.
  std::string_view owner_of(const Chain& chain, std::string_view distinct_id) const;
  ApplyRequest next_request(Chain& chain) const;
  void hold_texts(Chain& chain, ApplyRequest& request);
  void answered(size_t chain, const Turn& turn, EffectResult result, Effects& effects);
  void keep(ApplyReply reply);
  void take_results(Chain& chain, ApplyReply& reply);
  void warn_of(size_t event, const OpResult& result);
  void moved(Chain& chain, const ApplyReply& reply, Effects& effects);
  void again(size_t chain, const Turn& turn, Effects& effects, uint32_t base_delay_ms);
  void fail(size_t chain);

  std::span<const Event> source_;
  const Project& project_;
  IdentityCaches& caches_;
  const ConnectionPlace* place_;
  RequestBudget& budget_;
  PersonlessMode personless_ = PersonlessMode::kStateless;
  bool wants_changes_ = false;
  std::vector<PlannedEvent> events_;
  std::vector<Chain> chains_;
  std::vector<ApplyReply> replies_;  // what the views of events_ show
  std::vector<SentEffect> in_flight_;
  size_t open_ = 0;        // chains without their last answer
  size_t next_chain_ = 0;  // not yet started
  size_t calls_in_flight_ = 0;
  std::vector<Warning> warnings_;
  std::vector<PersonChange> changes_;
  size_t changes_left_out_ = 0;
  size_t memory_bytes_ = 0;  // of replies_ and changes_
  size_t held_bytes_ = 0;    // for answers under way
  // People that take_view() computed: events of one batch are mostly those of a few.
  struct ComputedPerson {
    std::string_view distinct_id;
    std::string person_id;
  };
  std::string_view computed_id(const Event& event);
  ComputedPerson computed_;  // the last one
  std::vector<ComputedPerson> computed_before_;
};

// The rows of one change: several, with the ids divided among them, when one would be too large.
// Each shows the whole person. `part` numbers the first of them, for changes whose ids come in
// several calls.
void append_person_rows(RowBatch& rows, const PersonChange& change, const Project& project,
                        std::string_view api_key, int64_t now_ms, size_t part = 0);

}  // namespace hogflare
