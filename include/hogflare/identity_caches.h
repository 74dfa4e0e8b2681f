// What an isolate remembers about people and groups between requests. All of it may be lost or
// stale at any time: that costs calls, never correctness. Bounded by bytes; a full table is
// emptied.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace hogflare {

class IdentityCaches {
 public:
  // Where a person's object led when it was last asked. Redirects only ever move forward.
  const std::string* redirect_of(int64_t team_id, std::string_view distinct_id) const;
  void remember_redirect(std::string object_name, std::string to);
  size_t redirect_bytes() const { return redirect_bytes_; }

  // The next sequential person id of a leased range; 0 when there is none.
  uint64_t take_person_id(int64_t team_id);
  void give_back_person_id(int64_t team_id, uint64_t id);
  // True when a range should be leased now, and notes that it is.
  bool begin_lease(int64_t team_id, int64_t now_ms);
  void lease_arrived(int64_t team_id, uint64_t first, uint64_t count);
  void lease_failed(int64_t team_id);

  // Group types in the order of their slots; null when the project was not asked yet.
  const std::vector<std::string>* group_types(int64_t team_id) const;
  void remember_group_types(int64_t team_id, std::vector<std::string> types);
  size_t group_type_bytes() const { return group_type_bytes_; }

  // False: enough warnings of that name were written about the project's data in this hour.
  bool may_warn(int64_t team_id, std::string_view name, int64_t now_ms);

 private:
  struct Lease {
    uint64_t next = 0;
    uint64_t end = 0;
    std::vector<uint64_t> returned;
    int64_t asked_at_ms = 0;
  };
  // Ordered, because clients choose the names.
  std::map<std::string, std::string, std::less<>> redirects_;
  size_t redirect_bytes_ = 0;
  std::unordered_map<int64_t, Lease> leases_;
  std::unordered_map<int64_t, std::vector<std::string>> group_types_;
  // Warnings written since warned_from_ms_. The names are static texts.
  std::map<std::pair<int64_t, std::string_view>, uint32_t> warned_;
  int64_t warned_from_ms_ = 0;
  size_t group_type_bytes_ = 0;
};

}  // namespace hogflare
