// Capture v0 from bytes to rows: whatever is accepted makes rows that the schema takes.
#include <cstdint>

#include "fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hogflare;
  fuzz::Input input(data, size);
  const Config config;
  const uint8_t seed[32] = {};
  Entropy entropy(seed);
  RequestHead head;
  head.method = "POST";
  head.query = input.choose({"", "_=1767268805000", "compression=gzip"});
  head.cf_connecting_ip = "203.0.113.9";
  head.edge.country = "DE";
  const uint8_t which = input.byte();
  constexpr Endpoint kEndpoints[] = {Endpoint::kBatch,    Endpoint::kLegacy, Endpoint::kEngage,
                                     Endpoint::kIdentify, Endpoint::kAlias,  Endpoint::kGroups};
  const auto batch = decode_capture(head, kEndpoints[which % 6], std::string(input.rest()),
                                    {fuzz::kNowMs, config, entropy});
  if (batch.ok()) fuzz::write_rows(head, *batch.value(), config);
  return 0;
}
