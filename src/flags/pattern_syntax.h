// The reading half of pattern.h: from the service's syntax to RE2's text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flags/pattern.h"

namespace hogflare::flags {

// What characters beyond ASCII that a pattern does not name are replaced by; marks between the characters
// of a subject: a word starts, a word ends, neither. All are noncharacters, which no pattern may name. Each
// mark stands kMarkCopies times, so that so many assertions in a row find one.
inline constexpr uint32_t kWordStart = 0xfdd0;
inline constexpr uint32_t kWordEnd = 0xfdd1;
inline constexpr uint32_t kNoBoundary = 0xfdd2;
inline constexpr uint32_t kSomeLetter = 0xfdd3;
inline constexpr uint32_t kSomeDigit = 0xfdd4;
inline constexpr uint32_t kSomeSpace = 0xfdd5;
inline constexpr uint32_t kSomeOther = 0xfdd6;
inline constexpr int kMarkCopies = 2;
// Letters beyond ASCII that (?i) takes for s and k; they stay as they are.
inline constexpr uint32_t kLongS = 0x17f;
inline constexpr uint32_t kKelvin = 0x212a;

struct Translation {
  std::string text;
  bool is_marked = false;
  bool is_projected = true;
  std::vector<Points> kept;
  // Spellings that other engines read otherwise, each a sentence; none twice.
  std::vector<std::string> notes;
};

// `problem` says what RE2 cannot run or what is wrong.
std::optional<Translation> translate_pattern(std::string_view pattern, std::string& problem);

}  // namespace hogflare::flags
