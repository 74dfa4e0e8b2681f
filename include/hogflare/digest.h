// SHA-1, SHA-256, SHA-512 and HMAC (RFC 2104) over OpenSSL's low-level hash functions: EVP would
// bring the whole provider machinery into the module.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace hogflare {

using Sha1Digest = std::array<uint8_t, 20>;
using Sha256Digest = std::array<uint8_t, 32>;
using Sha512Digest = std::array<uint8_t, 64>;

Sha1Digest sha1(std::string_view bytes);
Sha256Digest sha256(std::string_view bytes);
Sha512Digest sha512(std::string_view bytes);
Sha1Digest hmac_sha1(std::string_view key, std::string_view message);
Sha256Digest hmac_sha256(std::string_view key, std::string_view message);

// Lower-case hexadecimal.
template <size_t kSize>
std::string to_hex(const std::array<uint8_t, kSize>& digest) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(kSize * 2);
  for (const uint8_t byte : digest) {
    out += kHex[byte >> 4];
    out += kHex[byte & 0xF];
  }
  return out;
}

// Compares secrets without telling by its duration where they differ; lengths are no secret.
bool constant_time_equal(std::string_view left, std::string_view right);

}  // namespace hogflare
