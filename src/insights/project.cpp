#include "insights/project.h"

#include "hogflare/insights_limits.h"

namespace hogflare::insights {
namespace {

// An id, or a person as PostHog's API lists them.
void read_member(Cohort& cohort, const View& member) {
  if (!member.is_object()) return cohort.ids.push_back(member.text());
  cohort.ids.push_back(member["uuid"].text(member["id"].is_text() ? member["id"].text() : ""));
  for (const View& id : member["distinct_ids"].items()) cohort.ids.push_back(id.text());
}

void read_cohorts(Project& project, const View& cohorts) {
  if (!cohorts.given()) return;
  if (!cohorts.is_object()) return cohorts.refuse("must be an object of cohorts by id");
  for (auto it = cohorts.json().begin(); it != cohorts.json().end(); ++it) {
    const View view = cohorts[it.key()];
    Cohort cohort{.name = view["name"].text(it.key())};
    for (const View& id : view["person_ids"].items()) cohort.person_ids.push_back(id.text());
    for (const View& member : view["members"].items()) read_member(cohort, member);
    cohort.rules = view["properties"].json();
    project.cohorts.emplace(it.key(), std::move(cohort));
  }
}

}  // namespace

Project read_project(const View& view, Zones* zones) {
  Project project;
  const std::string zone = view["timezone"].text("UTC");
  const auto parsed = flags::TimeZone::parse(zone, zones);
  if (!parsed) view["timezone"].refuse("is no time zone known here");
  project.clock.zone = parsed.value_or(flags::TimeZone());
  project.clock.monday_weeks = view["week_start_day"].integer(0, {0, 1}) == 1;
  Clock utc;
  const auto now = read_moment(view["now"].text(), utc);
  if (!now || now->relative)
    view["now"].refuse("must be an ISO time");
  else
    project.clock.now_us = now->local_us;
  project.team_id = view["team_id"].integer(1, {0, int64_t{1} << 53});
  const View tables = view["tables"];
  project.events = tables["events"].text("events");
  project.persons = tables["persons"].text("persons");
  project.distinct_ids = tables["distinct_ids"].text("distinct_ids");
  project.typed_columns = view["typed_columns"].flag(true);
  project.rejects = tables["rejects"].text("rejects");
  project.one_team_only = view["one_team_only"].flag();
  read_cohorts(project, view["cohorts"]);
  if (view["test_account_filters"].is_array()) {
    project.test_account_filters = view["test_account_filters"].json();
  }
  if (view["actions"].is_array()) project.actions = view["actions"].json();
  return project;
}

}  // namespace hogflare::insights
