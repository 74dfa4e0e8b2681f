// The reading half of pattern.h: from the service's syntax to RE2's text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flags/pattern.h"

namespace hogflare::flags {

// For patterns with \b, marks stand between the characters of a subject, and each says all that an
// assertion asks of its place: is it a word's edge, what is before, what is behind. `^` and `$` ask
// marks too then, so that assertions can stand in any order. Each mark stands as often as the
// pattern has assertions in a row. Characters beyond ASCII that a pattern does not name are
// replaced. All of these are noncharacters, which no pattern may name.
enum class Edge : uint8_t { kNone, kWordStart, kWordEnd };
enum class Before : uint8_t { kOther, kText, kNewline };  // kText: the text begins here
enum class Behind : uint8_t { kOther, kText, kNewline };  // kText: the text ends here
inline constexpr uint32_t kFirstMark = 0xfdd0;
inline constexpr uint32_t kMarks = 27;
inline constexpr uint32_t kLastMark = kFirstMark + kMarks - 1;
// Assertions in a row, and so copies of a mark; each copy takes three bytes a character.
inline constexpr int kMarkCopiesMax = 3;
constexpr uint32_t mark_of(Edge edge, Before before, Behind behind) {
  return kFirstMark + static_cast<uint32_t>(edge) * 9 + static_cast<uint32_t>(before) * 3 +
         static_cast<uint32_t>(behind);
}
inline constexpr uint32_t kSomeLetter = 0xfdeb;
inline constexpr uint32_t kSomeDigit = 0xfdec;
inline constexpr uint32_t kSomeSpace = 0xfded;
inline constexpr uint32_t kSomeOther = 0xfdee;
// Letters beyond ASCII that (?i) takes for s and k; they stay as they are.
inline constexpr uint32_t kLongS = 0x17f;
inline constexpr uint32_t kKelvin = 0x212a;

struct Translation {
  std::string text;
  bool is_marked = false;
  // Copies of each mark.
  int marks = 1;
  bool is_projected = true;
  std::vector<Points> kept;
  // Spellings that other engines read otherwise, each a sentence; none twice.
  std::vector<std::string> notes;
};

// `problem` says what RE2 cannot run or what is wrong; `is_beyond` is set for the former, which the
// service would run. `bytes`: how much was written, also where it came to nothing.
std::optional<Translation> translate_pattern(std::string_view pattern, std::string& problem,
                                             bool& is_beyond, size_t& bytes);

}  // namespace hogflare::flags
