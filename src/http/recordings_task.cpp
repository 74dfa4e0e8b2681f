// Recordings that lie in the bucket: removing some. docs/RECORDINGS.md.
//
//   DELETE /api/projects/{team}/session_recordings/{session}
//   POST   /api/projects/{team}/session_recordings/bulk_delete   {"session_recording_ids": […]}
#include <algorithm>
#include <deque>

#include "hogflare/json.h"
#include "hogflare/recordings.h"
#include "hogflare/recordings_limits.h"
#include "hogflare/text.h"
#include "hogflare/wire.h"
#include "http/credentials.h"
#include "http/recordings_reply.h"
#include "http/segments.h"
#include "http_task.h"

namespace hogflare {
namespace {

class RecordingsTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects& effects) override {
    if (auto refused = refuse_access(request(), state().config, Access::kRemove, turn.now_ms)) {
      return respond(std::move(*refused));
    }
    if (!state().has_recordings) {
      return respond(api_error_reply(404, "invalid_request", "no_bucket",
                                     "no bucket is bound as RECORDINGS: recordings are rows of the "
                                     "events table (docs/RECORDINGS.md)"));
    }
    std::string_view path = route().argument;
    const std::optional<int64_t> team = parse_int64(take_segment(path));
    if (!team || *team <= 0) return respond(refuse("the project's id must be a whole number"));
    team_id_ = *team;
    take_segment(path);  // session_recordings
    if (route().endpoint == RouteKind::kRecordingsRemoval) {
      if (auto refused = read_sessions()) return respond(std::move(*refused));
    } else {
      const std::string_view session = take_segment(path);
      if (!is_session_id(session)) return respond(refuse("no session has such an id"));
      sessions_.emplace_back(session);
    }
    list(effects);
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    if (!result.ok) {
      return respond(recordings_unavailable(turn, result));
    }
    if (!is_listed_) return remove(std::move(result), effects);
    is_listed_ = false;
    if (!has_more_) sessions_.pop_front();
    list(effects);
  }

 private:
  static Reply refuse(std::string_view detail) {
    return api_error_reply(400, "validation_error", "invalid_input", detail);
  }

  void list(Effects& effects) {
    if (sessions_.empty() || calls_ == limits::kRemovalCallsMax) return respond(removed());
    ++calls_;
    effects.add(ListObjects{Bucket::kRecordings, recording_prefix(team_id_, sessions_.front()), "",
                            limits::kBucketKeysMax});
  }

  std::optional<Reply> read_sessions() {
    constexpr std::string_view kWanted =
        "send {\"session_recording_ids\": [\"…\"]} with at most 100 ids";
    if (auto missing = missing_body()) return error_reply(head(), *missing);
    if (body().size() > limits::kRemovedSessionsBytesMax) return refuse(kWanted);
    const Result<json::Document> document = json::Document::parse_const(body(), 2);
    if (!document.ok() || !document.value().root().is_object()) return refuse(kWanted);
    const json::Value ids = document.value().root().find("session_recording_ids");
    if (!ids.exists() || !ids.is_array()) return refuse(kWanted);
    for (const json::Value id : ids.elements()) {
      if (!id.is_string() || !is_session_id(id.text())) return refuse("no session has such an id");
      sessions_.push_back(id.text());
    }
    if (sessions_.size() > limits::kRemovedSessionsMax) return refuse(kWanted);
    return std::nullopt;
  }

  void remove(EffectResult listed, Effects& effects) {
    if (listed.body.empty()) {
      sessions_.pop_front();
      return list(effects);
    }
    removed_ += static_cast<uint64_t>(std::count(listed.body.begin(), listed.body.end(), '\0'));
    has_more_ = listed.http_status == 206;
    is_listed_ = true;
    effects.add(DeleteObjects{Bucket::kRecordings, std::move(listed.body)});
  }

  Reply removed() {
    std::string body = "{\"success\":" + std::string(sessions_.empty() ? "true" : "false") +
                       ",\"deleted_objects\":" + std::to_string(removed_) + ",\"remaining\":[";
    std::string_view before;
    for (const std::string& session : sessions_) {
      body += before;
      json::append_string(body, session);
      before = ",";
    }
    const uint16_t status = sessions_.empty() ? 200 : 202;
    return {
        status, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}, body + "]}"};
  }

  int64_t team_id_ = 0;
  std::deque<std::string> sessions_;
  uint32_t calls_ = 0;
  uint64_t removed_ = 0;
  bool is_listed_ = false;  // what was listed is being removed
  bool has_more_ = false;
};

}  // namespace

std::unique_ptr<Task> make_recordings_task(CoreState& state, std::unique_ptr<HttpRequest> request) {
  return std::make_unique<RecordingsTask>(state, std::move(request));
}

}  // namespace hogflare
