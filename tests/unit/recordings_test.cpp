// Recordings in a bucket: keys, the index, and what happens when the bucket does not take one.
#include <catch2/catch.hpp>
#include <functional>
#include <nlohmann/json.hpp>

#include "hogflare/limits.h"
#include "hogflare/memory_limits.h"
#include "hogflare/metrics.h"
#include "hogflare/recordings.h"
#include "hogflare/recordings_limits.h"
#include "hogflare/routes.h"
#include "hogflare/rows.h"
#include "http/multipart.h"
#include "wire_support.h"

using namespace hogflare;
using test::Fixture;
using test::kNowMs;

namespace {

std::string snapshot(std::string_view window, std::string_view items,
                     std::string_view session = "s-1") {
  return R"({"event":"$snapshot","uuid":"0190a000-0000-7000-8000-000000000001","properties":{"token":"T","distinct_id":"u","$lib":"web","$session_id":")" +
         std::string(session) + R"(","$window_id":)" + std::string(window) +
         R"(,"$snapshot_data":)" + std::string(items) + "}}";
}

struct Decoded {
  Fixture f;
  std::unique_ptr<CaptureBatch> batch;
  explicit Decoded(std::string body) {
    auto decoded = decode_replay(f.head, std::move(body), f.context());
    REQUIRE(decoded.ok());
    batch = std::move(decoded).value();
  }
  const Recording& first() const { return batch->recordings.front(); }
};

// Performs puts; `takes` says what the bucket does with the n-th.
struct Bucketeer {
  Fixture f;
  Metrics metrics;
  size_t memory_sum = 0;
  MemoryShare memory{memory_sum};
  BucketHealth health;
  int64_t now_ms = kNowMs;
  std::vector<PutObject> puts;

  void run(RecordingPuts& run, const std::function<bool(size_t)>& takes) {
    const auto turn = [&] { return Turn{now_ms, f.entropy, f.config, metrics, nullptr}; };
    Effects effects;
    run.start(turn(), effects);
    for (std::vector<Effect> due = effects.take(); !due.empty(); due = effects.take()) {
      REQUIRE(due.size() == 1);
      const auto* put = std::get_if<PutObject>(&due[0].kind);
      REQUIRE(put != nullptr);
      puts.push_back(*put);
      EffectResult result;
      result.id = due[0].id;
      result.ok = takes(puts.size() - 1);
      REQUIRE(run.owns(result.id));
      run.resume(turn(), std::move(result), effects);
    }
    REQUIRE(run.finished());
  }
};

std::string many(size_t count) {
  std::string body = "[";
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) body += ",";
    body += snapshot("\"w" + std::to_string(i) + "\"", "[{\"type\":3}]");
  }
  return body + "]";
}

}  // namespace

TEST_CASE("a recording's key stays in its session's folder whatever the window is called",
          "[recordings]") {
  for (const auto& [window, shown] : std::vector<std::pair<std::string, std::string>>{
           {R"("w-1")", "w-1"},
           {R"("../../2/other")", "..%2F..%2F2%2Fother"},
           {R"("\u0000\n%")", "%00%0A%25"},
           {R"("ü")", "%C3%BC"},
           {"17", "17"},
           {R"({"a":1})", "%7B%22a%22%3A1%7D"}}) {
    const Decoded decoded(snapshot(window, "[]"));
    const std::string key = recording_key(7, decoded.first());
    const std::string time = std::to_string(decoded.first().timestamp_ms);
    CHECK(key == "7/s-1/" + shown + "/" + time + "-0190a000-0000-7000-8000-000000000001");
    CHECK(key.substr(0, recording_prefix(7, "s-1").size()) == recording_prefix(7, "s-1"));
    CHECK(key.size() <= 1024);
  }
  Recording old;
  old.session_id = R"("s")";
  old.window_id = R"("w")";
  old.uuid = "u";
  old.timestamp_ms = -5;
  CHECK(recording_key(1, old) == "1/s/w/0000000000000-u");
}

TEST_CASE("the index counts items, clicks and inputs, and knows times and pages", "[recordings]") {
  const Decoded decoded(snapshot(R"("w")", R"([
    {"type":4,"data":{"href":"https://a.example/"},"timestamp":1700000000500.75},
    {"type":4,"data":{"href":"https://a.example/"},"timestamp":1700000000000},
    {"type":4,"data":{"href":5},"timestamp":-1},
    {"type":3,"data":{"source":2,"type":2},"timestamp":1700000003000},
    {"type":3,"data":{"source":2,"type":7}},
    {"type":3,"data":{"source":5,"text":"x"}},
    {"type":3,"data":{"source":0,"adds":[{"source":5}]}},
    {"type":2,"cv":"2024-10","data":"packed"},
    5, null, []])"));
  const std::string text = recording_text(decoded.first());
  const RecordingIndex index = recording_index(1, decoded.first(), text);
  CHECK(index.items == 11);
  CHECK(index.clicks == 1);
  CHECK(index.keys == 1);
  CHECK(index.first_ms == 1'700'000'000'000);
  CHECK(index.last_ms == 1'700'000'003'000);
  CHECK(index.bytes == text.size());
  CHECK(index.urls == std::vector<std::string>{"https://a.example/"});
  CHECK(text.find('\n') == text.size() - 1);
}

TEST_CASE("an index without times has the event's, and no more pages than a row should name",
          "[recordings]") {
  std::string items = "[";
  for (int i = 0; i < 40; ++i) {
    if (i > 0) items += ",";
    items += R"({"type":4,"data":{"href":")" + std::to_string(i) + std::string(3000, 'x') + "\"}}";
  }
  const Decoded decoded(snapshot(R"("w")", items + "]"));
  const RecordingIndex index = recording_index(1, decoded.first(), recording_text(decoded.first()));
  CHECK(index.first_ms == decoded.first().timestamp_ms);
  CHECK(index.last_ms == decoded.first().timestamp_ms);
  CHECK(index.urls.size() == limits::kRecordingUrlsMax);
  CHECK(index.urls[0].size() == limits::kRecordingUrlBytesMax);
  const RowWriter writer(decoded.f.head,
                         {decoded.batch->token, decoded.batch->project, decoded.batch->sent_at_ms},
                         decoded.f.config, kNowMs);
  RowBatch rows(Stream::kEvents);
  writer.append_recording_index(decoded.first(), index, rows);
  REQUIRE(rows.size() == 1);
  CHECK(check_row(rows.row(0)) == std::nullopt);
  const auto row = nlohmann::json::parse(rows.row(0));
  CHECK(row["properties"]["$hogflare_recording_key"] == index.key);
  CHECK(row["properties"]["$hogflare_recording_items"] == 40);
  CHECK(row["properties"]["$hogflare_recording_clicks"] == 0);
  CHECK(row["session_id"] == "s-1");
}

TEST_CASE("a recording's row in place of its data says all that the index knows", "[recordings]") {
  const Decoded decoded(snapshot(R"("w-1")", "[]"));
  RecordingIndex index;
  index.key = "7/s-1/w-1/x";
  index.bytes = 11;
  index.items = 12;
  index.clicks = 13;
  index.keys = 14;
  index.first_ms = 15;
  index.last_ms = 16;
  const RowWriter writer(decoded.f.head,
                         {decoded.batch->token, decoded.batch->project, decoded.batch->sent_at_ms},
                         decoded.f.config, kNowMs);
  const auto urls = [&](std::vector<std::string> given) {
    index.urls = std::move(given);
    RowBatch rows(Stream::kEvents);
    writer.append_recording_index(decoded.first(), index, rows);
    CHECK(check_row(rows.row(0)) == std::nullopt);
    const auto row = nlohmann::json::parse(rows.row(0));
    nlohmann::json told;
    for (const auto& [name, value] : row["properties"].items()) {
      if (name.find("$hogflare_recording_") == 0) told[name.substr(20)] = value;
    }
    CHECK(row["window_id"] == "w-1");
    CHECK(row["lib"] == "web");
    CHECK(row["properties"]["$window_id"] == "w-1");
    return told;
  };
  CHECK(urls({}) == nlohmann::json::parse(R"({"key":"7/s-1/w-1/x","bytes":11,"items":12,
      "clicks":13,"keys":14,"first_ms":15,"last_ms":16,"urls":[]})"));
  CHECK(urls({"a"})["urls"] == nlohmann::json{"a"});
  CHECK(urls({"a", "b\"c"})["urls"] == nlohmann::json{"a", "b\"c"});
}

TEST_CASE("recordings are put one after another, and their memory is given back", "[recordings]") {
  const Decoded decoded(many(3));
  Bucketeer bucketeer;
  RecordingPuts puts(decoded.batch->recordings, 1, bucketeer.memory, bucketeer.health);
  bucketeer.run(puts, [](size_t) { return true; });
  REQUIRE(bucketeer.puts.size() == 3);
  CHECK(bucketeer.puts[1].bytes ==
        "{\"window_id\":\"w1\",\"uuid\":\"0190a000-0000-7000-8000-000000000001\",\"data\":[{"
        "\"type\":3}]}\n");
  for (size_t i = 0; i < 3; ++i) CHECK(puts.stored(i)->key == bucketeer.puts[i].key);
  CHECK(bucketeer.metrics.recording_puts == 3);
  CHECK(bucketeer.memory_sum == 0);
}

TEST_CASE("after one that is not taken the rest goes into rows, for a while", "[recordings]") {
  const Decoded decoded(many(3));
  Bucketeer bucketeer;
  RecordingPuts puts(decoded.batch->recordings, 1, bucketeer.memory, bucketeer.health);
  bucketeer.run(puts, [](size_t put) { return put == 0; });
  CHECK(bucketeer.puts.size() == 2);
  CHECK(puts.stored(0) != nullptr);
  CHECK(puts.stored(1) == nullptr);
  CHECK(puts.stored(2) == nullptr);
  CHECK(bucketeer.memory_sum == 0);
  for (const auto& [later_ms, count] :
       {std::pair{limits::kRecordingPauseMs - 1, 0}, std::pair{limits::kRecordingPauseMs, 3},
        // The clock was ahead.
        std::pair{int64_t{-1}, 3}}) {
    bucketeer.now_ms = kNowMs + later_ms;
    bucketeer.health.retry_at_ms = kNowMs + limits::kRecordingPauseMs;
    bucketeer.puts.clear();
    RecordingPuts again(decoded.batch->recordings, 1, bucketeer.memory, bucketeer.health);
    bucketeer.run(again, [](size_t) { return true; });
    CHECK(bucketeer.puts.size() == static_cast<size_t>(count));
  }
}

TEST_CASE("a request has so many objects, and none without memory", "[recordings]") {
  const Decoded decoded(many(limits::kRecordingPutsMax + 3));
  Bucketeer bucketeer;
  RecordingPuts puts(decoded.batch->recordings, 1, bucketeer.memory, bucketeer.health);
  bucketeer.run(puts, [](size_t) { return true; });
  CHECK(bucketeer.puts.size() == limits::kRecordingPutsMax);
  CHECK(puts.stored(limits::kRecordingPutsMax - 1) != nullptr);
  CHECK(puts.stored(limits::kRecordingPutsMax) == nullptr);

  Bucketeer poor;
  constexpr size_t kMost = limits::kRequestMemoryBytesMax + limits::kSmallRequestsBytesMax;
  poor.memory_sum = kMost;
  RecordingPuts none(decoded.batch->recordings, 1, poor.memory, poor.health);
  poor.run(none, [](size_t) { return true; });
  CHECK(poor.puts.empty());
  CHECK(poor.memory_sum == kMost);
  poor.memory_sum = 0;
}

TEST_CASE("paths of recordings and symbol sets", "[recordings]") {
  CHECK(find_route("/api/projects/1/session_recordings/s/snapshots").endpoint ==
        RouteKind::kRecordingSnapshots);
  CHECK(find_route("/api/environments/1/session_recordings/s/snapshots/").endpoint ==
        RouteKind::kRecordingSnapshots);
  CHECK(find_route("/api/projects/1/session_recordings/s").methods == kDelete);
  CHECK(find_route("/api/projects/1/session_recordings/bulk_delete").endpoint ==
        RouteKind::kRecordingsRemoval);
  CHECK(find_route("/api/projects/1/session_recordings").endpoint ==
        RouteKind::kRecordingSnapshots);
  CHECK(find_route("/api/projects/1/session_recordings/s/other").endpoint == RouteKind::kNone);
  CHECK(find_route("/api/projects/1/error_tracking/symbol_sets/x/download").endpoint ==
        RouteKind::kSymbolDownload);
  CHECK(find_route("/api/projects/1/error_tracking/symbol_sets/x/y").endpoint == RouteKind::kNone);
  CHECK(find_route("/api/projects/1/error_tracking/releases/hash/abc").endpoint ==
        RouteKind::kReleaseByHash);
}

TEST_CASE("a form's fields are found by their boundary", "[recordings]") {
  const std::string type = "multipart/form-data; boundary=\"B\"";
  const std::string body =
      "--B\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nK\r\n"
      "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"key\"\r\n"
      "Content-Type: application/octet-stream\r\n\r\n\r\n--A bytes\r\n--B--\r\n";
  const auto field = [&](std::string_view name, std::string_view given_type,
                         std::string_view given) {
    const FormPart part = find_form_part(given_type, given, name);
    return part.exists() ? std::string(given.substr(part.begin, part.size)) : std::string("(none)");
  };
  CHECK(field("key", type, body) == "K");
  CHECK(field("file", type, body) ==
        body.substr(body.find("\r\n--A"), body.find("\r\n--B--") - body.find("\r\n--A")));
  CHECK(field("other", type, body) == "(none)");
  CHECK(field("key", "text/plain", body) == "(none)");
  CHECK(field("key", "multipart/form-data", body) == "(none)");
  for (size_t cut = 0; cut < body.size(); ++cut)
    (void)field("file", type, std::string_view(body).substr(0, cut));
}
