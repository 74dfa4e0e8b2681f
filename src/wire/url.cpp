#include "hogflare/url.h"

#include "hogflare/ascii.h"

namespace hogflare {
namespace {

// RFC 3986 §2.3, "unreserved".
bool is_unreserved(char c) {
  return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

void append_encoded(std::string& out, char c) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  if (is_unreserved(c)) {
    out += c;
  } else {
    out.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
  }
}

}  // namespace

std::string decode_form_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
      continue;
    }
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

std::string encode_form_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += '+';
    } else {
      append_encoded(out, c);
    }
  }
  return out;
}

void append_percent_encoded(std::string& out, std::string_view text) {
  for (const char c : text) append_encoded(out, c);
}

std::optional<std::string> form_value(std::string_view form, std::string_view name) {
  std::optional<std::string_view> found;
  while (!form.empty()) {
    const size_t end = form.find('&');
    const std::string_view field = form.substr(0, end);
    form.remove_prefix(end == std::string_view::npos ? form.size() : end + 1);
    const size_t equals = field.find('=');
    if (field.substr(0, equals) != name) continue;
    found = equals == std::string_view::npos ? std::string_view() : field.substr(equals + 1);
  }
  if (!found) return std::nullopt;
  return decode_form_text(*found);
}

}  // namespace hogflare
