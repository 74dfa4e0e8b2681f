// Versions and version ranges for the semver_* operators.
//
//   std::optional<Version> version = parse_version("v3.08");       // 3.8.0
//   VersionRange::caret("1.2")->contains(*version);                // false
//
// Source: F-4.4, which follows the Rust crate `semver`: SemVer 2 order, except that
// build metadata takes part; ranges admit a pre-release only when they name its triple.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hogflare::flags {

struct Version {
  std::array<uint64_t, 3> triple{};
  std::string pre_release;
  std::string build;
};

// Cleans (one leading `v`, then white space, leading zeros, missing parts) and reads a version.
std::optional<Version> parse_version(std::string_view text);

// Negative, zero or positive, as left is below, equal to or above right.
int compare(const Version& left, const Version& right);

// A half-open range [low, high), or everything.
class VersionRange {
 public:
  static std::optional<VersionRange> tilde(std::string_view text);
  static std::optional<VersionRange> caret(std::string_view text);
  static std::optional<VersionRange> wildcard(std::string_view text);

  bool contains(const Version& version) const;

 private:
  Version low_;
  std::optional<std::array<uint64_t, 3>> high_;  // exclusive; absent: no upper end
};

}  // namespace hogflare::flags
