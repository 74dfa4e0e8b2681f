#include "payload.h"

#include "hogflare/base64.h"
#include "hogflare/text.h"

namespace hogflare::wire {

std::string_view media_type(std::string_view content_type) {
  return trim_ascii(content_type.substr(0, content_type.find(';')));
}

void restore_pluses(std::string& text) {
  std::string candidate = text;
  for (char& c : candidate) {
    if (c == ' ') c = '+';
  }
  if (looks_like_base64(candidate)) text = std::move(candidate);
}

void restore_hinted_pluses(std::string& text) {
  std::string candidate = text;
  for (char& c : candidate) {
    if (c == ' ') c = '+';
  }
  if (decode_base64(candidate).has_value()) text = std::move(candidate);
}

void trim_in_place(std::string& text) {
  const std::string_view kept = trim_ascii(text);
  const size_t lead = static_cast<size_t>(kept.data() - text.data());
  text.resize(lead + kept.size());
  if (lead > 0) text.erase(0, lead);
}

void drop_byte_order_mark(std::string& text) {
  if (std::string_view(text).substr(0, 3) == "\xEF\xBB\xBF") text.erase(0, 3);
}

}  // namespace hogflare::wire
