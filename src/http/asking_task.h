// What every path that answers from the lake does: who may ask, which project, the cache, the
// engine, the envelope. A path says what its question is and how its answer is written.
#pragma once

#include <optional>
#include <string>

#include "asking.h"
#include "freshness.h"
#include "http_task.h"
#include "question_run.h"
#include "scans.h"

namespace hogflare {

// A question as a path makes it.
struct Question {
  std::string query;           // PostHog's query JSON
  std::string path;            // where it stands in the request, for refusals
  std::string query_id;        // the client's own name for it
  bool must_ask = false;       // whatever is kept is passed over
  bool must_not_ask = false;   // only what is kept is answered
  bool must_be_whole = false;  // refused rather than answered without some days
  bool must_estimate = false;  // only told what answering would have the engine read
};

class AskingTask : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects& effects) final;
  void resume(const Turn& turn, EffectResult result, Effects& effects) final;

 protected:
  // Reads the request into `question`, or why it cannot.
  virtual std::optional<Fault> read(Question& question) = 0;
  // The client's answer from PostHog's envelope as JSON text.
  virtual Reply write(std::string answer) = 0;

  MemoryShare& memory() { return memory_; }
  const Project& project() const { return *project_; }
  const Question& question() const { return question_; }

 private:
  std::optional<Fault> begin(const Turn& turn, Effects& effects);
  std::optional<Fault> plan(const Turn& turn, Effects& effects);
  void ask(const Turn& turn, Effects& effects);
  void conclude(const Turn& turn, Effects& effects);
  std::string envelope(const Turn& turn) const;
  std::string query_status() const;
  void answer_kept(const Turn& turn, const std::string& kept);
  std::string cache_key(const Turn& turn, std::string_view cohorts) const;
  uint32_t age_s(const Turn& turn) const;

  const Project* project_ = nullptr;
  Question question_;
  std::optional<insights::Plan> plan_;  // until it is asked
  std::string key_;
  bool names_cohorts_ = false;
  uint32_t flags_effect_ = 0;  // 0: none under way
  uint32_t read_effect_ = 0;
  uint32_t writes_left_ = 0;
  std::string answer_;  // waits until it is kept
  MemoryShare memory_{state().request_memory_bytes};
  QuestionRun run_{memory_};
  Freshness freshness_{memory_};
  Scans scans_;
};

}  // namespace hogflare
