#include "console/access.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "console/limits.h"
#include "hogflare/base64.h"
#include "hogflare/digest.h"
#include "hogflare/must_wait.h"
#include "json/dom.h"

namespace hogflare::console {
namespace {

using Json = nlohmann::json;

constexpr size_t kModulusBytesMin = 256;
constexpr size_t kModulusBytesMax = 1024;

// DigestInfo of SHA-256 (RFC 8017 §9.2, note 1).
constexpr std::string_view kSha256Info(
    "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20", 19);

// A number of as many 32-bit limbs as the key's modulus, the lowest first. OpenSSL's would bring
// its random numbers, files and error strings into the module; a check with a public key has no
// secret, so that plain arithmetic will do.
using Limbs = std::vector<uint32_t>;

Limbs limbs_of(std::string_view bytes, size_t count) {
  Limbs limbs(count, 0);
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<uint8_t>(bytes[bytes.size() - 1 - i]);
    limbs[i / 4] |= static_cast<uint32_t>(byte) << (8 * (i % 4));
  }
  return limbs;
}

bool is_below(const Limbs& left, const Limbs& right) {
  for (size_t i = left.size(); i-- > 0;) {
    if (left[i] != right[i]) return left[i] < right[i];
  }
  return false;
}

void subtract(Limbs& from, const Limbs& what) {
  uint64_t borrow = 0;
  for (size_t i = 0; i < from.size(); ++i) {
    const uint64_t difference = uint64_t{from[i]} - what[i] - borrow;
    from[i] = static_cast<uint32_t>(difference);
    borrow = difference >> 63;
  }
}

// Montgomery's multiplication (CIOS): left * right / 2^(32 limbs) mod modulus.
Limbs multiply(const Limbs& left, const Limbs& right, const Limbs& modulus, uint32_t inverse) {
  const size_t count = modulus.size();
  std::vector<uint32_t> sum(count + 2, 0);
  for (size_t i = 0; i < count; ++i) {
    uint64_t carry = 0;
    for (size_t k = 0; k < count; ++k) {
      carry += uint64_t{left[k]} * right[i] + sum[k];
      sum[k] = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    carry += sum[count];
    sum[count] = static_cast<uint32_t>(carry);
    sum[count + 1] = static_cast<uint32_t>(carry >> 32);
    const uint32_t factor = sum[0] * inverse;
    carry = (uint64_t{factor} * modulus[0] + sum[0]) >> 32;
    for (size_t k = 1; k < count; ++k) {
      carry += uint64_t{factor} * modulus[k] + sum[k];
      sum[k - 1] = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    carry += sum[count];
    sum[count - 1] = static_cast<uint32_t>(carry);
    sum[count] = sum[count + 1] + static_cast<uint32_t>(carry >> 32);
  }
  Limbs result(sum.begin(), sum.begin() + static_cast<std::ptrdiff_t>(count));
  if (sum[count] != 0 || !is_below(result, modulus)) subtract(result, modulus);
  return result;
}

// 2^(64 limbs) mod modulus: one, doubled.
Limbs square_of_radix(const Limbs& modulus) {
  Limbs value(modulus.size(), 0);
  value[0] = 1;
  for (size_t bit = 0; bit < 64 * modulus.size(); ++bit) {
    uint32_t carry = 0;
    for (uint32_t& limb : value) {
      const uint32_t next = limb >> 31;
      limb = limb << 1 | carry;
      carry = next;
    }
    if (carry != 0 || !is_below(value, modulus)) subtract(value, modulus);
  }
  return value;
}

// signature ^ exponent mod modulus, as long as the modulus, which has no zero in front.
std::optional<std::string> raised(const RsaKey& key, std::string_view signature) {
  const size_t count = (key.modulus.size() + 3) / 4;
  const Limbs modulus = limbs_of(key.modulus, count);
  const Limbs base = limbs_of(signature, count);
  if ((modulus[0] & 1) == 0 || !is_below(base, modulus)) return std::nullopt;
  uint64_t exponent = 0;
  for (const char c : key.exponent) exponent = exponent << 8 | static_cast<uint8_t>(c);
  if (exponent < 3) return std::nullopt;
  // -1 / modulus mod 2^32, by Newton's iteration.
  uint32_t inverse = 1;
  for (int i = 0; i < 5; ++i) inverse *= 2 - modulus[0] * inverse;
  inverse = ~inverse + 1;
  const Limbs lifted = multiply(base, square_of_radix(modulus), modulus, inverse);
  Limbs power = lifted;
  int bit = 63;
  while ((exponent >> bit & 1) == 0) --bit;
  while (--bit >= 0) {
    power = multiply(power, power, modulus, inverse);
    if ((exponent >> bit & 1) != 0) power = multiply(power, lifted, modulus, inverse);
  }
  Limbs one(count, 0);
  one[0] = 1;
  power = multiply(power, one, modulus, inverse);
  std::string bytes(key.modulus.size(), '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[bytes.size() - 1 - i] = static_cast<char>(power[i / 4] >> (8 * (i % 4)));
  }
  return bytes;
}

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Seconds; nullopt when the claim is not there or no number.
std::optional<int64_t> time_of(const Json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_number()) return std::nullopt;
  const double seconds = found->get<double>();
  if (!(seconds > -1e15 && seconds < 1e15)) return std::nullopt;
  return static_cast<int64_t>(seconds);
}

bool names_audience(const Json& claims, const std::string& audience) {
  const auto found = claims.find("aud");
  if (found == claims.end()) return false;
  if (found->is_string()) return found->get<std::string>() == audience;
  if (!found->is_array()) return false;
  for (const Json& each : *found) {
    if (each.is_string() && each.get<std::string>() == audience) return true;
  }
  return false;
}

AccessAnswer bad(std::string_view why) { return {AccessAnswer::Verdict::kBad, "", why}; }

AccessAnswer check_claims(const Config& config, const Json& claims, int64_t now_ms) {
  if (text_of(claims, "iss") != config.access_issuer) return bad("it is of another team");
  if (!names_audience(claims, config.access_audience)) return bad("it is for another application");
  const int64_t now_s = now_ms / 1000;
  const std::optional<int64_t> expires_s = time_of(claims, "exp");
  if (!expires_s || *expires_s <= now_s) return bad("it is over");
  const std::optional<int64_t> begins_s = time_of(claims, "nbf");
  if (begins_s && *begins_s > now_s + limits::kAccessSkewS) return bad("it does not hold yet");
  for (const char* name : {"email", "common_name", "sub"}) {
    std::string who = text_of(claims, name);
    if (!who.empty()) return {AccessAnswer::Verdict::kGood, std::move(who), {}};
  }
  return bad("it names nobody");
}

}  // namespace

std::string decode_base64url(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) {
    if (c == '+' || c == '/' || c == '=') return {};
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  return decode_base64(plain).value_or(std::string());
}

bool verify_rs256(const RsaKey& key, std::string_view message, std::string_view signature) {
  std::string_view modulus = key.modulus;
  while (!modulus.empty() && modulus.front() == '\0') modulus.remove_prefix(1);
  if (modulus.size() < kModulusBytesMin || modulus.size() > kModulusBytesMax) return false;
  if (signature.size() != modulus.size() || key.exponent.empty() || key.exponent.size() > 8) {
    return false;
  }
  const std::optional<std::string> encoded = raised({modulus, key.exponent}, signature);
  if (!encoded) return false;
  const Sha256Digest digest = sha256(message);
  std::string expected("\0\1", 2);
  expected.append(modulus.size() - 3 - kSha256Info.size() - digest.size(), '\xff');
  expected += '\0';
  expected += kSha256Info;
  expected.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return *encoded == expected;
}

std::string access_keys_url(const Config& config) {
  return config.access_issuer + "/cdn-cgi/access/certs";
}

bool AccessKeys::are_due(int64_t now_ms, bool for_unknown_key) const {
  if (now_ms - asked_at_ms_ < limits::kAccessKeysRetryMs && now_ms >= asked_at_ms_ &&
      asked_at_ms_ != 0) {
    return false;
  }
  return keys_.empty() || for_unknown_key ||
         !must_wait(read_at_ms_ + limits::kAccessKeysAgeMs, now_ms, limits::kAccessKeysAgeMs);
}

bool AccessKeys::take(std::string_view json, int64_t now_ms) {
  const Json set = json::dom_of<Json>(json);
  if (!set.is_object() || !set.contains("keys") || !set["keys"].is_array()) return false;
  std::map<std::string, Key> keys;
  for (const Json& key : set["keys"]) {
    if (!key.is_object() || text_of(key, "kty") != "RSA") continue;
    Key read{decode_base64url(text_of(key, "n")), decode_base64url(text_of(key, "e"))};
    if (!read.modulus.empty() && !read.exponent.empty())
      keys[text_of(key, "kid")] = std::move(read);
  }
  if (keys.empty()) return false;
  keys_ = std::move(keys);
  read_at_ms_ = now_ms;
  return true;
}

AccessAnswer AccessKeys::verify(const Config& config, std::string_view jwt, int64_t now_ms) const {
  const size_t first = jwt.find('.');
  const size_t second = first == std::string_view::npos ? first : jwt.find('.', first + 1);
  if (second == std::string_view::npos || jwt.size() > limits::kAccessTokenBytesMax) {
    return bad("it is no token of Access");
  }
  const Json head = json::dom_of<Json>(decode_base64url(jwt.substr(0, first)));
  if (!head.is_object() || text_of(head, "alg") != "RS256") return bad("it is not signed by RS256");
  const auto key = keys_.find(text_of(head, "kid"));
  if (key == keys_.end()) {
    return {AccessAnswer::Verdict::kUnknownKey, "",
            "it is signed with a key that the team has not published"};
  }
  const std::string signature = decode_base64url(jwt.substr(second + 1));
  if (!verify_rs256({key->second.modulus, key->second.exponent}, jwt.substr(0, second),
                    signature)) {
    return bad("its signature is wrong");
  }
  const Json claims =
      json::dom_of<Json>(decode_base64url(jwt.substr(first + 1, second - first - 1)));
  if (!claims.is_object()) return bad("it is no token of Access");
  return check_claims(config, claims, now_ms);
}

}  // namespace hogflare::console
