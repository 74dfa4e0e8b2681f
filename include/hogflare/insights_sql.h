// Free SQL: only what reads the project's tables is let through.
//
//   std::optional<std::string> why = refuse_sql("SELECT event, count(*) FROM events GROUP BY
//   event", tables);
//
// An allow-list of words: one statement that begins with SELECT or WITH, whose tables are those
// given or its own CTEs and whose functions are on a list without files, networks or settings. What
// is not known is refused. Where a list of tables ends is not all that this rests on: no name
// behind a dot goes without an alias of this statement before it, wherever it stands, and the names
// of what is read in truth stand nowhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hogflare::insights {

// Why the statement is refused, in a sentence; nullopt when it may run. A table's name stands for
// one of `tables` wherever it is read: CTEs are known behind their definition only, for before it
// their name would be a table of the engine's, and they are defined at the beginning, where all see
// them. `hidden`: names that are no name of anything, such as the lake's own "default.events_v1";
// each part of them counts, but those that are in `tables` too.
std::optional<std::string> refuse_sql(std::string_view sql, const std::vector<std::string>& tables,
                                      const std::vector<std::string>& hidden = {});

}  // namespace hogflare::insights
