#include "http/multipart.h"

#include <string>

#include "hogflare/text.h"

namespace hogflare {
namespace {

// The boundary of "multipart/form-data; boundary=…", without quotes; empty: it is another type.
std::string_view boundary_of(std::string_view content_type) {
  constexpr std::string_view kType = "multipart/form-data";
  constexpr std::string_view kBoundary = "boundary=";
  if (!equals_ignoring_case(content_type.substr(0, kType.size()), kType)) return {};
  const size_t at = content_type.find(kBoundary);
  if (at == std::string_view::npos) return {};
  std::string_view boundary = content_type.substr(at + kBoundary.size());
  boundary = trim_ascii(boundary.substr(0, boundary.find(';')));
  if (boundary.size() >= 2 && boundary.front() == '"' && boundary.back() == '"') {
    boundary = boundary.substr(1, boundary.size() - 2);
  }
  return boundary;
}

// `headers` of a part; a file's name is not the field's.
bool names(std::string_view headers, std::string_view name) {
  return headers.find("; name=\"" + std::string(name) + '"') != std::string_view::npos;
}

}  // namespace

FormPart find_form_part(std::string_view content_type, std::string_view body,
                        std::string_view name) {
  constexpr std::string_view kHeadersEnd = "\r\n\r\n";
  const std::string_view boundary = boundary_of(content_type);
  if (boundary.empty()) return {};
  const std::string delimiter = "\r\n--" + std::string(boundary);
  // The first delimiter stands at the beginning, without a line's end before it.
  if (body.substr(0, delimiter.size() - 2) != std::string_view(delimiter).substr(2)) return {};
  size_t at = delimiter.size() - 2;
  while (body.substr(at, 2) == "\r\n") {
    const size_t headers_end = body.find(kHeadersEnd, at);
    if (headers_end == std::string_view::npos) return {};
    const size_t begin = headers_end + kHeadersEnd.size();
    const size_t end = body.find(delimiter, begin);
    if (end == std::string_view::npos) return {};
    if (names(body.substr(at, headers_end - at), name)) return {begin, end - begin};
    at = end + delimiter.size();
  }
  return {};
}

}  // namespace hogflare
