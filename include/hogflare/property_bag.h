// A flat JSON object whose values are kept as the bytes they came in: person and group properties.
// Nothing is parsed below the first level; order of keys is order of first appearance.
//
//   PropertyBag bag;
//   bag.add_text(stored);                    // "{\"a\":1,\"b\":[2]}"
//   bag.set("plan", "\"pro\"");
//   bag.write(out);
//
// Keys are the text between the quotes in one canonical spelling (canonical_key), so that two
// spellings of a name are one key. Views handed in must outlive the bag; keep() makes a copy that
// does.
#pragma once

#include <list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/json.h"

namespace hogflare {

class PropertyBag {
 public:
  struct Entry {
    std::string_view key;    // canonical, without quotes
    std::string_view value;  // raw JSON
  };

  PropertyBag() = default;
  PropertyBag(PropertyBag&&) = default;
  PropertyBag& operator=(PropertyBag&&) = default;
  PropertyBag(const PropertyBag&) = delete;
  PropertyBag& operator=(const PropertyBag&) = delete;

  // Sets every member of a JSON object; anything else counts as {}. Escaped NULs in values become
  // U+FFFD, as PostHog stores them.
  void add(json::Value object);
  // The same for a text that write() has made: its names are canonical and no white space stands
  // outside of values. False when the text is another, damaged one; what is in the bag then is of
  // no use.
  bool add_text(std::string_view object);
  // Sets every entry of `other`, whose views must outlive this bag too.
  void add_bag(const PropertyBag& other);

  // Null when there is no such key. Valid until the next change.
  const Entry* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }
  void set(std::string_view key, std::string_view value);
  // True when the key was there.
  bool erase(std::string_view key);

  // In order. Erased entries stay behind as entries with a null key view; skip them with alive().
  const std::vector<Entry>& entries() const { return entries_; }
  static bool alive(const Entry& entry) { return entry.key.data() != nullptr; }
  size_t size() const { return alive_; }
  bool empty() const { return alive_ == 0; }
  // Of the text write() appends; without a look at the entries.
  size_t text_bytes() const { return alive_ == 0 ? 2 : bytes_ + 1; }

  void write(std::string& out) const;
  std::string text() const;

  // A copy of `text` that lives as long as this bag.
  std::string_view keep(std::string text);
  // Takes over the copies `other` keeps, so that its views may be set here and outlive it.
  void adopt_copies(PropertyBag& other);
  // The canonical spelling of a member's name.
  std::string_view canonical_key(const json::Member& member);

 private:
  uint32_t index_of(std::string_view key) const;
  void add_members(json::Value object);
  void append(std::string_view key, std::string_view value);

  std::vector<Entry> entries_;
  // Only beyond a few entries. Ordered: whoever sends the names cannot choose them to collide.
  std::map<std::string_view, uint32_t> index_;
  std::list<std::string> kept_;  // stable addresses
  size_t alive_ = 0;
  size_t bytes_ = 0;  // of the members with their quotes, colons and commas
};

// True for JSON numbers, strings, true, false and null that JavaScript's === holds equal, however
// they are spelled. Lists and objects are equal only when their bytes are.
bool same_value(std::string_view left_raw, std::string_view right_raw);

// The same with lists and objects compared member by member, in whatever order an object has them:
// PostHog's deepEqual of group values. Texts over limits::kPersonPropertiesBytesMax are equal only
// when their bytes are.
bool same_json(std::string_view left_raw, std::string_view right_raw);

// The canonical key of a name that is plain text, such as one of an $unset list.
std::string canonical_key_of(std::string_view decoded);

// `raw` with every escaped NUL replaced by an escaped U+FFFD; the same length.
std::string without_nul_escapes(std::string_view raw);
// True when `raw` holds an escaped NUL.
bool has_nul_escape(std::string_view raw);

}  // namespace hogflare
