// Capture v1 from bytes to rows and answer. The answer is JSON with a result for every event.
#include <cstdint>

#include "fuzz_input.h"
#include "hogflare/capture_v1.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hogflare;
  fuzz::Input input(data, size);
  const Config config;
  const uint8_t seed[32] = {};
  Entropy entropy(seed);
  RequestHead head;
  head.method = "POST";
  head.authorization = "Bearer phc_x";
  head.content_type = "application/json";
  head.user_agent = "x";
  head.posthog_attempt = "1";
  head.posthog_request_id = "0190a000-0000-7000-8000-0000000000aa";
  head.posthog_request_timestamp = "2026-01-01T12:00:05Z";
  head.content_encoding = input.choose({"", "gzip", "deflate"});
  const std::string sdk_info = input.flip() ? std::string(input.line()) + "x" : "posthog-node/1";
  head.posthog_sdk_info = sdk_info;
  const auto batch =
      decode_capture_v1(head, std::string(input.rest()), {fuzz::kNowMs, config, entropy});
  if (!batch.ok()) {
    const Reply reply = write_v1_error(head, batch.error(), fuzz::kNowMs);
    HF_ASSERT(json::Document::parse_const(reply.body, 1).ok());
    return 0;
  }
  fuzz::write_rows(head, *batch.value(), config);
  const std::vector<V1Outcome> fates(batch.value()->events.size());
  const Reply reply = write_v1_reply(head, *batch.value(), fates, fuzz::kNowMs);
  const auto document = json::Document::parse_const(reply.body, 3);
  HF_ASSERT(document.ok());
  size_t count = 0;
  for (const json::Member member : document.value().root().find("results").members()) {
    HF_ASSERT(member.value.is_object());
    ++count;
  }
  HF_ASSERT(count == batch.value()->v1_lines.size());
  return 0;
}
