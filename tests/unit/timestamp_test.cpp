#include "wire/date_text.h"
#include "hogflare/timestamp.h"

#include <catch2/catch.hpp>
#include <cstdio>

#include "wire_support.h"

using namespace hogflare;
using test::at;
using test::kNowMs;

namespace {

struct Case {
  std::string_view text;
  std::string_view same_as;  // RFC 3339
};

std::string written(int64_t unix_ms) {
  std::string out;
  append_rfc3339(out, unix_ms);
  return out;
}

}  // namespace

TEST_CASE("Every form of time that SDKs send is read") {
  const Case cases[] = {
      {"2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z"},
      {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"},
      {"2026-01-02t03:04:05z", "2026-01-02T03:04:05Z"},
      {"2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05.123Z"},
      {"2026-01-02T03:04:05.6Z", "2026-01-02T03:04:05.600Z"},
      {"2025-01-02T08:34:05+05:30", "2025-01-02T03:04:05Z"},
      {"2025-01-02T08:34:05+0530", "2025-01-02T03:04:05Z"},
      {"2025-01-02T06:04:05+03", "2025-01-02T03:04:05Z"},
      {"2025-01-01T20:04:05-07:00", "2025-01-02T03:04:05Z"},
      {"2026-01-02T03:04:05", "2026-01-02T03:04:05Z"},
      {"2026-01-02 03:04:05", "2026-01-02T03:04:05Z"},
      {"2026-01-02 03:04:05.5+00:00", "2026-01-02T03:04:05.500Z"},
      {"2026-01-02 03:04:05 UTC", "2026-01-02T03:04:05Z"},
      {"2026-01-02T03:04", "2026-01-02T03:04:00Z"},
      {"2026-01-02", "2026-01-02T00:00:00Z"},
      {"Fri, 2 Jan 2026 03:04:05 +0000", "2026-01-02T03:04:05Z"},
      {"Fri, 02 Jan 2026 03:04:05 GMT", "2026-01-02T03:04:05Z"},
      {"2 Jan 2026 03:04:05 EST", "2026-01-02T08:04:05Z"},
      {"1767323045", "2026-01-02T03:04:05Z"},
      {"1767323045678", "2026-01-02T03:04:05.678Z"},
      {"  2026-01-02T03:04:05Z \n", "2026-01-02T03:04:05Z"},
      {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
      {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
      {"0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"},
      {"9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
      {"0000000000", "1970-01-01T00:00:00Z"},
      {"1767323045678901234", "2026-01-02T03:04:05.678Z"},
      {"20260102", "2026-01-02T00:00:00Z"},
      {"20260102T030405", "2026-01-02T03:04:05Z"},
      {"2026-01-02T03:04:05,5", "2026-01-02T03:04:05.500Z"},
      {"2026-01-02 03", "2026-01-02T03:00:00Z"},
      {"2026-01-02T03:04:05[Europe/Berlin]", "2026-01-02T03:04:05Z"},
      {"2026-01-02T04:04:05+01:00[Europe/Berlin][u-ca=gregory]", "2026-01-02T03:04:05Z"},
      {"2026-01-02T03:04+01:00", "2026-01-02T02:04:00Z"},
      {"2026-01-02 03:04:05 PST", "2026-01-02T11:04:05Z"},
      {"2026-01-02 03:04 PST", "2026-01-02T11:04:00Z"},
      {"2026-01-02 03:04:05.5 pdt", "2026-01-02T10:04:05.500Z"},
      {"2026-01-02 03:04:05 CEST", "2026-01-02T03:04:05Z"},
      {"2026-01-02 03:04:05 +01:00", "2026-01-02T02:04:05Z"},
      {"2026-01-02 03:04:05 +0100", "2026-01-02T02:04:05Z"},
      {"2026-01-02 03:04:05+01", "2026-01-02T02:04:05Z"},
      {"2026-01-02 03:04-08", "2026-01-02T11:04:00Z"},
      {"2026-01-02 03:04:05 PM", "2026-01-02T15:04:05Z"},
      {"2026-01-02 12:04 am", "2026-01-02T00:04:00Z"},
      {"2026-01-02 UTC", "2026-01-02T00:00:00Z"},
      {"2026-01-02+08:00", "2026-01-01T16:00:00Z"},
      {"2026-01-02T0304Z", "2026-01-02T03:04:00Z"},
      {"01/02/2026", "2026-01-02T00:00:00Z"},
      {"1/2/26", "2026-01-02T00:00:00Z"},
      {"8/1/71", "1971-08-01T00:00:00Z"},
      {"1/2/2026 3:04", "2026-01-02T03:04:00Z"},
      {"1/2/26 3:04:05.5", "2026-01-02T03:04:05.500Z"},
      {"01/02/2026 03:04:05 PM", "2026-01-02T15:04:05Z"},
      {"1/2/2026 12:00 AM", "2026-01-02T00:00:00Z"},
      {"2026/1/2", "2026-01-02T00:00:00Z"},
      {"2026/01/02 3:04pm", "2026-01-02T15:04:00Z"},
      {"01.02.2026", "2026-01-02T00:00:00Z"},
      {"2026.01.02", "2026-01-02T00:00:00Z"},
      {"2026-Jan-02", "2026-01-02T00:00:00Z"},
      {"Jan 2, 2026", "2026-01-02T00:00:00Z"},
      {"jan. 2, 26", "2026-01-02T00:00:00Z"},
      {"January 2, 2026 3:04:05 AM", "2026-01-02T03:04:05Z"},
      {"January 2, 2026, 3:04", "2026-01-02T03:04:00Z"},
      {"January 2, 2026 03:04 UTC", "2026-01-02T03:04:00Z"},
      {"January 2, 2026 at 03:04am PST", "2026-01-02T11:04:00Z"},
      {"2 Jan 2026", "2026-01-02T00:00:00Z"},
      {"02 January 26", "2026-01-02T00:00:00Z"},
      {"2 Jan 2026 3:04:05", "2026-01-02T03:04:05Z"},
      {"2 Jan 2026, 3:04", "2026-01-02T03:04:00Z"},
      {"260102 03:04:05", "2026-01-02T03:04:05Z"},
      {"2026年01月02日", "2026-01-02T00:00:00Z"},
      {"2026年01月02日03时04分05秒", "2026-01-02T03:04:05Z"}};
  for (const Case& one : cases) {
    INFO(one.text);
    const auto read = parse_timestamp(one.text);
    REQUIRE(read.has_value());
    CHECK(written(*read) == written(at(one.same_as)));
  }
}

TEST_CASE("What is nearly a time is refused") {
  const std::string_view wrong[] = {"",
                                    " ",
                                    "now",
                                    "June 8, 202512:00",
                                    "June 8, 2025 ,12:00",
                                    "June 8, 2025 at12:00",
                                    "yesterday",
                                    "2026-01",
                                    "2026-1-2",
                                    "2026-13-01",
                                    "2026-00-01",
                                    "2026-01-00",
                                    "2026-01-32",
                                    "2026-04-31",
                                    "2026-02-29",
                                    "2100-02-29",
                                    "2026-01-02T",
                                    "2026-01-02T24:00:00Z",
                                    "2026-01-02T03:60:00Z",
                                    "2026-01-02T03:04:61Z",
                                    "2026-01-02T3:04:05Z",
                                    "2026-01-02T03:04:05.Z",
                                    "2026-01-02T03:04:05+",
                                    "2026-01-02T03:04:05+5",
                                    "2026-01-02T03:04:05ZZ",
                                    "2026-01-02T03:04:05+24:00",
                                    "2026-01-02T03:04:05+05:60",
                                    "2026-01-02X03:04:05Z",
                                    "12026-01-02T03:04:05Z",
                                    "Fri 2 Jan 2026 03:04:05 GMT",
                                    "Fri, 32 Jan 2026 03:04:05 GMT",
                                    "Fri, 2 Foo 2026 03:04:05 GMT",
                                    "Fri, 2 Jan 2026 03:04:05",
                                    "Fri, 2 Jan 2026 03:04:05 XYZ",
                                    "1.2.3",
                                    "1.",
                                    ".",
                                    "-",
                                    "+",
                                    "--1",
                                    "1e9",
                                    "0x1",
                                    "99999999999999999999",
                                    "NaN",
                                    "0",
                                    "2026",
                                    "-1",
                                    "174938400",
                                    "17493840000",
                                    "1767323045678901",
                                    "1767323045.678",
                                    "2026-01-02T03:04Z",
                                    "2026-01-02T03:04:05Z[UTC]",
                                    "20260102T030405Z",
                                    "+2026-01-02",
                                    "2026-01-02T03:04:05 -07:00",
                                    "2026-01-02 3:04",
                                    "2026-01-2",
                                    "1/2/2026, 3:04:05 PM",
                                    "13/02/2026",
                                    "2/30/2026",
                                    "1/2/2026 13:00 PM",
                                    "1/2/2026 0:00 AM",
                                    "Fri Jan  2 03:04:05 2026",
                                    "Mon, 02 Jan 2026 03:04:05 GMT",
                                    "Jan 2 2026",
                                    "2026-January-02",
                                    "2026-01-02 03:04:05 UTC+1",
                                    "2026-01-02T03:04:05[",
                                    "2026-01-02T03:04:05[]",
                                    "2026-01-02T03:04:05[Europe/Berlin",
                                    "3:04 PM",
                                    "May 27 02:45:27",
                                    "2026.01",
                                    "2026-W01-5",
                                    "2026-002",
                                    "2026年1月2日"};
  for (const std::string_view text : wrong) {
    INFO(text);
    CHECK_FALSE(parse_timestamp(text).has_value());
  }
}

TEST_CASE("What counts from today needs to know today") {
  const int64_t now = at("2026-03-30T12:00:00Z");
  CHECK(parse_timestamp("3:04 PM", now) == at("2026-03-30T15:04:00Z"));
  CHECK(parse_timestamp("03:04:05", now) == at("2026-03-30T03:04:05Z"));
  CHECK(parse_timestamp("20:00 PST", now) == at("2026-03-31T04:00:00Z"));
  CHECK(parse_timestamp("May 27 02:45:27", now) == at("2026-05-27T02:45:27Z"));
  CHECK(parse_timestamp("May 6 at 9:24 PM", now) == at("2026-05-06T21:24:00Z"));
  CHECK(parse_timestamp("2025.12", now) == at("2025-12-30T00:00:00Z"));
  CHECK_FALSE(parse_timestamp("2026.02", now).has_value());  // has no 30th
  CHECK_FALSE(parse_timestamp("May 6 at 21:24", now).has_value());
  CHECK_FALSE(parse_timestamp("May 27 02:45", now).has_value());
}

TEST_CASE("A JSON number is an epoch by its digits") {
  const int64_t ms = at("2026-01-02T03:04:05.678Z");
  CHECK(parse_epoch_number("1767323045.678") == ms);
  CHECK(parse_epoch_number("1767323045.6789999") == ms);
  CHECK(parse_epoch_number("1767323045678") == ms);
  CHECK(parse_epoch_number("1767323045678.25") == ms);
  CHECK(parse_epoch_number("1767323045678901") == ms);
  CHECK(parse_epoch_number("1767323045678901234") == ms);
  CHECK(parse_epoch_number("1767323045") == at("2026-01-02T03:04:05Z"));
  for (const std::string_view number :
       {"0", "2026", "-1", "-174938400", "20260102", "174938400", "1.767323045e9", "1767323045.6e1",
        "17673230456789012345"}) {
    INFO(number);
    CHECK_FALSE(parse_epoch_number(number).has_value());
  }
}

TEST_CASE("A text too long for any date costs nothing") {
  const std::string spaces(1 << 20, ' ');
  CHECK_FALSE(parse_timestamp("2026-01-02" + spaces + "x").has_value());
  CHECK_FALSE(parse_timestamp("Jan 2," + spaces + "2026").has_value());
}

TEST_CASE("A date's text has 128 bytes at most, in every reader") {
  static_assert(kDateTextBytesMax == 128);
  const auto filled = [](std::string front, char filling, const std::string& back, size_t bytes) {
    return front.append(bytes - front.size() - back.size(), filling) + back;
  };
  for (const size_t bytes : {kDateTextBytesMax, kDateTextBytesMax + 1}) {
    INFO(bytes);
    const bool fits = bytes == kDateTextBytesMax;
    const std::string fraction = filled("2026-01-02T03:04:05.", '5', "Z", bytes);
    CHECK(parse_rfc3339_us(fraction).has_value() == fits);
    const std::string zone = filled("2026-01-02T03:04:05[", 'Z', "]", bytes);
    CHECK(parse_iso_us(zone, IsoForms::kAny).has_value() == fits);
    const std::string spaced = filled("2026-", ' ', "01-02", bytes);
    CHECK(parse_wall_clock_us(spaced).has_value() == fits);
    const std::string month = filled("Jan 2,", ' ', "2026", bytes);
    CHECK(parse_date_text_us(month, std::nullopt).has_value() == fits);
  }
}

TEST_CASE("The form JavaScript writes is held to the calendar and the clock") {
  const std::string_view wrong[] = {
      "2026-02-29T00:00:00.000Z", "2100-02-29T00:00:00.000Z", "2026-04-31T00:00:00.000Z",
      "2026-00-10T00:00:00.000Z", "2026-13-10T00:00:00.000Z", "2026-01-00T00:00:00.000Z",
      "2026-01-02T24:00:00.000Z", "2026-01-02T03:60:00.000Z", "2026-01-02T03:04:61.000Z",
      "2026-01-02T03:04:05.6x8Z", "2026-01-02T03:04:05.67xZ", "2026-01-02T03:04:0/.678Z",
      "2026-01-02T03:04:0:.678Z", "20-6-01-02T03:04:05.678Z", "2026-01-02T03-04:05.678Z",
      "2026-01-02T03:04:05,678Z", "2026-01-02T03:04:05.678X", "+026-01-02T03:04:05.678Z"};
  for (const std::string_view text : wrong) {
    INFO(text);
    CHECK_FALSE(parse_timestamp(text).has_value());
  }
  const std::string_view right[] = {"2024-02-29T23:59:59.999Z", "2000-02-29T00:00:00.000Z",
                                    "2026-12-31T23:59:59.999Z", "1970-01-01T00:00:00.000Z",
                                    "0004-02-29T12:00:00.001Z"};
  for (const std::string_view text : right) {
    INFO(text);
    REQUIRE(parse_timestamp(text).has_value());
    CHECK(written(*parse_timestamp(text)) == text);
  }
  CHECK(written(*parse_timestamp("2016-12-31T23:59:60.500Z")) == "2017-01-01T00:00:00.500Z");
}

// A calendar of its own: one day after the other, by the rule of leap years alone.
TEST_CASE("Every day from year 1 to 9999 is written as the calendar has it, and read again") {
  const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  // At a different time of each day, so that digits of every place change.
  int64_t midnight = kFirstWritableMs;
  int64_t of_day = 0;
  std::string first_wrong;
  for (int year = 1; year <= 9999; ++year) {
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    for (int month = 1; month <= 12; ++month) {
      const int last = month == 2 && leap ? 29 : days[month - 1];
      for (int day = 1; day <= last; ++day, midnight += 86'400'000) {
        of_day = (of_day + 7'654'321) % 86'400'000;
        char expected[64];
        std::snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month,
                      day, static_cast<int>(of_day / 3'600'000),
                      static_cast<int>(of_day / 60'000 % 60), static_cast<int>(of_day / 1000 % 60),
                      static_cast<int>(of_day % 1000));
        const std::string text = written(midnight + of_day);
        const bool right = text == expected && parse_timestamp(text) == midnight + of_day;
        if (!right && first_wrong.empty()) first_wrong = text + " for " + expected;
      }
    }
  }
  CHECK(first_wrong == "");
  CHECK(midnight == kLastWritableMs + 1);
}

TEST_CASE("A wall clock's date may have white space before each number") {
  const auto noon = parse_wall_clock_us("2025-06-15 12:00");
  CHECK(noon == *parse_rfc3339("2025-06-15T12:00:00Z") * 1000);
  CHECK(parse_wall_clock_us(" 2025- 06- 15 12:00") == noon);
  CHECK(parse_wall_clock_us("2025-06-15 12 :00") == std::nullopt);
}

TEST_CASE("A wall clock that is nearly one is refused") {
  for (const std::string_view right :
       {"2025-06-15", "+2025-06-15", "-0001-06-15", "+262142-12-31", "5-1-1 1:2",
        "2025-06-15T1:2:3", "2025-06-15 12:00:00.123456789"}) {
    INFO(right);
    CHECK(parse_wall_clock_us(right).has_value());
  }
  for (const std::string_view wrong : {"",
                                       "-01-01",
                                       "--01-01",
                                       "+-01-01",
                                       "+262143-01-01",
                                       "12025-06-15",
                                       "2025/06-15",
                                       "2025-06/15",
                                       "2025--15",
                                       "2025-06-",
                                       "2025-13-01",
                                       "2025-06-31",
                                       "2025-06-15T",
                                       "2025-06-15 12",
                                       "2025-06-15 12:",
                                       "2025-06-15 12:60",
                                       "2025-06-15 25:00",
                                       "2025-06-15 12:00:",
                                       "2025-06-15 12:00:00.",
                                       "2025-06-15 12:00:00.1234567890",
                                       "2025-06-15x12:00",
                                       "2025-06-15 12:00Z",
                                       "2025-06-15 12:00:00 "}) {
    INFO(wrong);
    CHECK_FALSE(parse_wall_clock_us(wrong).has_value());
  }
}

TEST_CASE("The edges of what can be written") {
  CHECK(written(kFirstWritableMs) == "0001-01-01T00:00:00.000Z");
  CHECK(written(kLastWritableMs) == "9999-12-31T23:59:59.999Z");
  CHECK(written(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(written(0) == "1970-01-01T00:00:00.000Z");
  CHECK(written(-86'400'000) == "1969-12-31T00:00:00.000Z");
  CHECK(written(-86'400'001) == "1969-12-30T23:59:59.999Z");
  std::string date;
  append_imf_fixdate(date, -1);
  CHECK(date == "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST_CASE("RFC 3339 alone needs seconds and a full zone") {
  for (const std::string_view text :
       {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05.5+01:00", "2026-01-02t03:04:05z"}) {
    CHECK(parse_rfc3339(text).has_value());
  }
  for (const std::string_view text :
       {"2026-01-02", "2026-01-02T03:04Z", "2026-01-02T03:04:05", "2026-01-02T03:04:05+01",
        "2026-01-02T03:04:05+0100", "1767323045", "Fri, 2 Jan 2026 03:04:05 GMT", ""}) {
    INFO(text);
    CHECK_FALSE(parse_rfc3339(text).has_value());
  }
}

TEST_CASE("A written time reads back as itself over the whole range") {
  for (int64_t ms = kFirstWritableMs; ms < kLastWritableMs - 86'400'000'000LL;
       ms += 86'399'123'457LL) {
    const std::string text = written(ms);
    REQUIRE(text.size() == 24);
    REQUIRE(parse_rfc3339(text) == ms);
  }
  CHECK(written(kFirstWritableMs) == "0001-01-01T00:00:00.000Z");
  CHECK(written(kLastWritableMs) == "9999-12-31T23:59:59.999Z");
}

TEST_CASE("A Date header has RFC 9110's form") {
  std::string out;
  append_imf_fixdate(out, at("1994-11-06T08:49:37Z"));
  CHECK(out == "Sun, 06 Nov 1994 08:49:37 GMT");
  out.clear();
  append_imf_fixdate(out, 0);
  CHECK(out == "Thu, 01 Jan 1970 00:00:00 GMT");
  out.clear();
  append_imf_fixdate(out, -1);
  CHECK(out == "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST_CASE("An event's time follows PostHog's order") {
  const auto time = [](std::optional<int64_t> sent_at, EventTimes times) {
    return written(EventClock{kNowMs, sent_at}.event_time(times));
  };
  const int64_t sent = at("2026-01-01T12:00:05Z");
  const int64_t told = at("2026-01-01T11:59:55Z");
  CHECK(time(sent, {.timestamp_ms = told}) == "2026-01-01T11:59:50.000Z");
  CHECK(time(std::nullopt, {.timestamp_ms = told}) == "2026-01-01T11:59:55.000Z");
  CHECK(time(sent, {.timestamp_ms = told, .ignore_sent_at = true}) == "2026-01-01T11:59:55.000Z");
  CHECK(time(sent, {.offset_ms = 5000}) == "2026-01-01T11:59:55.000Z");
  CHECK(time(sent, {.timestamp_ms = told, .offset_ms = 7000}) == "2026-01-01T11:59:53.000Z");
  CHECK(time(sent, {}) == "2026-01-01T12:00:00.000Z");
}

TEST_CASE("A time up to 23 hours ahead is kept, a later one is a wrong clock") {
  constexpr int64_t kHour = 3'600'000;
  const EventClock clock{kNowMs, std::nullopt};
  CHECK(clock.event_time({.timestamp_ms = kNowMs + 22 * kHour}) == kNowMs + 22 * kHour);
  CHECK(clock.event_time({.timestamp_ms = kNowMs + 23 * kHour}) == kNowMs + 23 * kHour);
  CHECK(clock.event_time({.timestamp_ms = kNowMs + 23 * kHour + 1}) == kNowMs);
  CHECK(clock.event_time({.timestamp_ms = kNowMs + 24 * kHour}) == kNowMs);
  CHECK(clock.event_time({.offset_ms = -24 * kHour}) == kNowMs);
}

TEST_CASE("A time that no row may hold becomes the epoch, a client's and a stored one") {
  const EventClock clock{kNowMs, std::nullopt};
  CHECK(clock.event_time({.timestamp_ms = *parse_timestamp("0000-12-31T23:59:59.999Z")}) == 0);
  CHECK(clock.event_time({.timestamp_ms = -62'135'596'800'001}) == 0);
  for (const int64_t beyond : {kFirstWritableMs - 1, kLastWritableMs + 1, INT64_MIN, INT64_MAX}) {
    CHECK(written(beyond) == "1970-01-01T00:00:00.000Z");
  }
  CHECK(clock.event_time({.offset_ms = 999'999'999'999'999'999}) == 0);
  CHECK(clock.event_time({.timestamp_ms = kFirstWritableMs - 1}) == 0);
  CHECK(clock.event_time({.timestamp_ms = kFirstWritableMs}) == kFirstWritableMs);
}

TEST_CASE("A date ends where its text ends, whatever stands in memory behind it") {
  const std::string_view digits = "20260102030405678901234567890";
  const std::string_view date = "2026-01-02T03:04:05.6789";
  for (size_t size = 1; size < digits.size(); ++size) {
    const std::string alone(digits.substr(0, size));
    INFO(alone);
    CHECK(parse_iso_us(digits.substr(0, size), IsoForms::kAny) ==
          parse_iso_us(alone, IsoForms::kAny));
    CHECK(parse_date_text_us(digits.substr(0, size), std::nullopt) ==
          parse_date_text_us(alone, std::nullopt));
  }
  for (size_t size = 1; size < date.size(); ++size) {
    const std::string alone(date.substr(0, size));
    INFO(alone);
    CHECK(parse_iso_us(date.substr(0, size), IsoForms::kAny) ==
          parse_iso_us(alone, IsoForms::kAny));
    CHECK(parse_wall_clock_us(date.substr(0, size)) == parse_wall_clock_us(alone));
    CHECK(parse_rfc3339_us(date.substr(0, size)) == parse_rfc3339_us(alone));
  }
}
