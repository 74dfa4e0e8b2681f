#include "hogflare/wire.h"

#include <algorithm>

#include "hogflare/base64.h"
#include "hogflare/decompress.h"
#include "hogflare/limits.h"
#include "hogflare/text.h"
#include "hogflare/url.h"
#include "payload.h"

namespace hogflare {
namespace {

using wire::kFormType;
using wire::media_type;
using wire::restore_hinted_pluses;
using wire::restore_pluses;
using wire::trim_in_place;

// PostHog looks for form fields only here (capture/src/payload/common.rs).
constexpr size_t kFormLookedAt = 128;

enum class Hint { kNone, kGzip, kLzString, kBase64, kDeflate };

Hint hint_of(std::string_view name) {
  if (name.empty()) return Hint::kNone;
  const std::string lower = to_lower(trim_ascii(name));
  if (lower == "gzip" || lower == "gzip-js") return Hint::kGzip;
  if (lower == "lz64" || lower == "lz-string") return Hint::kLzString;
  if (lower == "base64" || lower == "b64") return Hint::kBase64;
  if (lower == "deflate" || lower == "zlib") return Hint::kDeflate;
  return Hint::kNone;
}

Error decode_failed(std::string detail) { return {ErrorCode::kDecodeFailed, std::move(detail)}; }

Error too_long(size_t text_bytes_max) {
  return {ErrorCode::kTooLarge,
          "unpacked the body has more than " + std::to_string(text_bytes_max) + " bytes"};
}

bool looks_like_form(std::string_view payload) {
  const std::string_view start = payload.substr(0, kFormLookedAt);
  for (const std::string_view field : {"data=", "_=", "ip=", "compression="}) {
    if (start.find(field) != std::string_view::npos) return true;
  }
  return false;
}

bool is_form(const RequestHead& head, std::string_view payload) {
  if (is_gzip(payload)) return false;
  if (equals_ignoring_case(trim_ascii(head.content_type), kFormType)) return true;
  if (payload.substr(0, 5) == "data=") return true;
  return equals_ignoring_case(media_type(head.content_type), kFormType) && looks_like_form(payload);
}

// What is known about a payload on its way to text.
struct Payload {
  std::string bytes;
  std::string token;
  Hint hint = Hint::kNone;
};

std::optional<Error> unwrap_base64(std::string& bytes) {
  std::optional<std::string> decoded = decode_base64(bytes);
  if (!decoded) return decode_failed("the body is not base64 of the standard alphabet throughout");
  bytes = std::move(*decoded);
  return std::nullopt;
}

std::optional<Error> unwrap_form(Payload& payload) {
  if (!looks_like_form(payload.bytes)) {
    return decode_failed("expected form data in POST request payload");
  }
  std::optional<std::string> data = form_value(payload.bytes, "data");
  if (!data || data->empty()) return decode_failed("the form has no data field");
  if (payload.hint == Hint::kNone) {
    payload.hint = hint_of(form_value(payload.bytes, "compression").value_or(""));
  }
  payload.token = form_value(payload.bytes, "api_key").value_or("");
  if (payload.token.empty()) payload.token = form_value(payload.bytes, "token").value_or("");
  const bool is_hinted = payload.hint == Hint::kBase64;
  is_hinted ? restore_hinted_pluses(*data) : restore_pluses(*data);
  payload.bytes = std::move(*data);
  // LZ-string reads the base64 itself. With a hint the padding may be missing.
  const bool is_base64 =
      payload.hint != Hint::kLzString &&
      (looks_like_base64(payload.bytes) || (is_hinted && decode_base64(payload.bytes).has_value()));
  return is_base64 ? unwrap_base64(payload.bytes) : std::nullopt;
}

// What taking a body apart needs before it is unpacked: beside a form stand its value and a copy of
// that with its '+' restored, beside base64 stand its bytes.
size_t packed_bytes(const RequestHead& head, std::string_view body) {
  const size_t copies = is_gzip(body) ? 1 : is_form(head, body) ? 3 : 2;
  return copies * body.size() + 3 * head.query.size();
}

Result<std::string> decompressed(Payload payload, size_t text_bytes_max, MemoryShare& memory) {
  if (payload.hint == Hint::kGzip || is_gzip(payload.bytes)) {
    if (!is_gzip(payload.bytes)) return std::move(payload.bytes);
    return memory.unpack(Encoding::kGzip, payload.bytes, text_bytes_max);
  }
  const bool is_json =
      !payload.bytes.empty() && (payload.bytes.front() == '{' || payload.bytes.front() == '[');
  if (is_json) return std::move(payload.bytes);
  if (payload.hint == Hint::kLzString) {
    return memory.unpack_lz(payload.bytes, std::min(text_bytes_max, limits::kLzStringBytesMax));
  }
  if (payload.hint == Hint::kDeflate) {
    return memory.unpack(Encoding::kDeflate, payload.bytes, text_bytes_max);
  }
  return std::move(payload.bytes);
}

bool is_legacy(Endpoint endpoint) {
  return endpoint == Endpoint::kLegacy || endpoint == Endpoint::kEngage;
}

std::optional<Error> unwrap_payload(const RequestHead& head, bool from_query, Payload& payload) {
  if (!from_query && is_form(head, payload.bytes)) return unwrap_form(payload);
  if (payload.hint == Hint::kLzString) return std::nullopt;
  const bool hinted = payload.hint == Hint::kBase64 && decode_base64(payload.bytes).has_value();
  if (hinted || (looks_like_base64(payload.bytes) && !looks_like_form(payload.bytes))) {
    return unwrap_base64(payload.bytes);
  }
  return std::nullopt;
}

// What nearly every SDK sends: JSON as it is. Nothing that needs decoding begins with a bracket,
// and a hint beside it (a proxy may have inflated the body) changes nothing.
bool is_plain_json(const RequestHead& head, std::string_view body) {
  return !body.empty() && (body.front() == '{' || body.front() == '[') &&
         form_value(head.query, "data").value_or("").empty() &&
         !equals_ignoring_case(media_type(head.content_type), kFormType);
}

}  // namespace

Endpoint capture_endpoint(const Route& route) {
  switch (route.endpoint) {
    case RouteKind::kCapture:
      return route.legacy_base64 ? Endpoint::kLegacy : Endpoint::kBatch;
    case RouteKind::kEngage:
      return Endpoint::kEngage;
    case RouteKind::kSeedIdentify:
      return Endpoint::kIdentify;
    case RouteKind::kSeedAlias:
      return Endpoint::kAlias;
    case RouteKind::kSeedGroups:
      return Endpoint::kGroups;
    case RouteKind::kReplay:
      return Endpoint::kReplay;
    default:
      HF_ASSERT(route.endpoint == RouteKind::kCaptureV1);
      return Endpoint::kCaptureV1;
  }
}

size_t wire_bytes_max(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kReplay:
      return limits::kReplayWireBytesMax;
    case Endpoint::kCaptureV1:
      return limits::kCaptureV1WireBytesMax;
    default:
      return limits::kCaptureWireBytesMax;
  }
}

Result<DecodedBody> decode_body(const RequestHead& head, Endpoint endpoint, std::string body) {
  size_t sum = 0;
  MemoryShare memory(sum);
  return decode_body(head, endpoint, std::move(body), limits::kDecompressedBytesMax, memory);
}

Result<DecodedBody> decode_body(const RequestHead& head, Endpoint endpoint, std::string body,
                                size_t text_bytes_max, MemoryShare& memory) {
  if (body.size() > wire_bytes_max(endpoint)) {
    return Error{ErrorCode::kTooLarge, "the body has " + std::to_string(body.size()) +
                                           " bytes; this path takes " +
                                           std::to_string(wire_bytes_max(endpoint))};
  }
  if (is_plain_json(head, body)) {
    trim_in_place(body);
    if (body.size() > text_bytes_max) return too_long(text_bytes_max);
    if (auto refused = memory.hold(body.size())) return std::move(*refused);
    return DecodedBody{std::move(body), {}};
  }
  if (auto refused = memory.hold(packed_bytes(head, body))) return std::move(*refused);
  Payload payload;
  payload.hint = hint_of(form_value(head.query, "compression").value_or(""));
  const std::string data = form_value(head.query, "data").value_or("");
  const bool from_query = !data.empty();
  if (from_query) {
    payload.bytes = data;
    restore_pluses(payload.bytes);
  } else {
    payload.bytes = std::move(body);
  }
  // A text editor's line end behind base64 would hide it.
  if (!is_gzip(payload.bytes)) trim_in_place(payload.bytes);
  if (payload.bytes.empty()) return Error{ErrorCode::kEmptyPayload};
  if (const auto error = unwrap_payload(head, from_query, payload)) return *error;
  if (payload.hint == Hint::kNone) payload.hint = hint_of(head.content_encoding);
  std::string token = std::move(payload.token);
  if (auto refused = memory.hold(payload.bytes.size())) return std::move(*refused);
  Result<std::string> text = decompressed(std::move(payload), text_bytes_max, memory);
  if (!text.ok()) return text.error();
  DecodedBody decoded{std::move(text).value(), std::move(token)};
  if (is_legacy(endpoint) && looks_like_base64(decoded.text)) {
    if (auto refused = memory.hold(2 * decoded.text.size())) return std::move(*refused);
    if (const auto error = unwrap_base64(decoded.text)) return *error;
  }
  wire::drop_byte_order_mark(decoded.text);
  if (decoded.text.empty()) return Error{ErrorCode::kEmptyPayload};
  if (decoded.text.size() > text_bytes_max) return too_long(text_bytes_max);
  if (auto refused = memory.hold(decoded.text.size())) return std::move(*refused);
  return decoded;
}

}  // namespace hogflare
