#include "columns.h"

#include <algorithm>
#include <span>
#include <vector>

#include "hogflare/limits.h"
#include "hogflare/short_bytes.h"
#include "hogflare/text.h"
#include "members.h"
#include "properties.h"

namespace hogflare::rows {
namespace {

// With what stands before each value.
constexpr std::array<std::string_view, kLiftedColumns> kNames = {
    ",\"session_id\":",     ",\"window_id\":",         ",\"current_url\":",
    ",\"host\":",           ",\"pathname\":",          ",\"screen_name\":",
    ",\"referrer\":",       ",\"referring_domain\":",  ",\"utm_source\":",
    ",\"utm_medium\":",     ",\"utm_campaign\":",      ",\"utm_term\":",
    ",\"utm_content\":",    ",\"browser\":",           ",\"browser_version\":",
    ",\"os\":",             ",\"os_version\":",        ",\"device_type\":",
    ",\"country_code\":",   ",\"region\":",            ",\"city\":",
    ",\"lib\":",            ",\"lib_version\":",       ",\"is_identified\":",
    ",\"person_mode\":",    ",\"feature_flag\":",      ",\"feature_flag_variant\":",
    ",\"exception_type\":", ",\"exception_message\":", ",\"exception_fingerprint\":"};

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

// As much of `utf8` as fits, never half a character.
std::string_view cut_text(std::string_view utf8) {
  size_t size = std::min(utf8.size(), limits::kColumnTextBytesMax);
  while (size < utf8.size() && size > 0 && (static_cast<unsigned char>(utf8[size]) & 0xC0) == 0x80) {
    --size;
  }
  return utf8.substr(0, size);
}

// A member of an object as text, and its number.
struct Member {
  std::string_view text;
  size_t at;
};

// Those that fit into custom_properties, the smallest first, brought back into their order.
std::span<Member> smallest_of(std::span<Member> members) {
  std::sort(members.begin(), members.end(), [](const Member& left, const Member& right) {
    return left.text.size() != right.text.size() ? left.text.size() < right.text.size()
                                                 : left.text < right.text;
  });
  size_t bytes = 1;
  size_t count = 0;
  while (count < members.size() &&
         bytes + members[count].text.size() + 1 <= limits::kCustomPropertiesBytesMax) {
    bytes += members[count++].text.size() + 1;
  }
  std::sort(members.begin(), members.begin() + static_cast<std::ptrdiff_t>(count),
            [](const Member& left, const Member& right) { return left.at < right.at; });
  return members.first(count);
}

}  // namespace

std::string column_text(std::string_view raw) {
  std::string out;
  if (raw.front() != '"') {
    json::append_string(out, raw.substr(0, limits::kColumnTextBytesMax));
    return out;
  }
  std::string text = json::decode_string(raw);
  replace_nul(text);
  json::append_string(out, cut_text(text));
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
  return known.role == Role::kPlain && known.column == KnownProperty::kNone && is_persons_own(name) &&
         name != "distinct_id" && name != "token";
}

void CustomProperties::append(std::string& out, const json::Value& all, IsOwn is_own) const {
  const size_t begin = out.size();
  if (count_ > kHeld || bytes_ > limits::kCustomPropertiesBytesMax) {
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
  constexpr size_t kHeldInPlace = 128;
  std::array<Member, kHeldInPlace> few;
  std::vector<Member> many;
  size_t count = 0;
  std::string scratch;
  for (const json::Member member : all.members()) {
    if (member.value.is_null() || !is_own(member.name(scratch))) continue;
    const std::string_view value = member.value.raw();
    const char* const begin = member.raw_key().data();
    const std::string_view text(begin, static_cast<size_t>(value.data() + value.size() - begin));
    if (count == kHeldInPlace) many.assign(few.begin(), few.end());
    if (count >= kHeldInPlace) {
      many.push_back({text, count});
    } else {
      few[count] = {text, count};
    }
    ++count;
  }
  const std::span<Member> members =
      count > kHeldInPlace ? std::span<Member>(many) : std::span<Member>(few).first(count);
  for (const Member& member : smallest_of(members)) {
    out += ',';
    out += member.text;
  }
}

}  // namespace hogflare::rows
