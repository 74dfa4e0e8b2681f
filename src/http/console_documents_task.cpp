// /app/api/documents: dashboards and saved insights, JSON in the flags namespace.
//
// Keys: "console/TEAM/KIND/SLUG", versions before "console-versions/TEAM/KIND/SLUG@TIME": two
// prefixes, so that a list of documents does not list their versions.
#include "console/versions.h"
#include "console_task.h"
#include "hogflare/ascii.h"
#include "hogflare/text.h"
#include "hogflare/timestamp.h"
#include "hogflare/url.h"
#include "json/dom.h"

namespace hogflare {
namespace {

constexpr size_t kVersionsMax = 20;
constexpr size_t kSlugBytesMax = 64;
// Of the name that lists show: KV takes 1,024 bytes of metadata
// (developers.cloudflare.com/kv/platform/limits).
constexpr size_t kNameBytesMax = 200;

bool is_slug(std::string_view text) {
  if (text.empty() || text.size() > kSlugBytesMax) return false;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
    if (!is_plain) return false;
  }
  return true;
}

std::string name_of_document(const ConsoleJson& document, std::string_view slug) {
  const auto given = document.find("name");
  if (given == document.end() || !given->is_string()) return std::string(slug);
  return std::string(first_bytes(given->get_ref<const std::string&>(), kNameBytesMax));
}

class DocumentsTask final : public ConsoleTask {
 public:
  using ConsoleTask::ConsoleTask;

  void start(const Turn& turn, Effects& effects) override {
    const bool is_look = is("GET");
    if (!admit(turn, is_look ? console::Role::kViewer : console::Role::kAdmin)) return;
    if (!has_binding("FLAGS")) {
      return refuse(503, "no_kv", "bind a KV namespace as FLAGS to save dashboards and insights");
    }
    if (!read_path() || !read_team(team_id_)) return;
    if (slug_.empty()) return list(key_prefix("console"), effects);
    if (is_history_) return look_into_history(effects);
    if (is("PUT") && !read_body(document_)) return;
    key_ = key_prefix("console") + std::string(slug_);
    state_ = State::kReading;
    effects.add(ReadKv{key_});
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    if (!result.ok) {
      // A version that could not be deleted is deleted with the next change.
      if (state_ == State::kTidying) return;
      return refuse(503, "kv_unavailable", "the namespace FLAGS does not answer; read again");
    }
    switch (state_) {
      case State::kListing:
        return answer_list(result.body);
      case State::kReading:
        return has_stored(turn, std::move(result), effects);
      case State::kWriting:
        if (--open_ > 0) return;
        state_ = State::kTidying;
        effects.add(ChangeKv{KvChange::kList, versions_key() + "@", "", 0});
        return;
      case State::kTidying:
        return tidy(turn, result.body, effects);
    }
  }

 private:
  enum class State : uint8_t { kListing, kReading, kWriting, kTidying };

  // "documents/dashboards", "documents/dashboards/main", "documents/dashboards/main/history"
  bool read_path() {
    std::string_view rest = path().substr(std::string_view("documents/").size());
    const size_t slash = rest.find('/');
    kind_ = rest.substr(0, slash);
    if (kind_ != "dashboards" && kind_ != "insights") {
      refuse(404, "no_route", "there are documents/dashboards and documents/insights");
      return false;
    }
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    const size_t end = rest.find('/');
    slug_ = rest.substr(0, end);
    is_history_ = end != std::string_view::npos && rest.substr(end + 1) == "history";
    const bool is_known = end == std::string_view::npos || (is_history_ && is("GET"));
    if (is_known && (slug_.empty() ? is("GET") : is_slug(slug_))) return true;
    refuse(400, "bad_slug", "a document's name in the address is up to 64 of a-z, 0-9, - and _");
    return false;
  }

  std::string key_prefix(std::string_view space) const {
    return std::string(space) + '/' + std::to_string(team_id_) + '/' + std::string(kind_) + '/';
  }
  std::string versions_key() const { return key_prefix("console-versions") + std::string(slug_); }

  void list(std::string prefix, Effects& effects) {
    state_ = State::kListing;
    list_key_ = prefix;
    effects.add(ChangeKv{KvChange::kList, std::move(prefix), "", 0});
  }

  void look_into_history(Effects& effects) {
    const std::string at = form_value(head().query, "at").value_or("");
    if (at.empty()) return list(versions_key() + "@", effects);
    state_ = State::kReading;
    effects.add(ReadKv{versions_key() + "@" + at});
  }

  void answer_list(const std::string& told) {
    if (is_history_) {
      return answer(200, {{"versions", console::versions_of(told, versions_key())}});
    }
    ConsoleJson documents = ConsoleJson::array();
    for (const ConsoleJson& entry : json::dom_of<ConsoleJson>(told)) {
      const std::string name = entry["name"].get<std::string>();
      ConsoleJson document = {{"slug", name.substr(list_key_.size())}};
      if (entry.contains("metadata") && entry["metadata"].is_object())
        document.update(entry["metadata"]);
      documents.push_back(std::move(document));
    }
    answer(200, {{"results", std::move(documents)}});
  }

  void has_stored(const Turn& turn, EffectResult result, Effects& effects) {
    const bool exists = result.http_status != 404;
    const std::string etag = exists ? console::etag_of(result.body) : "";
    if (is("GET")) {
      if (!exists) return refuse(404, "no_document", "there is no such document");
      if (!hold_document(result.body, "a document")) return;
      const ConsoleJson document = json::dom_of<ConsoleJson>(result.body);
      if (document.is_discarded()) {
        return refuse(502, "unreadable", "what the namespace FLAGS holds there is no JSON");
      }
      return answer(200, document, {{"ETag", etag}});
    }
    const std::string_view if_match = console().if_match;
    const bool fits = exists ? console::matches(if_match, etag) : if_match.empty();
    if (exists && if_match.empty() && is("PUT")) {
      return refuse(428, "no_if_match", "there is such a document: send If-Match with its etag",
                    {{"etag", etag}});
    }
    if (!exists && is("DELETE")) return refuse(404, "no_document", "there is no such document");
    if (!fits && !(is("DELETE") && if_match.empty())) {
      return refuse(409, "changed",
                    exists ? "it was changed elsewhere" : "it was deleted elsewhere",
                    {{"etag", exists ? ConsoleJson(etag) : ConsoleJson(nullptr)}});
    }
    write(turn, exists, etag, result.body, effects);
  }

  void write(const Turn& turn, bool exists, const std::string& etag, const std::string& before,
             Effects& effects) {
    std::string now;
    append_rfc3339(now, turn.now_ms);
    state_ = State::kWriting;
    if (exists) {
      effects.add(console::put_kv(
          console::version_key(versions_key(), turn.now_ms),
          {{"etag", etag}, {"bytes", before.size()}, {"replaced_by", "admin"}}, before));
      ++open_;
    }
    ++open_;
    if (is("DELETE")) {
      effects.add(ChangeKv{KvChange::kDelete, key_, "", 0});
      return;
    }
    const std::string text = json::text_of(document_);
    etag_ = console::etag_of(text);
    effects.add(console::put_kv(
        key_, {{"name", name_of_document(document_, slug_)}, {"updated_at", now}, {"etag", etag_}},
        text));
  }

  void tidy(const Turn& turn, const std::string& versions, Effects& effects) {
    if (finished()) return;
    for (std::string& key : console::outdated_versions(versions, kVersionsMax)) {
      effects.add(ChangeKv{KvChange::kDelete, std::move(key), "", 0});
    }
    turn.metrics.log.add(LogLevel::kInfo, "console_change",
                         {{"what", path()}, {"who", caller_text()}, {"after", etag_}});
    if (is("DELETE")) return answer(200, {{"deleted", true}});
    answer(200, {{"etag", etag_}}, {{"ETag", etag_}});
  }

  State state_ = State::kListing;
  std::string_view kind_;
  std::string_view slug_;
  bool is_history_ = false;
  int64_t team_id_ = 0;
  std::string key_;
  std::string list_key_;
  ConsoleJson document_;
  std::string etag_;
  int open_ = 0;
};

}  // namespace

std::unique_ptr<Task> make_console_documents_task(CoreState& state,
                                                  std::unique_ptr<HttpRequest> request) {
  return std::make_unique<DocumentsTask>(state, std::move(request));
}

}  // namespace hogflare
