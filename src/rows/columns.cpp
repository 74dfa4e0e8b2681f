#include "columns.h"

#include <algorithm>
#include <span>

#include "hogflare/limits.h"
#include "hogflare/short_bytes.h"
#include "hogflare/text.h"
#include "members.h"
#include "properties.h"

namespace hogflare::rows {
namespace {

// With what stands before each value.
constexpr std::array<std::string_view, kLiftedColumns> kNames = {",\"session_id\":",
                                                                 ",\"window_id\":",
                                                                 ",\"current_url\":",
                                                                 ",\"host\":",
                                                                 ",\"pathname\":",
                                                                 ",\"screen_name\":",
                                                                 ",\"referrer\":",
                                                                 ",\"referring_domain\":",
                                                                 ",\"utm_source\":",
                                                                 ",\"utm_medium\":",
                                                                 ",\"utm_campaign\":",
                                                                 ",\"utm_term\":",
                                                                 ",\"utm_content\":",
                                                                 ",\"browser\":",
                                                                 ",\"browser_version\":",
                                                                 ",\"os\":",
                                                                 ",\"os_version\":",
                                                                 ",\"device_type\":",
                                                                 ",\"country_code\":",
                                                                 ",\"region\":",
                                                                 ",\"city\":",
                                                                 ",\"lib\":",
                                                                 ",\"lib_version\":",
                                                                 ",\"is_identified\":",
                                                                 ",\"person_mode\":",
                                                                 ",\"feature_flag\":",
                                                                 ",\"feature_flag_variant\":",
                                                                 ",\"exception_type\":",
                                                                 ",\"exception_message\":",
                                                                 ",\"exception_fingerprint\":"};

constexpr uint32_t bit_of(Column column) { return 1u << static_cast<unsigned>(column); }

// Gathers names and values that are mostly short, as Pieces does, with the copies in place.
class TextBuffer {
 public:
  explicit TextBuffer(std::string& out) : out_(out) {}
  TextBuffer(const TextBuffer&) = delete;
  TextBuffer& operator=(const TextBuffer&) = delete;
  ~TextBuffer() { out_.append(bytes_, size_); }

  void add(std::string_view name, std::string_view value) {
    const size_t size = name.size() + value.size();
    if (size > sizeof bytes_ - size_) {
      out_.append(bytes_, size_);
      size_ = 0;
    }
    if (size > sizeof bytes_) {
      out_.append(name).append(value);
      return;
    }
    copy_bytes(bytes_ + size_, name.data(), name.size());
    copy_bytes(bytes_ + size_ + name.size(), value.data(), value.size());
    size_ += size;
  }

 private:
  std::string& out_;
  size_t size_ = 0;
  char bytes_[1024];
};

// A member of an object as text, and its number.
struct Member {
  std::string_view text;
  size_t at;
};

// The smallest members that fit into custom_properties together. However many there are, it holds
// no more than that: what is taken out for a smaller one would not have fitted beside it.
class SmallestMembers {
 public:
  bool has_room_for(const Member& member) const {
    const size_t bytes = bytes_ + member.text.size() + kComma;
    return bytes <= limits::kCustomPropertiesBytesMax ||
           (count_ > 0 && is_smaller(member, held_.front()));
  }

  // Needs has_room_for().
  void add(const Member& member) {
    held_[count_++] = member;
    bytes_ += member.text.size() + kComma;
    std::push_heap(held_.begin(), end(), is_smaller);
    while (bytes_ > limits::kCustomPropertiesBytesMax) {
      bytes_ -= held_.front().text.size() + kComma;
      std::pop_heap(held_.begin(), end(), is_smaller);
      --count_;
    }
  }

  // By their numbers.
  std::span<const Member> take() {
    std::sort(held_.begin(), end(),
              [](const Member& left, const Member& right) { return left.at < right.at; });
    return std::span<const Member>(held_).first(count_);
  }

 private:
  static constexpr size_t kComma = 1;
  // An empty name and a digit.
  static constexpr size_t kMemberBytesMin = sizeof("\"\":0") - 1 + kComma;
  static constexpr size_t kMembersMax = limits::kCustomPropertiesBytesMax / kMemberBytesMin + 1;

  static bool is_smaller(const Member& left, const Member& right) {
    if (left.text.size() != right.text.size()) return left.text.size() < right.text.size();
    const int order = left.text.compare(right.text);
    return order != 0 ? order < 0 : left.at < right.at;
  }
  std::array<Member, kMembersMax>::iterator end() {
    return held_.begin() + static_cast<std::ptrdiff_t>(count_);
  }

  std::array<Member, kMembersMax> held_;  // a heap, the largest in front
  size_t count_ = 0;
  size_t bytes_ = 1;  // of the object
};

}  // namespace

std::string column_text(std::string_view raw) {
  std::string out;
  if (raw.front() != '"') {
    json::append_string(out, raw.substr(0, limits::kColumnTextBytesMax));
    return out;
  }
  std::string text = json::decode_string(raw);
  replace_nul(text);
  json::append_string(out, first_bytes(text, limits::kColumnTextBytesMax));
  return out;
}

void ColumnValues::append(std::string& out, size_t properties_bytes) const {
  constexpr size_t kQuotes = 2;
  TextBuffer buffer(out);
  for (uint32_t left = filled_; left != 0; left &= left - 1) {
    const auto column = static_cast<size_t>(std::countr_zero(left));
    const std::string_view raw(values_[column].begin, values_[column].size);
    const bool is_text = raw.front() == '"' && raw.size() <= limits::kColumnTextBytesMax + kQuotes;
    if (is_text || bit_of(Column::kIsIdentified) == 1u << column) {
      buffer.add(kNames[column], raw);
    } else {
      buffer.add(kNames[column], column_text(raw));
    }
  }
  buffer.add(",\"properties_bytes\":", std::to_string(properties_bytes));
}

bool is_events_own(std::string_view name) {
  const KnownProperty known = known_property(name);
  return known.role == Role::kPlain && known.column == KnownProperty::kNone &&
         is_persons_own(name) && name != "distinct_id" && name != "token";
}

void CustomProperties::append(std::string& out, const json::Value& all, IsOwn is_own) const {
  const size_t begin = out.size();
  if (count_ > kHeld || !fits()) {
    append_smallest(out, all, is_own);
  } else {
    for (size_t i = 0; i < count_; ++i) {
      // Before a name stands a byte of its object, which makes room for the comma.
      const size_t comma = out.size();
      out.append(held_[i].begin - 1, held_[i].size + 1);
      out[comma] = ',';
    }
  }
  close_object(out, begin);
}

void CustomProperties::append_smallest(std::string& out, const json::Value& all, IsOwn is_own) {
  SmallestMembers smallest;
  std::string scratch;
  size_t at = 0;
  for (const json::Member member : all.members()) {
    const std::string_view value = member.value.raw();
    const char* const begin = member.raw_key().data();
    const Member one{{begin, static_cast<size_t>(value.data() + value.size() - begin)}, at++};
    if (!smallest.has_room_for(one) || member.value.is_null()) continue;
    if (is_own(member.name(scratch))) smallest.add(one);
  }
  for (const Member& member : smallest.take()) {
    out += ',';
    out += member.text;
  }
}

}  // namespace hogflare::rows
