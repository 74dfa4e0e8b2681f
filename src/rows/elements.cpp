#include "elements.h"

#include <algorithm>
#include <array>
#include <utility>
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

// Places of all bytes in the collation, and their weights: the places of letters without case.
struct Weights {
  std::array<uint16_t, 256> place{};
  std::array<uint16_t, 256> weight{};

  constexpr Weights() {
    for (uint16_t i = 0; i < 256; ++i) place[i] = weight[i] = static_cast<uint16_t>(256 + i);
    const size_t letters = kCollation.find('a');
    for (size_t i = 0; i < kCollation.size(); ++i) {
      const auto byte = static_cast<unsigned char>(kCollation[i]);
      place[byte] = static_cast<uint16_t>(i);
      weight[byte] = static_cast<uint16_t>(i < letters ? i : letters + (i - letters) / 2);
    }
  }
};
constexpr Weights kWeights;

// Below 0 where `left` comes first by these numbers, 0 where one begins with the other.
int compare(std::string_view left, std::string_view right,
            const std::array<uint16_t, 256>& numbers) {
  const size_t size = std::min(left.size(), right.size());
  for (size_t i = 0; i < size; ++i) {
    const int apart = int{numbers[static_cast<unsigned char>(left[i])]} -
                      int{numbers[static_cast<unsigned char>(right[i])]};
    if (apart != 0) return apart;
  }
  return 0;
}

// Names as localeCompare orders them: case matters only between names that are equal without it.
bool is_before(std::string_view left, std::string_view right) {
  const int apart = compare(left, right, kWeights.weight);
  if (apart != 0) return apart < 0;
  if (left.size() != right.size()) return left.size() < right.size();
  return compare(left, right, kWeights.place) < 0;
}

using Attribute = std::pair<std::string, std::string>;

// In order; of attributes with one name the last.
void sort(std::vector<Attribute>& attributes) {
  std::stable_sort(attributes.begin(), attributes.end(),
                   [](const Attribute& left, const Attribute& right) {
                     return is_before(left.first, right.first);
                   });
  const auto is_replaced = [end = attributes.data() + attributes.size()](const Attribute& each) {
    const Attribute* const next = &each + 1;
    return next != end && next->first == each.first;
  };
  std::vector<Attribute> kept;
  for (Attribute& each : attributes) {
    if (!is_replaced(each)) kept.push_back(std::move(each));
  }
  attributes = std::move(kept);
}

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
  std::vector<Attribute> attributes{{"nth-child", "0"}, {"nth-of-type", "0"}};
  Value tag;
  Value classes;
  const auto put = [&](std::string name, std::string text) {
    attributes.emplace_back(std::move(name), std::move(text));
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
  sort(attributes);
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
