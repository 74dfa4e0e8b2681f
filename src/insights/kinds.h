// One function a kind of question: checks it, writes its statements, and says how rows become an
// answer.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "insights/project.h"
#include "insights/question.h"
#include "insights/view.h"

namespace hogflare::insights {

using Row = std::vector<Json>;
using Table = std::vector<Row>;

struct Context {
  const Project& project;
  Dialect dialect;
  Refusals& refusals;
};

// `read` gives the answer's object: "results" and what else the kind says. It holds what it needs
// by value.
struct Built {
  std::vector<Statement> statements;
  std::function<Json(const std::vector<Table>&)> read;
};

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
Built build_channel(const View& question, const Context& context);

// The people behind one point of a question; the SQL gives one column, the person (ActorsQuery).
std::string trends_actors_sql(const View& query, const View& source, const Context& context);
std::string lifecycle_actors_sql(const View& query, const View& source, const Context& context);

// Rows' cells: engines give numbers as numbers or texts, and NULL where there is none.
double number_of(const Json& cell, double fallback = 0);
int64_t integer_of(const Json& cell, int64_t fallback = 0);
std::string text_of(const Json& cell);
// Whole numbers as JSON integers.
Json plain(double value);

}  // namespace hogflare::insights
