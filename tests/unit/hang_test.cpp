// A sink that hangs: one send finds out, the others do not wait for it.
#include <catch2/catch.hpp>

#include "delivery_world.h"

using namespace hogflare;
using testing::DeliveryWorld;
using testing::SinkAnswer;

namespace {

std::vector<RowBatch> one_row() {
  std::vector<RowBatch> batches;
  batches.emplace_back(Stream::kEvents);
  REQUIRE(batches[0].append("{\"n\":1}").ok());
  return batches;
}

}  // namespace

TEST_CASE("One send without an answer is enough: the next go to the outbox, one at a time tries") {
  DeliveryWorld world;
  world.config.pipeline_timeout_ms = 3'000;
  world.sink = [](const SendRows&) { return SinkAnswer{.commit = false, .hang = true}; };
  CHECK(world.deliver(one_row())->outcome(Stream::kEvents).in_outbox == 1);
  CHECK(world.health.open(Stream::kEvents));
  CHECK(world.sends.size() == 1);

  const int64_t begin_ms = world.now_ms;
  CHECK(world.deliver(one_row())->outcome(Stream::kEvents).in_outbox == 1);
  CHECK(world.now_ms - begin_ms < 100);
  CHECK(world.sends.size() == 1);

  int64_t now_ms = world.now_ms + limits::kBreakerHangPauseMs;
  CHECK(world.health.allows(Stream::kEvents, now_ms));
  CHECK_FALSE(world.health.allows(Stream::kEvents, now_ms + 3'000));
  world.health.note_hang(Stream::kEvents, now_ms + 3'000);
  now_ms += 3'000 + 2 * limits::kBreakerHangPauseMs;
  CHECK_FALSE(world.health.allows(Stream::kEvents, now_ms - 1));
  CHECK(world.health.allows(Stream::kEvents, now_ms));
  world.health.note(Stream::kEvents, SinkVerdict::kDelivered, now_ms);
  CHECK_FALSE(world.health.open(Stream::kEvents));
}
