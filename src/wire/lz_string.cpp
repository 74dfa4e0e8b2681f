#include "hogflare/lz_string.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "hogflare/base64.h"

namespace hogflare {
namespace {

// The library's code points into the dictionary; the first three are instructions.
constexpr uint32_t kLiteral8 = 0;
constexpr uint32_t kLiteral16 = 1;
constexpr uint32_t kEnd = 2;

// A dictionary entry is a stretch of the output: each new entry is the phrase before plus the next
// phrase's first unit, and those stand side by side there.
struct Phrase {
  uint32_t begin;
  uint32_t size;
};

// The library writes its bits into base64 characters directly, six to each and padded as it likes
// ("Q===" is a whole text), so this is not base64 of bytes.
class BitReader {
 public:
  // Needs characters of the alphabet only.
  explicit BitReader(std::string_view base64) : base64_(base64) {}

  bool overrun() const { return overrun_; }

  // `count` bits, the first read being the least significant; characters are read from their top
  // bit.
  uint32_t read(int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; ++i) {
      const size_t place = at_ / kBits;
      if (place >= base64_.size()) {
        overrun_ = true;
        return kEnd;
      }
      const uint32_t six = static_cast<uint32_t>(base64_value(base64_[place]));
      value |= (six >> (kBits - 1 - at_ % kBits) & 1) << i;
      ++at_;
    }
    return value;
  }

 private:
  static constexpr size_t kBits = 6;
  std::string_view base64_;
  size_t at_ = 0;
  bool overrun_ = false;
};

class Unpacker {
 public:
  Unpacker(std::string_view base64, size_t units_max, size_t memory_bytes_max)
      : bits_(base64), units_max_(units_max), memory_left_(memory_bytes_max) {}

  Result<std::vector<char16_t>> run() {
    Phrase before{0, 0};
    for (;;) {
      uint32_t code = bits_.read(width_);
      if (bits_.overrun()) return broken("it ends before its end mark");
      if (code == kEnd) return std::move(units_);
      if (code == kLiteral8 || code == kLiteral16) {
        const uint32_t unit = bits_.read(code == kLiteral8 ? 8 : 16);
        if (bits_.overrun()) return broken("it ends inside a character");
        code = add_literal(unit);
      }
      // Entry `next_code()` is the one this very phrase completes: the phrase before plus its own
      // first unit.
      const bool known = code - kFirstCode < phrases_.size();
      if (!known && (code != next_code() || before.size == 0)) {
        return broken("it names an entry that does not exist");
      }
      const Phrase phrase =
          known ? phrases_[code - kFirstCode] : Phrase{before.begin, before.size + 1};
      if (units_.size() + phrase.size > units_max_) return Error{ErrorCode::kTooLarge, too_large()};
      const uint32_t begin = static_cast<uint32_t>(units_.size());
      if (!grow(units_, phrase.size) || !grow(phrases_, kPhrasesAtOnce)) {
        return Error{ErrorCode::kTooLarge, "LZ-string data needs more memory than there is"};
      }
      // Unit by unit: an entry that completes itself overlaps its own output.
      for (uint32_t i = 0; i < phrase.size; ++i) units_.push_back(unit_of(phrase, i));
      if (before.size > 0) add({before.begin, before.size + 1});
      before = {begin, phrase.size};
    }
  }

 private:
  // A code adds the phrase before it; a literal adds itself as well.
  static constexpr size_t kPhrasesAtOnce = 2;
  static constexpr size_t kRoomMin = 1024;

  // Makes room for `more`. False: it would take more memory than there is.
  template <typename T>
  bool grow(std::vector<T>& list, size_t more) {
    if (list.size() + more <= list.capacity()) return true;
    const size_t needed = list.size() + more;
    size_t room = std::max({2 * list.capacity(), needed, kRoomMin});
    // Beside the new room stands the old one while it is copied, which is counted already.
    if (room * sizeof(T) > memory_left_) room = std::max(needed + needed / 8, kRoomMin);
    if (room * sizeof(T) > memory_left_) return false;
    memory_left_ -= room * sizeof(T);
    const size_t old_room = list.capacity();
    list.reserve(room);
    memory_left_ += old_room * sizeof(T);
    return true;
  }

  static constexpr uint32_t kFirstCode = 3;
  static constexpr uint32_t kLiteralMark = 1u << 31;

  static Error broken(const char* why) {
    return {ErrorCode::kDecodeFailed, std::string("LZ-string data is broken: ") + why};
  }
  std::string too_large() const {
    return "decompressed LZ-string data has over " + std::to_string(units_max_) + " characters";
  }

  uint32_t next_code() const { return kFirstCode + static_cast<uint32_t>(phrases_.size()); }

  char16_t unit_of(const Phrase& phrase, uint32_t i) const {
    if ((phrase.begin & kLiteralMark) != 0) return static_cast<char16_t>(phrase.begin & 0xFFFF);
    return units_[phrase.begin + i];
  }

  uint32_t add_literal(uint32_t unit) {
    const uint32_t code = next_code();
    add({kLiteralMark | unit, 1});
    return code;
  }

  // The width grows when the dictionary outgrows it. The first literal does not count.
  void add(Phrase phrase) {
    phrases_.push_back(phrase);
    if (phrases_.size() == 1) {
      width_ = 3;
      until_wider_ = 4;
      return;
    }
    if (--until_wider_ > 0) return;
    until_wider_ = 1u << width_;
    ++width_;
  }

  BitReader bits_;
  size_t units_max_;
  size_t memory_left_;
  std::vector<char16_t> units_;
  std::vector<Phrase> phrases_;
  int width_ = 2;
  uint32_t until_wider_ = 4;
};

void append_utf8(std::string& out, uint32_t point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
    return;
  }
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x800) {
    out += static_cast<char>(0xC0 | point >> 6);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | point >> 12);
    out += tail(6);
  } else {
    out += static_cast<char>(0xF0 | point >> 18);
    out += tail(12);
    out += tail(6);
  }
  out += tail(0);
}

// A unit takes three bytes of UTF-8 at most, and two units of a pair four.
size_t utf8_bytes_at_most(const std::vector<char16_t>& units) {
  size_t bytes = 0;
  for (const char16_t unit : units) bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
  return bytes;
}

std::string to_utf8(const std::vector<char16_t>& units) {
  std::string out;
  out.reserve(utf8_bytes_at_most(units));
  for (size_t i = 0; i < units.size(); ++i) {
    const uint32_t unit = units[i];
    const bool high = unit >= 0xD800 && unit <= 0xDBFF;
    if (high && i + 1 < units.size() && units[i + 1] >= 0xDC00 && units[i + 1] <= 0xDFFF) {
      append_utf8(out, 0x10000 + ((unit - 0xD800) << 10) + (units[i + 1] - 0xDC00u));
      ++i;
    } else {
      append_utf8(out, unit >= 0xD800 && unit <= 0xDFFF ? 0xFFFD : unit);
    }
  }
  return out;
}

}  // namespace

Result<std::string> decompress_lz_base64(std::string_view base64, size_t output_bytes_max,
                                         size_t memory_bytes_max) {
  while (!base64.empty() && base64.back() == '=') base64.remove_suffix(1);
  for (const char c : base64) {
    if (base64_value(c) >= 0) continue;
    return Error{ErrorCode::kDecodeFailed, "LZ-string data is not base64 of the standard alphabet"};
  }
  Result<std::vector<char16_t>> units = Unpacker(base64, output_bytes_max, memory_bytes_max).run();
  if (!units.ok()) return units.error();
  const size_t text_bytes = utf8_bytes_at_most(units.value());
  const size_t units_bytes = units.value().capacity() * sizeof(char16_t);
  if (text_bytes > memory_bytes_max - std::min(units_bytes, memory_bytes_max)) {
    return Error{ErrorCode::kTooLarge, "LZ-string data needs more memory than there is"};
  }
  std::string text = to_utf8(units.value());
  if (text.size() > output_bytes_max) {
    return Error{ErrorCode::kTooLarge, "decompressed LZ-string data has over " +
                                           std::to_string(output_bytes_max) + " bytes"};
  }
  return text;
}

}  // namespace hogflare
