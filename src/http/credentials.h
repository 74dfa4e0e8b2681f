// Who may see and who may change what a project has stored. Keys are compared in constant time; one
// that is not configured is nobody's.
#pragma once

#include <optional>
#include <string_view>

#include "hogflare/config.h"
#include "hogflare/request.h"
#include "http/http_task.h"
#include "hogflare/task.h"

namespace hogflare {

enum class Access : uint8_t {
  kRead,    // who may ask (asking.h): those below, HOGFLARE_VIEWER_TOKEN, the console's cookie
  kUpload,  // HOGFLARE_ADMIN_TOKEN or POSTHOG_PERSONAL_API_KEY: what deployments' tools hold
  kRemove,  // HOGFLARE_ADMIN_TOKEN
};

// The token behind "Authorization: Bearer "; empty without one.
std::string_view bearer_of(const RequestHead& head);

// Why the request may not; nullopt: it may. 404 while no key is configured that could allow it.
std::optional<Reply> refuse_access(const HttpRequest& request, const Config& config, Access access,
                                   int64_t now_ms);

// {"type","code","detail","attr"} as PostHog's API answers errors.
Reply api_error_reply(uint16_t status, std::string_view type, std::string_view code,
                      std::string_view detail);

}  // namespace hogflare
