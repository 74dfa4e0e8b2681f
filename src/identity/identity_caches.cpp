#include "hogflare/identity_caches.h"

#include "hogflare/limits.h"
#include "hogflare/must_wait.h"
#include "hogflare/person_calls.h"

namespace hogflare {
namespace {

constexpr int64_t kLeaseTimeoutMs = 10'000;
constexpr uint64_t kLeaseLowMark = 50;

size_t entry_bytes(const std::pair<const std::string, std::string>& entry) {
  return entry.first.size() + entry.second.size() + limits::kCacheEntryBytes;
}

}  // namespace

const std::string* IdentityCaches::redirect_of(int64_t team_id,
                                               std::string_view distinct_id) const {
  if (redirects_.empty()) return nullptr;
  const auto found = redirects_.find(person_object_name(team_id, distinct_id));
  return found == redirects_.end() ? nullptr : &found->second;
}

void IdentityCaches::remember_redirect(std::string object_name, std::string to) {
  const auto found = redirects_.find(object_name);
  if (found != redirects_.end()) {
    redirect_bytes_ -= entry_bytes(*found);
    redirects_.erase(found);
  }
  // Forgetting everything is rare and costs one call per redirect in use.
  const size_t bytes = object_name.size() + to.size() + limits::kCacheEntryBytes;
  if (redirect_bytes_ + bytes > limits::kRedirectHintsBytesMax) {
    redirects_.clear();
    redirect_bytes_ = 0;
  }
  redirect_bytes_ += bytes;
  redirects_.emplace(std::move(object_name), std::move(to));
}

uint64_t IdentityCaches::take_person_id(int64_t team_id) {
  const auto found = leases_.find(team_id);
  if (found == leases_.end()) return 0;
  Lease& lease = found->second;
  if (!lease.returned.empty()) {
    const uint64_t id = lease.returned.back();
    lease.returned.pop_back();
    return id;
  }
  return lease.next < lease.end ? lease.next++ : 0;
}

void IdentityCaches::give_back_person_id(int64_t team_id, uint64_t id) {
  std::vector<uint64_t>& returned = leases_[team_id].returned;
  // A number not given back is a gap, which costs nothing.
  if (returned.size() < limits::kPersonIdLease) returned.push_back(id);
}

bool IdentityCaches::begin_lease(int64_t team_id, int64_t now_ms) {
  if (leases_.size() >= limits::kCachedProjectsMax && !leases_.contains(team_id)) leases_.clear();
  Lease& lease = leases_[team_id];
  if (lease.end - lease.next + lease.returned.size() > kLeaseLowMark) return false;
  const int64_t answer_by_ms = lease.asked_at_ms == 0 ? 0 : lease.asked_at_ms + kLeaseTimeoutMs;
  if (must_wait(answer_by_ms, now_ms, kLeaseTimeoutMs)) return false;
  lease.asked_at_ms = now_ms;
  return true;
}

void IdentityCaches::lease_arrived(int64_t team_id, uint64_t first, uint64_t count) {
  Lease& lease = leases_[team_id];
  lease.next = first;
  lease.end = first + count;
  lease.asked_at_ms = 0;
}

void IdentityCaches::lease_failed(int64_t team_id) { leases_[team_id].asked_at_ms = 0; }

const std::vector<std::string>* IdentityCaches::group_types(int64_t team_id) const {
  const auto found = group_types_.find(team_id);
  return found == group_types_.end() ? nullptr : &found->second;
}

void IdentityCaches::remember_group_types(int64_t team_id, std::vector<std::string> types) {
  size_t bytes = limits::kCacheEntryBytes;
  for (const std::string& type : types) bytes += type.size() + limits::kCacheEntryBytes;
  if (group_type_bytes_ + bytes > limits::kCachedTypesBytesMax) {
    group_types_.clear();
    group_type_bytes_ = 0;
  }
  // Slots are only ever added: the longer list is the newer one. What a shorter one took stays
  // counted until the table is emptied.
  std::vector<std::string>& known = group_types_[team_id];
  if (types.size() < known.size()) return;
  known = std::move(types);
  group_type_bytes_ += bytes;
}

bool IdentityCaches::may_warn(int64_t team_id, std::string_view name, int64_t now_ms) {
  constexpr int64_t kHourMs = 3'600'000;
  // A clock that jumped back begins a new hour as well.
  const bool is_over = now_ms < warned_from_ms_ || now_ms - warned_from_ms_ >= kHourMs;
  if (is_over || warned_.size() >= limits::kCachedProjectsMax) {
    warned_.clear();
    warned_from_ms_ = now_ms;
  }
  uint32_t& count = warned_[{team_id, name}];
  if (count >= limits::kDataWarningsPerHour) return false;
  ++count;
  return true;
}

}  // namespace hogflare
