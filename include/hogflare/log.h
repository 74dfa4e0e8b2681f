// Structured logs: one JSON object on one line.
//
//   turn.metrics.log.add(LogLevel::kWarn, "send_failed", {{"stream", "events"}, {"status", 503}});
//   // {"level":"warn","event":"send_failed","stream":"events","status":503}
//
// The core has nowhere to write to: lines wait in a bounded LogBuffer (a member of Metrics), which
// the host empties after each turn. Never log a secret, a header or a row.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace hogflare {

enum class LogLevel : uint8_t { kInfo = 0, kWarn = 1, kError = 2 };

// One name and value of a line; borrowed for the call.
struct LogField {
  std::string_view name;
  std::string_view text;
  int64_t number = 0;
  bool is_number = false;

  LogField(std::string_view field, std::string_view value) : name(field), text(value) {}
  LogField(std::string_view field, const char* value) : name(field), text(value) {}
  LogField(std::string_view field, const std::string& value) : name(field), text(value) {}
  template <typename T>
  requires std::is_integral_v<T> LogField(std::string_view field, T value)
      : name(field), number(static_cast<int64_t>(value)), is_number(true) {}
};

// The line, without a line feed, at most about limits::kLogLineBytesMax: long texts are cut at a
// character's boundary.
std::string log_line(LogLevel level, std::string_view event,
                     std::initializer_list<LogField> fields);

struct LogEntry {
  LogLevel level;
  std::string line;
};

// Keeps the first limits::kLogLinesMax lines since it was last emptied and counts the rest.
class LogBuffer {
 public:
  void add(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);
  bool empty() const { return entries_.empty(); }
  // Hands over the lines in order; the last one tells how many did not fit.
  std::vector<LogEntry> take();

 private:
  std::vector<LogEntry> entries_;
  uint64_t dropped_ = 0;
};

}  // namespace hogflare
