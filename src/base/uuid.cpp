#include "hogflare/uuid.h"

#include <openssl/sha.h>

#include <charconv>
#include <cstring>

namespace hogflare {
namespace {

constexpr uint8_t kNoDigit = 0xFF;

constexpr std::array<uint8_t, 256> make_hex_values() {
  std::array<uint8_t, 256> values{};
  for (uint8_t& value : values) value = kNoDigit;
  for (uint8_t i = 0; i < 10; ++i) values[static_cast<size_t>('0' + i)] = i;
  for (uint8_t i = 0; i < 6; ++i) {
    values[static_cast<size_t>('a' + i)] = static_cast<uint8_t>(10 + i);
    values[static_cast<size_t>('A' + i)] = static_cast<uint8_t>(10 + i);
  }
  return values;
}

constexpr std::array<uint8_t, 256> kHexValues = make_hex_values();

uint8_t hex_digit(char c) { return kHexValues[static_cast<unsigned char>(c)]; }

void set_version(std::array<uint8_t, 16>& bytes, uint8_t version) {
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | (version << 4));
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3F) | 0x80);
}

// True when the 36-character form has a hyphen before this byte.
bool hyphen_before(size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

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
  std::array<uint8_t, 16> bytes;
  size_t at = 0;
  // What is no digit has all bits set: one look at the end finds any.
  uint8_t digits = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (hyphenated && hyphen_before(i) && text[at++] != '-') return std::nullopt;
    const uint8_t high = hex_digit(text[at++]);
    const uint8_t low = hex_digit(text[at++]);
    digits = static_cast<uint8_t>(digits | high | low);
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  if (digits > 0xF) return std::nullopt;
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
  return version_5(name_space, name, {});
}

Uuid Uuid::version_5(const Uuid& name_space, std::string_view name, std::string_view rest) {
  SHA_CTX sha;
  std::array<uint8_t, SHA_DIGEST_LENGTH> digest;
  SHA1_Init(&sha);
  SHA1_Update(&sha, name_space.bytes_.data(), name_space.bytes_.size());
  SHA1_Update(&sha, name.data(), name.size());
  SHA1_Update(&sha, rest.data(), rest.size());
  SHA1_Final(digest.data(), &sha);
  std::array<uint8_t, 16> bytes;
  std::memcpy(bytes.data(), digest.data(), bytes.size());
  set_version(bytes, 5);
  return Uuid(bytes);
}

Uuid Uuid::of_person(int64_t team_id, std::string_view distinct_id) {
  static constexpr std::array<uint8_t, 16> kPersonNamespace = {0x93, 0x29, 0x79, 0xb4, 0x65, 0xc3,
                                                               0x44, 0x24, 0x84, 0x67, 0x0b, 0x66,
                                                               0xec, 0x27, 0xbc, 0x22};
  char team[24];
  char* end = std::to_chars(team, team + sizeof team - 1, team_id).ptr;
  *end++ = ':';
  const std::string_view prefix(team, static_cast<size_t>(end - team));
  return version_5(Uuid(kPersonNamespace), prefix, distinct_id);
}

std::string Uuid::text() const {
  static constexpr char kHex[] = "0123456789abcdef";
  // Where each byte's two digits stand: known to the compiler, which leaves no branch for the
  // hyphens.
  static constexpr uint8_t kPlaces[] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
  static_assert(sizeof kPlaces == sizeof bytes_);
  std::string out(36, '-');
  char* const at = out.data();
  for (size_t i = 0; i < sizeof kPlaces; ++i) {
    at[kPlaces[i]] = kHex[bytes_[i] >> 4];
    at[kPlaces[i] + 1] = kHex[bytes_[i] & 0xF];
  }
  return out;
}

}  // namespace hogflare
