#include "hogflare/js_string.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "hogflare/limits.h"

namespace hogflare {
namespace {

// The shortest decimal digits that read back as `value`, and the exponent of 0.DIGITS × 10^point.
struct Decimal {
  std::string digits;
  int point;
};

Decimal shortest_decimal(double value) {
  char text[40];
  for (int precision = 0; precision <= 16; ++precision) {
    std::snprintf(text, sizeof text, "%.*e", precision, value);
    if (std::strtod(text, nullptr) == value) break;
  }
  Decimal decimal;
  const char* at = text;
  for (; *at != 'e'; ++at) {
    if (*at != '.') decimal.digits += *at;
  }
  decimal.point = static_cast<int>(std::strtol(at + 1, nullptr, 10)) + 1;
  while (decimal.digits.size() > 1 && decimal.digits.back() == '0') decimal.digits.pop_back();
  return decimal;
}

std::string double_text(double value) {
  if (value == 0) return "0";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value < 0) return "-" + double_text(-value);
  const Decimal decimal = shortest_decimal(value);
  const std::string& digits = decimal.digits;
  const int count = static_cast<int>(digits.size());
  const int point = decimal.point;
  if (count <= point && point <= 21) {
    return digits + std::string(static_cast<size_t>(point - count), '0');
  }
  if (0 < point && point <= 21) {
    return digits.substr(0, static_cast<size_t>(point)) + "." +
           digits.substr(static_cast<size_t>(point));
  }
  if (-6 < point && point <= 0) {
    return "0." + std::string(static_cast<size_t>(-point), '0') + digits;
  }
  const int exponent = point - 1;
  std::string text = digits.substr(0, 1);
  if (count > 1) text += "." + digits.substr(1);
  text += exponent < 0 ? "e-" : "e+";
  return text + std::to_string(std::abs(exponent));
}

bool is_short_integer(std::string_view raw) {
  const size_t from = !raw.empty() && raw[0] == '-' ? 1 : 0;
  if (raw.size() == from || raw.size() > from + 15 || raw == "-0") return false;
  return raw.find_first_not_of("0123456789", from) == std::string_view::npos;
}

// Elements in the document's index, or the whole text parsed again when they lie below it.
std::string joined(json::Value list) {
  std::string text;
  bool first = true;
  for (const json::Value element : list.elements()) {
    if (!first) text += ',';
    first = false;
    // An element is smaller than its list, which is within the limit.
    if (!element.is_null()) text += js_string(element).value_or("");
  }
  return text;
}

}  // namespace

std::string js_number_text(std::string_view raw) {
  if (is_short_integer(raw)) return std::string(raw);
  return double_text(std::strtod(std::string(raw).c_str(), nullptr));
}

std::optional<std::string> js_string_of(std::string_view raw_json) {
  if (raw_json.size() > limits::kIdRawBytesMax) return std::nullopt;
  std::string text(raw_json);
  const Result<json::Document> document = json::Document::parse(text, limits::kJsonDepthMax);
  if (!document.ok()) return std::nullopt;
  return js_string(document.value().root());
}

std::optional<std::string> js_string(json::Value value) {
  if (value.raw().size() > limits::kIdRawBytesMax) return std::nullopt;
  switch (value.kind()) {
    case json::Kind::kNull:
      return "null";
    case json::Kind::kFalse:
      return "false";
    case json::Kind::kTrue:
      return "true";
    case json::Kind::kNumber:
      return js_number_text(value.raw());
    case json::Kind::kString:
      return value.text();
    case json::Kind::kObject:
      return "[object Object]";
    case json::Kind::kArray:
      break;
  }
  const bool indexed = value.elements().begin() != value.elements().end();
  if (indexed || value.raw().find_first_not_of(" \t\r\n", 1) == value.raw().size() - 1) {
    return joined(value);
  }
  return js_string_of(value.raw());
}

}  // namespace hogflare
