#include "hogflare/signature.h"

#include "hogflare/digest.h"
#include "hogflare/text.h"
#include "hogflare/url.h"

namespace hogflare {
namespace {

bool header_matches(std::string_view header, std::string_view default_algorithm,
                    std::string_view body, std::string_view secret) {
  std::string_view algorithm = default_algorithm;
  std::string_view given = trim_ascii(header);
  if (const size_t equals = given.find('='); equals != std::string_view::npos) {
    algorithm = trim_ascii(given.substr(0, equals));
    given = trim_ascii(given.substr(equals + 1));
  }
  const std::string lower = to_lower(given);
  if (equals_ignoring_case(algorithm, "sha256")) {
    return constant_time_equal(to_hex(hmac_sha256(secret, body)), lower);
  }
  if (equals_ignoring_case(algorithm, "sha1")) {
    return constant_time_equal(to_hex(hmac_sha1(secret, body)), lower);
  }
  return false;
}

}  // namespace

bool has_query_payload(const RequestHead& head) {
  return !form_value(head.query, "data").value_or("").empty();
}

bool is_signed(const RequestHead& head) {
  const bool has_signature = !head.x_posthog_signature.empty() || !head.x_hub_signature.empty();
  return has_signature && !has_query_payload(head);
}

Result<Ok> check_signature(const RequestHead& head, std::string_view body,
                           const SignatureRules& rules) {
  const std::string_view secret = rules.secret;
  if (secret.empty()) return Ok{};
  if (!rules.query_may_carry && has_query_payload(head)) {
    return Error{ErrorCode::kInvalidSignature,
                 "a payload in ?data= is not covered by the signature; send it as the body"};
  }
  if (head.x_posthog_signature.empty() && head.x_hub_signature.empty()) {
    if (rules.body_may_lack_one) return Ok{};
    return Error{ErrorCode::kInvalidSignature,
                 "send X-POSTHOG-SIGNATURE: sha256=<hex HMAC of the body>"};
  }
  if (!head.x_posthog_signature.empty() &&
      header_matches(head.x_posthog_signature, "sha256", body, secret)) {
    return Ok{};
  }
  if (!head.x_hub_signature.empty() && header_matches(head.x_hub_signature, "sha1", body, secret)) {
    return Ok{};
  }
  return Error{ErrorCode::kInvalidSignature, "the HMAC is not the one of this body"};
}

}  // namespace hogflare
