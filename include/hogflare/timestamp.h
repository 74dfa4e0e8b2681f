// Instants: reading every form SDKs send, PostHog's rules for an event's time, and writing RFC
// 3339. Source of the rules: PostHog rust/common/types/src/timestamp.rs (W-3).
//
//   EventClock clock{.now_ms = now, .sent_at_ms = sent_at};
//   int64_t at = clock.event_time({.timestamp_ms = parse_timestamp("2026-01-01T11:59:55Z")});
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hogflare {

// Unix milliseconds of a text in one of the forms of docs/WIRE.md, white space around it ignored;
// nullopt for anything else. Fractions beyond milliseconds are cut.
//   2026-01-02T03:04:05.678Z          RFC 3339; 't', 'z', a space for the T are accepted
//   2026-01-02T03:04:05+05:30         offsets +hh:mm, +hhmm, +hh
//   2026-01-02T03:04:05  2026-01-02 03:04  20260102T030405     without zone: UTC
//   2026-01-02  20260102              midnight UTC
//   Fri, 2 Jan 2026 03:04:05 +0000    RFC 2822, day name optional, GMT/UT/UTC/Z and US zones
//   1/2/2026 3:04 AM  Jan 2, 2026  2 Jan 2026 03:04:05  2026-01-02 03:04:05 PST
//   1767323045  1767323045678         seconds and milliseconds; 19 digits are nanoseconds
// `now_ms` reads what counts from today ("3:04 AM"), which is refused without.
std::optional<int64_t> parse_timestamp(std::string_view text,
                                       std::optional<int64_t> now_ms = std::nullopt);

// Unix milliseconds of a JSON number: seconds of 10 digits, with a fraction or without; 13 digits
// are milliseconds, 16 micro-, 19 nanoseconds. Other numbers are no time.
std::optional<int64_t> parse_epoch_number(std::string_view number);

// RFC 3339 only, with seconds and zone: what capture v1 demands.
std::optional<int64_t> parse_rfc3339(std::string_view text);

// The instants a row may hold: years 1 to 9999. The sink drops a row with year 0 without a word
// (RFC 3339 has the year, the calendars behind the sink do not).
inline constexpr int64_t kFirstWritableMs = -62'135'596'800'000;
inline constexpr int64_t kLastWritableMs = 253'402'300'799'999;

// Appends "2026-01-02T03:04:05.678Z". The one guard between any time and a row: an instant that no
// row may hold, a stored one too, is written as the epoch, as EventClock has it for a client's.
void append_rfc3339(std::string& out, int64_t unix_ms);

// Appends the form of an HTTP Date header (RFC 9110 §5.6.7): "Fri, 02 Jan 2026 03:04:05 GMT".
void append_imf_fixdate(std::string& out, int64_t unix_ms);

struct EventTimes {
  std::optional<int64_t> timestamp_ms;  // what the client says, parsed
  std::optional<int64_t> offset_ms;     // age of the event when it was sent
  bool ignore_sent_at = false;          // $ignore_sent_at
};

struct EventClock {
  int64_t now_ms = 0;
  std::optional<int64_t> sent_at_ms;

  // The event's time by PostHog's order: offset, skew-corrected timestamp, timestamp, now; more
  // than 23 h ahead becomes now; before year 0 becomes the Unix epoch.
  int64_t event_time(const EventTimes& times) const;
};

}  // namespace hogflare
