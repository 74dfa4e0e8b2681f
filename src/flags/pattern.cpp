#include "flags/pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "flags/pattern_syntax.h"
#include "flags/text.h"
#include "hogflare/flags_limits.h"

namespace hogflare::flags {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

}  // namespace

Pattern::Pattern() = default;
Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

std::optional<Pattern> Pattern::compile(std::string_view pattern, std::string& problem,
                                        bool& is_beyond) {
  is_beyond = pattern.size() > limits::kRegexPatternBytesMax;
  if (is_beyond) {
    problem = fmt::format("pattern is {} bytes long; at most {} are allowed", pattern.size(),
                          limits::kRegexPatternBytesMax);
    return std::nullopt;
  }
  std::optional<Translation> translation = translate_pattern(pattern, problem, is_beyond);
  if (!translation) return std::nullopt;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(limits::kRegexBytesMax);
  Pattern compiled;
  compiled.regex_ = std::make_unique<re2::RE2>(translation->text, options);
  if (!compiled.regex_->ok()) {
    is_beyond = compiled.regex_->error_code() == re2::RE2::ErrorPatternTooLarge;
    problem = is_beyond
                  ? fmt::format(
                        "pattern '{}' compiles to more than {} bytes; make its repetitions smaller",
                        pattern, limits::kRegexBytesMax)
                  : fmt::format("pattern '{}' is not a valid regular expression: {}", pattern,
                                compiled.regex_->error());
    return std::nullopt;
  }
  compiled.is_marked_ = translation->is_marked;
  compiled.marks_ = translation->marks;
  compiled.is_projected_ = translation->is_projected;
  compiled.kept_ = std::move(translation->kept);
  compiled.notes_ = std::move(translation->notes);
  return compiled;
}

const std::string& Pattern::translated() const { return regex_->pattern(); }

bool Pattern::found_in(std::string_view text) const {
  if (!is_marked_ && (!is_projected_ || is_ascii(text))) {
    return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *regex_);
  }
  return re2::RE2::PartialMatch(prepare(text), *regex_);
}

uint32_t Pattern::stand_in(uint32_t point) const {
  if (point < 0x80) return point;
  if (!is_projected_) return point >= 0xfdd0 && point <= 0xfdef ? 0xfffd : point;
  if (point == kLongS || point == kKelvin) return point;
  const auto after =
      std::upper_bound(kept_.begin(), kept_.end(), point,
                       [](uint32_t value, const Points& range) { return value < range.first; });
  if (after != kept_.begin() && point <= (after - 1)->last) return point;
  if (is_digit_point(point)) return kSomeDigit;
  if (is_word_point(point)) return kSomeLetter;
  return is_space_point(point) ? kSomeSpace : kSomeOther;
}

std::string Pattern::prepare(std::string_view text) const {
  std::string out;
  out.reserve(text.size() * (is_marked_ ? static_cast<size_t>(marks_) * 3 + 2 : 1));
  bool was_word = false;
  Before before = Before::kText;
  const auto mark = [&](bool is_word, Behind behind) {
    if (!is_marked_) return;
    const Edge edge = is_word == was_word ? Edge::kNone
                      : is_word           ? Edge::kWordStart
                                          : Edge::kWordEnd;
    const uint32_t point = mark_of(edge, before, behind);
    for (int i = 0; i < marks_; ++i) append_utf8(point, out);
    was_word = is_word;
  };
  for (size_t at = 0; at < text.size();) {
    const Decoded next = decode(text, at);
    at += next.bytes;
    const bool is_newline = next.point == '\n';
    mark(is_word_point(next.point), is_newline ? Behind::kNewline : Behind::kOther);
    before = is_newline ? Before::kNewline : Before::kOther;
    append_utf8(next.point == kNotUtf8 ? 0xfffd : stand_in(next.point), out);
  }
  mark(false, Behind::kText);
  return out;
}

}  // namespace hogflare::flags
