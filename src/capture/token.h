// Whose request it is: the token, its project, and when the client sent it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "hogflare/capture.h"
#include "shapes.h"

namespace hogflare::capture {

enum class TokenRule {
  kAllAgree,    // two different tokens are an error
  kFirstEvent,  // the first one found counts, as on /s
};

// Finds the token (wrapper, then form, then events) and its project, and puts them into `batch`.
// kMissingToken, kMultipleTokens, and what `authorize` says.
std::optional<Error> admit(const Shape& shape, const std::string& form_token, TokenRule rule,
                           const RequestHead& head, const CaptureContext& context,
                           CaptureBatch& batch);

// The wrapper's `sent_at`, else the query's. Where the body is signed the query does not count: it
// is not covered, and who has recorded a body could give it another time.
std::optional<int64_t> sent_at_of(const json::Value& wrapper, const RequestHead& head,
                                  const Config& config);

}  // namespace hogflare::capture
