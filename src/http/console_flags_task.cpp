// /app/api/flags: the document in force, its checker's words, an edit with the versions before, and
// what one person gets and why.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "console/flag_reasons.h"
#include "console/versions.h"
#include "console_task.h"
#include "hogflare/flags.h"
#include "hogflare/flags_responses.h"
#include "hogflare/flags_tools.h"
#include "hogflare/person_state.h"
#include "hogflare/url.h"
#include "json/dom.h"

namespace hogflare {
namespace {

// As many as `hogflare flags push` keeps.
constexpr size_t kFlagVersionsMax = 50;

ConsoleJson group_types_of(const Config& config) {
  ConsoleJson types = ConsoleJson::array();
  for (const std::string& type : config.group_types) types.push_back(type);
  return types;
}

// The flag that a problem's path is about: "flags[3].filters" of the document's fourth.
ConsoleJson flag_at(const ConsoleJson& document, std::string_view path) {
  constexpr std::string_view kList = "flags[";
  const ConsoleJson* flags = console::flags_of(document);
  if (flags == nullptr || path.substr(0, kList.size()) != kList) return nullptr;
  size_t index = 0;
  for (size_t i = kList.size(); i < path.size() && path[i] >= '0' && path[i] <= '9'; ++i) {
    index = std::min<size_t>(index * 10 + static_cast<size_t>(path[i] - '0'), flags->size());
  }
  if (index >= flags->size()) return nullptr;
  const auto key = (*flags)[index].find("key");
  return key == (*flags)[index].end() ? ConsoleJson(nullptr) : *key;
}

// What the core's checker says of a document: {"ok", "problems": [{"flag", "path", "severity",
// "message"}]}.
ConsoleJson check_document(const Config& config, const std::string& document) {
  const ConsoleJson arguments = {{"document", document}, {"group_types", group_types_of(config)}};
  const ConsoleJson told =
      json::dom_of<ConsoleJson>(flags::tool_check(json::text_of(arguments), *config.zones));
  ConsoleJson problems = ConsoleJson::array();
  if (!told.is_object()) {
    problems.push_back({{"flag", nullptr},
                        {"path", ""},
                        {"severity", "error"},
                        {"message", "has more problems than can be told at once"}});
    return {{"ok", false}, {"problems", std::move(problems)}};
  }
  const ConsoleJson parsed = json::dom_of<ConsoleJson>(document);
  bool has_error = false;
  for (const ConsoleJson& problem : told["problems"]) {
    has_error |= problem["severity"] == "error";
    problems.push_back({{"flag", flag_at(parsed, problem["path"].get<std::string>())},
                        {"path", problem["path"]},
                        {"severity", problem["severity"]},
                        {"message", problem["message"]}});
  }
  return {{"ok", !has_error}, {"problems", std::move(problems)}};
}

// What all of these begin with: the document in force.
class FlagsDocumentTask : public ConsoleTask {
 public:
  using ConsoleTask::ConsoleTask;

 protected:
  bool has_kv() { return has_binding("FLAGS"); }
  bool is_writable(const Config& config) { return has_kv() && !config.flags_kv_key.empty(); }

  // Asks for the document; when nothing has to be read, `has_document` is called at once.
  void read_document(const Turn& turn, Effects& effects) {
    if (is_writable(turn.config)) {
      read_effect_ = effects.add(ReadKv{turn.config.flags_kv_key});
      return;
    }
    take_fallback(turn.config);
    has_document(turn, effects);
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    if (read_effect_ == 0 || result.id != read_effect_)
      return go_on(turn, std::move(result), effects);
    read_effect_ = 0;
    if (!result.ok) return refuse(503, "kv_unavailable", "the namespace FLAGS does not answer");
    if (result.http_status == 404) {
      take_fallback(turn.config);
    } else {
      document_ = std::move(result.body);
      source_ = "kv";
    }
    has_document(turn, effects);
  }

  virtual void has_document(const Turn& turn, Effects& effects) = 0;
  virtual void go_on(const Turn&, EffectResult, Effects&) {}

  bool refuse_without_kv(const Config& config) {
    if (is_writable(config)) return false;
    refuse(503, "no_kv",
           has_kv()
               ? "set HOGFLARE_FLAGS_KV_KEY to edit flags here"
               : "bind a KV namespace as FLAGS and set HOGFLARE_FLAGS_KV_KEY to edit flags here");
    return true;
  }

  std::string document_;
  std::string_view source_ = "none";

 private:
  void take_fallback(const Config& config) {
    source_ = !config.feature_flags.empty()   ? "variable"
              : !config.bundled_flags.empty() ? "file"
                                              : "none";
    document_ = !config.feature_flags.empty() ? config.feature_flags : config.bundled_flags;
  }

  uint32_t read_effect_ = 0;  // 0: none under way
};

class FlagsGetTask final : public FlagsDocumentTask {
 public:
  using FlagsDocumentTask::FlagsDocumentTask;

  void start(const Turn& turn, Effects& effects) override {
    if (admit(turn, console::Role::kViewer)) read_document(turn, effects);
  }

 private:
  void has_document(const Turn& turn, Effects&) override {
    if (!hold_document(document_, "the document in force")) return;
    const std::string etag = console::etag_of(document_);
    ConsoleJson body = {{"document", document_}, {"etag", etag}, {"source", source_}};
    body["writable"] = is_writable(turn.config) && caller().role == console::Role::kAdmin;
    body["problems"] = check_document(turn.config, document_)["problems"];
    body["flags"] = ConsoleJson::array();
    const ConsoleJson parsed = json::dom_of<ConsoleJson>(document_);
    if (const ConsoleJson* flags = console::flags_of(parsed)) {
      for (const ConsoleJson& flag : *flags) {
        if (flag.is_object()) body["flags"].push_back(console::summary_of(flag));
      }
    }
    body["seen_after_s"] = turn.config.flags_ttl_ms / 1000;
    answer(200, body, {{"ETag", etag}});
  }
};

class FlagsCheckTask final : public ConsoleTask {
 public:
  using ConsoleTask::ConsoleTask;

  // Whoever may look may check: nothing changes.
  void start(const Turn& turn, Effects&) override {
    ConsoleJson body;
    if (!admit(turn, console::Role::kViewer) || !read_body(body)) return;
    const auto document = body.find("document");
    if (document == body.end() || !document->is_string()) {
      return refuse(400, "no_document", "\"document\" must hold the text of the definitions");
    }
    const std::string text = document->get<std::string>();
    if (hold_document(text, "\"document\"")) answer(200, check_document(turn.config, text));
  }
  void resume(const Turn&, EffectResult, Effects&) override {}
};

// Compares, checks, keeps the version before, and puts the new one in force. KV has no conditional
// put: two edits within the same moment are told apart by their versions.
class FlagsPutTask final : public FlagsDocumentTask {
 public:
  using FlagsDocumentTask::FlagsDocumentTask;

  void start(const Turn& turn, Effects& effects) override {
    if (!admit(turn, console::Role::kAdmin) || refuse_without_kv(turn.config)) return;
    ConsoleJson body;
    if (!read_body(body)) return;
    const auto document = body.find("document");
    if (document == body.end() || !document->is_string()) {
      return refuse(400, "no_document", "\"document\" must hold the text of the definitions");
    }
    if (console().if_match.empty()) {
      return refuse(428, "no_if_match",
                    "send If-Match with the etag of the version that was edited");
    }
    new_document_ = document->get<std::string>();
    if (hold_document(new_document_, "\"document\"")) read_document(turn, effects);
  }

 private:
  void has_document(const Turn& turn, Effects& effects) override {
    const std::string etag = console::etag_of(document_);
    if (!console::matches(console().if_match, etag)) {
      return refuse(409, "changed", "the flags were changed elsewhere", {{"etag", etag}});
    }
    const ConsoleJson checked = check_document(turn.config, new_document_);
    if (checked["ok"] != true) {
      return refuse(422, "refused", "the edge would refuse this document",
                    {{"problems", checked["problems"]}});
    }
    if (new_document_ == document_)
      return answer(200, {{"etag", etag}, {"changed", false}}, {{"ETag", etag}});
    const std::string& key = turn.config.flags_kv_key;
    if (source_ == "kv") {
      const ConsoleJson about = {
          {"etag", etag}, {"bytes", document_.size()}, {"replaced_by", name_of(caller().role)}};
      effects.add(console::put_kv(console::version_key(key, turn.now_ms), about, document_));
      ++puts_;
    }
    effects.add(console::put_kv(
        key, {{"etag", console::etag_of(new_document_)}, {"bytes", new_document_.size()}},
        new_document_));
    ++puts_;
  }

  void go_on(const Turn& turn, EffectResult result, Effects& effects) override {
    if (puts_ > 0) {
      if (!result.ok) {
        return refuse(503, "kv_unavailable",
                      "the namespace FLAGS took nothing, or not all: read again");
      }
      if (--puts_ > 0) return;
      list_effect_ = effects.add(ChangeKv{KvChange::kList, turn.config.flags_kv_key + "@", "", 0});
      return;
    }
    if (result.id == list_effect_) {
      for (std::string& key : console::outdated_versions(result.body, kFlagVersionsMax)) {
        effects.add(ChangeKv{KvChange::kDelete, std::move(key), "", 0});
      }
      finish_well(turn);
    }
  }

  void finish_well(const Turn& turn) {
    EffectResult stored;
    stored.ok = true;
    stored.http_status = 200;
    stored.body = new_document_;
    // This isolate answers by it from now on; others ask KV when their copy is old.
    state().flags.take_kv(stored, turn.now_ms);
    const std::string etag = console::etag_of(new_document_);
    turn.metrics.log.add(LogLevel::kInfo, "console_change",
                         {{"what", "flags"},
                          {"who", caller_text()},
                          {"before", console::etag_of(document_)},
                          {"after", etag}});
    answer(200,
           {{"etag", etag}, {"changed", true}, {"seen_after_s", turn.config.flags_ttl_ms / 1000}},
           {{"ETag", etag}});
  }

  std::string new_document_;
  int puts_ = 0;
  uint32_t list_effect_ = 0;
};

// GET flags/history, and with ?at= one version's text.
class FlagsHistoryTask final : public FlagsDocumentTask {
 public:
  using FlagsDocumentTask::FlagsDocumentTask;

  void start(const Turn& turn, Effects& effects) override {
    if (!admit(turn, console::Role::kViewer) || refuse_without_kv(turn.config)) return;
    at_ = form_value(head().query, "at").value_or("");
    const std::string key = turn.config.flags_kv_key + "@";
    if (at_.empty()) {
      effects.add(ChangeKv{KvChange::kList, key, "", 0});
    } else {
      effects.add(ReadKv{key + at_});
    }
  }

 private:
  void has_document(const Turn&, Effects&) override {}

  void go_on(const Turn& turn, EffectResult result, Effects&) override {
    if (!result.ok) return refuse(503, "kv_unavailable", "the namespace FLAGS does not answer");
    if (at_.empty()) {
      return answer(200,
                    {{"versions", console::versions_of(result.body, turn.config.flags_kv_key)}});
    }
    if (result.http_status == 404)
      return refuse(404, "no_version", "no version of this time is kept");
    answer(200, {{"at", at_}, {"document", result.body}, {"etag", console::etag_of(result.body)}});
  }

  std::string at_;
};

// What one person gets: what the request brings over what is stored, as /flags does it, and with
// ?key= or "key" each condition of that flag. With "people" how many of them get the flag, by
// condition.
class FlagsEvaluateTask final : public FlagsDocumentTask {
 public:
  using FlagsDocumentTask::FlagsDocumentTask;

  void start(const Turn& turn, Effects& effects) override {
    if (!admit(turn, console::Role::kViewer) || !read_body(body_)) return;
    const auto team = body_.find("team_id");
    if (team == body_.end() ? !read_team(team_id_) : !take_team(*team)) return;
    const auto key = body_.find("key");
    if (key != body_.end() && key->is_string()) key_ = key->get<std::string>();
    const auto draft = body_.find("document");
    if (draft == body_.end() || !draft->is_string()) return read_document(turn, effects);
    document_ = draft->get<std::string>();
    source_ = "request";
    has_document(turn, effects);
  }

 private:
  bool take_team(const ConsoleJson& team) {
    if (team.is_number_integer() && is_team(team.get<int64_t>())) {
      team_id_ = team.get<int64_t>();
      return true;
    }
    refuse(404, "no_project", "no project of this deployment has this team_id");
    return false;
  }

  void has_document(const Turn& turn, Effects& effects) override {
    // With a key the document is there twice: as it is, and with its conditions as flags.
    if (!hold_document(document_, "the document", key_.empty() ? 1 : 2)) return;
    if (!key_.empty()) parsed_ = json::dom_of<ConsoleJson>(document_);
    flags::ParseOptions options;
    options.group_types = turn.config.group_types;
    options.zones = turn.config.zones;
    Result<flags::Definitions> definitions = flags::Definitions::parse(
        key_.empty() || parsed_.is_discarded() ? document_
                                               : console::with_probes(parsed_, key_, &counted_),
        options);
    if (!definitions.ok()) {
      return refuse(422, "refused", "these definitions are no document",
                    {{"problems", check_document(turn.config, document_)["problems"]}});
    }
    definitions_.emplace(std::move(definitions).value());
    if (body_.contains("people")) return count(turn);
    ConsoleJson asked = ConsoleJson::object();
    for (const char* name : {"distinct_id", "groups", "person_properties", "group_properties",
                             "$anon_distinct_id", "$device_id"}) {
      if (body_.contains(name)) asked[name] = body_[name];
    }
    asked["token"] = "console";
    Result<flags::Request> request = flags::parse_request(json::text_of(asked), {});
    if (!request.ok()) return refuse(400, "bad_request", request.error().detail);
    request_.emplace(std::move(request).value());
    flags::Needs wanted = flags::needs(*definitions_, *request_);
    // Reading one writes no continuity key; who asks here is nobody's SDK.
    wanted.hash_keys = false;
    wanted.person = true;
    stored_.emplace(team_id_, *request_, wanted, *definitions_, state().identity, memory());
    lists_.start(std::move(wanted.cohorts), request_->distinct_id, *stored_);
    stored_->start(turn, effects);
    if (stored_->finished()) read_lists(turn, effects);
  }

  // Of these people, by the properties that are given: nothing is read. Evaluated is the flag with
  // its conditions, and what these depend on.
  void count(const Turn& turn) {
    const ConsoleJson& people = body_["people"];
    if (!people.is_array() || people.size() > limits::kAudienceMax || key_.empty()) {
      return refuse(400, "bad_request",
                    "\"people\" is a list of up to " + std::to_string(limits::kAudienceMax) +
                        " {\"distinct_id\", \"properties\"}, and \"key\" names the flag");
    }
    ConsoleJson variants = ConsoleJson::object();
    std::vector<std::pair<uint64_t, uint64_t>> conditions;  // who meets it, whom it decides for
    uint64_t enabled = 0;
    counted_.push_back(key_);
    for (const ConsoleJson& person : people) {
      const ConsoleJson told = answers_for(person, turn);
      if (told.size() * people.size() > limits::kAudienceAnswersMax) {
        return refuse(400, "too_much_work",
                      fmt::format("the flag has {} conditions, filters and flags it depends on: "
                                  "{} people may be counted at once",
                                  told.size(), limits::kAudienceAnswersMax / told.size()));
      }
      const auto answer = told.find(key_);
      if (answer == told.end()) continue;
      note_conditions(told, *answer, conditions);
      if ((*answer)["enabled"] != true) continue;
      ++enabled;
      const auto variant = answer->find("variant");
      if (variant == answer->end() || !variant->is_string()) continue;
      const std::string name = variant->get<std::string>();
      variants[name] = variants.value(name, uint64_t{0}) + 1;
    }
    ConsoleJson list = ConsoleJson::array();
    for (const auto& [meets, decided] : conditions) {
      list.push_back({{"meet", meets}, {"get", decided}});
    }
    answer(200, {{"people", people.size()},
                 {"enabled", enabled},
                 {"variants", std::move(variants)},
                 {"conditions", std::move(list)}});
  }

  ConsoleJson answers_for(const ConsoleJson& person, const Turn& turn) const {
    if (!person.is_object() || !person.contains("distinct_id")) return ConsoleJson::object();
    const auto properties = person.find("properties");
    const bool has_properties = properties != person.end() && properties->is_object();
    ConsoleJson asked = {{"token", "console"}, {"distinct_id", person["distinct_id"]}};
    if (has_properties) asked["person_properties"] = *properties;
    asked["flag_keys_to_evaluate"] = counted_;
    const Result<flags::Request> request = flags::parse_request(json::text_of(asked), {});
    if (!request.ok()) return ConsoleJson::object();
    flags::StoredState stored;
    stored.person_exists = true;
    const flags::Evaluation evaluation =
        flags::evaluate(*definitions_, request.value(), stored, turn.now_ms);
    const flags::ResponseContext context{"00000000-0000-4000-8000-000000000000", turn.now_ms, {}};
    return json::dom_of<ConsoleJson>(
        flags::write_flags(evaluation, flags::FlagsVersion::kV2, context))["flags"];
  }

  void note_conditions(const ConsoleJson& told, const ConsoleJson& result,
                       std::vector<std::pair<uint64_t, uint64_t>>& counts) const {
    const ConsoleJson met =
        console::conditions_of(parsed_, key_,
                               {[&told](std::string_view key) {
                                  const auto found = told.find(std::string(key));
                                  return found != told.end() && (*found)["enabled"] == true;
                                },
                                [](const ConsoleJson&) { return ConsoleJson(nullptr); }});
    if (!met.is_array()) return;
    counts.resize(std::max(counts.size(), met.size()));
    const ConsoleJson reason = result.value("reason", ConsoleJson::object());
    const auto decided = reason.find("condition_index");
    for (size_t i = 0; i < met.size(); ++i) {
      if (met[i]["matches"] == true) ++counts[i].first;
      const bool is_it =
          result["enabled"] == true && decided != reason.end() && *decided == met[i]["index"];
      if (is_it) ++counts[i].second;
    }
  }

  void go_on(const Turn& turn, EffectResult result, Effects& effects) override {
    if (lists_.owns(result.id)) {
      lists_.take(turn, result);
      return read_lists(turn, effects);
    }
    if (!stored_ || !stored_->owns(result.id)) return;
    stored_->resume(turn, std::move(result), effects);
    if (stored_->finished()) read_lists(turn, effects);
  }

  void read_lists(const Turn& turn, Effects& effects) {
    if (lists_.advance(turn, effects)) evaluate(turn);
  }

  void evaluate(const Turn& turn) {
    const flags::Evaluation evaluation =
        flags::evaluate(*definitions_, *request_, stored_->state(), turn.now_ms);
    const flags::ResponseContext context{"00000000-0000-4000-8000-000000000000", turn.now_ms, {}};
    const ConsoleJson told = json::dom_of<ConsoleJson>(
        flags::write_flags(evaluation, flags::FlagsVersion::kV2, context));
    ConsoleJson results = ConsoleJson::object();
    for (const auto& [key, result] : told["flags"].items()) {
      if (!console::is_probe(key)) results[key] = result;
    }
    if (!key_.empty() && results.contains(key_))
      results[key_]["conditions"] = conditions(told["flags"]);
    const flags::StoredState& stored = stored_->state();
    ConsoleJson body = {{"flags", std::move(results)}};
    body["errorsWhileComputingFlags"] = told["errorsWhileComputingFlags"];
    body["source"] = source_;
    body["person"] = {
        {"exists", stored.person_exists},
        {"read", stored.person_read == flags::Read::kOk ? "ok" : "failed"},
        {"properties", json::dom_of<ConsoleJson>(flags::to_json(stored.person_properties))}};
    if (body["person"]["properties"].is_discarded()) body["person"]["properties"] = nullptr;
    answer(200, body);
  }

  ConsoleJson conditions(const ConsoleJson& answers) const {
    const auto given = [this](const char* name) {
      return body_.contains(name) && body_[name].is_object() ? body_[name] : ConsoleJson::object();
    };
    ConsoleJson person =
        json::dom_of<ConsoleJson>(flags::to_json(stored_->state().person_properties));
    if (!person.is_object()) person = ConsoleJson::object();
    person.update(given("person_properties"));
    const auto is_on = [&answers](std::string_view key) {
      const auto found = answers.find(std::string(key));
      return found != answers.end() && (*found)["enabled"] == true;
    };
    const auto actual = [&person](const ConsoleJson& filter) {
      const auto key = filter.find("key");
      const bool is_person = !filter.contains("type") || filter["type"] == "person";
      if (!is_person || key == filter.end() || !key->is_string()) return ConsoleJson(nullptr);
      const auto value = person.find(key->get<std::string>());
      return value == person.end() ? ConsoleJson(nullptr) : *value;
    };
    return console::conditions_of(parsed_, key_, {is_on, actual});
  }

  ConsoleJson body_;
  ConsoleJson parsed_;
  int64_t team_id_ = 0;
  std::string key_;
  std::vector<std::string> counted_;  // the flag and its conditions, by their keys
  std::optional<flags::Definitions> definitions_;
  std::optional<flags::Request> request_;
  std::optional<StoredStateRun> stored_;
  CohortListsRun lists_{state().cohort_lists, memory()};
};

}  // namespace

std::unique_ptr<Task> make_console_flags_task(CoreState& state,
                                              std::unique_ptr<HttpRequest> request) {
  if (request->head.method == "PUT")
    return std::make_unique<FlagsPutTask>(state, std::move(request));
  return std::make_unique<FlagsGetTask>(state, std::move(request));
}

std::unique_ptr<Task> make_console_flags_check_task(CoreState& state,
                                                    std::unique_ptr<HttpRequest> request) {
  return std::make_unique<FlagsCheckTask>(state, std::move(request));
}

std::unique_ptr<Task> make_console_flags_history_task(CoreState& state,
                                                      std::unique_ptr<HttpRequest> request) {
  return std::make_unique<FlagsHistoryTask>(state, std::move(request));
}

std::unique_ptr<Task> make_console_flags_evaluate_task(CoreState& state,
                                                       std::unique_ptr<HttpRequest> request) {
  return std::make_unique<FlagsEvaluateTask>(state, std::move(request));
}

}  // namespace hogflare
