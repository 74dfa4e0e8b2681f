#include "hogflare/flags_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "hogflare/limits.h"
#include "flags/json_literals.h"
#include "json/scan.h"

namespace hogflare::flags {
namespace {

// Builds a Value tree from parser events, within bounds. nlohmann's event parser keeps its own
// stack on the heap, so depth is bounded here and nowhere recursed.
class TreeBuilder {
 public:
  using json = nlohmann::json;

  TreeBuilder(size_t nodes_max, Keep keep) : nodes_max_(nodes_max), is_kept_(keep == Keep::kLong) {}

  bool null() { return add(Value::null()); }
  bool boolean(bool value) { return add(Value::of(value)); }
  bool number_integer(int64_t value) { return add(Value::of(value)); }
  bool number_unsigned(uint64_t value) {
    Value made;
    made.kind = Value::Kind::kInteger;
    made.number = static_cast<double>(value);
    made.text = fmt::format_int(value).str();
    return add(std::move(made));
  }
  bool number_float(double value, const std::string&) {
    Value made;
    if (std::isfinite(value)) {
      made.kind = Value::Kind::kFloat;
      made.number = value;
      made.text = float_text(value);
    }
    return add(std::move(made));
  }
  bool string(std::string& value) {
    Value made;
    made.kind = Value::Kind::kString;
    made.text = std::move(value);
    return add(std::move(made));
  }
  bool binary(json::binary_t&) { return false; }
  bool start_object(size_t) { return open(Value::object()); }
  bool end_object() { return close(); }
  bool start_array(size_t) { return open(Value::array()); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    keys_.back() = std::move(name);
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) {
    position_ = position;
    return false;
  }

  std::optional<Value> root;
  bool too_large() const { return too_large_; }
  size_t position() const { return position_; }

 private:
  bool add(Value value) {
    if (++nodes_ > nodes_max_) return refuse();
    if (open_.empty()) {
      root = std::move(value);
      return true;
    }
    append(open_.back(), std::move(value), keys_.back());
    return true;
  }

  static void append(Value& parent, Value value, std::string& key) {
    if (parent.is_object()) {
      parent.keys.push_back(std::move(key));
    }
    parent.items.push_back(std::move(value));
  }

  bool open(Value container) {
    if (++nodes_ > nodes_max_ || open_.size() >= limits::kJsonDepthMax) return refuse();
    open_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }

  bool close() {
    Value done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    drop_duplicate_keys(done);
    // What stays for as long as the document does.
    if (is_kept_) {
      done.items.shrink_to_fit();
      done.keys.shrink_to_fit();
    }
    if (open_.empty()) {
      root = std::move(done);
    } else {
      append(open_.back(), std::move(done), keys_.back());
    }
    return true;
  }

  // The last of several equal keys wins, as in serde_json.
  static void drop_duplicate_keys(Value& object) {
    if (!object.is_object() || object.keys.size() < 2) return;
    std::vector<size_t> order(object.keys.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t left, size_t right) {
      return object.keys[left] < object.keys[right];
    });
    std::vector<bool> dropped(order.size(), false);
    bool any = false;
    for (size_t i = 0; i + 1 < order.size(); ++i) {
      if (object.keys[order[i]] == object.keys[order[i + 1]]) {
        dropped[order[i]] = true;
        any = true;
      }
    }
    if (!any) return;
    size_t kept = 0;
    for (size_t i = 0; i < dropped.size(); ++i) {
      if (dropped[i]) continue;
      if (kept != i) {
        object.keys[kept] = std::move(object.keys[i]);
        object.items[kept] = std::move(object.items[i]);
      }
      ++kept;
    }
    object.keys.resize(kept);
    object.items.resize(kept);
  }

  bool refuse() {
    too_large_ = true;
    return false;
  }

  std::vector<Value> open_;
  std::vector<std::string> keys_;
  const size_t nodes_max_;
  const bool is_kept_;
  size_t nodes_ = 0;
  size_t position_ = 0;
  bool too_large_ = false;
};

// Places of an object's members in the order of their keys.
std::vector<size_t> by_key(const Value& object) {
  std::vector<size_t> order(object.keys.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t left, size_t right) { return object.keys[left] < object.keys[right]; });
  return order;
}

bool starts_with(std::string_view text, size_t at, std::string_view what) {
  return text.compare(at, what.size(), what) == 0;
}

}  // namespace

// Clients written in Python send NaN and Infinity; serde's JSON5 reader takes them as null. And
// "-0" is a float there. Both are rewritten here, outside strings, only when they occur.
std::optional<std::string> rewrite_literals(std::string_view json, std::string_view not_finite) {
  std::string out;
  size_t copied = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
      continue;
    }
    if (c == '"') {
      in_string = true;
      continue;
    }
    std::string_view replacement;
    size_t length = 0;
    if (c == 'N' && starts_with(json, i, "NaN")) {
      replacement = not_finite;
      length = 3;
    } else if (c == 'I' && starts_with(json, i, "Infinity")) {
      replacement = not_finite;
      length = 8;
    } else if (c == '-' && starts_with(json, i, "-Infinity")) {
      replacement = not_finite;
      length = 9;
    } else if (c == '-' && starts_with(json, i, "-0") &&
               (i + 2 == json.size() ||
                std::string_view("0123456789.eE").find(json[i + 2]) == std::string_view::npos)) {
      replacement = "-0.0";
      length = 2;
    }
    if (length == 0) continue;
    out.append(json.substr(copied, i - copied));
    out.append(replacement);
    i += length - 1;
    copied = i + 1;
  }
  if (copied == 0) return std::nullopt;
  out.append(json.substr(copied));
  return out;
}

namespace {

void append_text_form(const Value& value, std::string& out) {
  switch (value.kind) {
    case Value::Kind::kArray: {
      out.push_back('[');
      for (size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) out.push_back(',');
        append_text_form(value.items[i], out);
      }
      out.push_back(']');
      return;
    }
    case Value::Kind::kObject: {
      std::vector<size_t> order(value.keys.size());
      std::iota(order.begin(), order.end(), size_t{0});
      std::sort(order.begin(), order.end(),
                [&](size_t left, size_t right) { return value.keys[left] < value.keys[right]; });
      out.push_back('{');
      for (size_t i = 0; i < order.size(); ++i) {
        if (i > 0) out.push_back(',');
        append_json_string(value.keys[order[i]], out);
        out.push_back(':');
        append_text_form(value.items[order[i]], out);
      }
      out.push_back('}');
      return;
    }
    default:
      append_json(value, out);
  }
}

}  // namespace

Value Value::of(bool value) {
  Value made;
  made.kind = Kind::kBool;
  made.boolean = value;
  return made;
}

Value Value::of(int64_t value) {
  Value made;
  made.kind = Kind::kInteger;
  made.number = static_cast<double>(value);
  made.text = fmt::format_int(value).str();
  return made;
}

Value Value::of(std::string_view value) {
  Value made;
  made.kind = Kind::kString;
  made.text = std::string(value);
  return made;
}

Value Value::array() {
  Value made;
  made.kind = Kind::kArray;
  return made;
}

Value Value::object() {
  Value made;
  made.kind = Kind::kObject;
  return made;
}

void Value::sort_keys() {
  constexpr size_t kManyKeys = 64;
  if (!is_object() || is_sorted || keys.size() < kManyKeys) return;
  const std::vector<size_t> order = by_key(*this);
  std::vector<std::string> sorted_keys;
  std::vector<Value> sorted_items;
  sorted_keys.reserve(order.size());
  sorted_items.reserve(order.size());
  for (const size_t from : order) {
    sorted_keys.push_back(std::move(keys[from]));
    sorted_items.push_back(std::move(items[from]));
  }
  keys = std::move(sorted_keys);
  items = std::move(sorted_items);
  is_sorted = true;
}

const Value* Value::find(std::string_view key) const {
  if (is_sorted) {
    const auto found = std::lower_bound(keys.begin(), keys.end(), key);
    if (found == keys.end() || *found != key) return nullptr;
    return &items[static_cast<size_t>(found - keys.begin())];
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] == key) return &items[i];
  }
  return nullptr;
}

void Value::set(std::string_view key, Value value) {
  HF_ASSERT(is_object());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] == key) {
      items[i] = std::move(value);
      return;
    }
  }
  is_sorted = false;
  keys.emplace_back(key);
  items.push_back(std::move(value));
}

void Value::erase(std::string_view key) {
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] != key) continue;
    keys.erase(keys.begin() + static_cast<std::ptrdiff_t>(i));
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

bool Value::operator==(const Value& other) const {
  if (kind != other.kind) return false;
  switch (kind) {
    case Kind::kNull:
      return true;
    case Kind::kBool:
      return boolean == other.boolean;
    case Kind::kInteger:
    case Kind::kString:
      return text == other.text;
    case Kind::kFloat:
      return number == other.number;
    case Kind::kArray:
      return items == other.items;
    case Kind::kObject:
      break;
  }
  if (keys.size() != other.keys.size()) return false;
  const std::vector<size_t> mine = by_key(*this);
  const std::vector<size_t> theirs = by_key(other);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[mine[i]] != other.keys[theirs[i]]) return false;
    if (!(items[mine[i]] == other.items[theirs[i]])) return false;
  }
  return true;
}

Result<Value> parse_value(std::string_view json, size_t nodes_max, Keep keep) {
  const std::optional<std::string> rewritten = rewrite_literals(json);
  const std::string_view input = rewritten ? std::string_view(*rewritten) : json;
  TreeBuilder builder(nodes_max, keep);
  const bool complete = nlohmann::json::sax_parse(input.begin(), input.end(), &builder);
  if (builder.too_large()) {
    return Error(ErrorCode::kTooLarge,
                 fmt::format("JSON nests deeper than {} levels or holds more than {} values",
                             limits::kJsonDepthMax, nodes_max));
  }
  if (!complete || !builder.root) {
    return Error(ErrorCode::kParseFailed,
                 fmt::format("not valid JSON at byte {}", builder.position()));
  }
  return std::move(*builder.root);
}

void append_json_string(std::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  // Most texts are short and need no escape: they and their quotes are one piece.
  char piece[64];
  const char* const end = text.data() + text.size();
  if (text.size() <= sizeof piece - 2 && json::find_special(text.data(), end) == end) {
    piece[0] = '"';
    text.copy(piece + 1, text.size());
    piece[text.size() + 1] = '"';
    out.append(piece, text.size() + 2);
    return;
  }
  out.push_back('"');
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text.substr(copied, i - copied));
    copied = i + 1;
    out.push_back('\\');
    switch (c) {
      case '"':
      case '\\':
        out.push_back(static_cast<char>(c));
        break;
      case '\b':
        out.push_back('b');
        break;
      case '\f':
        out.push_back('f');
        break;
      case '\n':
        out.push_back('n');
        break;
      case '\r':
        out.push_back('r');
        break;
      case '\t':
        out.push_back('t');
        break;
      default:
        out.append("u00");
        out.push_back(kHex[c >> 4]);
        out.push_back(kHex[c & 0xf]);
    }
  }
  out.append(text.substr(copied));
  out.push_back('"');
}

void append_json(const Value& value, std::string& out) {
  switch (value.kind) {
    case Value::Kind::kNull:
      out.append("null");
      return;
    case Value::Kind::kBool:
      out.append(value.boolean ? "true" : "false");
      return;
    case Value::Kind::kInteger:
    case Value::Kind::kFloat:
      out.append(value.text);
      return;
    case Value::Kind::kString:
      append_json_string(value.text, out);
      return;
    case Value::Kind::kArray:
      out.push_back('[');
      for (size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) out.push_back(',');
        append_json(value.items[i], out);
      }
      out.push_back(']');
      return;
    case Value::Kind::kObject:
      out.push_back('{');
      for (size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) out.push_back(',');
        append_json_string(value.keys[i], out);
        out.push_back(':');
        append_json(value.items[i], out);
      }
      out.push_back('}');
      return;
  }
}

std::string to_json(const Value& value) {
  std::string out;
  append_json(value, out);
  return out;
}

std::string text_form(const Value& value) {
  if (value.is_string()) return value.text;
  std::string out;
  append_text_form(value, out);
  return out;
}

std::string float_text(double value) {
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  // fmt's default is the shortest text that reads back; its digits are laid out anew below.
  const std::string shortest = fmt::format("{}", value);
  std::string digits;
  int exponent = 0;
  bool seen_point = false;
  bool negative = false;
  for (size_t i = 0; i < shortest.size(); ++i) {
    const char c = shortest[i];
    if (c == '-') {
      negative = true;
    } else if (c == '.') {
      seen_point = true;
    } else if (c == 'e') {
      exponent += std::atoi(shortest.c_str() + i + 1);
      break;
    } else {
      digits.push_back(c);
      if (seen_point) --exponent;
    }
  }
  const size_t first = digits.find_first_not_of('0');
  digits.erase(0, first);
  while (digits.size() > 1 && digits.back() == '0') {
    digits.pop_back();
    ++exponent;
  }
  // serde_json prints through ryu: plain up to 16 integer digits, down to 1e-5; else d.ddde-x.
  const int point = static_cast<int>(digits.size()) + exponent;
  std::string out = negative ? "-" : "";
  if (exponent >= 0 && point <= 16) {
    out.append(digits).append(static_cast<size_t>(exponent), '0').append(".0");
  } else if (point > 0 && point <= 16) {
    out.append(digits, 0, static_cast<size_t>(point)).push_back('.');
    out.append(digits, static_cast<size_t>(point), std::string::npos);
  } else if (point > -5 && point <= 0) {
    out.append("0.").append(static_cast<size_t>(-point), '0').append(digits);
  } else {
    out.push_back(digits[0]);
    if (digits.size() > 1) out.append(".").append(digits, 1, std::string::npos);
    out.append(fmt::format("e{}", point - 1));
  }
  return out;
}

}  // namespace hogflare::flags
