#include "hogflare/identity_caches.h"

#include "hogflare/limits.h"
#include "hogflare/person_calls.h"

namespace hogflare {
namespace {

constexpr int64_t kLeaseTimeoutMs = 10'000;
constexpr uint64_t kLeaseLowMark = 50;

}  // namespace

const std::string* IdentityCaches::redirect_of(int64_t team_id,
                                               std::string_view distinct_id) const {
  if (redirects_.empty()) return nullptr;
  const auto found = redirects_.find(person_object_name(team_id, distinct_id));
  return found == redirects_.end() ? nullptr : &found->second;
}

void IdentityCaches::remember_redirect(std::string object_name, std::string to) {
  // Forgetting everything is rare and costs one call per redirect in use.
  if (redirects_.size() >= limits::kRedirectHintsMax) redirects_.clear();
  redirects_.insert_or_assign(std::move(object_name), std::move(to));
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
  leases_[team_id].returned.push_back(id);
}

bool IdentityCaches::begin_lease(int64_t team_id, int64_t now_ms) {
  if (leases_.size() >= limits::kCachedProjectsMax && !leases_.contains(team_id)) leases_.clear();
  Lease& lease = leases_[team_id];
  if (lease.end - lease.next + lease.returned.size() > kLeaseLowMark) return false;
  if (lease.asked_at_ms != 0 && now_ms - lease.asked_at_ms < kLeaseTimeoutMs) return false;
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
  if (group_types_.size() >= limits::kCachedProjectsMax) group_types_.clear();
  // Slots are only ever added: the longer list is the newer one.
  std::vector<std::string>& known = group_types_[team_id];
  if (types.size() >= known.size()) known = std::move(types);
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
