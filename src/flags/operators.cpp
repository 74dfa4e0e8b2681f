#include "flags/operators.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "hogflare/ascii.h"
#include "hogflare/flags_limits.h"
#include "hogflare/text.h"
#include "flags/text.h"

namespace hogflare::flags {
namespace {

struct OperatorName {
  Operator op;
  std::string_view name;
};

constexpr std::array<OperatorName, 35> kOperators = {{
    {Operator::kExact, "exact"},
    {Operator::kIsNot, "is_not"},
    {Operator::kIsSet, "is_set"},
    {Operator::kIsNotSet, "is_not_set"},
    {Operator::kIcontains, "icontains"},
    {Operator::kNotIcontains, "not_icontains"},
    {Operator::kStartsWith, "starts_with"},
    {Operator::kNotStartsWith, "not_starts_with"},
    {Operator::kEndsWith, "ends_with"},
    {Operator::kNotEndsWith, "not_ends_with"},
    {Operator::kIcontainsMulti, "icontains_multi"},
    {Operator::kNotIcontainsMulti, "not_icontains_multi"},
    {Operator::kRegex, "regex"},
    {Operator::kNotRegex, "not_regex"},
    {Operator::kGt, "gt"},
    {Operator::kGte, "gte"},
    {Operator::kLt, "lt"},
    {Operator::kLte, "lte"},
    {Operator::kBetween, "between"},
    {Operator::kNotBetween, "not_between"},
    {Operator::kIsDateExact, "is_date_exact"},
    {Operator::kIsDateBefore, "is_date_before"},
    {Operator::kIsDateAfter, "is_date_after"},
    {Operator::kSemverEq, "semver_eq"},
    {Operator::kSemverNeq, "semver_neq"},
    {Operator::kSemverGt, "semver_gt"},
    {Operator::kSemverGte, "semver_gte"},
    {Operator::kSemverLt, "semver_lt"},
    {Operator::kSemverLte, "semver_lte"},
    {Operator::kSemverTilde, "semver_tilde"},
    {Operator::kSemverCaret, "semver_caret"},
    {Operator::kSemverWildcard, "semver_wildcard"},
    {Operator::kIn, "in"},
    {Operator::kNotIn, "not_in"},
    {Operator::kFlagEvaluatesTo, "flag_evaluates_to"},
}};

bool is_negative(Operator op) {
  switch (op) {
    case Operator::kIsNot:
    case Operator::kIsNotSet:
    case Operator::kNotIcontains:
    case Operator::kNotStartsWith:
    case Operator::kNotEndsWith:
    case Operator::kNotIcontainsMulti:
    case Operator::kNotRegex:
    case Operator::kNotBetween:
      return true;
    default:
      return false;
  }
}

// What a text that is too long does not answer; to the others it is merely no version and so on.
bool looks_into_text(Operator op) {
  return op >= Operator::kIcontains && op <= Operator::kNotRegex;
}

Match to_match(bool matched) { return matched ? Match::kYes : Match::kNo; }

bool looks_boolean(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kBool:
      return true;
    case Value::Kind::kString:
      return equals_ignoring_case(value.text, "true") || equals_ignoring_case(value.text, "false");
    case Value::Kind::kArray:
      return std::all_of(value.items.begin(), value.items.end(), looks_boolean);
    default:
      return false;
  }
}

bool is_truthy(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kBool:
      return value.boolean;
    case Value::Kind::kString:
      return equals_ignoring_case(value.text, "true");
    case Value::Kind::kArray:
      return std::all_of(value.items.begin(), value.items.end(), is_truthy);
    default:
      return false;
  }
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

// Texts and whole numbers print alike everywhere; floats, objects and letters beyond ASCII may not.
bool is_plain(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kBool:
    case Value::Kind::kInteger:
      return true;
    case Value::Kind::kString:
      return is_ascii(value.text);
    case Value::Kind::kArray:
      return std::all_of(value.items.begin(), value.items.end(), is_plain);
    default:
      return false;
  }
}

std::optional<double> number_of(const Value& value) {
  if (value.is_number()) return value.number;
  if (value.is_string()) return parse_number(value.text);
  return std::nullopt;
}

// Takes the bytes of all texts and keys in `value` from `left`; false: they are not there.
bool fits_into(const Value& value, size_t& left) {
  const auto take = [&left](size_t bytes) {
    if (bytes > left) return false;
    left -= bytes;
    return true;
  };
  // None is for nothing, not even an empty text.
  return take(value.text.size() + (value.is_string() && !value.text.empty() ? 0 : 1)) &&
         std::all_of(value.keys.begin(), value.keys.end(),
                     [&](const std::string& key) { return take(key.size()); }) &&
         std::all_of(value.items.begin(), value.items.end(),
                     [&](const Value& item) { return fits_into(item, left); });
}

// Three numbers without leading zeros, or for a wildcard one or two and a star. SDKs drop the rest
// of a version.
bool is_plain_version(std::string_view text, Operator op) {
  size_t parts = 0;
  for (;;) {
    const size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    const bool last = dot == std::string_view::npos;
    if (op == Operator::kSemverWildcard && last) return part == "*" && parts > 0 && parts < 3;
    const bool digits = !part.empty() && std::all_of(part.begin(), part.end(), is_digit);
    if (!digits || (part.size() > 1 && part[0] == '0')) return false;
    ++parts;
    if (last) return parts == 3;
    text.remove_prefix(dot + 1);
  }
}

}  // namespace

std::optional<Operator> operator_from_name(std::string_view name) {
  for (const OperatorName& known : kOperators) {
    if (known.name == name) return known.op;
  }
  return std::nullopt;
}

std::string_view operator_name(Operator op) { return kOperators[static_cast<size_t>(op)].name; }

bool Property::is_too_long() {
  if (value_->is_string()) return value_->text.size() > limits::kFlagPropertyTextBytesMax;
  if ((made_ & kLength) == 0) {
    size_t left = limits::kFlagPropertyTextBytesMax;
    is_too_long_ = !fits_into(*value_, left);
    made_ |= kLength;
  }
  return is_too_long_;
}

const std::string& Property::text() {
  if (value_->is_string()) return value_->text;
  if ((made_ & kText) == 0) {
    text_ = text_form(*value_);
    made_ |= kText;
  }
  return text_;
}

const std::string& Property::ascii_lowered() {
  if ((made_ & kAscii) == 0) {
    ascii_ = ascii_lower(text());
    made_ |= kAscii;
  }
  return ascii_;
}

const std::string& Property::unicode_lowered() {
  if ((made_ & kUnicode) == 0) {
    unicode_ = unicode_lower(text());
    made_ |= kUnicode;
  }
  return unicode_;
}

std::optional<double> Property::number() {
  if ((made_ & kNumber) == 0) {
    if (!is_too_long()) number_ = number_of(*value_);
    made_ |= kNumber;
  }
  return number_;
}

bool Property::is_truthy() {
  if ((made_ & kTruth) == 0) {
    is_truthy_ = flags::is_truthy(*value_);
    made_ |= kTruth;
  }
  return is_truthy_;
}

std::optional<int64_t> Property::instant_us(const MatchContext& context) {
  if ((made_ & kInstant) == 0) {
    if (value_->is_number()) {
      instant_us_ = instant_from_seconds(value_->number);
    } else if (value_->is_string() && !is_too_long()) {
      instant_us_ = parse_date_property(value_->text, context.zone, context.now_ms);
    }
    made_ |= kInstant;
  }
  return instant_us_;
}

Matcher::Matcher() = default;
Matcher::~Matcher() = default;
Matcher::Matcher(Matcher&&) noexcept = default;
Matcher& Matcher::operator=(Matcher&&) noexcept = default;

void Matcher::compile_exact(const Value& operand) {
  boolean_like_ = looks_boolean(operand);
  portable_ = is_plain(operand);
  truthy_ = is_truthy(operand);
  empty_list_ = operand.is_array() && operand.items.empty();
  if (operand.is_array()) {
    for (const Value& item : operand.items) texts_.push_back(unicode_lower(text_form(item)));
    std::sort(texts_.begin(), texts_.end());
  } else {
    texts_.push_back(unicode_lower(text_form(operand)));
  }
}

void Matcher::compile_regex(const Value& operand, Patterns& patterns, std::string& problem) {
  pattern_ = text_form(operand);
  const Patterns::Compiled& compiled = patterns.of(pattern_);
  problem = compiled.problem;
  cannot_run_ = compiled.is_beyond;
  regex_ = compiled.pattern ? &*compiled.pattern : nullptr;
}

void Matcher::compile_between(const Value& operand, std::string& problem) {
  operand_ok_ = false;
  if (operand.is_array() && operand.items.size() == 2) {
    const std::optional<double> low = number_of(operand.items[0]);
    const std::optional<double> high = number_of(operand.items[1]);
    if (low && high && *low <= *high) {
      operand_ok_ = true;
      low_ = *low;
      high_ = *high;
    }
  }
  if (!operand_ok_) problem = "value must be [min, max], two numbers with min not above max";
}

void Matcher::compile_semver(const Value& operand, std::string& problem) {
  const std::string text = text_form(operand);
  const bool is_requirement = op_ >= Operator::kSemverTilde;
  const size_t bytes_max =
      is_requirement ? limits::kVersionRequirementBytesMax : limits::kVersionBytesMax;
  if (text.size() > bytes_max) {
    operand_ok_ = portable_ = false;
    problem =
        fmt::format("a version of {} bytes is none; at most {} are taken", text.size(), bytes_max);
    return;
  }
  operand_ = std::make_unique<Operand>();
  switch (op_) {
    case Operator::kSemverTilde:
      operand_->requirement = VersionRequirement::tilde(text);
      break;
    case Operator::kSemverCaret:
      operand_->requirement = VersionRequirement::caret(text);
      break;
    case Operator::kSemverWildcard:
      operand_->requirement = VersionRequirement::wildcard(text);
      break;
    default:
      operand_->version = parse_version(text);
  }
  operand_ok_ = operand_->requirement.has_value() || operand_->version.has_value();
  // No SDK reads `>1.0, <2.0` or `x` so: such texts are inconclusive there, or some other version.
  portable_ = operand_ok_ && is_plain_version(text, op_);
  if (!operand_ok_) {
    problem = fmt::format(
        "'{}' is not a version; write up to three numbers, such as 1.2.3{}", text,
        op_ == Operator::kSemverWildcard ? ", or 1.2.*, or comparators, such as >=1.2, <2" : "");
  }
}

Matcher Matcher::compile(Operator op, const Value* operand, const TimeZone& zone,
                         Patterns& patterns, std::string& problem) {
  Matcher matcher;
  matcher.op_ = op;
  matcher.has_operand_ = operand != nullptr && !operand->is_null();
  if (op == Operator::kIsSet || op == Operator::kIsNotSet) return matcher;
  if (!matcher.has_operand_) {
    problem = "value is missing or null, so the filter never matches; give a value";
    return matcher;
  }
  switch (op) {
    case Operator::kExact:
    case Operator::kIsNot:
      matcher.compile_exact(*operand);
      break;
    case Operator::kIcontains:
    case Operator::kNotIcontains:
    case Operator::kStartsWith:
    case Operator::kNotStartsWith:
    case Operator::kEndsWith:
    case Operator::kNotEndsWith:
      matcher.texts_.push_back(ascii_lower(text_form(*operand)));
      // SDKs write a list or an object in their language's way.
      matcher.portable_ = !operand->is_array() && is_plain(*operand);
      break;
    case Operator::kIcontainsMulti:
    case Operator::kNotIcontainsMulti:
      if (operand->is_array()) {
        for (const Value& item : operand->items) {
          matcher.texts_.push_back(ascii_lower(text_form(item)));
        }
      } else {
        matcher.texts_.push_back(ascii_lower(text_form(*operand)));
      }
      break;
    case Operator::kRegex:
    case Operator::kNotRegex:
      matcher.compile_regex(*operand, patterns, problem);
      break;
    case Operator::kGt:
    case Operator::kGte:
    case Operator::kLt:
    case Operator::kLte:
      matcher.operand_ok_ = number_of(*operand).has_value();
      matcher.low_ = number_of(*operand).value_or(0);
      if (!matcher.operand_ok_) problem = "value must be a number or a text that reads as one";
      break;
    case Operator::kBetween:
    case Operator::kNotBetween:
      matcher.compile_between(*operand, problem);
      break;
    case Operator::kIsDateExact:
    case Operator::kIsDateBefore:
    case Operator::kIsDateAfter:
      matcher.operand_ = std::make_unique<Operand>();
      if (operand->is_string()) matcher.operand_->date = parse_date_filter(operand->text, zone);
      matcher.portable_ = operand->is_string() && is_portable_date(operand->text, zone);
      if (!matcher.operand_->date.is_date()) {
        problem = "value must be a date text, such as -7d, 2025-06-15 or 2025-06-15T12:00:00Z";
      }
      break;
    case Operator::kIn:
    case Operator::kNotIn:
    case Operator::kFlagEvaluatesTo:
      matcher.operand_ok_ = false;
      problem = fmt::format("operator '{}' needs a filter of type {}", operator_name(op),
                            op == Operator::kFlagEvaluatesTo ? "flag" : "cohort");
      break;
    case Operator::kSemverEq:
    case Operator::kSemverNeq:
    case Operator::kSemverGt:
    case Operator::kSemverGte:
    case Operator::kSemverLt:
    case Operator::kSemverLte:
    case Operator::kSemverTilde:
    case Operator::kSemverCaret:
    case Operator::kSemverWildcard:
      matcher.compile_semver(*operand, problem);
      break;
    case Operator::kIsSet:
    case Operator::kIsNotSet:
      break;  // need no operand
  }
  return matcher;
}

bool Matcher::operand_is_portable(int matching_version) const {
  if (!has_operand_ || !operand_ok_ || !portable_) return false;
  // Comparing truth is the service's alone, unless it comes to the same: all texts are "true".
  if (!boolean_like_ || matching_version != 1) return !empty_list_;
  return truthy_ && !empty_list_;
}

bool Matcher::is_exact(Property& property, int matching_version) const {
  // Version 1 first compares truth, when the filter is all booleans (an empty list counts as such);
  // version 2 keeps that for the empty list alone.
  if (boolean_like_ && (matching_version == 1 || empty_list_)) {
    return property.is_truthy() == truthy_;
  }
  if (property.is_too_long()) return false;
  const std::string& lowered = property.unicode_lowered();
  if (texts_.size() == 1) return texts_[0] == lowered;
  return std::binary_search(texts_.begin(), texts_.end(), lowered);
}

bool Matcher::contains_any(Property& property) const {
  const std::string& text = property.ascii_lowered();
  return std::any_of(texts_.begin(), texts_.end(), [&](const std::string& needle) {
    return text.find(needle) != std::string::npos;
  });
}

Match Matcher::match_number(Property& property) const {
  const std::optional<double> number = property.number();
  if (!number || !operand_ok_) return Match::kError;
  switch (op_) {
    case Operator::kGt:
      return to_match(*number > low_);
    case Operator::kGte:
      return to_match(*number >= low_);
    case Operator::kLt:
      return to_match(*number < low_);
    default:
      return to_match(*number <= low_);
  }
}

Match Matcher::match_between(Property& property) const {
  const std::optional<double> number = property.number();
  if (!number || !operand_ok_) return Match::kError;
  if (std::isnan(*number)) return Match::kNo;  // neither between nor not between
  const bool inside = *number >= low_ && *number <= high_;
  return to_match(inside == (op_ == Operator::kBetween));
}

Match Matcher::match_date(Property& property, const MatchContext& context) const {
  const std::optional<int64_t> edge = operand_->date.instant_us(context.now_ms, context.zone);
  const std::optional<int64_t> instant = property.instant_us(context);
  if (!edge || !instant) return Match::kNo;
  switch (op_) {
    case Operator::kIsDateExact:
      return to_match(*instant == *edge);
    case Operator::kIsDateBefore:
      return to_match(*instant < *edge);
    default:
      return to_match(*instant > *edge);
  }
}

Match Matcher::match_semver(Property& property) const {
  if (property.is_too_long()) return Match::kNo;
  const std::optional<Version> version = parse_version(property.text());
  if (!version) return Match::kNo;  // semver_neq too, and before the operand is looked at
  if (!operand_ok_) return Match::kError;
  if (operand_->requirement) return to_match(operand_->requirement->matches(*version));
  const int order = compare(*version, *operand_->version);
  switch (op_) {
    case Operator::kSemverEq:
      return to_match(order == 0);
    case Operator::kSemverNeq:
      return to_match(order != 0);
    case Operator::kSemverGt:
      return to_match(order > 0);
    case Operator::kSemverGte:
      return to_match(order >= 0);
    case Operator::kSemverLt:
      return to_match(order < 0);
    default:
      return to_match(order <= 0);
  }
}

Match Matcher::match(Property& property, const MatchContext& context) const {
  const bool present = property.value() != nullptr;
  if (op_ == Operator::kIsSet) return to_match(present);
  if (op_ == Operator::kIsNotSet) return to_match(!present);
  if (!has_operand_) return Match::kNo;
  if (op_ == Operator::kIn || op_ == Operator::kNotIn || op_ == Operator::kFlagEvaluatesTo) {
    return Match::kError;
  }
  if (!present) return to_match(is_negative(op_));
  if (looks_into_text(op_) && property.is_too_long()) return Match::kTooLong;
  switch (op_) {
    case Operator::kExact:
      return to_match(is_exact(property, context.matching_version));
    case Operator::kIsNot:
      return to_match(!is_exact(property, context.matching_version));
    case Operator::kIcontains:
    case Operator::kIcontainsMulti:
      return to_match(contains_any(property));
    case Operator::kNotIcontains:
    case Operator::kNotIcontainsMulti:
      return to_match(!contains_any(property));
    case Operator::kStartsWith:
    case Operator::kNotStartsWith: {
      const bool starts = property.ascii_lowered().compare(0, texts_[0].size(), texts_[0]) == 0;
      return to_match(starts == (op_ == Operator::kStartsWith));
    }
    case Operator::kEndsWith:
    case Operator::kNotEndsWith: {
      const std::string& text = property.ascii_lowered();
      const bool ends =
          text.size() >= texts_[0].size() &&
          text.compare(text.size() - texts_[0].size(), std::string::npos, texts_[0]) == 0;
      return to_match(ends == (op_ == Operator::kEndsWith));
    }
    case Operator::kRegex:
    case Operator::kNotRegex:
      // An invalid pattern matches in neither direction.
      if (regex_ == nullptr) return cannot_run_ ? Match::kUnknown : Match::kNo;
      return to_match(regex_->found_in(property.text()) == (op_ == Operator::kRegex));
    case Operator::kGt:
    case Operator::kGte:
    case Operator::kLt:
    case Operator::kLte:
      return match_number(property);
    case Operator::kBetween:
    case Operator::kNotBetween:
      return match_between(property);
    case Operator::kIsDateExact:
    case Operator::kIsDateBefore:
    case Operator::kIsDateAfter:
      return match_date(property, context);
    case Operator::kSemverEq:
    case Operator::kSemverNeq:
    case Operator::kSemverGt:
    case Operator::kSemverGte:
    case Operator::kSemverLt:
    case Operator::kSemverLte:
    case Operator::kSemverTilde:
    case Operator::kSemverCaret:
    case Operator::kSemverWildcard:
      return match_semver(property);
    case Operator::kIsSet:
    case Operator::kIsNotSet:
    case Operator::kIn:
    case Operator::kNotIn:
    case Operator::kFlagEvaluatesTo:
      break;  // answered above
  }
  return Match::kError;
}

}  // namespace hogflare::flags
