// Asks the engine a plan's statements, a few at a time, and reads the answer. A part of a request's
// task. What was too much for the engine as a whole is asked day by day, the newest first, where
// the plan knows how; days that do not answer then are missing in the answer.
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
#include "hogflare/insights_limits.h"
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
  explicit QuestionRun(MemoryShare& memory, uint32_t timeout_ms = limits::kQueryTimeoutMs)
      : memory_(memory), timeout_ms_(timeout_ms) {}

  enum class Parts : uint8_t { kAllowed, kRefused };
  // `path`: where the question stands in the request, for refusals.
  void start(const Turn& turn, insights::Plan plan, std::string path, Effects& effects,
             Parts parts = Parts::kAllowed);
  bool owns(uint32_t effect_id) const;
  void resume(const Turn& turn, EffectResult result, Effects& effects);

  bool finished() const { return finished_; }
  // Why there is no answer; needs finished().
  const std::optional<Fault>& fault() const { return fault_; }
  // PostHog's envelope as JSON with `more`'s members put over its own. Needs finished() without a
  // fault; a refusal of the rows (cut by their limit, none of the statement's, too many for an
  // answer) becomes the fault, and the text is empty.
  std::string answer(std::string_view more);
  const AskingCost& cost() const { return cost_; }
  const insights::Plan& plan() const { return *plan_; }
  // Days without an answer, oldest first; needs finished().
  std::vector<std::string> days_missing() const;
  size_t days() const { return days_.size(); }  // 0: asked as a whole
  // Names and types of free SQL's columns, JSON arrays; empty otherwise.
  const std::string& columns() const { return columns_; }
  const std::string& types() const { return types_; }

 private:
  // A statement, what is under way for it, and the places of its rows in what came. Borrowed by
  // those places: a list of these does not grow.
  struct Asked {
    const insights::Statement* statement = nullptr;
    size_t of = 0;        // place in the plan of what it gives rows for
    size_t day = 0;       // place in days_, when it is asked by day
    uint32_t effect = 0;  // 0: not begun, or answered
    uint32_t wait = 0;    // effect that ends before it is asked again
    bool is_begun = false;
    bool is_again = false;
    bool is_answered = false;
    std::string body;
    std::optional<json::Document> document;
    json::Value rows;
    std::vector<std::string> names;  // of free SQL's columns
  };

  void begin_more(const Turn& turn, Effects& effects);
  void ask(size_t index, Effects& effects);
  void take(const Turn& turn, size_t index, EffectResult& result, Effects& effects);
  std::optional<Fault> read_reply(Asked& asked, std::string body);
  bool read_schema(json::Value schema, std::vector<std::string>& names);
  // No answer to a statement: the end, or the beginning of asking by day, or a missing day.
  void miss(const Turn& turn, Fault fault, Effects& effects);
  bool begin_days();
  void end_days();
  void fail(Fault fault);

  MemoryShare& memory_;
  uint32_t timeout_ms_;
  std::optional<insights::Plan> plan_;
  std::string path_;
  std::string bucket_;
  Parts parts_ = Parts::kAllowed;
  std::vector<insights::DayPart> days_;  // none: asked as a whole
  std::optional<Fault> whole_fault_;     // why it is asked by day
  std::vector<Asked> asked_;
  size_t ended_ = 0;  // of asked_, with or without an answer
  size_t misses_ = 0;
  std::vector<size_t> missing_;  // places in days_, oldest first; once finished
  AskingCost cost_;
  std::string columns_;
  std::string types_;
  std::optional<Fault> fault_;
  bool finished_ = false;
};

}  // namespace hogflare
