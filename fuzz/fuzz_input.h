// Takes a fuzzer's bytes apart into choices and text, and makes rows of what was decoded.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "hogflare/rows.h"

namespace hogflare::fuzz {

inline constexpr int64_t kNowMs = 1'767'268'800'000;

class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  uint8_t byte() {
    if (rest_.empty()) return 0;
    const uint8_t value = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  bool flip() { return (byte() & 1) != 0; }
  const char* choose(std::initializer_list<const char*> choices) {
    return choices.begin()[byte() % choices.size()];
  }
  std::string_view line() {
    const size_t end = rest_.find('\n');
    const std::string_view taken = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return taken;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

// Every accepted event must make a row that the schema takes.
inline void write_rows(const RequestHead& head, const CaptureBatch& batch, const Config& config) {
  const RowWriter writer(head, {batch.token, batch.project, batch.sent_at_ms}, config, kNowMs);
  RowBatch rows(Stream::kEvents);
  for (const Event& event : batch.events) {
    PersonView person;
    person.personless = event.person_processing_off;
    writer.append_event(event, person, {}, rows);
  }
  for (const Recording& recording : batch.recordings) writer.append_recording(recording, rows);
  for (uint32_t i = 0; i < rows.size(); ++i) HF_ASSERT(!check_row(rows.row(i)));

  RowBatch rejects(Stream::kRejects);
  for (const Reject& reject : batch.rejects) {
    append_reject_row(rejects, {.uuid = "u",
                                .reason = reject.error.tag(),
                                .detail = reject.error.detail,
                                .distinct_id = reject.distinct_id,
                                .event = reject.event,
                                .event_uuid = reject.event_uuid,
                                .payload = reject.raw,
                                .received_at_ms = kNowMs,
                                .api_key = batch.token});
    HF_ASSERT(json::Document::parse_const(rejects.row(rejects.size() - 1), 1).ok());
  }
}

}  // namespace hogflare::fuzz
