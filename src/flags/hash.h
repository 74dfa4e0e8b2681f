// The two hashes that decide who is in a rollout. They are never mixed: a definition in PostHog's
// format uses `hash01`, one in the seed's dialect uses `seed_bucket`.
//
//   bool in = hash01("beta-search.", "user-17", "") <= 25.0 / 100.0;
//   bool seed_in = seed_bucket("alpha", "user-1") < 25;
//
// Source: F-3.1 and F-12.1.
#pragma once

#include <string>
#include <string_view>

namespace hogflare::flags {

// SHA-1 of the three texts joined, its first 60 bits as a fraction in [0, 1]. The bits are turned
// into a double before the division, so that the rounding is PostHog's.
double hash01(std::string_view prefix, std::string_view identifier, std::string_view salt);

// SHA-1 of "salt:identifier", its first 64 bits modulo 100.
int seed_bucket(std::string_view salt, std::string_view identifier);

// SHA-1 of `bytes` as 40 hex digits; names a body for its ETag.
std::string sha1_hex(std::string_view bytes);

}  // namespace hogflare::flags
