// Cloudflare Access: who somebody is, by the signed token that Access adds to a request
// (developers.cloudflare.com/cloudflare-one/identity/authorization-cookie/validating-json). Which
// role somebody has, the console's own tokens say.
//
//   AccessKeys keys; keys.take(json, now_ms);
//   const AccessAnswer answer = keys.verify(config, jwt, now_ms);
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "hogflare/config.h"

namespace hogflare::console {

struct AccessAnswer {
  enum class Verdict : uint8_t {
    kGood,
    kUnknownKey,  // it is signed with a key that is not among those read last
    kBad,
  };
  Verdict verdict = Verdict::kBad;
  std::string who;       // a mail address, or a service's name
  std::string_view why;  // of kBad, for the log and the page
};

// The team's public keys, as an isolate has read them last.
class AccessKeys {
 public:
  // Whether they are to be read (again): there are none, they are old, or an unknown key was named
  // a while after they were read.
  bool are_due(int64_t now_ms, bool for_unknown_key) const;
  void note_asked(int64_t now_ms) { asked_at_ms_ = now_ms; }
  // A JSON Web Key Set (RFC 7517). False, and the last keys stay: it is none.
  bool take(std::string_view json, int64_t now_ms);

  // RS256 only; `aud`, `iss`, `exp` and `nbf` are looked at (RFC 7519 §4.1, RFC 8725 §3.1).
  AccessAnswer verify(const Config& config, std::string_view jwt, int64_t now_ms) const;

 private:
  struct Key {
    std::string modulus;  // big endian
    std::string exponent;
  };
  std::map<std::string, Key> keys_;  // by `kid`
  int64_t read_at_ms_ = 0;
  int64_t asked_at_ms_ = 0;
};

// Where the team publishes them.
std::string access_keys_url(const Config& config);

// Whether `signature` is RSASSA-PKCS1-v1_5 with SHA-256 of `message` (RFC 8017 §8.2.2). Keys of
// 2,048 to 8,192 bits.
struct RsaKey {
  std::string_view modulus;
  std::string_view exponent;
};
bool verify_rs256(const RsaKey& key, std::string_view message, std::string_view signature);

// Base64url without padding (RFC 4648 §5); empty when it is none.
std::string decode_base64url(std::string_view text);

}  // namespace hogflare::console
