#include "v1_request.h"

#include <array>

#include "fields.h"
#include "hogflare/limits.h"
#include "hogflare/project_token.h"
#include "hogflare/text.h"
#include "hogflare/timestamp.h"
#include "hogflare/uuid.h"

namespace hogflare::v1 {
namespace {

using json::Member;
using json::Value;

constexpr std::string_view kBearer = "bearer ";

// Properties that options and headers become; a bit each.
enum Injected : uint8_t {
  kSessionId,
  kWindowId,
  kCookielessMode,
  kIgnoreSentAt,
  kProductTourId,
  kProcessPersonProfile,
  kLibrary,
  kLibraryVersion
};
constexpr std::array<std::string_view, 8> kInjectedNames = {"$session_id",
                                                            "$window_id",
                                                            "$cookieless_mode",
                                                            "$ignore_sent_at",
                                                            "$product_tour_id",
                                                            "$process_person_profile",
                                                            "$lib",
                                                            "$lib_version"};
constexpr uint8_t kLibraryBits = 1u << kLibrary | 1u << kLibraryVersion;

Error bad_header(std::string_view name, std::string_view what) {
  std::string detail(name);
  detail += ' ';
  detail += what;
  return {ErrorCode::kInvalidHeader, std::move(detail)};
}

std::optional<Error> check_presence(const RequestHead& head) {
  if (head.authorization.empty()) return Error{ErrorCode::kMissingAuthorization};
  const std::pair<std::string_view, std::string_view> required[] = {
      {"content-type", head.content_type},
      {"user-agent", head.user_agent},
      {"posthog-sdk-info", head.posthog_sdk_info},
      {"posthog-attempt", head.posthog_attempt},
      {"posthog-request-id", head.posthog_request_id},
      {"posthog-request-timestamp", head.posthog_request_timestamp}};
  std::string missing;
  for (const auto& [name, value] : required) {
    if (!value.empty()) continue;
    if (!missing.empty()) missing += ", ";
    missing += name;
  }
  if (missing.empty()) return std::nullopt;
  return Error{ErrorCode::kMissingHeader, std::move(missing)};
}

Result<BodyEncoding> encoding_of(std::string_view header) {
  const std::string name = to_lower(trim_ascii(header));
  if (name.empty() || name == "identity") return BodyEncoding::kNone;
  if (name == "gzip") return BodyEncoding::kGzip;
  if (name == "deflate") return BodyEncoding::kDeflate;
  if (name == "br") return BodyEncoding::kBrotli;
  if (name == "zstd") return BodyEncoding::kZstd;
  return Error{ErrorCode::kUnsupportedEncoding,
               "\"" + std::string(first_code_points(name, 64)) +
                   "\"; gzip, deflate, br and zstd are understood"};
}

void read_library(std::string_view sdk_info, RequestHeaders& headers) {
  if (sdk_info.size() > limits::kV1SdkInfoBytesMax) return;
  const size_t slash = sdk_info.rfind('/');
  if (slash == std::string_view::npos) return;
  const std::string_view library = trim_ascii(sdk_info.substr(0, slash));
  const std::string_view version = trim_ascii(sdk_info.substr(slash + 1));
  if (library.empty() || version.empty()) return;
  headers.library = library;
  headers.library_version = version;
}

// PostHog's coercions (v1/analytics/types.rs): a boolean, a number, or one of four words.
std::optional<bool> boolean_of(const Value& value) {
  if (value.is_bool()) return value.is_true();
  if (value.is_number()) {
    for (const char c : value.raw().substr(0, value.raw().find_first_of("eE"))) {
      if (c >= '1' && c <= '9') return true;
    }
    return false;
  }
  if (!value.is_string()) return std::nullopt;
  const std::string text =
      to_lower(trim_ascii(json::decode_beginning(value.raw(), limits::kV1OptionRawBytesMax)));
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return std::nullopt;
}

// A string, or an integer as one; as JSON text.
std::optional<std::string> text_of(const Value& value) {
  if (value.is_string()) return std::string(value.raw());
  const bool is_integer =
      value.is_number() && value.raw().find_first_of(".eE") == std::string_view::npos;
  if (!is_integer) return std::nullopt;
  return "\"" + std::string(value.raw()) + "\"";
}

class OptionReader {
 public:
  explicit OptionReader(Options& out) : out_(out) {}

  std::optional<bool> flag(const Value& options, std::string_view name, Injected property) {
    const Value given = options.find(name);
    if (!given.exists() || given.is_null()) return std::nullopt;
    const std::optional<bool> value = boolean_of(given);
    if (value) {
      add(property, *value ? "true" : "false");
    } else {
      complain(name, "must be true or false");
    }
    return value;
  }
  void text(const Value& options, std::string_view name, Injected property) {
    const Value given = options.find(name);
    if (!given.exists() || given.is_null() || is_too_long(given, name)) return;
    if (const auto value = text_of(given)) {
      add(property, *value);
    } else {
      complain(name, "must be a string or an integer");
    }
  }
  void string(const Value& event, std::string_view name, Injected property) {
    const Value given = event.find(name);
    if (!given.exists() || given.is_null() || is_too_long(given, name)) return;
    if (given.is_string()) {
      add(property, given.raw());
    } else {
      complain(name, "must be a string");
    }
  }
  void complain(std::string_view name, std::string_view what) {
    if (!out_.wrong.empty()) out_.wrong += "; ";
    out_.wrong += name;
    out_.wrong += ' ';
    out_.wrong += what;
  }

 private:
  bool is_too_long(const Value& given, std::string_view name) {
    if (given.raw().size() <= limits::kV1OptionRawBytesMax) return false;
    complain(name, "has more than " + std::to_string(limits::kV1OptionRawBytesMax) + " bytes");
    return true;
  }
  void add(Injected property, std::string_view raw) {
    out_.names |= static_cast<uint8_t>(1u << property);
    if (!out_.properties.empty()) out_.properties += ',';
    out_.properties += '"';
    out_.properties += kInjectedNames[property];
    out_.properties += "\":";
    out_.properties += raw;
  }
  Options& out_;
};

Options options_of(const Value& event) {
  Options read;
  // It is refused whatever its options are.
  if (event.raw().size() > limits::kEventBytesMax) return read;
  OptionReader reader(read);
  reader.string(event, "session_id", kSessionId);
  reader.string(event, "window_id", kWindowId);
  const Value options = event.find("options");
  if (!options.exists() || options.is_null()) return read;
  if (!options.is_object()) {
    reader.complain("options", "must be an object");
    return read;
  }
  reader.flag(options, "cookieless_mode", kCookielessMode);
  read.disable_skew_correction =
      reader.flag(options, "disable_skew_correction", kIgnoreSentAt).value_or(false);
  reader.text(options, "product_tour_id", kProductTourId);
  reader.flag(options, "process_person_profile", kProcessPersonProfile);
  return read;
}

// The properties that PostHog-Sdk-Info stands for.
std::string library_properties(const RequestHeaders& headers) {
  if (headers.library.empty()) return {};
  std::string out = "\"$lib\":";
  json::append_string(out, headers.library);
  out += ",\"$lib_version\":";
  json::append_string(out, headers.library_version);
  return out;
}

// Whether the member has one of the names whose bits are set.
bool is_injected(uint8_t names, const Member& member) {
  for (size_t i = 0; i < kInjectedNames.size(); ++i) {
    if ((names >> i & 1u) != 0 && member.key_is(kInjectedNames[i])) return true;
  }
  return false;
}

void append_object(std::string& out, const Value& properties, std::string_view injected,
                   uint8_t names) {
  out += '{';
  bool first = true;
  for (const Member member : properties.members()) {
    if (is_injected(names, member)) continue;
    if (!first) out += ',';
    first = false;
    out += member.raw_key();
    out += ':';
    out += member.value.raw();
  }
  if (!first && !injected.empty()) out += ',';
  out += injected;
  out += '}';
}

void append_event(std::string& out, const Value& event, const Options& options,
                  std::string_view library) {
  const Value properties = event.find("properties");
  std::string injected = options.properties;
  if (!injected.empty() && !library.empty()) injected += ',';
  injected += library;
  const bool is_odd = properties.exists() && !properties.is_object();
  if (injected.empty() || is_odd || !options.wrong.empty()) {
    out += event.raw();
    return;
  }
  out += '{';
  for (const Member member : event.members()) {
    const bool moved = member.key_is("properties") || member.key_is("options") ||
                       member.key_is("session_id") || member.key_is("window_id");
    if (moved) continue;
    out += member.raw_key();
    out += ':';
    out += member.value.raw();
    out += ',';
  }
  out += "\"properties\":";
  const uint8_t names = options.names | (library.empty() ? uint8_t{0} : kLibraryBits);
  append_object(out, properties.exists() ? properties : Value(), injected, names);
  out += '}';
}

}  // namespace

Result<RequestHeaders> read_headers(const RequestHead& head) {
  if (auto error = check_presence(head)) return std::move(*error);
  RequestHeaders headers;
  const std::string_view authorization = trim_ascii(head.authorization);
  if (!equals_ignoring_case(authorization.substr(0, kBearer.size()), kBearer)) {
    return bad_header("Authorization", "must be \"Bearer <project token>\"");
  }
  headers.token = trim_ascii(authorization.substr(kBearer.size()));
  if (auto error = check_token(headers.token)) return std::move(*error);
  const std::string_view type = head.content_type.substr(0, head.content_type.find(';'));
  if (!equals_ignoring_case(trim_ascii(type), "application/json")) {
    return Error{ErrorCode::kUnsupportedMediaType, "application/json is understood"};
  }
  const Result<BodyEncoding> encoding = encoding_of(head.content_encoding);
  if (!encoding.ok()) return encoding.error();
  headers.encoding = encoding.value();
  if (!Uuid::try_parse(trim_ascii(head.posthog_request_id))) {
    return bad_header("PostHog-Request-Id", "must be a UUID");
  }
  const std::optional<int64_t> attempt = parse_int64(trim_ascii(head.posthog_attempt));
  if (!attempt || *attempt < 1 || *attempt > UINT32_MAX) {
    return bad_header("PostHog-Attempt", "must be an integer from 1 up");
  }
  const auto sent_at = parse_rfc3339(trim_ascii(head.posthog_request_timestamp));
  if (!sent_at) return bad_header("PostHog-Request-Timestamp", "must be an RFC 3339 time");
  headers.request_time_ms = *sent_at;
  read_library(head.posthog_sdk_info, headers);
  return headers;
}

Result<std::string> decode_body(const RequestHeaders& headers, std::string body,
                                const CaptureContext& context, MemoryShare& memory) {
  if (body.size() > limits::kCaptureV1WireBytesMax) {
    return Error{ErrorCode::kTooLarge,
                 "this path takes " + std::to_string(limits::kCaptureV1WireBytesMax) + " bytes"};
  }
  if (body.empty()) return Error{ErrorCode::kEmptyPayload};
  if (auto refused = memory.hold(body.size())) return std::move(*refused);
  const size_t most = context.config.body_bytes_max;
  switch (headers.encoding) {
    case BodyEncoding::kNone:
      if (body.size() <= most) return body;
      return Error{ErrorCode::kTooLarge, "a body may have " + std::to_string(most) + " bytes"};
    case BodyEncoding::kGzip:
      return memory.unpack(Encoding::kGzip, body, most);
    case BodyEncoding::kDeflate:
      return memory.unpack(Encoding::kDeflate, body, most);
    case BodyEncoding::kBrotli:
    case BodyEncoding::kZstd:
      break;
  }
  if (context.decompressor == nullptr) {
    return Error{ErrorCode::kUnsupportedEncoding, "this host unpacks gzip and deflate only"};
  }
  const bool is_brotli = headers.encoding == BodyEncoding::kBrotli;
  return memory.unpack(is_brotli ? Encoding::kBrotli : Encoding::kZstd, body, most,
                       context.decompressor);
}

std::vector<Options> read_options(const Value& batch) {
  std::vector<Options> all;
  for (const Value event : batch.elements()) all.push_back(options_of(event));
  return all;
}

size_t injected_bytes(const Value& root, const std::vector<Options>& options,
                      const RequestHeaders& headers) {
  // Names and brackets that an event without properties gets.
  constexpr size_t kAddedBytes = 24;
  size_t bytes = root.raw().size();
  const size_t library = library_properties(headers).size();
  for (const Options& each : options) {
    bytes += sizeof(Options) + 2 * each.properties.size() + library + kAddedBytes;
  }
  return bytes;
}

std::string with_injected_properties(const Value& root, const std::vector<Options>& options,
                                     const RequestHeaders& headers) {
  const std::string library = library_properties(headers);
  std::string out;
  out.reserve(injected_bytes(root, options, headers));
  out += '{';
  for (const Member member : root.members()) {
    if (member.key_is("batch")) continue;
    out += member.raw_key();
    out += ':';
    out += member.value.raw();
    out += ',';
  }
  out += "\"batch\":[";
  size_t index = 0;
  for (const Value event : root.find("batch").elements()) {
    if (index > 0) out += ',';
    append_event(out, event, options[index], library);
    ++index;
  }
  out += "]}";
  return out;
}

}  // namespace hogflare::v1
