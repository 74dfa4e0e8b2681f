// The bodies of /flags and /decide.
#include <algorithm>

#include "hogflare/base64.h"
#include "hogflare/decompress.h"
#include "hogflare/limits.h"
#include "hogflare/text.h"
#include "hogflare/url.h"
#include "hogflare/wire.h"
#include "payload.h"

namespace hogflare {
namespace {

enum class Packing { kNone, kGzip, kBase64 };

// Beside the packed bytes stand what is read from them and a copy with its '+' restored.
constexpr size_t kCopiesOfPacked = 3;

Error failed(std::string detail) { return {ErrorCode::kDecodeFailed, std::move(detail)}; }

Result<Packing> packing_of(const RequestHead& head) {
  const std::string named =
      to_lower(trim_ascii(form_value(head.query, "compression").value_or("")));
  if (named == "gzip" || named == "gzip-js") return Packing::kGzip;
  if (named == "base64") return Packing::kBase64;
  if (!named.empty()) {
    return failed("compression must be gzip, gzip-js or base64, not \"" +
                  std::string(first_code_points(named, 64)) + "\"");
  }
  const bool is_gzip = to_lower(head.content_encoding).find("gzip") != std::string::npos;
  return is_gzip ? Packing::kGzip : Packing::kNone;
}

bool looks_like_json(std::string_view text) {
  const std::string_view kept = trim_ascii(text);
  return !kept.empty() && (kept.front() == '{' || kept.front() == '[');
}

std::optional<Error> unwrap_base64(std::string& text) {
  wire::trim_in_place(text);
  wire::restore_hinted_pluses(text);
  std::optional<std::string> decoded = decode_base64(text);
  if (!decoded) return failed("the body is neither JSON nor base64 of JSON");
  text = std::move(*decoded);
  return std::nullopt;
}

// A form's `data`: base64, or JSON as it is.
Result<std::string> decode_form(const std::string& form, Packing packing) {
  std::optional<std::string> data = form_value(form, "data");
  if (!data || data->empty()) return failed("the form has no data field");
  if (packing == Packing::kGzip) return failed("a form cannot hold gzip; its data field is base64");
  if (looks_like_json(*data)) return std::move(*data);
  if (auto error = unwrap_base64(*data)) return std::move(*error);
  if (is_gzip(*data)) return failed("a form cannot hold gzip; its data field is base64 of JSON");
  return std::move(*data);
}

Result<std::string> decode_plain(std::string bytes, Packing packing, MemoryShare& memory) {
  // A gzip hint without gzip: a proxy on the way has unpacked it.
  if (is_gzip(bytes)) {
    return memory.unpack(Encoding::kGzip, bytes, limits::kFlagsDecompressedBytesMax);
  }
  const bool hinted = packing == Packing::kBase64 && decode_base64(trim_ascii(bytes)).has_value();
  if (!hinted && looks_like_json(bytes)) return bytes;
  if (auto error = unwrap_base64(bytes)) return std::move(*error);
  if (!is_gzip(bytes)) return bytes;
  return memory.unpack(Encoding::kGzip, bytes, limits::kFlagsDecompressedBytesMax);
}

}  // namespace

Result<std::string> decode_flags_body(const RequestHead& head, std::string body) {
  size_t sum = 0;
  MemoryShare memory(sum);
  return decode_flags_body(head, std::move(body), memory);
}

Result<std::string> decode_flags_body(const RequestHead& head, std::string body,
                                      MemoryShare& memory) {
  if (body.size() > limits::kFlagsWireBytesMax) {
    return Error{ErrorCode::kTooLarge, "the body has " + std::to_string(body.size()) +
                                           " bytes; this path takes " +
                                           std::to_string(limits::kFlagsWireBytesMax)};
  }
  if (auto refused = memory.hold(kCopiesOfPacked * std::max(body.size(), head.query.size()))) {
    return std::move(*refused);
  }
  const Result<Packing> packing = packing_of(head);
  if (!packing.ok()) return packing.error();
  const std::string_view type = wire::media_type(head.content_type);
  const bool is_form = equals_ignoring_case(type, wire::kFormType);
  const bool is_known = type.empty() || is_form || equals_ignoring_case(type, "application/json") ||
                        equals_ignoring_case(type, "text/plain");
  bool use_form = is_form;
  if (body.empty()) {
    body = form_value(head.query, "data").value_or("");
    use_form = false;
  } else if (!is_known) {
    return failed("content type must be application/json, text/plain or " +
                  std::string(wire::kFormType));
  }
  if (body.empty()) return Error{ErrorCode::kEmptyPayload};
  Result<std::string> text = use_form ? decode_form(body, packing.value())
                                      : decode_plain(std::move(body), packing.value(), memory);
  if (!text.ok()) return text;
  if (auto refused = memory.hold(text.value().size())) return std::move(*refused);
  wire::drop_byte_order_mark(text.value());
  if (trim_ascii(text.value()).empty()) return Error{ErrorCode::kEmptyPayload};
  return text;
}

}  // namespace hogflare
