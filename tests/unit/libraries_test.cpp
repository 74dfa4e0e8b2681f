// That the third-party libraries linked are the ones meant, and do what the core relies on.
#include <fmt/format.h>
#include <openssl/sha.h>
#include <re2/re2.h>
#include <zlib.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

namespace {

std::string sha256_hex(const std::string& text) {
  SHA256_CTX context;
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256_Init(&context);
  SHA256_Update(&context, text.data(), text.size());
  SHA256_Final(digest, &context);
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

}  // namespace

TEST_CASE("SHA-256 gives the digest of FIPS 180-2, appendix B.1") {
  REQUIRE(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("malformed JSON is a value, not an exception or an abort") {
  REQUIRE(nlohmann::json::parse("{\"a\":", nullptr, false).is_discarded());
  REQUIRE(nlohmann::json::parse("{\"a\":1}", nullptr, false).at("a") == 1);
}

TEST_CASE("a broken pattern is an error and a good one matches") {
  REQUIRE_FALSE(RE2("(", RE2::Quiet).ok());
  REQUIRE(RE2::PartialMatch("user@example.org", RE2("@example\\.(org|com)$", RE2::Quiet)));
}

TEST_CASE("inflate gives back what deflate took and stops at the output's bound") {
  const std::string text(5000, 'h');
  std::string packed(compressBound(text.size()), '\0');
  uLongf packed_bytes = packed.size();
  REQUIRE(compress(reinterpret_cast<Bytef*>(packed.data()), &packed_bytes,
                   reinterpret_cast<const Bytef*>(text.data()), text.size()) == Z_OK);
  std::string unpacked(text.size(), '\0');
  uLongf unpacked_bytes = unpacked.size();
  REQUIRE(uncompress(reinterpret_cast<Bytef*>(unpacked.data()), &unpacked_bytes,
                     reinterpret_cast<const Bytef*>(packed.data()), packed_bytes) == Z_OK);
  REQUIRE(unpacked == text);
  unpacked_bytes = 100;
  REQUIRE(uncompress(reinterpret_cast<Bytef*>(unpacked.data()), &unpacked_bytes,
                     reinterpret_cast<const Bytef*>(packed.data()), packed_bytes) == Z_BUF_ERROR);
}
