// Request signing as the README describes it: an HMAC over the body's bytes as they were received,
// before any decoding.
#pragma once

#include <string_view>

#include "hogflare/request.h"
#include "hogflare/result.h"

namespace hogflare {

// What is asked of a request's signature.
struct SignatureRules {
  std::string_view secret;         // empty: everything is accepted
  bool body_may_lack_one = false;  // no signature will do, a wrong one will not
  bool query_may_carry = false;    // so will a payload in the query's `data`
};

// Accepts when `X-POSTHOG-SIGNATURE` (sha256 unless it says sha1=) or `X-HUB-SIGNATURE` (sha1
// unless it says sha256=) holds the body's HMAC in hexadecimal and no payload stands in the query's
// `data`, which the HMAC does not cover. An empty secret accepts everything. Otherwise
// kInvalidSignature.
Result<Ok> check_signature(const RequestHead& head, std::string_view body,
                           const SignatureRules& rules);

// Whether a payload stands in the query, where no signature covers it.
bool has_query_payload(const RequestHead& head);

// Of a request that check_signature let pass: whether its signature covers what it says.
bool is_signed(const RequestHead& head);

}  // namespace hogflare
