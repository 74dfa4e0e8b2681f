// UUIDs: parsed at the border, version 5 for people (deterministic), version 7 for events without
// one. Sources: RFC 9562; I-4.2 for the namespace.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hogflare/task.h"

namespace hogflare {

class Uuid {
 public:
  // Accepts the hyphenated form, 32 hex digits without hyphens, "{…}" and "urn:uuid:…", as the Rust
  // uuid crate that PostHog's capture uses does. Letters of either case.
  static std::optional<Uuid> try_parse(std::string_view text);
  // RFC 9562 §5.7: 48 bits of Unix time in ms, then random.
  static Uuid version_7(int64_t now_ms, Entropy& entropy);
  // RFC 9562 §5.5 over `name_space` and `name`.
  static Uuid version_5(const Uuid& name_space, std::string_view name);
  // The uuid PostHog gives the person of a distinct_id: version 5 of "{team_id}:{distinct_id}" in
  // namespace 932979b4-65c3-4424-8467-0b66ec27bc22.
  static Uuid of_person(int64_t team_id, std::string_view distinct_id);

  // 36 characters, lower case.
  std::string text() const;
  bool operator==(const Uuid& other) const = default;

 private:
  // Over `name` and, directly behind it, `rest`.
  static Uuid version_5(const Uuid& name_space, std::string_view name, std::string_view rest);
  explicit Uuid(const std::array<uint8_t, 16>& bytes) : bytes_(bytes) {}
  std::array<uint8_t, 16> bytes_;
};

}  // namespace hogflare
