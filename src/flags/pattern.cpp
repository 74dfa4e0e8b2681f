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

// What RE2 may use for a pattern is for its program, and for the states that it finds on the way
// through a text. A program that has this many bytes for each of its instructions finds room for
// all the states that patterns usually have.
constexpr int64_t kBytesPerInstruction = 1'024;
constexpr int64_t kMemorySteps[] = {limits::kRegexBytesMax / 8, limits::kRegexBytesMax / 2,
                                    limits::kRegexBytesMax};
// Of that memory a third is for programs that run backwards, which nobody here needs, and the
// states get half of what the program leaves.
constexpr size_t used_of(int64_t memory) { return static_cast<size_t>(memory) * 3 / 8; }

void spend(size_t& left, size_t bytes) { left -= std::min(left, bytes); }

}  // namespace

std::unique_ptr<re2::RE2> compile_re2(std::string_view text, Captures captures,
                                      PatternBudget& budget) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(captures == Captures::kNever);
  std::unique_ptr<re2::RE2> regex;
  for (const int64_t memory : kMemorySteps) {
    options.set_max_mem(memory);
    regex = std::make_unique<re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
    const bool is_cramped = regex->ok() ? regex->ProgramSize() * kBytesPerInstruction > memory
                                        : regex->error_code() == re2::RE2::ErrorPatternTooLarge;
    if (is_cramped && memory < limits::kRegexBytesMax) continue;
    spend(budget.bytes, used_of(memory));
    break;
  }
  return regex;
}

Pattern::Pattern() = default;
Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

std::optional<Pattern> Pattern::compile(std::string_view pattern, PatternBudget& budget,
                                        std::string& problem, bool& is_beyond) {
  is_beyond = pattern.size() > limits::kRegexPatternBytesMax;
  if (is_beyond) {
    problem = fmt::format("pattern is {} bytes long; at most {} are allowed", pattern.size(),
                          limits::kRegexPatternBytesMax);
    return std::nullopt;
  }
  size_t translated_bytes = 0;
  std::optional<Translation> translation =
      translate_pattern(pattern, problem, is_beyond, translated_bytes);
  spend(budget.translated_bytes, translated_bytes);
  if (!translation) return std::nullopt;
  Pattern compiled;
  compiled.regex_ = compile_re2(translation->text, Captures::kNever, budget);
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
