#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>

#include "delivery/outbox_store.h"
#include "delivery_world.h"

namespace hogflare {
namespace {

using testing::batches_of;
using testing::DeliveryWorld;
using testing::FakeStorage;
using testing::numbered_rows;
using testing::ObjectFault;
using testing::rows_in;
using testing::SinkAnswer;

constexpr Stream kAllStreams[] = {Stream::kEvents, Stream::kPersons, Stream::kRejects};
constexpr int64_t kMinute = 60'000;
constexpr int64_t kHour = 60 * kMinute;

SinkAnswer refusing(uint16_t status) { return {.status = status, .commit = false}; }

std::string put_of(const std::string& rows, uint32_t row_count, int64_t first_failed_ms = 1,
                   Stream stream = Stream::kEvents) {
  return write_outbox_put({.stream = stream,
                           .row_count = row_count,
                           .first_failed_ms = first_failed_ms,
                           .retry_after_ms = 0,
                           .status = 503,
                           .reason = "status 503",
                           .rows = rows});
}

// One call to one shard.
Reply call(DeliveryWorld& world, FakeStorage& storage, const std::string& request) {
  auto task = make_outbox_call(request);
  Effects effects;
  task->start(world.turn(&storage), effects);
  REQUIRE(task->finished());
  return task->reply();
}

PutResult put(DeliveryWorld& world, FakeStorage& storage, const std::string& request) {
  return read_put_reply({.id = 1, .ok = true, .body = call(world, storage, request).body});
}

FakeStorage& shard(DeliveryWorld& world, uint32_t index = 0) {
  return world.objects[outbox_name(index)];
}

// The stream's sends that wait in one shard.
std::vector<StoredSend> waiting(DeliveryWorld& world, FakeStorage& storage,
                                Stream stream = Stream::kEvents) {
  OutboxStore store(world.turn(&storage));
  std::vector<StoredSend> sends;
  for (const std::string& key : store.list(stream, {}, 100)) sends.push_back(*store.load(key));
  return sends;
}

TEST_CASE("A stored send is delivered by the alarm and then gone") {
  DeliveryWorld world;
  FakeStorage& storage = shard(world);
  CHECK(put(world, storage, put_of("[{\"a\":1},{\"b\":2}]", 2)) == PutResult::kStored);
  CHECK(world.stats().rows() == 2);
  CHECK(world.stats().oldest_age_ms() == world.now_ms - 1);
  REQUIRE(storage.alarm_at_ms >= world.now_ms + 1'000);
  CHECK(storage.alarm_at_ms <= world.now_ms + limits::kOutboxBackoffBaseMs);
  world.pass(kMinute);
  CHECK(world.landed_rows(Stream::kEvents) == std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"});
  CHECK(storage.values.size() == 1);  // meta
  CHECK(storage.alarm_at_ms == 0);
  CHECK(world.stats().sends() == 0);
  CHECK(world.metrics.outbox_rows_delivered[0] == 2);
}

TEST_CASE("Outbox objects of one isolate share the memory of what is on its way") {
  DeliveryWorld world;
  FakeStorage& storage = shard(world);
  put(world, storage, put_of("[{\"a\":1}]", 1));
  // Others have it: nothing is tried, nothing is found out about the sink, and it is asked again
  // soon.
  world.metrics.outbox_bytes_in_flight = limits::kOutboxMemoryBytesMax - limits::kSendBytesMax + 1;
  const uint64_t held = world.metrics.outbox_bytes_in_flight;
  world.pass(kMinute);
  CHECK(world.sends.empty());
  CHECK(world.stats().streams[index_of(Stream::kEvents)].failures == 0);
  CHECK(storage.alarm_at_ms <= world.now_ms + limits::kOutboxMemoryWaitMs);
  CHECK(world.metrics.outbox_bytes_in_flight == held);
  world.metrics.outbox_bytes_in_flight = 0;
  world.pass(kMinute);
  CHECK(world.landed_rows(Stream::kEvents) == std::vector<std::string>{"{\"a\":1}"});
  CHECK(world.metrics.outbox_bytes_in_flight == 0);
}

TEST_CASE("Eight outbox objects that come back at once have no more on its way than is admitted") {
  DeliveryWorld world;
  const std::string row = "{\"a\":\"" + std::string(900'000, 'x') + "\"}";
  for (uint32_t i = 0; i < limits::kOutboxShards; ++i) {
    for (int sends = 0; sends < 3; ++sends) {
      put(world, shard(world, i), put_of("[" + row + "," + row + "," + row + "]", 3));
    }
  }
  uint64_t most = 0;
  world.sink = [&](const SendRows&) {
    most = std::max(most, world.metrics.outbox_bytes_in_flight);
    return SinkAnswer{};
  };
  world.pass(kHour);
  CHECK(world.landed_rows(Stream::kEvents).size() == limits::kOutboxShards * 9);
  CHECK(most > limits::kSendBytesMax);
  CHECK(most <= limits::kOutboxMemoryBytesMax);
  CHECK(world.metrics.outbox_bytes_in_flight == 0);
}

TEST_CASE("What a run that is given up had on its way is given back") {
  DeliveryWorld world;
  FakeStorage& storage = shard(world);
  put(world, storage, put_of("[{\"a\":1}]", 1));
  world.now_ms += kMinute;
  auto task = make_outbox_alarm();
  Effects effects;
  task->start(world.turn(&storage), effects);
  task->resume(world.turn(&storage), {.id = effects.take().front().id, .ok = true}, effects);
  CHECK(world.metrics.outbox_bytes_in_flight > 0);
  task.reset();
  CHECK(world.metrics.outbox_bytes_in_flight == 0);
}

TEST_CASE("Storage rows written: a put two and its alarm, a delivery counted too") {
  DeliveryWorld world;
  FakeStorage& storage = shard(world);
  put(world, storage, put_of("[{}]", 1));
  CHECK(storage.rows_written == 3);  // send, meta, alarm
  put(world, storage, put_of("[{}]", 1));
  CHECK(storage.rows_written == 5);  // the alarm is set already
  world.pass(kMinute);
  // Alarm armed, two sends erased, meta, alarm cleared.
  CHECK(storage.rows_written == 10);
  const std::string large = "[{\"p\":\"" + std::string(4'000'000, 'x') + "\"}]";
  put(world, storage, put_of(large, 1));
  CHECK(storage.rows_written == 10 + 3 + 2);  // two further pieces
}

TEST_CASE("A send of 4 MiB is stored in pieces, read back whole, and leaves nothing") {
  DeliveryWorld world;
  FakeStorage& storage = shard(world);
  std::string rows = "[";
  while (rows.size() < limits::kSendBytesMax - 1'000) {
    rows += (rows.size() > 1 ? "," : "") + std::string("{\"n\":") + std::to_string(rows.size()) +
            ",\"p\":\"" + std::string(700, 'y') + "\"}";
  }
  rows += "]";
  const std::vector<std::string> expected = rows_in(rows);
  CHECK(put(world, storage, put_of(rows, static_cast<uint32_t>(expected.size()))) ==
        PutResult::kStored);
  world.pass(kMinute);
  CHECK(world.landed_rows(Stream::kEvents) == expected);
  CHECK(storage.values.size() == 1);
}

TEST_CASE("Small stored sends travel together, oldest first") {
  DeliveryWorld world;
  FakeStorage& storage = shard(world);
  for (int i = 9; i >= 0; --i) {
    put(world, storage, put_of("[{\"n\":" + std::to_string(i) + "}]", 1, 1'000 + i));
  }
  world.pass(kMinute);
  REQUIRE(world.sends.size() == 1);
  CHECK(world.sends[0].rows.substr(0, 17) == "[{\"n\":0},{\"n\":1},");
  CHECK(world.sends[0].row_count == 10);
}

TEST_CASE("A request that is no request is refused and changes nothing") {
  DeliveryWorld world;
  FakeStorage& storage = shard(world);
  for (const char* request :
       {"", "nonsense", "[]", "{}", "{\"op\":\"eat\"}", "{\"op\":\"put\"}\n[{}]",
        "{\"op\":\"put\",\"stream\":\"events\",\"rows\":1}",
        "{\"op\":\"put\",\"stream\":\"events\",\"rows\":1}\n[]",
        "{\"op\":\"put\",\"stream\":\"events\",\"rows\":0}\n[{}]",
        "{\"op\":\"put\",\"stream\":\"cats\",\"rows\":1}\n[{}]"}) {
    CHECK(call(world, storage, request).status == 400);
  }
  CHECK(storage.values.empty());
  CHECK(storage.alarm_at_ms == 0);
}

TEST_CASE("A shard at its bound says so and takes sends again when it has room") {
  DeliveryWorld world;
  world.config.outbox_bytes_max = 8 * 2'000;
  FakeStorage& storage = shard(world);
  const std::string rows = "[\"" + std::string(400, 'x') + "\"]";
  CHECK(put(world, storage, put_of(rows, 1)) == PutResult::kStored);
  CHECK(put(world, storage, put_of(rows, 1)) == PutResult::kStored);
  const auto before = storage.values;
  CHECK(put(world, storage, put_of(rows, 1)) == PutResult::kFull);
  CHECK(storage.values == before);
  world.pass(kMinute);
  CHECK(put(world, storage, put_of(rows, 1)) == PutResult::kStored);
}

TEST_CASE("A shard takes what fits it to the byte, with what each send costs beside its rows") {
  const std::string rows = "[\"" + std::string(400, 'x') + "\"]";
  const uint64_t each = rows.size() + limits::kOutboxEntryOverheadBytes;
  for (const uint64_t missing : {0, 1}) {
    DeliveryWorld world;
    world.config.outbox_bytes_max = limits::kOutboxShards * (2 * each - missing);
    FakeStorage& storage = shard(world);
    CHECK(put(world, storage, put_of(rows, 1)) == PutResult::kStored);
    CHECK(put(world, storage, put_of(rows, 1)) ==
          (missing == 0 ? PutResult::kStored : PutResult::kFull));
    CHECK(world.stats().streams[0].bytes == (2 - missing) * rows.size());
  }
}

TEST_CASE("Stored sends travel together up to the sink's limit, to the byte") {
  for (const size_t over : {0, 1}) {
    DeliveryWorld world;
    const auto rows = [](char name, size_t bytes) {
      std::string text = std::string("[{\"") + name + "\":\"\"}]";
      return text.insert(text.size() - 3, bytes - text.size(), 'x');
    };
    const size_t half = limits::kSendBytesMax / 2;
    put(world, shard(world), put_of(rows('a', half), 1, 1));
    put(world, shard(world), put_of(rows('b', half + over), 1, 2));
    world.pass(kMinute);
    CHECK(world.sends.size() == 1 + over);
    CHECK(world.landed_rows(Stream::kEvents).size() == 2);
  }
}

TEST_CASE("An outage is waited out with growing pauses up to five minutes, however long it is") {
  DeliveryWorld world;
  bool down = true;
  std::vector<int64_t> attempts_ms;
  world.sink = [&](const SendRows&) {
    attempts_ms.push_back(world.now_ms);
    return down ? refusing(503) : SinkAnswer{};
  };
  FakeStorage& storage = shard(world);
  put(world, storage, put_of("[{\"a\":1}]", 1));
  world.pass(24 * kHour);
  CHECK(world.stats().rows() == 1);
  CHECK(world.stats().streams[0].failures > 10);
  CHECK(world.stats().streams[0].last_status == 503);
  CHECK(world.stats().oldest_age_ms() > 24 * kHour);
  CHECK(attempts_ms.size() > 24 * 60 / 5);
  CHECK(attempts_ms.size() < 2 * 24 * 60 / 5 + 20);
  CHECK(storage.alarm_at_ms - world.now_ms <= limits::kOutboxBackoffCapMs);
  down = false;
  world.pass(limits::kOutboxBackoffCapMs + 1'000);
  CHECK(world.landed_rows(Stream::kEvents).size() == 1);
  CHECK(world.stats().sends() == 0);
  CHECK(storage.alarm_at_ms == 0);
}

TEST_CASE("What a clock that was ahead has put off is sent once the clock is right") {
  for (const bool is_put : {true, false}) {
    CAPTURE(is_put);
    DeliveryWorld world;
    const int64_t right_ms = world.now_ms;
    bool down = true;
    world.sink = [&](const SendRows&) { return down ? refusing(503) : SinkAnswer{}; };
    FakeStorage& storage = shard(world);
    world.now_ms += 24 * kHour;
    put(world, storage, put_of("[{\"a\":1}]", 1));
    world.pass(kMinute);
    REQUIRE(world.stats().streams[0].failures > 0);
    REQUIRE(storage.alarm_at_ms > right_ms + kHour);

    world.now_ms = right_ms;
    down = false;
    // Whoever comes to the object moves its alarm.
    if (is_put) put(world, storage, put_of("[{\"b\":2}]", 1));
    CHECK(world.stats().streams[0].retry_at_ms == 0);
    CHECK(storage.alarm_at_ms <= world.now_ms + limits::kOutboxBackoffCapMs);
    world.pass(limits::kOutboxBackoffCapMs);
    CHECK(world.landed_rows(Stream::kEvents).size() == (is_put ? 2 : 1));
    CHECK(world.stats().sends() == 0);
    CHECK(storage.alarm_at_ms == 0);
  }
}

TEST_CASE("A wait up to the cap is kept, whoever asks for figures or brings more") {
  DeliveryWorld world;
  world.sink = [](const SendRows&) { return refusing(503); };
  FakeStorage& storage = shard(world);
  put(world, storage, put_of("[{\"a\":1}]", 1));
  world.pass(kHour);
  const int64_t set_ms = storage.alarm_at_ms;
  const size_t sends = world.sends.size();
  REQUIRE(set_ms > world.now_ms + 1'000);
  put(world, storage, put_of("[{\"b\":2}]", 1));
  CHECK(world.stats().streams[0].retry_at_ms == set_ms);
  CHECK(storage.alarm_at_ms == set_ms);
  world.pass(set_ms - world.now_ms - 1);
  CHECK(world.sends.size() == sends);
}

TEST_CASE("A stored send keeps why it failed, shortened, through its halving and its redrive") {
  DeliveryWorld world;
  FakeStorage& storage = shard(world);
  const std::string long_reason = "status 503: " + std::string(1'000, 'x');
  put(world, storage,
      write_outbox_put({.stream = Stream::kEvents,
                        .row_count = 2,
                        .first_failed_ms = world.now_ms - kHour,
                        .retry_after_ms = 0,
                        .status = 503,
                        .reason = long_reason,
                        .rows = "[{\"bad\":1},{\"bad\":2}]"}));
  REQUIRE(waiting(world, storage).size() == 1);
  const StoredSend whole = waiting(world, storage)[0];
  CHECK(whole.reason == long_reason.substr(0, limits::kReasonBytesMax));
  CHECK(whole.status == 503);

  // Of its halves one lands and the other is failed on.
  world.sink = [](const SendRows& rows) {
    return rows.row_count > 1                                 ? refusing(413)
           : rows.rows.find("\"bad\":1") != std::string::npos ? refusing(500)
                                                              : SinkAnswer{};
  };
  const int64_t failed_ms = whole.first_failed_ms;
  world.pass(5'000);
  REQUIRE(waiting(world, storage).size() == 1);
  const StoredSend half = waiting(world, storage)[0];
  CHECK(half.rows == "[{\"bad\":1}]");
  CHECK(half.row_count == 1);
  CHECK(half.reason == whole.reason);
  CHECK(half.status == 503);
  CHECK(half.first_failed_ms == failed_ms);

  world.sink = [](const SendRows&) {
    return SinkAnswer{.status = 422, .commit = false, .body = "no such column"};
  };
  world.pass(kHour);
  REQUIRE(world.stats().quarantine_rows == 1);
  world.run_task(make_admin_task(AdminKind::kRedriveQuarantine, {}));
  REQUIRE(waiting(world, storage).size() == 1);
  const StoredSend redriven = waiting(world, storage)[0];
  CHECK(redriven.status == 422);
  CHECK(redriven.reason == "status 422: no such column");
  CHECK(redriven.first_failed_ms == failed_ms);
  CHECK(redriven.row_count == 1);
}

TEST_CASE("Figures of the outbox say what the sink answered last, stream by stream") {
  DeliveryWorld world;
  world.sink = [](const SendRows& rows) {
    return rows.stream == Stream::kEvents ? refusing(429) : refusing(500);
  };
  FakeStorage& storage = shard(world);
  put(world, storage, put_of("[{}]", 1, 1));
  CHECK(world.stats().streams[0].last_status == 503);
  CHECK(world.stats().streams[0].last_reason == "status 503");
  put(world, storage, put_of("[{}]", 1, 1, Stream::kPersons));
  world.pass(kMinute);
  CHECK(world.stats().streams[0].last_status == 429);
  CHECK(world.stats().streams[0].last_reason == "status 429");
  CHECK(world.stats().streams[1].last_status == 500);
  CHECK(world.stats().streams[1].last_reason == "status 500");
  CHECK(world.stats().streams[2].last_status == 0);
}

TEST_CASE("A send that fails alone is halved at its fifth failure, one row never") {
  for (const uint32_t rows : {1u, 2u}) {
    CAPTURE(rows);
    DeliveryWorld world;
    uint32_t tries = 0;  // of the whole send
    world.sink = [&](const SendRows&) {
      if (world.metrics.send_splits[0] == 0) ++tries;
      return refusing(500);
    };
    put(world, shard(world), put_of(numbered_rows(Stream::kEvents, 0, rows).array(0, rows), rows));
    world.pass(kHour);
    CHECK(world.metrics.send_splits[0] == rows - 1);
    if (rows > 1) CHECK(tries == limits::kOutboxSuspectFailures);
    CHECK(world.stats().sends() == rows);
    CHECK(world.stats().quarantine_rows == 0);
    // What is left is no longer counted.
    for (const StoredSend& send : waiting(world, shard(world))) {
      CHECK(send.failures == limits::kOutboxSuspectFailures);
    }
  }
}

TEST_CASE("One alarm sends around what the sink fails on, ever closer") {
  DeliveryWorld world;
  std::map<uint64_t, uint32_t> landed;  // rows by alarm
  world.sink = [&](const SendRows& rows) {
    if (rows.rows.find("\"n\":150}") != std::string::npos) return refusing(500);
    landed[world.alarms_run] += rows.row_count;
    return SinkAnswer{};
  };
  FakeStorage& storage = shard(world);
  for (int i = 0; i < 300; ++i) {
    put(world, storage, put_of("[{\"n\":" + std::to_string(i) + "}]", 1, 1 + i));
  }
  world.pass(5'000);
  CHECK(landed[1] == 299);
  CHECK(world.stats().rows() == 1);
}

TEST_CASE("A sink that fails is asked by one send at a time, and one that answers by several") {
  for (const Stream stream : {Stream::kEvents, Stream::kPersons}) {
    CAPTURE(name_of(stream));
    DeliveryWorld world;
    bool down = true;
    std::map<int64_t, uint32_t> at_once;  // by time; each takes some
    world.sink = [&](const SendRows&) {
      ++at_once[world.now_ms];
      return down ? refusing(503) : SinkAnswer{};
    };
    const auto most = [&at_once] {
      uint32_t most = 0;
      for (const auto& [now_ms, sends] : at_once) most = std::max(most, sends);
      at_once.clear();
      return most;
    };
    for (int i = 0; i < 2'000; ++i) put(world, shard(world), put_of("[{}]", 1, 1 + i, stream));
    const uint32_t several =
        stream == Stream::kEvents ? limits::kOutboxSendsAtOnce : limits::kOutboxSideSendsAtOnce;
    world.pass(3'000);
    CHECK(most() == several);  // nothing was known of it
    world.pass(10 * kMinute);
    CHECK(most() == 1);
    down = false;
    world.pass(10 * kMinute);
    CHECK(most() == several);
    CHECK(world.stats().sends() == 0);
  }
}

TEST_CASE("A sink that says how long to wait is asked no sooner, five minutes at most") {
  for (const int64_t asked_ms : {int64_t{0}, int64_t{120'000}, int64_t{3'600'000}}) {
    DeliveryWorld world;
    std::vector<int64_t> attempts_ms;
    world.sink = [&](const SendRows&) {
      attempts_ms.push_back(world.now_ms);
      SinkAnswer answer = refusing(503);
      answer.retry_after_ms = static_cast<uint32_t>(asked_ms);
      return answer;
    };
    put(world, shard(world), put_of("[{\"a\":1}]", 1));
    world.pass(kHour);
    REQUIRE(attempts_ms.size() > 2);
    const int64_t first_pause_ms = attempts_ms[1] - attempts_ms[0];
    INFO("asked for " << asked_ms << " ms, waited " << first_pause_ms);
    const int64_t least_ms = std::min(asked_ms, int64_t{limits::kOutboxBackoffCapMs});
    CHECK(first_pause_ms >= least_ms);
    CHECK(first_pause_ms < std::max(least_ms, kMinute) + 5'000);
  }
}

TEST_CASE("A backlog of many shards' sends is through soon after an outage") {
  DeliveryWorld world;
  bool down = true;
  world.sink = [&](const SendRows&) { return down ? refusing(503) : SinkAnswer{.delay_ms = 400}; };
  FakeStorage& storage = shard(world);
  for (int i = 0; i < 3'000; ++i) put(world, storage, put_of("[{}]", 1, 1 + i));
  world.pass(kMinute);
  down = false;
  world.pass(2 * kMinute);
  CHECK(world.stats().sends() == 0);
}

TEST_CASE("One alarm makes so many sends and leaves the rest to the next") {
  DeliveryWorld world;
  std::map<uint64_t, uint32_t> sends_of;  // by alarm
  world.sink = [&](const SendRows&) {
    ++sends_of[world.alarms_run];
    return refusing(400);
  };
  constexpr uint32_t kRows = 300;  // halved down to each: 599 sends
  put(world, shard(world), put_of(numbered_rows(Stream::kEvents, 0, kRows).array(0, kRows), kRows));
  world.pass(kMinute);
  CHECK(world.stats().quarantine_rows == kRows);
  uint32_t most = 0;
  for (const auto& [alarm, sends] : sends_of) most = std::max(most, sends);
  CHECK(most == limits::kOutboxRunSends);
}

TEST_CASE("After an outage the sink counts as well again, and what waits goes oldest first") {
  DeliveryWorld world;
  bool down = true;
  uint64_t first_alarm = 0;  // of those that the sink answers
  std::string next_begins;   // the first send of the one after it
  world.sink = [&](const SendRows& rows) {
    if (down) return refusing(503);
    if (first_alarm == 0) first_alarm = world.alarms_run;
    if (world.alarms_run > first_alarm && next_begins.empty()) next_begins = rows.rows;
    // So slow that one alarm has not the time for all.
    return SinkAnswer{.delay_ms = 9'000};
  };
  for (int i = 0; i < 1'000; ++i) {
    put(world, shard(world), put_of("[{\"n\":" + std::to_string(i) + "}]", 1, 1 + i));
  }
  world.pass(kMinute);
  CHECK(world.stats().streams[0].failures > 3);
  down = false;
  for (int second = 0; second < 120 && next_begins.empty(); ++second) world.pass(1'000);
  // The sends of the outage ended in the middle, and there the first alarm went on.
  CHECK(world.landed_rows(Stream::kEvents).front() != "{\"n\":0}");
  CHECK(next_begins.substr(0, 17) == "[{\"n\":0},{\"n\":1},");
  CHECK(world.stats().streams[0].failures == 0);
  CHECK(world.stats().sends() > 500);
}

TEST_CASE("Only the poison row of a send is quarantined; its neighbours land in order") {
  DeliveryWorld world;
  const auto poison = [](const SendRows& rows) {
    return rows.rows.find("\"n\":37}") != std::string::npos;
  };
  world.sink = [&](const SendRows& rows) {
    return poison(rows) ? SinkAnswer{.status = 400, .commit = false, .body = "bad row"}
                        : SinkAnswer{};
  };
  const auto run = world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 100)));
  CHECK(run->outcome(Stream::kEvents).in_outbox == 100);
  world.pass(5 * kMinute);
  CHECK(world.landed_rows(Stream::kEvents).size() == 99);
  const OutboxStats stats = world.stats();
  CHECK(stats.sends() == 0);
  CHECK(stats.quarantine_rows == 1);

  const Reply listed = world.run_task(make_admin_task(AdminKind::kQuarantine, {}));
  CHECK(listed.status == 200);
  CHECK(listed.body.find("\"row\":{\"n\":37}") != std::string::npos);
  CHECK(listed.body.find("\"status\":400,\"reason\":\"status 400: bad row\"") != std::string::npos);
  CHECK(listed.body.find("\"total\":1") != std::string::npos);
}

TEST_CASE("A quarantined row is listed with its stream, its reason and its times") {
  DeliveryWorld world;
  world.sink = [](const SendRows&) { return refusing(422); };
  const int64_t first_failed_ms = world.now_ms - 10'000;
  put(world, shard(world), put_of("[{\"bad\":1}]", 1, first_failed_ms, Stream::kPersons));
  world.pass(kMinute);
  const std::string listed = world.run_task(make_admin_task(AdminKind::kQuarantine, {})).body;
  CHECK(listed.find("\"stream\":\"persons\",\"status\":422,\"reason\":\"status 422\","
                    "\"first_failed_ms\":" +
                    std::to_string(first_failed_ms) + ",\"quarantined_ms\":18000") !=
        std::string::npos);
}

TEST_CASE("Figures of the outbox count what is in quarantine") {
  DeliveryWorld world;
  world.sink = [](const SendRows&) { return refusing(422); };
  put(world, shard(world, 1), put_of("[{\"bad\":1},{\"bad\":22}]", 2));
  put(world, shard(world, 2), put_of("[{\"bad\":333}]", 1));
  world.pass(kMinute);
  CHECK(world.stats().quarantine_rows == 3);
  CHECK(world.stats().quarantine_bytes == 9 + 10 + 11);
}

TEST_CASE("Figures of the outbox say how old the oldest send is") {
  DeliveryWorld world;
  world.sink = [](const SendRows&) { return refusing(503); };
  put(world, shard(world, 1), put_of("[{}]", 1, world.now_ms - 1'000));
  put(world, shard(world, 6), put_of("[{}]", 1, world.now_ms - 7'000));
  const int64_t asked_ms = world.now_ms;
  const Reply reply = world.run_task(make_admin_task(AdminKind::kOutbox, {}));
  const Result<json::Document> figures = json::Document::parse_const(reply.body, 4);
  REQUIRE(figures.ok());
  const json::Value found = figures.value().root().find("oldest_age_ms");
  REQUIRE(found.is_number());
  const std::string age(found.raw());
  CHECK(std::stoll(age) >= 7'000);
  CHECK(std::stoll(age) <= 7'000 + world.now_ms - asked_ms);
}

TEST_CASE("Figures of the outbox add up all shards, and are told stream by stream") {
  DeliveryWorld world;
  world.config.outbox_bytes_max = 8 * 5'000;
  world.sink = [](const SendRows&) { return refusing(503); };
  const int64_t now_ms = world.now_ms;
  put(world, shard(world, 1), put_of("[{\"a\":1},{\"b\":2}]", 2, now_ms - 1'000));
  put(world, shard(world, 6), put_of("[{}]", 1, now_ms - 7'000));
  put(world, shard(world, 6), put_of("[{\"c\":3}]", 1, now_ms - 3'000, Stream::kPersons));
  const OutboxStats stats = world.stats();
  const std::string none =
      "{\"sends\":0,\"rows\":0,\"bytes\":0,\"oldest_ms\":0,\"failures\":0,\"retry_at_ms\":0,"
      "\"last_status\":0,\"last_reason\":\"\"}";
  const auto of_stream = [&](Stream stream, const std::string& counts, int64_t age_ms) {
    return "{" + counts + ",\"oldest_ms\":" + std::to_string(now_ms - age_ms) +
           ",\"failures\":0,\"retry_at_ms\":" +
           std::to_string(stats.streams[index_of(stream)].retry_at_ms) +
           ",\"last_status\":503,\"last_reason\":\"status 503\"}";
  };
  CHECK(write_outbox_stats(stats) ==
        "{\"shards\":8,\"shards_failed\":0,\"sends\":3,\"rows\":4,\"bytes\":30,"
        "\"bytes_max\":40000,\"oldest_age_ms\":7000,\"quarantine_rows\":0,"
        "\"quarantine_bytes\":0,\"streams\":{\"events\":" +
            of_stream(Stream::kEvents, "\"sends\":2,\"rows\":3,\"bytes\":21", 7'000) +
            ",\"persons\":" +
            of_stream(Stream::kPersons, "\"sends\":1,\"rows\":1,\"bytes\":9", 3'000) +
            ",\"rejects\":" + none + ",\"distinct_ids\":" + none + "}}");
}

TEST_CASE("A row the sink calls too large ends in quarantine") {
  DeliveryWorld world;
  world.sink = [](const SendRows& rows) {
    return rows.rows.find("\"n\":2}") != std::string::npos ? refusing(413) : SinkAnswer{};
  };
  world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 4)));
  world.pass(kMinute);
  CHECK(world.landed_rows(Stream::kEvents).size() == 3);
  CHECK(world.stats().quarantine_rows == 1);
}

TEST_CASE("Redriven rows are sent again, and come back when they are still refused") {
  DeliveryWorld world;
  bool strict = true;
  world.sink = [&](const SendRows& rows) {
    return strict && rows.rows.find("bad") != std::string::npos ? refusing(422) : SinkAnswer{};
  };
  FakeStorage& storage = shard(world, 3);
  put(world, storage, put_of("[{\"bad\":1},{\"ok\":1},{\"bad\":2}]", 3));
  world.pass(kMinute);
  REQUIRE(world.stats().quarantine_rows == 2);

  const Reply moved = world.run_task(make_admin_task(AdminKind::kRedriveQuarantine, {}));
  CHECK(moved.body == "{\"moved\":2,\"left\":0,\"failed_shards\":[]}");
  CHECK(world.stats().quarantine_rows == 0);
  world.pass(kMinute);
  CHECK(world.stats().quarantine_rows == 2);

  strict = false;
  world.run_task(make_admin_task(AdminKind::kRedriveQuarantine, {.shard = 3, .after = {}}));
  world.pass(kMinute);
  CHECK(world.stats().quarantine_rows == 0);
  CHECK(world.landed_rows(Stream::kEvents).size() == 3);
}

TEST_CASE("A quarantined row is listed as what it is, and goes back to its own stream") {
  constexpr std::pair<Stream, std::string_view> kStreams[] = {
      {Stream::kEvents, "events"},
      {Stream::kPersons, "persons"},
      {Stream::kRejects, "rejects"},
      {Stream::kDistinctIds, "distinct_ids"}};
  for (const auto& [stream, name] : kStreams) {
    CAPTURE(name);
    DeliveryWorld world;
    world.config.sinks.fill(SinkKind::kHttp);
    world.sink = [](const SendRows&) { return refusing(422); };
    const int64_t failed_ms = world.now_ms - kHour;
    put(world, shard(world), put_of("[{\"bad\":1}]", 1, failed_ms, stream));
    world.pass(kMinute);
    REQUIRE(world.stats().quarantine_rows == 1);

    const Reply listed = world.run_task(make_admin_task(AdminKind::kQuarantine, {.shard = 0}));
    const auto document = json::Document::parse_const(listed.body, 6);
    REQUIRE(document.ok());
    const json::Value shards = document.value().root().find("shards");
    const json::Value row = *(*shards.elements().begin()).find("rows").elements().begin();
    CHECK(row.find("stream").text() == name);
    CHECK(row.find("status").raw() == "422");
    CHECK(row.find("first_failed_ms").raw() == std::to_string(failed_ms));
    CHECK(std::stoll(std::string(row.find("quarantined_ms").raw())) > failed_ms + kHour);
    CHECK(row.find("row").raw() == "{\"bad\":1}");

    world.sink = [](const SendRows&) { return SinkAnswer{}; };
    world.run_task(make_admin_task(AdminKind::kRedriveQuarantine, {}));
    // As old as it was, for it has not landed since.
    const OutboxStats waiting = world.stats();
    CHECK(waiting.streams[index_of(stream)].sends == 1);
    CHECK(waiting.oldest_age_ms() == world.now_ms - failed_ms);
    CHECK(write_outbox_stats(waiting).find(
              "\"oldest_age_ms\":" + std::to_string(waiting.oldest_age_ms())) != std::string::npos);
    world.pass(kMinute);
    CHECK(world.landed_rows(stream) == std::vector<std::string>{"{\"bad\":1}"});
  }
}

TEST_CASE("Many quarantined rows are redriven in one operation and listed in pages") {
  DeliveryWorld world;
  bool strict = true;
  world.sink = [&](const SendRows&) { return strict ? refusing(400) : SinkAnswer{}; };
  FakeStorage& storage = shard(world);
  constexpr uint32_t kRows = 1'203;
  const RowBatch batch = numbered_rows(Stream::kEvents, 0, kRows);
  put(world, storage, put_of(batch.array(0, kRows), kRows));
  world.pass(kHour);
  REQUIRE(world.stats().quarantine_rows == kRows);

  std::set<std::string> listed;
  AdminQuery query{.shard = 0, .after = {}};
  for (int page = 0; page < 20; ++page) {
    const Reply reply = world.run_task(make_admin_task(AdminKind::kQuarantine, query));
    const Result<json::Document> document = json::Document::parse_const(reply.body, 6);
    REQUIRE(document.ok());
    const json::Value shards = document.value().root().find("shards");
    const json::Value only = *shards.elements().begin();
    for (const json::Value row : only.find("rows").elements()) {
      CHECK(listed.insert(std::string(row.find("row").raw())).second);
    }
    if (only.find("next").is_null()) break;
    query.after = only.find("next").text();
  }
  CHECK(listed.size() == kRows);

  strict = false;
  const Reply moved = world.run_task(make_admin_task(AdminKind::kRedriveQuarantine, {}));
  CHECK(moved.body == "{\"moved\":1203,\"left\":0,\"failed_shards\":[]}");
  world.pass(kMinute);
  CHECK(world.landed_rows(Stream::kEvents).size() == kRows);
}

TEST_CASE("Whoever asks for figures wakes an object whose alarm the platform has given up") {
  DeliveryWorld world;
  FakeStorage& storage = shard(world);
  put(world, storage, put_of("[{\"a\":1}]", 1));
  storage.alarm_at_ms = 0;
  world.pass(kHour);
  CHECK(world.landed_rows(Stream::kEvents).empty());
  CHECK(world.stats().rows() == 1);
  CHECK(storage.alarm_at_ms != 0);
  world.pass(kMinute);
  CHECK(world.landed_rows(Stream::kEvents).size() == 1);
  CHECK(world.stats().rows() == 0);
  CHECK(storage.alarm_at_ms == 0);
}

TEST_CASE("Persons and rejects fill a third each of an outbox at most, events all of it") {
  DeliveryWorld world;
  world.config.outbox_bytes_max = 8 * 9'000;
  world.sink = [](const SendRows&) { return refusing(503); };
  FakeStorage& storage = shard(world);
  const std::string row = "[{\"n\":\"" + std::string(400, 'x') + "\"}]";
  const auto stored_of = [&](Stream stream) {
    int stored = 0;
    while (put(world, storage, put_of(row, 1, 1, stream)) == PutResult::kStored) ++stored;
    return stored;
  };
  // About 920 bytes a put with its overhead.
  CHECK(stored_of(Stream::kRejects) == 3);
  CHECK(stored_of(Stream::kPersons) == 3);
  CHECK(stored_of(Stream::kEvents) == 3);
}

TEST_CASE("A third of an outbox is full of persons to the byte, and full for events much later") {
  const std::string row = "[{\"n\":\"" + std::string(400, 'x') + "\"}]";
  const uint64_t each = row.size() + limits::kOutboxEntryOverheadBytes;
  for (const uint64_t missing : {0, 1}) {
    for (const Stream stream : {Stream::kPersons, Stream::kRejects, Stream::kDistinctIds}) {
      CAPTURE(missing, name_of(stream));
      DeliveryWorld world;
      world.config.outbox_bytes_max =
          limits::kOutboxShards * (2 * each * limits::kOutboxSideBytesShare - missing);
      FakeStorage& storage = shard(world);
      CHECK(put(world, storage, put_of(row, 1, 1, stream)) == PutResult::kStored);
      CHECK(put(world, storage, put_of(row, 1, 1, stream)) ==
            (missing == 0 ? PutResult::kStored : PutResult::kFull));
      CHECK(put(world, storage, put_of(row, 1, 1, stream)) == PutResult::kFull);
      CHECK(put(world, storage, put_of(row, 1, 1)) == PutResult::kStored);
    }
  }
}

TEST_CASE("A full quarantine drops nothing: the row stays in the outbox and others pass it") {
  DeliveryWorld world;
  // A shard of 4,000 bytes: a quarter is quarantine.
  world.config.outbox_bytes_max = 8 * 4'000;
  world.sink = [](const SendRows& rows) {
    return rows.rows.find("bad") != std::string::npos ? refusing(400) : SinkAnswer{};
  };
  FakeStorage& storage = shard(world);
  const std::string bad = "[{\"bad\":\"" + std::string(600, 'x') + "\"}]";
  put(world, storage, put_of(bad, 1, 1));
  world.pass(kMinute);
  CHECK(world.stats().quarantine_rows == 1);
  put(world, storage, put_of(bad, 1, 2));
  put(world, storage, put_of("[{\"good\":1}]", 1, 3));
  world.pass(kHour);
  CHECK(world.stats().quarantine_rows == 1);
  CHECK(world.stats().rows() == 1);
  CHECK(world.stats().streams[0].last_reason == "the quarantine is full");
  CHECK(world.landed_rows(Stream::kEvents) == std::vector<std::string>{"{\"good\":1}"});
}

TEST_CASE("An alarm goes around what waits once: what stays is tried once in each") {
  DeliveryWorld world;
  world.config.outbox_bytes_max = 8 * 8'000;
  std::map<uint64_t, int> tries;  // of the row that stays, by alarm
  world.sink = [&](const SendRows& rows) {
    if (rows.rows.find("bad") == std::string::npos) return SinkAnswer{};
    if (rows.rows.find("stays") != std::string::npos) ++tries[world.alarms_run];
    return refusing(400);
  };
  FakeStorage& storage = shard(world);
  put(world, storage, put_of("[{\"bad\":\"" + std::string(1'500, 'x') + "\"}]", 1, 1));
  world.pass(kMinute);
  REQUIRE(world.stats().quarantine_rows == 1);
  put(world, storage, put_of("[{\"bad\":\"stays" + std::string(1'500, 'x') + "\"}]", 1, 5));
  for (int hour = 0; hour < 3; ++hour) {
    // One before it and one behind it.
    put(world, storage, put_of("[{\"good\":1}]", 1, 2));
    put(world, storage, put_of("[{\"good\":2}]", 1, 9));
    world.pass(kHour);
  }
  CHECK(world.stats().rows() == 1);
  CHECK(world.landed_rows(Stream::kEvents).size() == 6);
  CHECK(tries.size() > 10);
  for (const auto& [alarm, times] : tries) {
    INFO("alarm " << alarm);
    // Together with the others, then alone.
    CHECK(times <= 3);
  }
}

TEST_CASE("A row that stays behind where the alarm before had ended is tried once as well") {
  DeliveryWorld world;
  world.config.outbox_bytes_max = 8 * 8'000;
  std::map<std::pair<uint64_t, char>, int> tries;  // by alarm and row
  world.sink = [&](const SendRows& rows) {
    for (const char row : {'A', 'B'}) {
      const std::string mark = "stays " + std::string(1, row);
      if (rows.rows.find(mark) != std::string::npos) ++tries[{world.alarms_run, row}];
    }
    return refusing(400);
  };
  FakeStorage& storage = shard(world);
  const auto bad = [](const std::string& name) {
    return "[{\"bad\":\"" + name + std::string(1'500, 'x') + "\"}]";
  };
  put(world, storage, put_of(bad("fills the quarantine"), 1, 1));
  world.pass(kMinute);
  REQUIRE(world.stats().quarantine_rows == 1);
  put(world, storage, put_of(bad("stays A"), 1, 5));
  world.pass(kHour);
  put(world, storage, put_of(bad("stays B"), 1, 9));
  world.pass(kHour);
  CHECK(world.stats().rows() == 2);
  int of_both = 0;
  for (const auto& [alarm_and_row, times] : tries) {
    const auto& [alarm, row] = alarm_and_row;
    INFO("alarm " << alarm << ", row " << row);
    CHECK(times == 1);
    of_both += tries.count({alarm, 'A'}) + tries.count({alarm, 'B'}) == 2;
  }
  CHECK(of_both > 10);
}

TEST_CASE("A wrong token or address is no poison: the rows wait until it is put right") {
  for (const uint16_t status : {401, 403, 404, 301}) {
    DeliveryWorld world;
    bool wrong = true;
    world.sink = [&](const SendRows&) { return wrong ? refusing(status) : SinkAnswer{}; };
    world.deliver(batches_of(numbered_rows(Stream::kEvents, 0, 5)));
    world.pass(kHour);
    CHECK(world.stats().rows() == 5);
    CHECK(world.stats().quarantine_rows == 0);
    CHECK(world.stats().streams[0].last_status == status);
    wrong = false;
    world.pass(limits::kOutboxBackoffCapMs + 1'000);
    CHECK(world.landed_rows(Stream::kEvents).size() == 5);
  }
}

TEST_CASE("A sink taken out of the configuration keeps its rows waiting") {
  DeliveryWorld world;
  put(world, shard(world), put_of("[{}]", 1, 1, Stream::kPersons));
  world.config.sinks[1] = SinkKind::kNone;
  world.pass(kHour);
  CHECK(world.sends.empty());
  CHECK(world.stats().streams[1].rows == 1);
  CHECK(world.stats().streams[1].last_reason == "no sink is configured for this stream");
  world.config.sinks[1] = SinkKind::kBinding;
  world.pass(limits::kOutboxBackoffCapMs + 1'000);
  CHECK(world.landed_rows(Stream::kPersons).size() == 1);
}

TEST_CASE("A send the sink always fails on does not hold up the others") {
  DeliveryWorld world;
  world.sink = [](const SendRows& rows) {
    return rows.rows.find("sick") != std::string::npos ? refusing(500) : SinkAnswer{};
  };
  FakeStorage& storage = shard(world);
  put(world, storage, put_of("[{\"sick\":1},{\"n\":0}]", 2, 1));
  for (int i = 1; i <= 300; ++i) {
    put(world, storage, put_of("[{\"n\":" + std::to_string(i) + "}]", 1, 1 + i));
  }
  world.pass(10 * kMinute);
  CHECK(world.landed_rows(Stream::kEvents).size() >= 300);
  CHECK(world.stats().sends() == 1);
  // Alone, it is halved after some failures: at last only the row at fault waits.
  world.pass(3 * kHour);
  CHECK(world.landed_rows(Stream::kEvents).size() == 301);
  CHECK(world.stats().rows() == 1);
  CHECK(world.stats().quarantine_rows == 0);
}

TEST_CASE("One stream's outage does not hold up another's backlog") {
  DeliveryWorld world;
  world.sink = [](const SendRows& rows) {
    return rows.stream == Stream::kPersons ? SinkAnswer{.commit = false, .hang = true}
                                           : SinkAnswer{};
  };
  FakeStorage& storage = shard(world);
  for (const Stream stream : kAllStreams) put(world, storage, put_of("[{}]", 1, 1, stream));
  world.pass(5'000);
  CHECK(world.landed_rows(Stream::kEvents).size() == 1);
  CHECK(world.landed_rows(Stream::kRejects).size() == 1);
  CHECK(world.stats().streams[1].rows == 1);
}

TEST_CASE("An alarm that dies is followed by another, and nothing is lost") {
  DeliveryWorld world;
  int crashes_left = 5;
  world.alarm_crashes = [&] { return crashes_left-- > 0; };
  FakeStorage& storage = shard(world);
  put(world, storage, put_of("[{\"a\":1}]", 1));
  world.pass(3'000);
  CHECK(storage.alarm_at_ms != 0);  // set before the effect whose result never came
  world.pass(10 * kMinute);
  CHECK(world.stats().sends() == 0);
  const std::vector<std::string> landed = world.landed_rows(Stream::kEvents);
  CHECK(landed.size() == 6);  // a crash between landing and erasing makes a duplicate
  CHECK(std::set<std::string>(landed.begin(), landed.end()).size() == 1);
}

TEST_CASE("A put during an alarm's send is kept and sent") {
  DeliveryWorld world;
  FakeStorage& storage = shard(world);
  bool added = false;
  world.sink = [&](const SendRows&) {
    if (!added) {
      added = true;
      put(world, storage, put_of("[{\"b\":2}]", 1, 5));
    }
    return SinkAnswer{.delay_ms = 300};
  };
  put(world, storage, put_of("[{\"a\":1}]", 1, 4));
  world.pass(kMinute);
  CHECK(world.landed_rows(Stream::kEvents).size() == 2);
  CHECK(world.stats().sends() == 0);
  CHECK(storage.alarm_at_ms == 0);
}

TEST_CASE("Drain sends at once what would wait, on all shards, and tells how it went") {
  DeliveryWorld world;
  bool down = true;
  world.sink = [&](const SendRows&) { return down ? refusing(503) : SinkAnswer{}; };
  for (uint32_t i = 0; i < limits::kOutboxShards; ++i) {
    put(world, shard(world, i), put_of("[{\"a\":1},{\"b\":2}]", 2));
  }
  world.pass(3'000);
  const Reply failed = world.run_task(make_admin_task(AdminKind::kDrain, {}));
  CHECK(failed.body ==
        "{\"failures\":8,\"rows_delivered\":0,\"rows_quarantined\":0,"
        "\"sends_delivered\":0,\"sends_left\":8,\"failed_shards\":[]}");
  down = false;
  const Reply drained = world.run_task(make_admin_task(AdminKind::kDrain, {}));
  CHECK(drained.status == 200);
  CHECK(drained.body ==
        "{\"failures\":0,\"rows_delivered\":16,\"rows_quarantined\":0,"
        "\"sends_delivered\":8,\"sends_left\":0,\"failed_shards\":[]}");
}

TEST_CASE("An operator's question goes to so many shards at once, each once and in order") {
  DeliveryWorld world;
  auto task = make_admin_task(AdminKind::kQuarantine, {});
  Effects effects;
  task->start(world.turn(), effects);
  std::vector<Effect> open = effects.take();
  CHECK(open.size() == limits::kSendsAtOnce);
  std::vector<std::string> asked;
  while (!open.empty()) {
    REQUIRE(open.size() <= limits::kSendsAtOnce);
    const Effect effect = open.front();
    open.erase(open.begin());
    asked.push_back(std::get<CallObject>(effect.kind).name);
    const std::string reply =
        call(world, world.objects[asked.back()], std::get<CallObject>(effect.kind).request).body;
    task->resume(world.turn(), {.id = effect.id, .ok = true, .body = reply}, effects);
    for (Effect& next : effects.take()) open.push_back(std::move(next));
  }
  REQUIRE(task->finished());
  REQUIRE(asked.size() == limits::kOutboxShards);
  for (uint32_t i = 0; i < limits::kOutboxShards; ++i) CHECK(asked[i] == outbox_name(i));
}

TEST_CASE("Admin replies say which shards did not answer") {
  DeliveryWorld world;
  world.object_fault = [](const std::string& name) {
    return name == "outbox:5" ? ObjectFault::kUnreachable : ObjectFault::kNone;
  };
  const Reply stats = world.run_task(make_admin_task(AdminKind::kOutbox, {}));
  CHECK(stats.status == 207);
  CHECK(stats.body.substr(0, 30) == "{\"shards\":7,\"shards_failed\":1,");
  const Reply drained = world.run_task(make_admin_task(AdminKind::kDrain, {}));
  CHECK(drained.status == 207);
  CHECK(drained.body.find("\"failed_shards\":[5]") != std::string::npos);
  world.object_fault = [](const std::string&) { return ObjectFault::kUnreachable; };
  CHECK(world.run_task(make_admin_task(AdminKind::kOutbox, {})).status == 502);
  CHECK(world.run_task(make_admin_task(AdminKind::kQuarantine, {})).status == 502);
  CHECK(world.run_task(make_admin_task(AdminKind::kDrain, {.shard = 8, .after = {}})).status ==
        400);
}

// --- Random sinks ---

// Every row that was taken must be found in the end, where its fate says.
struct Ledger {
  std::set<std::string> kept;    // acknowledged: delivered or in the outbox
  std::set<std::string> failed;  // reported as failed
};

SinkAnswer random_answer(Entropy& chance, uint64_t trouble, const SendRows& rows) {
  // Some rows are poison for good; the sink refuses every send that holds one.
  if (rows.rows.find("\"poison\"") != std::string::npos && chance.below(8) > 0) {
    return refusing(400);
  }
  if (rows.row_count > 40) return refusing(413);
  if (chance.below(100) >= trouble) {
    return {.delay_ms = static_cast<uint32_t>(1 + chance.below(800))};
  }
  switch (chance.below(8)) {
    case 0:
      return refusing(500);
    case 1:
      return refusing(503);
    case 2:
      return {.status = 429, .commit = false, .retry_after_ms = 3'000};
    case 3:
      return {.commit = false, .hang = true};
    case 4:
      return {.commit = true, .hang = true};
    case 5:
      return {.status = 0, .commit = chance.below(2) == 0};
    case 6:
      return refusing(401);
    default:
      return {.status = 200, .commit = false, .body = "{\"success\":false}"};
  }
}

std::vector<RowBatch> random_request(Entropy& chance, uint32_t& next_row,
                                     PerStream<std::vector<std::string>>& rows) {
  std::vector<RowBatch> batches;
  for (const Stream stream : kAllStreams) {
    RowBatch batch(stream);
    const uint64_t count = chance.below(60);
    for (uint64_t i = 0; i < count; ++i) {
      std::string row = "{\"n\":" + std::to_string(next_row++);
      if (chance.below(200) == 0) row += ",\"poison\":1";
      row += "}";
      rows[index_of(stream)].push_back(row);
      REQUIRE(batch.append(row).ok());
    }
    batches.push_back(std::move(batch));
  }
  return batches;
}

// However often a send was stored, halved and joined with others: its rows keep their order.
void check_order_within_sends(const DeliveryWorld& world) {
  std::map<std::string, std::pair<size_t, size_t>> places;  // row to stored send and index
  for (size_t put = 0; put < world.stored.size(); ++put) {
    for (size_t i = 0; i < world.stored[put].size(); ++i) places[world.stored[put][i]] = {put, i};
  }
  for (const auto& stream : world.landed) {
    for (const std::vector<std::string>& send : stream) {
      std::map<size_t, size_t> last;  // index by stored send
      for (const std::string& row : send) {
        const auto place = places.find(row);
        if (place == places.end()) continue;
        const auto [put, index] = place->second;
        const auto before = last.find(put);
        if (before != last.end() && before->second >= index) FAIL("changed places: " << row);
        last[put] = index;
      }
    }
  }
}

void run_seed(uint64_t seed) {
  DeliveryWorld world(seed);
  Entropy chance = DeliveryWorld::make_entropy(seed ^ 0x5EED);
  const uint64_t trouble = chance.below(101);
  const uint64_t object_trouble = chance.below(4) == 0 ? chance.below(60) : 0;
  if (chance.below(4) == 0) world.config.outbox_bytes_max = 8 * 6'000;
  bool calm = false;
  world.sink = [&](const SendRows& rows) {
    return random_answer(chance, calm ? 0 : trouble, rows);
  };
  world.object_fault = [&](const std::string&) {
    if (calm || chance.below(100) >= object_trouble) return ObjectFault::kNone;
    return chance.below(2) == 0 ? ObjectFault::kUnreachable : ObjectFault::kReplyLost;
  };
  world.alarm_crashes = [&] { return !calm && chance.below(20) == 0; };

  PerStream<Ledger> ledgers;
  uint32_t next_row = 0;
  for (uint64_t requests = 1 + chance.below(6); requests > 0; --requests) {
    PerStream<std::vector<std::string>> rows;
    const auto run = world.deliver(random_request(chance, next_row, rows));
    for (const Stream stream : kAllStreams) {
      Ledger& ledger = ledgers[index_of(stream)];
      for (uint32_t i = 0; i < rows[index_of(stream)].size(); ++i) {
        const RowFate fate = run->fate(stream, i);
        REQUIRE((fate == RowFate::kDelivered || fate == RowFate::kInOutbox ||
                 fate == RowFate::kFailed));
        (fate == RowFate::kFailed ? ledger.failed : ledger.kept).insert(rows[index_of(stream)][i]);
      }
    }
    world.pass(static_cast<int64_t>(chance.below(20'000)));
    // While alarms run: the same send may go out twice, never not at all.
    if (chance.below(4) == 0) world.run_task(make_admin_task(AdminKind::kDrain, {}));
  }
  world.pass(static_cast<int64_t>(chance.below(600'000)));
  calm = true;
  world.pass(3 * kHour);

  const std::string quarantine = world.run_task(make_admin_task(AdminKind::kQuarantine, {})).body;
  std::string waiting;
  for (const auto& [name, storage] : world.objects) {
    for (const auto& [key, value] : storage.values) {
      if (key[0] == 'e') waiting += value;
    }
  }
  for (const Stream stream : kAllStreams) {
    const std::vector<std::string> landed_rows = world.landed_rows(stream);
    const std::set<std::string> landed(landed_rows.begin(), landed_rows.end());
    for (const std::string& row : ledgers[index_of(stream)].kept) {
      const bool is_poison = row.find("poison") != std::string::npos;
      const bool found = landed.count(row) > 0 || quarantine.find(row) != std::string::npos ||
                         (is_poison && waiting.find(row) != std::string::npos);
      if (!found) FAIL("seed " << seed << ": " << row << " was acknowledged and is lost");
    }
  }
  // What still waits can only be poison for which the quarantine has no room.
  if (world.stats().rows() > 0) {
    INFO("seed " << seed << " waiting " << waiting);
    CHECK(waiting.find("poison") != std::string::npos);
    CHECK(world.stats().streams[0].last_reason.size() +
              world.stats().streams[1].last_reason.size() +
              world.stats().streams[2].last_reason.size() >
          0);
  }
  check_order_within_sends(world);
}

TEST_CASE("Whatever the sink and the objects do, no acknowledged row is lost") {
  for (uint64_t seed = 1; seed <= 2'000; ++seed) {
    INFO("seed " << seed);
    run_seed(seed);
  }
}

}  // namespace
}  // namespace hogflare
