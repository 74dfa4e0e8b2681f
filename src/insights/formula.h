// Formulas over series: A + 2 * B, by letters of the series.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hogflare::insights {

// Only + - * / % **, signs, numbers, letters and parentheses. Division by zero gives 0, as in
// PostHog.
class Formula {
 public:
  // nullopt with `error` set when the text is none, or names a letter beyond `series`.
  static std::optional<Formula> parse(std::string_view text, size_t series, std::string& error);
  double at(const std::vector<double>& values) const;

 private:
  friend struct FormulaParser;
  struct Step {
    char op;  // 'n' number, 'v' value, '~' minus sign, + - * / % ^
    double number;
    size_t index;
  };
  std::vector<Step> steps_;  // in reverse Polish order
};

}  // namespace hogflare::insights
