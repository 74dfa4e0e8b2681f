#include "hogflare/stored_fault.h"

#include "hogflare/metrics.h"

namespace hogflare {

Reply refuse_stored(const Turn& turn, std::string_view object_class, const StoredFault& fault) {
  turn.metrics.log.add(LogLevel::kError, "stored_value_unreadable",
                       {{"class", object_class},
                        {"key", fault.key},
                        {"found_version", fault.found},
                        {"known_version", fault.known}});
  const ErrorInfo& info = error_info(ErrorCode::kObjectUnavailable);
  return {.status = info.http_status, .headers = {}, .body = std::string(info.tag)};
}

}  // namespace hogflare
