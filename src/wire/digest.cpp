#include "hogflare/digest.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <cstring>

namespace hogflare {
namespace {

// Both hashes work on blocks of this size, which is where HMAC pads the key to.
constexpr size_t kBlockBytes = 64;

struct Sha1Hash {
  using Digest = Sha1Digest;
  SHA_CTX state;
  Sha1Hash() { SHA1_Init(&state); }
  void update(const void* bytes, size_t size) { SHA1_Update(&state, bytes, size); }
  Digest finish() {
    Digest digest;
    SHA1_Final(digest.data(), &state);
    return digest;
  }
};

struct Sha256Hash {
  using Digest = Sha256Digest;
  SHA256_CTX state;
  Sha256Hash() { SHA256_Init(&state); }
  void update(const void* bytes, size_t size) { SHA256_Update(&state, bytes, size); }
  Digest finish() {
    Digest digest;
    SHA256_Final(digest.data(), &state);
    return digest;
  }
};

struct Sha512Hash {
  using Digest = Sha512Digest;
  SHA512_CTX state;
  Sha512Hash() { SHA512_Init(&state); }
  void update(const void* bytes, size_t size) { SHA512_Update(&state, bytes, size); }
  Digest finish() {
    Digest digest;
    SHA512_Final(digest.data(), &state);
    return digest;
  }
};

template <typename Hash>
typename Hash::Digest hash_of(std::string_view bytes) {
  Hash hash;
  hash.update(bytes.data(), bytes.size());
  return hash.finish();
}

template <typename Hash>
typename Hash::Digest hmac(std::string_view key, std::string_view message) {
  std::array<uint8_t, kBlockBytes> block{};
  if (key.size() > kBlockBytes) {
    const auto digest = hash_of<Hash>(key);
    std::memcpy(block.data(), digest.data(), digest.size());
  } else if (!key.empty()) {
    std::memcpy(block.data(), key.data(), key.size());
  }
  for (uint8_t& byte : block) byte ^= 0x36;
  Hash inner;
  inner.update(block.data(), block.size());
  inner.update(message.data(), message.size());
  const auto inner_digest = inner.finish();
  for (uint8_t& byte : block) byte ^= 0x36 ^ 0x5C;
  Hash outer;
  outer.update(block.data(), block.size());
  outer.update(inner_digest.data(), inner_digest.size());
  return outer.finish();
}

}  // namespace

Sha1Digest sha1(std::string_view bytes) { return hash_of<Sha1Hash>(bytes); }
Sha256Digest sha256(std::string_view bytes) { return hash_of<Sha256Hash>(bytes); }
Sha512Digest sha512(std::string_view bytes) { return hash_of<Sha512Hash>(bytes); }

Sha1Digest hmac_sha1(std::string_view key, std::string_view message) {
  return hmac<Sha1Hash>(key, message);
}

Sha256Digest hmac_sha256(std::string_view key, std::string_view message) {
  return hmac<Sha256Hash>(key, message);
}

bool constant_time_equal(std::string_view left, std::string_view right) {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace hogflare
