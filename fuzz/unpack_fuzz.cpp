// Small bodies that unpack large. The fuzzer's bytes say what a text repeats, which shape it has,
// in what it is packed (gzip, deflate, what the host unpacks, base64, LZ-string, a form, a query,
// JSON within JSON, several of them), and where it is sent. Memory stays within the instance's and
// work within a multiple of what was unpacked, whatever the packing promised.
#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fuzz_host.h"
#include "tests/deflated.h"

namespace {

using namespace hogflare;

constexpr std::string_view kHost =
    R"({"vars":{"CLOUDFLARE_PIPELINE_ENDPOINT":"http://s.invalid/",)"
    R"("CLOUDFLARE_REJECTS_PIPELINE_ENDPOINT":"http://s.invalid/r"},)"
    R"("bindings":["PERSONS","GROUPS","PERSON_ID_COUNTER","OUTBOX"],"bundled_flags":"[]"})";

// Of the instance (docs/PERFORMANCE.md).
constexpr size_t kMemoryBytesMax = 96u << 20;
constexpr uint64_t kWorkBase = 4'000'000;
constexpr uint64_t kWorkPerByte = 1'500;
// Most texts are small, so that many are tried. One in 2,048, by a hash that mutations do not
// steer, is as large as a body may become.
constexpr size_t kOneIsLargeOf = 2'048;
constexpr size_t kUsualBytes = 4u << 10;
constexpr size_t kLargeBytes = 33u << 20;
constexpr size_t kUrlBytesMax = 16u << 10;

void repeat(std::string& out, std::string_view piece, size_t count, size_t bytes_max) {
  for (; count > 0 && out.size() + piece.size() <= bytes_max; --count) out += piece;
}

// Pieces, each so many times over.
std::string some_text(fuzz::Input& input, size_t bytes_max) {
  std::string out;
  for (int pieces = input.byte() % 8; pieces >= 0; --pieces) {
    const uint8_t which = input.byte();
    const std::string_view piece =
        which > 200 ? input.line()
                    : input.choose({"{},",
                                    " ",
                                    "\\u0000",
                                    "1,",
                                    "[",
                                    "\"a\":1,",
                                    "\"\\ud800\",",
                                    R"({"event":"e","distinct_id":"u"},)",
                                    "null,",
                                    "\n",
                                    "9",
                                    "x",
                                    R"({"uuid":"0190a000-0000-7000-8000-000000000001"},)",
                                    "{\"a\":",
                                    R"({"event":"","distinct_id":""},)",
                                    "\xC3\xA9",
                                    "[],",
                                    "\"\":1,",
                                    "\\\"",
                                    "0",
                                    "\"attr__z\":1,"});
    repeat(out, piece, size_t{1} << (input.byte() % 24), bytes_max);
  }
  return out;
}

// A field that something looks into, wherever events have such.
std::string_view some_name(fuzz::Input& input) {
  return input.choose({"$set",
                       "$set_once",
                       "$unset",
                       "$groups",
                       "$group_set",
                       "$group_key",
                       "$group_type",
                       "$elements",
                       "$exception_list",
                       "$exception_fingerprint",
                       "$feature_flag",
                       "$active_feature_flags",
                       "$anon_distinct_id",
                       "alias",
                       "$session_id",
                       "$window_id",
                       "$current_url",
                       "$screen_width",
                       "$timezone",
                       "$raw_user_agent",
                       "$host",
                       "$ip",
                       "$lib",
                       "token",
                       "distinct_id",
                       "$snapshot_data",
                       "person_properties",
                       "groups",
                       "flag_keys",
                       "p"});
}

// One field of one event, or of what is around it, with much in it: what of it is decoded, copied
// or indexed again must have a bound of its own.
std::string some_field(fuzz::Input& input, size_t bytes_max) {
  struct Pair {
    std::string_view front, back;
  };
  static constexpr Pair kPlaces[] = {
      {R"({"api_key":"k","batch":[{"event":"e","distinct_id":"u","properties":{)", "}}]}"},
      {R"({"api_key":"k","batch":[{"event":"$exception","distinct_id":"u","properties":{)", "}}]}"},
      {R"({"api_key":"k","batch":[{"event":"$groupidentify","distinct_id":"u","properties":{"$group_type":"t","$group_key":"g",)",
       "}}]}"},
      {R"({"api_key":"k","batch":[{"event":"$identify","distinct_id":"u","properties":{)", "}}]}"},
      {R"({"api_key":"k","batch":[{"event":"e","distinct_id":"u",)", "}]}"},
      {R"({"batch":[{"event":"e","distinct_id":"u"}],)", "}"},
      {R"({"created_at":"2026-01-01T12:00:00Z","batch":[{"uuid":"0190a000-0000-7000-8000-000000000001","event":"e","distinct_id":"u","timestamp":"2026-01-01T12:00:00Z","properties":{)",
       "}}]}"},
      {R"({"created_at":"2026-01-01T12:00:00Z","batch":[{"uuid":"0190a000-0000-7000-8000-000000000001","event":"e","distinct_id":"u","timestamp":"2026-01-01T12:00:00Z","options":{)",
       "}}]}"},
      {R"({"created_at":"2026-01-01T12:00:00Z","batch":[{"event":"e",)", "}]}"},
      {R"([{"event":"$snapshot","properties":{"token":"k","distinct_id":"u","$session_id":"s",)",
       "}}]"},
      {R"({"token":"k","distinct_id":"u",)", "}"}};
  static constexpr Pair kValues[] = {
      {"[", "]"},      {"{", "}"},           {"\"", "\""},
      {"\"\\n", "\""}, {"[[[[[[", "]]]]]]"}, {R"([{"stacktrace":{"frames":[)", "]}}]"},
      {"[{", "}]"},    {"0.", "1"}};
  static constexpr std::string_view kRootNames[] = {
      "api_key",        "token",  "sent_at", "timestamp",  "uuid",       "event",
      "$set",           "offset", "data",    "session_id", "created_at", "product_tour_id",
      "cookieless_mode"};
  const Pair place = kPlaces[input.byte() % std::size(kPlaces)];
  const Pair value = kValues[input.byte() % std::size(kValues)];
  std::string out(place.front);
  out += '"';
  out += input.flip() ? some_name(input) : kRootNames[input.byte() % std::size(kRootNames)];
  out += "\":";
  out += value.front;
  out += some_text(input, bytes_max);
  if (out.back() == ',') out.pop_back();
  out += value.back;
  out += place.back;
  return out;
}

std::string some_body(fuzz::Input& input, size_t bytes_max) {
  if (input.flip()) return some_field(input, bytes_max);
  std::string front = input.choose(
      {R"({"api_key":"k","batch":[)", R"({"api_key":"k","data":[)",
       R"([{"api_key":"k","event":"e","distinct_id":"u"},)",
       R"({"api_key":"k","event":"e","distinct_id":"u","properties":{)",
       R"({"api_key":"k","event":")", R"({"created_at":"2026-01-01T00:00:00Z","batch":[)",
       R"({"token":"k","distinct_id":")", ""});
  front += some_text(input, bytes_max);
  // A list that ends in a comma is none.
  if (!front.empty() && front.back() == ',') front.pop_back();
  return front + input.choose({"]}", "]", "}}", "\",\"distinct_id\":\"u\"}", "\"}", ""});
}

// Bits, first ones lowest, in base64: what LZ-string's texts are made of.
class BitsInBase64 {
 public:
  void add(uint32_t value, int count) {
    for (int i = 0; i < count; ++i) {
      bits_ = bits_ << 1 | (value >> i & 1);
      if (++filled_ == 6) flush();
    }
  }
  std::string take() {
    while (filled_ != 0) add(0, 1);
    return std::move(out_);
  }

 private:
  void flush() {
    static constexpr char kDigits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out_ += kDigits[bits_ & 63];
    bits_ = 0;
    filled_ = 0;
  }
  std::string out_;
  uint32_t bits_ = 0;
  int filled_ = 0;
};

std::string base64(const std::string& bytes) {
  BitsInBase64 out;
  for (const char c : bytes) {
    // Highest bit first.
    for (int bit = 7; bit >= 0; --bit) out.add(static_cast<unsigned char>(c) >> bit & 1, 1);
  }
  std::string text = out.take();
  while (text.size() % 4 != 0) text += '=';
  return text;
}

// LZ-string's compressToBase64 for texts of bytes below 256: phrases that grow by one character. A
// phrase is the number of the one before it and its last character.
std::string lz_packed(const std::string& text) {
  constexpr uint32_t kNone = 0;
  std::unordered_map<uint32_t, uint32_t> phrases;  // phrase before << 8 | character, to its number
  std::array<uint32_t, 256> characters{};          // number of a phrase of one; 0: none yet
  std::array<bool, 256> is_written{};
  BitsInBase64 out;
  uint32_t next = 3;
  uint32_t left = 2;  // until numbers get one bit more
  int width = 2;
  const auto widen = [&] {
    if (--left == 0) left = 1u << width++;
  };
  uint32_t phrase = kNone;
  int only = -1;  // the phrase's one character, if it has but one
  const auto write = [&] {
    if (only >= 0 && !is_written[only]) {
      out.add(0, width);
      out.add(static_cast<uint32_t>(only), 8);
      widen();
      is_written[only] = true;
    } else {
      out.add(phrase, width);
    }
    widen();
  };
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (characters[byte] == kNone) characters[byte] = next++;
    const uint32_t longer = phrase << 8 | byte;
    const auto found = phrases.find(longer);
    if (phrase != kNone && found != phrases.end()) {
      phrase = found->second;
      only = -1;
      continue;
    }
    if (phrase != kNone) {
      write();
      phrases.emplace(longer, next++);
    }
    phrase = characters[byte];
    only = byte;
  }
  if (phrase != kNone) write();
  out.add(2, width);  // the end
  return out.take();
}

struct Packed {
  std::string bytes;
  std::string encoding;
  std::string type = "application/json";
  std::string query;
};

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '+' || c == '&' || c == '%' || c == '=') {
      static constexpr char kHex[] = "0123456789ABCDEF";
      out += {'%', kHex[c >> 4 & 15], kHex[c & 15]};
    } else {
      out += c;
    }
  }
  return out;
}

void pack(fuzz::Input& input, Packed& packed) {
  switch (input.byte() % 10) {
    case 0:
      packed.bytes = test::deflated(packed.bytes, test::kGzipBits, 1);
      packed.encoding = input.choose({"gzip", "", "deflate"});
      break;
    case 1:
      packed.bytes = test::deflated(packed.bytes, test::kZlibBits, 1);
      packed.encoding = "deflate";
      break;
    case 2:
      packed.bytes = base64(packed.bytes);
      packed.query = input.choose({"", "compression=base64", "compression=gzip"});
      packed.type = "text/plain";
      break;
    case 3:
      if (packed.bytes.size() > (1u << 20)) break;  // the packer is slow
      packed.bytes = lz_packed(packed.bytes);
      packed.query = "compression=lz64";
      packed.type = "text/plain";
      break;
    case 4:
      packed.bytes = "data=" + escaped(packed.bytes);
      packed.type = "application/x-www-form-urlencoded";
      break;
    case 5:
      packed.bytes = R"({"api_key":"k","data":")" + packed.bytes + "\"}";
      break;
    case 6:  // in members, of which the last tells a length of its own
      packed.bytes = test::deflated(packed.bytes, test::kGzipBits, 1) +
                     test::deflated(" ", test::kGzipBits, 1);
      break;
    case 7:
      packed.query = "data=" + escaped(packed.bytes);
      // Cloudflare answers 414 to longer addresses
      // (developers.cloudflare.com/workers/platform/limits).
      packed.query.resize(std::min(packed.query.size(), kUrlBytesMax));
      packed.bytes.clear();
      break;
    case 8:  // what only the host unpacks: run lengths stand for it
      packed.bytes = std::string(input.line());
      packed.encoding = input.choose({"br", "zstd"});
      break;
    default:  // it ends too early, or tells another length
      packed.bytes.resize(packed.bytes.size() -
                          std::min<size_t>(packed.bytes.size(), input.byte()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  fuzz::RunLengths decompressor;
  test::TableZones zones;
  Core core(kHost, decompressor, zones);
  fuzz::Host host(core, input, fuzz::Answers::kWell);
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const bool is_large = std::hash<std::string_view>()(all) % kOneIsLargeOf == 0;
  const size_t bytes_max = is_large ? kLargeBytes : kUsualBytes;
  const std::string path =
      input.choose({"/batch/", "/e/", "/engage/", "/s/", "/i/v1/analytics/events", "/flags/",
                    "/decide/", "/identify", "/alias", "/groups", "/ofrep/v1/evaluate/flags"});
  Packed packed;
  packed.bytes = some_body(input, bytes_max);
  const size_t text_bytes = packed.bytes.size();
  for (int layers = input.byte() % 4; layers > 0; --layers) pack(input, packed);
  std::string headers;
  for (const std::string_view field :
       {std::string_view(packed.type), std::string_view(packed.encoding), std::string_view(),
        std::string_view(), std::string_view(), std::string_view("Bearer k"), std::string_view(),
        std::string_view(), std::string_view("posthog-node/1"), std::string_view("1"),
        std::string_view("0190a000-0000-7000-8000-0000000000aa"),
        std::string_view("2026-01-01T12:00:05Z")}) {
    headers += field;
    headers += '\0';
  }
  const size_t sent_bytes = packed.bytes.size() + packed.query.size();
  const std::string_view body_state = fuzz::keep_out_large(packed.bytes);
  fuzz::reset_costs();
  const size_t before = fuzz::costs().live_bytes - packed.bytes.capacity();
  const Reply reply =
      host.http("POST", path, packed.query, headers, std::move(packed.bytes), body_state);
  const fuzz::Costs costs = fuzz::costs();
  HF_ASSERT(reply.status >= 200 && reply.status <= 503);
  HF_ASSERT(costs.live_bytes_peak - before <= kMemoryBytesMax);
  HF_ASSERT(costs.work <=
            kWorkBase + kWorkPerByte * (text_bytes + sent_bytes + decompressor.given));
  return 0;
}
