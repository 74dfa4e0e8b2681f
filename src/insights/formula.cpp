#include "insights/formula.h"

#include <fmt/format.h>

#include <cmath>

#include "hogflare/insights_limits.h"
#include "insights/view.h"

namespace hogflare::insights {
struct FormulaParser {
  std::string_view text;
  size_t series;
  std::string& error;
  Formula out;
  int depth = 0;

  void skip() {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\n'))
      text.remove_prefix(1);
  }
  bool take(std::string_view token) {
    skip();
    if (text.substr(0, token.size()) != token) return false;
    text.remove_prefix(token.size());
    return true;
  }
  bool fail(std::string why) {
    if (error.empty()) error = std::move(why);
    return false;
  }
  void push(char op) { out.steps_.push_back({op, 0, 0}); }

  bool sum() {
    if (!product()) return false;
    while (true) {
      if (take("+")) {
        if (!product()) return false;
        push('+');
      } else if (take("-")) {
        if (!product()) return false;
        push('-');
      } else {
        return true;
      }
    }
  }
  bool product() {
    if (!sign()) return false;
    while (true) {
      skip();
      if (text.substr(0, 2) == "**") return fail("a power stands where none can");
      const char op = text.empty() ? ' ' : text.front();
      if (op != '*' && op != '/' && op != '%') return true;
      text.remove_prefix(1);
      if (!sign()) return false;
      push(op);
    }
  }
  bool sign() {
    if (++depth > 100) return fail("is nested too deeply");
    bool ok = false;
    if (take("-")) {
      ok = sign();
      push('~');
    } else if (take("+")) {
      ok = sign();
    } else {
      ok = power();
    }
    --depth;
    return ok;
  }
  // ** binds tighter than a sign on its left and takes one on its right, as in Python.
  bool power() {
    if (!atom()) return false;
    if (!take("**")) return true;
    if (!sign()) return false;
    push('^');
    return true;
  }
  bool atom() {
    skip();
    if (text.empty()) return fail("ends where a value is missing");
    const char c = text.front();
    if (take("(")) {
      if (!sum()) return false;
      return take(")") || fail("has an open parenthesis");
    }
    const char letter = static_cast<char>(c & ~0x20);
    if (letter >= 'A' && letter <= 'Z') {
      text.remove_prefix(1);
      const char next = text.empty() ? ' ' : static_cast<char>(text.front() & ~0x20);
      if ((next >= 'A' && next <= 'Z') || (!text.empty() && text.front() == '(')) {
        return fail("names a function: only + - * / % ** and letters of series are done");
      }
      const size_t index = static_cast<size_t>(letter - 'A');
      if (index >= series)
        return fail(fmt::format("names {}, but there are {} series", letter, series));
      out.steps_.push_back({'v', 0, index});
      return true;
    }
    // Digits and a point only: an exponent's E is a series.
    const std::string_view digits = text.substr(0, text.find_first_not_of("0123456789."));
    const std::optional<double> number = number_in_text(digits);
    if (!number) return fail(fmt::format("has '{}' where a value is missing", c));
    text.remove_prefix(digits.size());
    out.steps_.push_back({'n', *number, 0});
    return true;
  }
};

std::optional<Formula> Formula::parse(std::string_view text, size_t series, std::string& error) {
  if (text.size() > limits::kFormulaBytesMax) {
    error = "is too long";
    return std::nullopt;
  }
  FormulaParser parser{.text = text, .series = series, .error = error, .out = {}};
  if (!parser.sum()) return std::nullopt;
  parser.skip();
  if (!parser.text.empty()) {
    error = fmt::format("has '{}' where it should end", parser.text.front());
    return std::nullopt;
  }
  return std::move(parser.out);
}

double Formula::at(const std::vector<double>& values) const {
  std::vector<double> stack;
  for (const Step& step : steps_) {
    if (step.op == 'n' || step.op == 'v') {
      stack.push_back(step.op == 'n' ? step.number : values[step.index]);
      continue;
    }
    double right = stack.back();
    if (step.op == '~') {
      stack.back() = -right;
      continue;
    }
    stack.pop_back();
    double& left = stack.back();
    switch (step.op) {
      case '+':
        left += right;
        break;
      case '-':
        left -= right;
        break;
      case '*':
        left *= right;
        break;
      case '/':
        left = right == 0 ? 0 : left / right;
        break;
      case '%':
        left = right == 0 ? 0 : left - right * std::floor(left / right);
        break;
      default:
        left = std::pow(left, right);
    }
    if (!std::isfinite(left)) left = 0;
  }
  return stack.back();
}

}  // namespace hogflare::insights
