#include "hogflare/log.h"

#include <algorithm>
#include <array>
#include <utility>

#include "hogflare/json.h"
#include "hogflare/limits.h"
#include "hogflare/text.h"

namespace hogflare {
namespace {

constexpr std::array<std::string_view, 3> kLevels = {"info", "warn", "error"};

}  // namespace

std::string log_line(LogLevel level, std::string_view event,
                     std::initializer_list<LogField> fields) {
  std::string line = "{\"level\":";
  json::append_string(line, kLevels[static_cast<size_t>(level)]);
  line += ",\"event\":";
  json::append_string(line, event);
  for (const LogField& field : fields) {
    line += ',';
    json::append_string(line, field.name);
    line += ':';
    if (field.is_number) {
      line += std::to_string(field.number);
    } else {
      const size_t used = std::min(line.size(), limits::kLogLineBytesMax);
      json::append_string(line, first_bytes(field.text, limits::kLogLineBytesMax - used));
    }
  }
  line += '}';
  return line;
}

void LogBuffer::add(LogLevel level, std::string_view event,
                    std::initializer_list<LogField> fields) {
  if (entries_.size() >= limits::kLogLinesMax) {
    ++dropped_;
    return;
  }
  entries_.push_back({level, log_line(level, event, fields)});
}

std::vector<LogEntry> LogBuffer::take() {
  if (dropped_ > 0) {
    entries_.push_back(
        {LogLevel::kWarn, log_line(LogLevel::kWarn, "log_lines_dropped", {{"count", dropped_}})});
    dropped_ = 0;
  }
  return std::exchange(entries_, {});
}

}  // namespace hogflare
