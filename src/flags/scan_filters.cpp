// What a JSON reader hides of a flag's filters. Source: PostHog, config_v2/raw.rs.
#include <re2/re2.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "flags/json_literals.h"
#include "flags/rules.h"

namespace hogflare::flags {
namespace {

// No percentage needs a larger exponent.
constexpr int kExponentMax = 1'000'000;

// The digits of a number as written, without point and trailing zeros, and how many of them stand
// behind the point.
struct Written {
  std::string digits;
  int decimals = 0;
};

Written written(std::string_view text) {
  Written out;
  size_t i = 0;
  bool behind_point = false;
  for (; i < text.size() && text[i] != 'e' && text[i] != 'E'; ++i) {
    if (text[i] == '.') behind_point = true;
    if (text[i] < '0' || text[i] > '9') continue;
    out.digits.push_back(text[i]);
    if (behind_point) ++out.decimals;
  }
  while (!out.digits.empty() && out.digits.back() == '0') {
    out.digits.pop_back();
    --out.decimals;
  }
  if (i == text.size()) return out;
  int exponent = 0;
  bool negative = false;
  for (++i; i < text.size(); ++i) {
    if (text[i] == '-') negative = true;
    if (text[i] < '0' || text[i] > '9') continue;
    exponent = std::min(exponent * 10 + (text[i] - '0'), kExponentMax);
  }
  out.decimals += negative ? exponent : -exponent;
  return out;
}

bool is_percentage(std::string_view name) {
  return name == "rollout_percentage" || name == "weight" || name == "exclusion_percentage";
}

// Follows the parser and writes down the path inside each `filters`.
class FilterScan {
 public:
  using json = nlohmann::json;

  bool null() { return value(); }
  bool boolean(bool) { return value(); }
  bool number_integer(int64_t) { return value(); }
  bool number_unsigned(uint64_t) { return value(); }
  bool number_float(double number, const std::string& text) {
    value();
    if (faults_ == nullptr) return true;
    const Written digits = written(text);
    if (number == 0 && !digits.digits.empty()) faults_->underflows = true;
    const Frame& frame = frames_.back();
    if (frame.is_object && is_percentage(frame.key) && !digits.digits.empty() &&
        digits.decimals > 2) {
      faults_->decimals.insert(path(filters_depth_));
    }
    return true;
  }
  bool string(std::string&) { return value(); }
  bool binary(json::binary_t&) { return false; }
  bool start_object(size_t) {
    value();
    const bool begins = faults_ == nullptr && is_filters();
    if (begins) {
      faults_ = &found_[path(0)];
      *faults_ = TextFaults{};  // the last of two counts
    }
    frames_.emplace_back().is_object = true;
    if (begins) filters_depth_ = frames_.size() - 1;
    return true;
  }
  bool end_object() {
    frames_.pop_back();
    if (faults_ != nullptr && frames_.size() == filters_depth_) faults_ = nullptr;
    return true;
  }
  bool start_array(size_t) {
    value();
    frames_.emplace_back();
    return true;
  }
  bool end_array() {
    frames_.pop_back();
    return true;
  }
  bool key(std::string& name) {
    Frame& frame = frames_.back();
    frame.key = name;
    if (faults_ != nullptr && !frame.seen.insert(name).second) faults_->has_duplicates = true;
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) { return false; }

  std::map<std::string, TextFaults> take() { return std::move(found_); }

 private:
  struct Frame {
    bool is_object = false;
    size_t next = 0;  // of the elements of an array
    std::string key;
    std::set<std::string> seen;  // within filters only
  };

  bool value() {
    if (!frames_.empty() && !frames_.back().is_object) ++frames_.back().next;
    return true;
  }

  // The document is a list of flags or has it under "flags".
  bool is_filters() const {
    const size_t list = frames_.empty() || !frames_[0].is_object ? 0 : 1;
    if (frames_.size() != list + 2 || (list == 1 && frames_[0].key != "flags")) return false;
    return !frames_[list].is_object && frames_[list + 1].is_object &&
           frames_[list + 1].key == "filters";
  }

  std::string path(size_t from) const {
    std::string out = from == 0 && !frames_[0].is_object ? "flags" : "";
    for (size_t i = from; i < frames_.size(); ++i) {
      const Frame& frame = frames_[i];
      if (frame.is_object) {
        if (!out.empty()) out.push_back('.');
        out.append(frame.key);
      } else {
        out.append("[").append(std::to_string(frame.next - 1)).append("]");
      }
    }
    return out;
  }

  std::vector<Frame> frames_;
  std::map<std::string, TextFaults> found_;
  TextFaults* faults_ = nullptr;  // of the filters at hand
  size_t filters_depth_ = 0;
};

}  // namespace

std::map<std::string, TextFaults> scan_filters(std::string_view json) {
  const std::optional<std::string> rewritten = rewrite_literals(json);
  const std::string_view input = rewritten ? std::string_view(*rewritten) : json;
  FilterScan scan;
  nlohmann::json::sax_parse(input.begin(), input.end(), &scan);
  return scan.take();
}

}  // namespace hogflare::flags
