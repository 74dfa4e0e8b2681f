#include "hogflare/uuid.h"

#include <openssl/sha.h>

#include <cstring>

namespace hogflare {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void set_version(std::array<uint8_t, 16>& bytes, uint8_t version) {
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | (version << 4));
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3F) | 0x80);
}

// True where the 36-character form has a hyphen.
bool hyphen_at(size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

}  // namespace

std::optional<Uuid> Uuid::try_parse(std::string_view text) {
  constexpr std::string_view kUrn = "urn:uuid:";
  if (text.substr(0, kUrn.size()) == kUrn) {
    text.remove_prefix(kUrn.size());
  } else if (text.size() == 38 && text.front() == '{' && text.back() == '}') {
    text = text.substr(1, 36);
  }
  const bool hyphenated = text.size() == 36;
  if (!hyphenated && text.size() != 32) return std::nullopt;
  std::array<uint8_t, 16> bytes{};
  size_t digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (hyphenated && hyphen_at(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int digit = hex_digit(text[i]);
    if (digit < 0) return std::nullopt;
    bytes[digits / 2] = static_cast<uint8_t>(bytes[digits / 2] << 4 | digit);
    ++digits;
  }
  return Uuid(bytes);
}

Uuid Uuid::version_7(int64_t now_ms, Entropy& entropy) {
  std::array<uint8_t, 16> bytes{};
  for (size_t i = 0; i < 6; ++i) bytes[i] = static_cast<uint8_t>(now_ms >> (40 - 8 * i));
  const uint64_t high = entropy.next();
  const uint64_t low = entropy.next();
  bytes[6] = static_cast<uint8_t>(high >> 8);
  bytes[7] = static_cast<uint8_t>(high);
  std::memcpy(&bytes[8], &low, 8);
  set_version(bytes, 7);
  return Uuid(bytes);
}

Uuid Uuid::version_5(const Uuid& name_space, std::string_view name) {
  SHA_CTX sha;
  std::array<uint8_t, SHA_DIGEST_LENGTH> digest;
  SHA1_Init(&sha);
  SHA1_Update(&sha, name_space.bytes_.data(), name_space.bytes_.size());
  SHA1_Update(&sha, name.data(), name.size());
  SHA1_Final(digest.data(), &sha);
  std::array<uint8_t, 16> bytes;
  std::memcpy(bytes.data(), digest.data(), bytes.size());
  set_version(bytes, 5);
  return Uuid(bytes);
}

Uuid Uuid::of_person(int64_t team_id, std::string_view distinct_id) {
  static constexpr std::array<uint8_t, 16> kPersonNamespace = {
      0x93, 0x29, 0x79, 0xb4, 0x65, 0xc3, 0x44, 0x24,
      0x84, 0x67, 0x0b, 0x66, 0xec, 0x27, 0xbc, 0x22};
  std::string name = std::to_string(team_id);
  name += ':';
  name += distinct_id;
  return version_5(Uuid(kPersonNamespace), name);
}

std::string Uuid::text() const {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out(36, '-');
  size_t at = 0;
  for (const uint8_t byte : bytes_) {
    if (hyphen_at(at)) ++at;
    out[at++] = kHex[byte >> 4];
    out[at++] = kHex[byte & 0xF];
  }
  return out;
}

}  // namespace hogflare
