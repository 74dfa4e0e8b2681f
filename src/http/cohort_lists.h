// Lists of cohort members in KV, kept per isolate.
//
//   if (lists.is_due(id, now_ms)) … effects.add(CohortLists::read(id)) … lists.take(…)
//   stored.cohorts.push_back({id, lists.answer(id, ids, now_ms)});
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
#include "hogflare/task.h"
#include "flags/member_list.h"

namespace hogflare {

class CohortLists {
 public:
  explicit CohortLists(const Config& config);

  static std::string key_of(int64_t cohort) { return "cohort:" + std::to_string(cohort); }
  static ReadKv read(int64_t cohort) { return {key_of(cohort), limits::kCohortListBytesMax}; }

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

}  // namespace hogflare
