// Ids of visitors: HMAC-SHA-256 with the day's salt, cut to 128 bits. What it is made of is
// PostHog's; its bytes are ours.
#include <algorithm>

#include "hogflare/bytes.h"
#include "hogflare/cookieless.h"
#include "hogflare/digest.h"
#include "hogflare/text.h"
#include "hogflare/uuid.h"

namespace hogflare {
namespace {

// What a hash is for. Different purposes share no bytes, so that what is shown says nothing about
// the name of the visitor's object.
enum class Purpose : uint8_t { kKey = 'k', kDevice = 'd', kId = 'i', kSession = 's' };

CookielessHash hash(std::string_view salt, Purpose purpose, const CookielessVisitor& visitor,
                    int64_t n) {
  HF_ASSERT(salt.size() == limits::kCookielessSaltBytes);
  // Each text with its length: no two visitors may run into one.
  ByteWriter message;
  message.text("hogflare/cookieless/1");
  message.u8(static_cast<uint8_t>(purpose));
  message.signed_number(n);
  message.signed_number(visitor.team_id);
  message.text(visitor.ip);
  message.text(visitor.site);
  message.text(visitor.user_agent);
  message.text(visitor.extra);
  const Sha256Digest digest = hmac_sha256(salt, message.bytes());
  CookielessHash cut;
  std::copy_n(digest.begin(), cut.size(), cut.begin());
  return cut;
}

// RFC 4648 §4, without padding.
std::string base64(const CookielessHash& bytes) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    for (count += 8; count >= 6; count -= 6) out += kAlphabet[bits >> (count - 6) & 0x3F];
  }
  if (count > 0) out += kAlphabet[bits << (6 - count) & 0x3F];
  return out;
}

}  // namespace

CookielessHash cookieless_visitor_key(std::string_view salt, const CookielessVisitor& visitor) {
  return hash(salt, Purpose::kKey, visitor, 0);
}

std::string cookieless_id(std::string_view salt, const CookielessVisitor& visitor, int64_t n) {
  return "cookieless_" + base64(hash(salt, Purpose::kId, visitor, n));
}

std::string cookieless_device_id(std::string_view salt, const CookielessVisitor& visitor) {
  return "cookielessd_" + base64(hash(salt, Purpose::kDevice, visitor, 0));
}

std::string cookieless_day_session(std::string_view salt, const CookielessVisitor& visitor,
                                   int64_t midnight_ms) {
  const CookielessHash random = hash(salt, Purpose::kSession, visitor, 0);
  CookielessHash bytes;
  for (int i = 0; i < 6; ++i) {
    bytes[static_cast<size_t>(i)] = static_cast<uint8_t>(midnight_ms >> (8 * (5 - i)));
  }
  std::copy_n(random.begin(), 10, bytes.begin() + 6);
  bytes[6] = static_cast<uint8_t>(0x70 | (bytes[6] & 0x0F));
  bytes[8] = static_cast<uint8_t>(0x80 | (bytes[8] & 0x3F));
  return Uuid::try_parse(to_hex(bytes))->text();
}

std::string_view connection_ip(const RequestHead& head) {
  const std::string_view direct = trim_ascii(head.cf_connecting_ip);
  if (!direct.empty()) return direct;
  return trim_ascii(head.x_forwarded_for.substr(0, head.x_forwarded_for.find(',')));
}

}  // namespace hogflare
