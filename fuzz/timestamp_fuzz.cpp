// Times: whatever is read can be put through the event clock and written, and reads back the same.
#include <cstdint>
#include <string>
#include <string_view>

#include "hogflare/result.h"
#include "hogflare/timestamp.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hogflare;
  constexpr int64_t kNowMs = 1'767'268'800'000;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto strict = parse_rfc3339(text);
  const auto any = parse_timestamp(text);
  const auto today = parse_timestamp(text, kNowMs);
  if (strict) HF_ASSERT(any == strict);
  if (any) HF_ASSERT(today == any);
  if (const auto number = parse_epoch_number(text)) HF_ASSERT(*number >= 0);
  if (!any) return 0;
  for (const EventTimes& times : {EventTimes{.timestamp_ms = any}, EventTimes{.offset_ms = any}}) {
    const int64_t at = EventClock{kNowMs, any}.event_time(times);
    std::string written;
    append_rfc3339(written, at);
    HF_ASSERT(parse_rfc3339(written) == at);
    written.clear();
    append_imf_fixdate(written, at);
    HF_ASSERT(written.size() == 29);
  }
  return 0;
}
