// The common part of a person's call and its alarm: ask the other side of the merge under way, and
// carry out what its answer means. Every entry reads the record, decides, and stores it before it
// returns: turns of several calls interleave, and any of them may be the last one before a crash.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "identity/person_operation.h"

namespace hogflare {

inline constexpr std::string_view kPersonClassName = "person";

// What one operation's own task reports of it.
struct OwnResult {
  OpResult result;
  std::string row;
};

// A subclass says what comes when no merge is in the way.
class MergingTask : public Task {
 public:
  void start(const Turn& turn, Effects& effects) final;
  void resume(const Turn& turn, EffectResult result, Effects& effects) final;

 protected:
  MergingTask(const ProtocolFaults& faults, const PersonBounds& bounds)
      : faults_(faults), bounds_(bounds) {}

  virtual void begin(const Turn& turn, Effects& effects) = 0;
  virtual void go_on(const Turn& turn, EffectResult result, Effects& effects) = 0;

  // Ends the task, unless the turn has met a stored value that it cannot read.
  void finish_well(Reply reply);

  // Sends the surrender request of the intent that `record` holds.
  void ask(const PersonRecord& record, Effects& effects);
  // The answer to it; nullopt when there is none, or none that can be read.
  std::optional<SurrenderReply> take_answer(const EffectResult& result);
  // Whether the record still holds the intent that was asked for: else another call or the alarm
  // was faster.
  bool is_current(PersonRecord& record) const;
  // Puts the parts of a surrendered person together. False: more was asked for.
  bool is_complete(const PersonRecord& record, SurrenderReply& reply, Effects& effects);

  enum class Answer { kSettled, kAskAgain, kCancelled };
  // Carries the answer out in the record, which must still hold the intent that was asked for.
  // `own`, when not null, gets what the operation's own task reports.
  Answer settle(PersonWork& work, SurrenderReply&& reply, ChangeLog& changes, OwnResult* own);

  const ProtocolFaults faults_;
  const PersonBounds bounds_;
  std::optional<StoredFault> fault_;  // of the turn at hand, which then does nothing
  bool reports_ids_ = false;          // there is a distinct_ids stream
  uint64_t asked_sequence_ = 0;
  std::string asked_target_;
  std::optional<Intent> asked_;  // only with faults that need it

 private:
  void send(const PersonRecord& record, uint64_t first_page, Effects& effects);
  void carry_out(PersonWork& work, const Intent& intent, SurrenderReply&& reply, ChangeLog& changes,
                 OwnResult* own);
  void refuse_faulty(const Turn& turn, Effects& effects);

  // What has come of a person whose ids need several answers.
  std::optional<SurrenderReply> parts_;
  // The object asked may be of the version before, which does not understand the question.
  bool asks_in_first_version_ = false;
};

// An alarm later than any that is set here is of a clock that was ahead: it is set anew.
void keep_alarm_near(const Turn& turn);
// Sets the alarm that finishes a merge, unless it is set.
void make_sure_of_alarm(const Turn& turn, const ProtocolFaults& faults);

// person_apply.cpp, person_alarm.cpp
std::unique_ptr<Task> make_apply_task(std::string request, const ProtocolFaults& faults,
                                      const PersonBounds& bounds);
std::unique_ptr<Task> make_alarm_task(const ProtocolFaults& faults, const PersonBounds& bounds,
                                      SinkHealth* sink_health);

}  // namespace hogflare
