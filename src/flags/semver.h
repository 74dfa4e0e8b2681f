// Versions and version requirements for the semver_* operators.
//
//   std::optional<Version> version = parse_version("v3.08");                      // 3.8.0
//   VersionRequirement::caret("1.2")->matches(*version);                           // false
//   VersionRequirement::wildcard(">=3.1, <4")->matches(*version);                  // true
//
// Source: F-4.4: versions and requirements are those of the Rust crate `semver`: SemVer 2 order,
// except that build metadata takes part; a requirement takes a pre-release only when a comparator
// of it names its triple with one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hogflare::flags {

struct Version {
  std::array<uint64_t, 3> triple{};
  std::string pre_release;
  std::string build;
};

// Cleans (one leading `v`, then white space, leading zeros, missing parts) and reads a version. A
// text over limits::kVersionBytesMax is none.
std::optional<Version> parse_version(std::string_view text);

// Negative, zero or positive, as left is below, equal to or above right.
int compare(const Version& left, const Version& right);

// One comparison of a requirement: `>=1.2`, `~1.2.3`, `1.x`, or `1.2`, which means `^1.2`.
struct VersionComparator {
  enum class Op : uint8_t { kExact, kGreater, kGreaterEq, kLess, kLessEq, kTilde, kCaret };

  bool matches(const Version& version) const;

  Op op = Op::kCaret;
  size_t parts = 0;  // how many of `triple` are given: 1 to 3; what is not given matches anything
  std::array<uint64_t, 3> triple{};
  std::string pre_release;  // only with three parts
};

// Comparators that must all match; none of them: every release. Nothing is returned for a text that
// is no requirement to the crate, or over limits::kVersionRequirementBytesMax.
class VersionRequirement {
 public:
  // `text` cleaned as a version is, behind `~` or `^`. A list is taken here too: `1.2.3, <1.2.9`.
  static std::optional<VersionRequirement> tilde(std::string_view text);
  static std::optional<VersionRequirement> caret(std::string_view text);
  // `text` without its leading `v` and white space, `*` read as `x`: `1.*`, `x`, `>1.0, <2.0`.
  static std::optional<VersionRequirement> wildcard(std::string_view text);

  bool matches(const Version& version) const;

 private:
  static std::optional<VersionRequirement> parse(std::string_view text);

  std::vector<VersionComparator> comparators_;
};

}  // namespace hogflare::flags
