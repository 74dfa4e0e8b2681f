// What a page that looks is shown of a request: its events with what became of their rows, its
// rejects and its warnings. Exists only while somebody looks; nobody waits for it.
//
//   LiveFeed feed(token);
//   feed.add(event, index, row);          // while rows are written
//   feed.settle(index, "landed");         // when the sink has answered
//   effects.add(feed.take_effect(team_id));
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/event.h"
#include "hogflare/task.h"

namespace hogflare::console {

// What an isolate knows of who looks: it asks each project's object now and then.
class LiveWatch {
 public:
  explicit LiveWatch(const Config& config);

  bool is_bound() const { return is_bound_; }
  // Whether the object of this project is to be asked again; says so once in ten seconds.
  bool is_due(int64_t team_id, int64_t now_ms);
  // Whether a request that saw so many events may be shown now; otherwise they are counted for the
  // project's page.
  bool may_show(int64_t team_id, size_t seen, int64_t now_ms);
  // Those counted for this project since this was called last for it.
  size_t take_unshown(int64_t team_id) { return std::exchange(unshown_[team_id], 0); }

 private:
  bool is_bound_;
  int64_t second_ = 0;
  uint32_t shown_ = 0;                      // in that second
  std::map<int64_t, size_t> unshown_;       // as many as the deployment has projects
  std::map<int64_t, int64_t> asked_at_ms_;  // likewise
};

// Asks the project's object whether somebody looks. The host remembers the answer.
CallObject ask_live(int64_t team_id);

class LiveFeed {
 public:
  explicit LiveFeed(std::string_view token);

  // `key` names the event in what follows.
  void add(const Event& event, size_t key);
  void warn(size_t key, std::string_view name, std::string_view detail, const Event& event);
  void settle(size_t key, std::string_view state);
  // The keys of a window's events are given again in the next.
  void end_window();
  void reject(std::string_view reason, std::string_view detail, std::string_view event,
              std::string_view distinct_id, int64_t now_ms);

  bool empty() const { return seen_ == 0 && rejects_.empty() && warnings_.empty(); }
  size_t seen() const { return seen_; }
  // `more_seen`: events of other requests that were not shown.
  CallObject take(int64_t team_id, size_t more_seen = 0);

 private:
  struct Entry {
    size_t key;
    std::string json;  // members without state and warnings
    std::string_view state = "waiting";
    std::string warnings;  // of a JSON array
  };
  Entry* find(size_t key);

  std::string token_last4_;
  size_t seen_ = 0;
  std::vector<Entry> entries_;
  size_t window_at_ = 0;  // entries of the window begin here
  std::string rejects_;   // members of JSON arrays
  std::string warnings_;
  size_t notes_ = 0;
};

}  // namespace hogflare::console
