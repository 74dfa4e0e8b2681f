// What a project's token may be.
#pragma once

#include <optional>
#include <string_view>

#include "hogflare/result.h"

namespace hogflare {

// kInvalidToken with PostHog's reason (capture/src/token.rs) when `token`, already trimmed, cannot
// be a project token: empty, too_long, null_byte, not_ascii, personal_api_key.
std::optional<Error> check_token(std::string_view token);

}  // namespace hogflare
