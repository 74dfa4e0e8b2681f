// Bodies before they are JSON: base64, LZ-string, forms, compression, signatures, answers.
#include "hogflare/wire.h"

#include <catch2/catch.hpp>
#include <cctype>
#include <nlohmann/json.hpp>

#include "hogflare/ascii.h"
#include "hogflare/base64.h"
#include "hogflare/decompress.h"
#include "hogflare/digest.h"
#include "hogflare/limits.h"
#include "hogflare/lz_string.h"
#include "hogflare/routes.h"
#include "hogflare/signature.h"
#include "hogflare/text.h"
#include "hogflare/url.h"
#include "hogflare/uuid.h"
#include "hogflare/whole_number.h"
#include "wire_support.h"

using namespace hogflare;
using test::code_of;
using test::encode_base64;
using test::encode_url;
using test::gzip;

namespace {

constexpr std::string_view kJson = R"({"token":"T","event":"e?>","distinct_id":"ü~"})";

RequestHead post(std::string_view content_type = {}, std::string_view query = {},
                 std::string_view content_encoding = {}) {
  RequestHead head;
  head.method = "POST";
  head.content_type = content_type;
  head.query = query;
  head.content_encoding = content_encoding;
  return head;
}

std::string decoded(const RequestHead& head, std::string body,
                    Endpoint endpoint = Endpoint::kLegacy) {
  Result<DecodedBody> result = decode_body(head, endpoint, std::move(body));
  if (!result.ok()) return "error: " + std::string(result.error().tag());
  return std::move(result.value().text);
}

std::string flags_text(const RequestHead& head, std::string body) {
  Result<std::string> result = decode_flags_body(head, std::move(body));
  if (!result.ok()) return "error: " + std::string(result.error().tag());
  return std::move(result.value());
}

std::string header_of(const Reply& reply, std::string_view name) {
  for (const Header& header : reply.headers) {
    if (header.name == name) return header.value;
  }
  return "(absent)";
}

}  // namespace

// --- Base64 ---

TEST_CASE("Base64 of the standard alphabet is decoded, with padding or without") {
  const std::pair<std::string_view, std::string_view> cases[] = {{"", ""},
                                                                 {"Zg==", "f"},
                                                                 {"Zg", "f"},
                                                                 {"Zm8=", "fo"},
                                                                 {"Zm8", "fo"},
                                                                 {"Zm9v", "foo"},
                                                                 {"Zm9vYmFy", "foobar"},
                                                                 {"+/+/", "\xFB\xFF\xBF"}};
  for (const auto& [text, bytes] : cases) {
    INFO(text);
    CHECK(decode_base64(text) == std::string(bytes));
  }
}

TEST_CASE("What is nearly base64 is refused") {
  for (const std::string_view text :
       {"Z", "Zm9vY", "Z===", "====", "Zm=v", "Zm9v\n", "-_-_", "Zm 9"}) {
    INFO(text);
    CHECK_FALSE(decode_base64(text).has_value());
  }
}

TEST_CASE("Every byte survives base64") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (size_t length = 0; length <= all.size(); ++length) {
    CHECK(decode_base64(encode_base64(all.substr(0, length))) == all.substr(0, length));
  }
}

TEST_CASE("PostHog's test for base64 looks at 128 characters and the length") {
  CHECK(looks_like_base64("Zm9v"));
  CHECK(looks_like_base64("Zm8="));
  CHECK_FALSE(looks_like_base64(""));
  CHECK_FALSE(looks_like_base64("Zm9"));
  CHECK_FALSE(looks_like_base64("{\"a\"}"));
  CHECK(looks_like_base64(std::string(128, 'A') + "{}{}"));
  CHECK_FALSE(looks_like_base64(std::string(127, 'A') + "{}{}{"));
}

// --- LZ-string ---

TEST_CASE("What lz-string 1.5.0 compressed is decompressed to the same text") {
  const auto file = nlohmann::json::parse(test::read_data_file("vectors/lz-string.json"));
  REQUIRE(file["cases"].size() >= 10);
  for (const auto& one : file["cases"]) {
    const std::string text = one["text"];
    INFO(text);
    const auto result = decompress_lz_base64(one["base64"].get<std::string>(), 1 << 20);
    REQUIRE(result.ok());
    CHECK(result.value() == text);
  }
}

TEST_CASE("Half a surrogate pair in LZ-string text becomes U+FFFD, and what follows it stays") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"gAbEMg",
       "\xEF\xBF\xBD"
       "a"},
      {"gAbgADo", "\xEF\xBF\xBD\xEE\x80\x80"},
      {"IaAA2g", "a\xEF\xBF\xBD"},
      {"gA7yA", "\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"gAbl4NwAe0A", "\xEF\xBF\xBD\xF0\x9F\x98\x80"}};
  for (const auto& [base64, text] : cases) {
    INFO(base64);
    const auto result = decompress_lz_base64(base64, 1 << 20);
    REQUIRE(result.ok());
    CHECK(result.value() == text);
  }
}

TEST_CASE("The first and the last character of each length in UTF-8 come out of LZ-string") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"IZA", "a"},
      {"P4AKA", "\x7F\xC2\x80"},
      {"v/ggAII", "\xDF\xBF\xE0\xA0\x80"},
      {"v//Q", "\xEF\xBF\xBF"},
      {"gAbgAdo", "\xF0\x90\x80\x80"},  // the pair D800 DC00
      {"v/bn/9o", "\xF4\x8F\xBF\xBF"},  // DBFF DFFF
      // Neighbours of a pair: D7FF DC00, DBFF E000, D800 DBFF.
      {"v/rgAdo", "\xED\x9F\xBF\xEF\xBF\xBD"},
      {"v/bgADo", "\xEF\xBF\xBD\xEE\x80\x80"},
      {"gAbn/to", "\xEF\xBF\xBD\xEF\xBF\xBD"}};
  for (const auto& [base64, text] : cases) {
    INFO(base64);
    const auto result = decompress_lz_base64(base64, 1 << 20);
    REQUIRE(result.ok());
    CHECK(result.value() == text);
  }
}

TEST_CASE("Broken LZ-string data is an error, never a hang") {
  const auto file = nlohmann::json::parse(test::read_data_file("vectors/lz-string.json"));
  const std::string whole = file["cases"][9]["base64"];
  CHECK(code_of(decompress_lz_base64("!!!!", 1 << 20)) == ErrorCode::kDecodeFailed);
  for (size_t length = 0; length < whole.size(); length += 7) {
    (void)decompress_lz_base64(whole.substr(0, length), 1 << 20);
    std::string flipped = whole;
    flipped[length] = flipped[length] == 'A' ? 'B' : 'A';
    (void)decompress_lz_base64(flipped, 1 << 20);
  }
  // A text ends where it ends, whatever stands in memory behind it.
  for (size_t length = whole.size() - 20; length < whole.size(); ++length) {
    INFO(length);
    const auto alone = decompress_lz_base64(whole.substr(0, length), 1 << 20);
    const auto before = decompress_lz_base64(std::string_view(whole).substr(0, length), 1 << 20);
    CHECK(before.ok() == alone.ok());
  }
}

TEST_CASE("LZ-string output stops at its cap") {
  const auto file = nlohmann::json::parse(test::read_data_file("vectors/lz-string.json"));
  CHECK(code_of(decompress_lz_base64(file["cases"][9]["base64"].get<std::string>(), 1000)) ==
        ErrorCode::kTooLarge);
}

// --- Forms ---

TEST_CASE("Form fields are decoded, the last of a name counts") {
  CHECK(form_value("a=1&b=2", "b") == "2");
  CHECK(form_value("a=1&a=2", "a") == "2");
  CHECK(form_value("a", "a") == "");
  CHECK(form_value("a=", "a") == "");
  CHECK_FALSE(form_value("ab=1", "a").has_value());
  CHECK_FALSE(form_value("", "a").has_value());
  CHECK(form_value("a=%7B%22x%22%3A+1%7D", "a") == R"({"x": 1})");
  CHECK(decode_form_text("%zz%4%") == "%zz%4%");
  CHECK(decode_form_text("%C3%A9") == "é");
}

// --- Compression ---

TEST_CASE("Characters are classed as ASCII has them, all 256 of them") {
  const std::string_view digits = "0123456789";
  const std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const std::string_view hex = "0123456789abcdef";
  for (int code = 0; code < 256; ++code) {
    const auto c = static_cast<char>(code);
    const bool digit = digits.find(c) != std::string_view::npos;
    const bool letter = letters.find(c) != std::string_view::npos;
    INFO(code);
    CHECK(is_digit(c) == digit);
    CHECK(is_letter(c) == letter);
    CHECK(is_alphanumeric(c) == (digit || letter));
    const size_t at = hex.find(code < 128 ? static_cast<char>(std::tolower(code)) : c);
    CHECK(hex_digit(c) == (at == std::string_view::npos ? -1 : static_cast<int>(at)));
    CHECK(is_hex_digit(c) == (at != std::string_view::npos));
  }
}

TEST_CASE("A text is a whole number from its first byte to its last") {
  CHECK(whole_number<int64_t>("0") == 0);
  CHECK(whole_number<int64_t>("-12") == -12);
  CHECK(whole_number<int64_t>("9223372036854775807") == INT64_MAX);
  CHECK(whole_number<uint32_t>("4294967295") == UINT32_MAX);
  for (const char* text :
       {"", " 1", "1 ", "+1", "1.0", "1e3", "0x1", "--1", "-", "one", "9223372036854775808"}) {
    INFO(text);
    CHECK_FALSE(whole_number<int64_t>(text).has_value());
  }
  CHECK_FALSE(whole_number<uint32_t>("-1").has_value());
  CHECK_FALSE(whole_number<uint32_t>("4294967296").has_value());
}

TEST_CASE(
    "What is put into a form comes out of it, and what is put into a URL needs no more escapes") {
  CHECK(encode_form_text("a b") == "a+b");
  CHECK(encode_form_text("aZ09-._~") == "aZ09-._~");
  CHECK(encode_form_text("+&=%/\xff") == "%2B%26%3D%25%2F%FF");
  std::string all;
  for (int code = 0; code < 256; ++code) all += static_cast<char>(code);
  CHECK(decode_form_text(encode_form_text(all)) == all);
  std::string path = "k/";
  append_percent_encoded(path, "a b/ü");
  CHECK(path == "k/a%20b%2F%C3%BC");
}

TEST_CASE("A text is cut at a byte and never inside a character") {
  CHECK(first_bytes("abc", 3) == "abc");
  CHECK(first_bytes("abc", 2) == "ab");
  CHECK(first_bytes("äö", 4) == "äö");
  CHECK(first_bytes("äö", 3) == "ä");
  CHECK(first_bytes("äö", 2) == "ä");
  CHECK(first_bytes("äö", 1).empty());
  CHECK(first_bytes("a😀", 4) == "a");
  CHECK(first_bytes("", 0).empty());
}

TEST_CASE("Gzip, zlib and raw deflate are unpacked") {
  const std::string text(100'000, 'x');
  for (const auto wrapper : {test::Wrapper::kZlib, test::Wrapper::kRaw}) {
    const auto result = decompress(Encoding::kDeflate, test::deflate_text(text, wrapper), 1 << 20);
    REQUIRE(result.ok());
    CHECK(result.value() == text);
  }
  const auto result = decompress(Encoding::kGzip, gzip(text) + gzip("tail"), 1 << 20);
  REQUIRE(result.ok());
  CHECK(result.value() == text + "tail");
}

TEST_CASE("A stream that is cut or altered is an error") {
  std::string packed = gzip(std::string(kJson));
  for (size_t length = 0; length < packed.size(); ++length) {
    CHECK(code_of(decompress(Encoding::kGzip, packed.substr(0, length), 1 << 20)) ==
          ErrorCode::kDecodeFailed);
  }
  packed[packed.size() - 5] ^= 1;  // the checksum
  CHECK(code_of(decompress(Encoding::kGzip, packed, 1 << 20)) == ErrorCode::kDecodeFailed);
}

TEST_CASE("Of a broken stream is told what is wrong with it") {
  const std::string whole = gzip("some text that is packed");
  std::string altered = whole;
  altered[altered.size() - 8] ^= 1;  // its checksum
  for (const std::string& stream : {altered, whole.substr(0, whole.size() - 9)}) {
    const auto result = decompress(Encoding::kGzip, stream, 1 << 20);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == ErrorCode::kDecodeFailed);
    const std::string begin = "compressed data is broken: ";
    CHECK(result.error().detail.substr(0, begin.size()) == begin);
    CHECK(result.error().detail.size() > begin.size() + 5);
    const bool is_cut = result.error().detail.find("it ends too early") != std::string::npos;
    CHECK(is_cut == (stream.size() < whole.size()));
  }
}

TEST_CASE("A decompression bomb stops at the cap and holds no more memory than it") {
  // 64 MB of zeros in 64 KB.
  const std::string bomb = gzip(std::string(64u << 20, '\0'));
  REQUIRE(bomb.size() < 100'000);
  CHECK(code_of(decompress(Encoding::kGzip, bomb, 1 << 20)) == ErrorCode::kTooLarge);
  CHECK(code_of(decode_body(post(), Endpoint::kBatch, bomb)) == ErrorCode::kTooLarge);
  CHECK(code_of(decode_flags_body(post(), bomb)) == ErrorCode::kTooLarge);
}

TEST_CASE("Unpacked text takes as much memory as it has bytes, well packed or hardly") {
  std::string hardly;
  for (uint32_t i = 1; hardly.size() < 500'000; i = i * 75 % 65'537) {
    hardly += static_cast<char>(i);
  }
  for (const std::string& text : {hardly, std::string(500'000, 'a'), std::string(100, 'a')}) {
    const std::string packed = gzip(text);
    CAPTURE(text.size(), packed.size());
    const Result<std::string> unpacked = decompress(Encoding::kGzip, packed, 1u << 20);
    REQUIRE(unpacked.ok());
    CHECK(unpacked.value() == text);
    CHECK(unpacked.value().capacity() < text.size() + 64);
  }
}

TEST_CASE("Exactly the cap may be unpacked, one byte more may not") {
  CHECK(decompress(Encoding::kGzip, gzip(std::string(1000, 'a')), 1000).ok());
  CHECK(code_of(decompress(Encoding::kGzip, gzip(std::string(1001, 'a')), 1000)) ==
        ErrorCode::kTooLarge);
}

// --- Capture bodies ---

TEST_CASE("Every encoding that SDKs use gives the same JSON") {
  const std::string json(kJson);
  const std::string base64 = encode_base64(json);
  const std::string form_json = "data=" + encode_url(json);
  const std::string form_base64 = "data=" + encode_url(base64) + "&compression=base64";
  constexpr std::string_view kForm = "application/x-www-form-urlencoded";
  struct Row {
    const char* name;
    RequestHead head;
    std::string body;
  };
  const Row rows[] = {
      {"json", post("application/json"), json},
      {"no content type", post(), json},
      {"text", post("text/plain"), json},
      {"gzip by magic", post("text/plain"), gzip(json)},
      {"gzip by header", post("application/json", "", "gzip"), gzip(json)},
      {"gzip by query", post("", "compression=gzip"), gzip(json)},
      {"gzip-js by query", post("", "ver=1.2&compression=gzip-js"), gzip(json)},
      {"GZIP by query", post("", "compression=GZIP"), gzip(json)},
      {"gzip hint on plain JSON", post("", "compression=gzip"), json},
      {"gzip header on plain JSON", post("application/json", "", "gzip"), json},
      {"unknown hint", post("", "compression=snappy"), json},
      {"base64 by query", post("text/plain", "compression=base64"), base64},
      {"base64 without hint", post("text/plain"), base64},
      {"base64 with a line end", post("text/plain"), base64 + "\n"},
      {"form with JSON", post(kForm), form_json},
      {"form with base64", post(kForm), form_base64},
      {"form with charset", post("application/x-www-form-urlencoded; charset=UTF-8"), form_base64},
      {"form by sendBeacon", post(kForm, "compression=base64&beacon=1"),
       "data=" + encode_url(base64)},
      {"form without its content type", post(), form_json},
      {"gzip of base64 hint", post("text/plain", "compression=gzip-js"), gzip(json)},
      {"byte order mark", post("application/json"), "\xEF\xBB\xBF" + json},
      {"deflate header", post("", "", "deflate"), test::deflate_text(json, test::Wrapper::kZlib)}};
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(decoded(row.head, row.body) == json);
    CHECK(decoded(row.head, row.body, Endpoint::kBatch) == json);
  }
}

TEST_CASE("Base64 whose plus signs arrived as spaces is repaired") {
  std::string json = R"({"event":"e","x":")";
  while (encode_base64(json + "\"}").find('+') == std::string::npos) json += "~>";
  json += "\"}";
  const std::string base64 = encode_base64(json);
  REQUIRE(base64.find('+') != std::string::npos);
  constexpr std::string_view kForm = "application/x-www-form-urlencoded";
  CHECK(decoded(post(kForm), "data=" + base64) == json);
  const std::string query = "data=" + base64;
  RequestHead get = post("", query);
  get.method = "GET";
  CHECK(decoded(get, "") == json);
  CHECK(flags_text(post(kForm), "data=" + base64) == json);
  CHECK(flags_text(get, "") == json);
}

TEST_CASE("A payload in the query wins over the body") {
  const std::string query = "data=" + encode_url(std::string(kJson));
  CHECK(decoded(post("", query), "{}") == kJson);
  CHECK(decoded(post("", "data="), std::string(kJson)) == kJson);
}

TEST_CASE("LZ-string in a form is unpacked") {
  const auto file = nlohmann::json::parse(test::read_data_file("vectors/lz-string.json"));
  const std::string base64 = file["cases"][3]["base64"];
  const std::string text = file["cases"][3]["text"];
  for (const std::string_view hint : {"lz64", "lz-string"}) {
    const std::string body = "data=" + encode_url(base64) + "&compression=" + std::string(hint);
    CHECK(decoded(post("application/x-www-form-urlencoded"), body) == text);
  }
  CHECK(decoded(post("", "compression=lz64"), base64) == text);
}

TEST_CASE("Only the old paths unwrap base64 a second time") {
  const std::string twice = encode_base64(encode_base64(std::string(kJson)));
  CHECK(decoded(post("text/plain"), twice, Endpoint::kLegacy) == kJson);
  CHECK(decoded(post("text/plain"), twice, Endpoint::kBatch) == encode_base64(std::string(kJson)));
}

TEST_CASE("Bodies that cannot be decoded say why") {
  constexpr std::string_view kForm = "application/x-www-form-urlencoded";
  CHECK(decoded(post(), "") == "error: empty_payload");
  CHECK(decoded(post(), " \n") == "error: empty_payload");
  CHECK(decoded(post(kForm), std::string(kJson)) == "error: decode_failed");
  CHECK(decoded(post(kForm), "ip=1&_=5") == "error: decode_failed");
  for (const char* form : {"data=", "data=&ip=1", "ip=1&data="}) {
    INFO(form);
    const Result<DecodedBody> empty = decode_body(post(kForm), Endpoint::kLegacy, form);
    REQUIRE_FALSE(empty.ok());
    CHECK(empty.error().code == ErrorCode::kDecodeFailed);
    CHECK(empty.error().detail == "the form has no data field");
  }
  CHECK(decoded(post(), gzip(std::string(kJson)).substr(0, 30)) == "error: decode_failed");
  CHECK(decoded(post(), gzip("")) == "error: empty_payload");
  CHECK(decoded(post("", "compression=lz64"), "!!!") == "error: decode_failed");
}

TEST_CASE("Each route has its own limit on the wire") {
  const auto is_too_large = [](Endpoint endpoint, size_t bytes) {
    return code_of(decode_body(post(), endpoint, std::string(bytes, '1'))) == ErrorCode::kTooLarge;
  };
  CHECK_FALSE(is_too_large(Endpoint::kBatch, 4u << 20));
  CHECK_FALSE(is_too_large(Endpoint::kBatch, limits::kCaptureWireBytesMax));
  CHECK(is_too_large(Endpoint::kBatch, limits::kCaptureWireBytesMax + 1));
  CHECK_FALSE(is_too_large(Endpoint::kReplay, limits::kCaptureWireBytesMax + 1));
  CHECK(is_too_large(Endpoint::kReplay, limits::kReplayWireBytesMax + 1));
}

// --- Flags bodies ---

TEST_CASE("Every encoding of a flags request gives the same JSON") {
  const std::string json(kJson);
  const std::string base64 = encode_base64(json);
  constexpr std::string_view kForm = "application/x-www-form-urlencoded";
  CHECK(flags_text(post("application/json", "v=2"), json) == json);
  CHECK(flags_text(post(), json) == json);
  CHECK(flags_text(post("text/plain; charset=utf-8"), json) == json);
  CHECK(flags_text(post("", "v=2&compression=gzip"), gzip(json)) == json);
  CHECK(flags_text(post("", "compression=gzip-js"), gzip(json)) == json);
  CHECK(flags_text(post("application/json", "", "gzip"), gzip(json)) == json);
  CHECK(flags_text(post("text/plain"), gzip(json)) == json);
  CHECK(flags_text(post("application/json", "", "gzip"), json) == json);
  CHECK(flags_text(post("text/plain", "compression=base64"), base64) == json);
  CHECK(flags_text(post("text/plain"), base64) == json);
  CHECK(flags_text(post(kForm, "v=2&compression=base64"), "data=" + encode_url(base64)) == json);
  CHECK(flags_text(post(kForm), "data=" + encode_url(base64)) == json);
  const std::string query = "v=2&data=" + encode_url(base64);
  RequestHead get = post("", query);
  get.method = "GET";
  CHECK(flags_text(get, "") == json);
}

TEST_CASE("Flags requests that cannot be decoded say why") {
  const std::string json(kJson);
  constexpr std::string_view kForm = "application/x-www-form-urlencoded";
  CHECK(flags_text(post(), "") == "error: empty_payload");
  CHECK(flags_text(post("", "compression=lz64"), json) == "error: decode_failed");
  CHECK(flags_text(post("application/xml"), json) == "error: decode_failed");
  CHECK(flags_text(post("multipart/form-data"), json) == "error: decode_failed");
  CHECK(flags_text(post(), "not base64!") == "error: decode_failed");
  CHECK(flags_text(post(kForm), "x=1") == "error: decode_failed");
  CHECK(flags_text(post(kForm, "compression=gzip"), "data=" + encode_url(encode_base64(json))) ==
        "error: decode_failed");
  CHECK(flags_text(post(kForm), "data=" + encode_url(encode_base64(gzip(json)))) ==
        "error: decode_failed");
  CHECK(flags_text(post(), gzip(json).substr(0, 20)) == "error: decode_failed");
  const std::string largest = json + std::string(limits::kFlagsWireBytesMax - json.size(), ' ');
  CHECK(flags_text(post(), largest) == largest);
  CHECK(flags_text(post(), largest + " ") == "error: too_large");
}

// --- Signatures ---

TEST_CASE("HMAC gives the digests of RFC 2202 and RFC 4231") {
  const std::string key20(20, '\x0b');
  CHECK(to_hex(hmac_sha1(key20, "Hi There")) == "b617318655057264e28bc0b6fb378c8ef146be00");
  CHECK(to_hex(hmac_sha1("Jefe", "what do ya want for nothing?")) ==
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  CHECK(to_hex(hmac_sha1(std::string(80, '\xaa'),
                         "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "aa4ae5e15272d00e95705637ce8a3b55ed402112");
  CHECK(to_hex(hmac_sha256(key20, "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(to_hex(hmac_sha256(std::string(131, '\xaa'),
                           "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("A signature is checked over the bytes as they came") {
  const std::string body = "{ \"a\" : 1 }\n";
  const std::string secret = "s3cret";
  const std::string sha256_hex = to_hex(hmac_sha256(secret, body));
  const std::string sha1_hex = to_hex(hmac_sha1(secret, body));
  const auto check = [&](std::string posthog, std::string hub) {
    RequestHead head;
    head.x_posthog_signature = posthog;
    head.x_hub_signature = hub;
    return check_signature(head, body, {secret}).ok();
  };
  CHECK(check("sha256=" + sha256_hex, ""));
  CHECK(check(sha256_hex, ""));
  CHECK(check("", "sha1=" + sha1_hex));
  CHECK_FALSE(check("", ""));
  CHECK_FALSE(check("sha256=", ""));
  CHECK_FALSE(check("sha256=" + sha256_hex.substr(1), ""));
  CHECK_FALSE(check("sha256=" + sha1_hex, ""));
  CHECK_FALSE(check("sha512=" + sha256_hex, ""));
  CHECK_FALSE(check("", "sha1=" + sha256_hex));
  std::string altered = sha256_hex;
  altered.back() = altered.back() == '0' ? '1' : '0';
  CHECK_FALSE(check("sha256=" + altered, ""));
  RequestHead with_data;
  with_data.x_posthog_signature = sha256_hex;
  with_data.query = "v=2&data=e30";
  CHECK(code_of(check_signature(with_data, body, {secret})) == ErrorCode::kInvalidSignature);
  CHECK(check_signature(with_data, body, {}).ok());
  CHECK(check_signature(RequestHead{}, body, {}).ok());
  CHECK(code_of(check_signature(RequestHead{}, body, {secret})) == ErrorCode::kInvalidSignature);
}

TEST_CASE("Constant-time comparison tells equal from unequal") {
  CHECK(constant_time_equal("", ""));
  CHECK(constant_time_equal("abc", "abc"));
  CHECK_FALSE(constant_time_equal("abc", "abd"));
  CHECK_FALSE(constant_time_equal("abc", "ab"));
}

// --- Answers ---

TEST_CASE("Success is 200 and an object, 204 without a body for a beacon") {
  const Reply reply = success_reply(post());
  CHECK(reply.status == 200);
  CHECK(reply.body == R"({"status":"Ok"})");
  CHECK(header_of(reply, "Content-Type") == "application/json");
  const Reply beacon = success_reply(post("", "compression=base64&beacon=1"));
  CHECK(beacon.status == 204);
  CHECK(beacon.body.empty());
  CHECK(success_reply(post("", "beacon=0")).status == 200);
}

TEST_CASE("Origin and requested headers are mirrored, on errors too") {
  RequestHead head = post();
  head.origin = "https://shop.example";
  for (const Reply& reply : {success_reply(head), error_reply(head, {ErrorCode::kMissingToken})}) {
    CHECK(header_of(reply, "Access-Control-Allow-Origin") == "https://shop.example");
    CHECK(header_of(reply, "Access-Control-Allow-Credentials") == "true");
    CHECK(header_of(reply, "Vary") == "Origin");
  }
  head.method = "OPTIONS";
  head.access_control_request_headers = "x-a,content-type";
  const Reply preflight = options_reply(head);
  CHECK(preflight.status == 200);
  CHECK(header_of(preflight, "Access-Control-Allow-Headers") == "x-a,content-type");
  CHECK(header_of(preflight, "Access-Control-Allow-Methods") == "GET, POST, OPTIONS");
  head.origin = "null";
  CHECK(header_of(success_reply(head), "Access-Control-Allow-Origin") == "null");
  head.origin = "";
  CHECK(success_reply(head).headers.size() == 1);
}

TEST_CASE("An error's answer has its status, its meaning and its detail") {
  const Reply reply = error_reply(post(), {ErrorCode::kInvalidToken, "too_long"});
  CHECK(reply.status == 401);
  CHECK(reply.body == "API key is not valid: too_long");
  CHECK(header_of(reply, "Retry-After") == "(absent)");
  const Reply busy = error_reply(post(), {ErrorCode::kSinkUnavailable});
  CHECK(busy.status == 503);
  CHECK(header_of(busy, "Retry-After") == "1");
}

TEST_CASE("Every error code has a tag of its own, a status and a meaning") {
  std::string seen = ",";
  for (int i = 0; i < kErrorCodeCount; ++i) {
    const ErrorInfo& info = error_info(static_cast<ErrorCode>(i));
    const std::string tag = "," + std::string(info.tag) + ",";
    INFO(tag);
    CHECK(seen.find(tag) == std::string::npos);
    seen += std::string(info.tag) + ",";
    CHECK(info.http_status >= 400);
    CHECK(info.http_status < 600);
    CHECK_FALSE(info.meaning.empty());
    CHECK(info.retryable ==
          (info.http_status >= 500 && info.tag != "invalid_config" && info.tag != "invalid_flags"));
  }
}

// --- Text ---

TEST_CASE("Text is cut between characters, never inside one") {
  CHECK(first_code_points("aé€😀z", 3) == "aé€");
  CHECK(first_code_points("aé€😀z", 4) == "aé€😀");
  CHECK(first_code_points("abc", 10) == "abc");
  CHECK(first_utf16_units("a😀z", 2) == "a");
  CHECK(first_utf16_units("a😀z", 3) == "a😀");
}

TEST_CASE("White space of every script counts as blank") {
  CHECK(is_blank(""));
  CHECK(is_blank(" \t\r\n\v\f"));
  CHECK(is_blank("\u00a0\u1680\u2003\u2028\u202f\u205f\u3000\u0085"));
  CHECK_FALSE(is_blank("\u200b"));
  CHECK_FALSE(is_blank(" a "));
  CHECK_FALSE(is_blank("\u00e9"));
}

TEST_CASE("Integers are read whole or not at all") {
  CHECK(parse_int64("0") == 0);
  CHECK(parse_int64("-42") == -42);
  CHECK(parse_int64("+42") == 42);
  CHECK(parse_int64("999999999999999999") == 999'999'999'999'999'999);
  for (const std::string_view text :
       {"", "-", "+", "1.0", "1e3", " 1", "1 ", "0x1", "1000000000000000000000"}) {
    INFO(text);
    CHECK_FALSE(parse_int64(text).has_value());
  }
}

TEST_CASE("NUL bytes become U+FFFD") {
  std::string text("a\0b\0", 4);
  replace_nul(text);
  CHECK(text ==
        "a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD");
}

// --- Paths and ids ---

TEST_CASE("A path with a variable part is the route of its whole form and of no other") {
  struct Row {
    std::string_view path;
    RouteKind kind;
    std::string_view argument;
  };
  const Row rows[] = {
      {"/api/projects/1/feature_flags", RouteKind::kFlagList, ""},
      {"/api/projects/1/feature_flags/", RouteKind::kFlagList, ""},
      {"/api/projects/1/feature_flags/f/remote_config", RouteKind::kRemoteConfigFlag, "f"},
      {"/api/projects/1/feature_flags/f/remote_config/", RouteKind::kRemoteConfigFlag, "f"},
      {"/api/projects/1/feature_flags/f", RouteKind::kNone, ""},
      {"/api/projects/1/feature_flags/f/remote_confi", RouteKind::kNone, ""},
      {"/api/projects/1/feature_flags/f/remote_config/x", RouteKind::kNone, ""},
      {"/ofrep/v1/evaluate/flags/f", RouteKind::kOfrepFlag, "f"},
      {"/ofrep/v1/evaluate/flags/f/x", RouteKind::kNone, ""},
      {"/array/phc_x/config", RouteKind::kRemoteConfig, "phc_x"},
      {"/array/phc_x/config.js", RouteKind::kRemoteConfigJs, "phc_x"},
      {"/array/phc_x/array.js", RouteKind::kArrayJs, "phc_x"},
      {"/array/phc_x/other.js", RouteKind::kNone, ""},
      {"/array/phc_x", RouteKind::kNone, ""},
      {"/api/projects/7/query", RouteKind::kQuery, "7"},
      {"/api/environments/7/query/batch", RouteKind::kQueryBatch, "7"},
      {"/api/projects//query", RouteKind::kNone, ""},
      {"/api/projects/7/querys", RouteKind::kNone, ""},
      {"/api/projects/7", RouteKind::kNone, ""},
  };
  for (const Row& row : rows) {
    INFO(row.path);
    const Route route = find_route(row.path);
    CHECK(route.endpoint == row.kind);
    if (row.kind != RouteKind::kNone) CHECK(route.argument == row.argument);
  }
}

TEST_CASE("A UUID is read in the five forms Rust's has, and nearly one is refused") {
  const std::string plain = "0190a000-0000-7000-8000-00000000000a";
  const std::string bare = "0190a00000007000800000000000000a";
  for (const std::string& text :
       {plain, bare, "{" + plain + "}", "urn:uuid:" + plain, "urn:uuid:" + bare,
        std::string("0190A000-0000-7000-8000-00000000000A")}) {
    INFO(text);
    const std::optional<Uuid> uuid = Uuid::try_parse(text);
    REQUIRE(uuid.has_value());
    CHECK(uuid->text() == plain);
  }
  for (const std::string& text :
       {std::string(), std::string("urn:uuid:"), "urn:uuid:" + plain.substr(1), "urn:uuid" + plain,
        "URN:UUID:" + plain, "{" + plain, plain + "}", "(" + plain + ")", plain + "0",
        plain.substr(1), std::string("0190a0000-000-7000-8000-00000000000a"),
        plain.substr(0, 35) + "g", plain.substr(0, 35) + "/", plain.substr(0, 35) + ":",
        plain.substr(0, 35) + "`", "{" + bare + "}", bare + "0000"}) {
    INFO(text);
    CHECK_FALSE(Uuid::try_parse(text).has_value());
  }
}
