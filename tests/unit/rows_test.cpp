#include <catch2/catch.hpp>

#include "hogflare/rows.h"
#include "wire_support.h"

using namespace hogflare;
using test::Fixture;
using test::kNowMs;

namespace {

// The row of the only event of a batch, for a person that identity has nothing to say about.
std::string row_of(Fixture& f, std::string body, const PersonView& person = {},
                   const GroupView& groups = {}) {
  auto decoded = f.decode(std::move(body), Endpoint::kBatch);
  REQUIRE(decoded.ok());
  const CaptureBatch& batch = *decoded.value();
  REQUIRE(batch.events.size() == 1);
  RowWriter writer(f.head, {batch.token, batch.project, batch.sent_at_ms}, f.config, kNowMs);
  RowBatch rows(Stream::kEvents);
  writer.append_event(batch.events[0], person, groups, rows);
  REQUIRE(rows.size() == 1);
  CHECK(check_row(rows.row(0)) == std::nullopt);
  return std::string(rows.row(0));
}

}  // namespace

TEST_CASE("A row holds the seed's columns in the schema's order") {
  Fixture f;
  f.head.cf_connecting_ip = "203.0.113.9";
  f.head.edge.country = "DE";
  PersonView person;
  person.person_id = "246f7a43-5507-564f-b687-793ee3c2dd79";
  person.person_created_at_ms = kNowMs;
  person.person_properties = R"({"plan":"pro"})";
  person.row_set = R"({"a":1})";
  const std::string row = row_of(
      f,
      R"({"api_key":"phc_x","sent_at":"2026-01-01T12:00:00Z","batch":[{"event":"e","distinct_id":"u","type":"capture",
         "uuid":"0190A000-0000-7000-8000-000000000001","timestamp":"2026-01-01T11:00:00Z",
         "properties":{"big":12345678901234567890,"$set":{"x":1},"f":1.50}}]})",
      person);
  CHECK(row ==
        R"({"uuid":"0190a000-0000-7000-8000-000000000001","team_id":1,"source":"posthog","event":"e",)"
        R"("distinct_id":"u","timestamp":"2026-01-01T11:00:00.000Z","created_at":"2026-01-01T12:00:00.000Z",)"
        R"("properties":{"big":12345678901234567890,"f":1.50,"$set":{"a":1},"$ip":"203.0.113.9","$geoip_country_code":"DE"},)"
        R"("person_id":"246f7a43-5507-564f-b687-793ee3c2dd79","person_created_at":"2026-01-01T12:00:00.000Z",)"
        R"("person_properties":{"plan":"pro"},"api_key":"phc_x",)"
        R"("extra":{"type":"capture","$sent_at":"2026-01-01T12:00:00.000Z","$client_timestamp":"2026-01-01T11:00:00Z"}})");
}
