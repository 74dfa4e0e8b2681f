#include "http_task.h"

#include <array>

#include "hogflare/wire.h"

namespace hogflare {
namespace {

// Hands out the head's fields in the order of js-shim/abi.js; empty once they are used up.
class FieldReader {
 public:
  explicit FieldReader(std::string_view head) : rest_(head) {}

  std::string_view next() {
    // Most headers are absent, so most fields are empty.
    const bool is_empty = !rest_.empty() && rest_.front() == '\0';
    const size_t end = is_empty ? 0 : rest_.find('\0');
    if (end == std::string_view::npos) return {};
    const std::string_view field = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return field;
  }

  // Fills these members of `into`. A loop: the code of a request that comes alone is read from
  // memory as its data is.
  template <typename T, size_t N>
  void fill(T& into, const std::array<std::string_view T::*, N>& members) {
    for (const auto member : members) into.*member = next();
  }

 private:
  std::string_view rest_;
};

constexpr std::array kFirst = {&RequestHead::method, &RequestHead::path, &RequestHead::query};

constexpr std::array kHeaders = {
    &RequestHead::content_type,
    &RequestHead::content_encoding,
    &RequestHead::user_agent,
    &RequestHead::origin,
    &RequestHead::referer,
    &RequestHead::authorization,
    &RequestHead::x_posthog_signature,
    &RequestHead::x_hub_signature,
    &RequestHead::posthog_sdk_info,
    &RequestHead::posthog_attempt,
    &RequestHead::posthog_request_id,
    &RequestHead::posthog_request_timestamp,
    &RequestHead::cf_connecting_ip,
    &RequestHead::x_forwarded_for,
    &RequestHead::cf_ray,
    &RequestHead::access_control_request_headers,
    &RequestHead::access_control_request_method,
    &RequestHead::if_none_match,
    &RequestHead::sec_fetch_mode,
    &RequestHead::x_posthog_project_api_key,
};

// Behind everything else, and only of the paths that js-shim/abi.js names.
constexpr std::array kConsole = {
    &ConsoleHead::own_origin, &ConsoleHead::origin,         &ConsoleHead::cookie,
    &ConsoleHead::csrf,       &ConsoleHead::sec_fetch_site, &ConsoleHead::if_match,
    &ConsoleHead::accept,     &ConsoleHead::access_jwt,     &ConsoleHead::upgrade,
};

// Whether the console's cookie may say who asks.
bool is_of_console(const Route& route) {
  return route.endpoint == RouteKind::kConsole || route.endpoint == RouteKind::kFront ||
         route.metric == MetricRoute::kQuery || is_for_operators(route);
}

// What an alias at the beginning of `path` stands for, with the rest behind it.
bool resolve_alias(const Config& config, std::string_view path, std::string& resolved) {
  for (const auto& [alias, target] : config.path_aliases) {
    if (path.substr(0, alias.size()) != alias) continue;
    const std::string_view rest = path.substr(alias.size());
    if (!rest.empty() && rest.front() != '/') continue;
    resolved = target;
    resolved.append(rest);
    return true;
  }
  return false;
}

}  // namespace

std::unique_ptr<HttpRequest> read_request(const Config& config, HttpInput input) {
  auto request = std::make_unique<HttpRequest>();
  request->input = std::move(input);
  FieldReader fields(request->input.head);
  RequestHead& head = request->head;
  fields.fill(head, kFirst);
  request->url_path = head.path;
  const std::string_view body_state = fields.next();
  request->body_is_too_large = body_state == "large";
  request->body_is_kept_out = body_state == "busy";
  fields.fill(head, kHeaders);
  for (const EdgeField& field : kEdgeFields) head.edge.*field.member = fields.next();
  head.own_origin = fields.next();
  head.path = without_double_slash(head.path);
  const std::string& prefix = config.path_prefix;
  const bool has_prefix = !prefix.empty() && head.path.substr(0, prefix.size()) == prefix &&
                          head.path.substr(prefix.size(), 1) == "/";
  if (has_prefix) head.path = without_double_slash(head.path.substr(prefix.size()));
  if (resolve_alias(config, head.path, request->path)) head.path = request->path;
  request->route = find_route(head.path);
  if (is_of_console(request->route)) {
    fields.fill(request->console, kConsole);
    request->mcp_protocol_version = fields.next();
    // The shim knows these paths by how they are usually written and sends nothing of others: a
    // page that asks is none of this host's then.
    request->console.origin = head.origin;
  } else {
    // Where the shim took the path for the front page's, an address stands there.
    const std::string_view watched = fields.next();
    if (!watched.empty() && watched.front() <= '9') request->watched = watched;
  }
  // No page has business with an operator's paths: without an origin no answer carries CORS.
  const bool is_health = request->route.endpoint == RouteKind::kHealth;
  if (is_for_operators(request->route) || (is_health && !head.authorization.empty())) {
    head.origin = {};
  }
  return request;
}

void HttpTask::respond(Reply reply) {
  bool has_cors = false;
  for (const Header& header : reply.headers) {
    has_cors |= header.name == "Access-Control-Allow-Origin";
  }
  if (!has_cors) {
    for (Header& header : cors_headers(head())) reply.headers.push_back(std::move(header));
  }
  state_.metrics.count_request(route().metric, reply.status);
  finish(std::move(reply));
}

}  // namespace hogflare
