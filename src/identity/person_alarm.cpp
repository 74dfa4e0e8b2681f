// Finishes the merge a crash left behind, tells surrendered objects that they may forget, and
// reports merges to the persons and the distinct_ids stream. Each step leaves its note in storage
// until it is done. While nothing gets done, the alarm comes ever later; what cannot be read does
// not stand in the way of the rest.
#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/delivery.h"
#include "hogflare/limits.h"
#include "hogflare/memory_limits.h"
#include "hogflare/people_run.h"
#include "hogflare/person_calls.h"
#include "identity/distinct_id_rows.h"
#include "identity/person_merge.h"

namespace hogflare {
namespace {

// Rows that the ids of one page may take, many times over: what makes their uuids differ.
constexpr size_t kPartsOfPage = 16;

int64_t delay_by_age_ms(int64_t age_ms) {
  return std::clamp(age_ms, limits::kMergeAlarmMs, limits::kMergeAlarmMsMax);
}

int64_t delay_by_tries_ms(uint64_t tries) {
  return std::min(limits::kMergeAlarmMs << std::min<uint64_t>(tries, 16), limits::kMergeAlarmMsMax);
}

class AlarmTask final : public MergingTask {
 public:
  AlarmTask(const ProtocolFaults& faults, const PersonBounds& bounds, SinkHealth* sink_health)
      : MergingTask(faults, bounds),
        changes_(false),
        sink_health_(sink_health == nullptr ? own_sink_health_ : *sink_health) {}

  void begin(const Turn& turn, Effects& effects) override {
    changes_ = ChangeLog(turn.config.sinks[index_of(Stream::kPersons)] != SinkKind::kNone);
    PersonWork work(turn, bounds_, fault_);
    if (work.failed()) {
      // The code that can read the record may be back, after a rollback for instance.
      turn.storage->set_alarm(turn.now_ms + limits::kMergeAlarmMsMax);
      tell(turn, *std::exchange(fault_, std::nullopt));
      return finish({});
    }
    const PersonRecord& record = work.record();
    if (!has_work(work)) {
      finish_well({});
      return;
    }
    tries_ = load_tries(work.storage());
    // Set before anything can go wrong: the host repeats a failed alarm only a few times.
    turn.storage->set_alarm(turn.now_ms +
                            (record.intent.has_value()
                                 ? delay_by_age_ms(turn.now_ms - record.intent->since_ms)
                                 : delay_by_tries_ms(tries_)));
    run(work, turn, effects);
    come_back_later(turn, effects);
  }

  void go_on(const Turn& turn, EffectResult result, Effects& effects) override {
    PersonWork work(turn, bounds_, fault_);
    if (!work.failed()) take_up(work, turn, std::move(result), effects);
    come_back_later(turn, effects);
  }

 private:
  void take_up(PersonWork& work, const Turn& turn, EffectResult result, Effects& effects) {
    if (report_.has_value()) {
      report_->resume(turn, std::move(result), effects);
      if (report_->finished()) reported(work, turn, effects);
    } else if (!pending_.empty()) {
      acknowledged(work, turn, result, effects);
    } else {
      answered(work, turn, result, effects);
    }
  }

  // Where the turn has met a value that cannot be read. What it has written is to stand, the alarm
  // above all, so it ends without an error: only an answer carried out by half must be undone.
  void come_back_later(const Turn& turn, Effects& effects) {
    if (!fault_.has_value() || is_settling_) return;
    tell(turn, *fault_);
    fault_.reset();
    effects.take();
    report_.reset();
    note_tried(*turn.storage);
    finish({});
  }

  static void tell(const Turn& turn, const StoredFault& fault) {
    refuse_stored(turn, kPersonClassName, fault);
  }

  // How far away the next alarm is set: further with every one that got nothing done.
  void note_tried(Storage& storage) {
    const uint64_t tries = has_progressed_ ? 0 : tries_ + 1;
    if (delay_by_tries_ms(tries) != delay_by_tries_ms(tries_)) store_tries(storage, tries);
  }

  static bool has_work(PersonWork& work) {
    return work.record().intent.has_value() || has_dismissals(work.storage()) ||
           owes_report(work.record());
  }

  // A person that was surrendered took its notes along.
  static bool owes_report(const PersonRecord& record) {
    return record.state == RecordState::kOwner && record.first_report < record.next_report;
  }

  void run(PersonWork& work, const Turn& turn, Effects& effects) {
    if (work.record().intent.has_value()) {
      ask(work.record(), effects);
      return;
    }
    acknowledge_some(work, turn, effects);
    if (!pending_.empty()) return;
    if (owes_report(work.record()) && !has_reported_) {
      report(work, turn, effects);
      return;
    }
    const bool is_done = !has_work(work);
    has_progressed_ = has_progressed_ || is_done;
    note_tried(work.storage());
    if (is_done) {
      turn.storage->set_alarm(0);
    } else if (dismissed_ > 0 && tried_ >= bounds_.acknowledges_per_alarm) {
      // They come as fast as people merge, and must go as fast.
      turn.storage->set_alarm(turn.now_ms + limits::kMergeContinueMs);
    } else if (has_progressed_) {
      make_sure_of_alarm(turn, faults_);
    }
    finish_well({});
  }

  void answered(PersonWork& work, const Turn& turn, const EffectResult& result, Effects& effects) {
    std::optional<SurrenderReply> reply = take_answer(result);
    PersonRecord& record = work.record();
    if (!reply.has_value() && result.ok) return finish_well({});
    if (reply.has_value() && is_current(record)) {
      if (!is_complete(record, *reply, effects)) return;
      if (++steps_ > limits::kRedirectHopsMax) return finish_well({});
      is_settling_ = true;
      const Answer answer = settle(work, std::move(*reply), changes_, nullptr);
      if (!work.failed()) work.commit();
      if (work.failed()) return;
      is_settling_ = false;
      const bool moved_on = record.intent.has_value() && record.intent->target != asked_target_;
      if (answer == Answer::kAskAgain && !moved_on) {
        finish_well({});
        return;
      }
    } else if (!reply.has_value() && std::exchange(has_failed_, true)) {
      finish_well({});
      return;
    }
    asked_.reset();
    run(work, turn, effects);
  }

  // The next of those that wait, behind those this alarm has tried.
  void acknowledge_some(PersonWork& work, const Turn& turn, Effects& effects) {
    if (tried_ >= bounds_.acknowledges_per_alarm) return;
    std::optional<StoredFault> unread;
    auto waiting =
        load_dismissals(work.storage(), last_tried_, bounds_.acknowledge_at_once, unread);
    if (unread.has_value()) tell(turn, *unread);
    for (auto& [key, object] : waiting) {
      const uint32_t id =
          effects.add(CallObject{ObjectClass::kPerson, std::move(object), write_acknowledge()});
      last_tried_ = key;
      pending_.emplace_back(id, std::move(key));
      ++tried_;
    }
  }

  void acknowledged(PersonWork& work, const Turn& turn, const EffectResult& result,
                    Effects& effects) {
    const auto found = std::find_if(pending_.begin(), pending_.end(),
                                    [&](const auto& sent) { return sent.first == result.id; });
    HF_ASSERT(found != pending_.end());
    if (result.ok) {
      work.storage().erase(found->second);
      ++dismissed_;
      has_progressed_ = true;
    }
    pending_.erase(found);
    if (pending_.empty()) run(work, turn, effects);
  }

  // Tells the persons stream of the person as it is now, and then the distinct_ids stream of its
  // ids. Either in parts, one a turn: a person may have megabytes of ids.
  void report(PersonWork& work, const Turn& turn, Effects& effects) {
    ReadReports read = read_reports(work.storage(), work.record());
    if (read.fault.has_value()) tell(turn, *read.fault);
    merges_ = std::move(read.reports);
    unread_ = std::move(read.unread);
    has_reported_ = true;
    reported_before_ = work.record().next_report;
    if (merges_.empty()) return end_report(work, turn, effects);
    report_more(work, turn, effects);
  }

  // The next part of the rows, until there are no more.
  void report_more(PersonWork& work, const Turn& turn, Effects& effects) {
    RowBatch rows = next_rows(work, turn);
    if (work.failed()) return;
    if (rows.empty()) return end_report(work, turn, effects);
    std::vector<RowBatch> batches;
    batches.push_back(std::move(rows));
    report_.emplace(std::move(batches), sink_health_);
    report_->start(turn, effects);
    if (report_->finished()) reported(work, turn, effects);
  }

  RowBatch next_rows(PersonWork& work, const Turn& turn) {
    if (changes_.wanted() && !has_told_persons_) {
      RowBatch rows(Stream::kPersons);
      append_persons(work, turn, rows);
      if (work.failed() || !rows.empty()) return rows;
      has_told_persons_ = true;
      next_page_.reset();
    }
    RowBatch rows(Stream::kDistinctIds);
    if (reports_ids_) append_ids(work, turn, rows);
    return rows;
  }

  // The person with the ids inside its record, a deletion for each person it absorbed, and then the
  // person again with the next of the ids on pages.
  void append_persons(PersonWork& work, const Turn& turn, RowBatch& rows) {
    const Person& person = work.record().person;
    if (!next_page_.has_value()) {
      next_page_ = first_moved_page(work.storage(), work.fault());
      if (work.failed()) return;
      const bool none_came = *next_page_ == kNoIdsMoved;
      append_person(work, turn, none_came ? std::vector<PersonId>() : person.ids, 0, rows);
    }
    while (next_merge_ < merges_.size() && rows.bytes() < bounds_.id_rows_bytes) {
      append_deleted(work, turn, merges_[next_merge_++], rows);
    }
    if (!rows.empty()) return;
    const uint32_t first = *next_page_;
    const std::vector<PersonId> ids = next_ids(work);
    if (!ids.empty()) append_person(work, turn, ids, kPartsOfPage * (size_t{first} + 1), rows);
  }

  // Those on the next pages, as many as one row takes.
  std::vector<PersonId> next_ids(PersonWork& work) {
    const size_t bytes_max = std::min(limits::kPersonRowIdsBytesMax, bounds_.id_rows_bytes);
    std::vector<PersonId> ids;
    uint64_t bytes = 0;
    for (; *next_page_ < work.record().person.id_pages; ++*next_page_) {
      std::vector<PersonId> page = load_ids(work, *next_page_);
      if (work.failed()) return {};
      bytes += bytes_of_ids(page);
      if (!ids.empty() && bytes > bytes_max) return ids;
      std::move(page.begin(), page.end(), std::back_inserter(ids));
    }
    return ids;
  }

  void append_person(PersonWork& work, const Turn& turn, const std::vector<PersonId>& ids,
                     size_t part, RowBatch& rows) const {
    const UnreportedMerge& newest = merges_.back();
    PersonOp op;
    op.distinct_id = newest.distinct_id;
    op.event_uuid = newest.event_uuid;
    ChangeLog log(true);
    log.changed(ChangeKind::kMerge, op);
    log.concerns_all(ids);
    log.snapshot(work);
    for (const PersonChange& change : log.take()) append(rows, change, turn, part);
  }

  void append_deleted(PersonWork& work, const Turn& turn, const UnreportedMerge& merge,
                      RowBatch& rows) const {
    if (merge.merged_uuid.empty()) return;
    PersonChange change;
    change.kind = ChangeKind::kDelete;
    change.uuid = merge.merged_uuid;
    change.version = merge.merged_version;
    change.created_at_ms = merge.merged_created_at_ms;
    change.distinct_id = merge.distinct_id;
    change.event_uuid = merge.event_uuid;
    change.merged_into = work.record().person.uuid;
    append(rows, change, turn, 0);
  }

  void append(RowBatch& rows, const PersonChange& change, const Turn& turn, size_t part) const {
    Project project;
    project.team_id = merges_.back().team_id;
    append_person_rows(rows, change, project, {}, turn.now_ms, part);
  }

  // Those inside the record first: while the report is under way they may move to pages behind the
  // last.
  void append_ids(PersonWork& work, const Turn& turn, RowBatch& rows) {
    const Person& person = work.record().person;
    const IdRowHead head{merges_.back().team_id, person.uuid, turn.now_ms};
    if (!next_page_.has_value()) {
      next_page_ = first_moved_page(work.storage(), work.fault());
      if (work.failed()) return;
      if (*next_page_ != kNoIdsMoved) append_distinct_id_rows(rows, head, person.ids);
      if (faults_.skip_paged_ids) next_page_ = person.id_pages;
    }
    while (*next_page_ < person.id_pages && rows.bytes() < bounds_.id_rows_bytes) {
      append_distinct_id_rows(rows, head, load_ids(work, *next_page_));
      if (work.failed()) return;
      ++*next_page_;
    }
  }

  static std::vector<PersonId> load_ids(PersonWork& work, uint32_t page) {
    const std::string body = load_id_page(work.storage(), page, work.fault());
    std::vector<PersonId> ids;
    if (work.failed()) return ids;
    ByteReader in(body);
    HF_ASSERT(read_ids(in, ids));  // its checksum says that it was written here
    return ids;
  }

  void reported(PersonWork& work, const Turn& turn, Effects& effects) {
    const bool is_kept = report_->outcome(Stream::kPersons).failed == 0 &&
                         report_->outcome(Stream::kDistinctIds).failed == 0;
    report_.reset();
    if (is_kept && owes_report(work.record())) {
      report_more(work, turn, effects);
    } else {
      run(work, turn, effects);
    }
  }

  void end_report(PersonWork& work, const Turn& turn, Effects& effects) {
    PersonRecord& record = work.record();
    has_progressed_ = has_progressed_ || !merges_.empty();
    // Nothing can be read of what is left: it waits.
    const bool is_stuck =
        merges_.empty() && !unread_.empty() && unread_.front() == record.first_report;
    if (is_stuck) return run(work, turn, effects);
    erase_reports(work.storage(), record, reported_before_, unread_);
    // Merges that came meanwhile are still to be reported, from where the earliest of them needs
    // it.
    if (!owes_report(record)) forget_moved_ids(work.storage());
    work.touch_record();
    work.commit();
    run(work, turn, effects);
  }

  ChangeLog changes_;
  std::vector<std::pair<uint32_t, std::string>> pending_;  // acknowledgements under way, by key
  std::string last_tried_;
  size_t tried_ = 0;
  size_t dismissed_ = 0;
  uint64_t tries_ = 0;           // of alarms before this one that got nothing done
  bool has_progressed_ = false;  // this one has got something done
  bool is_settling_ = false;     // the record is being changed and not stored
  SinkHealth own_sink_health_;
  SinkHealth& sink_health_;
  std::optional<DeliveryRun> report_;
  bool has_reported_ = false;
  uint64_t reported_before_ = 0;         // the number of the first note that is not in the report
  std::vector<UnreportedMerge> merges_;  // to be told of
  std::vector<uint64_t> unread_;         // numbers of notes that cannot be read, and stay
  size_t next_merge_ = 0;                // of merges_, whose deletion is told next
  bool has_told_persons_ = false;
  // Of ids to be told to the stream at hand; nullopt: those inside the record first.
  std::optional<uint32_t> next_page_;
  bool has_failed_ = false;
  int steps_ = 0;
};

}  // namespace

std::unique_ptr<Task> make_alarm_task(const ProtocolFaults& faults, const PersonBounds& bounds,
                                      SinkHealth* sink_health) {
  return std::make_unique<AlarmTask>(faults, bounds, sink_health);
}

}  // namespace hogflare
