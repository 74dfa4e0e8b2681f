// The hot path's view of JSON: one validating pass over the request body, no document tree.
//
// `Document::parse` checks the whole text against RFC 8259 (UTF-8 included) and records where every
// value down to `index_depth` begins and ends. What nobody looks into stays the bytes it came as:
// 64-bit integers, number spelling and key order survive. Escaped lone surrogates, which real SDKs
// send and no sink accepts, become \ufffd in place (same length), as PostHog replaces them. A
// number beyond binary64 (1e999) is refused, as serde_json refuses it at PostHog and in the sink.
//
//   Result<Document> document = Document::parse(body, 4);
//   if (!document.ok()) return document.error();
//   for (Member member : document.value().root().members()) {
//     if (member.key_is("event")) name = member.value.text();
//   }
//
// Small or cold documents (configuration, flags) use nlohmann/json instead. Why not an existing
// streaming parser: docs/adr/0001-own-json-index.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/limits.h"
#include "hogflare/result.h"
#include "hogflare/short_bytes.h"

namespace hogflare::json {

enum class Kind : uint8_t { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };

// The place of one value in the text. `next` is the index of the first node that is not inside this
// one, so children are the nodes from the own index + 1 up to `next`.
struct Node {
  // key_size of a name that has to be looked at: 255 bytes or more, with escapes or not ASCII.
  static constexpr uint32_t kOddKey = 255;

  // Leaves the members as they are: room for many nodes costs nothing until they are filled.
  Node() {}
  Node(uint32_t key_at, uint32_t begin_at, uint32_t end_at, uint32_t next_index, Kind value_kind,
       uint32_t name_size)
      : key(key_at),
        begin(begin_at),
        end(end_at),
        next(next_index),
        kind(static_cast<uint32_t>(value_kind)),
        key_size(name_size) {}

  uint32_t key;    // offset of the member name's opening quote; 0 when the value is no member
  uint32_t begin;  // offset of the value's first byte
  uint32_t end;    // offset behind the value's last byte
  uint32_t next : 21;
  uint32_t kind : 3;      // a Kind
  uint32_t key_size : 8;  // bytes between the name's quotes, or kOddKey
};
static_assert(sizeof(Node) == 16 && limits::kJsonNodesMax < 1u << 21);

class Value;
struct Member;
template <typename Each>
class Children;
using Members = Children<Member>;
using Elements = Children<Value>;

// A value inside a Document. Borrowed: valid while the document and its text are.
class Value {
 public:
  Value() = default;
  Value(const char* text, const Node* nodes, uint32_t index)
      : text_(text), nodes_(nodes), index_(index) {}

  // False for the result of a `find` that found nothing; every other call needs true.
  bool exists() const { return nodes_ != nullptr; }

  Kind kind() const { return static_cast<Kind>(node().kind); }
  bool is_null() const { return is(Kind::kNull); }
  bool is_string() const { return is(Kind::kString); }
  bool is_number() const { return is(Kind::kNumber); }
  bool is_object() const { return is(Kind::kObject); }
  bool is_array() const { return is(Kind::kArray); }
  bool is_bool() const { return is_true() || is_false(); }
  bool is_true() const { return is(Kind::kTrue); }
  bool is_false() const { return is(Kind::kFalse); }

  // The value's bytes as they came, without white space around it. Valid JSON.
  std::string_view raw() const { return {text_ + node().begin, node().end - node().begin}; }
  // A string's content, decoded. Needs is_string().
  std::string text() const;

  // The members of an object / elements of an array in order; empty for everything else and for a
  // value that lies deeper than the document's index.
  Members members() const;
  Elements elements() const;
  // The last member of that name (JavaScript's and serde's rule for duplicates), or a Value that
  // does not exist.
  Value find(std::string_view key) const;

  uint32_t index() const { return index_; }
  const Node& node() const { return nodes_[index_]; }

 private:
  friend struct Member;
  template <typename Each>
  friend class Children;
  bool is(Kind kind) const { return exists() && node().kind == static_cast<uint32_t>(kind); }

  const char* text_ = nullptr;
  const Node* nodes_ = nullptr;
  uint32_t index_ = 0;
};

// A member of an object. Its name is compared without being looked at: almost always its length,
// which the index knows, says no.
struct Member {
  Value value;

  // The name with its quotes, as it came.
  std::string_view raw_key() const { return {value.text_ + value.node().key, inner_size() + 2}; }
  // The name between the quotes as it came; equals the name unless it holds escapes.
  std::string_view inner_key() const { return {value.text_ + value.node().key + 1, inner_size()}; }
  [[gnu::always_inline]] bool key_is(std::string_view name) const {
    const Node& node = value.node();
    if (node.key_size == Node::kOddKey) return odd_key_is(name);
    return node.key_size == name.size() &&
           same_bytes(value.text_ + node.key + 1, name.data(), name.size());
  }
  std::string key() const;  // decoded
  // The decoded name, in `scratch` when it holds escapes.
  std::string_view name(std::string& scratch) const {
    return value.node().key_size == Node::kOddKey ? odd_name(scratch) : inner_key();
  }

 private:
  size_t inner_size() const {
    const uint32_t size = value.node().key_size;
    return size == Node::kOddKey ? odd_size() : size;
  }
  size_t odd_size() const;
  bool odd_key_is(std::string_view name) const;
  std::string_view odd_name(std::string& scratch) const;
};

// What stands in an object or in an array, in its order.
template <typename Each>
class Children {
 public:
  class Iterator {
   public:
    Iterator(const Value& value, uint32_t index) : at_(value.text_, value.nodes_, index) {}
    Each operator*() const { return {at_}; }
    Iterator& operator++() {
      at_.index_ = at_.node().next;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_.index_ != other.at_.index_; }

   private:
    Value at_;
  };

  Children(const Value& value, uint32_t begin, uint32_t end)
      : value_(value), begin_(begin), end_(end) {}
  Iterator begin() const { return {value_, begin_}; }
  Iterator end() const { return {value_, end_}; }
  bool empty() const { return begin_ == end_; }

 private:
  Value value_;
  uint32_t begin_;
  uint32_t end_;
};

inline Members Value::members() const {
  return {*this, index_ + 1, is_object() ? node().next : index_ + 1};
}

inline Elements Value::elements() const {
  return {*this, index_ + 1, is_array() ? node().next : index_ + 1};
}

class Document {
 public:
  // Validates `text` and indexes values at nesting depth 0 (the root) to `index_depth`. Mutates the
  // text only where it replaces lone surrogate escapes. Errors: kParseFailed with the byte offset
  // and what was expected, kTooLarge over limits::kJsonNodesMax or kJsonDepthMax.
  static Result<Document> parse(std::span<char> text, uint32_t index_depth);

  // The same over text that must not or need not change, such as a stored record: a lone surrogate
  // is then a parse error.
  static Result<Document> parse_const(std::string_view text, uint32_t index_depth);

  // The same in the place of what this document was: its index's memory is used again, which counts
  // where small texts are many. After an error it is empty, and nothing may be asked of it.
  std::optional<Error> renew(std::string_view text, uint32_t index_depth);

  Value root() const { return {text_.data(), nodes_.data(), 0}; }
  std::string_view text() const { return text_; }
  size_t node_count() const { return nodes_.size(); }
  // What the index takes in memory.
  size_t index_bytes() const { return nodes_.capacity() * sizeof(Node); }

 private:
  std::string_view text_;
  std::vector<Node> nodes_;
};

// Decodes a raw JSON string (with its quotes). Lone surrogates become U+FFFD.
std::string decode_string(std::string_view raw);
// What its first `raw_bytes_max` bytes stand for, as far as they are whole characters: of a text of
// which no more is looked at. All of it where it has no more.
std::string decode_beginning(std::string_view raw, size_t raw_bytes_max);
void append_decoded(std::string& out, std::string_view raw);

// Appends `utf8` as a JSON string with quotes. Invalid UTF-8 is replaced by U+FFFD, so the output
// is always valid JSON.
void append_string(std::string& out, std::string_view utf8);

// True when `text` is ASCII that stands in a JSON string as it is.
bool is_plain(std::string_view text);

// True when `utf8` is well-formed UTF-8 (RFC 3629).
bool is_utf8(std::string_view utf8);

}  // namespace hogflare::json
