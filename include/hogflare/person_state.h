// What a flag request needs from stored people and groups, and the continuity keys it leaves behind
// (F-3.3, F-3.4). A part of the request's task, used as PeopleRun is.
//
//   StoredStateRun stored(team_id, request, wanted, definitions, caches, memory);
//   stored.start(turn, effects);
//   …  if (stored.owns(result.id)) stored.resume(turn, std::move(result), effects);
//   if (stored.finished()) evaluate(definitions, request, stored.state(), turn.now_ms);
//
// Everything is read in parallel. Flags do not wait long for an object that does not answer: its
// reads count as failed after one more try, and the flags that need them get an error entry. So do
// those whose answer finds no room: what an answer may have is held before it is asked for
// (reply_room.h), and the values in it before they are read.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "hogflare/flags.h"
#include "hogflare/identity_caches.h"
#include "hogflare/memory_share.h"
#include "hogflare/person_calls.h"
#include "hogflare/task.h"

namespace hogflare {

class StoredStateRun {
 public:
  // Request, definitions, caches and memory must outlive the run.
  StoredStateRun(int64_t team_id, const flags::Request& request, const flags::Needs& wanted,
                 const flags::Definitions& definitions, IdentityCaches& caches,
                 MemoryShare& memory);

  // Continuity keys that the request brings are not stored. Before start().
  void only_read() { may_write_ = false; }
  void start(const Turn& turn, Effects& effects);
  bool owns(uint32_t effect_id) const { return in_flight_.contains(effect_id); }
  void resume(const Turn& turn, EffectResult result, Effects& effects);
  bool finished() const { return in_flight_.empty(); }
  // Needs finished().
  const flags::StoredState& state() const { return state_; }
  // What was read elsewhere of `wanted.cohorts`.
  void add_cohort(flags::StoredCohort cohort) { state_.cohorts.push_back(cohort); }

 private:
  // A person looked up by one of the request's ids.
  struct Lookup {
    std::string distinct_id;
    std::string owner;     // the object asked last
    bool is_main = false;  // distinct_id, not $anon_distinct_id
    bool writes = false;   // stores continuity keys instead of reading
    bool exists = false;
    bool failed = false;
    std::string uuid;
    std::vector<HashKey> hash_keys;
    int hops = 0;
    int attempts = 0;
    size_t held_bytes = 0;  // for the answer under way
  };
  struct Sent {
    bool is_group;
    size_t index;
  };

  struct GroupCall {
    int attempts = 0;
    bool says_room = true;  // an object of the version before understands none of it
    size_t held_bytes = 0;
  };

  void look_up(size_t index, Effects& effects);
  void looked_up(size_t index, EffectResult result, Effects& effects);
  [[nodiscard]] bool take_person(Lookup& lookup, const ApplyReply& reply);
  [[nodiscard]] bool read_properties(std::string_view text, flags::Value& properties);
  void call_group(size_t index, Effects& effects);
  void group_answered(size_t index, const EffectResult& result, Effects& effects);
  void people_answered(Effects& effects);
  std::string owner_of(const std::string& distinct_id) const;

  int64_t team_id_;
  const flags::Request& request_;
  flags::Needs wanted_;
  const flags::Definitions& definitions_;
  IdentityCaches& caches_;
  MemoryShare& memory_;
  flags::StoredState state_;
  std::vector<Lookup> lookups_;
  std::vector<GroupCall> group_calls_;
  bool may_write_ = true;
  std::vector<std::string> flags_to_store_;
  size_t open_lookups_ = 0;
  std::unordered_map<uint32_t, Sent> in_flight_;
};

}  // namespace hogflare
