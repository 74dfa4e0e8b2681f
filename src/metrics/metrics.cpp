#include "hogflare/metrics.h"

#include <algorithm>

#include "hogflare/json.h"
#include "hogflare/outbox_stats.h"

namespace hogflare {
namespace {

constexpr PerStream<std::string_view> kStreams = {"events", "persons", "rejects", "distinct_ids"};
constexpr std::array<std::string_view, kSinkVerdictCount> kVerdicts = {
    "delivered", "transient", "too_large", "poison", "misconfigured"};
constexpr std::array<std::string_view, kMetricRouteCount> kRoutes = {
    "capture",       "capture_v1", "replay", "ai_capture", "flags", "flag_definitions",
    "remote_config", "query",      "admin",  "health",     "other"};
constexpr std::array<std::string_view, 6> kStatusClasses = {"other", "1xx", "2xx",
                                                            "3xx",   "4xx", "5xx"};
constexpr std::array<std::string_view, kObjectClassCount> kClasses = {
    "person", "group", "person_id_counter", "outbox", "cookieless", "live"};

// Label values: backslash, quote and line feed are escaped; nothing else may be.
void append_label_value(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

std::string label(std::string_view name, std::string_view value) {
  std::string out(name);
  out += "=\"";
  append_label_value(out, value);
  out += '"';
  return out;
}

std::string two_labels(const std::string& first, const std::string& second) {
  return first + ',' + second;
}

std::string with_labels(std::string_view name, std::string_view labels) {
  std::string out(name);
  if (!labels.empty()) {
    out += '{';
    out += labels;
    out += '}';
  }
  return out;
}

// A family of counters: `each(labels, value)` is called for every member by the walk below.
struct Family {
  std::string_view name;
  std::string_view help;
};

// Calls visitor.family(Family) and then visitor.value(labels, value) for each of its members.
template <typename Visitor>
class Walk {
 public:
  Walk(const Metrics& metrics, Visitor& visitor) : metrics_(metrics), visitor_(visitor) {}

  void all() {
    requests();
    events();
    rows();
    sends();
    outbox();
    rest();
  }

 private:
  void requests() {
    visitor_.family({"hogflare_requests_total", "Requests answered, by route and status class."});
    for (size_t route = 0; route < kRoutes.size(); ++route) {
      for (size_t status = 0; status < kStatusClasses.size(); ++status) {
        const uint64_t value = metrics_.requests[route][status];
        if (value == 0) continue;  // 60 series of which most never count
        visitor_.value(
            two_labels(label("route", kRoutes[route]), label("status", kStatusClasses[status])),
            value);
      }
    }
  }

  void events() {
    one("hogflare_events_accepted_total", "Events taken in, before delivery.",
        metrics_.events_accepted);
    visitor_.family({"hogflare_events_rejected_total", "Events refused, by reason."});
    for (size_t code = 0; code < metrics_.events_rejected.size(); ++code) {
      visitor_.value(label("reason", error_info(static_cast<ErrorCode>(code)).tag),
                     metrics_.events_rejected[code]);
    }
    visitor_.family({"hogflare_warnings_total", "Ingestion warnings, by name."});
    for (const auto& [name, value] : metrics_.warnings) visitor_.value(label("name", name), value);
  }

  void rows() {
    per_stream("hogflare_rows_delivered_total", "Rows a sink took within their request.",
               metrics_.rows_delivered);
    per_stream("hogflare_rows_to_outbox_total", "Rows handed to an outbox object.",
               metrics_.rows_to_outbox);
    per_stream("hogflare_rows_failed_total", "Rows neither a sink nor an outbox took.",
               metrics_.rows_failed);
    per_stream("hogflare_rows_unrouted_total", "Rows of a stream without a sink.",
               metrics_.rows_unrouted);
    per_stream("hogflare_outbox_rows_delivered_total", "Rows a sink took from an outbox.",
               metrics_.outbox_rows_delivered);
    per_stream("hogflare_outbox_rows_quarantined_total", "Rows put into quarantine.",
               metrics_.outbox_rows_quarantined);
  }

  void sends() {
    visitor_.family({"hogflare_sends_total", "Sends to a sink, by what its answer meant."});
    for (size_t stream = 0; stream < kStreams.size(); ++stream) {
      for (size_t verdict = 0; verdict < kVerdicts.size(); ++verdict) {
        visitor_.value(
            two_labels(label("stream", kStreams[stream]), label("verdict", kVerdicts[verdict])),
            metrics_.sends[stream][verdict]);
      }
    }
    per_stream("hogflare_send_retries_total", "Sends repeated within their request.",
               metrics_.send_retries);
    per_stream("hogflare_send_timeouts_total", "Sends without an answer in time.",
               metrics_.send_timeouts);
    per_stream("hogflare_send_splits_total", "Sends halved: too large, or a row is at fault.",
               metrics_.send_splits);
    per_stream("hogflare_sends_skipped_total", "Sends not tried because their sink was failing.",
               metrics_.sends_skipped);
  }

  void outbox() {
    one("hogflare_outbox_puts_total", "Sends stored in an outbox object.", metrics_.outbox_puts);
    one("hogflare_outbox_put_bytes_total", "Bytes of rows stored in an outbox object.",
        metrics_.outbox_put_bytes);
    one("hogflare_outbox_puts_full_total", "Puts an outbox object refused for lack of room.",
        metrics_.outbox_puts_full);
    one("hogflare_outbox_puts_failed_total", "Puts an outbox object did not answer.",
        metrics_.outbox_puts_failed);
    one("hogflare_recording_puts_total", "Recordings put into the bucket RECORDINGS.",
        metrics_.recording_puts);
    one("hogflare_recording_puts_failed_total",
        "Recordings that became rows because the bucket did not take them.",
        metrics_.recording_puts_failed);
  }

  void rest() {
    per_class("hogflare_object_calls_total", "Calls to Durable Objects.", metrics_.object_calls);
    per_class("hogflare_object_calls_failed_total", "Calls to Durable Objects without an answer.",
              metrics_.object_calls_failed);
    one("hogflare_storage_rows_written_total", "Storage rows written, as they are billed.",
        metrics_.storage_rows_written);
    one("hogflare_flag_evaluations_total", "Feature flags evaluated.", metrics_.flag_evaluations);
    one("hogflare_flag_evaluation_errors_total", "Feature flags whose evaluation failed.",
        metrics_.flag_evaluation_errors);
    one("hogflare_traps_total", "Times the core ended itself and was started anew.",
        metrics_.traps);
  }

  void one(std::string_view name, std::string_view help, uint64_t value) {
    visitor_.family({name, help});
    visitor_.value("", value);
  }

  void per_stream(std::string_view name, std::string_view help, const PerStream<uint64_t>& values) {
    visitor_.family({name, help});
    for (size_t i = 0; i < values.size(); ++i) {
      visitor_.value(label("stream", kStreams[i]), values[i]);
    }
  }

  void per_class(std::string_view name, std::string_view help,
                 const std::array<uint64_t, kObjectClassCount>& values) {
    visitor_.family({name, help});
    for (size_t i = 0; i < values.size(); ++i) {
      visitor_.value(label("class", kClasses[i]), values[i]);
    }
  }

  const Metrics& metrics_;
  Visitor& visitor_;
};

class TextWriter {
 public:
  explicit TextWriter(std::string_view type) : type_(type) {}

  void family(const Family& family) {
    name_ = family.name;
    text_ += "# HELP ";
    text_ += family.name;
    text_ += ' ';
    text_ += family.help;
    text_ += "\n# TYPE ";
    text_ += family.name;
    text_ += ' ';
    text_ += type_;
    text_ += '\n';
  }

  void value(std::string_view labels, uint64_t value) {
    text_ += with_labels(name_, labels);
    text_ += ' ';
    text_ += std::to_string(value);
    text_ += '\n';
  }

  std::string take() { return std::move(text_); }

 private:
  std::string_view type_;
  std::string_view name_;
  std::string text_;
};

class DeltaTaker {
 public:
  explicit DeltaTaker(std::map<std::string, uint64_t>& last) : last_(last) {}

  void family(const Family& family) { name_ = family.name; }

  void value(std::string_view labels, uint64_t value) {
    if (value == 0) return;
    std::string name = with_labels(name_, labels);
    uint64_t& last = last_[name];
    if (value != last) points_.push_back({std::move(name), value - last});
    last = value;
  }

  std::vector<MetricPoint> take() { return std::move(points_); }

 private:
  std::map<std::string, uint64_t>& last_;
  std::string_view name_;
  std::vector<MetricPoint> points_;
};

template <typename Read>
void gauge_per_stream(TextWriter& writer, const Family& family, const OutboxStats& outbox,
                      Read read) {
  writer.family(family);
  for (size_t i = 0; i < kStreams.size(); ++i) {
    writer.value(label("stream", kStreams[i]), read(outbox.streams[i]));
  }
}

void write_outbox_gauges(TextWriter& writer, const OutboxStats& outbox) {
  gauge_per_stream(writer, {"hogflare_outbox_sends", "Sends waiting in the outbox."}, outbox,
                   [](const OutboxStreamStats& stream) { return stream.sends; });
  gauge_per_stream(writer, {"hogflare_outbox_rows", "Rows waiting in the outbox."}, outbox,
                   [](const OutboxStreamStats& stream) { return stream.rows; });
  gauge_per_stream(writer, {"hogflare_outbox_bytes", "Bytes waiting in the outbox."}, outbox,
                   [](const OutboxStreamStats& stream) { return stream.bytes; });
  gauge_per_stream(writer, {"hogflare_outbox_oldest_age_seconds", "Age of the oldest send."},
                   outbox, [&outbox](const OutboxStreamStats& stream) {
                     if (stream.oldest_ms == 0) return uint64_t{0};
                     const int64_t age_ms = outbox.now_ms - stream.oldest_ms;
                     return static_cast<uint64_t>(std::max<int64_t>(0, age_ms / 1000));
                   });
  writer.family({"hogflare_outbox_bytes_max", "Bytes the outbox may hold."});
  writer.value("", outbox.bytes_max);
  writer.family({"hogflare_quarantine_rows", "Rows the sink refused for good."});
  writer.value("", outbox.quarantine_rows);
  writer.family({"hogflare_quarantine_bytes", "Bytes the sink refused for good."});
  writer.value("", outbox.quarantine_bytes);
  writer.family({"hogflare_outbox_shards", "Outbox shards by whether they answered."});
  writer.value(label("state", "answered"), outbox.shards);
  writer.value(label("state", "failed"), outbox.shards_failed);
}

}  // namespace

std::string_view name_of(Stream stream) { return kStreams[index_of(stream)]; }

std::string_view name_of(SinkVerdict verdict) { return kVerdicts[static_cast<size_t>(verdict)]; }

void Metrics::count_request(MetricRoute route, uint16_t status) {
  const size_t status_class = status >= 100 && status <= 599 ? status / 100u : 0;
  ++requests[static_cast<size_t>(route)][status_class];
}

void Metrics::count_warning(std::string_view name) {
  const auto found = warnings.find(name);
  if (found != warnings.end()) {
    ++found->second;
  } else if (warnings.size() + 1 < limits::kWarningNamesMax) {
    warnings.emplace(name, 1);
  } else {
    ++warnings["other"];
  }
}

std::vector<MetricPoint> MetricsDelta::take(const Metrics& metrics) {
  DeltaTaker taker(last_);
  Walk(metrics, taker).all();
  return taker.take();
}

std::string write_points(const std::vector<MetricPoint>& points) {
  std::string out = "[";
  for (const MetricPoint& point : points) {
    if (out.size() > 1) out += ',';
    out += '[';
    json::append_string(out, point.name);
    out += ',';
    out += std::to_string(point.value);
    out += ']';
  }
  out += ']';
  return out;
}

std::string write_prometheus(const Metrics& metrics, const OutboxStats& outbox,
                             std::string_view isolate) {
  TextWriter counters("counter");
  Walk(metrics, counters).all();
  TextWriter gauges("gauge");
  gauges.family({"hogflare_isolate_info",
                 "The isolate that answered; the counters above are its own since its start."});
  gauges.value(label("isolate", isolate), 1);
  gauges.family({"hogflare_wasm_memory_bytes", "Memory of the core's instance; it never shrinks."});
  gauges.value("", metrics.memory_bytes);
  gauges.family({"hogflare_outbox_bytes_in_flight",
                 "Rows of this isolate's outbox objects on their way to a sink."});
  gauges.value("", metrics.outbox_bytes_in_flight);
  write_outbox_gauges(gauges, outbox);
  return counters.take() + gauges.take();
}

}  // namespace hogflare
