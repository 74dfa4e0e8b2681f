#include "http/cohort_lists.h"

#include <algorithm>

#include "hogflare/flags_limits.h"
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

}  // namespace hogflare
