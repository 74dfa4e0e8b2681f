// Regular expressions as PostHog's service reads them (Rust's regex and fancy-regex crates),
// written out for RE2, which runs in linear time and bounded memory.
//
//   std::string problem;
//   std::optional<Pattern> pattern = Pattern::compile("^\\w+$", problem);
//   pattern->found_in("Müller") == true
//
// Differences that are translated: \w \d \s \b are Unicode; `(?<n>a)`, `(?x)`, `(?#note)`,
// `\u00e9`, `\h`,
// `\e`, `\Z`, `\<`, `x{,2}`, `a{1001}`, `[a-z&&[^b]]`, a possessive or atomic repeat that nothing
// could shorten. Look-around, back-references and what else needs backtracking is a problem.
//
// How \w and \b become small and linear: a subject's letters beyond ASCII that the pattern does not
// name are all alike to it, so they are replaced by one letter, one digit, one space and one other
// character; for \b the subject gets a mark at every place between two characters, which ^ and $
// look at too. docs/FLAGS.md has the table.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/flags_limits.h"

namespace re2 {
class RE2;
}

namespace hogflare::flags {

// First and last code point.
struct Points {
  uint32_t first;
  uint32_t last;
};

// What the patterns of one document may still take together. What did not compile took time, and
// counts too.
struct PatternBudget {
  size_t bytes = limits::kRegexesBytesMax;  // of programs, with what running them keeps
  size_t translated_bytes = limits::kRegexesTranslatedBytesMax;

  bool is_spent() const { return bytes == 0 || translated_bytes == 0; }
};

enum class Captures : uint8_t { kAsWritten, kNever };

// `text` as RE2 reads it, in as little memory as does for it; never null, but perhaps not ok().
std::unique_ptr<re2::RE2> compile_re2(std::string_view text, Captures captures,
                                      PatternBudget& budget);

class Pattern {
 public:
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;

  // Absent with the reason in `problem` when it is no pattern, or when RE2 cannot run it within
  // limits::kRegexBytesMax and the budget; then `is_beyond` is set: the service runs it.
  static std::optional<Pattern> compile(std::string_view pattern, PatternBudget& budget,
                                        std::string& problem, bool& is_beyond);
  static std::optional<Pattern> compile(std::string_view pattern, std::string& problem) {
    PatternBudget budget;
    bool is_beyond = false;
    return compile(pattern, budget, problem, is_beyond);
  }

  // Whether the pattern matches anywhere. Time linear in the text.
  bool found_in(std::string_view text) const;
  // Spellings that mean something else to JavaScript or Python, where SDKs and editors try
  // patterns.
  const std::vector<std::string>& notes() const { return notes_; }
  // What RE2 runs.
  const std::string& translated() const;

 private:
  Pattern();
  std::string prepare(std::string_view text) const;
  uint32_t stand_in(uint32_t point) const;

  std::unique_ptr<re2::RE2> regex_;
  bool is_marked_ = false;
  int marks_ = 1;
  bool is_projected_ = true;
  std::vector<std::string> notes_;
  std::vector<Points> kept_;  // sorted; what the pattern names beyond ASCII
};

}  // namespace hogflare::flags
