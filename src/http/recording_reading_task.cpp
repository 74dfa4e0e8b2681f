// Recordings as they are read: a list of them, and the parts of one, from the bucket and from the
// tables. docs/RECORDINGS.md.
//
//   GET /api/projects/{team}/session_recordings[?limit=&date_from=-7d&session_ids=["…"]]
//   GET /api/projects/{team}/session_recordings/{session}/snapshots[?after=CURSOR]
#include "recording_reading_task.h"

#include <algorithm>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "hogflare/insights_limits.h"
#include "hogflare/json.h"
#include "hogflare/recordings.h"
#include "hogflare/recordings_limits.h"
#include "hogflare/text.h"
#include "hogflare/timestamp.h"
#include "hogflare/url.h"
#include "hogflare/whole_number.h"
#include "http/asking.h"
#include "http/credentials.h"
#include "http/question_run.h"
#include "http/recordings_reply.h"
#include "http/segments.h"
#include "http_task.h"
#include "json/dom.h"

namespace hogflare {
namespace {

using Json = nlohmann::ordered_json;

Fault invalid(std::string_view name, std::string_view sentence) {
  return {.code = "invalid_input",
          .detail = std::string(name) + " " + std::string(sentence),
          .attr = std::string(name)};
}

std::string text_in(const Json& cell) { return cell.is_string() ? cell.get<std::string>() : ""; }

// What reading from two places has in common.
class ReadingTask : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects& effects) final {
    if (auto refused = refuse_access(request(), turn.config, Access::kRead, turn.now_ms)) {
      return respond(std::move(*refused));
    }
    std::string_view path = route().argument;
    project_ = asked_project(turn.config, take_segment(path));
    if (project_ == nullptr) {
      return respond(fault_reply({.status = 404,
                                  .type = "invalid_request",
                                  .code = "not_found",
                                  .detail = "this deployment has no project with that id"}));
    }
    take_segment(path);  // session_recordings
    if (!has_engine() && !state().has_recordings) {
      return respond(api_error_reply(404, "invalid_request", "no_bucket",
                                     "no bucket is bound as RECORDINGS and no SQL engine is "
                                     "configured: recordings are rows of the events table "
                                     "(docs/RECORDINGS.md)"));
    }
    begin(turn, take_segment(path), effects);
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) final {
    if (finished()) return;
    if (run_ && run_->owns(result.id)) {
      run_->resume(turn, std::move(result), effects);
      return conclude(turn, effects);
    }
    if (!result.ok) {
      return respond(recordings_unavailable(turn, result));
    }
    listed(turn, std::move(result), effects);
  }

 protected:
  virtual void begin(const Turn& turn, std::string_view session, Effects& effects) = 0;
  virtual void listed(const Turn& turn, EffectResult result, Effects& effects) = 0;
  // An answer of the engine's, and why there is none.
  virtual void answered(const Turn& turn, const Json& answer, Effects& effects) = 0;
  virtual void failed(const Fault& fault) { respond(fault_reply(fault)); }

  bool has_engine() { return state().config.has_sql_engine; }
  int64_t team_id() const { return project_->team_id; }

  void ask(const Turn& turn, const Json& question, Effects& effects) {
    insights::Asked asked =
        insights::ask({.project = planner_project(turn.config, *project_, turn.now_ms),
                       .question = json::text_of(question),
                       .dialect = insights::Dialect::kBasin,
                       .zones = turn.config.zones});
    if (asked.refusal) return respond(fault_reply(fault_of(*asked.refusal, "recordings")));
    run_.emplace(memory_);
    run_->start(turn, std::move(*asked.plan), "recordings", effects);
    conclude(turn, effects);
  }

 private:
  void conclude(const Turn& turn, Effects& effects) {
    if (!run_->finished()) return;
    const std::string text = run_->fault() ? std::string() : run_->answer("{}");
    if (run_->fault()) return failed(*run_->fault());
    answered(turn, json::dom_of<Json>(text), effects);
  }

  const Project* project_ = nullptr;
  MemoryShare memory_{state().request_memory_bytes};
  std::optional<QuestionRun> run_;
};

// --- The parts of one ---

// "1/S/W/1700000000000-UUID": what tells copies of a request that was sent again.
std::string_view identity_of(std::string_view key) {
  const size_t slash = key.rfind('/');
  const size_t dash = key.find('-', slash == std::string_view::npos ? 0 : slash);
  return dash == std::string_view::npos ? key : key.substr(dash + 1);
}

// "rows", or "rows-MICROSECONDS-UUID": behind which row the next part begins. Cursors of the bucket
// have slashes.
struct RowsCursor {
  bool is_first = true;
  int64_t us = 0;
  std::string uuid;
};

std::optional<RowsCursor> rows_cursor(std::string_view text) {
  if (text == "rows") return RowsCursor{};
  constexpr std::string_view kBegin = "rows-";
  if (text.substr(0, kBegin.size()) != kBegin || text.find('/') != std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(kBegin.size());
  const size_t dash = text.find('-');
  const std::optional<int64_t> us = whole_number<int64_t>(text.substr(0, dash));
  if (!us || *us < 0 || dash == std::string_view::npos) return std::nullopt;
  return RowsCursor{.is_first = false, .us = *us, .uuid = std::string(text.substr(dash + 1))};
}

// One line: values as they came, with spaces for the line ends that may stand between them.
class Line {
 public:
  Line& add(std::string_view name, std::string_view value) {
    text_ += text_.empty() ? "{\"" : ",\"";
    text_.append(name) += "\":";
    text_.append(value);
    return *this;
  }
  void end(std::string& out) {
    std::replace(text_.begin(), text_.end(), '\n', ' ');
    std::replace(text_.begin(), text_.end(), '\r', ' ');
    out += text_ + "}\n";
  }

 private:
  std::string text_;
};

// What a row has of a recording; nothing where its items lie in the bucket.
void append_line(std::string& out, std::string_view uuid, std::string_view properties) {
  const Result<json::Document> document = json::Document::parse_const(properties, 1);
  if (!document.ok() || !document.value().root().is_object()) return;
  const json::Value root = document.value().root();
  const auto raw = [&root](std::string_view name) {
    const json::Value value = root.find(name);
    return value.exists() ? value.raw() : std::string_view("null");
  };
  if (root.find("$hogflare_recording_key").exists()) return;
  Line line;
  line.add("window_id", raw("$window_id"));
  if (root.find("$hogflare_chunk_of").exists()) {
    line.add("uuid", raw("$hogflare_chunk_of"))
        .add("chunk_index", raw("$hogflare_chunk_index"))
        .add("chunk_count", raw("$hogflare_chunk_count"))
        .add("text", raw("$hogflare_chunk_data"));
    return line.end(out);
  }
  std::string quoted;
  json::append_string(quoted, uuid);
  const bool has_items = root.find("$snapshot_items").exists();
  line.add("uuid", quoted).add("data", raw(has_items ? "$snapshot_items" : "$snapshot_data"));
  line.end(out);
}

class SnapshotsTask final : public ReadingTask {
 public:
  using ReadingTask::ReadingTask;

 private:
  void begin(const Turn& turn, std::string_view session, Effects& effects) override {
    if (!is_session_id(session)) {
      return respond(fault_reply({.code = "invalid_input", .detail = "no session has such an id"}));
    }
    session_ = session;
    const std::string after = form_value(head().query, "after").value_or("");
    is_first_ = after.empty();
    if (const std::optional<RowsCursor> rows = rows_cursor(after)) {
      cursor_ = *rows;
      return has_engine() ? ask_parts(turn, effects) : nothing();
    }
    if (!state().has_recordings) return ask_parts(turn, effects);
    const std::string prefix = recording_prefix(team_id(), session_);
    effects.add(ListObjects{Bucket::kRecordings, prefix, is_first_ ? "" : prefix + after,
                            limits::kRecordingPartsMax});
  }

  // Parts may lie in both places: the bucket is left alone for a while when it has refused one.
  void listed(const Turn& turn, EffectResult result, Effects& effects) override {
    const std::string_view keys = result.body;
    if (keys.empty()) return has_engine() ? ask_parts(turn, effects) : nothing();
    Reply reply = lines("");
    std::set<std::string_view> seen;
    std::string_view last;
    for (size_t at = 0; at < keys.size();) {
      const size_t end = keys.find('\0', at);
      last = keys.substr(at, end - at);
      at = end + 1;
      if (seen.insert(identity_of(last)).second) reply.objects.append(last).push_back('\0');
    }
    const size_t prefix = recording_prefix(team_id(), session_).size();
    if (result.http_status == 206) {
      reply.headers.push_back({"X-Hogflare-Next", std::string(last.substr(prefix))});
    } else if (has_engine()) {
      reply.headers.push_back({"X-Hogflare-Next", "rows"});
    }
    respond(std::move(reply));
  }

  void ask_parts(const Turn& turn, Effects& effects) {
    Json question = {{"kind", "_RecordingParts"}, {"sessionId", session_}};
    if (!cursor_.is_first) {
      question["afterUs"] = cursor_.us;
      question["afterUuid"] = cursor_.uuid;
    }
    ask(turn, question, effects);
  }

  void answered(const Turn& turn, const Json& answer, Effects& effects) override {
    if (uuids_.empty()) return choose(turn, answer["results"], effects);
    std::map<std::string, const std::string*> texts;
    for (const Json& row : answer["results"]) {
      const auto* uuid = row[0].get_ptr<const std::string*>();
      if (uuid != nullptr) texts[*uuid] = row[1].get_ptr<const std::string*>();
    }
    Reply reply = lines("");
    for (const std::string& uuid : uuids_) {
      const auto found = texts.find(uuid);
      if (found != texts.end()) append_line(reply.body, uuid, *found->second);
    }
    if (!next_.empty()) reply.headers.push_back({"X-Hogflare-Next", next_});
    respond(std::move(reply));
  }

  // As many rows as fit into one answer, and one at least.
  void choose(const Turn& turn, const Json& rows, Effects& effects) {
    if (rows.empty()) return nothing();
    int64_t bytes = 0;
    size_t chosen = 0;
    for (const Json& row : rows) {
      // A row that is older than the column may have as many as a row may have.
      bytes += row[2].is_null() ? limits::kRecordingRowsBytesMax : row[2].get<int64_t>();
      if (chosen > 0 && bytes > limits::kRecordingRowsBytesMax) break;
      uuids_.push_back(text_in(row[0]));
      ++chosen;
    }
    const Json& last = rows[chosen - 1];
    const bool is_end =
        chosen == rows.size() && static_cast<int64_t>(rows.size()) < limits::kRecordingRowsMax;
    if (!is_end) {
      next_ = "rows-" + std::to_string(last[1].get<int64_t>()) + "-" + text_in(last[0]);
    }
    ask(turn,
        {{"kind", "_RecordingText"},
         {"sessionId", session_},
         {"uuids", uuids_},
         {"fromUs", rows[0][1]},
         {"toUs", last[1]}},
        effects);
  }

  void failed(const Fault& fault) override {
    // Tables appear with their first rows.
    if (fault.code == "no_table") return nothing();
    respond(fault_reply(fault));
  }

  void nothing() {
    if (!is_first_) return respond(lines(""));
    respond(api_error_reply(404, "invalid_request", "not_found",
                            "there is no such recording, or it has not arrived yet"));
  }

  static Reply lines(std::string body) {
    return {200,
            {{"Content-Type", "application/jsonl"}, {"Cache-Control", "no-store"}},
            std::move(body)};
  }

  std::string session_;
  bool is_first_ = true;
  RowsCursor cursor_;
  std::vector<std::string> uuids_;  // of the rows whose text is asked for
  std::string next_;
};

// --- The list ---

// The time a UUID of version 7 begins with: where in the bucket sessions begin that are not older.
std::string session_since(int64_t ms) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string id;
  for (int shift = 44; shift >= 0; shift -= 4) {
    id += kDigits[(ms >> shift) & 15];
    if (id.size() == 8) id += '-';
  }
  return id;
}

class RecordingListTask final : public ReadingTask {
 public:
  using ReadingTask::ReadingTask;

 private:
  void begin(const Turn& turn, std::string_view, Effects& effects) override {
    if (const std::optional<Fault> wrong = read_query()) return respond(fault_reply(*wrong));
    if (has_engine()) {
      Json question = {{"kind", "_Recordings"}, {"limit", limit_}, {"hours", hours_}};
      if (!only_.empty()) question["sessionIds"] = only_;
      return ask(turn, question, effects);
    }
    prefix_ = std::to_string(team_id()) + "/";
    list(prefix_ + session_since(turn.now_ms - hours_ * 3'600'000), effects);
  }

  std::optional<Fault> read_query() {
    const std::string_view query = head().query;
    if (const std::optional<std::string> limit = form_value(query, "limit")) {
      limit_ = whole_number<int64_t>(*limit).value_or(0);
      if (limit_ < 1 || limit_ > limits::kListRowsMax) return invalid("limit", "must be 1 to 1000");
    }
    const std::string ids = form_value(query, "session_ids").value_or("");
    if (!ids.empty()) {
      hours_ = limits::kRecordingListHoursMax;
      const Json list = json::Document::parse_const(ids, 1).ok() ? json::dom_of<Json>(ids) : Json();
      const bool is_list =
          list.is_array() && list.size() <= limits::kRecordingsNamedMax &&
          std::all_of(list.begin(), list.end(), [](const Json& id) { return id.is_string(); });
      if (!is_list) return invalid("session_ids", "must be a JSON list of at most 100 ids");
      for (const Json& id : list) only_.push_back(id.get<std::string>());
    }
    const std::string from = form_value(query, "date_from").value_or("");
    if (from.empty()) return std::nullopt;
    const int64_t unit = from.back() == 'd' ? 24 : from.back() == 'h' ? 1 : 0;
    const std::optional<int64_t> count =
        from.size() > 2 && from.size() < 8
            ? whole_number<int64_t>(std::string_view(from).substr(1, from.size() - 2))
            : std::nullopt;
    hours_ = count.value_or(0) * unit;
    if (from.front() != '-' || hours_ < 1 || hours_ > limits::kRecordingListHoursMax) {
      return invalid("date_from", "must be hours or days before now: -24h, -7d, at most -366d");
    }
    return std::nullopt;
  }

  void answered(const Turn&, const Json& answer, Effects&) override {
    respond(json_answer(
        json::text_of(Json{{"results", answer["results"]}, {"has_next", answer["has_next"]}})));
  }

  void failed(const Fault& fault) override {
    if (fault.code == "no_table") {
      return respond(
          json_answer(json::text_of(Json{{"results", Json::array()}, {"has_next", false}})));
    }
    respond(fault_reply(fault));
  }

  void list(std::string after, Effects& effects) {
    ++calls_;
    effects.add(
        ListObjects{Bucket::kRecordings, prefix_, std::move(after), limits::kBucketKeysMax});
  }

  struct Found {
    std::string id;
    int64_t first_ms = 0;
    int64_t last_ms = 0;
    int64_t parts = 0;
  };

  void listed(const Turn&, EffectResult result, Effects& effects) override {
    const std::string_view keys = result.body;
    std::string_view last;
    for (size_t at = 0; at < keys.size();) {
      const size_t end = keys.find('\0', at);
      last = keys.substr(at, end - at);
      at = end + 1;
      note(last.substr(std::min(prefix_.size(), last.size())));
    }
    const bool has_more = result.http_status == 206;
    if (has_more && calls_ < limits::kRecordingListCallsMax)
      return list(std::string(last), effects);
    answer_found(has_more);
  }

  // "SESSION/WINDOW/1700000000000-UUID"
  void note(std::string_view key) {
    const std::string_view id = key.substr(0, key.find('/'));
    const std::string_view name = key.substr(key.rfind('/') + 1);
    const std::optional<int64_t> at = whole_number<int64_t>(name.substr(0, name.find('-')));
    if (!at || (!only_.empty() && std::find(only_.begin(), only_.end(), id) == only_.end())) return;
    if (found_.empty() || found_.back().id != id) {
      // Ids of version 7 come in the order of their time: the newest are kept.
      if (static_cast<int64_t>(found_.size()) == limit_) {
        found_.pop_front();
        was_cut_ = true;
      }
      found_.push_back({std::string(id), *at, *at, 0});
    }
    Found& one = found_.back();
    one.first_ms = std::min(one.first_ms, *at);
    one.last_ms = std::max(one.last_ms, *at);
    one.parts += 1;
  }

  void answer_found(bool has_more) {
    Json results = Json::array();
    for (auto one = found_.rbegin(); one != found_.rend(); ++one) {
      std::string start;
      std::string end;
      append_rfc3339(start, one->first_ms);
      append_rfc3339(end, one->last_ms);
      results.push_back({{"id", one->id},
                         {"start_time", start},
                         {"end_time", end},
                         {"recording_duration", (one->last_ms - one->first_ms) / 1'000},
                         {"parts", one->parts},
                         {"pageviews", nullptr},
                         {"exceptions", nullptr},
                         {"distinct_id", nullptr},
                         {"person_id", nullptr}});
    }
    respond(json_answer(
        json::text_of(Json{{"results", std::move(results)}, {"has_next", has_more || was_cut_}})));
  }

  int64_t limit_ = 100;
  int64_t hours_ = limits::kRecordingListHours;
  std::vector<std::string> only_;
  std::string prefix_;
  uint32_t calls_ = 0;
  std::deque<Found> found_;  // in the order of their ids
  bool was_cut_ = false;
};

}  // namespace

std::unique_ptr<Task> make_recording_reading_task(CoreState& state,
                                                  std::unique_ptr<HttpRequest> request) {
  const bool is_list =
      request->route.argument.find("/session_recordings/") == std::string_view::npos;
  if (is_list) return std::make_unique<RecordingListTask>(state, std::move(request));
  return std::make_unique<SnapshotsTask>(state, std::move(request));
}

}  // namespace hogflare
