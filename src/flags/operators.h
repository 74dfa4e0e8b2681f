// The property operators of PostHog's flag filters, compiled.
//
// A `Matcher` is one filter's operator with everything its operand needs done once: texts folded,
// numbers read, the pattern compiled. A `Property` is one property of one request, whose text forms
// are made at most once however many filters look at it.
//
//   Property property(&value);
//   matcher.match(property, {.now_ms = now, .matching_version = 1, .zone = zone}) == Match::kYes
//
// Source: F-4 (PostHog: rust/feature-flags/src/properties/property_matching.rs).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/flags_value.h"
#include "flags/dates.h"
#include "flags/patterns.h"
#include "flags/semver.h"

namespace hogflare::flags {

enum class Operator : uint8_t {
  kExact,
  kIsNot,
  kIsSet,
  kIsNotSet,
  kIcontains,
  kNotIcontains,
  kStartsWith,
  kNotStartsWith,
  kEndsWith,
  kNotEndsWith,
  kIcontainsMulti,
  kNotIcontainsMulti,
  kRegex,
  kNotRegex,
  kGt,
  kGte,
  kLt,
  kLte,
  kBetween,
  kNotBetween,
  kIsDateExact,
  kIsDateBefore,
  kIsDateAfter,
  kSemverEq,
  kSemverNeq,
  kSemverGt,
  kSemverGte,
  kSemverLt,
  kSemverLte,
  kSemverTilde,
  kSemverCaret,
  kSemverWildcard,
  kIn,
  kNotIn,
  kFlagEvaluatesTo,
};

// Compares versions: every format of flags takes a version as its operand.
constexpr bool is_semver(Operator op) {
  return op >= Operator::kSemverEq && op <= Operator::kSemverWildcard;
}

std::optional<Operator> operator_from_name(std::string_view name);
std::string_view operator_name(Operator op);

// kUnknown: the service answers, and what runs here cannot (a pattern that needs backtracking).
// kTooLong: the operator would look into a text over limits::kFlagPropertyTextBytesMax.
enum class Match : uint8_t { kNo, kYes, kError, kUnknown, kTooLong };

struct MatchContext {
  int64_t now_ms;
  int matching_version;  // 1 or 2, F-4.1
  const TimeZone& zone;
};

// A property as the operators see it; absent when made from nullptr. What is made of it is made
// once, however many filters look at it.
class Property {
 public:
  Property() = default;
  explicit Property(const Value* value) : value_(value) {}

  const Value* value() const { return value_; }
  // Whether its text is longer than any operator looks into. The texts below are of others only.
  bool is_too_long();
  const std::string& text();
  const std::string& ascii_lowered();
  const std::string& unicode_lowered();
  // The number it is or its text reads as; a text that is too long is none.
  std::optional<double> number();
  // Whether it counts as true, a list where all of its items do.
  bool is_truthy();
  // The instant it is or its text reads as, of one evaluation: always with the same context.
  std::optional<int64_t> instant_us(const MatchContext& context);

 private:
  enum : uint8_t {
    kText = 1,
    kAscii = 2,
    kUnicode = 4,
    kNumber = 8,
    kLength = 16,
    kTruth = 32,
    kInstant = 64
  };
  const Value* value_ = nullptr;
  uint8_t made_ = 0;
  bool is_too_long_ = false;
  bool is_truthy_ = false;
  std::string text_;
  std::string ascii_;
  std::string unicode_;
  std::optional<double> number_;
  std::optional<int64_t> instant_us_;
};

class Matcher {
 public:
  Matcher();
  ~Matcher();
  Matcher(Matcher&&) noexcept;
  Matcher& operator=(Matcher&&) noexcept;

  // Compiles `op` with `operand` (nullptr: the filter has no value); needs `patterns` as long as it
  // lives. `problem` is set to what makes
  // the operand useless; such a matcher still answers as the service would.
  static Matcher compile(Operator op, const Value* operand, const TimeZone& zone,
                         Patterns& patterns, std::string& problem);

  Match match(Property& property, const MatchContext& context) const;
  Operator op() const { return op_; }
  // The text of a regex operator's pattern.
  std::string_view pattern() const { return pattern_; }
  // Pattern::notes of a regex that runs.
  std::vector<std::string> notes() const {
    return regex_ != nullptr ? regex_->notes() : std::vector<std::string>();
  }
  // Whether the SDKs read the operand as match() does.
  bool operand_is_portable(int matching_version) const;

 private:
  // What few filters have, apart, so that the others are small.
  struct Operand {
    DateFilter date;
    std::optional<Version> version;
    std::optional<VersionRequirement> requirement;
  };

  void compile_exact(const Value& operand);
  void compile_regex(const Value& operand, Patterns& patterns, std::string& problem);
  void compile_between(const Value& operand, std::string& problem);
  void compile_semver(const Value& operand, std::string& problem);
  bool is_exact(Property& property, int matching_version) const;
  bool contains_any(Property& property) const;
  Match match_number(Property& property) const;
  Match match_between(Property& property) const;
  Match match_date(Property& property, const MatchContext& context) const;
  Match match_semver(Property& property) const;

  Operator op_ = Operator::kExact;
  bool has_operand_ = false;
  bool boolean_like_ = false;
  bool truthy_ = false;
  bool empty_list_ = false;
  bool operand_ok_ = true;
  bool portable_ = true;
  bool cannot_run_ = false;
  std::vector<std::string> texts_;  // kExact: sorted
  double low_ = 0;
  double high_ = 0;
  std::string pattern_;
  const Pattern* regex_ = nullptr;    // of the document's patterns
  std::unique_ptr<Operand> operand_;  // of dates and versions
};

}  // namespace hogflare::flags
