// What a capture request costs the core: from request bytes to row bytes, without people and
// network.
//
//   scripts/build bench && build/bench/core_bench [--json]
//
// Events of 0.3, 1.5 and 20 KB as a browser and a server SDK send them, in requests of 1, 50 and
// 1000, plain and gzipped. Each line is the median of seven rounds of processor time; allocations
// are counted by operator new and are exact.
#include <malloc.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "counting_new.h"
#include "hogflare/capture.h"
#include "hogflare/rows.h"

namespace {

using namespace hogflare;

constexpr int64_t kNowMs = 1'767'268'800'000;
constexpr int kRounds = 7;
constexpr double kRoundSecs = 0.12;

enum class Shape { kBrowser, kServer };
enum class Packing { kPlain, kGzip };

struct Load {
  Shape shape;
  size_t event_bytes;
  int events;
  Packing packing;
};

std::string uuid(int n) {
  char text[37];
  std::snprintf(text, sizeof text, "0190a000-0000-7000-8000-%012d", n);
  return text;
}

// The process's own time on a core: a busy machine slows it less than the wall clock.
double cpu_secs() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Properties as posthog-js or posthog-node name them, then filler up to the size asked for.
std::string event_text(const Load& load, int n) {
  const bool browser = load.shape == Shape::kBrowser;
  std::string text = R"({"uuid":")" + uuid(n) + R"(","event":"$pageview",)";
  if (!browser) {
    text +=
        R"("distinct_id":"user-)" + std::to_string(n % 17) +
        R"(","timestamp":"2026-01-01T11:59:55.123Z","type":"capture","library":"posthog-node",)";
  }
  text += R"("properties":{)";
  if (browser) {
    text += R"("token":"phc_bench","distinct_id":"user-)" + std::to_string(n % 17) +
            R"(","$current_url":"https://shop.example/product/)" + std::to_string(n) +
            R"(?q=a&b=c","$lib":"web",)";
  } else {
    text += R"("$lib":"posthog-node","$lib_version":"5.50.0","$is_server":true,)";
  }
  static constexpr const char* kFiller[] = {
      R"("$browser":"Chrome","$browser_version":131,"$os":"Mac OS X","$screen_height":1117,)",
      R"("$session_id":"0190a000-0000-7000-8000-0000000000aa","$viewport_width":1728,)",
      R"("amount":1299.90,"items":[{"sku":"A-1","n":2},{"sku":"B-2","n":1}],"vip":true,)",
      R"("title":"Ein schöner Titel – „Angebot“","note":"line\none \"two\"",)"};
  for (int i = 0; text.size() + 80 < load.event_bytes; ++i) {
    std::string filler = kFiller[i % 4];
    // Names are unlike one another in real events too.
    for (size_t at = 0; (at = filler.find("\":", at)) != std::string::npos; at += 2) {
      if (i >= 4 && filler[at - 1] != 'u' && filler[at - 1] != 'n') {
        filler.insert(at, std::to_string(i));
        at += 3;
      }
    }
    text += filler;
  }
  text += R"("n":)" + std::to_string(n) + "}";
  if (browser) text += R"(,"offset":)" + std::to_string(n % 3000);
  return text + "}";
}

std::string gzip(const std::string& text) {
  z_stream stream = {};
  deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct Body {
  std::string bytes;
  size_t json_bytes;
};

Body body_of(const Load& load) {
  std::string text = R"({"api_key":"phc_bench","sent_at":"2026-01-01T12:00:00.000Z","batch":[)";
  for (int n = 0; n < load.events; ++n) {
    if (n > 0) text += ',';
    text += event_text(load, n);
  }
  text += "]}";
  const size_t json_bytes = text.size();
  return {load.packing == Packing::kGzip ? gzip(text) : std::move(text), json_bytes};
}

RequestHead request_head() {
  RequestHead head;
  head.method = "POST";
  head.path = "/batch/";
  head.content_type = "application/json";
  head.cf_connecting_ip = "203.0.113.9";
  head.cf_ray = "8c1f0a2b3c4d5e6f-FRA";
  head.edge.country = "DE";
  head.edge.continent = "EU";
  head.edge.city = "Berlin";
  head.edge.region = "Land Berlin";
  head.edge.region_code = "BE";
  head.edge.postal_code = "10115";
  head.edge.latitude = "52.52000";
  head.edge.longitude = "13.40500";
  head.edge.timezone = "Europe/Berlin";
  head.edge.asn = "3320";
  head.edge.as_organization = "Deutsche Telekom AG";
  head.edge.colo = "FRA";
  return head;
}

// One request; returns the bytes of its rows.
size_t serve(const RequestHead& head, const Config& config, const std::string& body,
             const PersonView& person, const GroupView& groups) {
  static constexpr uint8_t kSeed[32] = {1};
  Entropy entropy(kSeed);
  auto decoded = decode_capture(head, Endpoint::kBatch, body, {kNowMs, config, entropy});
  const CaptureBatch& batch = *decoded.value();
  const RowWriter writer(head, {batch.token, batch.project, batch.sent_at_ms}, config, kNowMs);
  RowBatch rows(Stream::kEvents);
  for (const Event& event : batch.events) writer.append_event(event, person, groups, rows);
  HF_ASSERT(rows.size() == batch.events.size());
  return rows.array_bytes(0, rows.size());
}

struct Figures {
  double us_per_event;
  double mb_per_s;  // of JSON in
  double allocations_per_event;
};

Figures measure(const Load& load) {
  const Body body = body_of(load);
  const RequestHead head = request_head();
  const Config config;
  const GroupView groups;
  PersonView person;
  person.person_id = "246f7a43-5507-564f-b687-793ee3c2dd79";
  person.person_created_at_ms = kNowMs;
  person.person_properties = R"({"plan":"pro","email":"someone@example.com","seats":12})";

  serve(head, config, body.bytes, person, groups);
  const uint64_t before = test::allocations();
  serve(head, config, body.bytes, person, groups);
  const double counted = static_cast<double>(test::allocations() - before);

  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    uint64_t requests = 0;
    const double start = cpu_secs();
    double secs = 0;
    while (secs < kRoundSecs) {
      for (int i = 0; i < 8; ++i) serve(head, config, body.bytes, person, groups);
      requests += 8;
      secs = cpu_secs() - start;
    }
    rounds.push_back(secs * 1e6 / static_cast<double>(requests) / load.events);
  }
  std::nth_element(rounds.begin(), rounds.begin() + kRounds / 2, rounds.end());
  const double us = rounds[kRounds / 2];
  return {us, static_cast<double>(body.json_bytes) / load.events / us, counted / load.events};
}

}  // namespace

int main(int argc, char** argv) {
  const bool as_json = argc > 1 && std::strcmp(argv[1], "--json") == 0;
  if (!as_json) {
    std::printf("%-8s %7s %6s %-6s %10s %10s %8s %12s\n", "shape", "bytes", "events", "body",
                "us/event", "events/s", "MB/s", "allocs/event");
  }
  // Memory that was freed stays with the process, as in wasm: otherwise the kernel's zeroing of
  // fresh pages is half of what large requests cost.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  for (const Shape shape : {Shape::kBrowser, Shape::kServer}) {
    for (const size_t bytes : {size_t{300}, size_t{1500}, size_t{20'000}}) {
      for (const int events : {1, 50, 1000}) {
        for (const Packing packing : {Packing::kPlain, Packing::kGzip}) {
          const Figures found = measure({shape, bytes, events, packing});
          const char* shape_name = shape == Shape::kBrowser ? "browser" : "server";
          const char* body_name = packing == Packing::kGzip ? "gzip" : "plain";
          if (as_json) {
            std::printf(
                "{\"shape\":\"%s\",\"event_bytes\":%zu,\"events\":%d,\"body\":\"%s\","
                "\"us_per_event\":%.3f,\"mb_per_s\":%.1f,\"allocations_per_event\":%.2f}\n",
                shape_name, bytes, events, body_name, found.us_per_event, found.mb_per_s,
                found.allocations_per_event);
          } else {
            std::printf("%-8s %7zu %6d %-6s %10.2f %10.0f %8.0f %12.2f\n", shape_name, bytes,
                        events, body_name, found.us_per_event, 1e6 / found.us_per_event,
                        found.mb_per_s, found.allocations_per_event);
          }
        }
      }
    }
  }
  return 0;
}
