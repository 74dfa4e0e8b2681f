#include "identity/person_merge.h"

#include <algorithm>
#include <utility>

#include "hogflare/config.h"
#include "hogflare/limits.h"
#include "hogflare/metrics.h"

namespace hogflare {
namespace {

uint64_t left_of(uint64_t most, uint64_t used) { return most - std::min(most, used); }

// Who asked for the merge may be gone, or its answer lost: the alarm reports it in any case.
void note_unreported(PersonWork& work, const Intent& intent, const PersonOp& op,
                     UnreportedMerge note) {
  note.event_uuid = op.event_uuid;
  note.distinct_id = op.distinct_id;
  note.team_id = intent.team_id;
  note_report(work.storage(), work.record(), note);
}

}  // namespace

void MergingTask::start(const Turn& turn, Effects& effects) {
  reports_ids_ = turn.config.sinks[index_of(Stream::kDistinctIds)] != SinkKind::kNone;
  begin(turn, effects);
  refuse_faulty(turn, effects);
}

void MergingTask::resume(const Turn& turn, EffectResult result, Effects& effects) {
  go_on(turn, std::move(result), effects);
  refuse_faulty(turn, effects);
}

void MergingTask::finish_well(Reply reply) {
  if (!fault_.has_value()) finish(std::move(reply));
}

void MergingTask::refuse_faulty(const Turn& turn, Effects& effects) {
  if (!fault_.has_value()) return;
  effects.take();
  finish(refuse_stored(turn, kPersonClassName, *fault_));
}

void MergingTask::ask(const PersonRecord& record, Effects& effects) {
  if (faults_.skip_intent || faults_.fold_twice) asked_ = record.intent;
  asked_sequence_ = record.intent->sequence;
  asked_target_ = record.intent->target;
  parts_.reset();
  send(record, 0, effects);
}

void MergingTask::send(const PersonRecord& record, uint64_t first_page, Effects& effects) {
  const Intent& intent = *record.intent;
  PersonOp op;
  ByteReader in(intent.op);
  HF_ASSERT(read_op(in, op));  // load_record has read it
  SurrenderRequest request;
  request.self = intent.target;
  request.survivor = intent.self;
  request.sequence = intent.sequence;
  request.unless_identified = intent.into_existed && op.merge != MergeKind::kDangerously;
  // Whoever has no person yet brings its own id along.
  const uint64_t own_ids = record.has_person ? count_of_ids(record.person) : 1;
  const uint64_t own_bytes = record.has_person ? bytes_of_ids(record.person) : intent.self.size();
  request.room_ids = left_of(bounds_.ids, own_ids);
  request.room_bytes = left_of(bounds_.ids_bytes, own_bytes);
  request.first_page = first_page;
  const uint8_t version = asks_in_first_version_ && first_page == 0 ? 1 : kSurrenderVersion;
  effects.add(CallObject{ObjectClass::kPerson, person_object_name(intent.team_id, intent.target),
                         write_surrender(request, version)});
}

std::optional<SurrenderReply> MergingTask::take_answer(const EffectResult& result) {
  std::optional<SurrenderReply> reply;
  if (result.ok) reply = read_surrender_reply(result.body);
  asks_in_first_version_ = !reply.has_value() && !asks_in_first_version_;
  return reply;
}

bool MergingTask::is_current(PersonRecord& record) const {
  const bool pretends = faults_.fold_twice || (faults_.skip_intent && !record.intent.has_value());
  if (pretends && asked_.has_value()) record.intent = asked_;
  return record.intent.has_value() && record.intent->sequence == asked_sequence_ &&
         (record.intent->target == asked_target_ || faults_.forget_next_target);
}

bool MergingTask::is_complete(const PersonRecord& record, SurrenderReply& reply, Effects& effects) {
  if (reply.status != SurrenderStatus::kGiven || !reply.has_person) return true;
  const bool continues =
      reply.first_page > 0 && parts_.has_value() && parts_->pages.size() == reply.first_page;
  if (continues) {
    for (std::string& page : reply.pages) parts_->pages.push_back(std::move(page));
  } else if (reply.first_page == 0) {
    parts_ = std::move(reply);
  } else {
    // A part that nobody waits for: from the beginning.
    parts_.reset();
    send(record, 0, effects);
    return false;
  }
  const size_t pages = parts_->person.id_pages;
  if (parts_->pages.size() < pages) {
    send(record, parts_->pages.size(), effects);
    return false;
  }
  parts_->pages.resize(pages);
  reply = std::move(*parts_);
  parts_.reset();
  return true;
}

MergingTask::Answer MergingTask::settle(PersonWork& work, SurrenderReply&& reply,
                                        ChangeLog& changes, OwnResult* own) {
  PersonRecord& record = work.record();
  if (reply.status == SurrenderStatus::kBusy) return Answer::kAskAgain;
  if (reply.status == SurrenderStatus::kCancelled) {
    record.intent.reset();
    work.touch_record();
    return Answer::kCancelled;
  }
  const Intent intent = *record.intent;
  if (reply.status == SurrenderStatus::kMoved && reply.moved_to != intent.self) {
    record.intent->target = std::move(reply.moved_to);
    if (!faults_.forget_next_target) work.touch_record();
    return Answer::kAskAgain;
  }
  carry_out(work, intent, std::move(reply), changes, own);
  return Answer::kSettled;
}

void MergingTask::carry_out(PersonWork& work, const Intent& intent, SurrenderReply&& reply,
                            ChangeLog& changes, OwnResult* own) {
  PersonRecord& record = work.record();
  PersonOp op;
  ByteReader in(work.keep(intent.op));
  HF_ASSERT(read_op(in, op));  // load_record has read it
  Operation operation(work, changes, op,
                      {intent.team_id, intent.self,
                       intent.exact ? PersonlessMode::kExact : PersonlessMode::kStateless});
  // What the merge brings stands behind the pages there are. Nothing comes of one that is refused,
  // or that was done before.
  uint32_t first_page = record.has_person ? record.person.id_pages : 0;
  if (reply.status != SurrenderStatus::kGiven) first_page = kNoIdsMoved;
  const bool reports = (changes.wanted() || reports_ids_) && !faults_.skip_report;
  if (reports) note_moved_ids(work.storage(), record, first_page, work.fault());
  const bool took_person = reply.status == SurrenderStatus::kGiven && reply.has_person;
  UnreportedMerge note;
  if (took_person && record.has_person) {
    note.merged_uuid = reply.person.uuid;
    note.merged_version = reply.person.version + kDeletedVersionStep;
    note.merged_created_at_ms = reply.person.created_at_ms;
  }
  if (reply.status == SurrenderStatus::kGiven) {
    operation.fold(std::move(reply), intent.target);
  } else {
    operation.result().is_full = reply.status == SurrenderStatus::kTooMany;
    operation.result().refused =
        operation.result().is_full || reply.status == SurrenderStatus::kRefused;
    operation.apply(IdentifiedChange::kIdentify);
  }
  record.intent.reset();
  record.note_applied(intent.sequence);
  if (reports) note_unreported(work, intent, op, std::move(note));
  if (took_person) {
    note_dismissal(work.storage(), record, person_object_name(intent.team_id, intent.target));
  }
  work.touch_record();
  if (own != nullptr) {
    own->result = operation.result();
    own->row = operation.row_properties().text;
  }
}

void keep_alarm_near(const Turn& turn) {
  if (turn.storage->alarm() - turn.now_ms <= limits::kMergeAlarmMsMax) return;
  turn.storage->set_alarm(turn.now_ms + limits::kMergeAlarmMs);
}

void make_sure_of_alarm(const Turn& turn, const ProtocolFaults& faults) {
  if (faults.skip_alarm) return;
  const int64_t at_ms = turn.now_ms + limits::kMergeAlarmMs;
  const int64_t set_ms = turn.storage->alarm();
  if (set_ms == 0 || set_ms > at_ms) turn.storage->set_alarm(at_ms);
}

}  // namespace hogflare
