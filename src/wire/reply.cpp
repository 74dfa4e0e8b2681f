#include "hogflare/url.h"
#include "hogflare/wire.h"

namespace hogflare {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kText = "text/plain; charset=utf-8";
// What most answers have: three of CORS and the content type.
constexpr size_t kUsualHeaders = 4;

Reply reply_with(const RequestHead& head, uint16_t status, std::string_view content_type,
                 std::string body) {
  Reply reply;
  reply.status = status;
  reply.headers = cors_headers(head);
  if (!body.empty()) reply.headers.push_back({"Content-Type", std::string(content_type)});
  reply.body = std::move(body);
  return reply;
}

}  // namespace

std::vector<Header> cors_headers(const RequestHead& head) {
  std::vector<Header> headers;
  if (head.origin.empty()) return headers;
  headers.reserve(kUsualHeaders);
  headers.push_back({"Access-Control-Allow-Origin", std::string(head.origin)});
  headers.push_back({"Access-Control-Allow-Credentials", "true"});
  headers.push_back({"Vary", "Origin"});
  if (head.method != "OPTIONS") return headers;
  headers.push_back({"Access-Control-Allow-Methods", "GET, POST, OPTIONS"});
  if (!head.access_control_request_headers.empty()) {
    headers.push_back(
        {"Access-Control-Allow-Headers", std::string(head.access_control_request_headers)});
  }
  headers.push_back({"Access-Control-Max-Age", "86400"});
  return headers;
}

Reply success_reply(const RequestHead& head) {
  if (form_value(head.query, "beacon") == "1") return reply_with(head, 204, kJson, "");
  return reply_with(head, 200, kJson, R"({"status":"Ok"})");
}

Reply options_reply(const RequestHead& head) {
  return reply_with(head, 200, kJson, R"({"status":"Ok"})");
}

Reply error_reply(const RequestHead& head, const Error& error) {
  std::string body(error_info(error.code).meaning);
  if (!error.detail.empty()) {
    body += ": ";
    body += error.detail;
  }
  Reply reply = reply_with(head, error.http_status(), kText, std::move(body));
  if (error.http_status() == 503) reply.headers.push_back({"Retry-After", "1"});
  return reply;
}

}  // namespace hogflare
