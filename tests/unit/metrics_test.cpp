#include <catch2/catch.hpp>

#include <set>

#include "hogflare/json.h"
#include "hogflare/metrics.h"
#include "hogflare/outbox.h"

namespace hogflare {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = text.find('\n', begin);
    REQUIRE(end != std::string::npos);  // the format wants a line feed at the end
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

bool has_line(const std::string& text, const std::string& line) {
  const std::vector<std::string> lines = lines_of(text);
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

TEST_CASE("The Prometheus text declares each family once, before its samples") {
  Metrics metrics;
  metrics.count_request(MetricRoute::kCapture, 200);
  metrics.count_warning("ignored_invalid_timestamp");
  std::set<std::string> declared;
  std::set<std::string> samples;
  std::string family;
  for (const std::string& line : lines_of(write_prometheus(metrics, OutboxStats{}, "a1"))) {
    if (line.rfind("# HELP ", 0) == 0) continue;
    if (line.rfind("# TYPE ", 0) == 0) {
      family = line.substr(7, line.find(' ', 7) - 7);
      CHECK(declared.insert(family).second);
      continue;
    }
    CHECK(line.substr(0, line.find_first_of("{ ")) == family);
    CHECK(samples.insert(line.substr(0, line.rfind(' '))).second);
  }
  CHECK(declared.size() > 25);
}

TEST_CASE("Counters and outbox figures appear with their labels") {
  Metrics metrics;
  metrics.count_request(MetricRoute::kCapture, 200);
  metrics.count_request(MetricRoute::kCapture, 503);
  metrics.count_request(MetricRoute::kOther, 999);
  metrics.count_rejected(ErrorCode::kMissingDistinctId, 3);
  metrics.rows_delivered[index_of(Stream::kPersons)] = 12;
  metrics.sends[0][static_cast<size_t>(SinkVerdict::kPoison)] = 2;
  metrics.object_calls[index_of(ObjectClass::kOutbox)] = 4;
  metrics.traps = 1;
  OutboxStats outbox;
  outbox.now_ms = 1'000'000;
  outbox.streams[0] = {.sends = 2, .rows = 9, .bytes = 300, .oldest_ms = 940'000};
  outbox.shards = 7;
  outbox.shards_failed = 1;
  const std::string text = write_prometheus(metrics, outbox, "i");
  CHECK(has_line(text, "hogflare_requests_total{route=\"capture\",status=\"2xx\"} 1"));
  CHECK(has_line(text, "hogflare_requests_total{route=\"capture\",status=\"5xx\"} 1"));
  CHECK(has_line(text, "hogflare_requests_total{route=\"other\",status=\"other\"} 1"));
  CHECK(has_line(text, "hogflare_events_rejected_total{reason=\"missing_distinct_id\"} 3"));
  CHECK(has_line(text, "hogflare_rows_delivered_total{stream=\"persons\"} 12"));
  CHECK(has_line(text, "hogflare_sends_total{stream=\"events\",verdict=\"poison\"} 2"));
  CHECK(has_line(text, "hogflare_object_calls_total{class=\"outbox\"} 4"));
  CHECK(has_line(text, "hogflare_traps_total 1"));
  CHECK(has_line(text, "hogflare_outbox_rows{stream=\"events\"} 9"));
  CHECK(has_line(text, "hogflare_outbox_oldest_age_seconds{stream=\"events\"} 60"));
  CHECK(has_line(text, "hogflare_outbox_oldest_age_seconds{stream=\"persons\"} 0"));
  CHECK(has_line(text, "hogflare_outbox_shards{state=\"failed\"} 1"));
}

TEST_CASE("Label values are escaped as the format asks") {
  Metrics metrics;
  metrics.count_warning("a\"b\\c\nd");
  const std::string text = write_prometheus(metrics, OutboxStats{}, "x\"y");
  CHECK(has_line(text, R"(hogflare_warnings_total{name="a\"b\\c\nd"} 1)"));
  CHECK(has_line(text, R"(hogflare_isolate_info{isolate="x\"y"} 1)"));
}

TEST_CASE("The number of warning names is bounded") {
  Metrics metrics;
  for (int i = 0; i < 1'000; ++i) metrics.count_warning("w" + std::to_string(i));
  metrics.count_warning("w0");
  CHECK(metrics.warnings.size() == limits::kWarningNamesMax);
  CHECK(metrics.warnings.at("w0") == 2);
  CHECK(metrics.warnings.at("other") == 1'000 - limits::kWarningNamesMax + 1);
}

TEST_CASE("A delta holds what counted up since the last one") {
  Metrics metrics;
  MetricsDelta delta;
  CHECK(delta.take(metrics).empty());
  metrics.events_accepted = 5;
  metrics.rows_delivered[0] = 2;
  std::vector<MetricPoint> points = delta.take(metrics);
  REQUIRE(points.size() == 2);
  CHECK(points[0].name == "hogflare_events_accepted_total");
  CHECK(points[0].value == 5);
  CHECK(write_points(points) ==
        "[[\"hogflare_events_accepted_total\",5],"
        "[\"hogflare_rows_delivered_total{stream=\\\"events\\\"}\",2]]");
  CHECK(delta.take(metrics).empty());
  metrics.events_accepted = 7;
  points = delta.take(metrics);
  REQUIRE(points.size() == 1);
  CHECK(points[0].value == 2);
}

TEST_CASE("A log line is one line of JSON with its fields in order") {
  const std::string line = log_line(LogLevel::kWarn, "send_failed",
                                    {{"stream", "events"}, {"status", 503}, {"why", "a\n\"b\""}});
  CHECK(
      line ==
      R"({"level":"warn","event":"send_failed","stream":"events","status":503,"why":"a\n\"b\""})");
}

TEST_CASE("A log line stays short, valid and on a character's boundary") {
  std::string text;
  while (text.size() < 10'000) text += "\xF0\x9F\x90\x97";
  const std::string line = log_line(LogLevel::kInfo, "e", {{"a", text}, {"b", text}, {"c", 1}});
  CHECK(line.size() < limits::kLogLineBytesMax + 100);
  CHECK(json::is_utf8(line));
  CHECK(line.find("\xEF\xBF\xBD") == std::string::npos);
  CHECK(json::Document::parse_const(line, 1).ok());
}

TEST_CASE("The log buffer is bounded and tells what it left out") {
  LogBuffer log;
  for (size_t i = 0; i < limits::kLogLinesMax + 5; ++i) {
    log.add(LogLevel::kInfo, "e", {{"i", i}});
  }
  std::vector<LogEntry> entries = log.take();
  REQUIRE(entries.size() == limits::kLogLinesMax + 1);
  CHECK(entries.back().line == R"({"level":"warn","event":"log_lines_dropped","count":5})");
  CHECK(log.empty());
  CHECK(log.take().empty());
}

}  // namespace
}  // namespace hogflare
