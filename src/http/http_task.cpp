#include "http_task.h"

#include <charconv>

#include "hogflare/wire.h"

namespace hogflare {
namespace {

// Hands out the head's fields in the order of js-shim/abi.js; empty once they are used up.
class FieldReader {
 public:
  explicit FieldReader(std::string_view head) : rest_(head) {}

  std::string_view next() {
    // Most headers are absent, so most fields are empty.
    if (!rest_.empty() && rest_.front() == '\0') {
      rest_.remove_prefix(1);
      return {};
    }
    const size_t end = rest_.find('\0');
    if (end == std::string_view::npos) return {};
    const std::string_view field = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return field;
  }

 private:
  std::string_view rest_;
};

void read_headers(FieldReader& fields, RequestHead& head) {
  head.content_type = fields.next();
  head.content_encoding = fields.next();
  head.user_agent = fields.next();
  head.origin = fields.next();
  head.referer = fields.next();
  head.authorization = fields.next();
  head.x_posthog_signature = fields.next();
  head.x_hub_signature = fields.next();
  head.posthog_sdk_info = fields.next();
  head.posthog_attempt = fields.next();
  head.posthog_request_id = fields.next();
  head.posthog_request_timestamp = fields.next();
  head.cf_connecting_ip = fields.next();
  head.x_forwarded_for = fields.next();
  head.cf_ray = fields.next();
  head.access_control_request_headers = fields.next();
  head.access_control_request_method = fields.next();
  head.if_none_match = fields.next();
  head.sec_fetch_mode = fields.next();
}

void read_edge(FieldReader& fields, EdgeInfo& edge) {
  edge.country = fields.next();
  edge.continent = fields.next();
  edge.city = fields.next();
  edge.region = fields.next();
  edge.region_code = fields.next();
  edge.postal_code = fields.next();
  edge.latitude = fields.next();
  edge.longitude = fields.next();
  edge.timezone = fields.next();
  edge.metro_code = fields.next();
  edge.is_eu = fields.next() == "1";
  const std::string_view asn = fields.next();
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(asn.data(), asn.data() + asn.size(), number);
  if (error == std::errc() && !asn.empty() && end == asn.data() + asn.size()) edge.asn = number;
  edge.as_organization = fields.next();
  edge.colo = fields.next();
}

}  // namespace

std::unique_ptr<HttpRequest> read_request(const Config& config, HttpInput input) {
  auto request = std::make_unique<HttpRequest>();
  request->input = std::move(input);
  FieldReader fields(request->input.head);
  RequestHead& head = request->head;
  head.method = fields.next();
  head.path = fields.next();
  head.query = fields.next();
  request->body_is_too_large = fields.next() == "large";
  read_headers(fields, head);
  read_edge(fields, head.edge);
  const std::string& prefix = config.path_prefix;
  const bool has_prefix = !prefix.empty() && head.path.substr(0, prefix.size()) == prefix &&
                          head.path.substr(prefix.size(), 1) == "/";
  if (has_prefix) head.path.remove_prefix(prefix.size());
  request->route = find_route(head.path);
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
