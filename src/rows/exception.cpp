#include "exception.h"

#include <optional>
#include <utility>

#include "columns.h"
#include "hogflare/digest.h"
#include "hogflare/limits.h"
#include "hogflare/text.h"
#include "json/fields.h"

namespace hogflare::rows {
namespace {

using json::Value;

// From the list down to a frame's members: list, exception, stacktrace, frames, frame.
constexpr uint32_t kListDepth = 5;
// A position further right than this in a script's line is one in a minified script (cymbal:
// js.rs).
constexpr int64_t kMinifiedColumn = 300;

std::optional<int64_t> known_number(const Value& object, std::string_view name) {
  const Value value = object.find(name);
  if (!value.exists() || !value.is_number()) return std::nullopt;
  return parse_int64(value.raw());
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The path of a script's address without line and column: what stays the same wherever it is
// served.
std::string script_path(std::string_view url) {
  const size_t scheme = url.find("://");
  if (url.substr(0, 4) != "http" || scheme == std::string_view::npos) return {};
  for (int part = 0; part < 2; ++part) {
    const size_t colon = url.rfind(':');
    const size_t slash = url.rfind('/');
    if (colon != std::string_view::npos && colon > slash) url = url.substr(0, colon);
  }
  const size_t path = url.find('/', scheme + 3);
  if (path == std::string_view::npos) return "/";
  return std::string(url.substr(path, url.find_first_of("?#", path) - path));
}

// What of a frame counts.
struct Frame {
  std::string source;
  std::string module;
  std::string function;
  std::string language;  // of a frame that is not resolved
  std::optional<int64_t> line;
  std::optional<int64_t> column;
  bool is_in_app = true;
  bool is_resolved = true;
};

bool is_python_library(std::string_view path) {
  return has(path, "/site-packages/") || has(path, "/dist-packages/") || has(path, "/lib/python");
}

Frame read_frame(const Value& raw) {
  const std::string platform = text_of(raw, "platform");
  const std::string filename = text_of(raw, "filename");
  const bool has_chunk = !text_of(raw, "chunk_id").empty() || !text_of(raw, "chunkId").empty();
  Frame frame;
  frame.source = filename;
  frame.module = text_of(raw, "module");
  frame.function = text_of(raw, "function");
  const Value in_app = raw.find("in_app");
  frame.is_in_app = !in_app.exists() || !in_app.is_false();
  if (platform == "node:javascript") {
    frame.is_in_app =
        frame.is_in_app && !has(filename, "node_modules") && filename.rfind("node:", 0) != 0;
    if (has_chunk) frame.source.clear();
  } else if (platform == "python") {
    const std::string path = text_of(raw, "abs_path");
    frame.is_in_app = frame.is_in_app && !is_python_library(path.empty() ? filename : path);
  } else if (platform == "web:javascript" || platform == "javascript" || platform == "hermes") {
    frame.source = script_path(filename);
    frame.language = "javascript";
    frame.line = known_number(raw, "lineno");
    frame.column = known_number(raw, "colno");
    const bool has_place = frame.line.has_value() && frame.column.has_value();
    const bool has_script = !frame.source.empty() || has_chunk;
    frame.is_resolved =
        !has_place || !has_script || (!has_chunk && *frame.column <= kMinifiedColumn);
    frame.is_in_app = frame.is_in_app && (has_place || filename != "<anonymous>");
  } else {
    frame.is_resolved = !frame.function.empty();
  }
  return frame;
}

void add_frame(std::string& hashed, const Frame& frame) {
  hashed += frame.source;
  hashed += frame.module;
  hashed += frame.function;
  if (frame.is_resolved) return;
  if (frame.line) hashed += std::to_string(*frame.line);
  if (frame.column) hashed += std::to_string(*frame.column);
  hashed += frame.language;
}

// The first frames, one by one: a list may have more of them than there is room for.
template <typename Take>
void each_frame(const Value& list, size_t frames_max, Take take) {
  for (const Value raw : list.elements()) {
    if (frames_max-- == 0) return;
    if (raw.is_object()) take(read_frame(raw));
  }
}

// `frames_left` of the whole list of exceptions.
void add_frames(std::string& hashed, const Value& list, size_t& frames_left) {
  std::optional<Frame> first;
  bool has_resolved = false;
  bool has_in_app = false;
  size_t count = 0;
  each_frame(list, frames_left, [&](Frame frame) {
    has_resolved = has_resolved || frame.is_resolved;
    has_in_app = has_in_app || frame.is_in_app;
    if (!first) first = std::move(frame);
    ++count;
  });
  if (!first) return;
  if (!has_in_app) {
    add_frame(hashed, *first);
  } else {
    each_frame(list, frames_left, [&](const Frame& frame) {
      if (frame.is_in_app && (frame.is_resolved || !has_resolved)) add_frame(hashed, frame);
    });
  }
  frames_left -= count;
}

void add_exception(std::string& hashed, const Value& exception, size_t& frames_left) {
  hashed += text_of(exception, "type");
  const Value stack = exception.find("stacktrace");
  const Value frames = stack.exists() && stack.is_object() ? stack.find("frames") : Value();
  if (!frames.exists() || !frames.is_array()) {
    hashed += text_of(exception, "value");
    return;
  }
  add_frames(hashed, frames, frames_left);
}

std::string as_column(std::string_view text) {
  if (text.empty()) return {};
  std::string raw;
  json::append_string(raw, text);
  return column_text(raw);
}

std::string sha512_of(std::string_view text) { return '"' + to_hex(sha512(text)) + '"'; }

}  // namespace

ExceptionColumns exception_columns(const Value& list, const Value& given) {
  ExceptionColumns columns;
  if (given.exists() && given.is_string()) {
    const std::string text = given.text();  // as long as an event may be
    columns.fingerprint =
        text.size() <= limits::kFingerprintBytesMax ? as_column(text) : sha512_of(text);
  }
  if (!list.exists() || !list.is_array()) return columns;
  if (list.raw().size() > limits::kExceptionListBytesMax) return columns;
  const Result<json::Document> document = json::Document::parse_const(list.raw(), kListDepth);
  if (!document.ok()) return columns;
  std::string hashed;
  bool is_first = true;
  size_t exceptions_left = limits::kExceptionsMax;
  size_t frames_left = limits::kExceptionFramesMax;
  for (const Value exception : document.value().root().elements()) {
    if (exceptions_left-- == 0) break;
    if (!exception.is_object()) continue;
    if (is_first) {
      columns.type = as_column(text_of(exception, "type"));
      columns.message = as_column(text_of(exception, "value"));
    }
    is_first = false;
    if (columns.fingerprint.empty()) add_exception(hashed, exception, frames_left);
  }
  if (columns.fingerprint.empty() && !is_first) columns.fingerprint = sha512_of(hashed);
  return columns;
}

}  // namespace hogflare::rows
