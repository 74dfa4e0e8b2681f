// Lists of cohort members in KV, kept per isolate.
//
//   CohortListsRun lists(state.cohort_lists, memory);
//   lists.start(wanted.cohorts, distinct_id, stored);
//   if (lists.advance(turn, effects)) …  all that stored needs is there
//   …  if (lists.owns(result.id)) lists.take(turn, result), and again
//
// A list is read again after HOGFLARE_FLAGS_TTL_SECS; a list that cannot be read then stays as it
// was. What was used least recently goes when limits::kCohortListsBytesMax is reached.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/flags.h"
#include "hogflare/memory_share.h"
#include "hogflare/person_state.h"
#include "hogflare/task.h"
#include "flags/member_list.h"

namespace hogflare {

class CohortLists {
 public:
  explicit CohortLists(const Config& config);

  static std::string key_of(int64_t cohort) { return "cohort:" + std::to_string(cohort); }

  // True when the list is to be read. Requests share an answer while one of them reads; before the
  // first answer everybody reads.
  bool is_due(const flags::ListedCohort& cohort, int64_t now_ms);
  // What the KV read gave.
  void take(int64_t cohort, const EffectResult& result, int64_t now_ms);
  // Whether one of the ids is on the list.
  flags::StoredCohort::Answer answer(int64_t cohort, const std::vector<std::string_view>& ids,
                                     int64_t now_ms);

  // Why flags fail, for /healthz; at most 20.
  std::vector<std::string> problems() const;

 private:
  struct Entry {
    bool answered = false;
    std::optional<flags::MemberList> list;
    std::string problem;     // what keeps the list, or a newer one, from being used
    bool has_none = false;   // there is no such key
    bool has_rules = false;  // so that none is missed
    int64_t due_at_ms = 0;
    int64_t used_at_ms = 0;
  };

  void make_room(int64_t but);

  const Config& config_;
  const bool has_namespace_;
  std::map<int64_t, Entry> entries_;
};

// One request's reading of lists, one after the other, so that it holds at most one, and
// limits::kCohortReadsMax at most; what the isolate has read lately is not read again. A part of
// the request's task, as StoredStateRun is.
class CohortListsRun {
 public:
  // Lists and memory must outlive the run.
  CohortListsRun(CohortLists& lists, MemoryShare& memory) : lists_(lists), memory_(memory) {}

  // The person and its ids, in `stored`, must outlive the run; what the lists say goes there too.
  void start(std::vector<flags::ListedCohort> cohorts, std::string_view distinct_id,
             StoredStateRun& stored);
  // True: nothing is left to be read.
  bool advance(const Turn& turn, Effects& effects);
  bool owns(uint32_t effect_id) const { return effect_ != 0 && effect_ == effect_id; }
  void take(const Turn& turn, EffectResult& result);

 private:
  void answer(const Turn& turn);

  CohortLists& lists_;
  MemoryShare& memory_;
  std::vector<flags::ListedCohort> cohorts_;
  std::string_view distinct_id_;
  StoredStateRun* stored_ = nullptr;
  size_t next_ = 0;
  size_t reads_ = 0;
  uint32_t effect_ = 0;
};

// What a text takes with its index and the values it becomes.
size_t flag_values_bytes(std::string_view json, size_t values_max);

}  // namespace hogflare
