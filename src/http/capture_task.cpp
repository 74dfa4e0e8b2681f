// A capture request from its bytes to its answer (design: docs/ARCHITECTURE.md, "The life of a
// capture request"): decode, people and groups, rows, delivery, reply. The three kinds of request
// differ in how they are decoded and answered, not in between.
#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "console/live_feed.h"
#include "http_task.h"
#include "hogflare/capture.h"
#include "hogflare/capture_v1.h"
#include "hogflare/cookieless.h"
#include "hogflare/delivery.h"
#include "hogflare/digest.h"
#include "hogflare/groups_run.h"
#include "hogflare/limits.h"
#include "hogflare/people_run.h"
#include "hogflare/recordings.h"
#include "hogflare/request_budget.h"
#include "hogflare/rows.h"
#include "hogflare/signature.h"
#include "hogflare/text.h"
#include "hogflare/uuid.h"
#include "hogflare/wire.h"

namespace hogflare {
namespace {

class CaptureTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects& effects) override {
    begin(turn, effects);
    if (finished() && refused_ && !request().watched.empty()) show_refusal(turn, effects);
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
    } else if (recordings_ && recordings_->owns(result.id)) {
      recordings_->resume(turn, std::move(result), effects);
    }
    advance(turn, effects);
  }

 private:
  bool is_v1() const { return route().endpoint == RouteKind::kCaptureV1; }

  void begin(const Turn& turn, Effects& effects) {
    if (std::optional<Error> refused = admit()) return refuse(turn, *refused);
    received_bytes_ = body().size();
    if (std::optional<Error> refused = memory_.hold(body().size() + head().query.size())) {
      return refuse(turn, *refused);
    }
    auto decoded = decode(turn);
    if (!decoded.ok()) return refuse(turn, decoded.error());
    batch_ = std::move(decoded).value();
    if (std::optional<Error> refused = reserve_work()) return refuse(turn, *refused);
    begin_live(turn, effects);
    place_ = ConnectionPlace::of(head());
    deliver_until_ms_ = turn.now_ms + turn.config.answer_within_ms - limits::kAnswerReserveMs;
    if (std::optional<Error> refused = plan(turn)) return refuse(turn, *refused);
    note_window();
    start_recordings(turn, effects);
    start_window(turn, effects);
    advance(turn, effects);
  }

  // What can be refused before the body is looked at.
  std::optional<Error> admit() {
    if (std::optional<Error> missing = missing_body()) return missing;
    if (std::optional<Error> refused = refuse_unusable()) return refused;
    const Config& config = state().config;
    const bool some_need_none = !config.unsigned_tokens.empty();
    const Result<Ok> signature =
        check_signature(head(), body(), {config.signing_secret, some_need_none, some_need_none});
    if (!signature.ok()) return signature.error();
    return std::nullopt;
  }

  // What is needed from the decoded request on: its window's events, and their rows with their
  // copies on the way out.
  std::optional<Error> reserve_work() {
    const size_t events =
        std::max({batch_->items.size(), batch_->events.size(), batch_->recordings.size()});
    const size_t window = std::min(events, limits::kWindowEventsMax);
    const size_t rows = std::min(batch_->body.size() + added_bytes(window, batch_->body.size()),
                                 limits::kRowsInMemoryBytes);
    // A cookieless visitor's event is written and indexed anew.
    const size_t again = CookielessRun::has_work(batch_->events)
                             ? batch_->body.size() + json_index_bytes(batch_->body)
                             : 0;
    // Before rows there are the people's changes on their way to their objects. A recording has
    // none, and its row is as long as itself unless it is cut, when its quotes are escaped.
    const bool is_as_it_came =
        !batch_->recordings.empty() && batch_->body.size() < limits::kRowBytesMax / 10 * 9;
    const size_t on_its_way =
        is_as_it_came ? 0 : std::min(3 * rows, 2 * limits::kRowsInMemoryBytes);
    return memory_.hold_more(std::max(2 * rows, on_its_way) + window * kEventBytes + again);
  }

  CaptureContext context(const Turn& turn) {
    return {turn.now_ms, turn.config, turn.entropy, &state().decompressor, &memory_};
  }

  Result<std::unique_ptr<CaptureBatch>> decode(const Turn& turn) {
    if (is_v1()) return decode_capture_v1(head(), std::move(body()), context(turn));
    if (route().endpoint == RouteKind::kReplay) {
      return decode_replay(head(), std::move(body()), context(turn));
    }
    return decode_capture(head(), capture_endpoint(route()), std::move(body()), context(turn));
  }

  void refuse(const Turn& turn, const Error& error) {
    refused_ = error;
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
      } else if (recordings_ && !recordings_->finished()) {
        return;
      } else if (!people_ || !people_->finished() || !groups_->finished()) {
        return;
      }
      if (has_rows_left()) {
        send_rows(turn, effects);
      } else if (next_window(turn)) {
        plan_window(turn);
        start_window(turn, effects);
      } else {
        if (live_) show_live(turn, effects);
        respond(conclude(turn));
      }
    }
  }

  // With a bucket the rows of recordings only say where they are.
  void start_recordings(const Turn& turn, Effects& effects) {
    if (batch_->recordings.empty() || !state().has_recordings) return;
    recordings_.emplace(batch_->recordings, batch_->project->team_id, memory_,
                        state().recordings_health);
    recordings_->start(turn, effects);
  }

  // Goes on with the recording, as far as there is room; the next one's turn comes behind its last
  // row.
  void append_recording(const RowWriter& writer, RowBatch& rows) {
    const RecordingIndex* stored = recordings_ ? recordings_->stored(next_recording_) : nullptr;
    const Recording& recording = batch_->recordings[next_recording_];
    if (stored != nullptr) {
      writer.append_recording_index(recording, *stored, rows);
    } else {
      next_recording_row_ =
          writer.append_recording(recording, rows, next_recording_row_, limits::kRowsInMemoryBytes);
    }
    if (next_recording_row_ == 0) ++next_recording_;
  }

  // --- Who looks ---

  bool is_watched(int64_t team_id) const {
    std::string_view rest = request().watched;
    const std::string team = std::to_string(team_id);
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      if (rest.substr(0, comma) == team) return true;
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
    return false;
  }

  void begin_live(const Turn& turn, Effects& effects) {
    if (!state().live.is_bound()) return;
    const int64_t team_id = batch_->project->team_id;
    if (state().live.is_due(team_id, turn.now_ms)) effects.add(console::ask_live(team_id));
    if (!request().watched.empty() && is_watched(team_id)) live_.emplace(batch_->token);
  }

  void show_live(const Turn& turn, Effects& effects) {
    const int64_t team_id = batch_->project->team_id;
    if (live_->empty() || !state().live.may_show(team_id, live_->seen(), turn.now_ms)) return;
    effects.add(live_->take(team_id, state().live.take_unshown(team_id)));
  }

  // A request whose project is not known may be the one that somebody waits for: whoever looks
  // sees it. Any other is its project's.
  void show_refusal(const Turn& turn, Effects& effects) {
    const Project* const project = batch_ == nullptr ? nullptr : batch_->project;
    // Nothing of it was an event.
    if (!state().live.may_show(project == nullptr ? 0 : project->team_id, 0, turn.now_ms)) return;
    if (project != nullptr) {
      if (is_watched(project->team_id))
        show_refusal_to(std::to_string(project->team_id), turn, effects);
      return;
    }
    std::string_view rest = request().watched;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      show_refusal_to(rest.substr(0, comma), turn, effects);
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }

  void show_refusal_to(std::string_view team, const Turn& turn, Effects& effects) {
    console::LiveFeed feed(batch_ == nullptr ? std::string_view() : batch_->token);
    feed.reject(refused_->tag(), refused_->detail, {}, {}, turn.now_ms);
    CallObject call = feed.take(0);
    call.name = team;
    effects.add(std::move(call));
  }

  void settle_live() {
    for (size_t i = first_sent_; i < first_sent_ + rows_of_.size(); ++i) {
      const uint32_t row = rows_of_[i - first_sent_];
      const RowFate fate = row == kNoRow || row == kFailed ? RowFate::kFailed
                                                           : delivery_->fate(Stream::kEvents, row);
      live_->settle(i, row == kNoRow || fate == RowFate::kFailed ? "rejected"
                       : fate == RowFate::kInOutbox              ? "waiting"
                                                                 : "landed");
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

  // Plans the first window, and counts the object calls of all of them: nothing of a request that
  // would need more than one may have is stored.
  std::optional<Error> plan(const Turn& turn) {
    const size_t calls_max = turn.config.object_calls_max;
    size_t calls = plan_window(turn);
    const bool is_only = last_ == batch_->events.size() && !batch_->has_more();
    if (!is_only) {
      calls += plan_later_windows(turn, calls_max);
      plan_window(turn);
    }
    if (calls <= calls_max) return std::nullopt;
    return Error(ErrorCode::kTooManyObjects,
                 "its people and groups need more than " + std::to_string(calls_max) +
                     " object calls (HOGFLARE_OBJECT_CALLS_MAX); nothing was stored, send it in "
                     "parts of fewer people");
  }

  // Counts on until it is known whether `calls_max` suffices, and comes back to the first window.
  size_t plan_later_windows(const Turn& turn, size_t calls_max) {
    size_t calls = 0;
    bool has_moved = false;
    for (;;) {
      first_ = last_;
      if (first_ == batch_->events.size()) {
        if (calls > calls_max || !decode_next_window(*batch_, context(turn))) break;
        has_moved = true;
        first_ = 0;
      }
      calls += plan_window(turn);
    }
    first_ = 0;
    if (!has_moved) return calls;
    people_.reset();
    groups_.reset();
    batch_->next_item = 0;
    decode_next_window(*batch_, context(turn));
    return calls;
  }

  // From first_ on, so many events as are looked at together. Returns the object calls they need.
  size_t plan_window(const Turn& turn) {
    size_t bytes = 0;
    last_ = first_;
    while (last_ < batch_->events.size() && last_ - first_ < limits::kWindowEventsMax &&
           (last_ == first_ || bytes < limits::kWindowBytesMax)) {
      bytes += batch_->events[last_++].root.raw().size();
    }
    next_row_ = first_;
    if (live_) live_->end_window();
    window_bytes_ = bytes;
    window_notes_left_ = true;
    cookieless_.reset();
    people_.emplace(window(), *batch_->project, state().identity, budget_, &place_);
    groups_.emplace(window(), *batch_->project, state().identity, budget_);
    return people_->plan(turn) + groups_->plan(turn.config) + cookieless_calls();
  }

  // The project's salts, and for visitors who are told apart beyond a day's hash an object each.
  size_t cookieless_calls() const {
    if (!CookielessRun::has_work(window())) return 0;
    const bool is_stateful = batch_->project->cookieless == CookielessMode::kStateful;
    return 1 + (is_stateful ? window().size() : 0);
  }

  void start_window(const Turn& turn, Effects& effects) {
    if (!CookielessRun::has_work(window())) return start_people(turn, effects);
    people_.reset();
    groups_.reset();
    cookieless_.emplace(std::span<Event>(batch_->events).subspan(first_, last_ - first_),
                        *batch_->project, connection_ip(head()), state().cookieless_salts);
    cookieless_->start(turn, effects);
    if (cookieless_->finished()) find_people(turn, effects);
  }

  // The events have their visitors' ids now.
  void find_people(const Turn& turn, Effects& effects) {
    people_.emplace(window(), *batch_->project, state().identity, budget_, &place_);
    groups_.emplace(window(), *batch_->project, state().identity, budget_);
    people_->plan(turn);
    groups_->plan(turn.config);
    start_people(turn, effects);
  }

  void start_people(const Turn& turn, Effects& effects) {
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
    return next_row_ < last_ || next_recording_ < batch_->recordings.size() || window_notes_left_ ||
           rejects_left_;
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
    delivery_->limit(deliver_until_ms_, budget_);
    delivery_->start(turn, effects);
  }

  // The window's changed persons, rejects and warnings, of which most requests have none.
  void append_side_rows(const Turn& turn, std::vector<RowBatch>& batches) {
    window_notes_left_ = false;
    RowBatch persons(Stream::kPersons);
    people_->append_change_rows(turn, persons);
    changes_left_out_ += people_->changes_left_out();
    if (!persons.empty()) batches.push_back(std::move(persons));
    RowBatch rejects = build_reject_rows(turn);
    if (!rejects.empty()) batches.push_back(std::move(rejects));
  }

  // All rows are written, so nothing points into the body any more; it may be 20 MiB.
  void release_body() {
    if (is_v1()) return;  // its answer names the events as they came
    const size_t nodes = batch_->document ? batch_->document->node_count() : 0;
    memory_.give_back(batch_->body.size() + nodes * sizeof(json::Node));
    batch_->document.reset();
    batch_->body = std::string();
    batch_->events = std::vector<Event>();
    batch_->rejects = std::vector<Reject>();
    batch_->items = std::vector<json::Value>();
    first_ = last_ = next_row_ = batch_->next_item = 0;
  }

  RowBatch build_event_rows(const Turn& turn) {
    RowBatch rows(Stream::kEvents);
    rows.reserve({.bytes = std::min(window_bytes_ + window_bytes_ / 4 +
                                        added_bytes(last_ - first_, window_bytes_),
                                    limits::kRowsInMemoryBytes + limits::kRowBytesMax),
                  .rows = last_ - next_row_});
    const RowWriter writer(head(), {batch_->token, batch_->project, batch_->sent_at_ms},
                           turn.config, turn.now_ms);
    first_sent_ = next_row_;
    rows_of_.clear();
    for (; next_row_ < last_ && rows.bytes() < limits::kRowsInMemoryBytes; ++next_row_) {
      const uint32_t row = append_event_row(writer, next_row_, rows);
      if (is_v1() || live_) rows_of_.push_back(row);
      if (live_) live_->add(batch_->events[next_row_], next_row_);
    }
    while (next_recording_ < batch_->recordings.size() &&
           rows.bytes() < limits::kRowsInMemoryBytes) {
      append_recording(writer, rows);
    }
    turn.metrics.events_accepted += rows.size();
    return rows;
  }

  // The number of the event's row, kNoRow or kFailed.
  uint32_t append_event_row(const RowWriter& writer, size_t index, RowBatch& rows) {
    const size_t in_window = index - first_;
    if (batch_->events[index].cookieless == CookielessPart::kFailed || people_->failed(in_window) ||
        groups_->failed(in_window)) {
      some_object_failed_ = true;
      return kFailed;
    }
    PersonView person = people_->take_view(in_window);
    if (person.dropped) return kNoRow;
    if (is_repeated_call(batch_->events[index])) return kFolded;
    // What there is no room for is not put together first: it may be large, and its events many.
    GroupView groups = groups_->take_view(in_window, room_beside(person.person_properties.size()));
    bound_carried(person, groups);
    if (!writer.append_event(batch_->events[index], person, groups, rows)) note_cut(in_window);
    return rows.size() - 1;
  }

  // Lean rows: that a person was given a flag's variant is said once a request, however often it
  // was.
  bool is_repeated_call(const Event& event) {
    if (state().config.rows != RowsMode::kLean || event.name != "$feature_flag_called")
      return false;
    std::string call = event.distinct_id;
    for (const std::string_view name : {"$feature_flag", "$feature_flag_response", "$session_id"}) {
      const json::Value value =
          event.properties.exists() ? event.properties.find(name) : json::Value();
      call += '\n';
      if (value.exists()) call += value.raw();
    }
    // Its digest, for a name may be as long as an event.
    const Sha256Digest digest = sha256(call);
    return !flag_calls_.emplace(digest.begin(), digest.begin() + 16).second;
  }

  void note_cut(size_t in_window) {
    cut_.push_back({in_window, "event_truncated",
                    "the event's row would have more than " + std::to_string(limits::kRowBytesMax) +
                        " bytes; of its largest values the beginning was kept, and "
                        "$hogflare_truncated in the row names them"});
  }

  uint64_t carried_left() const {
    const uint64_t budget =
        limits::kCarriedBytesFree + limits::kCarriedBytesPerByte * received_bytes_;
    return budget - std::min(carried_bytes_, budget);
  }

  // Bytes of properties that a row may carry beside so many.
  uint64_t room_beside(uint64_t bytes) const {
    const uint64_t left = std::min<uint64_t>(carried_left(), memory_.left() / 2);
    return left - std::min(bytes, left);
  }

  // A row carries its person's and groups' properties while the request's budget for them lasts.
  void bound_carried(PersonView& person, GroupView& groups) {
    const uint64_t bytes = person.person_properties.size() + groups.group_properties_json.size();
    const bool is_whole = !person.properties_left_out && !groups.properties_left_out;
    if (bytes <= carried_left() && take_part_bytes(2 * bytes)) {
      carried_bytes_ += bytes;
      rows_without_carried_ += is_whole ? 0 : 1;
      return;
    }
    person.person_properties = "{}";
    groups.group_properties_json.clear();
    ++rows_without_carried_;
  }

  // The row itself and its copy on the way out.
  bool take_part_bytes(size_t bytes) {
    if (!memory_.take(bytes)) return false;
    part_bytes_ += bytes;
    return true;
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
    if (live_) settle_live();
    delivery_.reset();
    memory_.give_back(std::exchange(part_bytes_, 0));
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
    if (row == kFolded) return V1Outcome{};
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
    append_warnings(turn, row, unread_times(), rows);
    append_warnings(turn, row, cut_, rows);
    cut_.clear();
    const bool is_last = last_ == batch_->events.size() && !batch_->has_more();
    if (is_last) append_counts(turn, row, rows);
    return rows;
  }

  std::vector<Warning> unread_times() const {
    std::vector<Warning> warnings;
    for (size_t i = first_; i < last_; ++i) {
      const Event& event = batch_->events[i];
      if (!event.time_unread) continue;
      const std::string_view given = event.root.find("timestamp").raw();
      warnings.push_back({i - first_, "ignored_invalid_timestamp",
                          "the timestamp " +
                              std::string(first_code_points(given, kShownTimeChars)) +
                              " could not be read; the event has the time it came in"});
    }
    return warnings;
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
    if (changes_left_out_ > 0) {
      turn.metrics.count_warning("person_changes_left_out");
      append("person_changes_left_out",
             std::to_string(changes_left_out_) +
                 " changes of people are in no row of the persons stream: other requests took the "
                 "memory; the next change of each carries them");
    }
    if (rows_without_carried_ > 0) {
      turn.metrics.count_warning("properties_left_out");
      append("properties_left_out",
             std::to_string(rows_without_carried_) +
                 " events of this request have rows without person_properties or "
                 "group_properties: these were too large for so small a request, or for the memory "
                 "that other requests left");
    }
  }

  // False: the request has had its reject rows.
  bool may_append_side_row() {
    if (side_rows_ < state().config.reject_rows_max) {
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
      if (live_) {
        live_->reject(reject.error.tag(), reject.error.detail, reject.event, reject.distinct_id,
                      turn.now_ms);
      }
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
      if (live_) {
        live_->reject(refusal.error.tag(), refusal.error.detail,
                      batch_->events[first_ + refusal.event].name, {}, turn.now_ms);
      }
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
      const Event& event = batch_->events[first_ + warning.event_index];
      if (live_) live_->warn(first_ + warning.event_index, warning.name, warning.detail, event);
      if (!may_append_side_row()) continue;
      const std::string uuid = Uuid::version_7(turn.now_ms, turn.entropy).text();
      row.uuid = uuid;
      row.kind = RejectKind::kWarning;
      row.reason = warning.name;
      row.detail = warning.detail;
      row.distinct_id = event.distinct_id;
      row.event = event.name;
      row.event_uuid = event.uuid;
      // Of an event without a row this is all that is left.
      row.payload = warning.is_drop ? event.root.raw() : std::string_view();
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
  static constexpr uint32_t kFolded = UINT32_MAX - 2;  // another row says it

  // Of a time that could not be read a warning shows so much.
  static constexpr size_t kShownTimeChars = 64;

  // What a row has beside the event's own JSON, roughly, and what an event takes until its row is
  // there.
  static constexpr size_t kAddedBytes = 800;
  static constexpr size_t kColumnsBytes = 600;
  // What rows have beside their events' JSON: of it the own properties come twice.
  static size_t added_bytes(size_t events, size_t events_bytes) {
    return events * (kAddedBytes + kColumnsBytes) +
           std::min(events_bytes, events * limits::kCustomPropertiesBytesMax);
  }
  static constexpr size_t kEventBytes = limits::kEventMemoryBytes - kAddedBytes;

  std::set<std::string> flag_calls_;
  MemoryShare memory_{state().request_memory_bytes};
  RequestBudget budget_{state().config.object_calls_max, memory_};
  size_t part_bytes_ = 0;  // held for what the part under way carries
  size_t received_bytes_ = 0;
  // Budgets of the request (docs/GUARANTEES.md).
  uint64_t carried_bytes_ = 0;
  size_t rows_without_carried_ = 0;
  size_t changes_left_out_ = 0;
  size_t side_rows_ = 0;
  size_t side_rows_left_out_ = 0;
  std::unique_ptr<CaptureBatch> batch_;
  std::optional<Error> refused_;           // the request as a whole
  std::optional<console::LiveFeed> live_;  // somebody looks
  ConnectionPlace place_;
  std::vector<Warning> cut_;  // of the window's rows
  std::optional<CookielessRun> cookieless_;
  std::optional<PeopleRun> people_;
  std::optional<GroupsRun> groups_;
  std::optional<RecordingPuts> recordings_;
  std::optional<DeliveryRun> delivery_;
  // The window: events [first_, last_), of which those before next_row_ have their rows.
  size_t first_ = 0;
  size_t last_ = 0;
  size_t next_row_ = 0;
  size_t window_bytes_ = 0;
  size_t next_recording_ = 0;
  size_t next_recording_row_ = 0;   // of several; 0: not begun
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
