// /app/api/person: one person as its object knows it, and why these ids are one.
#include "console_task.h"
#include "hogflare/person_calls.h"
#include "hogflare/url.h"
#include "json/dom.h"

namespace hogflare {
namespace {

class PersonTask final : public ConsoleTask {
 public:
  using ConsoleTask::ConsoleTask;

  void start(const Turn& turn, Effects& effects) override {
    if (!admit(turn, console::Role::kViewer) || !read_team(team_id_)) return;
    asked_ = form_value(head().query, "distinct_id").value_or("");
    if (asked_.empty() || asked_.size() > limits::kIdBytesMax) {
      return refuse(400, "no_distinct_id", "name one with ?distinct_id=");
    }
    ask(asked_, effects);
  }

  void resume(const Turn&, EffectResult result, Effects& effects) override {
    const ConsoleJson told = result.ok ? json::dom_of<ConsoleJson>(result.body) : ConsoleJson();
    if (told.is_discarded()) {
      return refuse(422, "too_many_values", "the person has more properties than are shown here");
    }
    if (!told.is_object()) {
      return refuse(503, "object_unavailable", "the person's object does not answer; try again");
    }
    if (told["state"] == "redirect" && path_.size() <= limits::kRedirectHopsMax) {
      return ask(told["redirect_to"].get<std::string>(), effects);
    }
    if (told["state"] != "person") {
      return refuse(
          404, "no_person",
          told["personless"] == true
              ? "this id sent events without a person; they stand in the events table only"
              : "no person has this id; events without a person stand in the events table only",
          {{"personless", told["personless"]}});
    }
    describe(told);
  }

 private:
  void ask(std::string distinct_id, Effects& effects) {
    effects.add(CallObject{ObjectClass::kPerson, person_object_name(team_id_, distinct_id),
                           write_describe()});
    path_.push_back(std::move(distinct_id));
  }

  void describe(const ConsoleJson& told) {
    ConsoleJson body = {{"uuid", told["uuid"]}, {"id", told["id"]}};
    body["asked"] = asked_;
    body["distinct_ids"] = ConsoleJson::array();
    for (const ConsoleJson& id : told["distinct_ids"]) {
      body["distinct_ids"].push_back(id["distinct_id"]);
    }
    for (const char* name :
         {"distinct_ids_count", "properties", "created_at", "is_identified", "version"}) {
      body[name] = told[name];
    }
    // The objects that led here: each gave its person away to the next.
    body["redirects"] = path_;
    body["ids"] = ids(told);
    body["merges"] = merges(told);
    body["last_changes"] = told["changes"];
    if (told.contains("merge_under_way")) body["merge_under_way"] = told["merge_under_way"];
    answer(200, body);
  }

  ConsoleJson ids(const ConsoleJson& told) const {
    ConsoleJson list = ConsoleJson::array();
    for (const ConsoleJson& id : told["distinct_ids"]) {
      // The version says only that the id may have rows of before: what brought it stands in the
      // merges where two people became one, and as long as that is among the last changes.
      const bool came_later = id["version"] != 0;
      list.push_back(
          {{"distinct_id", id["distinct_id"]},
           {"version", id["version"]},
           {"why", came_later
                       ? "came later, by identify(), an alias or a merge: rows that were stored "
                         "under it before belong to this person now, and the table distinct_ids "
                         "says so"
                       : "its rows have named this person from the first"}});
    }
    return list;
  }

  // The last changes remember which person an event absorbed; older merges are known by their ids
  // alone.
  ConsoleJson merges(const ConsoleJson& told) const {
    ConsoleJson list = ConsoleJson::array();
    for (size_t i = 0; i + 1 < path_.size(); ++i) {
      list.push_back({{"kind", "redirect"},
                      {"from", path_[i]},
                      {"to", path_[i + 1]},
                      {"sentence", "The id " + path_[i] + " was merged into the person of " +
                                       path_[i + 1] + "."}});
    }
    for (const ConsoleJson& change : told["changes"]) {
      if (!change.contains("merged_uuid")) continue;
      list.push_back(
          {{"kind", "absorbed"},
           {"event_uuid", change["event_uuid"]},
           {"merged_uuid", change["merged_uuid"]},
           {"sentence", "The event " + change["event_uuid"].get<std::string>() +
                            " merged the person " + change["merged_uuid"].get<std::string>() +
                            " into this one."}});
    }
    return list;
  }

  int64_t team_id_ = 0;
  std::string asked_;
  std::vector<std::string> path_;  // the ids whose objects were asked
};

}  // namespace

std::unique_ptr<Task> make_console_person_task(CoreState& state,
                                               std::unique_ptr<HttpRequest> request) {
  return std::make_unique<PersonTask>(state, std::move(request));
}

}  // namespace hogflare
