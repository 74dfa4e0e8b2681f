// How often an event costs an allocation between request bytes and row bytes: a guard on the hot
// path that no clock can disturb. The bound is documented in docs/WIRE.md.
#include <catch2/catch.hpp>

#include "hogflare/rows.h"
#include "counting_new.h"
#include "wire_support.h"

using namespace hogflare;

namespace {

// Allocations for a request of `count` events, each with `properties` properties.
uint64_t cost(int count, int properties) {
  std::string body = R"({"api_key":"phc_x","sent_at":"2026-01-01T12:00:00Z","batch":[)";
  for (int n = 0; n < count; ++n) {
    if (n > 0) body += ',';
    body +=
        R"({"uuid":"0190a000-0000-7000-8000-)" + std::to_string(100'000'000'000 + n) +
        R"(","event":"a name that is longer than a short string","distinct_id":"user-with-a-long-id-)" +
        std::to_string(n) + R"(","timestamp":"2026-01-01T11:00:00Z","properties":{)";
    for (int p = 0; p < properties; ++p) {
      body += "\"name" + std::to_string(p) + R"(":{"nested":[1,2,"three"]},)";
    }
    body += R"("$lib":"web"}})";
  }
  body += "]}";
  test::Fixture f;
  f.head.cf_connecting_ip = "203.0.113.9";
  f.head.edge.country = "DE";
  const PersonView person;
  const GroupView groups;
  const uint64_t before = test::allocations();
  auto decoded = f.decode(std::move(body), Endpoint::kBatch);
  const CaptureBatch& batch = *decoded.value();
  const RowWriter writer(f.head, {batch.token, batch.project, batch.sent_at_ms}, f.config,
                         test::kNowMs);
  RowBatch rows(Stream::kEvents);
  for (const Event& event : batch.events) writer.append_event(event, person, groups, rows);
  const uint64_t spent = test::allocations() - before;
  REQUIRE(rows.size() == static_cast<uint32_t>(count));
  return spent;
}

}  // namespace

TEST_CASE("An event costs at most four allocations from request bytes to row bytes") {
  const uint64_t few = cost(100, 10);
  const uint64_t many = cost(1100, 10);
  INFO("100 events: " << few << ", 1100 events: " << many);
  // Its uuid, name and distinct_id, and a share of what grows by doubling.
  CHECK(many - few <= 4 * 1000);
}

TEST_CASE("A property costs no allocation of its own") {
  const uint64_t few = cost(100, 10);
  const uint64_t many = cost(100, 60);
  INFO("10 properties: " << few << ", 60 properties: " << many);
  // The index and the rows grow by doubling, which is a handful for the whole request.
  CHECK(many <= few + 16);
}
