#include "config/checks.h"

#include <algorithm>
#include <vector>

#include "hogflare/ascii.h"
#include "hogflare/config.h"
#include "hogflare/routes.h"

namespace hogflare {
namespace {

bool is_between(char c, char low, char high) { return c >= low && c <= high; }

// Changed, added and left out characters between two names (Levenshtein's distance).
size_t distance(std::string_view left, std::string_view right) {
  std::vector<size_t> row(right.size() + 1);
  for (size_t i = 0; i < row.size(); ++i) row[i] = i;
  for (size_t i = 0; i < left.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t k = 0; k < right.size(); ++k) {
      const size_t changed = diagonal + (left[i] == right[k] ? 0 : 1);
      diagonal = row[k + 1];
      row[k + 1] = std::min({changed, row[k] + 1, row[k + 1] + 1});
    }
  }
  return row.back();
}

// Longer names are none of ours with a slip in them.
constexpr size_t kNameBytesMax = 64;

bool is_port(std::string_view port, std::string_view scheme) {
  if (port.empty() || port.size() > 5 || port.front() == '0') return false;
  if (!std::all_of(port.begin(), port.end(), [](char c) { return is_between(c, '0', '9'); })) {
    return false;
  }
  return !(scheme == "http" && port == "80") && !(scheme == "https" && port == "443");
}

}  // namespace

bool is_possible_origin(std::string_view origin) {
  if (origin == "null") return true;
  const size_t separator = origin.find("://");
  if (separator == std::string_view::npos || separator == 0) return false;
  const std::string_view scheme = origin.substr(0, separator);
  std::string_view host = origin.substr(separator + 3);
  const size_t bracket = host.rfind(']');
  const size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    if (!is_port(host.substr(colon + 1), scheme)) return false;
    host = host.substr(0, colon);
  }
  const auto is_of_scheme = [](char c) {
    return is_between(c, 'a', 'z') || is_between(c, '0', '9') || c == '+' || c == '-' || c == '.';
  };
  const auto is_of_host = [](char c) {
    return c > ' ' && c < 0x7F && !is_between(c, 'A', 'Z') &&
           std::string_view("/?#@*\\<>^|%\"").find(c) == std::string_view::npos;
  };
  return !host.empty() && std::all_of(scheme.begin(), scheme.end(), is_of_scheme) &&
         std::all_of(host.begin(), host.end(), is_of_host);
}

bool is_possible_path(std::string_view prefix) {
  if (prefix != without_double_slash(prefix)) return false;
  for (const char c : prefix) {
    if (c <= ' ' || c >= 0x7F ||
        std::string_view("?#\\\"<>`{}").find(c) != std::string_view::npos) {
      return false;
    }
  }
  const std::string closed = std::string(prefix) + '/';
  return closed.find("/./") == std::string::npos && closed.find("/../") == std::string::npos;
}

std::string problem_of_alias(std::string_view alias, std::string_view target) {
  if (alias.size() < 2 || alias.front() != '/' || !is_possible_path(alias)) {
    return "is no path's beginning; it must be as /q1";
  }
  const std::string_view last = alias.substr(alias.rfind('/'));
  if (find_route(alias).endpoint != RouteKind::kNone || !path_swallowed_by(alias).empty() ||
      find_route(last).endpoint != RouteKind::kNone) {
    return "is, or ends like, a path of PostHog's; choose a name of your own";
  }
  const Route route = find_route(target);
  if (route.metric == MetricRoute::kAdmin)
    return "stands for an operator's path, which has no alias";
  if (route.endpoint == RouteKind::kNone && path_swallowed_by(target).empty()) {
    return "stands for no path that is served; it must be as /e, /flags or /static";
  }
  return {};
}

bool is_possible_bearer(std::string_view token) {
  if (token.empty()) return true;
  const auto is_printable = [](char c) { return c >= ' ' && c < 0x7F; };
  return token.front() != ' ' && token.back() != ' ' &&
         std::all_of(token.begin(), token.end(), is_printable);
}

bool is_resource_name(std::string_view name) {
  const auto is_plain = [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; };
  return !name.empty() && name.size() <= 100 && std::all_of(name.begin(), name.end(), is_plain);
}

std::string nearest_variable(std::string_view name) {
  if (name.size() > kNameBytesMax) return {};
  std::string nearest;
  size_t fewest = name.size() / 3 + 1;
  for (const ConfigVariable& variable : config_variables()) {
    const size_t changes = distance(name, variable.name);
    if (changes >= fewest) continue;
    fewest = changes;
    nearest = variable.name;
  }
  return nearest;
}

}  // namespace hogflare
