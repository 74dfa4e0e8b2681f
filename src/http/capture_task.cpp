// A capture request from its bytes to its answer (design: docs/ARCHITECTURE.md, "Life of a capture
// request"): decode, people and groups, rows, delivery, reply. The three kinds of request differ in
// how they are decoded and answered, not in between.
#include <optional>
#include <vector>

#include "http_task.h"
#include "hogflare/capture.h"
#include "hogflare/capture_v1.h"
#include "hogflare/delivery.h"
#include "hogflare/groups_run.h"
#include "hogflare/people_run.h"
#include "hogflare/rows.h"
#include "hogflare/signature.h"
#include "hogflare/url.h"
#include "hogflare/uuid.h"
#include "hogflare/wire.h"

namespace hogflare {
namespace {

class CaptureTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects& effects) override {
    if (std::optional<Error> refused = admit()) return refuse(turn, *refused);
    auto decoded = decode(turn);
    if (!decoded.ok()) return refuse(turn, decoded.error());
    batch_ = std::move(decoded).value();
    people_.emplace(batch_->events, *batch_->project, state().identity);
    groups_.emplace(batch_->events, *batch_->project, state().identity);
    people_->start(turn, effects);
    groups_->start(turn, effects);
    advance(turn, effects);
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    if (people_->owns(result.id)) {
      people_->resume(turn, std::move(result), effects);
    } else if (groups_->owns(result.id)) {
      groups_->resume(turn, std::move(result), effects);
    } else if (delivery_ && delivery_->owns(result.id)) {
      delivery_->resume(turn, std::move(result), effects);
    }
    advance(turn, effects);
  }

 private:
  bool is_v1() const { return route().endpoint == RouteKind::kCaptureV1; }

  // What can be refused before the body is looked at.
  std::optional<Error> admit() {
    if (body_is_too_large()) {
      return Error(ErrorCode::kTooLarge, "the body is over this path's limit");
    }
    if (state().config.has_fatal_problem()) {
      return Error(ErrorCode::kSinkUnavailable,
                   "this deployment's configuration is not usable; see /healthz");
    }
    const bool has_secret = !state().config.signing_secret.empty();
    if (has_secret && !form_value(head().query, "data").value_or("").empty()) {
      return Error(ErrorCode::kInvalidSignature,
                   "a payload in ?data= is not covered by the signature; send it as the body");
    }
    const Result<Ok> signature = check_signature(head(), body(), state().config.signing_secret);
    if (!signature.ok()) return signature.error();
    return std::nullopt;
  }

  Result<std::unique_ptr<CaptureBatch>> decode(const Turn& turn) {
    const CaptureContext context{turn.now_ms, turn.config, turn.entropy, &state().decompressor};
    if (is_v1()) return decode_capture_v1(head(), std::move(body()), context);
    if (route().endpoint == RouteKind::kReplay) {
      return decode_replay(head(), std::move(body()), context);
    }
    return decode_capture(head(), capture_endpoint(route()), std::move(body()), context);
  }

  void refuse(const Turn& turn, const Error& error) {
    turn.metrics.count_rejected(error.code);
    respond(is_v1() ? write_v1_error(head(), error, turn.now_ms) : error_reply(head(), error));
  }

  void advance(const Turn& turn, Effects& effects) {
    if (finished() || batch_ == nullptr) return;
    if (!delivery_) {
      if (!people_->finished() || !groups_->finished()) return;
      delivery_.emplace(build_rows(turn), state().sink_health);
      delivery_->start(turn, effects);
    }
    if (delivery_->finished()) respond(conclude(turn));
  }

  std::vector<RowBatch> build_rows(const Turn& turn) {
    RowBatch persons(Stream::kPersons);
    people_->append_change_rows(turn, persons);
    RowBatch rejects(Stream::kRejects);
    append_rejects(turn, rejects);
    std::vector<RowBatch> batches;
    batches.push_back(build_event_rows(turn));
    batches.push_back(std::move(persons));
    batches.push_back(std::move(rejects));
    return batches;
  }

  RowBatch build_event_rows(const Turn& turn) {
    RowBatch rows(Stream::kEvents);
    const RowWriter writer(head(), {batch_->token, batch_->project, batch_->sent_at_ms},
                           turn.config, turn.now_ms);
    rows_of_.resize(batch_->events.size(), kNoRow);
    for (size_t i = 0; i < batch_->events.size(); ++i) {
      if (people_->failed(i) || groups_->failed(i)) {
        rows_of_[i] = kFailed;
        some_object_failed_ = true;
        continue;
      }
      const PersonView person = people_->take_view(i);
      if (person.dropped) continue;
      rows_of_[i] = rows.size();
      writer.append_event(batch_->events[i], person, groups_->take_view(i), rows);
    }
    for (const Recording& recording : batch_->recordings) writer.append_recording(recording, rows);
    turn.metrics.events_accepted += rows.size();
    return rows;
  }

  void append_rejects(const Turn& turn, RowBatch& rows) {
    RejectRow row;
    row.team_id = batch_->project->team_id;
    row.received_at_ms = turn.now_ms;
    row.api_key = batch_->token;
    for (const Reject& reject : batch_->rejects) {
      turn.metrics.count_rejected(reject.error.code);
      const std::string uuid = Uuid::version_7(turn.now_ms, turn.entropy).text();
      row.uuid = uuid;
      row.kind = RejectKind::kReject;
      row.reason = reject.error.tag();
      row.detail = reject.error.detail;
      row.distinct_id = reject.distinct_id;
      row.event = reject.event;
      row.event_uuid = reject.event_uuid;
      row.payload = reject.raw;
      append_reject_row(rows, row);
    }
    append_warnings(turn, row, people_->warnings(), rows);
    append_warnings(turn, row, groups_->warnings(), rows);
  }

  void append_warnings(const Turn& turn, RejectRow row, const std::vector<Warning>& warnings,
                       RowBatch& rows) {
    for (const Warning& warning : warnings) {
      turn.metrics.count_warning(warning.name);
      const Event& event = batch_->events[warning.event_index];
      const std::string uuid = Uuid::version_7(turn.now_ms, turn.entropy).text();
      row.uuid = uuid;
      row.kind = RejectKind::kWarning;
      row.reason = warning.name;
      row.detail = warning.detail;
      row.distinct_id = event.distinct_id;
      row.event = event.name;
      row.event_uuid = event.uuid;
      row.payload = {};
      append_reject_row(rows, row);
    }
  }

  Reply conclude(const Turn& turn) {
    if (is_v1()) return conclude_v1(turn);
    if (some_object_failed_) {
      return error_reply(head(), {ErrorCode::kObjectUnavailable, "a person could not be read"});
    }
    if (delivery_->verdict() == DeliveryVerdict::kRetry) {
      return error_reply(head(), delivery_->failure().value_or(ErrorCode::kSinkUnavailable));
    }
    if (const std::optional<Error> refusal = batch_->refusal()) {
      return error_reply(head(), *refusal);
    }
    return success_reply(head());
  }

  Reply conclude_v1(const Turn& turn) {
    std::vector<V1Outcome> fates(batch_->events.size());
    for (size_t i = 0; i < fates.size(); ++i) {
      if (rows_of_[i] == kFailed) {
        fates[i] = kV1NotPersisted;
      } else if (rows_of_[i] == kNoRow) {
        fates[i] = kV1Rejected;
      } else if (delivery_->fate(Stream::kEvents, rows_of_[i]) == RowFate::kFailed) {
        fates[i] = kV1NotPersisted;
      }
    }
    return write_v1_reply(head(), *batch_, fates, turn.now_ms);
  }

  static constexpr uint32_t kNoRow = UINT32_MAX;
  static constexpr uint32_t kFailed = UINT32_MAX - 1;

  std::unique_ptr<CaptureBatch> batch_;
  std::optional<PeopleRun> people_;
  std::optional<GroupsRun> groups_;
  std::optional<DeliveryRun> delivery_;
  std::vector<uint32_t> rows_of_;  // event to row, kNoRow or kFailed
  bool some_object_failed_ = false;
};

}  // namespace

std::unique_ptr<Task> make_capture_task(CoreState& state, HttpInput input) {
  return std::make_unique<CaptureTask>(state, std::move(input));
}

}  // namespace hogflare
