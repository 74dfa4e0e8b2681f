#include "guard/decoders.h"

#include <cstdio>
#include <functional>
#include <utility>

#include "deflated.h"
#include "hogflare/limits.h"
#include "hogflare/result.h"

namespace hogflare::guard {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
// A URL on Cloudflare has 16 KB (P-4.1).
constexpr size_t kUrlBytesMax = 16u << 10;

std::string event(size_t index) {
  char uuid[37];
  std::snprintf(uuid, sizeof uuid, "01a20328-b8f6-7130-a602-%012zu", index);
  return std::string(R"({"uuid":")") + uuid +
         R"(","event":"page viewed","distinct_id":"user-1","timestamp":"2026-11-22T12:08:50.166Z",)"
         R"("properties":{"$process_person_profile":false,"$current_url":"https://shop.example.com/)"
         R"(shop?utm_source=news","title":"Wares \u0026 more","price":49.9,"items":["a","b",null],)"
         R"("nested":{"depth":{"of":{"three":true}}}}})";
}

std::string engage(size_t index) {
  return R"({"$distinct_id":"user-1","$set":{"plan":"pro","n":)" + std::to_string(index % 7) +
         R"(,"about":"a text of some length that says little about anybody at all, over and over"}})";
}

std::string snapshot(size_t index) {
  return R"({"event":"$snapshot","properties":{"distinct_id":"user-1","$session_id":"s-)" +
         std::to_string(index % 3) +
         R"(","$window_id":"w","$snapshot_data":[{"type":3,"data":{"source":1,"positions":[{"x":1,)"
         R"("y":2,"id":3,"timeOffset":0}]},"timestamp":1763812800000}]}})";
}

// Items with commas between them until `bytes` are reached.
std::string list(size_t bytes, const std::function<std::string(size_t)>& item) {
  std::string out;
  for (size_t i = 0; i == 0 || out.size() < bytes; ++i) {
    if (i > 0) out += ',';
    out += item(i);
  }
  return out;
}

std::string batch(size_t bytes, const std::function<std::string(size_t)>& item) {
  return R"({"api_key":"phc_bench","created_at":"2026-11-22T12:08:50.166Z","batch":[)" +
         list(bytes, item) + "]}";
}

std::string gzip(const std::string& text) { return test::deflated(text, test::kGzipBits, 1); }

std::string base64(std::string_view bytes) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6;) out += kAlphabet[bits >> (count -= 6) & 63];
  }
  if (count > 0) out += kAlphabet[bits << (6 - count) & 63];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

std::string escaped(std::string_view base64_text) {
  std::string out;
  for (const char c : base64_text) out += c == '+' ? "%2B" : c == '/' ? "%2F" : std::string(1, c);
  return out;
}

// LZ-string that finds no repetition: every character is written out. A whole text all the same.
class LzWriter {
 public:
  std::string write(std::string_view text) {
    for (const char c : text) {
      put(0, width_);
      put(static_cast<unsigned char>(c), 8);
      add();
      if (has_phrase_) add();
      has_phrase_ = true;
    }
    put(2, width_);
    while (count_ > 0) put(0, 1);
    return std::move(out_);
  }

 private:
  void put(uint32_t value, int bits) {
    for (int i = 0; i < bits; ++i) {
      six_ = six_ << 1 | (value >> i & 1);
      if (++count_ < 6) continue;
      out_ += kAlphabet[six_];
      six_ = 0;
      count_ = 0;
    }
  }
  // As the reader's dictionary grows, so does the width of its codes.
  void add() {
    if (++phrases_ == 1) {
      width_ = 3;
      until_wider_ = 4;
    } else if (--until_wider_ == 0) {
      until_wider_ = 1u << width_;
      ++width_;
    }
  }

  std::string out_;
  uint32_t six_ = 0;
  int count_ = 0;
  int width_ = 2;
  uint32_t phrases_ = 0;
  uint32_t until_wider_ = 4;
  bool has_phrase_ = false;
};

std::string flags_body(size_t bytes, std::string_view front) {
  return std::string(front) +
         list(bytes,
              [](size_t i) {
                return "\"property_" + std::to_string(i) + R"(":"a value of some length")";
              }) +
         "}}";
}

struct Way {
  std::string name;
  size_t limit;
  DecoderCase (*make)(size_t bytes);
};

DecoderCase plain(std::string path, std::string body) {
  DecoderCase made;
  made.path = std::move(path);
  made.bytes = body.size();
  made.body = std::move(body);
  return made;
}

std::vector<Way> ways() {
  // What fits beside its copies into the memory of one request, and its events into their number.
  constexpr size_t kUnpacked = 16u << 20;
  constexpr size_t kPlain = 14u << 20;
  return {
      {"json batch", kPlain, [](size_t bytes) { return plain("/batch/", batch(bytes, event)); }},
      {"json array", kPlain,
       [](size_t bytes) {
         return plain("/e/", "[" + list(bytes, event).insert(1, R"("api_key":"phc_bench",)") + "]");
       }},
      {"json properties", limits::kRowBytesMax * 9 / 10,
       [](size_t bytes) {
         return plain("/e/", flags_body(bytes, R"({"api_key":"phc_bench","event":"e",)"
                                               R"("distinct_id":"user-1","properties":{)"
                                               R"("$process_person_profile":false,)"));
       }},
      {"capture v1", limits::kCaptureV1WireBytesMax * 9 / 10,
       [](size_t bytes) {
         DecoderCase made = plain("/i/v1/analytics/events", batch(bytes, event));
         made.is_v1 = true;
         return made;
       }},
      {"gzip", kUnpacked,
       [](size_t bytes) {
         DecoderCase made = plain("/batch/", batch(bytes, event));
         made.body = gzip(made.body);
         made.content_encoding = "gzip";
         return made;
       }},
      {"base64", kUnpacked / 2,
       [](size_t bytes) { return plain("/e/", base64(batch(bytes, event))); }},
      {"base64 of gzip", kUnpacked,
       [](size_t bytes) {
         DecoderCase made = plain("/e/", batch(bytes, event));
         made.body = base64(gzip(made.body));
         return made;
       }},
      {"lz-string", limits::kLzStringBytesMax / 8,
       [](size_t bytes) {
         DecoderCase made = plain("/e/", LzWriter().write(batch(bytes, event)));
         made.query = "compression=lz64";
         return made;
       }},
      {"form", kUnpacked / 2,
       [](size_t bytes) {
         DecoderCase made = plain("/e/", "data=" + escaped(base64(batch(bytes, event))));
         made.content_type = "application/x-www-form-urlencoded";
         return made;
       }},
      {"query", kUrlBytesMax / 2,
       [](size_t bytes) {
         DecoderCase made = plain("/e/", "");
         made.query = "data=" + escaped(base64(batch(bytes, event)));
         made.bytes = made.query.size();
         return made;
       }},
      {"engage", limits::kEventsPerRequestMax * 100,
       [](size_t bytes) {
         return plain("/engage/",
                      R"({"api_key":"phc_bench","data":[)" + list(bytes, engage) + "]}");
       }},
      {"replay", kUnpacked / 2,
       [](size_t bytes) {
         return plain("/s/",
                      "[" + list(bytes, snapshot).insert(1, R"("api_key":"phc_bench",)") + "]");
       }},
      {"flags", limits::kFlagsWireBytesMax * 9 / 10,
       [](size_t bytes) {
         return plain("/flags/", flags_body(bytes, R"({"token":"phc_bench","distinct_id":"user-1",)"
                                                   R"("person_properties":{)"));
       }},
      {"ofrep", limits::kFlagsWireBytesMax * 9 / 10,
       [](size_t bytes) {
         DecoderCase made = plain("/ofrep/v1/evaluate/flags",
                                  flags_body(bytes, R"({"context":{"targetingKey":"user-1",)"));
         made.bearer = "phc_bench";
         return made;
       }},
  };
}

}  // namespace

std::vector<std::string> decoder_names() {
  std::vector<std::string> names;
  for (const Way& way : ways()) names.push_back(way.name);
  return names;
}

DecoderCase decoder_case(const std::string& name, size_t percent) {
  for (const Way& way : ways()) {
    if (way.name == name) return way.make(way.limit / 100 * percent);
  }
  std::fprintf(stderr, "no decoder '%s'\n", name.c_str());
  std::exit(2);
}

}  // namespace hogflare::guard
