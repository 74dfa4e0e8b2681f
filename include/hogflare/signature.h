// Request signing as the README describes it: an HMAC over the body's bytes as they were received,
// before any decoding.
#pragma once

#include <string_view>

#include "hogflare/request.h"
#include "hogflare/result.h"

namespace hogflare {

// Accepts when `X-POSTHOG-SIGNATURE` (sha256 unless it says sha1=) or `X-HUB-SIGNATURE` (sha1 unless
// it says sha256=) holds the body's HMAC in hexadecimal and no payload stands in the query's `data`,
// which the HMAC does not cover. An empty secret accepts everything. Otherwise kInvalidSignature.
Result<Ok> check_signature(const RequestHead& head, std::string_view body, std::string_view secret);

}  // namespace hogflare
