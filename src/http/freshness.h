// Until when rows are in the table: the sink writes files every so often, so that what has arrived
// since is not there yet. A part of a request's task; every answer tells it.
//
//   freshness.start(turn, project, must_ask, effects);
//   if (freshness.owns(result.id)) freshness.resume(turn, std::move(result), effects);
//   if (freshness.finished()) use(freshness.until());
#pragma once

#include <string>

#include "question_run.h"

namespace hogflare {

class Freshness {
 public:
  // `memory` as a QuestionRun's.
  explicit Freshness(MemoryShare& memory) : run_(memory, limits::kFreshnessTimeoutMs) {}

  // What was learnt within the last minute is taken, unless `must_ask`.
  void start(const Turn& turn, const Project& project, bool must_ask, Effects& effects);
  bool owns(uint32_t effect_id) const;
  void resume(const Turn& turn, EffectResult result, Effects& effects);

  bool finished() const { return finished_; }
  // The moment as a JSON text; null where the engine does not say, or nothing has arrived for a
  // day. Needs finished().
  const std::string& until() const { return until_; }
  const AskingCost& cost() const { return run_.cost(); }

 private:
  void ask(const Turn& turn, Effects& effects);
  void conclude(Effects& effects);

  const Project* project_ = nullptr;
  std::string key_;
  uint32_t read_effect_ = 0;  // 0: none under way
  uint32_t write_effect_ = 0;
  QuestionRun run_;
  std::string until_ = "null";
  bool finished_ = false;
};

}  // namespace hogflare
