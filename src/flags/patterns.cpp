#include "flags/patterns.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <utility>

#include "hogflare/flags_limits.h"

namespace hogflare::flags {
namespace {

// Why RE2 refuses it, in words that say what to do.
std::string regex_problem(std::string_view pattern, const re2::RE2& regex) {
  for (const std::string_view look : {"(?=", "(?!", "(?<=", "(?<!"}) {
    if (pattern.find(look) != std::string_view::npos) {
      return fmt::format(
          "pattern '{}' uses look-around ({}), which the linear-time engine cannot run; rewrite "
          "it, for instance as a second filter with not_regex",
          pattern, look);
    }
  }
  if (regex.error_code() == re2::RE2::ErrorBadEscape) {
    return fmt::format(
        "pattern '{}' uses {}, which the linear-time engine cannot run (back-references are the "
        "usual case); rewrite it without",
        pattern, regex.error_arg());
  }
  if (regex.error_code() == re2::RE2::ErrorPatternTooLarge) {
    return fmt::format("pattern '{}' compiles to more than {} bytes; make its repetitions smaller",
                       pattern, limits::kRegexBytesMax);
  }
  return fmt::format("pattern '{}' is not a valid regular expression: {}", pattern, regex.error());
}

std::string spent_problem(std::string_view pattern) {
  return fmt::format(
      "pattern '{}' cannot run: the document's other patterns take all of the {} bytes that there "
      "are for them; use fewer different ones, or smaller repetitions",
      pattern.substr(0, limits::kRegexPatternBytesMax), limits::kRegexesBytesMax);
}

}  // namespace

Patterns::Patterns() = default;
Patterns::~Patterns() = default;

const Patterns::Compiled& Patterns::of(std::string_view pattern) {
  const auto known = compiled_.find(pattern);
  if (known != compiled_.end()) return known->second;
  Compiled compiled;
  if (budget_.is_spent()) {
    compiled.problem = spent_problem(pattern);
    compiled.is_beyond = true;
  } else {
    compiled.pattern = Pattern::compile(pattern, budget_, compiled.problem, compiled.is_beyond);
  }
  return compiled_.emplace(std::string(pattern), std::move(compiled)).first->second;
}

const Patterns::Plain& Patterns::plain(std::string_view pattern) {
  const auto known = plain_.find(pattern);
  if (known != plain_.end()) return known->second;
  Plain plain;
  if (pattern.size() > limits::kRegexPatternBytesMax) {
    plain.problem = fmt::format("pattern is {} bytes long; at most {} are allowed", pattern.size(),
                                limits::kRegexPatternBytesMax);
  } else if (budget_.is_spent()) {
    plain.problem = spent_problem(pattern);
  } else {
    plain.regex = compile_re2(pattern, Captures::kAsWritten, budget_);
    if (!plain.regex->ok()) {
      plain.problem = regex_problem(pattern, *plain.regex);
      plain.regex.reset();
    }
  }
  return plain_.emplace(std::string(pattern), std::move(plain)).first->second;
}

}  // namespace hogflare::flags
