#include "console/live_feed.h"

#include <algorithm>

#include "console/limits.h"
#include "hogflare/json.h"
#include "wire/members.h"

namespace hogflare::console {
namespace {

// A property as it came, when it is a text that a page has room for.
void append_property(std::string& out, std::string_view name, const json::Value& properties,
                     std::string_view property) {
  const json::Value value = properties.exists() ? properties.find(property) : json::Value();
  if (!value.exists() || !value.is_string() || value.raw().size() > limits::kLiveTextBytesMax)
    return;
  append_name(out, name);
  out += value.raw();
}

}  // namespace

LiveWatch::LiveWatch(const Config& config)
    : is_bound_(std::find(config.bindings.begin(), config.bindings.end(), "LIVE") !=
                config.bindings.end()) {}

bool LiveWatch::is_due(int64_t team_id, int64_t now_ms) {
  int64_t& asked_at_ms = asked_at_ms_[team_id];
  if (now_ms - asked_at_ms < limits::kLiveAskMs && now_ms >= asked_at_ms) return false;
  asked_at_ms = now_ms;
  return true;
}

bool LiveWatch::may_show(int64_t team_id, size_t seen, int64_t now_ms) {
  const int64_t second = now_ms / 1000;
  if (second != second_) shown_ = 0;
  second_ = second;
  if (++shown_ <= limits::kLiveFeedsPerSecond) return true;
  unshown_[team_id] += seen;
  return false;
}

CallObject ask_live(int64_t team_id) { return {ObjectClass::kLive, std::to_string(team_id), ""}; }

LiveFeed::LiveFeed(std::string_view token)
    : token_last4_(token.substr(token.size() - std::min<size_t>(4, token.size()))) {}

void LiveFeed::add(const Event& event, size_t key) {
  ++seen_;
  if (entries_.size() >= limits::kLiveEventsMax) return;
  std::string json = "{";
  append_time(json, "at", event.timestamp_ms);
  append_text(json, "event", event.name);
  append_text(json, "distinct_id", event.distinct_id);
  append_text(json, "uuid", event.uuid);
  append_property(json, "url", event.properties, "$current_url");
  append_property(json, "screen", event.properties, "$screen_name");
  append_property(json, "lib", event.properties, "$lib");
  append_property(json, "lib_version", event.properties, "$lib_version");
  const std::string_view properties =
      event.properties.exists() && event.properties.is_object() ? event.properties.raw() : "{}";
  append_name(json, "properties");
  if (properties.size() <= limits::kLivePropertiesBytesMax) {
    json += properties;
  } else {
    json += "{\"$left_out_bytes\":" + std::to_string(properties.size()) + "}";
  }
  entries_.push_back({key, std::move(json), "waiting", ""});
}

LiveFeed::Entry* LiveFeed::find(size_t key) {
  for (size_t i = window_at_; i < entries_.size(); ++i) {
    if (entries_[i].key == key) return &entries_[i];
  }
  return nullptr;
}

void LiveFeed::settle(size_t key, std::string_view state) {
  if (Entry* entry = find(key)) entry->state = state;
}

void LiveFeed::end_window() { window_at_ = entries_.size(); }

void LiveFeed::warn(size_t key, std::string_view name, std::string_view detail,
                    const Event& event) {
  std::string warning = "{";
  append_text(warning, "name", name);
  append_text(warning, "detail", detail);
  if (Entry* entry = find(key)) {
    if (!entry->warnings.empty()) entry->warnings += ',';
    entry->warnings += warning + '}';
  }
  if (++notes_ > limits::kLiveNotesMax) return;
  append_time(warning, "at", event.timestamp_ms);
  append_text(warning, "event", event.name);
  append_text(warning, "distinct_id", event.distinct_id);
  append_text(warning, "event_uuid", event.uuid);
  append_text(warning, "token_last4", token_last4_);
  if (!warnings_.empty()) warnings_ += ',';
  warnings_ += warning + '}';
}

void LiveFeed::reject(std::string_view reason, std::string_view detail, std::string_view event,
                      std::string_view distinct_id, int64_t now_ms) {
  if (++notes_ > limits::kLiveNotesMax) return;
  std::string reject = "{";
  append_time(reject, "at", now_ms);
  append_text(reject, "reason", reason);
  append_text(reject, "detail", detail);
  append_text(reject, "token_last4", token_last4_);
  if (!event.empty()) append_text(reject, "event", event);
  if (!distinct_id.empty()) append_text(reject, "distinct_id", distinct_id);
  if (!rejects_.empty()) rejects_ += ',';
  rejects_ += reject + '}';
}

CallObject LiveFeed::take(int64_t team_id, size_t more_seen) {
  std::string feed = "{\"seen\":" + std::to_string(seen_ + more_seen) + ",\"events\":[";
  for (Entry& entry : entries_) {
    if (feed.back() != '[') feed += ',';
    feed += entry.json;
    append_text(feed, "state", entry.state);
    append_name(feed, "warnings");
    feed += '[' + entry.warnings + "]}";
  }
  feed += "],\"rejects\":[" + rejects_ + "],\"warnings\":[" + warnings_ + "]}";
  return {ObjectClass::kLive, std::to_string(team_id), std::move(feed)};
}

}  // namespace hogflare::console
