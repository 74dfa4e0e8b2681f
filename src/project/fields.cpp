#include "project/fields.h"

#include <cstdlib>
#include <utility>

#include "json/dom.h"

namespace hogflare::project {
namespace {

std::string kind_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return value.get<bool>() ? "true" : "false";
    case Json::value_t::string:
      return "a text";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::object:
      return "an object";
    default:
      return "a number";
  }
}

bool is_choice(std::string_view choices, std::string_view text) {
  while (!choices.empty()) {
    const size_t end = choices.find('|');
    if (choices.substr(0, end) == text) return true;
    if (end == std::string_view::npos) return false;
    choices.remove_prefix(end + 1);
  }
  return false;
}

bool is_list_of(const Json& value, Json::value_t type) {
  if (!value.is_array()) return false;
  for (const Json& item : value) {
    if (item.type() != type) return false;
  }
  return true;
}

// A share from 0 to 1 as the text that posthog-js reads, with its spelling kept where it is a text.
std::optional<std::string> rate_text(const Json& value) {
  if (value.is_number()) {
    const double rate = value.get<double>();
    if (!(rate >= 0 && rate <= 1)) return std::nullopt;
    return dump(value);
  }
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string::npos) {
    return std::nullopt;
  }
  char* end = nullptr;
  const double rate = std::strtod(text.c_str(), &end);
  if (*end != '\0' || !(rate >= 0 && rate <= 1)) return std::nullopt;
  return text;
}

bool is_in_range(const Json& value, const Field& field) {
  if (field.low >= field.high) return true;
  const double number = value.get<double>();
  return number >= field.low && number <= field.high;
}

std::string number_text(double number) {
  return number == static_cast<double>(static_cast<int64_t>(number))
             ? std::to_string(static_cast<int64_t>(number))
             : std::to_string(number);
}

}  // namespace

std::string dump(const Json& json) { return json::text_of(json); }

std::string describe(const Field& field) {
  std::vector<std::string> kinds;
  if (field.kinds & kBool) kinds.push_back("true or false");
  if (field.kinds & kText) {
    std::string text = field.choices.empty() ? "a text" : "one of " + std::string(field.choices);
    for (char& c : text) c = c == '|' ? '/' : c;
    kinds.push_back(std::move(text));
  }
  if (field.kinds & kNumber) {
    kinds.push_back(field.low < field.high ? "a number from " + number_text(field.low) + " to " +
                                                 number_text(field.high)
                                           : "a number");
  }
  if (field.kinds & kRate) kinds.push_back("a share from \"0.00\" to \"1.00\"");
  if (field.kinds & kTexts) kinds.push_back("a list of texts");
  if (field.kinds & kObject) kinds.push_back("an object");
  if (field.kinds & kObjects) kinds.push_back("a list of objects");
  if (field.kinds & kNull) kinds.push_back("null");
  std::string all;
  for (size_t i = 0; i < kinds.size(); ++i) all.append(i == 0 ? "" : ", or ").append(kinds[i]);
  return all;
}

void Checker::error(const std::string& path, std::string message) {
  problems_.push_back({flags::Severity::kError, path, std::move(message)});
}

void Checker::warn(const std::string& path, std::string message) {
  problems_.push_back({flags::Severity::kWarning, path, std::move(message)});
}

std::optional<Json> Checker::value(const Json& given, const Field& field, const std::string& path) {
  if (field.kinds & kAny) return given;
  if ((field.kinds & kNull) && given.is_null()) return given;
  if ((field.kinds & kBool) && given.is_boolean()) return given;
  if ((field.kinds & kText) && given.is_string()) {
    if (field.choices.empty() || is_choice(field.choices, given.get_ref<const std::string&>())) {
      return given;
    }
  }
  if ((field.kinds & kNumber) && given.is_number() && is_in_range(given, field)) return given;
  if (field.kinds & kRate) {
    if (const std::optional<std::string> rate = rate_text(given)) return Json(*rate);
  }
  if ((field.kinds & kTexts) && is_list_of(given, Json::value_t::string)) return given;
  if ((field.kinds & kObject) && given.is_object()) return object(given, field, path);
  if ((field.kinds & kObjects) && given.is_array()) return objects(given, field, path);
  error(path, "must be " + describe(field) + ", is " + kind_of(given));
  return std::nullopt;
}

std::optional<Json> Checker::object(const Json& given, const Field& field,
                                    const std::string& path) {
  if (field.fields.empty()) return given;
  Json kept = Json::object();
  for (const auto& [name, member] : given.items()) {
    const std::string where = path + "." + name;
    const Field* known = nullptr;
    for (const Field& each : field.fields) known = each.name == name ? &each : known;
    if (known == nullptr) {
      if (!field.open) warn(where, "is not known here and is handed on as it is");
      kept[name] = member;
      continue;
    }
    std::optional<Json> checked = value(member, *known, where);
    if (checked) {
      kept[name] = std::move(*checked);
    } else if (known->wrong == Wrong::kParent) {
      error(path, "is left out whole, for " + name + " decides what it may do");
      return std::nullopt;
    }
  }
  for (const Field& each : field.fields) {
    const std::string name(each.name);
    if (!each.needed || kept.contains(name)) continue;
    error(path, "is left out: it has no usable \"" + name + "\", which must be " + describe(each));
    return std::nullopt;
  }
  return kept;
}

Json Checker::objects(const Json& given, const Field& field, const std::string& path) {
  Json kept = Json::array();
  for (size_t i = 0; i < given.size(); ++i) {
    const std::string where = path + "[" + std::to_string(i) + "]";
    if (!given[i].is_object()) {
      error(where, "must be an object, is " + kind_of(given[i]));
      continue;
    }
    if (std::optional<Json> item = object(given[i], field, where)) kept.push_back(std::move(*item));
  }
  return kept;
}

}  // namespace hogflare::project
