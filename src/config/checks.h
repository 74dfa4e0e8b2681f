// What of a configuration's values cannot mean what it says (config.cpp).
#pragma once

#include <string>
#include <string_view>

namespace hogflare {

// Whether a browser's Origin header can ever be equal to `origin`: scheme, "://", host in lower
// case, a port that is not the scheme's own, and nothing behind it (RFC 6454, section 6.2).
bool is_possible_origin(std::string_view origin);

// Whether a request's path can begin with `prefix`: ASCII that URLs leave as it is, and neither
// query, fragment nor dot segments.
bool is_possible_path(std::string_view prefix);

// Why `alias` cannot stand for `target` in HOGFLARE_PATH_ALIASES; empty: it can. Both begin with
// '/' and do not end with one.
std::string problem_of_alias(std::string_view alias, std::string_view target);

// Whether an Authorization header can carry `token`: printable ASCII without blanks at its ends.
bool is_possible_bearer(std::string_view token);

// Whether `name` names a thing of Cloudflare's or a table: letters, digits, '-' and '_', up to 100.
bool is_resource_name(std::string_view name);

// The known variable whose name needs the fewest changed, added or left out characters; empty when
// none is near.
std::string nearest_variable(std::string_view name);

}  // namespace hogflare
