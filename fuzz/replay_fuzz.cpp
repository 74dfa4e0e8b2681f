// Session replay from bytes to rows.
#include <cstdint>

#include "fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hogflare;
  const Config config;
  const uint8_t seed[32] = {};
  Entropy entropy(seed);
  RequestHead head;
  head.method = "POST";
  head.user_agent = "posthog-android/1.0.4";
  const std::string body(reinterpret_cast<const char*>(data), size);
  const auto batch = decode_replay(head, body, {fuzz::kNowMs, config, entropy});
  if (batch.ok()) fuzz::write_rows(head, *batch.value(), config);
  return 0;
}
