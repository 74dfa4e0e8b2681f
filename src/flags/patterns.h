// The regular expressions of one document: equal ones are compiled once, and all together stay
// within what a PatternBudget has.
//
//   Patterns patterns;
//   const Patterns::Compiled& compiled = patterns.of("^\\w+$");
//   compiled.pattern->found_in("Müller") == true
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "flags/pattern.h"

namespace hogflare::flags {

class Patterns {
 public:
  Patterns();
  ~Patterns();
  Patterns(const Patterns&) = delete;
  Patterns& operator=(const Patterns&) = delete;

  // What is returned stays where it is as long as the patterns live.
  struct Compiled {
    std::optional<Pattern> pattern;  // absent: see `problem`
    std::string problem;
    bool is_beyond = false;  // the service runs it, here it cannot run
  };
  const Compiled& of(std::string_view pattern);

  // The same for the short dialect, whose patterns RE2 reads as they are.
  struct Plain {
    std::unique_ptr<re2::RE2> regex;  // null: see `problem`
    std::string problem;
  };
  const Plain& plain(std::string_view pattern);

 private:
  PatternBudget budget_;
  std::map<std::string, Compiled, std::less<>> compiled_;
  std::map<std::string, Plain, std::less<>> plain_;
};

}  // namespace hogflare::flags
