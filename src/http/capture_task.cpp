// A capture request from its bytes to its answer (design: docs/ARCHITECTURE.md, "Life of a capture
// request"): decode, people and groups, rows, delivery, reply. The three kinds of request differ in
// how they are decoded and answered, not in between.
#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "admission.h"
#include "http_task.h"
#include "hogflare/capture.h"
#include "hogflare/capture_v1.h"
#include "hogflare/cookieless.h"
#include "hogflare/delivery.h"
#include "hogflare/groups_run.h"
#include "hogflare/limits.h"
#include "hogflare/people_run.h"
#include "hogflare/rows.h"
#include "hogflare/signature.h"
#include "hogflare/uuid.h"
#include "hogflare/wire.h"

namespace hogflare {
namespace {

class CaptureTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects& effects) override {
    if (std::optional<Error> refused = admit()) return refuse(turn, *refused);
    received_bytes_ = body().size();
    if (std::optional<Error> refused = reserve_memory()) return refuse(turn, *refused);
    auto decoded = decode(turn);
    if (!decoded.ok()) return refuse(turn, decoded.error());
    batch_ = std::move(decoded).value();
    note_memory();
    deliver_until_ms_ = turn.now_ms + limits::kDeliveryDeadlineMs;
    note_window();
    start_people(turn, effects);
    advance(turn, effects);
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    if (cookieless_ && cookieless_->owns(result.id)) {
      cookieless_->resume(turn, std::move(result), effects);
      if (cookieless_->finished()) find_people(turn, effects);
    } else if (people_ && people_->owns(result.id)) {
      people_->resume(turn, std::move(result), effects);
    } else if (groups_ && groups_->owns(result.id)) {
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
    const Result<Ok> signature = check_signature(head(), body(), state().config.signing_secret);
    if (!signature.ok()) return signature.error();
    return std::nullopt;
  }

  std::optional<Error> reserve_memory() {
    const Endpoint endpoint = is_v1() ? Endpoint::kCaptureV1 : capture_endpoint(route());
    const MemoryNeed need = memory_need(endpoint, body(), head().query);
    if (need.decoding > limits::kRequestMemoryBytesMax) {
      return Error(ErrorCode::kTooLarge, "unpacked it needs more memory than there is; send it in parts");
    }
    const size_t most =
        std::min(std::max(need.decoding, need.running), limits::kRequestMemoryBytesMax);
    if (memory_.take(most)) return std::nullopt;
    return Error(ErrorCode::kObjectUnavailable,
                 "other requests take the memory this one needs; nothing was stored");
  }

  void note_memory() {
    const size_t nodes = batch_->document ? batch_->document->node_count() : 0;
    const size_t again = cookieless_ ? cookieless_->memory_bytes() : 0;
    memory_.set(running_bytes(batch_->body.size() + again, nodes * sizeof(json::Node)));
  }

  CaptureContext context(const Turn& turn) {
    return {turn.now_ms, turn.config, turn.entropy, &state().decompressor,
            unpacked_bytes_within(memory_.left())};
  }

  Result<std::unique_ptr<CaptureBatch>> decode(const Turn& turn) {
    if (is_v1()) return decode_capture_v1(head(), std::move(body()), context(turn));
    if (route().endpoint == RouteKind::kReplay) {
      return decode_replay(head(), std::move(body()), context(turn));
    }
    return decode_capture(head(), capture_endpoint(route()), std::move(body()), context(turn));
  }

  void refuse(const Turn& turn, const Error& error) {
    turn.metrics.count_rejected(error.code);
    respond(is_v1() ? write_v1_error(head(), error, turn.now_ms) : error_reply(head(), error));
  }

  // A request is worked off in windows: people and groups of some events, then their rows in parts
  // that are sent before the next part is built. Most requests are one window and one part.
  void advance(const Turn& turn, Effects& effects) {
    while (!finished() && batch_ != nullptr) {
      if (delivery_) {
        if (!delivery_->finished()) return;
        take_fates();
      } else if (!people_ || !people_->finished() || !groups_->finished()) {
        return;
      }
      if (has_rows_left()) {
        send_rows(turn, effects);
      } else if (next_window(turn)) {
        start_people(turn, effects);
      } else {
        respond(conclude(turn));
      }
    }
  }

  // What a newly decoded window adds to the answer.
  void note_window() {
    rejects_left_ = true;
    holds_something_ = holds_something_ || !batch_->events.empty() || !batch_->recordings.empty() ||
                       batch_->filtered > 0;
    if (!first_reject_ && !batch_->rejects.empty()) first_reject_ = batch_->rejects.front().error;
  }

  std::span<const Event> window() const {
    return std::span<const Event>(batch_->events).subspan(first_, last_ - first_);
  }

  // From first_ on, so many events as are looked at together.
  void start_people(const Turn& turn, Effects& effects) {
    size_t bytes = 0;
    last_ = first_;
    while (last_ < batch_->events.size() && last_ - first_ < limits::kWindowEventsMax &&
           (last_ == first_ || bytes < limits::kWindowBytesMax)) {
      bytes += batch_->events[last_++].root.raw().size();
    }
    next_row_ = first_;
    window_bytes_ = bytes;
    window_notes_left_ = true;
    people_.reset();
    groups_.reset();
    cookieless_.reset();
    if (!CookielessRun::has_work(window())) return find_people(turn, effects);
    cookieless_.emplace(std::span<Event>(batch_->events).subspan(first_, last_ - first_),
                        *batch_->project, connection_ip(head()), state().cookieless_salts);
    cookieless_->start(turn, effects);
    if (cookieless_->finished()) find_people(turn, effects);
  }

  void find_people(const Turn& turn, Effects& effects) {
    if (cookieless_) note_memory();
    people_.emplace(window(), *batch_->project, state().identity);
    groups_.emplace(window(), *batch_->project, state().identity);
    people_->start(turn, effects);
    groups_->start(turn, effects);
  }

  bool next_window(const Turn& turn) {
    first_ = last_;
    if (first_ < batch_->events.size()) return true;
    if (!decode_next_window(*batch_, context(turn))) return false;
    first_ = 0;
    note_window();
    return true;
  }

  bool has_rows_left() const {
    return next_row_ < last_ || next_recording_ < batch_->recordings.size() ||
           window_notes_left_ || rejects_left_;
  }

  void send_rows(const Turn& turn, Effects& effects) {
    std::vector<RowBatch> batches;
    batches.reserve(kStreamCount);
    batches.push_back(build_event_rows(turn));
    if (next_row_ == last_ && next_recording_ == batch_->recordings.size()) {
      append_side_rows(turn, batches);
    }
    if (!has_rows_left() && last_ == batch_->events.size() && !batch_->has_more()) release_body();
    delivery_.emplace(std::move(batches), state().sink_health);
    delivery_->limit(deliver_until_ms_);
    delivery_->start(turn, effects);
  }

  // The window's changed persons, rejects and warnings, of which most requests have none.
  void append_side_rows(const Turn& turn, std::vector<RowBatch>& batches) {
    window_notes_left_ = false;
    RowBatch persons(Stream::kPersons);
    people_->append_change_rows(turn, persons);
    if (!persons.empty()) batches.push_back(std::move(persons));
    RowBatch rejects = build_reject_rows(turn);
    if (!rejects.empty()) batches.push_back(std::move(rejects));
  }

  // All rows are written, so nothing points into the body any more; it may be 20 MiB.
  void release_body() {
    if (is_v1()) return;  // its answer names the events as they came
    batch_->document.reset();
    batch_->body = std::string();
    batch_->events = std::vector<Event>();
    batch_->rejects = std::vector<Reject>();
    batch_->items = std::vector<json::Value>();
    first_ = last_ = next_row_ = batch_->next_item = 0;
    note_memory();
  }

  RowBatch build_event_rows(const Turn& turn) {
    RowBatch rows(Stream::kEvents);
    rows.reserve({.bytes = std::min(window_bytes_ + window_bytes_ / 4 +
                                        (last_ - first_) * kAddedBytes,
                                    limits::kRowsInMemoryBytes + limits::kRowBytesMax),
                  .rows = last_ - next_row_});
    const RowWriter writer(head(), {batch_->token, batch_->project, batch_->sent_at_ms},
                           turn.config, turn.now_ms);
    first_sent_ = next_row_;
    rows_of_.clear();
    for (; next_row_ < last_ && rows.bytes() < limits::kRowsInMemoryBytes; ++next_row_) {
      const uint32_t row = append_event_row(writer, next_row_, rows);
      if (is_v1()) rows_of_.push_back(row);
    }
    const std::vector<Recording>& recordings = batch_->recordings;
    while (next_recording_ < recordings.size() && rows.bytes() < limits::kRowsInMemoryBytes) {
      writer.append_recording(recordings[next_recording_++], rows);
    }
    turn.metrics.events_accepted += rows.size();
    return rows;
  }

  // The number of the event's row, kNoRow or kFailed.
  uint32_t append_event_row(const RowWriter& writer, size_t index, RowBatch& rows) {
    const size_t in_window = index - first_;
    if (batch_->events[index].cookieless == CookielessPart::kFailed || people_->failed(in_window) || groups_->failed(in_window)) {
      some_object_failed_ = true;
      return kFailed;
    }
    PersonView person = people_->take_view(in_window);
    if (person.dropped) return kNoRow;
    GroupView groups = groups_->take_view(in_window);
    bound_carried(person, groups);
    writer.append_event(batch_->events[index], person, groups, rows);
    return rows.size() - 1;
  }

  // A row carries its person's and groups' properties while the request's budget for them lasts.
  void bound_carried(PersonView& person, GroupView& groups) {
    const uint64_t bytes = person.person_properties.size() + groups.group_properties_json.size();
    const uint64_t budget = limits::kCarriedBytesFree + limits::kCarriedBytesPerByte * received_bytes_;
    if (carried_bytes_ + bytes <= budget) {
      carried_bytes_ += bytes;
      return;
    }
    person.person_properties = "{}";
    groups.group_properties_json.clear();
    ++rows_without_carried_;
  }

  // Takes over what became of the rows just sent.
  void take_fates() {
    if (delivery_->verdict() == DeliveryVerdict::kRetry) {
      retry_ = delivery_->failure().value_or(ErrorCode::kSinkUnavailable);
    }
    if (is_v1()) {
      for (size_t i = first_sent_; i < next_row_; ++i) {
        v1_fates_.push_back(v1_fate(i, rows_of_[i - first_sent_]));
      }
    }
    delivery_.reset();
  }

  V1Outcome v1_refusal(size_t index) const {
    if (batch_->events[index].cookieless != CookielessPart::kRefused) return kV1Rejected;
    for (const CookielessRun::Refusal& refusal : cookieless_->refusals()) {
      if (refusal.event + first_ == index) return {V1Result::kDrop, v1_tag(refusal.error.code)};
    }
    return kV1Rejected;
  }

  V1Outcome v1_fate(size_t index, uint32_t row) const {
    if (row == kFailed) return kV1NotPersisted;
    if (row == kNoRow) return v1_refusal(index);
    const bool lost = delivery_->fate(Stream::kEvents, row) == RowFate::kFailed;
    return lost ? kV1NotPersisted : V1Outcome{};
  }

  RowBatch build_reject_rows(const Turn& turn) {
    RowBatch rows(Stream::kRejects);
    if (rejects_left_) append_rejects(turn, rows);
    rejects_left_ = false;
    RejectRow row = reject_row(turn);
    if (cookieless_) append_refusals(turn, row, rows);
    append_warnings(turn, row, people_->warnings(), rows);
    append_warnings(turn, row, groups_->warnings(), rows);
    const bool is_last = last_ == batch_->events.size() && !batch_->has_more();
    if (is_last) append_counts(turn, row, rows);
    return rows;
  }

  RejectRow reject_row(const Turn& turn) const {
    RejectRow row;
    row.team_id = batch_->project->team_id;
    row.received_at_ms = turn.now_ms;
    row.api_key = batch_->token;
    return row;
  }

  // What rows of this request stand for, where it was more than it may have.
  void append_counts(const Turn& turn, RejectRow row, RowBatch& rows) {
    row.kind = RejectKind::kWarning;
    const auto append = [&](std::string_view reason, std::string detail) {
      const std::string uuid = Uuid::version_7(turn.now_ms, turn.entropy).text();
      row.uuid = uuid;
      row.reason = reason;
      row.detail = detail;
      append_reject_row(rows, row);
    };
    if (side_rows_left_out_ > 0) {
      append("rejects_left_out", std::to_string(side_rows_left_out_) +
                                     " more rejects and warnings of this request have no rows");
    }
    if (rows_without_carried_ > 0) {
      turn.metrics.count_warning("properties_left_out");
      append("properties_left_out",
             std::to_string(rows_without_carried_) +
                 " events of this request have rows without person_properties and "
                 "group_properties: these were too large for so small a request");
    }
  }

  // False: the request has had its reject rows.
  bool may_append_side_row() {
    if (side_rows_ < limits::kRejectRowsMax) {
      ++side_rows_;
      return true;
    }
    ++side_rows_left_out_;
    return false;
  }

  void append_rejects(const Turn& turn, RowBatch& rows) {
    RejectRow row = reject_row(turn);
    for (const Reject& reject : batch_->rejects) {
      turn.metrics.count_rejected(reject.error.code);
      if (!may_append_side_row()) continue;
      const std::string uuid = Uuid::version_7(turn.now_ms, turn.entropy).text();
      row.uuid = uuid;
      row.kind = RejectKind::kReject;
      row.reason = reject.error.tag();
      row.detail = reject.error.detail;
      row.distinct_id = reject.distinct_id;
      row.event = reject.event;
      row.event_uuid = reject.event_uuid;
      // A cookieless event's address and agent are kept nowhere.
      row.payload = asks_for_cookieless(reject.raw) ? std::string_view() : reject.raw;
      append_reject_row(rows, row);
    }
  }

  // Without the event's JSON, which holds what must not be kept.
  void append_refusals(const Turn& turn, RejectRow row, RowBatch& rows) {
    std::vector<Warning> warnings;
    for (const CookielessRun::Refusal& refusal : cookieless_->refusals()) {
      turn.metrics.count_rejected(refusal.error.code);
      if (!refusal.warning.empty()) {
        warnings.push_back({refusal.event, std::string(refusal.warning), refusal.error.detail});
      }
      if (!may_append_side_row()) continue;
      const Event& event = batch_->events[first_ + refusal.event];
      const std::string uuid = Uuid::version_7(turn.now_ms, turn.entropy).text();
      row.uuid = uuid;
      row.kind = RejectKind::kReject;
      row.reason = refusal.error.tag();
      row.detail = refusal.error.detail;
      row.distinct_id = event.distinct_id;
      row.event = event.name;
      row.event_uuid = event.uuid;
      append_reject_row(rows, row);
    }
    append_warnings(turn, row, warnings, rows);
  }

  void append_warnings(const Turn& turn, RejectRow row, const std::vector<Warning>& warnings,
                       RowBatch& rows) {
    for (const Warning& warning : warnings) {
      turn.metrics.count_warning(warning.name);
      if (!may_append_side_row()) continue;
      const Event& event = batch_->events[first_ + warning.event_index];
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
    if (is_v1()) return write_v1_reply(head(), *batch_, v1_fates_, turn.now_ms);
    if (some_object_failed_) {
      return error_reply(head(), {ErrorCode::kObjectUnavailable, "a person could not be read"});
    }
    if (retry_) return error_reply(head(), *retry_);
    if (!holds_something_ && first_reject_) return error_reply(head(), *first_reject_);
    return success_reply(head());
  }

  static constexpr uint32_t kNoRow = UINT32_MAX;
  static constexpr uint32_t kFailed = UINT32_MAX - 1;

  // What a row has beside the event's own JSON, roughly.
  static constexpr size_t kAddedBytes = 800;

  MemoryShare memory_{state().request_memory_bytes};
  size_t received_bytes_ = 0;
  // Budgets of the request (docs/GUARANTEES.md).
  uint64_t carried_bytes_ = 0;
  size_t rows_without_carried_ = 0;
  size_t side_rows_ = 0;
  size_t side_rows_left_out_ = 0;
  std::unique_ptr<CaptureBatch> batch_;
  std::optional<CookielessRun> cookieless_;
  std::optional<PeopleRun> people_;
  std::optional<GroupsRun> groups_;
  std::optional<DeliveryRun> delivery_;
  // The window: events [first_, last_), of which those before next_row_ have their rows.
  size_t first_ = 0;
  size_t last_ = 0;
  size_t next_row_ = 0;
  size_t window_bytes_ = 0;
  size_t next_recording_ = 0;
  bool window_notes_left_ = false;  // changed persons and warnings have no rows yet
  bool rejects_left_ = false;
  // The part just sent, for capture v1's answer: event first_sent_ + i is row rows_of_[i], kNoRow
  // or kFailed.
  size_t first_sent_ = 0;
  std::vector<uint32_t> rows_of_;
  // For the answer.
  std::vector<V1Outcome> v1_fates_;
  int64_t deliver_until_ms_ = 0;
  bool holds_something_ = false;
  bool some_object_failed_ = false;
  std::optional<Error> first_reject_;
  std::optional<ErrorCode> retry_;
};

}  // namespace

std::unique_ptr<Task> make_capture_task(CoreState& state, std::unique_ptr<HttpRequest> request) {
  return std::make_unique<CaptureTask>(state, std::move(request));
}

}  // namespace hogflare
