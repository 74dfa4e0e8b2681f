// Whole requests as a state machine: several of them in flight over the same objects, their effects
// answered well, badly or late, in any order, while the clock jumps. No request is left without an
// answer, what all of them hold stays within the instance's memory, and the work stays within a
// multiple of what was received and stored.
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "fuzz_host.h"

namespace {

using namespace hogflare;

constexpr std::string_view kHost =
    R"({"vars":{"CLOUDFLARE_PIPELINE_ENDPOINT":"http://s.invalid/","HOGFLARE_ADMIN_TOKEN":"a",)"
    R"("CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT":"http://s.invalid/p",)"
    R"("CLOUDFLARE_REJECTS_PIPELINE_ENDPOINT":"http://s.invalid/r",)"
    R"("CLOUDFLARE_DISTINCT_IDS_PIPELINE_ENDPOINT":"http://s.invalid/d",)"
    R"("HOGFLARE_COOKIELESS":"stateful",)"
    R"("HOGFLARE_OUTBOX_MAX_BYTES":"4194304"},)"
    R"("bindings":["PERSONS","GROUPS","PERSON_ID_COUNTER","OUTBOX","COOKIELESS"],"bundled_flags":)"
    R"("[{\"key\":\"sticky\",\"active\":true,\"ensure_experience_continuity\":true,\"filters\":)"
    R"({\"groups\":[{\"properties\":[{\"key\":\"a\",\"type\":\"person\",\"operator\":\"exact\",)"
    R"(\"value\":[\"b\"]}],\"rollout_percentage\":50}]}}]"})";

// Of the instance (docs/PERFORMANCE.md).
constexpr size_t kMemoryBytesMax = 64u << 20;
// Comparisons and allocated bytes of one request: so many whatever it holds, and so many for each
// byte it brings, unpacks or finds stored. Ordinary requests take a twentieth.
constexpr uint64_t kWorkBase = 4'000'000;
constexpr uint64_t kWorkPerByte = 4'000;

std::string some_body(fuzz::Input& input) {
  // Lines of events make a batch; a line that is none shows what a refusal costs.
  std::string body = R"({"api_key":"k","batch":[)";
  const int events = input.byte() % 5;
  for (int i = 0; i < events; ++i) {
    if (i > 0) body += ',';
    body += R"({"event":")";
    body += input.choose({"e", "$identify", "$create_alias", "$merge_dangerously", "$groupidentify",
                          "$set", "$feature_flag_called", "$snapshot"});
    body += R"(","distinct_id":")";
    body += input.choose({"ann", "bob", "cat", "$posthog_cookieless", ""});
    body += R"(","properties":{)";
    const std::string_view more = input.line();
    const std::string known = input.choose(
        {"", R"("$cookieless_mode":true,"$ip":"192.0.2.1","$raw_user_agent":"u","$host":"h")",
         R"("$groups":{"company":"acme"})"});
    body += known;
    if (!known.empty() && !more.empty()) body += ',';
    body += more;
    body += "}}";
  }
  body += "]}";
  return body;
}

Reply some_request(fuzz::Input& input, fuzz::Host& host, size_t& bytes) {
  const std::string path =
      input.choose({"/batch/", "/e/", "/engage/", "/s/", "/flags/", "/decide/", "/identify",
                    "/alias", "/groups", "/i/v1/analytics/events", "/healthz", "/metrics",
                    "/admin/outbox/drain", "/ofrep/v1/evaluate/flags"});
  const std::string query(input.flip() ? input.line() : "");
  // content-type, content-encoding, user-agent, origin, referer, authorization …
  std::string headers = input.choose({"application/json", "text/plain", ""});
  headers += '\0';
  headers += input.choose({"", "gzip", "deflate", "br", "zstd", "lz64"});
  headers.append(4, '\0');
  headers += "Bearer a";
  headers.append(3, '\0');
  headers += "posthog-node/1";
  for (const char* field :
       {"", "1", "0190a000-0000-7000-8000-0000000000aa", "2026-01-01T12:00:05Z"}) {
    headers += field;
    headers += '\0';
  }
  std::string body = input.flip() ? some_body(input) : std::string(input.line());
  bytes += body.size() + query.size();
  return host.http(input.choose({"POST", "POST", "POST", "GET"}), path, query, headers,
                   std::move(body));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  fuzz::RunLengths decompressor;
  const size_t before = fuzz::costs().live_bytes;
  test::TableZones zones;
  Core core(kHost, decompressor, zones);
  fuzz::Host host(core, input, fuzz::Answers::kByInput);
  size_t bytes = 0;
  for (int count = 0; count < 12 && !input.rest().empty(); ++count) {
    fuzz::reset_costs();
    const Reply reply = some_request(input, host, bytes);
    HF_ASSERT(reply.status >= 200 && reply.status < 600);
    const fuzz::Costs costs = fuzz::costs();
    HF_ASSERT(costs.live_bytes_peak - before <= kMemoryBytesMax + size);
    size_t stored = 0;
    for (const auto& [key, storage] : host.objects) {
      for (const auto& [name, value] : storage.values) stored += name.size() + value.size();
    }
    HF_ASSERT(costs.work <= kWorkBase + kWorkPerByte * (bytes + stored + decompressor.given));
  }
  return 0;
}
