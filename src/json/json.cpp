#include "hogflare/json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "hogflare/ascii.h"
#include "hogflare/limits.h"
#include "decode.h"
#include "scan.h"

namespace hogflare::json {
namespace {

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

// What a value that begins with this byte can only be; a number where it is something wrong.
constexpr std::array<Kind, 256> make_kinds() {
  std::array<Kind, 256> kinds{};
  for (Kind& kind : kinds) kind = Kind::kNumber;
  kinds['{'] = Kind::kObject;
  kinds['['] = Kind::kArray;
  kinds['"'] = Kind::kString;
  kinds['t'] = Kind::kTrue;
  kinds['f'] = Kind::kFalse;
  kinds['n'] = Kind::kNull;
  return kinds;
}
constexpr std::array<Kind, 256> kKinds = make_kinds();

bool is_container(Kind kind) { return kind >= Kind::kArray; }
static_assert(Kind::kArray < Kind::kObject && Kind::kString < Kind::kArray);

// One pass over the text. Its functions take the place they begin at and give the one they ended
// at, which so stays in a register; null means that `fail` was called. An explicit stack instead of
// recursion, so depth costs no wasm stack. Compact JSON, as SDKs send it, is what is asked for
// first.
class Parser {
 public:
  Parser(std::string_view text, uint32_t index_depth, Surrogates surrogates,
         std::vector<Node>& nodes)
      : begin_(text.data()),
        end_(text.data() + text.size()),
        index_depth_(index_depth),
        surrogates_(surrogates),
        nodes_(nodes),
        first_(nodes.data()),
        room_(static_cast<uint32_t>(nodes.size())) {}

  // Fills `nodes`, whose size is the room to begin with. False: `error` says why.
  bool run() {
    const char* at = skip_space(begin_);
    at = at == end_ ? fail(at, "a value") : value(at, {}, true);
    while (at != nullptr && depth_ > 0) {
      at = stack_[depth_ - 1].is_object ? members(at) : elements(at);
    }
    if (at != nullptr) at = skip_space(at);
    if (at != nullptr && at != end_) at = fail(at, "the end of the document");
    nodes_.resize(count_);
    return at != nullptr;
  }

  Error error() const {
    std::string detail = "invalid JSON at byte " + std::to_string(failed_at_ - begin_);
    detail += ": expected ";
    detail += expected_;
    return {over_limit_ ? ErrorCode::kTooLarge : ErrorCode::kParseFailed, std::move(detail)};
  }

 private:
  struct Open {
    uint32_t node;  // index of the container's node; meaningless below the index
    bool is_object;
    bool is_first;
  };
  struct Key {
    uint32_t at = 0;
    uint32_t size = 0;  // as in Node
  };

  [[gnu::noinline, gnu::cold]] const char* fail(const char* at, const char* expected) {
    failed_at_ = at;
    expected_ = expected;
    return nullptr;
  }
  [[gnu::noinline, gnu::cold]] const char* fail_limit(const char* at, const char* expected) {
    over_limit_ = true;
    return fail(at, expected);
  }

  uint32_t offset(const char* at) const { return static_cast<uint32_t>(at - begin_); }

  HF_INLINE const char* skip_space(const char* at) const {
    while (at != end_ && static_cast<unsigned char>(*at) <= ' ' &&
           (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
      ++at;
    }
    return at;
  }

  HF_INLINE bool next_is(const char* at, char c) const { return at != end_ && *at == c; }

  // Members of the innermost object, until one of them opens a container or the object ends.
  const char* members(const char* at) {
    Open& open = stack_[depth_ - 1];
    const bool is_indexed = depth_ <= index_depth_;
    for (bool first = open.is_first;; first = false) {
      if (!first && next_is(at, ',')) {
        ++at;
      } else {
        at = skip_space(at);
        if (at == end_) return fail(at, "a member or '}'");
        if (*at == '}') return close(at);
        if (!first && *at++ != ',') return fail(at - 1, "',' or '}'");
      }
      if (!next_is(at, '"') && !next_is(at = skip_space(at), '"')) {
        return fail(at, "a member name in double quotes");
      }
      Key key{offset(at), 0};
      at = name(at + 1, key);
      if (at == nullptr) return nullptr;
      if (!next_is(at, ':') && !next_is(at = skip_space(at), ':')) {
        return fail(at, "':' after the member name");
      }
      at = skip_space(at + 1);
      if (at == end_) return fail(at, "a value");
      const uint32_t depth = depth_;
      at = value(at, key, is_indexed);
      if (at == nullptr) return nullptr;
      if (depth_ != depth) {
        open.is_first = false;
        return at;
      }
    }
  }

  // The same for an array.
  const char* elements(const char* at) {
    Open& open = stack_[depth_ - 1];
    const bool is_indexed = depth_ <= index_depth_;
    for (bool first = open.is_first;; first = false) {
      at = skip_space(at);
      if (at == end_) return fail(at, "an element or ']'");
      if (*at == ']' && first) return close(at);
      if (!first) {
        if (*at == ']') return close(at);
        if (*at != ',') return fail(at, "',' or ']'");
        at = skip_space(at + 1);
        if (at == end_) return fail(at, "a value");
      }
      const uint32_t depth = depth_;
      at = value(at, {}, is_indexed);
      if (at == nullptr) return nullptr;
      if (depth_ != depth) {
        open.is_first = false;
        return at;
      }
    }
  }

  const char* close(const char* at) {
    ++at;
    --depth_;
    if (depth_ <= index_depth_) {
      Node& node = first_[stack_[depth_].node];
      node.end = offset(at);
      node.next = count_;
    }
    return at;
  }

  // A scalar, or the opening bracket of a container. Needs a byte.
  HF_INLINE const char* value(const char* at, Key key, bool is_indexed) {
    const Kind kind = kKinds[static_cast<unsigned char>(*at)];
    if (is_indexed && count_ == room_ && !grow()) {
      return fail_limit(at, "fewer values in one document");
    }
    const char* const behind = is_container(kind) ? open(at, kind) : scalar(at, kind);
    if (is_indexed && behind != nullptr) {
      first_[count_] = {key.at, offset(at), offset(behind), count_ + 1, kind, key.size};
      ++count_;
    }
    return behind;
  }

  // Room for further nodes: as much again, never beyond the limit.
  [[gnu::noinline, gnu::cold]] bool grow() {
    if (count_ == limits::kJsonNodesMax) return false;
    room_ = std::min(count_ * 2 + 8, limits::kJsonNodesMax);
    nodes_.reserve(room_);  // exactly; resize alone would take up to twice that
    nodes_.resize(room_);
    first_ = nodes_.data();
    return true;
  }

  HF_INLINE const char* open(const char* at, Kind kind) {
    if (depth_ == limits::kJsonDepthMax) return fail_limit(at, "less nesting");
    stack_[depth_++] = {count_, kind == Kind::kObject, true};
    return at + 1;
  }

  HF_INLINE const char* scalar(const char* at, Kind kind) {
    switch (kind) {
      case Kind::kString:
        return string(at + 1);
      case Kind::kTrue:
        return literal(at, "true", 4);
      case Kind::kFalse:
        return literal(at, "false", 5);
      case Kind::kNull:
        return literal(at, "null", 4);
      default:
        return number(at);
    }
  }

  HF_INLINE const char* literal(const char* at, const char* word, size_t size) {
    const bool is_there = static_cast<size_t>(end_ - at) >= size && same_bytes(at, word, size);
    return is_there ? at + size : fail(at, "a value");
  }

  HF_INLINE const char* digits(const char* at) const {
    while (at != end_ && is_digit(*at)) ++at;
    return at;
  }

  HF_INLINE const char* number(const char* const from) {
    const char* at = from + (*from == '-' ? 1 : 0);
    const char* const whole = at;
    at = at != end_ && *at == '0' ? at + 1 : digits(at);
    if (at == whole) return fail(at, "a value");
    const bool is_plain = at == end_ || (*at != '.' && (*at | 0x20) != 'e');
    return is_plain && at - from <= kDigitsNeverTooMany ? at : number_rest(from, at);
  }

  // What stands behind a number's whole digits, and whether it has a value.
  [[gnu::noinline]] const char* number_rest(const char* from, const char* at) {
    if (at != end_ && *at == '.') {
      const char* const fraction = ++at;
      at = digits(at);
      if (at == fraction) return fail(at, "a digit after the decimal point");
    }
    bool may_overflow = at - from > kDigitsNeverTooMany;
    if (at != end_ && (*at | 0x20) == 'e') {
      may_overflow = true;
      ++at;
      if (at != end_ && (*at == '+' || *at == '-')) ++at;
      const char* const exponent = at;
      at = digits(at);
      if (at == exponent) return fail(at, "a digit in the exponent");
    }
    if (may_overflow && !is_finite({from, static_cast<size_t>(at - from)})) {
      return fail(at, "a number in the range of binary64");
    }
    return at;
  }

  // What no double can hold is no number for the sink either: its parser, as PostHog's, refuses it,
  // and would take the rest of the row with it.
  static bool is_finite(std::string_view number) {
    return std::isfinite(std::strtod(std::string(number).c_str(), nullptr));
  }
  // The largest double has 309 digits before its point.
  static constexpr ptrdiff_t kDigitsNeverTooMany = 308;

  // From behind the opening quote to behind the closing one. A byte that was found is there: only
  // where the text ends has the end to be thought of.
  HF_INLINE const char* string(const char* at) {
    while (end_ - at >= kBlock) {
      const uint32_t mask = special_mask(at);
      if (mask != 0) {
        at += __builtin_ctz(mask);
        return *at == '"' ? at + 1 : string_rest(at);
      }
      at += kBlock;
    }
    return string_rest(find_special_bytewise(at, end_));
  }

  // The same for a member's name, whose size goes to `key`.
  HF_INLINE const char* name(const char* const from, Key& key) {
    for (const char* at = from; end_ - at >= kBlock; at += kBlock) {
      const uint32_t mask = special_mask(at);
      if (mask == 0) continue;
      at += __builtin_ctz(mask);
      if (*at != '"') break;
      key.size = static_cast<uint32_t>(std::min<ptrdiff_t>(at - from, Node::kOddKey));
      return at + 1;
    }
    return name_rest(from, key);
  }

  // Any name.
  [[gnu::noinline]] const char* name_rest(const char* from, Key& key) {
    const char* const at = find_special(from, end_);
    const bool is_plain = next_is(at, '"');
    key.size = is_plain ? static_cast<uint32_t>(std::min<ptrdiff_t>(at - from, Node::kOddKey))
                        : Node::kOddKey;
    return string_rest(at);
  }

  // Goes on in a string at a byte that needs a look, or at the end of the text.
  [[gnu::noinline]] const char* string_rest(const char* at) {
    for (;;) {
      if (at == end_) return fail(at, "a closing double quote");
      const unsigned char byte = static_cast<unsigned char>(*at);
      if (byte == '"') return at + 1;
      if (byte == '\\') {
        at = escape(at);
        if (at == nullptr) return nullptr;
      } else if (byte < 0x20) {
        return fail(at, "no unescaped control character in a string");
      } else {
        const int length = utf8_length(at, end_);
        if (length == 0) return fail(at, "valid UTF-8");
        at += length;
        // In most scripts such characters come in words.
        if (at != end_ && static_cast<unsigned char>(*at) >= 0x80) continue;
      }
      at = find_special(at, end_);
    }
  }

  HF_INLINE const char* escape(const char* at) {
    if (end_ - at < 2) return fail(at, "an escape");
    switch (at[1]) {
      case '"':
      case '\\':
      case '/':
      case 'b':
      case 'f':
      case 'n':
      case 'r':
      case 't':
        return at + 2;
      case 'u':
        return unicode_escape(at);
      default:
        return fail(at, "a known escape");
    }
  }

  const char* unicode_escape(const char* at) {
    const int unit = end_ - at >= 6 ? code_unit(at + 2) : -1;
    if (unit < 0) return fail(at, "four hex digits after \\u");
    if (is_high_surrogate(unit) && end_ - at >= 12 && at[6] == '\\' && at[7] == 'u' &&
        is_low_surrogate(code_unit(at + 8))) {
      return at + 12;
    }
    if (is_high_surrogate(unit) || is_low_surrogate(unit)) {
      if (surrogates_ == Surrogates::kRefuse) return fail(at, "no lone surrogate");
      // The caller of the replacing mode handed over mutable text.
      std::memcpy(const_cast<char*>(at) + 2, "fffd", 4);
    }
    return at + 6;
  }

  const char* const begin_;
  const char* const end_;
  const uint32_t index_depth_;
  const Surrogates surrogates_;
  std::vector<Node>& nodes_;
  Node* first_;    // of nodes_
  uint32_t room_;  // nodes there may be before more room is made
  uint32_t count_ = 0;
  uint32_t depth_ = 0;
  const char* failed_at_ = nullptr;
  const char* expected_ = nullptr;
  bool over_limit_ = false;
  Open stack_[limits::kJsonDepthMax];
};

// Texts above this are worth a look at how many values they can hold.
constexpr size_t kCountedFrom = 1u << 20;
// Texts from which room that the index did not need is freed: of smaller ones it is little.
constexpr size_t kShrunkFrom = 64u << 10;
// Text of one indexed value in the events that SDKs send, rather too little.
constexpr size_t kBytesPerNode = 20;

// Room for the index: growing it while parsing would take three times its memory in a large
// document. Every value but the first of its container stands behind a comma.
size_t nodes_expected(std::string_view text) {
  if (text.size() < kCountedFrom) return text.size() / kBytesPerNode + 8;
  size_t count = 1;
  for (const char c : text) count += (c == ',') | (c == '{') | (c == '[');
  return std::min<size_t>(count, limits::kJsonNodesMax);
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

// A document inside of a string has an escape every few bytes: looked for one by one these are
// found sooner than by a call.
const char* next_backslash(const char* at, const char* end) {
  const char* const near = end - at > kBlock ? at + kBlock : end;
  for (; at < near; ++at) {
    if (*at == '\\') return at;
  }
  const void* const found = std::memchr(at, '\\', static_cast<size_t>(end - at));
  return found == nullptr ? end : static_cast<const char*>(found);
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
  document.nodes_.resize(nodes_expected(document.text_));
  Parser parser(document.text_, index_depth, Surrogates::kReplace, document.nodes_);
  if (!parser.run()) return parser.error();
  // Nearly all of a large text may lie deeper than its index, as a recording does.
  if (text.size() >= kShrunkFrom && document.nodes_.capacity() > 2 * document.nodes_.size()) {
    document.nodes_.shrink_to_fit();
  }
  return document;
}

Result<Document> Document::parse_const(std::string_view text, uint32_t index_depth) {
  Document document;
  if (std::optional<Error> error = document.renew(text, index_depth)) return std::move(*error);
  return document;
}

std::optional<Error> Document::renew(std::string_view text, uint32_t index_depth) {
  text_ = text;
  const size_t expected = index_depth > 1 ? nodes_expected(text) : 16;
  nodes_.resize(std::max(expected, nodes_.capacity()));
  Parser parser(text_, index_depth, Surrogates::kRefuse, nodes_);
  if (parser.run()) return std::nullopt;
  text_ = {};
  nodes_.clear();
  return parser.error();
}

std::string Value::text() const {
  HF_ASSERT(is_string());
  return decode_string(raw());
}

Value Value::find(std::string_view key) const {
  Value found;
  for (const Member member : members()) {
    if (member.key_is(key)) found = member.value;
  }
  return found;
}

// Between a name's closing quote and the value stand white space and the colon.
size_t Member::odd_size() const {
  const Node& node = value.node();
  uint32_t key_end = node.begin - 1;
  while (value.text_[key_end] != '"') --key_end;
  return key_end - node.key - 1;
}

bool Member::odd_key_is(std::string_view name) const {
  std::string scratch;
  return odd_name(scratch) == name;
}

std::string_view Member::odd_name(std::string& scratch) const {
  const std::string_view inner = inner_key();
  if (inner.find('\\') == std::string_view::npos) return inner;
  scratch = key();
  return scratch;
}

std::string Member::key() const { return decode_string(raw_key()); }

namespace {

// Nothing is longer decoded. Between the escapes of a document inside of a string lie a few bytes:
// a block is copied whole, and counts as far as its first backslash.
char* decode_escaped(char* to, const char* at, const char* end) {
  static_assert(kDecodeSlack >= kBlock);
  for (;;) {
    while (end - at >= kBlock) {
      std::memcpy(to, at, kBlock);
      const uint32_t mask = backslash_mask(at);
      const ptrdiff_t plain = mask == 0 ? kBlock : __builtin_ctz(mask);
      to += plain;
      at += plain;
      if (mask != 0) break;
    }
    while (at < end && *at != '\\') *to++ = *at++;
    if (at == end) return to;
    if (at[1] != 'u') {
      *to++ = simple_escape(at[1]);
      at += 2;
    } else {
      std::string point;
      at = decode_unicode(point, at, end);
      to = std::copy(point.begin(), point.end(), to);
    }
  }
}

}  // namespace

namespace {

// What stands between the quotes, of which `first` is the first backslash or the end.
void append_text(std::string& out, std::string_view raw, const char* first) {
  const char* const end = raw.data() + raw.size() - 1;
  out.append(raw.data() + 1, static_cast<size_t>(first - raw.data() - 1));
  if (first == end) return;
  const size_t begin = out.size();
  out.resize(begin + static_cast<size_t>(end - first) + kDecodeSlack);
  out.resize(static_cast<size_t>(decode_escaped(out.data() + begin, first, end) - out.data()));
}

}  // namespace

std::string decode_string(std::string_view raw) {
  HF_ASSERT(raw.size() >= 2 && raw.front() == '"' && raw.back() == '"');
  const char* const end = raw.data() + raw.size() - 1;
  const char* const first = next_backslash(raw.data() + 1, end);
  std::string out;
  // What is decoded is written by blocks: room for all of it, or the text would be there twice.
  out.reserve(raw.size() - 2 + (first == end ? 0 : kDecodeSlack));
  append_text(out, raw, first);
  return out;
}

std::string decode_beginning(std::string_view raw, size_t raw_bytes_max) {
  if (raw.size() <= raw_bytes_max) return decode_string(raw);
  size_t end = 1;
  for (size_t next = end; next <= raw_bytes_max; next = end) {
    const char first = raw[end];
    next += first != '\\' ? 1 : raw[end + 1] == 'u' ? 6 : 2;
    while ((static_cast<unsigned char>(raw[next]) & 0xC0) == 0x80) ++next;
    if (next > raw_bytes_max) break;
    end = next;
  }
  std::string out(end - 1 + kDecodeSlack, '\0');
  out.resize(static_cast<size_t>(decode_escaped(out.data(), raw.data() + 1, raw.data() + end) -
                                 out.data()));
  return out;
}

void append_decoded(std::string& out, std::string_view raw) {
  HF_ASSERT(raw.size() >= 2 && raw.front() == '"' && raw.back() == '"');
  append_text(out, raw, next_backslash(raw.data() + 1, raw.data() + raw.size() - 1));
}

char* decode_to(char* to, std::string_view raw) {
  HF_ASSERT(raw.size() >= 2 && raw.front() == '"' && raw.back() == '"');
  return decode_escaped(to, raw.data() + 1, raw.data() + raw.size() - 1);
}

void append_string(std::string& out, std::string_view utf8) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  const char* at = utf8.data();
  const char* const end = at + utf8.size();
  while (at < end) {
    const char* stop = find_special(at, end);
    out.append(at, static_cast<size_t>(stop - at));
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

bool is_plain(std::string_view text) {
  const char* const end = text.data() + text.size();
  return find_special(text.data(), end) == end;
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
