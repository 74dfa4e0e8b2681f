#include "hogflare/json.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "hogflare/limits.h"
#include "scan.h"

namespace hogflare::json {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The code unit of the four hex digits at `digits`, or -1. Needs four readable bytes.
int code_unit(const char* digits) {
  int unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(digits[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

bool is_high_surrogate(int unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low_surrogate(int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

enum class Surrogates { kReplace, kRefuse };

// One pass: an explicit stack instead of recursion, so depth costs no wasm stack.
class Parser {
 public:
  Parser(const char* text, size_t size, uint32_t index_depth, Surrogates surrogates,
         std::vector<Node>& nodes)
      : begin_(text),
        at_(text),
        end_(text + size),
        index_depth_(index_depth),
        surrogates_(surrogates),
        nodes_(nodes) {}

  // Null on success, else what was expected.
  const char* run() {
    if (const char* wrong = value(0)) return wrong;
    while (depth_ > 0) {
      if (const char* wrong = step()) return wrong;
    }
    skip_space();
    if (at_ != end_) return "the end of the document";
    return nullptr;
  }

  size_t offset() const { return static_cast<size_t>(at_ - begin_); }
  bool over_limit() const { return over_limit_; }

 private:
  struct Open {
    uint32_t node;  // index of the container's node; kNotIndexed when below the index
    bool is_object;
    bool is_first;
  };
  static constexpr uint32_t kNotIndexed = UINT32_MAX;

  void skip_space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  // One element, member or closing bracket of the innermost container.
  const char* step() {
    Open& open = stack_[depth_ - 1];
    const char close = open.is_object ? '}' : ']';
    skip_space();
    if (at_ == end_) return open.is_object ? "a member or '}'" : "an element or ']'";
    if (*at_ == close && open.is_first) return pop();
    if (!open.is_first) {
      if (*at_ == close) return pop();
      if (*at_ != ',') return open.is_object ? "',' or '}'" : "',' or ']'";
      ++at_;
      skip_space();
    }
    open.is_first = false;
    if (!open.is_object) return value(0);
    if (at_ == end_ || *at_ != '"') return "a member name in double quotes";
    const uint32_t key = static_cast<uint32_t>(at_ - begin_);
    if (const char* wrong = string()) return wrong;
    skip_space();
    if (at_ == end_ || *at_ != ':') return "':' after the member name";
    ++at_;
    return value(key);
  }

  const char* pop() {
    ++at_;
    --depth_;
    const uint32_t node = stack_[depth_].node;
    if (node != kNotIndexed) {
      nodes_[node].end = static_cast<uint32_t>(at_ - begin_);
      nodes_[node].next = static_cast<uint32_t>(nodes_.size());
    }
    return nullptr;
  }

  const char* value(uint32_t key) {
    skip_space();
    if (at_ == end_) return "a value";
    uint32_t node = kNotIndexed;
    if (depth_ <= index_depth_) {
      if (nodes_.size() >= limits::kJsonNodesMax) {
        over_limit_ = true;
        return "fewer values in one document";
      }
      node = static_cast<uint32_t>(nodes_.size());
      nodes_.push_back({key, static_cast<uint32_t>(at_ - begin_), 0, node + 1});
    }
    if (*at_ == '{' || *at_ == '[') return push(node);
    if (const char* wrong = scalar()) return wrong;
    if (node != kNotIndexed) nodes_[node].end = static_cast<uint32_t>(at_ - begin_);
    return nullptr;
  }

  const char* push(uint32_t node) {
    if (depth_ == limits::kJsonDepthMax) {
      over_limit_ = true;
      return "less nesting";
    }
    stack_[depth_++] = {node, *at_ == '{', true};
    ++at_;
    return nullptr;
  }

  const char* scalar() {
    switch (*at_) {
      case '"':
        return string();
      case 't':
        return literal("true", 4);
      case 'f':
        return literal("false", 5);
      case 'n':
        return literal("null", 4);
      default:
        return number();
    }
  }

  const char* literal(const char* word, size_t size) {
    if (static_cast<size_t>(end_ - at_) < size || std::memcmp(at_, word, size) != 0) return "a value";
    at_ += size;
    return nullptr;
  }

  bool digits() {
    const char* from = at_;
    while (at_ < end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != from;
  }

  const char* number() {
    const char* const from = at_;
    if (*at_ == '-') ++at_;
    if (at_ < end_ && *at_ == '0') {
      ++at_;
    } else if (!digits()) {
      return "a value";
    }
    if (at_ < end_ && *at_ == '.') {
      ++at_;
      if (!digits()) return "a digit after the decimal point";
    }
    bool may_overflow = at_ - from > kDigitsNeverTooMany;
    if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
      may_overflow = true;
      ++at_;
      if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!digits()) return "a digit in the exponent";
    }
    if (may_overflow && !is_finite({from, static_cast<size_t>(at_ - from)})) {
      return "a number in the range of binary64";
    }
    return nullptr;
  }

  // What no double can hold is no number for the sink either: its parser, as PostHog's, refuses it,
  // and would take the rest of the row with it.
  static bool is_finite(std::string_view number) {
    return std::isfinite(std::strtod(std::string(number).c_str(), nullptr));
  }
  // The largest double has 309 digits before its point.
  static constexpr ptrdiff_t kDigitsNeverTooMany = 308;


  const char* string() {
    ++at_;
    for (;;) {
      at_ = find_special(at_, end_);
      if (at_ == end_) return "a closing double quote";
      const unsigned char byte = static_cast<unsigned char>(*at_);
      if (byte == '"') {
        ++at_;
        return nullptr;
      }
      if (byte == '\\') {
        if (const char* wrong = escape()) return wrong;
      } else if (byte < 0x20) {
        return "no unescaped control character in a string";
      } else {
        const int length = utf8_length(at_, end_);
        if (length == 0) return "valid UTF-8";
        at_ += length;
      }
    }
  }

  const char* escape() {
    if (end_ - at_ < 2) return "an escape";
    switch (at_[1]) {
      case '"':
      case '\\':
      case '/':
      case 'b':
      case 'f':
      case 'n':
      case 'r':
      case 't':
        at_ += 2;
        return nullptr;
      case 'u':
        return unicode_escape();
      default:
        return "a known escape";
    }
  }

  const char* unicode_escape() {
    const int unit = end_ - at_ >= 6 ? code_unit(at_ + 2) : -1;
    if (unit < 0) return "four hex digits after \\u";
    if (is_high_surrogate(unit) && end_ - at_ >= 12 && at_[6] == '\\' && at_[7] == 'u' &&
        is_low_surrogate(code_unit(at_ + 8))) {
      at_ += 12;
      return nullptr;
    }
    if (is_high_surrogate(unit) || is_low_surrogate(unit)) {
      if (surrogates_ == Surrogates::kRefuse) return "no lone surrogate";
      // The caller of the replacing mode handed over mutable text.
      std::memcpy(const_cast<char*>(at_) + 2, "fffd", 4);
    }
    at_ += 6;
    return nullptr;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  uint32_t index_depth_;
  Surrogates surrogates_;
  std::vector<Node>& nodes_;
  Open stack_[limits::kJsonDepthMax];
  uint32_t depth_ = 0;
  bool over_limit_ = false;
};

// Texts above this are worth a look at how many values they can hold.
constexpr size_t kCountedFrom = 1u << 20;
// Text of one indexed value in the events that SDKs send, rather too little.
constexpr size_t kBytesPerNode = 20;

// Room for the index: growing it while parsing would take three times its memory in a large document.
// Every value but the first of its container stands behind a comma.
size_t nodes_expected(std::string_view text) {
  if (text.size() < kCountedFrom) return text.size() / kBytesPerNode + 8;
  size_t count = 1;
  for (const char c : text) count += (c == ',') | (c == '{') | (c == '[');
  return std::min<size_t>(count, limits::kJsonNodesMax);
}

Error parse_error(const Parser& parser, const char* expected) {
  std::string detail = "invalid JSON at byte " + std::to_string(parser.offset()) + ": expected ";
  detail += expected;
  return {parser.over_limit() ? ErrorCode::kTooLarge : ErrorCode::kParseFailed, std::move(detail)};
}

// Appends the UTF-8 form of one code point.
void append_code_point(std::string& out, uint32_t point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | (point >> 6));
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | (point >> 12));
    out += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (point >> 18));
    out += static_cast<char>(0x80 | ((point >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  }
}

char simple_escape(char letter) {
  switch (letter) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return letter;
  }
}

// Appends the code point escaped at `at` (a "\u…" escape in valid JSON) and returns what follows.
const char* decode_unicode(std::string& out, const char* at, const char* end) {
  const int unit = code_unit(at + 2);
  at += 6;
  if (is_high_surrogate(unit) && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
    const int low = code_unit(at + 2);
    if (is_low_surrogate(low)) {
      append_code_point(out, 0x10000u + ((static_cast<uint32_t>(unit) - 0xD800u) << 10) +
                                 (static_cast<uint32_t>(low) - 0xDC00u));
      return at + 6;
    }
  }
  const bool lone = is_high_surrogate(unit) || is_low_surrogate(unit);
  append_code_point(out, lone ? 0xFFFDu : static_cast<uint32_t>(unit));
  return at;
}

}  // namespace

Result<Document> Document::parse(std::span<char> text, uint32_t index_depth) {
  Document document;
  document.text_ = {text.data(), text.size()};
  document.nodes_.reserve(nodes_expected(document.text_));
  Parser parser(text.data(), text.size(), index_depth, Surrogates::kReplace, document.nodes_);
  if (const char* expected = parser.run()) return parse_error(parser, expected);
  return document;
}

Result<Document> Document::parse_const(std::string_view text, uint32_t index_depth) {
  Document document;
  document.text_ = text;
  document.nodes_.reserve(index_depth > 1 ? nodes_expected(text) : 16);
  Parser parser(text.data(), text.size(), index_depth, Surrogates::kRefuse, document.nodes_);
  if (const char* expected = parser.run()) return parse_error(parser, expected);
  return document;
}

Kind Value::kind() const {
  switch (text_[node().begin]) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 't':
      return Kind::kTrue;
    case 'f':
      return Kind::kFalse;
    case 'n':
      return Kind::kNull;
    default:
      return Kind::kNumber;
  }
}

bool Value::is_bool() const {
  return exists() && (kind() == Kind::kTrue || kind() == Kind::kFalse);
}

std::string_view Value::raw() const {
  const Node& place = node();
  return {text_ + place.begin, place.end - place.begin};
}

std::string Value::text() const {
  HF_ASSERT(is_string());
  return decode_string(raw());
}

Members Value::members() const {
  const bool has = is_object();
  return {*this, index_ + 1, has ? node().next : index_ + 1};
}

Elements Value::elements() const {
  const bool has = is_array();
  return {*this, index_ + 1, has ? node().next : index_ + 1};
}

Value Value::find(std::string_view key) const {
  Value found;
  for (const Member member : members()) {
    if (member.key_is(key)) found = member.value;
  }
  return found;
}

bool Member::key_is(std::string_view name) const {
  const std::string_view inner = inner_key();
  if (inner == name) return true;
  return inner.find('\\') != std::string_view::npos && decode_string(raw_key) == name;
}

std::string Member::key() const { return decode_string(raw_key); }

Member Members::Iterator::operator*() const {
  const Value value(value_.text_, value_.nodes_, index_);
  const Node& place = value.node();
  uint32_t key_end = place.begin;
  while (value_.text_[key_end - 1] != '"') --key_end;
  return {{value_.text_ + place.key, key_end - place.key}, value};
}

Members::Iterator& Members::Iterator::operator++() {
  index_ = value_.nodes_[index_].next;
  return *this;
}

Elements::Iterator& Elements::Iterator::operator++() {
  index_ = value_.nodes_[index_].next;
  return *this;
}

std::string decode_string(std::string_view raw) {
  HF_ASSERT(raw.size() >= 2 && raw.front() == '"' && raw.back() == '"');
  const char* at = raw.data() + 1;
  const char* const end = raw.data() + raw.size() - 1;
  std::string out;
  out.reserve(raw.size() - 2);
  while (at < end) {
    const void* found = std::memchr(at, '\\', static_cast<size_t>(end - at));
    const char* stop = found == nullptr ? end : static_cast<const char*>(found);
    out.append(at, stop);
    at = stop;
    if (at == end) break;
    if (at[1] == 'u') {
      at = decode_unicode(out, at, end);
    } else {
      out += simple_escape(at[1]);
      at += 2;
    }
  }
  return out;
}

void append_string(std::string& out, std::string_view utf8) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  const char* at = utf8.data();
  const char* const end = at + utf8.size();
  while (at < end) {
    const char* stop = find_special(at, end);
    out.append(at, stop);
    at = stop;
    if (at == end) break;
    const unsigned char byte = static_cast<unsigned char>(*at);
    if (byte >= 0x80) {
      const int length = utf8_length(at, end);
      if (length == 0) {
        out += "\xEF\xBF\xBD";
        ++at;
      } else {
        out.append(at, static_cast<size_t>(length));
        at += length;
      }
      continue;
    }
    ++at;
    switch (byte) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHex[byte >> 4];
        out += kHex[byte & 0xF];
    }
  }
  out += '"';
}

bool is_utf8(std::string_view utf8) {
  const char* at = utf8.data();
  const char* const end = at + utf8.size();
  while (at < end) {
    const int length = utf8_length(at, end);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

}  // namespace hogflare::json
