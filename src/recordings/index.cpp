// What of a recording stands in its object, and what in its row.
#include <algorithm>
#include <string_view>
#include <vector>

#include "hogflare/json.h"
#include "hogflare/limits.h"
#include "hogflare/recordings.h"
#include "hogflare/recordings_limits.h"
#include "hogflare/text.h"
#include "hogflare/url.h"

namespace hogflare {
namespace {

using json::Value;

// rrweb's numbers (rrweb/typings: EventType, IncrementalSource, MouseInteractions).
constexpr int64_t kIncrementalSnapshot = 3;
constexpr int64_t kMeta = 4;
constexpr int64_t kMouseInteraction = 2;
constexpr int64_t kClick = 2;
constexpr int64_t kInput = 5;

// An item's members and those of its `data`.
constexpr uint32_t kItemDepth = 2;
// The object's own, `data`, its items.
constexpr uint32_t kTextDepth = 2;
constexpr size_t kLargeItemBytes = 64u << 10;
// Milliseconds of thirteen digits, so that keys sort by time.
constexpr int64_t kTimeMax = 9'999'999'999'999;

std::string thirteen_digits(int64_t time_ms) {
  std::string digits = std::to_string(std::clamp<int64_t>(time_ms, 0, kTimeMax));
  return std::string(13 - digits.size(), '0') + digits;
}

std::string text_of(std::string_view raw) {
  return !raw.empty() && raw.front() == '"' ? json::decode_string(raw) : std::string(raw);
}

// A whole number of milliseconds, as JavaScript's clocks have them.
std::optional<int64_t> number_of(const Value& value) {
  if (!value.is_number()) return std::nullopt;
  const std::string_view raw = value.raw();
  return parse_int64(raw.substr(0, raw.find('.')));
}

class ItemReader {
 public:
  explicit ItemReader(RecordingIndex& index) : index_(index) {}

  void add(const Value& item) {
    ++index_.items;
    if (!item.is_object()) return;
    const std::optional<int64_t> time = number_of(item.find("timestamp"));
    if (time && *time > 0 && *time <= kTimeMax) note_time(*time);
    const Value data = item.find("data");
    if (!data.exists() || !data.is_object()) return;
    const std::optional<int64_t> type = number_of(item.find("type"));
    if (type == kMeta) note_url(data.find("href"));
    if (type != kIncrementalSnapshot) return;
    const std::optional<int64_t> source = number_of(data.find("source"));
    if (source == kInput) ++index_.keys;
    if (source == kMouseInteraction && number_of(data.find("type")) == kClick) ++index_.clicks;
  }

 private:
  void note_time(int64_t time_ms) {
    index_.first_ms = index_.first_ms == 0 ? time_ms : std::min(index_.first_ms, time_ms);
    index_.last_ms = std::max(index_.last_ms, time_ms);
  }

  void note_url(const Value& href) {
    if (!href.exists() || !href.is_string() || index_.urls.size() == limits::kRecordingUrlsMax)
      return;
    std::string url = href.text();
    // One byte a code point is the least, so this is no more than so many bytes of ASCII.
    url.resize(first_bytes(url, limits::kRecordingUrlBytesMax).size());
    if (std::find(index_.urls.begin(), index_.urls.end(), url) == index_.urls.end()) {
      index_.urls.push_back(std::move(url));
    }
  }

  RecordingIndex& index_;
};

}  // namespace

std::string recording_prefix(int64_t team_id, std::string_view session_id) {
  std::string prefix = std::to_string(team_id) + "/";
  append_percent_encoded(prefix, session_id);
  return prefix + "/";
}

std::string recording_key(int64_t team_id, const Recording& recording) {
  std::string key = recording_prefix(team_id, text_of(recording.session_id));
  append_percent_encoded(key, text_of(recording.window_id));
  return key + "/" + thirteen_digits(recording.timestamp_ms) + "-" + recording.uuid;
}

namespace {

constexpr std::string_view kWindow = "{\"window_id\":";
constexpr std::string_view kUuid = ",\"uuid\":\"";
constexpr std::string_view kData = "\",\"data\":[";

}  // namespace

size_t recording_text_bytes(const Recording& recording) {
  size_t bytes = kWindow.size() + recording.window_id.size() + kUuid.size() +
                 recording.uuid.size() + kData.size() + 3;
  for (const std::string_view items : recording.items) bytes += items.size() + 1;
  return bytes;
}

std::string recording_text(const Recording& recording) {
  std::string text;
  text.reserve(recording_text_bytes(recording));
  text.append(kWindow)
      .append(recording.window_id)
      .append(kUuid)
      .append(recording.uuid)
      .append(kData);
  std::string_view before;
  for (const std::string_view items : recording.items) {
    text.append(before).append(items);
    before = ",";
  }
  // Between values only: inside a string a line's end is escaped.
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.append("]}\n");
}

RecordingIndex recording_index(int64_t team_id, const Recording& recording, std::string_view text) {
  RecordingIndex index;
  index.key = recording_key(team_id, recording);
  index.bytes = text.size();
  ItemReader reader(index);
  // Each by itself: an index of all their members could be larger than the text.
  const auto read = [&reader](std::string_view item) {
    const Result<json::Document> own = json::Document::parse_const(item, kItemDepth);
    if (own.ok()) reader.add(own.value().root());
  };
  // A large one when the list's index is gone, for its own may take as much.
  std::vector<std::string_view> large;
  if (const auto whole = json::Document::parse_const(text, kTextDepth); whole.ok()) {
    for (const Value item : whole.value().root().find("data").elements()) {
      if (item.raw().size() < kLargeItemBytes) {
        read(item.raw());
      } else {
        large.push_back(item.raw());
      }
    }
  }
  for (const std::string_view item : large) read(item);
  if (index.first_ms == 0) index.first_ms = index.last_ms = recording.timestamp_ms;
  return index;
}

}  // namespace hogflare
