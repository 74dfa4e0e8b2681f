#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

#include "delivery_world.h"
#include "hogflare/backoff.h"
#include "hogflare/must_wait.h"

namespace hogflare {
namespace {

using testing::batches_of;
using testing::DeliveryWorld;
using testing::numbered_rows;
using testing::ObjectFault;
using testing::SinkAnswer;

constexpr Stream kAllStreams[] = {Stream::kEvents, Stream::kPersons, Stream::kRejects};

SinkAnswer refusing(uint16_t status) { return {.status = status, .commit = false}; }

TEST_CASE("A batch gives back its rows one by one and any range as an array") {
  RowBatch batch(Stream::kEvents);
  batch.buffer() += "{\"a\":1}";
  REQUIRE(batch.end_row().ok());
  REQUIRE(batch.append("{}").ok());
  REQUIRE(batch.append("{\"b\":[1,2]}").ok());
  CHECK(batch.size() == 3);
  CHECK(batch.row(0) == "{\"a\":1}");
  CHECK(batch.row(2) == "{\"b\":[1,2]}");
  CHECK(batch.array(0, 3) == "[{\"a\":1},{},{\"b\":[1,2]}]");
  CHECK(batch.array(1, 2) == "[{}]");
  CHECK(batch.array_bytes(0, 2) == batch.array(0, 2).size());
}

TEST_CASE("A row over the sink's limit is taken back and the batch stays usable") {
  RowBatch batch(Stream::kEvents);
  REQUIRE(batch.append("{\"a\":1}").ok());
  const Result<Ok> refused = batch.append(std::string(limits::kRowBytesMax + 1, 'x'));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kEventTooLarge);
  batch.buffer() += "half a ro";
  batch.cancel_row();
  CHECK(batch.append(std::string(limits::kRowBytesMax, 'x')).ok());
  REQUIRE(batch.append("{\"b\":2}").ok());
  CHECK(batch.size() == 3);
  CHECK(batch.array(0, 1) == "[{\"a\":1}]");
  CHECK(batch.row(2) == "{\"b\":2}");
}

TEST_CASE("Every status of the sink has one meaning") {
  const auto verdict = [](uint16_t status, std::string body = {}, bool ok = true) {
    return sink_verdict({.id = 1, .ok = ok, .http_status = status, .body = std::move(body)});
  };
  for (const uint16_t status : {200, 202, 204}) CHECK(verdict(status) == SinkVerdict::kDelivered);
  CHECK(verdict(200, "{\"success\":true}") == SinkVerdict::kDelivered);
  CHECK(verdict(200, "[]") == SinkVerdict::kDelivered);
  CHECK(verdict(200, "{\"success\":false}") == SinkVerdict::kTransient);
  CHECK(verdict(200, "", false) == SinkVerdict::kTransient);
  CHECK(verdict(0, "", false) == SinkVerdict::kTransient);
  for (const uint16_t status : {408, 425, 429, 500, 502, 503, 504, 520, 599}) {
    CHECK(verdict(status) == SinkVerdict::kTransient);
  }
  CHECK(verdict(413) == SinkVerdict::kTooLarge);
  for (const uint16_t status : {400, 409, 422, 431}) CHECK(verdict(status) == SinkVerdict::kPoison);
  for (const uint16_t status : {301, 308, 401, 403, 404, 405, 410, 415}) {
    CHECK(verdict(status) == SinkVerdict::kMisconfigured);
  }
}

TEST_CASE("A reason is short and never ends inside a character") {
  std::string body;
  while (body.size() < 400) body += "\xE2\x82\xAC";
  const std::string reason =
      failure_reason({.id = 1, .ok = true, .http_status = 503, .body = body});
  CHECK(reason.size() <= limits::kReasonBytesMax);
  CHECK(reason.size() > limits::kReasonBytesMax - 4);
  CHECK(json::is_utf8(reason));
  CHECK(failure_reason({.id = 1}) == "no answer");
}

TEST_CASE("Backoff grows to its cap and jitter stays inside") {
  const Backoff backoff{.base_ms = 100, .cap_ms = 1'000};
  CHECK(ceiling_ms(backoff, 0) == 100);
  CHECK(ceiling_ms(backoff, 3) == 800);
  CHECK(ceiling_ms(backoff, 4) == 1'000);
  CHECK(ceiling_ms(backoff, 4'000'000'000u) == 1'000);
  Entropy entropy = DeliveryWorld::make_entropy(3);
  std::set<uint32_t> seen;
  for (int i = 0; i < 1'000; ++i) {
    const uint32_t full = full_jitter_ms(backoff, 1, entropy);
    const uint32_t equal = equal_jitter_ms(backoff, 1, entropy);
    REQUIRE((full >= 1 && full <= 200));
    REQUIRE((equal >= 100 && equal <= 200));
    seen.insert(full);
  }
  CHECK(seen.size() > 150);
}

TEST_CASE("Rows of all streams are sent side by side and land") {
  DeliveryWorld world;
  std::vector<RowBatch> batches;
  for (const Stream stream : kAllStreams) batches.push_back(numbered_rows(stream, 0, 3));
  const auto run = world.deliver(std::move(batches));
  CHECK(world.sends.size() == 3);
  CHECK(world.now_ms == 1'800'000'000'020);
  for (const Stream stream : kAllStreams) {
    CHECK(run->outcome(stream).delivered == 3);
    CHECK(run->fate(stream, 2) == RowFate::kDelivered);
    CHECK(world.metrics.rows_delivered[index_of(stream)] == 3);
  }
  CHECK(run->verdict() == DeliveryVerdict::kKept);
  CHECK_FALSE(run->failure().has_value());
}

TEST_CASE("A send that was answered is no longer the run's") {
  DeliveryWorld world;
  DeliveryRun run(batches_of(numbered_rows(Stream::kEvents, 0, 3)), world.health);
  Effects effects;
  run.start(world.turn(), effects);
  const std::vector<Effect> sent = effects.take();
  REQUIRE(sent.size() == 1);
  CHECK(run.owns(sent[0].id));
  run.resume(world.turn(), {.id = sent[0].id, .ok = true, .http_status = 200}, effects);
  CHECK_FALSE(run.owns(sent[0].id));
  CHECK(run.finished());
}

TEST_CASE("A request without rows is finished at once") {
  DeliveryWorld world;
  CHECK(world.deliver({})->verdict() == DeliveryVerdict::kKept);
  CHECK(world.deliver(batches_of(RowBatch(Stream::kEvents)))->finished());
  CHECK(world.sends.empty());
}

TEST_CASE("Sends stay inside the sink's limit, keep the order, and at most four run at once") {
  DeliveryWorld world;
  // 30 rows of 900 KB: 4 MiB hold four, so eight sends, in two rounds.
  world.sink = [&](const SendRows& rows) {
    CHECK(rows.rows.size() <= limits::kSendBytesMax);
    return SinkAnswer{.delay_ms = 1'000};
  };
  const int64_t begin_ms = world.now_ms;
  const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 30, 900'000)));
  CHECK(world.sends.size() == 8);
  CHECK(world.now_ms - begin_ms == 2'000);
  CHECK(run->outcome(Stream::kEvents).delivered == 30);
  const std::vector<std::string> rows = world.landed_rows(Stream::kEvents);
  for (uint32_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i].substr(0, 8 + (i > 9)) == "{\"n\":" + std::to_string(i) + ",\"");
  }
}

TEST_CASE("A transient failure is retried within the request") {
  DeliveryWorld world;
  world.sink = [&](const SendRows&) {
    return world.sends.size() < 3 ? refusing(503) : SinkAnswer{};
  };
  const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 2)));
  CHECK(world.sends.size() == 3);
  CHECK(run->outcome(Stream::kEvents).delivered == 2);
  CHECK(world.metrics.send_retries[0] == 2);
  CHECK(world.objects.empty());
}

TEST_CASE("After three attempts the rows are in the outbox and the request is kept") {
  DeliveryWorld world;
  world.sink = [](const SendRows&) { return refusing(500); };
  const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 2)));
  CHECK(world.sends.size() == limits::kSendAttempts);
  CHECK(run->outcome(Stream::kEvents).in_outbox == 2);
  CHECK(run->verdict() == DeliveryVerdict::kKept);
  CHECK(world.stats().rows() == 2);
  // With what the sink said last.
  CHECK(world.stats().streams[0].last_status == 500);
  CHECK(world.stats().streams[0].last_reason == "status 500");
}

TEST_CASE("Rows are counted by stream as what became of them, and as nothing else") {
  enum class Fate : uint8_t { kDelivered, kInOutbox, kFailed };
  for (const Fate fate : {Fate::kDelivered, Fate::kInOutbox, Fate::kFailed}) {
    for (const Stream stream : kAllStreams) {
      CAPTURE(static_cast<int>(fate), name_of(stream));
      DeliveryWorld world;
      if (fate != Fate::kDelivered) world.sink = [](const SendRows&) { return refusing(500); };
      if (fate == Fate::kFailed) {
        world.object_fault = [](const std::string&) { return ObjectFault::kUnreachable; };
      }
      const auto run = world.deliver(batches_of(numbered_rows(stream, 0, 3)));
      const StreamOutcome outcome = run->outcome(stream);
      CHECK(outcome.delivered == (fate == Fate::kDelivered ? 3 : 0));
      CHECK(outcome.in_outbox == (fate == Fate::kInOutbox ? 3 : 0));
      CHECK(outcome.failed == (fate == Fate::kFailed ? 3 : 0));
      CHECK(outcome.unrouted == 0);
      for (const Stream counted : kAllStreams) {
        const size_t at = index_of(counted);
        const uint64_t rows = counted == stream ? 3 : 0;
        CHECK(world.metrics.rows_delivered[at] == (fate == Fate::kDelivered ? rows : 0));
        CHECK(world.metrics.rows_to_outbox[at] == (fate == Fate::kInOutbox ? rows : 0));
        CHECK(world.metrics.rows_failed[at] == (fate == Fate::kFailed ? rows : 0));
      }
    }
  }
}

TEST_CASE("Rows in the outbox are as old as their first failure, in time or without an attempt") {
  for (const bool is_late : {false, true}) {
    DeliveryWorld world;
    const int64_t begin_ms = world.now_ms;
    world.sink = [&](const SendRows&) {
      return is_late ? SinkAnswer{.status = 500, .commit = false, .delay_ms = 19'000}
                     : SinkAnswer{.status = 500, .commit = false, .delay_ms = 100};
    };
    const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 2)));
    REQUIRE(run->outcome(Stream::kEvents).in_outbox == 2);
    CHECK(world.sends.size() == (is_late ? 1 : limits::kSendAttempts));
    CHECK(world.now_ms - world.stats().oldest_age_ms() == begin_ms + (is_late ? 19'000 : 100));
  }
  // The breaker opens between the first failure and its repetition.
  DeliveryWorld broken;
  const int64_t broken_ms = broken.now_ms;
  broken.sink = [&](const SendRows&) {
    for (uint32_t i = 0; i < limits::kBreakerFailures; ++i) {
      broken.health.note(Stream::kEvents, SinkVerdict::kTransient, broken.now_ms);
    }
    return SinkAnswer{.status = 500, .commit = false, .delay_ms = 100};
  };
  broken.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 1)));
  CHECK(broken.sends.size() == 1);
  CHECK(broken.metrics.sends_skipped[0] == 1);
  CHECK(broken.now_ms - broken.stats().oldest_age_ms() == broken_ms + 100);
  // Nothing was tried: since it was put aside.
  DeliveryWorld world;
  for (uint32_t i = 0; i < limits::kBreakerFailures; ++i) {
    world.health.note(Stream::kEvents, SinkVerdict::kTransient, world.now_ms);
  }
  const int64_t begin_ms = world.now_ms;
  world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 1)));
  CHECK(world.now_ms - world.stats().oldest_age_ms() == begin_ms);
}

TEST_CASE("A send that timed out is not repeated before the client") {
  DeliveryWorld world;
  world.sink = [](const SendRows&) { return SinkAnswer{.commit = false, .hang = true}; };
  const int64_t begin_ms = world.now_ms;
  const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 1)));
  CHECK(world.sends.size() == 1);
  CHECK(world.sends[0].timeout_ms == 10'000);
  CHECK(world.now_ms - begin_ms < 10'100);
  CHECK(run->outcome(Stream::kEvents).in_outbox == 1);
  CHECK(world.metrics.send_timeouts[0] == 1);
}

TEST_CASE("A time-out longer than the request's deadline is cut to it") {
  DeliveryWorld world;
  world.config.pipeline_timeout_ms = 60'000;
  world.sink = [](const SendRows&) { return SinkAnswer{.commit = false, .hang = true}; };
  world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 1)));
  CHECK(world.sends[0].timeout_ms == limits::kDeliveryDeadlineMs);
}

TEST_CASE("Sends that find no time left go to the outbox without an attempt") {
  DeliveryWorld world;
  world.sink = [](const SendRows&) { return SinkAnswer{.delay_ms = 9'800}; };
  // 12 sends, four at once: the third round would begin at 19.6 s.
  const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 48, 900'000)));
  CHECK(world.sends.size() == 8);
  CHECK(run->outcome(Stream::kEvents).delivered == 32);
  CHECK(run->outcome(Stream::kEvents).in_outbox == 16);
}

TEST_CASE("Retry-After is honoured when short and left to the outbox when long") {
  DeliveryWorld world;
  world.sink = [&](const SendRows&) {
    return world.sends.size() > 1
               ? SinkAnswer{}
               : SinkAnswer{.status = 429, .commit = false, .retry_after_ms = 1'500};
  };
  const int64_t begin_ms = world.now_ms;
  CHECK(world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 1)))
            ->outcome(Stream::kEvents)
            .delivered == 1);
  CHECK(world.now_ms - begin_ms >= 1'500);

  DeliveryWorld second;
  second.sink = [](const SendRows&) {
    return SinkAnswer{.status = 429, .commit = false, .retry_after_ms = 60'000};
  };
  CHECK(second.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 1)))
            ->outcome(Stream::kEvents)
            .in_outbox == 1);
  CHECK(second.sends.size() == 1);
  CHECK(second.stats().streams[0].retry_at_ms >= second.now_ms + 59'000);
}

TEST_CASE("413 halves a send until it fits; a single row that does not goes to the outbox") {
  DeliveryWorld world;
  world.sink = [](const SendRows& rows) {
    const bool too_large = rows.row_count > 2 || rows.rows.find("\"n\":6}") != std::string::npos;
    return too_large ? refusing(413) : SinkAnswer{};
  };
  const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 8)));
  CHECK(run->outcome(Stream::kEvents).delivered == 7);
  CHECK(run->fate(Stream::kEvents, 6) == RowFate::kInOutbox);
  CHECK(world.metrics.send_splits[0] == 4);
}

TEST_CASE("What a retry cannot help is not retried but kept in the outbox") {
  for (const uint16_t status : {400, 401, 403, 404, 422}) {
    DeliveryWorld world;
    world.sink = [status](const SendRows&) { return refusing(status); };
    const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 2)));
    CHECK(world.sends.size() == 1);
    CHECK(run->outcome(Stream::kEvents).in_outbox == 2);
    const std::vector<LogEntry> log = world.metrics.log.take();
    REQUIRE(log.size() == 1);
    CHECK(log[0].level == LogLevel::kError);
  }
}

TEST_CASE("Another shard is tried when one does not answer or is full") {
  DeliveryWorld world;
  world.sink = [](const SendRows&) { return refusing(500); };
  std::set<std::string> asked;
  world.object_fault = [&](const std::string& name) {
    asked.insert(name);
    return asked.size() < 3 ? ObjectFault::kUnreachable : ObjectFault::kNone;
  };
  const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 1)));
  CHECK(asked.size() == 3);
  CHECK(run->outcome(Stream::kEvents).in_outbox == 1);
}

TEST_CASE("Rows that nobody takes are failed and the request must be repeated") {
  DeliveryWorld world;
  world.sink = [](const SendRows&) { return refusing(500); };
  world.object_fault = [](const std::string&) { return ObjectFault::kUnreachable; };
  const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 2)));
  CHECK(run->fate(Stream::kEvents, 1) == RowFate::kFailed);
  CHECK(run->verdict() == DeliveryVerdict::kRetry);
  CHECK(run->failure() == ErrorCode::kSinkUnavailable);

  DeliveryWorld full;
  full.sink = world.sink;
  full.config.outbox_bytes_max = 8 * 100;
  const auto refused = full.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 2)));
  CHECK(refused->failure() == ErrorCode::kOutboxFull);
  CHECK(full.metrics.outbox_puts_full == limits::kOutboxShardTries);
}

TEST_CASE("Part of a request may fail: each row has its own fate") {
  DeliveryWorld world;
  world.sink = [](const SendRows& rows) {
    return rows.rows.find("\"n\":0,") != std::string::npos ? SinkAnswer{} : refusing(500);
  };
  world.object_fault = [](const std::string&) { return ObjectFault::kUnreachable; };
  const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 6, 900'000)));
  CHECK(run->outcome(Stream::kEvents).delivered == 4);
  CHECK(run->fate(Stream::kEvents, 3) == RowFate::kDelivered);
  CHECK(run->fate(Stream::kEvents, 4) == RowFate::kFailed);
  CHECK(run->verdict() == DeliveryVerdict::kRetry);
}

TEST_CASE("A sick persons sink neither fails the request nor slows its events") {
  DeliveryWorld world;
  int64_t events_landed_ms = 0;
  world.object_fault = [](const std::string&) { return ObjectFault::kUnreachable; };
  world.sink = [&](const SendRows& rows) {
    if (rows.stream != Stream::kEvents) return SinkAnswer{.commit = false, .hang = true};
    events_landed_ms = world.now_ms;
    return SinkAnswer{};
  };
  const int64_t begin_ms = world.now_ms;
  std::vector<RowBatch> batches;
  batches.push_back(numbered_rows(Stream::kPersons, 0, 10, 900'000));
  batches.push_back(numbered_rows(Stream::kEvents, 0, 30, 900'000));
  const auto run = world.deliver(std::move(batches));
  CHECK(events_landed_ms - begin_ms < 200);
  CHECK(run->verdict() == DeliveryVerdict::kKept);
  CHECK(run->outcome(Stream::kPersons).failed == 10);
  CHECK(world.metrics.rows_failed[index_of(Stream::kPersons)] == 10);
}

TEST_CASE("A reject that nobody recorded makes the request one to repeat, events or not") {
  DeliveryWorld world;
  world.object_fault = [](const std::string&) { return ObjectFault::kUnreachable; };
  world.sink = [](const SendRows& rows) {
    return rows.stream == Stream::kRejects ? refusing(500) : SinkAnswer{};
  };
  CHECK(world.deliver(batches_of(numbered_rows(Stream::kRejects, 0, 2)))->verdict() ==
        DeliveryVerdict::kRetry);
  std::vector<RowBatch> batches = batches_of(numbered_rows(Stream::kEvents, 0, 2));
  batches.push_back(numbered_rows(Stream::kRejects, 0, 1));
  const auto run = world.deliver(std::move(batches));
  CHECK(run->outcome(Stream::kEvents).delivered == 2);
  CHECK(run->verdict() == DeliveryVerdict::kRetry);
}

TEST_CASE("Streams without a sink are counted; without one for events nothing is acknowledged") {
  DeliveryWorld world;
  world.config.sinks = {SinkKind::kHttp, SinkKind::kNone, SinkKind::kNone};
  std::vector<RowBatch> batches;
  for (const Stream stream : kAllStreams) batches.push_back(numbered_rows(stream, 0, 2));
  const auto run = world.deliver(std::move(batches));
  CHECK(run->verdict() == DeliveryVerdict::kKept);
  CHECK(run->fate(Stream::kRejects, 0) == RowFate::kUnrouted);
  CHECK(world.metrics.rows_unrouted[index_of(Stream::kPersons)] == 2);
  CHECK(world.deliver(batches_of(numbered_rows(Stream::kRejects, 0, 2)))->verdict() ==
        DeliveryVerdict::kKept);

  world.config.sinks[0] = SinkKind::kNone;
  const auto refused = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 1)));
  CHECK(refused->verdict() == DeliveryVerdict::kRetry);
  CHECK(refused->fate(Stream::kEvents, 0) == RowFate::kFailed);
  CHECK(world.metrics.rows_failed[index_of(Stream::kEvents)] == 1);
}

TEST_CASE("The breaker opens after failures in a row, lets probes through and closes on success") {
  SinkHealth health;
  int64_t now_ms = 1'000'000;
  for (uint32_t i = 0; i < limits::kBreakerFailures; ++i) {
    CHECK(health.allows(Stream::kEvents, now_ms));
    health.note(Stream::kEvents, SinkVerdict::kTransient, now_ms);
  }
  CHECK(health.open(Stream::kEvents));
  CHECK_FALSE(health.open(Stream::kPersons));
  CHECK_FALSE(health.allows(Stream::kEvents, now_ms));
  health.note(Stream::kEvents, SinkVerdict::kTransient, now_ms + 1);  // an old send's answer
  now_ms += limits::kBreakerPauseMs;
  CHECK(health.allows(Stream::kEvents, now_ms));
  CHECK_FALSE(health.allows(Stream::kEvents, now_ms));
  health.note(Stream::kEvents, SinkVerdict::kTransient, now_ms);
  CHECK_FALSE(health.allows(Stream::kEvents, now_ms + limits::kBreakerPauseMs));
  now_ms += 2 * limits::kBreakerPauseMs;
  CHECK(health.allows(Stream::kEvents, now_ms));
  health.note(Stream::kEvents, SinkVerdict::kDelivered, now_ms);
  CHECK_FALSE(health.open(Stream::kEvents));
  CHECK(health.allows(Stream::kEvents, now_ms));
}

TEST_CASE("A breaker that a clock that was ahead has opened lets a probe through") {
  constexpr int64_t kDayMs = 86'400'000;
  for (const bool has_hung : {false, true}) {
    SinkHealth health;
    const auto fail = [&](int64_t now_ms) {
      if (has_hung) return health.note_hang(Stream::kEvents, now_ms);
      for (uint32_t i = 0; i < limits::kBreakerFailures; ++i) {
        health.note(Stream::kEvents, SinkVerdict::kTransient, now_ms);
      }
    };
    fail(2 * kDayMs);
    REQUIRE(health.open(Stream::kEvents));
    CHECK_FALSE(health.allows(Stream::kEvents, 2 * kDayMs));
    CHECK(health.allows(Stream::kEvents, kDayMs));
    CHECK_FALSE(health.allows(Stream::kEvents, kDayMs));
  }
  // Nor are failures of that time counted with those of now.
  SinkHealth health;
  health.note(Stream::kEvents, SinkVerdict::kTransient, 2 * kDayMs);
  for (uint32_t i = 1; i < limits::kBreakerFailures; ++i) {
    health.note(Stream::kEvents, SinkVerdict::kTransient, kDayMs);
  }
  CHECK_FALSE(health.open(Stream::kEvents));
}

TEST_CASE("A time is waited for that is ahead, and by no more than waits are long") {
  CHECK(must_wait(1'001, 1'000, 10));
  CHECK(must_wait(1'010, 1'000, 10));
  CHECK_FALSE(must_wait(1'011, 1'000, 10));
  CHECK_FALSE(must_wait(1'000, 1'000, 10));
  CHECK_FALSE(must_wait(0, 1'000, 10));
}

TEST_CASE("Failures far apart or answered poison do not open the breaker") {
  SinkHealth health;
  for (int i = 0; i < 20; ++i) {
    health.note(Stream::kEvents, SinkVerdict::kTransient, int64_t{i} * 10'000);
    CHECK_FALSE(health.open(Stream::kEvents));
  }
  health = SinkHealth();
  for (int i = 0; i < 20; ++i) {
    health.note(Stream::kEvents, i % 4 == 3 ? SinkVerdict::kPoison : SinkVerdict::kTransient, 1);
    CHECK_FALSE(health.open(Stream::kEvents));
  }
}

TEST_CASE("Failures count together for thirty seconds from the first on") {
  for (const int64_t later_ms : {limits::kBreakerWindowMs, limits::kBreakerWindowMs + 1}) {
    SinkHealth health;
    int64_t now_ms = 1'000'000;
    health.note(Stream::kEvents, SinkVerdict::kTransient, now_ms);
    now_ms += later_ms;
    for (uint32_t i = 1; i < limits::kBreakerFailures; ++i) {
      CHECK_FALSE(health.open(Stream::kEvents));
      health.note(Stream::kEvents, SinkVerdict::kMisconfigured, now_ms);
    }
    CHECK(health.open(Stream::kEvents) == (later_ms == limits::kBreakerWindowMs));
  }
}

TEST_CASE("What requests find out about the sink opens the breaker, and closes it") {
  DeliveryWorld world;
  bool down = true;
  world.sink = [&](const SendRows&) { return down ? refusing(503) : SinkAnswer{}; };
  for (int request = 0; request < 2; ++request) {
    CHECK_FALSE(world.health.open(Stream::kEvents));
    world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 1)));
  }
  CHECK(world.health.open(Stream::kEvents));
  down = false;
  world.now_ms += limits::kBreakerPauseMaxMs;
  const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 1)));
  CHECK(run->outcome(Stream::kEvents).delivered == 1);
  CHECK_FALSE(world.health.open(Stream::kEvents));
}

TEST_CASE("A request has four connections at most, whatever its streams") {
  DeliveryWorld world;
  std::vector<RowBatch> batches;
  for (const Stream stream : kAllStreams) batches.push_back(numbered_rows(stream, 0, 20, 900'000));
  DeliveryRun run(std::move(batches), world.health);
  Effects effects;
  run.start(world.turn(), effects);
  std::vector<Effect> open = effects.take();
  CHECK(open.size() == limits::kSendsAtOnce);
  size_t sends = 0;
  while (!open.empty()) {
    REQUIRE(open.size() <= limits::kSendsAtOnce);
    const uint32_t id = open.front().id;
    open.erase(open.begin());
    ++sends;
    run.resume(world.turn(), {.id = id, .ok = true, .http_status = 200}, effects);
    for (Effect& effect : effects.take()) open.push_back(std::move(effect));
  }
  CHECK(run.finished());
  CHECK(sends == 15);  // four rows in each
}

TEST_CASE("Rows in the outbox say why they are there") {
  const auto reason = [](DeliveryWorld& world) {
    const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 1)));
    CHECK(run->outcome(Stream::kEvents).in_outbox == 1);
    for (const auto& [name, storage] : world.objects) {
      for (const auto& [key, value] : storage.values) {
        const size_t from = value.find("\"reason\":\"");
        if (key[0] == 'e' && from != std::string::npos) {
          return value.substr(from + 10, value.find('"', from + 10) - from - 10);
        }
      }
    }
    return std::string();
  };
  DeliveryWorld refused;
  refused.sink = [](const SendRows&) { return refusing(422); };
  CHECK(reason(refused) == "status 422");
  DeliveryWorld open;
  for (uint32_t i = 0; i < limits::kBreakerFailures; ++i) {
    open.health.note(Stream::kEvents, SinkVerdict::kTransient, open.now_ms);
  }
  CHECK(reason(open) == "the sink is failing");
  DeliveryWorld broken;
  broken.sink = [&](const SendRows&) {
    for (uint32_t i = 0; i < limits::kBreakerFailures; ++i) {
      broken.health.note(Stream::kEvents, SinkVerdict::kTransient, broken.now_ms);
    }
    return refusing(500);
  };
  // What the sink itself said stays.
  CHECK(reason(broken) == "status 500");
}

TEST_CASE("The answer to a send that carried several requests' rows counts once") {
  DeliveryWorld world;
  world.sink = [](const SendRows&) { return SinkAnswer{.shared = true}; };
  const auto kept = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 2)));
  CHECK(kept->outcome(Stream::kEvents).delivered == 2);
  CHECK(world.metrics.sends[0][static_cast<size_t>(SinkVerdict::kDelivered)] == 0);
  world.sink = [](const SendRows&) {
    return SinkAnswer{.status = 503, .commit = false, .shared = true};
  };
  for (uint32_t i = 0; i < limits::kBreakerFailures; ++i) {
    const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 2)));
    CHECK(run->outcome(Stream::kEvents).in_outbox == 2);
  }
  CHECK(world.metrics.sends[0][static_cast<size_t>(SinkVerdict::kTransient)] == 0);
  CHECK_FALSE(world.health.open(Stream::kEvents));
}

TEST_CASE("While the breaker is open a request does not wait for the sink") {
  DeliveryWorld world;
  world.sink = [](const SendRows&) { return SinkAnswer{.commit = false, .hang = true}; };
  for (uint32_t i = 0; i < limits::kBreakerFailures; ++i) {
    world.health.note(Stream::kEvents, SinkVerdict::kTransient, world.now_ms);
  }
  const int64_t begin_ms = world.now_ms;
  const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 1)));
  CHECK(world.now_ms - begin_ms < 20);
  CHECK(run->outcome(Stream::kEvents).in_outbox == 1);
  CHECK(world.metrics.sends_skipped[0] == 1);
  CHECK(world.sends.empty());
}

}  // namespace
}  // namespace hogflare
