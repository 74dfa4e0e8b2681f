#include "elements.h"

#include <algorithm>
#include <map>
#include <vector>

#include "hogflare/js_string.h"
#include "hogflare/json.h"
#include "hogflare/limits.h"
#include "hogflare/text.h"

namespace hogflare::rows {
namespace {

using json::Value;

// ASCII in the order of the root collation (CLDR), which JavaScript's localeCompare has; what
// stands behind it sorts by its bytes.
constexpr std::string_view kCollation =
    "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789"
    "aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrRsStTuUvVwWxXyYzZ";

// The weight of a letter without its case.
size_t weight_of(char c) {
  const size_t at = kCollation.find(c);
  if (at == std::string_view::npos) return 256 + static_cast<unsigned char>(c);
  const size_t letters = kCollation.find('a');
  return at < letters ? at : letters + (at - letters) / 2;
}

// Names as localeCompare orders them: case matters only between names that are equal without it.
struct CollationLess {
  bool operator()(const std::string& left, const std::string& right) const {
    const size_t size = std::min(left.size(), right.size());
    for (size_t i = 0; i < size; ++i) {
      const size_t first = weight_of(left[i]);
      const size_t second = weight_of(right[i]);
      if (first != second) return first < second;
    }
    if (left.size() != right.size()) return left.size() < right.size();
    for (size_t i = 0; i < size; ++i) {
      if (left[i] != right[i]) return kCollation.find(left[i]) < kCollation.find(right[i]);
    }
    return false;
  }
};
using Attributes = std::map<std::string, std::string, CollationLess>;

std::string quotes_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"') out += '\\';
    out += c;
  }
  return out;
}

// JavaScript's truth of a value.
bool is_truthy(const Value& value) {
  if (!value.exists() || value.is_null() || value.is_false()) return false;
  if (value.is_string()) return value.raw().size() > 2;
  return !value.is_number() || js_number_text(value.raw()) != "0";
}

// String(value); long texts whole, other long values not at all.
std::string text_of(const Value& value) {
  if (value.is_string()) return value.text();
  return js_string(value).value_or("");
}

std::vector<std::string> classes_of(const Value& value) {
  std::vector<std::string> classes;
  if (!is_truthy(value)) return classes;
  if (value.is_array()) {
    for (const Value name : value.elements()) classes.push_back(text_of(name));
  } else {
    const std::string text = text_of(value);
    for (size_t from = 0; from <= text.size();) {
      const size_t end = std::min(text.find(' ', from), text.size());
      classes.push_back(text.substr(from, end - from));
      from = end + 1;
    }
  }
  std::sort(classes.begin(), classes.end());
  return classes;
}

std::string cut_text(const Value& value, size_t units) {
  std::string text = text_of(value);
  text.resize(first_utf16_units(text, units).size());
  return text;
}

void append_element(const Value& element, std::string& out) {
  Attributes attributes{{"nth-child", "0"}, {"nth-of-type", "0"}};
  Value tag;
  Value classes;
  const auto put = [&](std::string name, std::string text) {
    attributes.insert_or_assign(std::move(name), std::move(text));
  };
  for (const json::Member member : element.members()) {
    const std::string name = member.key();
    const Value& value = member.value;
    if (name == "tag_name") tag = value;
    if (name == "attr__class") classes = value;
    if ((name == "nth_child" || name == "nth_of_type") && !value.is_null()) {
      put(name == "nth_child" ? "nth-child" : "nth-of-type", text_of(value));
    }
    if (name == "$el_text" && is_truthy(value))
      put("text", cut_text(value, limits::kElementTextUnits));
    if (name == "attr__href" && is_truthy(value))
      put("href", cut_text(value, limits::kElementHrefUnits));
    if (name == "attr__id" && is_truthy(value)) put("attr_id", text_of(value));
    if (name.substr(0, 6) == "attr__" && !value.is_null()) put(name, text_of(value));
  }
  if (is_truthy(tag)) out += text_of(tag);
  for (std::string& name : classes_of(classes)) {
    name.erase(std::remove(name.begin(), name.end(), '"'), name.end());
    out.append(".").append(name);
  }
  out += ':';
  for (const auto& [name, text] : attributes) {
    out.append(quotes_escaped(name)).append("=\"").append(quotes_escaped(text)).append("\"");
  }
}

}  // namespace

std::optional<std::string> elements_chain(std::string_view list_raw) {
  // The list, its elements, their members, the names in a list of classes.
  constexpr uint32_t kIndexDepth = 4;
  if (list_raw.size() > limits::kElementsBytesMax) return std::nullopt;
  const Result<json::Document> document = json::Document::parse_const(list_raw, kIndexDepth);
  if (!document.ok() || document.value().root().elements().empty()) return std::nullopt;
  std::string chain;
  for (const Value element : document.value().root().elements()) {
    if (!element.is_object()) return std::nullopt;
    if (!chain.empty()) chain += ';';
    append_element(element, chain);
  }
  return chain;
}

}  // namespace hogflare::rows
