// Memory that is stated before it is taken: whatever a body hides, decoding it takes no more at any
// moment than the request holds, and together requests hold no more than there is.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "hogflare/limits.h"
#include "hogflare/lz_string.h"
#include "hogflare/memory_limits.h"
#include "hogflare/memory_share.h"
#include "wire_support.h"

using namespace hogflare;
using namespace hogflare::test;

namespace {

constexpr size_t kMb = 1u << 20;

struct Packed {
  std::string name;
  std::string body;
  std::string query;
  std::string encoding;
  std::string type;
};

std::string percent(std::string_view base64) {
  std::string out;
  for (const char c : base64) out += c == '+' ? "%2B" : std::string(1, c);
  return out;
}

// `text` in every wrapping that a capture request may have.
std::vector<Packed> wrappings(const std::string& text) {
  const std::string gz = gzip(text);
  const std::string base64 = encode_base64(gz);
  return {
      {"gzip", gz, "", "gzip", "application/json"},
      {"gzip of two members, the last one small", gzip(text) + gzip(" "), "", "gzip", ""},
      {"deflate", deflate_text(text, Wrapper::kZlib), "compression=deflate", "", ""},
      {"deflate, called zlib", deflate_text(text, Wrapper::kZlib), "compression=zlib", "", ""},
      {"base64 of gzip", base64, "", "", "text/plain"},
      {"a form of base64 of gzip", "data=" + percent(base64), "", "",
       "application/x-www-form-urlencoded"},
      {"data of the query", "", "data=" + percent(base64), "", ""},
      {"gzip of base64", gzip(encode_base64(text)), "", "gzip", ""},
      {"data inside of JSON", R"({"api_key":"phc_x","data":")" + base64 + "\"}", "", "", ""},
  };
}

std::string events(size_t count, size_t blanks) {
  std::string text = R"({"api_key":"phc_x","batch":[{"event":"e","distinct_id":"d"})";
  for (size_t i = 1; i < count; ++i) text += R"(,{"event":"e","distinct_id":"d"})";
  return text + std::string(blanks, ' ') + "]}";
}

ErrorCode decode_beside(const Packed& packed, size_t others, size_t& held) {
  Fixture f;
  f.head.query = packed.query;
  f.head.content_encoding = packed.encoding;
  f.head.content_type = packed.type;
  size_t sum = others;
  MemoryShare memory(sum);
  CaptureContext context = f.context();
  context.memory = &memory;
  const auto decoded = decode_capture(f.head, Endpoint::kLegacy, packed.body, context);
  held = sum - others;
  CHECK(sum <= limits::kRequestMemoryBytesMax + limits::kSmallRequestBytesMax);
  return decoded.ok() ? ErrorCode::kInternal : decoded.error().code;
}

constexpr ErrorCode kTaken = ErrorCode::kInternal;

}  // namespace

TEST_CASE("However it is packed, a body holds what it unpacks to or is asked for again") {
  const std::string text = events(1000, 6 * kMb);
  for (const Packed& packed : wrappings(text)) {
    INFO(packed.name);
    size_t held = 0;
    CHECK(decode_beside(packed, 0, held) == kTaken);
    CHECK(held >= text.size());
    // Beside others that leave less than it unpacks to, it waits; by itself it never would.
    CHECK(decode_beside(packed, limits::kRequestMemoryBytesMax - 5 * kMb, held) ==
          ErrorCode::kMemoryBusy);
    CHECK(held < 6 * kMb);
    CHECK(decode_beside(packed, limits::kRequestMemoryBytesMax - 40 * kMb, held) == kTaken);
  }
}

TEST_CASE(
    "What becomes events on the paths of one kind needs room for both texts, wrapped or not") {
  const std::string item =
      R"({"token":"phc_x","$distinct_id":"d","$set":{"a":")" + std::string(6 * kMb, 'x') + "\"}}";
  for (const std::string& body :
       {"[" + item + "]", "{\"token\":\"phc_x\",\"batch\":[" + item + "]}"}) {
    for (const size_t left : {11 * kMb, 13 * kMb}) {
      INFO(body.substr(0, 20) << " with " << left / kMb << " MB left");
      Fixture f;
      size_t sum = limits::kRequestMemoryBytesMax - left;
      MemoryShare memory(sum);
      CaptureContext context = f.context();
      context.memory = &memory;
      CHECK(decode_capture(f.head, Endpoint::kEngage, body, context).ok() ==
            (left > 2 * item.size()));
    }
  }
}

TEST_CASE("Gzip that lies about its size is broken, and takes nothing by it") {
  Packed packed{"", gzip(events(1000, 6 * kMb)), "", "gzip", "application/json"};
  // RFC 1952: the last four bytes are the unpacked size.
  for (const std::string_view size :
       {std::string_view("\x10\0\0\0", 4), std::string_view("\xFF\xFF\xFF\x7F", 4)}) {
    packed.body.replace(packed.body.size() - 4, 4, size);
    size_t held = 0;
    CHECK(decode_beside(packed, limits::kRequestMemoryBytesMax - kMb, held) ==
          ErrorCode::kMemoryBusy);
    CHECK(decode_beside(packed, 0, held) == ErrorCode::kDecodeFailed);
    CHECK(held < kMb);
  }
}

TEST_CASE("A body over the limit is too large however it is packed") {
  const std::string text = events(1, limits::kDecompressedBytesMax);
  for (const Packed& packed : wrappings(text)) {
    INFO(packed.name);
    size_t held = 0;
    CHECK(decode_beside(packed, 0, held) == ErrorCode::kTooLarge);
  }
  Fixture f;
  f.config.body_bytes_max = 64 << 10;
  CHECK(f.decode(events(100, 10'000)).ok());
  CHECK(code_of(f.decode(events(100, 70'000))) == ErrorCode::kTooLarge);
  CHECK(code_of(f.decode(gzip(events(100, 70'000)))) == ErrorCode::kTooLarge);
  f.config.events_max = 99;
  CHECK(code_of(f.decode(events(100, 0))) == ErrorCode::kTooLarge);
}

TEST_CASE("LZ-string text takes no more memory than it may") {
  const auto cases = nlohmann::json::parse(read_data_file("vectors/lz-string.json"))["cases"];
  for (const auto& one : cases) {
    const std::string base64 = one["base64"].get<std::string>();
    const auto whole = decompress_lz_base64(base64, 1 << 20);
    if (!whole.ok() || whole.value().empty()) continue;
    const auto little = decompress_lz_base64(base64, 1 << 20, 100);
    CHECK(code_of(little) == ErrorCode::kTooLarge);
    const auto enough = decompress_lz_base64(base64, 1 << 20, 64 << 20);
    REQUIRE(enough.ok());
    CHECK(enough.value() == whole.value());
  }
}

TEST_CASE("A share is held, added to and given back") {
  constexpr size_t kMost = limits::kRequestMemoryBytesMax;
  size_t sum = 0;
  {
    MemoryShare first(sum), second(sum);
    CHECK_FALSE(first.hold(kMost / 2));
    CHECK(first.hold(limits::kRequestMemoryBytesMax)->code == ErrorCode::kTooLarge);
    const auto busy = second.hold(kMost * 5 / 8);
    REQUIRE(busy);
    CHECK(busy->code == ErrorCode::kMemoryBusy);
    CHECK(busy->http_status() == 503);
    CHECK(busy->retryable());
    CHECK_FALSE(second.hold(kMost * 3 / 8));
    CHECK_FALSE(second.take(kMost / 8));
    CHECK(second.take(kMost / 16));
    second.give_back(kMost / 16);
    CHECK_FALSE(first.hold(0));
    CHECK_FALSE(second.hold_more(kMost / 2));
    // What alone would not fit never will; what alone would does later.
    CHECK(second.hold_more(kMost / 2)->code == ErrorCode::kTooLarge);
    const size_t alone = kMost / 8 - limits::kRequestMemoryBytesBase;
    CHECK(second.hold_more(alone + 1)->code == ErrorCode::kTooLarge);
    CHECK(second.hold_more(alone)->code == ErrorCode::kMemoryBusy);
  }
  CHECK(sum == 0);
}

TEST_CASE("Large requests that have taken everything leave room for small ones") {
  constexpr size_t kMost = limits::kRequestMemoryBytesMax;
  constexpr size_t kSmall = limits::kSmallRequestBytesMax;
  size_t sum = 0;
  MemoryShare large(sum);
  REQUIRE_FALSE(large.hold(kMost - limits::kRequestMemoryBytesBase));
  CHECK(large.left() == 0);
  CHECK_FALSE(large.take(1));
  MemoryShare small(sum);
  CHECK(small.left() == kSmall);
  REQUIRE_FALSE(small.hold(20'000));
  CHECK(small.left() == kSmall - limits::kRequestMemoryBytesBase - 20'000);
  CHECK(small.take(small.left()));
  CHECK_FALSE(small.take(1));
  CHECK(small.hold(kSmall + 1)->code == ErrorCode::kMemoryBusy);
  CHECK(small.hold_more(1)->code == ErrorCode::kMemoryBusy);
  {
    // What they have together has a bound as well.
    std::vector<std::unique_ptr<MemoryShare>> others;
    while (others.size() < 1000) {
      others.push_back(std::make_unique<MemoryShare>(sum));
      if (others.back()->hold(20'000)) break;
    }
    CHECK(others.size() > 50);
    CHECK(others.size() < 1000);
    CHECK(sum <= kMost + limits::kSmallRequestsBytesMax);
    CHECK(others.back()->left() < limits::kRequestMemoryBytesBase + 20'000);
  }
  // A small packed body that unpacks large is a large one.
  const Packed packed{"", gzip(events(1000, 2 * kMb)), "", "gzip", "application/json"};
  size_t held = 0;
  CHECK(decode_beside(packed, kMost, held) == ErrorCode::kMemoryBusy);
  CHECK(held <= kSmall);
}
