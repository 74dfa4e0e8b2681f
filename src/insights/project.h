// What the planner knows about a project beside the question.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "insights/range.h"
#include "insights/view.h"

namespace hogflare::insights {

struct Cohort {
  std::string name;
  std::vector<std::string> person_ids;  // members at present
  std::vector<std::string> ids;         // the same, as persons' ids or distinct ids
  Json rules;  // instead of members: a group of filters on people's present properties; else null
};

struct Project {
  Clock clock;
  int64_t team_id = 1;
  std::string events;
  std::string persons;
  std::string distinct_ids;
  bool typed_columns = true;  // false: a table with the first schema; DuckDB reads its JSON instead
  std::map<std::string, Cohort> cohorts;
  Json test_account_filters = Json::array();
  Json actions = Json::array();
  // Free SQL sees this team's rows only, under the streams' names; for whoever is not trusted with
  // every project of the tables.
  bool one_team_only = false;
  std::string rejects;
};

Project read_project(const View& view, Zones* zones);

}  // namespace hogflare::insights
