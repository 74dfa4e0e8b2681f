// The groups of one request: slots for types not seen before, one object call for each group that
// an event names, and what each event's row shows (I-10). Used as PeopleRun is and run beside it.
//
//   GroupsRun groups(events, project, caches, budget);
//   groups.plan(turn.config);
//   groups.start(turn, effects);
//   …  if (groups.owns(result.id)) groups.resume(turn, std::move(result), effects);
//   if (groups.finished() && !groups.failed(i)) GroupView view = groups.take_view(i);
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/event.h"
#include "hogflare/group_calls.h"
#include "hogflare/group_view.h"
#include "hogflare/identity_caches.h"
#include "hogflare/request_budget.h"
#include "hogflare/task.h"

namespace hogflare {

class GroupsRun {
 public:
  // Events, project, caches and budget must outlive the run.
  GroupsRun(std::span<const Event> events, const Project& project, IdentityCaches& caches,
            RequestBudget& budget);
  ~GroupsRun() { budget_.memory.give_back(memory_bytes_ + held_bytes_); }
  GroupsRun(const GroupsRun&) = delete;
  GroupsRun& operator=(const GroupsRun&) = delete;

  // Finds the groups, and returns how many object calls they take at most while every object
  // answers. Once, before start().
  size_t plan(const Config& config);
  void start(const Turn& turn, Effects& effects);
  bool owns(uint32_t effect_id) const { return in_flight_.contains(effect_id); }
  void resume(const Turn& turn, EffectResult result, Effects& effects);
  bool finished() const { return in_flight_.empty(); }

  // Needs finished(). True: an object did not answer; the event may be sent again.
  bool failed(size_t event) const;
  // Groups whose properties would pass `properties_bytes_max` are left out of them.
  GroupView take_view(size_t event, uint64_t properties_bytes_max = UINT64_MAX) const;
  const std::vector<Warning>& warnings() const { return warnings_; }

 private:
  static constexpr size_t kNoGroup = SIZE_MAX;
  struct Named {  // a group that an event names
    std::string type;
    std::string key;
    std::string_view raw_key;  // as the client sent it; empty: by $groupidentify
    size_t group = kNoGroup;   // index into groups_
    uint32_t text = 0;         // index into the reply's texts
  };
  struct EventGroups {
    std::vector<Named> named;
    bool identifies = false;  // $groupidentify
    std::string set;
  };
  struct Group {
    std::string type;
    std::string key;
    std::vector<size_t> events;  // that name it, in order
    std::vector<size_t> ops;     // of those, the ones that change it
    GroupReply reply;
    bool failed = false;
    bool left_out = false;  // no memory for its texts
    int attempts = 0;
    size_t held_bytes = 0;  // for the answer under way
  };
  enum class SentKind : uint8_t { kTypes, kTypesWait, kGroup, kGroupWait };
  struct Sent {
    SentKind kind;
    size_t group;
  };

  EventGroups& groups_of(size_t event);
  void find_groups(size_t event);
  void find_named(size_t event, json::Value groups);
  void warn_of_long_name(size_t event);
  void find_identified(size_t event);
  void want_type(const Event& event, const std::string& type);
  bool must_ask_types() const;
  size_t planned_calls() const;
  void ask_types(Effects& effects);
  void types_answered(const Turn& turn, const EffectResult& result, Effects& effects);
  void call_groups(Effects& effects);
  void call_more(Effects& effects);
  void keep(Group& group, GroupReply reply);
  void take_texts(size_t group);
  void wait(const Turn& turn, Effects& effects, Sent then);
  void call_group(size_t group, Effects& effects);
  void group_answered(size_t group, const Turn& turn, const EffectResult& result, Effects& effects);
  // Negative: no slot.
  int slot_of(std::string_view type) const;
  bool is_kept(std::string_view type) const;

  std::span<const Event> source_;
  const Project& project_;
  IdentityCaches& caches_;
  RequestBudget& budget_;
  std::vector<std::string> types_;  // by slot; empty name: slot not configured
  bool configured_ = false;
  bool types_failed_ = false;
  int types_attempts_ = 0;
  std::vector<std::string> wanted_types_;  // each once, in order of first appearance
  std::vector<std::string> read_types_;    // that only AI events name
  std::set<std::string> wanted_;           // the same, to be searched
  std::vector<EventGroups> events_;        // empty while no event names a group
  std::vector<Group> groups_;
  size_t next_group_ = 0;  // not called yet
  std::unordered_map<uint32_t, Sent> in_flight_;
  std::vector<Warning> warnings_;
  size_t memory_bytes_ = 0;  // of the groups' texts
  size_t held_bytes_ = 0;    // for answers under way
  size_t unanswered_ = 0;    // groups
};

}  // namespace hogflare
