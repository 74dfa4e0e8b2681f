#include "flags/hash.h"

#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <initializer_list>

namespace hogflare::flags {
namespace {

using Digest = std::array<unsigned char, SHA_DIGEST_LENGTH>;

// The streaming functions neither allocate nor look a provider up, which matters at two hashes per
// flag and request.
Digest sha1(std::initializer_list<std::string_view> parts) {
  SHA_CTX context;
  SHA1_Init(&context);
  for (const std::string_view part : parts) SHA1_Update(&context, part.data(), part.size());
  Digest digest;
  SHA1_Final(digest.data(), &context);
  return digest;
}

uint64_t sha1_first_64_bits(std::initializer_list<std::string_view> parts) {
  const Digest digest = sha1(parts);
  uint64_t bits = 0;
  for (size_t i = 0; i < 8; ++i) bits = (bits << 8) | digest[i];
  return bits;
}

}  // namespace

double hash01(std::string_view prefix, std::string_view identifier, std::string_view salt) {
  const uint64_t bits = sha1_first_64_bits({prefix, identifier, salt}) >> 4;
  return static_cast<double>(bits) / 1152921504606846976.0;  // 2^60
}

int seed_bucket(std::string_view salt, std::string_view identifier) {
  return static_cast<int>(sha1_first_64_bits({salt, ":", identifier}) % 100);
}

std::string sha1_hex(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : sha1({bytes})) {
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 0xf]);
  }
  return out;
}

}  // namespace hogflare::flags
