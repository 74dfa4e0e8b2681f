// Time zones with their history: dates of definitions and persons, and the project's wall clock.
#include "hogflare/zones.h"

#include <catch2/catch.hpp>
#include <string>
#include <tuple>

#include "flags/dates.h"
#include "flags/timezone.h"
#include "hogflare/flags.h"
#include "hogflare/flags_limits.h"
#include "hogflare/timestamp.h"
#include "tests/table_zones.h"

using namespace hogflare;
using namespace hogflare::flags;

namespace {

std::string utc_text(std::optional<int64_t> us) {
  if (!us) return "no date";
  std::string text;
  append_rfc3339(text, *us / 1000);
  return text;
}

}  // namespace

TEST_CASE("A named zone's dates are read by the rule of their time", "[flags][zones]") {
  test::TableZones host;
  Zones zones(host);
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"Europe/Berlin", "1975-07-01 12:00", "1975-07-01T11:00:00.000Z"},  // no summer time then
      {"Europe/Berlin", "1985-07-01 12:00", "1985-07-01T10:00:00.000Z"},
      {"Europe/Berlin", "1985-10-15 12:00", "1985-10-15T11:00:00.000Z"},  // ended in September
      {"Europe/Berlin", "2025-10-15 12:00", "2025-10-15T10:00:00.000Z"},
      {"Europe/Berlin", "1890-01-01 00:53:28", "1890-01-01T00:00:00.000Z"},
      {"Europe/London", "1970-01-15 12:00", "1970-01-15T11:00:00.000Z"},  // summer time all year
      {"Europe/London", "1972-01-15 12:00", "1972-01-15T12:00:00.000Z"},
      {"America/New_York", "2006-03-20", "2006-03-20T05:00:00.000Z"},  // from April on
      {"America/New_York", "2007-03-20", "2007-03-20T04:00:00.000Z"},  // from March on
      {"America/New_York", "1986-04-10", "1986-04-10T05:00:00.000Z"},
      {"Asia/Kolkata", "2025-06-08", "2025-06-07T18:30:00.000Z"},
      {"Pacific/Apia", "2011-12-29 12:00", "2011-12-29T22:00:00.000Z"},
      {"Pacific/Apia", "2011-12-30 12:00", "no date"},  // a day that was skipped
      {"Pacific/Apia", "2011-12-31 12:00", "2011-12-30T22:00:00.000Z"},
      {"Europe/Berlin", "1985-03-31 02:30", "no date"},
      {"Europe/Berlin", "1985-09-29 02:30", "1985-09-29T00:30:00.000Z"},  // the first of two
  };
  for (const auto& [name, text, expected] : cases) {
    CAPTURE(name, text);
    const std::optional<TimeZone> zone = TimeZone::parse(name, &zones);
    REQUIRE(zone);
    CHECK(utc_text(parse_date_property(text, *zone, 0)) == expected);
    CHECK(utc_text(parse_date_filter(text, *zone).instant_us(0, *zone)) == expected);
  }
}

TEST_CASE("Relative dates count back on the zone's clock of that time", "[flags][zones]") {
  test::TableZones host;
  Zones zones(host);
  const std::tuple<const char*, const char*, const char*, const char*> cases[] = {
      {"Europe/Berlin", "2025-04-02T10:00:00Z", "-7d", "2025-03-26T11:00:00.000Z"},
      {"Europe/Berlin", "2025-07-01T10:00:00Z", "-46y", "1979-07-01T11:00:00.000Z"},
      {"America/New_York", "2007-03-20T12:00:00Z", "-1y", "2006-03-20T13:00:00.000Z"},
      {"Asia/Kolkata", "2025-06-08T12:00:00Z", "-1m", "2025-05-08T12:00:00.000Z"},
      {"Europe/Berlin", "2025-03-31T01:30:00Z", "-25h", "no date"},  // 02:30 was skipped
      {"Europe/Berlin", "2025-03-31T01:30:00Z", "-26h", "2025-03-30T00:30:00.000Z"},
  };
  for (const auto& [name, now, text, expected] : cases) {
    CAPTURE(name, now, text);
    const TimeZone zone = *TimeZone::parse(name, &zones);
    const int64_t now_ms = *parse_timestamp(now);
    CHECK(utc_text(parse_date_filter(text, zone).instant_us(now_ms, zone)) == expected);
  }
}

TEST_CASE("A day of a zone is asked for once, and names that none could have never", "[zones]") {
  test::TableZones host;
  Zones zones(host);
  CHECK(zones.offset_at("Europe/Berlin", 1'750'000'000) == 7200);
  const int asked = host.asked;
  CHECK(asked > 0);
  CHECK(zones.offset_at("Europe/Berlin", 1'750'000'001) == 7200);
  CHECK(host.asked == asked);
  // A day on which the clock changes: the change is found to the second.
  CHECK(zones.offset_at("Europe/Berlin", 1'743'296'399) == 3600);
  CHECK(zones.offset_at("Europe/Berlin", 1'743'296'400) == 7200);
  CHECK(zones.offset_at("Europe/Berlin", 323'830'799) == 3600);
  CHECK(zones.offset_at("Europe/Berlin", 323'830'800) == 7200);
  CHECK(!zones.offset_at("Mars/Olympus", 0));
  const int known = host.asked;
  CHECK(!zones.offset_at("Mars/Olympus", 0));
  for (const std::string& name :
       {std::string(), std::string("../etc/passwd"), std::string("a b"), std::string("Zürich"),
        std::string(limits::kZoneNameBytesMax + 1, 'a')}) {
    CHECK(!zones.offset_at(name, 0));
  }
  CHECK(host.asked == known);
  // However it is spelled, it is one zone.
  CHECK(zones.offset_at("eUrOpE/bErLiN", 1'750'000'000) == 7200);
  CHECK(zones.offset_at("EUROPE/BERLIN", 1'750'000'000) == 7200);
  CHECK(host.asked == known);
  // Far times are those of the calendar's ends.
  CHECK(zones.offset_at("Asia/Kolkata", INT64_MAX) == 19'800);
  CHECK(zones.offset_at("Asia/Kolkata", INT64_MIN) == 19'800);
}

TEST_CASE("A zone's days are remembered within a bound", "[zones]") {
  test::TableZones host;
  Zones zones(host);
  const int64_t days = 3 * static_cast<int64_t>(limits::kZoneDaysMax);
  for (int64_t day = 0; day < days; ++day) {
    CHECK(zones.offset_at("Asia/Tokyo", day * 86'400) == 32'400);
    CHECK(zones.offset_at("Asia/Kolkata", day * 86'400) == 19'800);
  }
  const int asked = host.asked;
  for (int64_t day = 0; day < days; ++day)
    CHECK(zones.offset_at("Asia/Tokyo", day * 86'400) == 32'400);
  CHECK(host.asked > asked);  // more days than are remembered
}

TEST_CASE("A document's zone that nobody knows is told, and is UTC", "[flags][zones]") {
  test::TableZones host;
  Zones zones(host);
  ParseOptions options;
  options.zones = &zones;
  const auto problems = [&](const std::string& zone) {
    return Definitions::check(R"({"flags":[],"timezone":")" + zone + "\"}", options);
  };
  for (const char* zone :
       {"Europe/Berlin", "UTC", "Etc/UTC", "GMT", "+05:30", "EST5EDT,M3.2.0,M11.1.0"}) {
    CAPTURE(zone);
    CHECK(problems(zone).empty());
  }
  const std::pair<const char*, const char*> two_ways[] = {
      {"UTC+2", "write +02:00 or Etc/GMT-2"},     {"GMT+1", "write +01:00 or Etc/GMT-1"},
      {"UTC-05:00", "write -05:00 or Etc/GMT+5"}, {"UTC+5:30", "write +05:30"},
      {"GMT-10", "write -10:00 or Etc/GMT+10"},
  };
  for (const auto& [zone, meant] : two_ways) {
    CAPTURE(zone);
    REQUIRE(problems(zone).size() == 1);
    CHECK(problems(zone)[0].path == "timezone");
    CHECK(problems(zone)[0].message ==
          "'" + std::string(zone) + "' can be read in two ways; " + meant);
  }
  for (const char* zone : {"UTC+0", "GMT-0", "UTC0", "GMT0BST,M3.5.0/1,M10.5.0", "CET-1"}) {
    CAPTURE(zone);
    CHECK(problems(zone).empty());
  }
  for (const char* zone : {"Mars/Olympus", "Berlin", "Europe/", "Berlin+", "+25:00"}) {
    CAPTURE(zone);
    REQUIRE(problems(zone).size() == 1);
    CHECK(problems(zone)[0].path == "timezone");
    CHECK(problems(zone)[0].message.find("not a known time zone") != std::string::npos);
  }
}
