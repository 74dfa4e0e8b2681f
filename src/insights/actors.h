// The people behind numbers that are no insight's own point: an edge of paths, a card or a row of
// web analytics. As kinds.h has the others: SQL that ends in "actors", of one column, the person
// (ActorsQuery).
#pragma once

#include <string>

#include "insights/kinds.h"

namespace hogflare::insights {

// Of the edge from `pathStartKey` to `pathEndKey` of the source's pathsFilter, or of all edges of
// one of them. An edge counts visits, so its people are as many or fewer.
std::string paths_actors_sql(const View& query, const View& source, const Context& context);
// WebOverviewQuery: visitors. WebStatsTableQuery: visitors of the row `breakdown`, null the missing
// value.
std::string web_actors_sql(const View& query, const View& source, const Context& context);

}  // namespace hogflare::insights
