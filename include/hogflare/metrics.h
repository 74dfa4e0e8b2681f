// What an isolate counted since it started, as Prometheus text and as changes for Analytics Engine.
//
//   turn.metrics.rows_delivered[index_of(Stream::kEvents)] += rows;
//   std::string text = write_prometheus(metrics, outbox_stats);
//
// One Metrics lives in the isolate's context. Workers run many isolates and a scrape reaches one of
// them, so its counters are samples, not sums: `hogflare_isolate_info` tells which isolate
// answered, and totals over all isolates come from Analytics Engine (docs/DELIVERY.md). The
// outbox figures are read from the objects and are the same from everywhere.
//
// Format: Prometheus text exposition 0.0.4,
// https://prometheus.io/docs/instrumenting/exposition_formats/
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/log.h"
#include "hogflare/result.h"
#include "hogflare/task.h"

namespace hogflare {

struct OutboxStats;  // hogflare/outbox_stats.h

inline constexpr int kObjectClassCount = 6;

inline constexpr size_t index_of(Stream stream) { return static_cast<size_t>(stream); }
inline constexpr size_t index_of(ObjectClass object_class) {
  return static_cast<size_t>(object_class);
}

// "events", "persons", "rejects".
std::string_view name_of(Stream stream);

// What a request asked for, coarse enough to be a label.
enum class MetricRoute : uint8_t {
  kCapture,
  kCaptureV1,
  kReplay,
  kAiCapture,
  kFlags,
  kFlagDefinitions,
  kRemoteConfig,
  kQuery,
  kAdmin,
  kHealth,
  kOther,
};
inline constexpr int kMetricRouteCount = static_cast<int>(MetricRoute::kOther) + 1;

// What the sink's answer to one send means (sink_verdict in hogflare/delivery.h).
enum class SinkVerdict : uint8_t {
  kDelivered,      // 2xx
  kTransient,      // 408, 425, 429, 5xx, no connection, no answer in time: a retry can help
  kTooLarge,       // 413: halves may fit
  kPoison,         // another 4xx: the sink refuses these very rows
  kMisconfigured,  // 3xx, 401, 403, 404 …: address or token are wrong; the rows are not at fault
};
inline constexpr int kSinkVerdictCount = static_cast<int>(SinkVerdict::kMisconfigured) + 1;

std::string_view name_of(SinkVerdict verdict);

template <typename T>
using PerStream = std::array<T, kStreamCount>;

struct Metrics {
  // Requests by route and status class: [route][status / 100], 0 for impossible statuses.
  std::array<std::array<uint64_t, 6>, kMetricRouteCount> requests{};
  uint64_t events_accepted = 0;
  std::array<uint64_t, kErrorCodeCount> events_rejected{};  // by ErrorCode
  std::map<std::string, uint64_t, std::less<>> warnings;    // use count_warning

  // In requests. A row counts once, in one of the four.
  PerStream<uint64_t> rows_delivered{};
  PerStream<uint64_t> rows_to_outbox{};
  PerStream<uint64_t> rows_failed{};
  PerStream<uint64_t> rows_unrouted{};  // the stream has no sink
  // Sends to the sinks, from requests and from outboxes, by verdict.
  PerStream<std::array<uint64_t, kSinkVerdictCount>> sends{};
  PerStream<uint64_t> send_retries{};
  PerStream<uint64_t> send_timeouts{};
  PerStream<uint64_t> send_splits{};
  PerStream<uint64_t> sends_skipped{};  // the breaker was open

  uint64_t outbox_puts = 0;
  uint64_t outbox_put_bytes = 0;
  uint64_t outbox_puts_full = 0;
  uint64_t outbox_puts_failed = 0;
  uint64_t recording_puts = 0;         // objects in the bucket RECORDINGS
  uint64_t recording_puts_failed = 0;  // recordings that became rows because it did not answer
  // In outbox objects.
  PerStream<uint64_t> outbox_rows_delivered{};
  PerStream<uint64_t> outbox_rows_quarantined{};
  // Rows of outbox objects on their way to a sink, now; limits::kOutboxMemoryBytesMax at most.
  uint64_t outbox_bytes_in_flight = 0;

  std::array<uint64_t, kObjectClassCount> object_calls{};
  std::array<uint64_t, kObjectClassCount> object_calls_failed{};
  uint64_t storage_rows_written = 0;
  uint64_t flag_evaluations = 0;
  uint64_t flag_evaluation_errors = 0;
  uint64_t traps = 0;         // set by the host, which outlives them
  uint64_t memory_bytes = 0;  // of the wasm instance, which never shrinks; 0 natively

  LogBuffer log;

  void count_request(MetricRoute route, uint16_t status);
  void count_rejected(ErrorCode code, uint64_t events = 1) {
    events_rejected[static_cast<size_t>(code)] += events;
  }
  // At most limits::kWarningNamesMax names; later ones count as "other".
  void count_warning(std::string_view name);
};

// One counter's identity and value.
struct MetricPoint {
  std::string name;  // with its labels: hogflare_rows_delivered_total{stream="events"}
  uint64_t value;
};

// What counted up since the last call, for Analytics Engine data points. Empty when nothing did.
//
//   MetricsDelta delta;                       // beside the Metrics, in the isolate's context
//   for (MetricPoint& point : delta.take(metrics)) write_data_point(point);
class MetricsDelta {
 public:
  std::vector<MetricPoint> take(const Metrics& metrics);

 private:
  std::map<std::string, uint64_t> last_;
};

// The points as a JSON array of [name, value] pairs, for the host.
std::string write_points(const std::vector<MetricPoint>& points);

// `isolate` names the isolate; any text, such as a random number given at its start.
std::string write_prometheus(const Metrics& metrics, const OutboxStats& outbox,
                             std::string_view isolate);

// Content-Type of write_prometheus.
inline constexpr std::string_view kPrometheusContentType =
    "text/plain; version=0.0.4; charset=utf-8";

}  // namespace hogflare
