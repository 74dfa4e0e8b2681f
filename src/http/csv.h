// An answer as CSV (RFC 4180). A cell that a spreadsheet would take for a formula gets an
// apostrophe in front (OWASP, "CSV Injection"): values of properties are anybody's.
#pragma once

#include <string>
#include <string_view>

namespace hogflare {

// `answer`: PostHog's envelope. Rows are "results": arrays under "columns", or objects, one column
// a member; a time series has a row a day.
std::string write_csv(std::string_view answer);

}  // namespace hogflare
