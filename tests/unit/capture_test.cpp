#include <catch2/catch.hpp>

#include "hogflare/capture.h"
#include "hogflare/uuid.h"
#include "wire_support.h"

using namespace hogflare;
using test::at;
using test::Fixture;
using test::kNowMs;

TEST_CASE("A single event gets its token, name, distinct_id and a version 7 uuid") {
  Fixture f;
  auto batch = f.decode(R"({"token":"T","event":"testing","distinct_id":"u"})");
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->events.size() == 1);
  const Event& event = batch.value()->events[0];
  CHECK(event.token == "T");
  CHECK(event.name == "testing");
  CHECK(event.distinct_id == "u");
  CHECK(event.timestamp_ms == kNowMs);
  CHECK(event.uuid.substr(14, 1) == "7");
}

TEST_CASE("A batch of one bad and two good events keeps the good ones and names the bad one") {
  Fixture f;
  auto batch = f.decode(R"({"api_key":"T","sent_at":"2026-01-01T12:00:05Z","batch":[
      {"event":"a","distinct_id":"u","timestamp":"2026-01-01T11:59:55Z"},
      {"event":"b"},
      {"event":"c","distinct_id":"u","offset":5000,"timestamp":"2026-01-01T00:00:00Z"}]})",
                        Endpoint::kBatch);
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->events.size() == 2);
  CHECK(batch.value()->events[0].timestamp_ms == at("2026-01-01T11:59:50Z"));
  CHECK(batch.value()->events[1].timestamp_ms == at("2026-01-01T11:59:55Z"));
  REQUIRE(batch.value()->rejects.size() == 1);
  CHECK(batch.value()->rejects[0].event_index == 1);
  CHECK(batch.value()->rejects[0].error.code == ErrorCode::kMissingDistinctId);
  CHECK(batch.value()->rejects[0].raw == R"({"event":"b"})");
  CHECK_FALSE(batch.value()->refusal());
}
