#include "flags/semver.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "flags/text.h"
#include "hogflare/ascii.h"
#include "hogflare/flags_limits.h"

namespace hogflare::flags {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

std::optional<uint64_t> parse_part(std::string_view text) {
  if (!all_digits(text)) return std::nullopt;
  uint64_t value = 0;
  for (const char c : text) {
    const auto digit = static_cast<uint64_t>(c - '0');
    if (value > (std::numeric_limits<uint64_t>::max() - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

// The parts of a text between dots, one after the other; none of them is kept.
class Parts {
 public:
  explicit Parts(std::string_view text) : rest_(text) {}

  // False: there are no more. An empty text is one empty part.
  bool next(std::string_view& part) {
    if (is_over_) return false;
    const size_t dot = rest_.find('.');
    is_over_ = dot == std::string_view::npos;
    part = rest_.substr(0, dot);
    if (!is_over_) rest_.remove_prefix(dot + 1);
    return true;
  }

 private:
  std::string_view rest_;
  bool is_over_ = false;
};

// Dot-separated identifiers of [0-9A-Za-z-]; numeric ones of a pre-release without leading zero.
enum class LeadingZero : uint8_t { kAllowed, kRefused };

bool is_identifier_char(char c) { return is_alphanumeric(c) || c == '-'; }

bool valid_identifiers(std::string_view text, LeadingZero leading_zero) {
  Parts parts(text);
  for (std::string_view part; parts.next(part);) {
    if (part.empty() || !std::all_of(part.begin(), part.end(), is_identifier_char)) return false;
    if (leading_zero == LeadingZero::kRefused && all_digits(part) && part.size() > 1 &&
        part[0] == '0') {
      return false;
    }
  }
  return true;
}

std::string_view clean(std::string_view text) {
  if (!text.empty() && text[0] == 'v') text.remove_prefix(1);
  return trim(text);
}

int compare_numeric_text(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
  return left.compare(right);
}

std::string_view without_leading_zeros(std::string_view text) {
  const size_t first = text.find_first_not_of('0');
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

// Identifier by identifier: numeric ones as numbers and below the others; a prefix is below.
int compare_identifiers(std::string_view left, std::string_view right) {
  Parts lefts(left);
  Parts rights(right);
  for (std::string_view one, other;;) {
    const bool has_left = lefts.next(one);
    const bool has_right = rights.next(other);
    if (!has_left || !has_right) return static_cast<int>(has_left) - static_cast<int>(has_right);
    const bool left_number = all_digits(one);
    const bool right_number = all_digits(other);
    int order = 0;
    if (left_number && right_number) {
      order = compare_numeric_text(without_leading_zeros(one), without_leading_zeros(other));
      // Build metadata may hold zeros in front: 01 is above 1.
      if (order == 0) order = compare_numeric_text(one, other);
    } else if (left_number != right_number) {
      order = left_number ? -1 : 1;
    } else {
      order = one.compare(other);
    }
    if (order != 0) return order;
  }
}

// A release, which has none, is above every pre-release.
int compare_pre_releases(std::string_view left, std::string_view right) {
  if (left.empty() || right.empty()) {
    return static_cast<int>(left.empty()) - static_cast<int>(right.empty());
  }
  return compare_identifiers(left, right);
}

// What the service makes of a version before the crate reads it: numbers before the first `-` or
// `+` without leading zeros, missing ones as zeros, and all else as it stands.
std::string canonical(std::string_view text) {
  const size_t core_end = std::min(text.find_first_of("-+"), text.size());
  std::string out;
  size_t count = 0;
  Parts parts(text.substr(0, core_end));
  for (std::string_view part; parts.next(part);) {
    if (count++ > 0) out += '.';
    const std::string_view bare = all_digits(part) ? without_leading_zeros(part) : part;
    out += bare.empty() && !part.empty() ? "0" : bare;
  }
  for (; count < 3; ++count) out += ".0";
  out += text.substr(core_end);
  return out;
}

// The crate's grammar of requirements. Every reader takes its part from the front, or fails.
class RequirementReader {
 public:
  explicit RequirementReader(std::string_view text) : text_(text) {}

  std::optional<std::vector<VersionComparator>> read() {
    std::vector<VersionComparator> comparators;
    skip_spaces();
    if (take_wildcard()) {
      skip_spaces();
      if (!text_.empty()) return std::nullopt;
      return comparators;
    }
    do {
      skip_spaces();
      if (comparators.size() == limits::kVersionComparatorsMax) return std::nullopt;
      if (!read_comparator(comparators.emplace_back())) return std::nullopt;
      skip_spaces();
    } while (take(','));
    if (!text_.empty()) return std::nullopt;
    return comparators;
  }

 private:
  using Op = VersionComparator::Op;

  bool take(char wanted) {
    if (text_.empty() || text_[0] != wanted) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool take_wildcard() { return take('*') || take('x') || take('X'); }

  void skip_spaces() {
    while (take(' ')) {
    }
  }

  // False: none is written.
  bool read_op(Op& op) {
    if (take('=')) {
      op = Op::kExact;
    } else if (take('>')) {
      op = take('=') ? Op::kGreaterEq : Op::kGreater;
    } else if (take('<')) {
      op = take('=') ? Op::kLessEq : Op::kLess;
    } else if (take('~')) {
      op = Op::kTilde;
    } else if (take('^')) {
      op = Op::kCaret;
    } else {
      return false;
    }
    return true;
  }

  bool read_number(uint64_t& number) {
    const size_t length = std::min(text_.find_first_not_of("0123456789"), text_.size());
    const std::string_view digits = text_.substr(0, length);
    const std::optional<uint64_t> part = parse_part(digits);
    if (!part || (length > 1 && digits[0] == '0')) return false;
    number = *part;
    text_.remove_prefix(length);
    return true;
  }

  // Behind its `-` or `+`.
  bool read_identifiers(LeadingZero leading_zero, std::string& identifiers) {
    const size_t length = static_cast<size_t>(
        std::find_if_not(text_.begin(), text_.end(),
                         [](char c) { return c == '.' || is_identifier_char(c); }) -
        text_.begin());
    identifiers = text_.substr(0, length);
    text_.remove_prefix(length);
    return valid_identifiers(identifiers, leading_zero);
  }

  bool read_comparator(VersionComparator& comparator) {
    const bool has_op = read_op(comparator.op);
    skip_spaces();
    if (!read_number(comparator.triple[0])) return false;
    comparator.parts = 1;
    bool has_wildcard = false;
    for (size_t part = 1; part < 3 && take('.'); ++part) {
      if (take_wildcard()) {
        // `1.x` is all of 1, not what is compatible with it.
        if (!has_op) comparator.op = Op::kExact;
        has_wildcard = true;
      } else if (has_wildcard || !read_number(comparator.triple[part])) {
        return false;
      } else {
        comparator.parts = part + 1;
      }
    }
    if (comparator.parts < 3) return true;
    if (take('-') && !read_identifiers(LeadingZero::kRefused, comparator.pre_release)) return false;
    // Builds do not take part in a requirement, but they must be well formed.
    std::string build;
    return !take('+') || read_identifiers(LeadingZero::kAllowed, build);
  }

  std::string_view text_;
};

}  // namespace

std::optional<Version> parse_version(std::string_view text) {
  if (text.size() > limits::kVersionBytesMax) return std::nullopt;
  text = clean(text);
  Version version;
  const size_t plus = text.find('+');
  if (plus != std::string_view::npos) {
    version.build = std::string(text.substr(plus + 1));
    if (!valid_identifiers(version.build, LeadingZero::kAllowed)) return std::nullopt;
    text = text.substr(0, plus);
  }
  const size_t dash = text.find('-');
  if (dash != std::string_view::npos) {
    version.pre_release = std::string(text.substr(dash + 1));
    if (!valid_identifiers(version.pre_release, LeadingZero::kRefused)) return std::nullopt;
    text = text.substr(0, dash);
  }
  Parts parts(text);
  size_t count = 0;
  for (std::string_view part; parts.next(part); ++count) {
    const std::optional<uint64_t> number = parse_part(part);
    if (count == version.triple.size() || !number) return std::nullopt;
    version.triple[count] = *number;
  }
  return version;
}

int compare(const Version& left, const Version& right) {
  if (left.triple != right.triple) return left.triple < right.triple ? -1 : 1;
  const int order = compare_pre_releases(left.pre_release, right.pre_release);
  if (order != 0) return order;
  if (left.build.empty() != right.build.empty()) return left.build.empty() ? -1 : 1;
  return left.build.empty() ? 0 : compare_identifiers(left.build, right.build);
}

bool VersionComparator::matches(const Version& version) const {
  size_t equal = 0;
  while (equal < parts && version.triple[equal] == triple[equal]) ++equal;
  const bool is_within = equal == parts;  // no given part differs
  // A whole triple goes on to the pre-release; within a part of one, as in `>1.2`, nothing is above
  // or below, and what is no release is not equal either.
  int order = 0;
  if (!is_within) {
    order = version.triple[equal] < triple[equal] ? -1 : 1;
  } else if (parts == 3) {
    order = compare_pre_releases(version.pre_release, pre_release);
  }
  const bool is_exact = is_within && version.pre_release == pre_release;
  switch (op) {
    case Op::kExact:
      return is_exact;
    case Op::kGreater:
      return order > 0;
    case Op::kGreaterEq:
      return order > 0 || is_exact;
    case Op::kLess:
      return order < 0;
    case Op::kLessEq:
      return order < 0 || is_exact;
    case Op::kTilde:
      if (parts < 3) return is_exact;
      return equal >= 2 && order >= 0;
    case Op::kCaret:
      break;
  }
  // The first part that is not zero stays, and those before it.
  size_t fixed = 1;
  while (fixed < parts && triple[fixed - 1] == 0) ++fixed;
  return equal >= fixed && order >= 0;
}

std::optional<VersionRequirement> VersionRequirement::parse(std::string_view text) {
  std::optional<std::vector<VersionComparator>> comparators = RequirementReader(text).read();
  if (!comparators) return std::nullopt;
  VersionRequirement requirement;
  requirement.comparators_ = std::move(*comparators);
  return requirement;
}

std::optional<VersionRequirement> VersionRequirement::tilde(std::string_view text) {
  if (text.size() > limits::kVersionRequirementBytesMax) return std::nullopt;
  return parse("~" + canonical(clean(text)));
}

std::optional<VersionRequirement> VersionRequirement::caret(std::string_view text) {
  if (text.size() > limits::kVersionRequirementBytesMax) return std::nullopt;
  return parse("^" + canonical(clean(text)));
}

std::optional<VersionRequirement> VersionRequirement::wildcard(std::string_view text) {
  if (text.size() > limits::kVersionRequirementBytesMax) return std::nullopt;
  std::string cleaned(clean(text));
  std::replace(cleaned.begin(), cleaned.end(), '*', 'x');
  return parse(cleaned);
}

bool VersionRequirement::matches(const Version& version) const {
  const auto matches = [&](const VersionComparator& comparator) {
    return comparator.matches(version);
  };
  if (!std::all_of(comparators_.begin(), comparators_.end(), matches)) return false;
  const auto names_pre_release = [&](const VersionComparator& comparator) {
    return !comparator.pre_release.empty() && comparator.triple == version.triple;
  };
  return version.pre_release.empty() ||
         std::any_of(comparators_.begin(), comparators_.end(), names_pre_release);
}

}  // namespace hogflare::flags
