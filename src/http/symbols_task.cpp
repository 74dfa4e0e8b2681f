// Symbol sets (source maps and the like) and releases, as posthog-cli uploads them and as who looks
// at an exception reads them. Source: PostHog cli/src/api/{symbol_sets,releases}.rs and
// products/error_tracking/backend/api/{symbol_sets,releases}.py. docs/RECORDINGS.md.
//
// A record is JSON at symbols/{team}/{id}.json, the file beside it at {id}.data; a release is at
// releases/{team}/{id}.json. Ids are version 5 of the chunk's id or the release's hash, so that
// both ways of asking need one read.
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "hogflare/digest.h"
#include "hogflare/json.h"
#include "hogflare/recordings_limits.h"
#include "hogflare/text.h"
#include "hogflare/timestamp.h"
#include "hogflare/url.h"
#include "hogflare/uuid.h"
#include "hogflare/wire.h"
#include "http/credentials.h"
#include "http/multipart.h"
#include "http/segments.h"
#include "http_task.h"
#include "json/dom.h"

namespace hogflare {
namespace {

using Json = nlohmann::ordered_json;

Reply json_answer(uint16_t status, const Json& body) {
  return {status,
          {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
          json::text_of(body)};
}

Reply invalid(std::string_view code, const std::string& detail) {
  return api_error_reply(400, "validation_error", code, detail);
}

Reply not_found() { return api_error_reply(404, "invalid_request", "not_found", "Not found."); }

bool is_name(const Json& value) {
  return value.is_string() && !value.get_ref<const std::string&>().empty() &&
         value.get_ref<const std::string&>().size() <= limits::kSymbolNameBytesMax;
}

// A text member; empty where it is missing or null.
std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

struct WantedSet {
  std::string chunk_id;
  std::string release_id;    // empty: none
  std::string content_hash;  // empty: an old client says none
};

class SymbolsTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects& effects) override {
    std::string_view path = route().argument;
    team_ = std::string(take_segment(path));
    take_segment(path);  // error_tracking
    take_segment(path);  // symbol_sets or releases
    argument_ = std::string(path.substr(0, path.find('/')));
    if (route().endpoint == RouteKind::kReleaseByHash) {
      take_segment(path);
      argument_ = decode_form_text(path);
    }
    if (auto refused = refuse(turn)) return respond(std::move(*refused));
    switch (route().endpoint) {
      case RouteKind::kSymbolsStart:
        return start_upload(effects);
      case RouteKind::kSymbolsFinish:
        return start_finish(effects);
      case RouteKind::kSymbolsUpload:
        return take_file(effects);
      case RouteKind::kReleases:
        return start_release(turn, effects);
      case RouteKind::kReleaseByHash:
        return read(release_key(id_of("release", argument_)), effects);
      case RouteKind::kSymbolSets:
        return read(set_key(id_of("set", form_value(head().query, "ref").value_or(""))), effects);
      default:
        return read(set_key(id_of("set", argument_)), effects);
    }
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    if (!result.ok) {
      turn.metrics.log.add(LogLevel::kWarn, "symbols_unavailable", {{"reason", result.body}});
      if (finished()) return;
      Reply reply = api_error_reply(503, "server_error", "service_unavailable",
                                    "the bucket of the symbol sets does not answer");
      reply.headers.push_back({"Retry-After", "1"});
      return respond(std::move(reply));
    }
    if (finished()) return;
    const auto asked = asked_.find(result.id);
    if (asked != asked_.end()) {
      // A release's metadata is whatever its sender liked, and a request may name many releases.
      if (auto refused = memory_.hold_more(json::dom_bytes(result.body).value_or(0))) {
        return respond(error_reply(head(), *refused));
      }
      records_[asked->second] = record_of(result);
      asked_.erase(asked);
    }
    if (listed_.erase(result.id) > 0 && result.body.empty()) some_file_is_missing_ = true;
    if (--under_way_ > 0) return;
    proceed(turn, effects);
  }

 private:
  // --- Who may, and what is configured ---

  std::optional<Reply> refuse(const Turn& turn) {
    const RouteKind kind = route().endpoint;
    const bool is_signed =
        kind == RouteKind::kSymbolsUpload ||
        (kind == RouteKind::kSymbolContent && form_value(head().query, "signature"));
    if (!is_signed) {
      const Access access = head().method == "DELETE" ? Access::kRemove
                            : head().method == "POST" ? Access::kUpload
                                                      : Access::kRead;
      if (auto refused = refuse_access(request(), state().config, access, turn.now_ms))
        return refused;
    }
    if (!state().has_symbols) {
      return invalid("object_storage_required",
                     "Object storage must be available to allow source map uploads: bind a bucket "
                     "as SYMBOLS or RECORDINGS.");
    }
    if (!is_known_team()) return not_found();
    if (auto missing = missing_body()) return error_reply(head(), *missing);
    if (kind == RouteKind::kSymbolContent && is_signed) return refuse_signature("content", turn);
    if (kind == RouteKind::kSymbolsUpload) {
      if (auto refused = memory_.hold(body().size())) return error_reply(head(), *refused);
      return refuse_signature("upload", turn);
    }
    if (body().size() > limits::kSymbolSetsMax * 4096) {
      return api_error_reply(413, "validation_error", "too_large",
                             "send fewer symbol sets at once");
    }
    const size_t bytes = body().size() + json::dom_bytes(body()).value_or(0);
    if (auto refused = memory_.hold(bytes)) return error_reply(head(), *refused);
    return std::nullopt;
  }

  bool is_known_team() {
    const Config& config = state().config;
    if (config.projects.empty()) return team_ == std::to_string(config.default_project.team_id);
    for (const auto& [token, project] : config.projects) {
      if (team_ == std::to_string(project.team_id)) return true;
    }
    return false;
  }

  // What only this deployment can sign.
  std::string signature_of(std::string_view act, std::string_view id, std::string_view expires) {
    const Config& config = state().config;
    const std::string& key =
        config.personal_api_key.empty() ? config.admin_token : config.personal_api_key;
    std::string message = "hogflare-symbols\n";
    message.append(act).append("\n").append(team_).append("\n").append(id).append("\n").append(
        expires);
    return to_hex(hmac_sha256(key, message));
  }

  // A field of the upload's form, or of the query.
  std::string given(std::string_view name) {
    if (route().endpoint == RouteKind::kSymbolContent)
      return form_value(head().query, name).value_or("");
    const FormPart part = find_form_part(head().content_type, body(), name);
    return part.exists() ? body().substr(part.begin, std::min<size_t>(part.size, 256)) : "";
  }

  std::optional<Reply> refuse_signature(std::string_view act, const Turn& turn) {
    const Config& config = state().config;
    if (config.personal_api_key.empty() && config.admin_token.empty()) return not_found();
    const std::string id = act == "content" ? argument_ : given("key");
    const std::string expires = given("expires");
    const std::optional<int64_t> until = parse_int64(expires);
    const bool is_right = constant_time_equal(given("signature"), signature_of(act, id, expires));
    if (!is_right || !until || *until < turn.now_ms) {
      return api_error_reply(403, "authentication_error", "permission_denied",
                             "this address was not given out, or its time is over");
    }
    if (act == "upload") argument_ = id;
    return std::nullopt;
  }

  // --- Names ---

  std::string id_of(std::string_view kind, std::string_view name) const {
    const std::optional<Uuid> space = Uuid::try_parse("0b1a4d4e-7a0c-4a62-9d43-6d0f5d2f3c11");
    std::string text(kind);
    return Uuid::version_5(*space, text.append(":").append(team_).append(":").append(name)).text();
  }
  std::string set_key(std::string_view id) const {
    return "symbols/" + team_ + "/" + std::string(id) + ".json";
  }
  std::string data_key(std::string_view id) const {
    return "symbols/" + team_ + "/" + std::string(id) + ".data";
  }
  std::string release_key(std::string_view id) const {
    return "releases/" + team_ + "/" + std::string(id) + ".json";
  }

  // --- The bucket ---

  void read(const std::string& key, Effects& effects) {
    const uint32_t id =
        effects.add(GetObject{Bucket::kSymbols, key, limits::kSymbolRecordBytesMax});
    asked_.emplace(id, key);
    ++under_way_;
  }
  void write(const std::string& key, std::string bytes, Effects& effects) {
    effects.add(PutObject{Bucket::kSymbols, key, std::move(bytes), limits::kObjectTimeoutMs});
    ++under_way_;
  }
  static std::optional<Json> record_of(const EffectResult& result) {
    if (result.http_status != 200) return std::nullopt;
    Json record = json::dom_of<Json>(result.body);
    return record.is_object() ? std::optional(std::move(record)) : std::nullopt;
  }
  const Json* record(const std::string& key) const {
    const auto found = records_.find(key);
    return found == records_.end() || !found->second ? nullptr : &*found->second;
  }

  void proceed(const Turn& turn, Effects& effects) {
    if (answer_) return respond(std::move(*answer_));
    switch (route().endpoint) {
      case RouteKind::kSymbolsStart:
        return decide(turn, effects);
      case RouteKind::kSymbolsFinish:
        return finish_upload(turn, effects);
      case RouteKind::kReleases:
        return create_release(effects);
      default:
        return answer_record(turn, effects);
    }
  }

  // --- Reading ---

  void answer_record(const Turn& turn, Effects& effects) {
    const RouteKind kind = route().endpoint;
    if (kind == RouteKind::kReleaseByHash) {
      const Json* release = record(release_key(id_of("release", argument_)));
      return respond(release == nullptr ? not_found() : json_answer(200, *release));
    }
    const Json* found = nullptr;
    for (const auto& [key, each] : records_) {
      if (each) found = &*each;
    }
    if (kind == RouteKind::kSymbolSets) {
      Json results = Json::array();
      if (found != nullptr) results.push_back(*found);
      return respond(json_answer(200, {{"count", results.size()},
                                       {"next", nullptr},
                                       {"previous", nullptr},
                                       {"results", results}}));
    }
    // What was given may be the set's own id instead of the chunk's.
    if (found == nullptr && !is_own_id_tried_ && Uuid::try_parse(argument_)) {
      is_own_id_tried_ = true;
      return read(set_key(argument_), effects);
    }
    if (found == nullptr) return respond(not_found());
    answer_set(turn, *found, effects);
  }

  void answer_set(const Turn& turn, const Json& found, Effects& effects) {
    const std::string id = text_of(found, "id");
    const bool has_file = !text_of(found, "content_hash").empty();
    if (head().method == "DELETE") {
      answer_ = Reply{204, {}, ""};
      effects.add(DeleteObjects{Bucket::kSymbols, set_key(id) + '\0' + data_key(id) + '\0'});
      ++under_way_;
      return;
    }
    if (route().endpoint == RouteKind::kSymbolSet) return respond(json_answer(200, found));
    if (!has_file) return respond(not_found());
    if (route().endpoint == RouteKind::kSymbolDownload) {
      const std::string expires = std::to_string(turn.now_ms + limits::kSymbolUploadMs);
      return respond(json_answer(
          200, {{"url", address("symbol_sets/" + id + "/content") + "?expires=" + expires +
                            "&signature=" + signature_of("content", id, expires)}}));
    }
    Reply reply{200,
                {{"Content-Type", "application/octet-stream"},
                 {"Cache-Control", "no-store"},
                 {"X-Content-Type-Options", "nosniff"}},
                ""};
    reply.objects_of = Bucket::kSymbols;
    reply.objects = data_key(id) + '\0';
    respond(std::move(reply));
  }

  std::string address(const std::string& rest) {
    return std::string(head().own_origin) + state().config.path_prefix + "/api/projects/" + team_ +
           "/error_tracking/" + rest;
  }

  // --- Uploading ---

  std::optional<Reply> read_wanted() {
    const Json given = parsed_body();
    if (!given.is_object()) return invalid("invalid_input", "send a JSON object");
    // Older clients name chunks of one release.
    const auto ids = given.find("chunk_ids");
    const auto sets = given.find("symbol_sets");
    const auto count_of = [&given](Json::const_iterator list) {
      return list != given.end() && list->is_array() ? list->size() : 0;
    };
    const std::string release_id = text_of(given, "release_id");
    if (release_id.size() > limits::kSymbolNameBytesMax) {
      return invalid("invalid_input", "release_id and content_hash have at most 200 bytes");
    }
    if (count_of(ids) + count_of(sets) > limits::kSymbolSetsMax) {
      return invalid("invalid_input", "send at most 250 symbol sets at once (--batch-size)");
    }
    if (ids != given.end() && ids->is_array()) {
      for (const Json& id : *ids) {
        if (!is_name(id))
          return invalid("invalid_input", "chunk_ids must be texts of 1 to 200 bytes");
        wanted_.push_back({id.get<std::string>(), release_id, ""});
      }
    }
    if (sets != given.end() && sets->is_array()) {
      for (const Json& set : *sets) {
        if (!set.is_object() || !set.contains("chunk_id") || !is_name(set["chunk_id"])) {
          return invalid("invalid_input",
                         "symbol_sets[].chunk_id must be a text of 1 to 200 bytes");
        }
        wanted_.push_back(
            {text_of(set, "chunk_id"), text_of(set, "release_id"), text_of(set, "content_hash")});
      }
    }
    force_ = given.value("force", Json(false)) == true;
    skip_on_conflict_ = given.value("skip_on_conflict", Json(false)) == true;
    std::set<std::string> seen;
    for (const WantedSet& each : wanted_) {
      if (!seen.insert(each.chunk_id).second) {
        return invalid("invalid_chunk_ids", "Duplicate chunk IDs provided: " + each.chunk_id);
      }
      if (each.release_id.size() > limits::kSymbolNameBytesMax ||
          each.content_hash.size() > limits::kSymbolNameBytesMax) {
        return invalid("invalid_input", "release_id and content_hash have at most 200 bytes");
      }
    }
    return std::nullopt;
  }

  Json parsed_body() { return json::dom_of<Json>(body()); }

  void start_upload(Effects& effects) {
    if (auto refused = read_wanted()) return respond(std::move(*refused));
    if (wanted_.empty()) return respond(json_answer(201, {{"id_map", Json::object()}}));
    std::set<std::string> releases;
    for (const WantedSet& each : wanted_) {
      if (each.release_id.empty()) continue;
      if (!Uuid::try_parse(each.release_id)) return respond(unknown_release(each.release_id));
      releases.insert(each.release_id);
    }
    for (const WantedSet& each : wanted_) read(set_key(id_of("set", each.chunk_id)), effects);
    for (const std::string& release : releases) read(release_key(release), effects);
  }

  static Reply unknown_release(const std::string& id) {
    return invalid("invalid_release_id", "Unknown release ID provided: " + id);
  }

  // All or nothing: what is refused leaves no trace.
  void decide(const Turn& turn, Effects& effects) {
    Json id_map = Json::object();
    std::vector<std::pair<std::string, Json>> changed;
    for (const WantedSet& each : wanted_) {
      if (!each.release_id.empty() && record(release_key(each.release_id)) == nullptr) {
        return respond(unknown_release(each.release_id));
      }
      const std::string id = id_of("set", each.chunk_id);
      const Json* old = record(set_key(id));
      Json now = old != nullptr ? *old : new_record(turn, id, each);
      const std::string old_release = text_of(now, "release_id");
      if (!each.release_id.empty() && !old_release.empty() && old_release != each.release_id) {
        return respond(invalid("release_id_mismatch",
                               "Symbol set " + each.chunk_id + " already has a release ID"));
      }
      const std::string old_hash = text_of(now, "content_hash");
      const bool differs = !old_hash.empty() && old_hash != each.content_hash;
      if (differs && !force_ && !skip_on_conflict_) {
        return respond(
            invalid("content_hash_mismatch",
                    "Symbol set " + each.chunk_id + " already exists, with different content."));
      }
      const bool is_upload = old_hash.empty() || (differs && force_);
      if (!each.release_id.empty()) now["release_id"] = each.release_id;
      if (is_upload) {
        now["content_hash"] = nullptr;
        id_map[each.chunk_id] = {{"presigned_url", upload_form(turn, id)}, {"symbol_set_id", id}};
      }
      if (old == nullptr || now != *old) changed.emplace_back(set_key(id), std::move(now));
    }
    answer_ = json_answer(201, {{"id_map", id_map}});
    for (auto& [key, now] : changed) write(key, json::text_of(now), effects);
    if (changed.empty()) respond(std::move(*answer_));
  }

  Json new_record(const Turn& turn, const std::string& id, const WantedSet& wanted) const {
    std::string created;
    append_rfc3339(created, turn.now_ms);
    return {{"id", id},
            {"ref", wanted.chunk_id},
            {"team_id", parse_int64(team_).value_or(0)},
            {"created_at", created},
            {"last_used", nullptr},
            {"storage_ptr", data_key(id)},
            {"failure_reason", nullptr},
            {"content_hash", nullptr},
            {"release_id", nullptr}};
  }

  Json upload_form(const Turn& turn, const std::string& id) {
    const std::string expires = std::to_string(turn.now_ms + limits::kSymbolUploadMs);
    return {
        {"url", address("symbol_sets/upload")},
        {"fields",
         {{"key", id}, {"expires", expires}, {"signature", signature_of("upload", id, expires)}}}};
  }

  void take_file(Effects& effects) {
    const FormPart file = find_form_part(head().content_type, body(), "file");
    if (!file.exists() || file.size == 0)
      return respond(invalid("file_not_found", "the form has no file"));
    if (file.size > limits::kSymbolSetBytesMax) {
      return respond(api_error_reply(413, "validation_error", "file_too_large",
                                     "The uploaded symbol set file was too large."));
    }
    // In place: a copy of 24 MB is a good part of an isolate's memory.
    std::string& bytes = body();
    bytes.resize(file.begin + file.size);
    bytes.erase(0, file.begin);
    answer_ = Reply{204, {}, ""};
    write(data_key(argument_), std::move(bytes), effects);
  }

  void start_finish(Effects& effects) {
    const Json given = parsed_body();
    const auto hashes = given.is_object() ? given.find("content_hashes") : given.end();
    if (hashes == given.end() || !hashes->is_object()) {
      return respond(invalid("invalid_input", "content_hashes are required"));
    }
    if (hashes->size() > limits::kSymbolSetsMax) {
      return respond(
          invalid("invalid_input", "send at most 250 symbol sets at once (--batch-size)"));
    }
    for (const auto& [id, hash] : hashes->items()) {
      if (!Uuid::try_parse(id) || !is_name(hash)) {
        return respond(
            invalid("invalid_input", "content_hashes maps ids of symbol sets to hashes"));
      }
      hashes_[id] = hash.get<std::string>();
    }
    if (hashes_.empty()) return respond(json_answer(201, {{"success", true}}));
    for (const auto& [id, hash] : hashes_) {
      read(set_key(id), effects);
      listed_.insert(effects.add(ListObjects{Bucket::kSymbols, data_key(id), "", 1}));
      ++under_way_;
    }
  }

  void finish_upload(const Turn&, Effects& effects) {
    if (some_file_is_missing_) {
      return respond(invalid("file_not_found", "No file has been uploaded for the symbol set."));
    }
    answer_ = json_answer(201, {{"success", true}});
    for (const auto& [id, hash] : hashes_) {
      const Json* old = record(set_key(id));
      if (old == nullptr)
        continue;  // of another team, or removed meanwhile: PostHog passes it over too
      Json now = *old;
      now["content_hash"] = hash;
      write(set_key(id), json::text_of(now), effects);
    }
    if (under_way_ == 0) respond(std::move(*answer_));
  }

  // --- Releases ---

  void start_release(const Turn& turn, Effects& effects) {
    const Json given = parsed_body();
    if (!given.is_object()) return respond(invalid("invalid_input", "send a JSON object"));
    if (!given.contains("version") || !is_name(given["version"]))
      return respond(invalid("invalid_input", "Version is required"));
    if (!given.contains("project") || !is_name(given["project"]))
      return respond(invalid("invalid_input", "Project is required"));
    std::string hash = text_of(given, "hash_id");
    if (hash.empty()) hash = Uuid::version_7(turn.now_ms, turn.entropy).text();
    if (hash.size() > 128)
      return respond(invalid("invalid_input", "Hash id length cannot exceed 128 bytes"));
    std::string created;
    append_rfc3339(created, turn.now_ms);
    const auto metadata = given.find("metadata");
    release_ = {{"id", id_of("release", hash)},
                {"hash_id", hash},
                {"team_id", parse_int64(team_).value_or(0)},
                {"created_at", created},
                {"metadata", metadata == given.end() ? Json() : *metadata},
                {"version", given["version"]},
                {"project", given["project"]}};
    if (json::text_of(release_).size() > limits::kSymbolRecordBytesMax) {
      return respond(invalid("invalid_input", "a release has at most 64 KB"));
    }
    read(release_key(text_of(release_, "id")), effects);
  }

  void create_release(Effects& effects) {
    const std::string key = release_key(text_of(release_, "id"));
    if (record(key) != nullptr) {
      return respond(
          invalid("invalid_input", "Hash id " + text_of(release_, "hash_id") + " already in use"));
    }
    answer_ = json_answer(201, release_);
    write(key, json::text_of(release_), effects);
  }

  MemoryShare memory_{state().request_memory_bytes};
  std::string team_;
  std::string argument_;  // the path's id or hash
  size_t under_way_ = 0;
  std::map<uint32_t, std::string> asked_;  // effect to key
  std::map<std::string, std::optional<Json>> records_;
  std::set<uint32_t> listed_;
  bool some_file_is_missing_ = false;
  bool is_own_id_tried_ = false;
  std::optional<Reply> answer_;  // for when the writes are done
  std::vector<WantedSet> wanted_;
  bool force_ = false;
  bool skip_on_conflict_ = false;
  std::map<std::string, std::string> hashes_;
  Json release_;
};

}  // namespace

std::unique_ptr<Task> make_symbols_task(CoreState& state, std::unique_ptr<HttpRequest> request) {
  return std::make_unique<SymbolsTask>(state, std::move(request));
}

}  // namespace hogflare
