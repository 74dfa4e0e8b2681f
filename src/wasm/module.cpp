// The module's entry points. Placeholder that proves the four libraries link.
#include <fmt/format.h>
#include <openssl/sha.h>
#include <re2/re2.h>

#include <nlohmann/json.hpp>
#include <string>

extern "C" __attribute__((export_name("hf_version"), used)) const char* hf_version() {
  static std::string text;
  const auto parsed = nlohmann::json::parse(R"({"version":"0.1.0"})", nullptr, false);
  const RE2 pattern("^\\d+\\.\\d+\\.\\d+$", RE2::Quiet);
  const std::string version = parsed.value("version", "");
  if (!RE2::FullMatch(version, pattern)) return "";
  SHA256_CTX context;
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256_Init(&context);
  SHA256_Update(&context, version.data(), version.size());
  SHA256_Final(digest, &context);
  text = fmt::format("hogflare {} {:02x}{:02x}", version, digest[0], digest[1]);
  return text.c_str();
}
