#include "http/cohort_lists.h"

#include <algorithm>

#include "hogflare/flags_limits.h"
#include "hogflare/json.h"
#include "hogflare/must_wait.h"

namespace hogflare {
namespace {

// A list that could not be read is asked for this often.
constexpr int64_t kRetryMs = 1'000;
constexpr size_t kProblemsNamed = 20;

}  // namespace

CohortLists::CohortLists(const Config& config)
    : config_(config),
      has_namespace_(std::find(config.bindings.begin(), config.bindings.end(), "FLAGS") !=
                     config.bindings.end()) {}

bool CohortLists::is_due(const flags::ListedCohort& cohort, int64_t now_ms) {
  Entry& entry = entries_[cohort.id];
  entry.has_rules = cohort.has_rules;
  if (!has_namespace_) {
    entry.has_none = true;
    return false;
  }
  if (entry.answered && must_wait(entry.due_at_ms, now_ms, config_.flags_ttl_ms)) return false;
  entry.due_at_ms = now_ms + config_.flags_ttl_ms;
  return true;
}

void CohortLists::take(int64_t cohort, const EffectResult& result, int64_t now_ms) {
  Entry& entry = entries_[cohort];
  entry.answered = true;
  entry.used_at_ms = now_ms;
  entry.problem.clear();
  const std::string name = "the list of members " + key_of(cohort);
  if (result.ok && result.http_status == 404) {
    entry.list.reset();
    entry.has_none = true;
    return;
  }
  entry.has_none = false;
  if (!result.ok && result.http_status == 413) {
    entry.problem = name + " has more than the " + std::to_string(limits::kCohortListBytesMax) +
                    " bytes that are taken";
    return;
  }
  if (!result.ok) {
    entry.problem = name + " could not be read: " + result.body;
    entry.due_at_ms = std::min(entry.due_at_ms, now_ms + kRetryMs);
    return;
  }
  const Result<flags::Value> value = flags::parse_value(result.body);
  std::string problem = value.ok() ? std::string() : value.error().detail;
  std::optional<flags::MemberList> list;
  if (value.ok()) list = flags::MemberList::read(value.value(), problem);
  if (!list) {
    entry.problem = name + " cannot be used: " + problem;
    return;
  }
  entry.list = std::move(list);
  make_room(cohort);
}

flags::StoredCohort::Answer CohortLists::answer(int64_t cohort,
                                                const std::vector<std::string_view>& ids,
                                                int64_t now_ms) {
  using Answer = flags::StoredCohort::Answer;
  Entry& entry = entries_[cohort];
  entry.used_at_ms = now_ms;
  if (entry.has_none) return Answer::kNoList;
  if (!entry.list) return Answer::kFailed;
  const bool is_in = std::any_of(ids.begin(), ids.end(),
                                 [&](std::string_view id) { return entry.list->contains(id); });
  return is_in ? Answer::kIn : Answer::kOut;
}

void CohortLists::make_room(int64_t but) {
  size_t bytes = 0;
  for (const auto& [id, entry] : entries_) bytes += entry.list ? entry.list->bytes() : 0;
  while (bytes > limits::kCohortListsBytesMax || entries_.size() > limits::kCohortsMax) {
    auto oldest = entries_.end();
    for (auto i = entries_.begin(); i != entries_.end(); ++i) {
      if (i->first == but) continue;
      if (oldest == entries_.end() || i->second.used_at_ms < oldest->second.used_at_ms) oldest = i;
    }
    if (oldest == entries_.end()) return;
    bytes -= oldest->second.list ? oldest->second.list->bytes() : 0;
    entries_.erase(oldest);
  }
}

std::vector<std::string> CohortLists::problems() const {
  std::vector<std::string> problems;
  for (const auto& [id, entry] : entries_) {
    if (problems.size() == kProblemsNamed) break;
    if (!entry.problem.empty()) problems.push_back(entry.problem);
    if (entry.has_none && !entry.has_rules) {
      problems.push_back("cohort " + std::to_string(id) +
                         " has no members in the definitions nor in KV (" + key_of(id) +
                         "): flags that use it fail");
    }
  }
  return problems;
}

size_t flag_values_bytes(std::string_view json, size_t values_max) {
  const size_t index = json_index_bytes(json);
  const size_t values = std::min(index / sizeof(json::Node), values_max);
  return json.size() + index + values * sizeof(flags::Value);
}

void CohortListsRun::start(std::vector<flags::ListedCohort> cohorts, std::string_view distinct_id,
                           StoredStateRun& stored) {
  cohorts_ = std::move(cohorts);
  distinct_id_ = distinct_id;
  stored_ = &stored;
}

bool CohortListsRun::advance(const Turn& turn, Effects& effects) {
  for (; next_ < cohorts_.size(); ++next_) {
    const flags::ListedCohort& cohort = cohorts_[next_];
    if (reads_ < limits::kCohortReadsMax && lists_.is_due(cohort, turn.now_ms)) {
      ++reads_;
      effect_ = effects.add(ReadKv{CohortLists::key_of(cohort.id), limits::kCohortListBytesMax});
      return false;
    }
    answer(turn);
  }
  return true;
}

void CohortListsRun::take(const Turn& turn, EffectResult& result) {
  effect_ = 0;
  // The others would hardly fare better, and nobody waits that long.
  if (!result.ok && result.http_status != 413) reads_ = limits::kCohortReadsMax;
  // For as long as it is read: the next one finds the same room.
  size_t held = result.ok ? flag_values_bytes(result.body, limits::kFlagValuesMax) : 0;
  if (std::optional<Error> refused = memory_.hold_more(held)) {
    held = 0;
    result.ok = false;
    result.body = refused->detail;
  }
  lists_.take(cohorts_[next_].id, result, turn.now_ms);
  memory_.give_back(held);
  answer(turn);
  ++next_;
}

void CohortListsRun::answer(const Turn& turn) {
  std::vector<std::string_view> ids = {distinct_id_};
  const std::vector<std::string>& person_ids = stored_->state().person_ids;
  ids.insert(ids.end(), person_ids.begin(), person_ids.end());
  const int64_t id = cohorts_[next_].id;
  stored_->add_cohort({id, lists_.answer(id, ids, turn.now_ms)});
}

}  // namespace hogflare
