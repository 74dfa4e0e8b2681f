// OpenSSL 3 calls the streaming SHA-1 functions deprecated; they are the ones that neither allocate
// nor look a provider up, which matters at two hashes per flag and request.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "src/flags/hash.h"

#include <openssl/sha.h>

#include <cstdint>
#include <initializer_list>

namespace hogflare::flags {
namespace {

uint64_t sha1_first_64_bits(std::initializer_list<std::string_view> parts) {
  SHA_CTX context;
  SHA1_Init(&context);
  for (const std::string_view part : parts) SHA1_Update(&context, part.data(), part.size());
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1_Final(digest, &context);
  uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits = (bits << 8) | digest[i];
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

}  // namespace hogflare::flags
