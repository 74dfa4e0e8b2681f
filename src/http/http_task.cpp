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

HttpTask::HttpTask(CoreState& state, HttpInput input) : state_(state), input_(std::move(input)) {
  read_head();
}

void HttpTask::read_head() {
  FieldReader fields(input_.head);
  head_.method = fields.next();
  head_.path = fields.next();
  head_.query = fields.next();
  body_is_too_large_ = fields.next() == "large";
  read_headers(fields, head_);
  read_edge(fields, head_.edge);
  const std::string& prefix = state_.config.path_prefix;
  const bool has_prefix = !prefix.empty() && head_.path.substr(0, prefix.size()) == prefix &&
                          head_.path.substr(prefix.size(), 1) == "/";
  if (has_prefix) head_.path.remove_prefix(prefix.size());
  route_ = find_route(head_.path);
}

void HttpTask::respond(Reply reply) {
  bool has_cors = false;
  for (const Header& header : reply.headers) {
    has_cors |= header.name == "Access-Control-Allow-Origin";
  }
  if (!has_cors) {
    for (Header& header : cors_headers(head_)) reply.headers.push_back(std::move(header));
  }
  state_.metrics.count_request(route_.metric, reply.status);
  finish(std::move(reply));
}

}  // namespace hogflare
