// Asks the engine a plan's statements, a few at a time, and reads the answer. A part of a request's
// task.
//
//   run.start(turn, std::move(plan), effects);
//   if (run.owns(result.id)) run.resume(turn, std::move(result), effects);
//   if (run.finished()) use(run.fault(), run.answer());
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "asking.h"
#include "hogflare/insights.h"
#include "hogflare/json.h"
#include "hogflare/memory_share.h"
#include "hogflare/task.h"

namespace hogflare {

// What asking has cost.
struct AskingCost {
  int64_t began_at_ms = 0;
  int64_t bytes_scanned = 0;  // as the engine tells
  int64_t statements = 0;
};

class QuestionRun {
 public:
  // `memory` outlives the run and pays for the engine's answers.
  explicit QuestionRun(MemoryShare& memory) : memory_(memory) {}

  // `path`: where the question stands in the request, for refusals.
  void start(const Turn& turn, insights::Plan plan, std::string path, Effects& effects);
  bool owns(uint32_t effect_id) const;
  void resume(const Turn& turn, EffectResult result, Effects& effects);

  bool finished() const { return finished_; }
  // Why there is no answer; needs finished().
  const std::optional<Fault>& fault() const { return fault_; }
  // PostHog's envelope as JSON with `more`'s members put over its own. Needs finished() without a
  // fault; a refusal of the rows (cut by their limit) becomes the fault, and the text is empty.
  std::string answer(std::string_view more);
  const AskingCost& cost() const { return cost_; }
  const insights::Plan& plan() const { return *plan_; }
  // Names and types of free SQL's columns, JSON arrays; empty otherwise.
  const std::string& columns() const { return columns_; }
  const std::string& types() const { return types_; }

 private:
  struct Asked {
    uint32_t effect = 0;  // 0: not begun, or answered
    uint32_t wait = 0;    // effect that ends before it is asked again
    bool is_begun = false;
    bool is_again = false;
  };

  // An engine's answer, and the places of its rows in it.
  struct Came {
    std::string body;
    std::optional<json::Document> document;
    json::Value rows;
    std::vector<std::string> names;  // of free SQL's columns
  };

  void begin_more(const Turn& turn, Effects& effects);
  void ask(size_t index, Effects& effects);
  void take(const Turn& turn, size_t index, EffectResult& result, Effects& effects);
  void read_reply(size_t index, std::string body);
  bool read_schema(json::Value schema, std::vector<std::string>& names);
  void fail(Fault fault);

  MemoryShare& memory_;
  std::optional<insights::Plan> plan_;
  std::string path_;
  std::string bucket_;
  std::vector<Asked> asked_;
  std::vector<Came>
      came_;  // by statement; of one size from the start, since places lie inside of it
  size_t answered_ = 0;
  AskingCost cost_;
  std::string columns_;
  std::string types_;
  std::optional<Fault> fault_;
  bool finished_ = false;
};

}  // namespace hogflare
