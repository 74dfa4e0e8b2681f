#include "cut.h"

#include <algorithm>

#include "hogflare/limits.h"
#include "hogflare/result.h"

namespace hogflare::rows {
namespace {

class Cutter {
 public:
  Cutter(std::string_view raw, size_t bytes_max) : raw_(raw), bytes_max_(bytes_max) {}

  std::string run() {
    while (at_ < raw_.size() && step()) {
    }
    std::string out(raw_.substr(0, kept_));
    out += kept_close_;
    return out;
  }

 private:
  // False: no more fits.
  bool step() {
    switch (raw_[at_]) {
      case '"':
        return is_key_next_ ? skip_key() : take_text();
      case '{':
      case '[':
        open_.insert(open_.begin(), raw_[at_] == '{' ? '}' : ']');
        is_key_next_ = raw_[at_] == '{';
        ++at_;
        return keep();
      case '}':
      case ']':
        HF_ASSERT(!open_.empty());
        open_.erase(0, 1);
        ++at_;
        return keep();
      case ',':
        is_key_next_ = !open_.empty() && open_[0] == '}';
        ++at_;
        return true;
      case ' ':
      case '\t':
      case '\r':
      case '\n':
        ++at_;
        return true;
      default:
        at_ = std::min(raw_.find_first_of(",]} \t\r\n", at_), raw_.size());
        return keep();
    }
  }

  // Notes that everything before at_ may stay, when there is room to close it.
  bool keep() {
    if (at_ + open_.size() > bytes_max_) return false;
    kept_ = at_;
    kept_close_ = open_;
    return true;
  }

  // The place behind the character or escape at `from`; of a pair of surrogates behind both.
  size_t behind(size_t from) const {
    const auto byte = static_cast<unsigned char>(raw_[from]);
    if (byte == '\\') {
      if (raw_[from + 1] != 'u') return from + 2;
      const bool is_high = (raw_[from + 2] | 0x20) == 'd' &&
                           (raw_[from + 3] == '8' || raw_[from + 3] == '9' ||
                            (raw_[from + 3] | 0x20) == 'a' || (raw_[from + 3] | 0x20) == 'b');
      return from + (is_high ? 12 : 6);
    }
    return from + (byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4);
  }

  bool skip_key() {
    for (++at_; raw_[at_] != '"';) at_ = behind(at_);
    at_ = raw_.find(':', at_) + 1;
    is_key_next_ = false;
    return at_ < bytes_max_;
  }

  bool take_text() {
    const size_t begin = at_++;
    size_t fits = 0;  // where the text may be cut
    while (raw_[at_] != '"') {
      if (at_ + 1 + open_.size() > bytes_max_) break;
      fits = at_;
      at_ = behind(at_);
    }
    if (raw_[at_] == '"' && at_ + 1 + open_.size() <= bytes_max_) {
      ++at_;
      return keep();
    }
    if (fits > begin) {
      kept_ = fits;
      kept_close_ = '"' + open_;
    }
    at_ = begin;
    return false;
  }

  std::string_view raw_;
  size_t bytes_max_;
  size_t at_ = 0;
  bool is_key_next_ = false;
  std::string open_;  // what closes the open lists and objects, innermost first
  size_t kept_ = 0;
  std::string kept_close_;
};

}  // namespace

std::string cut_json(std::string_view raw, size_t bytes_max) {
  if (raw.size() <= bytes_max) return std::string(raw);
  return Cutter(raw, bytes_max).run();
}

}  // namespace hogflare::rows
