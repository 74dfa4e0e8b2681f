// What questions have had the engine read, so that the next one's scan can be told before it is
// asked: bytes a day of their time, kept in the data centre's cache for a week. The engine itself
// says it only afterwards. A part of a request's task.
//
//   scans.start(project, plan, effects);
//   if (scans.owns(result.id)) scans.resume(result);
//   if (scans.finished()) reply(scans.estimate());
//   writes = scans.learn(bytes_scanned, effects);
#pragma once

#include <string>

#include "hogflare/config.h"
#include "hogflare/insights.h"
#include "hogflare/task.h"

namespace hogflare {

class Scans {
 public:
  // Asks what is known of the plan's like.
  void start(const Config& config, const Project& project, const insights::Plan& plan,
             Effects& effects);
  bool owns(uint32_t effect_id) const;
  void resume(const EffectResult& result);
  bool finished() const { return is_started_ && same_.effect == 0 && kind_.effect == 0; }

  // {"basis", "bytes", "days", "dollars", "statements"} as docs/API.md has it. Needs finished().
  std::string estimate() const;
  // Keeps what answering has had the engine read; how many effects that takes. Needs finished().
  uint32_t learn(int64_t bytes, Effects& effects) const;

 private:
  struct Known {
    std::string key;
    uint32_t effect = 0;  // 0: none under way
    int64_t bytes = 0;    // a day, or in all where the question has no days; 0: unknown
  };

  Known same_;  // the same question of another time, or with other numbers in it
  Known kind_;  // the one of its kind that read most
  int64_t days_ = 0;
  int64_t statements_ = 0;
  bool is_started_ = false;
};

}  // namespace hogflare
