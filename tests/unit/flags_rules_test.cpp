// The small rules under the operators: texts, numbers, versions, dates, time zones, JSON values.
#include <catch2/catch.hpp>

#include <cmath>
#include <string>

#include "flags/dates.h"
#include "flags/portable.h"
#include "flags/semver.h"
#include "flags/text.h"
#include "flags/timezone.h"
#include "hogflare/flags_limits.h"
#include "hogflare/flags_value.h"
#include "hogflare/text.h"
#include "hogflare/timestamp.h"
#include "tests/table_zones.h"

using namespace hogflare;
using namespace hogflare::flags;

TEST_CASE("lower case is Unicode's, with the final sigma", "[flags]") {
  CHECK(unicode_lower("STRASSE ÀÉ ΣΑΣ ΣΑΣ.") == "strasse àé σας σας.");
  CHECK(unicode_lower("Σ") == "σ");
  CHECK(unicode_lower("İ") == "i\u0307");
  CHECK(unicode_lower("ДОМ Ǆ Ⓐ 𐐀") == "дом ǆ ⓐ 𐐨");
  CHECK(unicode_lower("\xff\xc3") == "\xff\xc3");
  CHECK(ascii_lower("ÀB") == "Àb");
}

TEST_CASE("numbers are read as Rust reads a float", "[flags]") {
  for (const char* text : {"1", "-1", "+6", "1e3", ".5", "6.", "1.5E-2", "inf", "-Infinity"}) {
    INFO(text);
    CHECK(parse_number(text).has_value());
  }
  CHECK(std::isnan(*parse_number("NaN")));
  for (const char* text :
       {"", " 6", "6 ", "0x10", "1_000", "true", "[30]", "1e", "1e5x", "1e+-5", ".", "-", "1,5"}) {
    INFO(text);
    CHECK(!parse_number(text).has_value());
  }
}

TEST_CASE("identifiers are cut by code points", "[flags]") {
  CHECK(first_code_points("äöü", 2) == "äö");
  CHECK(first_code_points("a😀b", 2) == "a😀");
  CHECK(first_code_points("abc", 3) == "abc");
}

TEST_CASE("floats print as serde_json prints them", "[flags]") {
  CHECK(float_text(1) == "1.0");
  CHECK(float_text(0.1) == "0.1");
  CHECK(float_text(-2.5) == "-2.5");
  CHECK(float_text(1e15) == "1000000000000000.0");
  CHECK(float_text(1e16) == "1e16");
  CHECK(float_text(1.5e300) == "1.5e300");
  CHECK(float_text(0.00001) == "0.00001");
  CHECK(float_text(0.000001) == "1e-6");
  CHECK(float_text(-0.0) == "-0.0");
}

TEST_CASE("JSON values keep number spelling by type, and read NaN as null", "[flags]") {
  const Result<Value> value = parse_value(
      R"({"b":[1,1.0,1e2,-0,18446744073709551615,NaN,-Infinity,"NaN"],"a":{"z":1,"y":"\u0001"}})");
  REQUIRE(value.ok());
  CHECK(text_form(value.value()) ==
        R"({"a":{"y":"\u0001","z":1},)"
        R"("b":[1,1.0,100.0,-0.0,18446744073709551615,null,null,"NaN"]})");
  CHECK(to_json(parse_value(R"({"a":1,"b":2,"a":3})").value()) == R"({"b":2,"a":3})");
  CHECK(!parse_value("{").ok());
  CHECK(!parse_value("").ok());
  CHECK(!parse_value("{} x").ok());
  CHECK(!parse_value("\"\xff\"").ok());
  for (const char* text : {"[I]", "[Inf]", "[Infinit]", "[N]", "[Na]", "[-I]", "[-Inf]"}) {
    INFO(text);
    CHECK(!parse_value(text).ok());
  }
  CHECK(to_json(parse_value("[Infinity,-Infinity,NaN]").value()) == "[null,null,null]");
}

TEST_CASE("JSON values are equal whatever the order of their names, and by nothing less",
          "[flags]") {
  const auto equal = [](const char* one, const char* other) {
    const Value a = parse_value(one).value();
    const Value b = parse_value(other).value();
    CHECK((a == b) == (b == a));
    return a == b;
  };
  for (const auto& [one, other] : std::initializer_list<std::pair<const char*, const char*>>{
           {"{}", "{}"},
           {R"({"a":1,"b":2})", R"({"b":2,"a":1})"},
           {R"({"a":{"b":[1,{}]}})", R"({"a":{"b":[1,{}]}})"},
           {"[1,2]", "[1,2]"},
           {"null", "null"},
           {"1.5", "1.5"},
           {"true", "true"}}) {
    INFO(one << " and " << other);
    CHECK(equal(one, other));
  }
  for (const auto& [one, other] : std::initializer_list<std::pair<const char*, const char*>>{
           {"{}", R"({"a":1})"},
           {R"({"a":1})", R"({"a":1,"b":2})"},
           {R"({"a":1,"b":2})", R"({"a":1,"b":3})"},
           {R"({"a":1,"b":2})", R"({"a":1,"c":2})"},
           {R"({"a":null})", "{}"},
           {"[1,2]", "[2,1]"},
           {"[]", "{}"},
           {"[1]", "[1,1]"},
           {"1", "1.0"},
           {"1", "2"},
           {"1.5", "2.5"},
           {"true", "false"},
           {R"("a")", R"("b")"},
           {R"("1")", "1"},
           {"null", "false"}}) {
    INFO(one << " and " << other);
    CHECK_FALSE(equal(one, other));
  }
}

TEST_CASE("versions are ordered as SemVer with build metadata", "[flags]") {
  const char* ascending[] = {
      "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0",
      "1.0.0+1",     "1.0.0+01",      "1.0.0+b",          "1.0.1",        "1.2",           "2"};
  for (size_t i = 0; i + 1 < std::size(ascending); ++i) {
    INFO(ascending[i] << " < " << ascending[i + 1]);
    CHECK(compare(*parse_version(ascending[i]), *parse_version(ascending[i + 1])) < 0);
  }
  for (const char* text : {"", "a", "1.2.3.4", "1..2", "1.2.x", "1.2.3-", "1.2.3-01", "V1"}) {
    INFO(text);
    CHECK(!parse_version(text).has_value());
  }
}

TEST_CASE("a version requirement may hold comparators, and 32 of them at most", "[flags]") {
  const auto matches = [](const std::optional<VersionRequirement>& requirement, const char* text) {
    REQUIRE(requirement.has_value());
    return requirement->matches(*parse_version(text));
  };
  CHECK(matches(VersionRequirement::caret("0.0.3"), "0.0.3"));
  CHECK(!matches(VersionRequirement::caret("0.0.3"), "0.0.4"));
  CHECK(!matches(VersionRequirement::wildcard("*"), "1.0.0-rc"));
  CHECK(matches(VersionRequirement::wildcard("x"), "7"));
  CHECK(matches(VersionRequirement::wildcard("=1.2.3-*"), "1.2.3-x"));  // a star is an x everywhere
  CHECK(matches(VersionRequirement::wildcard(">1.0, <2.0"), "1.1"));
  CHECK(!matches(VersionRequirement::wildcard(">1.0, <2.0"), "1.0.5"));
  CHECK(matches(VersionRequirement::tilde("1.2.3, <1.2.9"), "1.2.8"));
  CHECK(!matches(VersionRequirement::tilde("1.2.3, <1.2.9"), "1.2.9"));
  for (const char* text : {"1.*.3", "", ">", "1.0 <2", "1,", "01.*", "*, 1", "1 || 2"}) {
    INFO(text);
    CHECK(!VersionRequirement::wildcard(text).has_value());
  }
  std::string list = ">0";
  for (size_t count = 1; count < limits::kVersionComparatorsMax; ++count) list += ", >0";
  CHECK(VersionRequirement::wildcard(list).has_value());
  CHECK(!VersionRequirement::wildcard(list + ", >0").has_value());
}

TEST_CASE("relative dates step calendar units back", "[flags]") {
  const TimeZone utc;
  const auto date = [&](const char* text) { return *parse_date_property(text, utc, 0); };
  const int64_t now_ms = date("2025-03-31T00:00:00Z") / 1000;
  const auto back = [&](const char* text) {
    return parse_date_filter(text, utc).instant_us(now_ms, utc);
  };
  CHECK(back("-2m") == date("2025-01-28"));
  CHECK(back("1m") == date("2025-02-28"));
  CHECK(back("-1y") == date("2024-03-31"));
  CHECK(back("-1w") == date("2025-03-24"));
  CHECK(back("-1h") == date("2025-03-30T23:00"));
  CHECK(!back("10000d").has_value());
  CHECK(!back("-1s").has_value());
}

TEST_CASE("date texts are read in the forms the service takes", "[flags]") {
  const TimeZone utc;
  const int64_t noon = *parse_date_property("2025-06-15T12:00:00Z", utc, 0);
  for (const char* text :
       {"2025-06-15 12:00", "2025-06-15T12:00:00.000", "2025-06-15T14:00:00+02:00",
        "2025-06-15 12:00:00 UTC", "1749988800", "Sun, 15 Jun 2025 12:00:00 GMT",
        "2025/06/15 12:00", " 2025- 06- 15 12:00", "2025-06- 15T 12:00"}) {
    INFO(text);
    CHECK(parse_date_property(text, utc, 0) == noon);
  }
  for (const char* text : {"2025-13-01", "2025-02-30", "yesterday", "", "2025-06-15T25:00"}) {
    INFO(text);
    CHECK(!parse_date_property(text, utc, 0).has_value());
  }
}

TEST_CASE("naive dates follow the zone's rule, summer and winter", "[flags]") {
  test::TableZones host;
  Zones zones(host);
  const auto at = [&](const char* zone, const char* text) {
    return *parse_date_property(text, *TimeZone::parse(zone, &zones), 0) / 1'000'000;
  };
  const auto utc = [&](const char* text) { return at("UTC", text); };
  for (const char* berlin : {"Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"}) {
    CHECK(at(berlin, "2025-01-15 12:00") == utc("2025-01-15 11:00"));
    CHECK(at(berlin, "2025-07-15 12:00") == utc("2025-07-15 10:00"));
    CHECK(at(berlin, "2025-03-30 01:59") == utc("2025-03-30 00:59"));
    CHECK(at(berlin, "2025-03-30 03:00") == utc("2025-03-30 01:00"));
    CHECK(at(berlin, "2025-10-26 02:30") == utc("2025-10-26 00:30"));  // the first of two
    CHECK(at(berlin, "2025-10-26 03:00") == utc("2025-10-26 02:00"));
  }
  CHECK(at("Australia/Sydney", "2025-01-15 12:00") == utc("2025-01-15 01:00"));
  CHECK(at("Australia/Sydney", "2025-07-15 12:00") == utc("2025-07-15 02:00"));
  CHECK(at("Europe/Dublin", "2025-07-15 12:00") == utc("2025-07-15 11:00"));
  CHECK(at("Europe/Dublin", "2025-01-15 12:00") == utc("2025-01-15 12:00"));
  CHECK(at("Asia/Kolkata", "2025-01-15 12:00") == utc("2025-01-15 06:30"));
  CHECK(at("+05:45", "2025-01-15 12:00") == utc("2025-01-15 06:15"));
  CHECK(at("America/New_York", "2024-06-01") == utc("2024-06-01 04:00"));
  for (const char* text :
       {"", "Europe", "XYZ", "+25:00", "CET-1CEST", "CET-1CEST,M13.1.0,M1.1.0"}) {
    INFO(text);
    CHECK(!TimeZone::parse(text, &zones).has_value());
  }
}

TEST_CASE("a date is portable when every SDK reads it alike", "[flags]") {
  const TimeZone utc;
  for (const char* text : {"2025-02-01", "2025-02-01T10:00:00Z", "2025-02-01T10:00:00+02:00",
                           "2025-02-01T10:00:00", "-1d", "-30h", "-1m", "-1y"}) {
    INFO(text);
    CHECK(is_portable_date(text, utc));
  }
  for (const char* text : {"", "2025", "2025-02", "2025-2-1", "2025.02", "2025/02/01", "20250201",
                           "2025.02.01", "+2025-02-01", " 2025-02-01", "-2m", "-2y", "soon"}) {
    INFO(text);
    CHECK_FALSE(is_portable_date(text, utc));
  }
}

TEST_CASE("a pattern is portable when every engine reads it alike", "[flags]") {
  for (const char* pattern : {"@example\\.com$", "^(?:a|b)+$", "[0-9]{2,3}", "[a-z0-9_]+", "(a|b)+",
                              "colou?r", "^hello$", "a-b&c~d"}) {
    INFO(pattern);
    CHECK(is_portable_pattern(pattern));
  }
  for (const char* pattern :
       {"(?i)a",       "\\Aa",     "[[:alpha:]]", "a{,3}",  "ü",       "\\pL", "\\1",
        "(?P<n>a)",    "\\d{2,3}", "\\w",         "\\bpro", "\\s",     "a++",  "a?+",
        "[a-z&&[^b]]", "[a&&b]",   "[a-z--b]",    "[a~~b]", "a{2}{3}", "a+{2}"}) {
    INFO(pattern);
    CHECK(!is_portable_pattern(pattern));
  }
}

TEST_CASE("a version's identifiers have letters, digits and hyphens, and nothing beside",
          "[flags]") {
  for (const char good : {'0', '9', 'a', 'z', 'A', 'Z', '-'}) {
    const std::string text = "1.2.3-x" + std::string(1, good) + "+y" + std::string(1, good);
    INFO(text);
    CHECK(parse_version(text).has_value());
  }
  // The neighbours of those ranges in ASCII.
  for (const char bad : {'/', ':', '`', '{', '@', '[', ',', '_', ' ', '\x7f', '\xc3'}) {
    const std::string text = "x" + std::string(1, bad) + "y";
    INFO(text);
    CHECK(!parse_version("1.2.3-" + text).has_value());
    CHECK(!parse_version("1.2.3+" + text).has_value());
    CHECK(!VersionRequirement::wildcard("1.2.3-" + text).has_value());
  }
  CHECK(parse_version("1.2.3-0").has_value());
  CHECK(parse_version("1.2.3-0a").has_value());
  CHECK(!parse_version("1.2.3-a..b").has_value());
  CHECK(!parse_version("1.2.3+").has_value());
  CHECK(parse_version("18446744073709551615").has_value());
  CHECK(!parse_version("18446744073709551616").has_value());
}

TEST_CASE("each comparator of a requirement takes the versions it is for", "[flags]") {
  struct Row {
    const char* requirement;
    const char* version;
    bool matches;
  };
  const Row rows[] = {
      {"=1.2", "1.2.9", true},
      {"=1.2", "1.3.0", false},
      {">1.2.3", "1.2.4", true},
      {">1.2.3", "1.2.3", false},
      {">=1.2.3", "1.2.3", true},
      {">=1.2.3", "1.2.2", false},
      {"<1.2.3", "1.2.2", true},
      {"<1.2.3", "1.2.3", false},
      {"<=1.2.3", "1.2.3", true},
      {"<=1.2.3", "1.2.4", false},
      {"~1.2", "1.2.9", true},
      {"~1.2", "1.3.0", false},
      {"~1.2.3", "1.2.3", true},
      {"~1.2.3", "1.2.2", false},
      {"~1.2.3", "1.3.0", false},
      {"^1.2.3", "1.9.0", true},
      {"^1.2.3", "1.2.2", false},
      {"^1.2.3", "2.0.0", false},
      {"^0.2.3", "0.2.4", true},
      {"^0.2.3", "0.3.0", false},
      {"1.x", "1.9.9", true},
      {"1.x", "2.0.0", false},
      {"1.2.*", "1.2.7", true},
      {"1.2.*", "1.3.0", false},
      {">1.2.3-a.2", "1.2.3-a.3", true},
      {">1.2.3-a.2", "1.2.3-a.1", false},
      {">1.2.3-a.2", "1.2.3", true},
      {"=1.2.3-a", "1.2.3-a", true},
      {"=1.2.3-a", "1.2.3", false},
      {">1.2.2", "1.2.3-a", false},
      {">=1.2.3-a", "1.2.4-a", false},
      {"1.2.3+build", "1.2.3", true},
  };
  for (const Row& row : rows) {
    INFO(row.requirement << " of " << row.version);
    const std::optional<VersionRequirement> requirement =
        VersionRequirement::wildcard(row.requirement);
    REQUIRE(requirement.has_value());
    CHECK(requirement->matches(*parse_version(row.version)) == row.matches);
  }
}

TEST_CASE("a float has up to sixteen digits before its point, and down to five zeros behind it",
          "[flags]") {
  CHECK(float_text(1234567890123456.8) == "1234567890123456.8");
  CHECK(float_text(9999999999999998) == "9999999999999998.0");
  CHECK(float_text(12345678901234568) == "1.2345678901234568e16");
  CHECK(float_text(100.25) == "100.25");
  CHECK(float_text(0.000012) == "0.000012");
  CHECK(float_text(0.0000012) == "1.2e-6");
  CHECK(float_text(-1.5e-7) == "-1.5e-7");
  CHECK(float_text(5e-324) == "5e-324");
}

TEST_CASE("A zone's change on a day of the year counts 29 February or leaves it out", "[flags]") {
  const auto hour_of = [](const std::string& changes, const char* noon) {
    const std::optional<TimeZone> zone = TimeZone::parse("CET-1CEST," + changes, nullptr);
    REQUIRE(zone.has_value());
    return zone->offset_at(*parse_timestamp(noon) / 1000) / 3600;
  };
  // From 0 on with it: 1 March, in a leap year 29 February.
  CHECK(hour_of("59/2,300/3", "2025-02-28T12:00:00Z") == 1);
  CHECK(hour_of("59/2,300/3", "2025-03-01T12:00:00Z") == 2);
  CHECK(hour_of("59/2,300/3", "2024-02-28T12:00:00Z") == 1);
  CHECK(hour_of("59/2,300/3", "2024-02-29T12:00:00Z") == 2);
  // From 1 on without it: 1 March in every year.
  for (const char* year : {"2024", "2025"}) {
    INFO(year);
    const std::string march = std::string(year) + "-03-01T12:00:00Z";
    const std::string february = std::string(year) + "-02-28T12:00:00Z";
    CHECK(hour_of("J60/2,J300/3", february.c_str()) == 1);
    CHECK(hour_of("J60/2,J300/3", march.c_str()) == 2);
  }
  CHECK(hour_of("J60/2,J300/3", "2024-02-29T12:00:00Z") == 1);
}

TEST_CASE("Changes of a zone's rule have bounds", "[flags]") {
  const auto reads = [](const std::string& change) {
    const bool first = TimeZone::parse("CET-1CEST," + change + ",M10.5.0/3", nullptr).has_value();
    CHECK(TimeZone::parse("CET-1CEST,M3.5.0," + change, nullptr).has_value() == first);
    return first;
  };
  for (const char* change : {"J1", "J365", "0", "365", "M1.1.0", "M12.5.6", "M3.5.0/167",
                             "M3.5.0/-167", "M3.5.0/2:59:59", "J60/0"}) {
    INFO(change);
    CHECK(reads(change));
  }
  for (const char* change : {"J0", "J366", "366", "M0.1.0", "M13.1.0", "M1.0.0", "M1.6.0", "M1.1.7",
                             "M1.1", "M3.5.0/168", "M3.5.0/2:60", "J", "", "X1"}) {
    INFO(change);
    CHECK_FALSE(reads(change));
  }
}

TEST_CASE("a number ends where its text ends, whatever stands in memory behind it", "[flags]") {
  const std::string_view memory = "57.25e12";
  CHECK(parse_number(memory.substr(0, 1)) == 5);
  CHECK(parse_number(memory.substr(0, 2)) == 57);
  CHECK_FALSE(parse_number(memory.substr(0, 6)).has_value());
  CHECK(parse_number(memory.substr(0, 4)) == 57.2);
  CHECK(parse_number(memory.substr(0, 7)) == 572.5);
}

TEST_CASE("a relative date has twenty bytes at most, and fewer than ten thousand units",
          "[flags]") {
  const TimeZone utc;
  const auto reads = [&](const std::string& text) {
    return parse_date_filter(text, utc).instant_us(1'750'000'000'000, utc).has_value();
  };
  CHECK(reads(std::string(18, '0') + "1d"));
  CHECK(reads("-" + std::string(18, '0') + "1d"));
  CHECK_FALSE(reads(std::string(19, '0') + "1d"));
  CHECK(reads("9999d"));
  CHECK_FALSE(reads("10000d"));
  CHECK_FALSE(reads("d"));
  CHECK_FALSE(reads("-d"));
}
