// One call of a person's object with the operations of one request.
#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "hogflare/limits.h"
#include "hogflare/person_calls.h"
#include "identity/person_merge.h"

namespace hogflare {
namespace {

// What is stored of an operation is bounded where it is planned; another deployment's Worker may
// have planned it.
bool is_storable(const PersonOp& op) {
  size_t unset_bytes = 0;
  for (const std::string_view key : op.unset) unset_bytes += key.size();
  return op.distinct_id.size() <= limits::kIdBytesMax && op.other.size() <= limits::kIdBytesMax &&
         op.set.size() <= limits::kPersonPropertiesBytesMax &&
         op.set_once.size() <= limits::kPersonPropertiesBytesMax &&
         unset_bytes <= limits::kUnsetBytesMax;
}

class ApplyTask final : public MergingTask {
 public:
  ApplyTask(std::string bytes, const ProtocolFaults& faults, const PersonBounds& bounds)
      : MergingTask(faults, bounds), bytes_(std::move(bytes)), changes_(false) {}

  void begin(const Turn& turn, Effects& effects) override {
    std::optional<ApplyRequest> request = read_apply(bytes_);
    if (!request.has_value() || request->self.size() > limits::kIdBytesMax ||
        !std::all_of(request->ops.begin(), request->ops.end(), is_storable)) {
      end(ApplyStatus::kBad);
      return;
    }
    request_ = std::move(*request);
    changes_ = ChangeLog(request_.wants_changes);
    writer_.show_identified(request_.wants_identified);
    if (request_.texts_bytes_max != SIZE_MAX) {
      // Half of it is for the changes.
      writer_.bound_texts(request_.texts_bytes_max / (request_.wants_changes ? 2 : 1));
    }
    run(turn, effects);
  }

  void go_on(const Turn& turn, EffectResult result, Effects& effects) override {
    if (waits_) {
      waits_ = false;
      run(turn, effects);
      return;
    }
    if (early_reply_.has_value()) {
      answered(turn, SurrenderReply(*early_reply_), effects);
      return;
    }
    std::optional<SurrenderReply> reply = take_answer(result);
    if (reply.has_value()) {
      answered(turn, std::move(*reply), effects);
    } else if (result.ok || ++attempts_ >= 2) {
      end(ApplyStatus::kFailed);
    } else {
      run(turn, effects);
    }
  }

 private:
  void answered(const Turn& turn, SurrenderReply&& reply, Effects& effects) {
    PersonWork work(turn, bounds_, fault_);
    if (work.failed()) return;
    PersonRecord& record = work.record();
    if (!is_current(record)) {
      // run() finds out how it went.
      run_on(work, turn, effects);
      return;
    }
    if (!early_reply_.has_value() && !is_complete(record, reply, effects)) return;
    if (faults_.acknowledge_before_fold && reply.has_person && !early_reply_.has_value()) {
      early_reply_ = std::move(reply);
      effects.add(CallObject{ObjectClass::kPerson,
                             person_object_name(record.intent->team_id, asked_target_),
                             write_acknowledge()});
      return;
    }
    early_reply_.reset();
    const bool is_mine = merge_sequence_ == asked_sequence_;
    OwnResult own;
    const Answer answer = settle(work, std::move(reply), changes_, is_mine ? &own : nullptr);
    if (work.failed()) return end_failed(work);
    if (answer == Answer::kSettled) {
      if (is_mine) done_with(own.result, {own.row, 0});
      asked_.reset();
      run_on(work, turn, effects);
      return;
    }
    if (answer == Answer::kCancelled && is_mine) merge_sequence_ = 0;
    const bool moved_on = record.intent.has_value() && record.intent->target != asked_target_;
    commit(work);
    if (moved_on) {
      if (++hops_ > limits::kRedirectHopsMax) {
        end(ApplyStatus::kFailed);
        return;
      }
      ask(record, effects);
      return;
    }
    wait_or_give_up(turn, effects);
  }

  void wait_or_give_up(const Turn& turn, Effects& effects) {
    if (++attempts_ >= limits::kPersonAttemptsMax) {
      end(ApplyStatus::kBusy);
      return;
    }
    waits_ = true;
    const uint64_t spread_ms = 10ull << attempts_;
    effects.add(Wait{static_cast<uint32_t>(10 + turn.entropy.below(spread_ms))});
  }

  void run(const Turn& turn, Effects& effects) {
    PersonWork work(turn, bounds_, fault_);
    run_on(work, turn, effects);
  }

  void run_on(PersonWork& work, const Turn& turn, Effects& effects) {
    if (work.failed()) return;
    writer_.begin_turn();
    keep_alarm_near(turn);
    PersonRecord& record = work.record();
    if (record.state == RecordState::kRedirect) {
      const bool covered = merge_sequence_ != 0 && record.was_applied(merge_sequence_);
      end(ApplyStatus::kMoved, record.redirect_to, covered);
      return;
    }
    if (record.intent.has_value() && !faults_.skip_intent_help) {
      commit(work);
      make_sure_of_alarm(turn, faults_);
      ask(record, effects);
      return;
    }
    while (next_ < request_.ops.size()) {
      if (writer_.size() > limits::kPersonReplyBytesMax) break;
      PersonOp& op = request_.ops[next_];
      op.wants_text = !writer_.is_full();
      if (!belongs_here(op)) break;
      const bool begins = begins_merge(work, op);
      if (work.failed()) return end_failed(work);
      if (begins) {
        begin_merge(work, turn, op, effects);
        return;
      }
      apply(work, op);
      if (work.failed()) return end_failed(work);
    }
    take_offered_id(work);
    commit(work);
    end(next_ == request_.ops.size() ? ApplyStatus::kDone : ApplyStatus::kPartial);
  }

  bool belongs_here(const PersonOp& op) const {
    return !op.needs_merge || merged_.find(op.distinct_id) != merged_.end();
  }

  // False when the operation has no merge, or one that is known to be done.
  bool begins_merge(PersonWork& work, PersonOp& op) {
    if (op.merge == MergeKind::kNone || op.covered) return false;
    if (merge_sequence_ != 0 && work.record().was_applied(merge_sequence_)) {
      op.covered = true;
      return false;
    }
    if (op.other == request_.self) return false;
    return !work.record().has_person || !work.has_id(op.other);
  }

  void begin_merge(PersonWork& work, const Turn& turn, const PersonOp& op, Effects& effects) {
    // What an intent carries must be carried out whenever it is found.
    if (!has_good_texts(op)) {
      work.refuse_call();
      return end_failed(work);
    }
    PersonRecord& record = work.record();
    Intent intent;
    intent.sequence = ++record.sequence;
    intent.self = request_.self;
    intent.target = op.other;
    intent.into_existed = record.has_person;
    intent.exact = request_.personless == PersonlessMode::kExact;
    intent.since_ms = turn.now_ms;
    intent.team_id = request_.team_id;
    ByteWriter bytes;
    write_op(bytes, op);
    intent.op = bytes.take();
    merge_sequence_ = intent.sequence;
    record.intent = std::move(intent);
    work.touch_record();
    if (faults_.skip_intent) {
      std::optional<Intent> forgotten = std::exchange(record.intent, std::nullopt);
      commit(work);
      record.intent = std::move(forgotten);
    } else {
      commit(work);
    }
    make_sure_of_alarm(turn, faults_);
    ask(record, effects);
  }

  void apply(PersonWork& work, const PersonOp& op) {
    Operation operation(work, changes_, op, {request_.team_id, request_.self, request_.personless});
    // An operation whose ids are one person already still identifies it (I-6.7).
    operation.apply(op.merge == MergeKind::kNone ? IdentifiedChange::kKeep
                                                 : IdentifiedChange::kIdentify);
    if (!work.failed()) done_with(operation.result(), operation.row_properties());
  }

  void done_with(const OpResult& result, const ApplyReplyWriter::Properties& row) {
    const PersonOp& op = request_.ops[next_];
    writer_.add(result, row, op);
    if (op.merge != MergeKind::kNone && !result.refused) merged_.emplace(op.other);
    merge_sequence_ = 0;
    ++next_;
  }

  void take_offered_id(PersonWork& work) {
    PersonRecord& record = work.record();
    if (request_.offered_id == 0 || took_id_ || !record.has_person || record.person.id != 0) return;
    record.person.id = request_.offered_id;
    took_id_ = true;
    work.touch_record();
  }

  void commit(PersonWork& work) {
    changes_.snapshot(work);
    work.commit();
  }

  // An error undoes the turn, whatever it has written. What earlier turns of the call did stands,
  // and is done again.
  void end_failed(const PersonWork& work) {
    if (!work.is_refused()) return;  // a stored value that cannot be read has an answer of its own
    finish_well(
        {.status = 500, .headers = {}, .body = "an operation's properties are no text of ours"});
  }

  void end(ApplyStatus status, std::string_view moved_to = {}, bool covered = false) {
    Reply reply;
    reply.body = writer_.finish(status, moved_to, covered, took_id_, changes_.take());
    finish_well(std::move(reply));
  }

  std::string bytes_;
  ApplyRequest request_;
  ApplyReplyWriter writer_;
  ChangeLog changes_;
  size_t next_ = 0;
  uint64_t merge_sequence_ = 0;  // of the merge begun for request_.ops[next_]; 0: none
  std::set<std::string, std::less<>> merged_;
  int attempts_ = 0;
  std::optional<SurrenderReply> early_reply_;  // only with acknowledge_before_fold
  int hops_ = 0;
  bool waits_ = false;
  bool took_id_ = false;
};

}  // namespace

std::unique_ptr<Task> make_apply_task(std::string request, const ProtocolFaults& faults,
                                      const PersonBounds& bounds) {
  return std::make_unique<ApplyTask>(std::move(request), faults, bounds);
}

}  // namespace hogflare
