#include "hogflare/property_bag.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace hogflare {
namespace {

// Up to this many entries comparing keys one by one, lengths first, is faster than an index, which
// costs an allocation an entry.
constexpr size_t kIndexFrom = 96;
// Room for the first entries; most people and most events have no more.
constexpr size_t kUsualEntries = 16;
constexpr uint32_t kNone = UINT32_MAX;
// Longer numbers, which no program writes, are the same where their digits are: the one that is
// stored is compared with what every event of its person says.
constexpr size_t kNumberBytesMax = 400;

bool is_number(std::string_view raw) { return raw[0] == '-' || (raw[0] >= '0' && raw[0] <= '9'); }

double number_of(std::string_view raw) { return std::strtod(std::string(raw).c_str(), nullptr); }

// The position of an escaped NUL at or behind `from`, or npos. `raw` is valid JSON.
size_t find_nul_escape(std::string_view raw, size_t from) {
  for (size_t at = raw.find('\\', from); at != std::string_view::npos; at = raw.find('\\', at)) {
    if (raw.substr(at, 6) == "\\u0000") return at;
    at += 2;
  }
  return std::string_view::npos;
}

// The members of a text that PropertyBag::write() made, without a document of their places. The
// text comes out of storage: one that cannot have been written so is broken, never read past its
// end.
class WrittenMembers {
 public:
  explicit WrittenMembers(std::string_view object) : text_(object) {
    broken_ = text_.size() < 2 || text_.front() != '{' || text_.back() != '}';
    if (text_.size() == 2) at_ = 1;
  }

  // Goes on to the next member; false behind the last, or where the text is broken.
  bool next() {
    if (broken_ || at_ + 1 == text_.size()) return false;
    if (text_[at_ + 1] != '"') return fail();  // behind '{' or ','
    const size_t key_end = string_end(at_ + 1);
    if (key_end >= text_.size() - 1 || text_[key_end] != ':') return fail();
    key_ = text_.substr(at_ + 2, key_end - at_ - 3);
    at_ = value_end(key_end + 1);
    if (at_ >= text_.size() || (text_[at_] != ',' && at_ + 1 != text_.size())) return fail();
    value_ = text_.substr(key_end + 1, at_ - key_end - 1);
    // A string is read to its closing quote by whoever compares it.
    const bool whole = !value_.empty() &&
                       (value_[0] != '"' || string_end(key_end + 1) == key_end + 1 + value_.size());
    return whole || fail();
  }

  bool broken() const { return broken_; }

  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }

 private:
  bool fail() {
    broken_ = true;
    return false;
  }

  // Behind the string that begins at `at`; npos when it has no end.
  size_t string_end(size_t at) const {
    const size_t begin = at + 1;
    for (size_t quote = text_.find('"', begin);; quote = text_.find('"', quote + 1)) {
      if (quote == std::string_view::npos) return quote;
      size_t escapes = quote;
      while (escapes > begin && text_[escapes - 1] == '\\') --escapes;
      if ((quote - escapes) % 2 == 0) return quote + 1;
    }
  }

  // Behind the value that begins at `at`: where a ',' or the object's '}' stands; npos when nothing
  // ends it.
  size_t value_end(size_t at) const {
    int depth = 0;
    for (; at < text_.size(); ++at) {
      switch (text_[at]) {
        case '"':
          at = string_end(at);
          if (at == std::string_view::npos) return at;
          --at;
          break;
        case '{':
        case '[':
          ++depth;
          break;
        case '}':
        case ']':
          if (depth == 0) return at;
          --depth;
          break;
        case ',':
          if (depth == 0) return at;
          break;
        default:
          break;
      }
    }
    return std::string_view::npos;
  }

  std::string_view text_;
  size_t at_ = 0;  // of the '{' or ',' before the next member; of the '}' behind the last one
  std::string_view key_;
  std::string_view value_;
  bool broken_ = false;
};

}  // namespace

bool has_nul_escape(std::string_view raw) {
  return find_nul_escape(raw, 0) != std::string_view::npos;
}

std::string without_nul_escapes(std::string_view raw) {
  std::string out(raw);
  for (size_t at = find_nul_escape(raw, 0); at != std::string_view::npos;
       at = find_nul_escape(raw, at + 6)) {
    out.replace(at, 6, "\\ufffd");
  }
  return out;
}

bool same_value(std::string_view left, std::string_view right) {
  if (left == right) return true;
  const size_t shorter = std::min(left.size(), right.size());
  const size_t longer = std::max(left.size(), right.size());
  if (is_number(left) && is_number(right)) {
    return longer <= kNumberBytesMax && number_of(left) == number_of(right);
  }
  // Decoded, six bytes become one at most.
  if (left[0] != '"' || right[0] != '"' || longer > 6 * shorter) return false;
  const bool escaped =
      left.find('\\') != std::string_view::npos || right.find('\\') != std::string_view::npos;
  return escaped && json::decode_string(left) == json::decode_string(right);
}

namespace {

using SortedMembers = std::vector<std::pair<std::string, json::Value>>;

// By name; of members with one name the last, as JavaScript has it.
SortedMembers sorted_members(json::Value object) {
  SortedMembers members;
  for (const json::Member member : object.members())
    members.emplace_back(member.key(), member.value);
  const auto by_name = [](const auto& left, const auto& right) { return left.first < right.first; };
  std::stable_sort(members.begin(), members.end(), by_name);
  SortedMembers unique;
  for (auto& member : members) {
    if (!unique.empty() && unique.back().first == member.first) unique.pop_back();
    unique.push_back(std::move(member));
  }
  return unique;
}

// As deep as limits::kJsonDepthMax at most.
bool same_tree(json::Value left, json::Value right) {
  if (left.raw() == right.raw()) return true;
  if (left.kind() != right.kind()) return false;
  if (left.is_array()) {
    auto at = right.elements().begin();
    const auto end = right.elements().end();
    for (const json::Value element : left.elements()) {
      if (!(at != end) || !same_tree(element, *at)) return false;
      ++at;
    }
    return !(at != end);
  }
  if (!left.is_object()) return same_value(left.raw(), right.raw());
  const SortedMembers lefts = sorted_members(left);
  const SortedMembers rights = sorted_members(right);
  return std::equal(lefts.begin(), lefts.end(), rights.begin(), rights.end(),
                    [](const auto& one, const auto& other) {
                      return one.first == other.first && same_tree(one.second, other.second);
                    });
}

}  // namespace

bool same_json(std::string_view left, std::string_view right) {
  if (left == right) return true;
  const bool are_nested = left[0] == right[0] && (left[0] == '{' || left[0] == '[');
  if (!are_nested) return same_value(left, right);
  if (left.size() + right.size() > 2 * limits::kPersonPropertiesBytesMax) return false;
  const Result<json::Document> first = json::Document::parse_const(left, limits::kJsonDepthMax);
  const Result<json::Document> second = json::Document::parse_const(right, limits::kJsonDepthMax);
  return first.ok() && second.ok() && same_tree(first.value().root(), second.value().root());
}

std::string canonical_key_of(std::string_view decoded) {
  std::string quoted;
  json::append_string(quoted, decoded);
  return quoted.substr(1, quoted.size() - 2);
}

std::string_view PropertyBag::keep(std::string text) {
  kept_.push_back(std::move(text));
  return kept_.back();
}

void PropertyBag::adopt_copies(PropertyBag& other) { kept_.splice(kept_.end(), other.kept_); }

std::string_view PropertyBag::canonical_key(const json::Member& member) {
  const std::string_view inner = member.inner_key();
  if (inner.find('\\') == std::string_view::npos) return inner;
  return keep(canonical_key_of(member.key()));
}

void PropertyBag::add_members(json::Value object) {
  for (const json::Member member : object.members()) {
    std::string_view value = member.value.raw();
    if (has_nul_escape(value)) value = keep(without_nul_escapes(value));
    set(canonical_key(member), value);
  }
}

void PropertyBag::add(json::Value object) {
  if (!object.is_object()) return;
  if (!object.members().empty()) {
    add_members(object);
    return;
  }
  // Empty, or deeper than its document's index.
  if (object.raw().find('"') == std::string_view::npos) return;
  const Result<json::Document> document = json::Document::parse_const(object.raw(), 1);
  if (!document.ok()) return;  // more members than a document may hold
  add_members(document.value().root());
}

bool PropertyBag::add_text(std::string_view object) {
  // A written text names nothing twice, so that nothing needs to be looked for in an empty bag.
  const bool was_empty = entries_.empty();
  WrittenMembers members(object);
  while (members.next()) {
    if (was_empty) {
      append(members.key(), members.value());
    } else {
      set(members.key(), members.value());
    }
  }
  return !members.broken();
}

void PropertyBag::add_bag(const PropertyBag& other) {
  const bool was_empty = entries_.empty();
  for (const Entry& entry : other.entries_) {
    if (!alive(entry)) continue;
    if (was_empty) {
      append(entry.key, entry.value);
    } else {
      set(entry.key, entry.value);
    }
  }
}

uint32_t PropertyBag::index_of(std::string_view key) const {
  if (!index_.empty()) {
    const auto found = index_.find(key);
    return found == index_.end() ? kNone : found->second;
  }
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    if (alive(entries_[i]) && entries_[i].key == key) return i;
  }
  return kNone;
}

const PropertyBag::Entry* PropertyBag::find(std::string_view key) const {
  const uint32_t index = index_of(key);
  return index == kNone ? nullptr : &entries_[index];
}

void PropertyBag::set(std::string_view key, std::string_view value) {
  const uint32_t index = index_of(key);
  if (index != kNone) {
    bytes_ += value.size();
    bytes_ -= entries_[index].value.size();
    entries_[index].value = value;
    return;
  }
  append(key, value);
}

void PropertyBag::append(std::string_view key, std::string_view value) {
  // An empty name must still be told from an erased entry.
  if (key.data() == nullptr) key = "";
  if (entries_.capacity() == 0) entries_.reserve(kUsualEntries);
  entries_.push_back({key, value});
  ++alive_;
  bytes_ += key.size() + value.size() + 4;
  if (!index_.empty()) {
    index_.emplace(key, static_cast<uint32_t>(entries_.size() - 1));
  } else if (entries_.size() > kIndexFrom) {
    for (uint32_t i = 0; i < entries_.size(); ++i) {
      if (alive(entries_[i])) index_.emplace(entries_[i].key, i);
    }
  }
}

bool PropertyBag::erase(std::string_view key) {
  const uint32_t index = index_of(key);
  if (index == kNone) return false;
  bytes_ -= entries_[index].key.size() + entries_[index].value.size() + 4;
  if (!index_.empty()) index_.erase(entries_[index].key);
  entries_[index] = {};
  --alive_;
  // An emptied index would otherwise read as "no index yet" over entries that have one.
  if (alive_ == 0) entries_.clear();
  return true;
}

void PropertyBag::write(std::string& out) const {
  const size_t begin = out.size();
  out.resize(begin + text_bytes());
  char* at = out.data() + begin;
  const auto put = [&](std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  };
  *at++ = '{';
  const char* const first = at;
  for (const Entry& entry : entries_) {
    if (!alive(entry)) continue;
    if (at != first) *at++ = ',';
    *at++ = '"';
    put(entry.key);
    *at++ = '"';
    *at++ = ':';
    put(entry.value);
  }
  *at++ = '}';
  HF_ASSERT(at == out.data() + out.size());
}

std::string PropertyBag::text() const {
  std::string out;
  write(out);
  return out;
}

}  // namespace hogflare
