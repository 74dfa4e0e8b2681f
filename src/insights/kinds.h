// One function a kind of question: checks it, writes its statements, and says how rows become an
// answer.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "insights/engine_rows.h"
#include "insights/project.h"
#include "insights/question.h"
#include "insights/view.h"

namespace hogflare::insights {

struct Context {
  const Project& project;
  Dialect dialect;
  Refusals& refusals;
};

// An answer's "results" as JSON text, and what else the kind says.
struct Written {
  std::string results;
  Json members = Json::object();
};

// A page of a list: so many of `count` things, each written by its place among all.
struct Page {
  int64_t limit = 0;
  int64_t offset = 0;
  size_t bytes_expected = 0;
};
using WriteRow = std::function<void(std::string& out, size_t index)>;
Written write_page(size_t count, const Page& page, const WriteRow& write_row);

// `read` gives the answer's object: "results" and what else the kind says. Kinds whose answers are
// long have `write` instead, which makes no trees. Both hold what they need by value.
struct Built {
  std::vector<Statement> statements;
  std::function<Json(const std::vector<Rows>&)> read = {};
  std::function<Written(const std::vector<Rows>&)> write = {};
  // Of kinds whose answers are many times their rows: the bytes of the answer's text at most.
  std::function<size_t(const std::vector<Rows>&)> bytes = {};
  int64_t until_us = 0;                               // as Plan::until_us
  bool is_momentary = false;                          // as Plan::is_momentary
  int64_t days = 0;                                   // as Plan::days
  std::function<std::vector<DayPart>()> by_day = {};  // as Plan::by_day
};

// Adds a statement; false: this one is too long, or all of them are, which is refused then.
bool put(Built& built, Statement statement, Refusals& refusals);

Built build_trends(const View& question, const Context& context);
Built build_funnel(const View& question, const Context& context);
Built build_retention(const View& question, const Context& context);
Built build_lifecycle(const View& question, const Context& context);
Built build_stickiness(const View& question, const Context& context);
Built build_paths(const View& question, const Context& context);
Built build_web_overview(const View& question, const Context& context);
Built build_web_stats(const View& question, const Context& context);
Built build_sessions(const View& question, const Context& context);
Built build_events(const View& question, const Context& context);
Built build_persons(const View& question, const Context& context);
Built build_actors(const View& question, const Context& context);
Built build_errors(const View& question, const Context& context);
Built build_experiment(const View& question, const Context& context);
Built build_sql(const View& question, const Context& context);
Built build_event_definitions(const View& question, const Context& context);
Built build_property_definitions(const View& question, const Context& context);
Built build_freshness(const View& question, const Context& context);
Built build_refused_merges(const View& question, const Context& context);
Built build_channel(const View& question, const Context& context);

// The people behind one point of a question; the SQL gives one column, the person (ActorsQuery).
std::string trends_actors_sql(const View& query, const View& source, const Context& context);
std::string lifecycle_actors_sql(const View& query, const View& source, const Context& context);
std::string stickiness_actors_sql(const View& query, const View& source, const Context& context);
std::string retention_actors_sql(const View& query, const View& source, const Context& context);

// The people at a funnel's step. Its walk is done here and not in SQL: `ctes` end in "actors",
// everybody who entered, and `pick` says whom of them the first statement's rows put at that step.
struct FunnelActors {
  std::string ctes;
  Statement events;
  std::function<std::set<std::string>(const Rows&)> pick;
};
FunnelActors funnel_actors(const View& query, const View& source, const Context& context);

// Why an answer of so many bytes is not given.
std::string too_large(size_t bytes);

// Rows' cells: engines give numbers as numbers or texts, and NULL where there is none.
double number_of(const Json& cell, double fallback = 0);
int64_t integer_of(const Json& cell, int64_t fallback = 0);
std::string text_of(const Json& cell);
// Whole numbers as JSON integers.
Json plain(double value);

}  // namespace hogflare::insights
