#include "hogflare/project_token.h"

#include "hogflare/limits.h"

namespace hogflare {

std::optional<Error> check_token(std::string_view token) {
  const auto invalid = [](const char* why) { return Error{ErrorCode::kInvalidToken, why}; };
  if (token.empty()) return invalid("empty");
  if (token.size() > limits::kTokenBytesMax) return invalid("too_long");
  for (const char c : token) {
    if (c == '\0') return invalid("null_byte");
    if (static_cast<unsigned char>(c) >= 0x80) return invalid("not_ascii");
  }
  if (token.substr(0, 4) == "phx_") return invalid("personal_api_key");
  return std::nullopt;
}

}  // namespace hogflare
