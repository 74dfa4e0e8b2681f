// Bodies before they are JSON: every encoding of capture and flags, with every hint.
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz_input.h"
#include "hogflare/limits.h"
#include "hogflare/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hogflare;
  fuzz::Input input(data, size);
  RequestHead head;
  head.method = input.choose({"POST", "GET"});
  head.content_type = input.choose(
      {"", "application/json", "text/plain", "application/x-www-form-urlencoded", "image/png"});
  head.content_encoding = input.choose({"", "gzip", "deflate", "lz64", "base64", "br"});
  const std::string query =
      input.choose({"", "compression=gzip", "compression=base64", "compression=lz64", "data="}) +
      std::string(input.flip() ? input.line() : "");
  head.query = query;
  const Endpoint endpoint = input.flip() ? Endpoint::kLegacy : Endpoint::kBatch;
  const std::string body(input.rest());
  const Result<DecodedBody> decoded = decode_body(head, endpoint, body);
  if (decoded.ok()) HF_ASSERT(decoded.value().text.size() <= limits::kDecompressedBytesMax);
  const Result<std::string> flags = decode_flags_body(head, body);
  if (flags.ok()) HF_ASSERT(flags.value().size() <= limits::kFlagsDecompressedBytesMax);
  return 0;
}
