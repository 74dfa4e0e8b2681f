#include "token.h"

#include "fields.h"
#include "hogflare/limits.h"
#include "hogflare/signature.h"
#include "hogflare/text.h"

namespace hogflare::capture {
namespace {

using json::Value;

// A token as it stands in JSON; what is no string cannot be a token. Of one that is too long the
// beginning, which is too long as well.
std::string token_text(const Value& token) {
  if (!token.exists() || token.raw().size() <= limits::kTokenRawBytesMax) {
    return std::string(trim_ascii(text_of(token)));
  }
  if (!token.is_string()) return std::string(token.raw().substr(0, limits::kTokenRawBytesMax));
  return std::string(trim_ascii(json::decode_beginning(token.raw(), limits::kTokenRawBytesMax)));
}

Value wrapper_token(const Value& wrapper) {
  if (!wrapper.exists()) return Value();
  for (const std::string_view name : {"api_key", "token", "$token"}) {
    const Value token = wrapper.find(name);
    if (token.exists() && !token.is_null()) return token;
  }
  return Value();
}

Value event_token(const Value& item) {
  const RootFields fields = RootFields::of(item);
  if (fields.token.exists()) return fields.token;
  if (!fields.properties.is_object()) return Value();
  return PropertyFields::of(fields.properties).token;
}

Result<std::string> find_token(const Shape& shape, const std::string& form_token, TokenRule rule) {
  const Value wrapped = wrapper_token(shape.wrapper);
  if (wrapped.exists()) return token_text(wrapped);
  if (!form_token.empty()) return std::string(trim_ascii(form_token));
  std::optional<std::string> found;
  for (const Value& item : shape.items) {
    const Value given = event_token(item);
    if (!given.exists()) continue;
    std::string text = token_text(given);
    if (found && *found != text) return Error{ErrorCode::kMultipleTokens};
    found = std::move(text);
    if (rule == TokenRule::kFirstEvent) break;
  }
  if (!found) return Error{ErrorCode::kMissingToken};
  return std::move(*found);
}

}  // namespace

std::optional<Error> admit(const Shape& shape, const std::string& form_token, TokenRule rule,
                           const RequestHead& head, const CaptureContext& context,
                           CaptureBatch& batch) {
  Result<std::string> token = find_token(shape, form_token, rule);
  if (!token.ok()) return token.error();
  batch.token = std::move(token).value();
  const Result<const Project*> project = authorize(batch.token, head, context.config);
  if (!project.ok()) return project.error();
  batch.project = project.value();
  if (context.config.signing_secret.empty() || is_signed(head)) return std::nullopt;
  // Who does not sign speaks for nobody else, not even in an event that would count as its own.
  for (const Value& item : shape.items) {
    const Value given = event_token(item);
    if (!given.exists()) continue;
    if (auto error = check_unsigned(token_text(given), head, context.config)) return error;
  }
  return std::nullopt;
}

std::optional<int64_t> sent_at_of(const Value& wrapper, const RequestHead& head,
                                  const Config& config) {
  if (wrapper.exists()) {
    if (const auto ms = time_of(wrapper.find("sent_at"))) return ms;
  }
  if (!config.signing_secret.empty() && is_signed(head)) return std::nullopt;
  return query_sent_at(head.query);
}

}  // namespace hogflare::capture
