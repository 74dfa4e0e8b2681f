#include "http/credentials.h"

#include "hogflare/digest.h"
#include "hogflare/json.h"
#include "http/asking.h"

namespace hogflare {
namespace {

bool matches(std::string_view given, const std::string& key) {
  return !key.empty() && constant_time_equal(given, key);
}

}  // namespace

std::string_view bearer_of(const RequestHead& head) {
  constexpr std::string_view kBearer = "Bearer ";
  if (head.authorization.substr(0, kBearer.size()) != kBearer) return {};
  return head.authorization.substr(kBearer.size());
}

Reply api_error_reply(uint16_t status, std::string_view type, std::string_view code,
                      std::string_view detail) {
  std::string body = "{\"type\":";
  json::append_string(body, type);
  body += ",\"code\":";
  json::append_string(body, code);
  body += ",\"detail\":";
  json::append_string(body, detail);
  body += ",\"attr\":null}";
  return {status,
          {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
          std::move(body)};
}

std::optional<Reply> refuse_access(const HttpRequest& request, const Config& config, Access access,
                                   int64_t now_ms) {
  const RequestHead& head = request.head;
  const AskingRight right = may_ask(config, request, now_ms);
  if (right.may_write || (access == Access::kRead && right.may_ask)) return std::nullopt;
  const bool is_admins = access == Access::kRemove;
  if (config.admin_token.empty() && (is_admins || config.personal_api_key.empty())) {
    return api_error_reply(404, "invalid_request", "not_found",
                           is_admins ? "set HOGFLARE_ADMIN_TOKEN to use this path"
                                     : "set HOGFLARE_ADMIN_TOKEN or POSTHOG_PERSONAL_API_KEY to "
                                       "use this path");
  }
  const std::string_view given = bearer_of(head);
  if (matches(given, config.admin_token)) return std::nullopt;
  if (!is_admins && matches(given, config.personal_api_key)) return std::nullopt;
  if (given.empty()) {
    return api_error_reply(401, "authentication_error", "not_authenticated",
                           "Authentication credentials were not provided.");
  }
  return api_error_reply(401, "authentication_error", "authentication_failed",
                         is_admins ? "the key in the Authorization header is not "
                                     "HOGFLARE_ADMIN_TOKEN"
                                   : "the key in the Authorization header is neither "
                                     "HOGFLARE_ADMIN_TOKEN nor POSTHOG_PERSONAL_API_KEY");
}

}  // namespace hogflare
