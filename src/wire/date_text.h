// Dates as programs, spreadsheets and people write them: what capture's timestamps and the flags'
// is_date_* operators have in common.
//
//   parse_date_text("Jun 8, 2025", now_ms) == 1'749'340'800'000'000
//
// Instants are microseconds since 1970 in UTC; digits beyond are cut. A text without a zone is UTC,
// one without a time is midnight. Every reader looks at the whole text, goes over it once, and
// refuses what is longer than kDateTextBytesMax. docs/WIRE.md lists the forms.
//
// Source of the forms: what PostHog's capture and flag services read with chrono, dateparser and
// jiff (rust/common/types/src/timestamp.rs,
// rust/feature-flags/src/properties/property_matching.rs). Ours beside theirs: midnight for a bare
// date, and offsets written +0200 or +02 are honoured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace hogflare {

// No form is longer; "September 17, 2012 at 10:09:00 am +09:00" has 40 bytes, a time with the name
// of its zone behind it may have 90.
inline constexpr size_t kDateTextBytesMax = 128;

// RFC 3339 with seconds and zone, a space for the T allowed.
std::optional<int64_t> parse_rfc3339_us(std::string_view text);

// The dateparser forms: epochs of 10, 13 or 19 digits; RFC 2822; `2025-06-08 12:00:00 PST`,
// slashes, dots, month names, `2025年06月08日`. With `now_ms` also those of today ("4:00 PM", "May
// 27 02:45:27", "2025.06"), which are refused without.
std::optional<int64_t> parse_date_text_us(std::string_view text, std::optional<int64_t> now_ms);

// ISO 8601 beyond RFC 3339, with and without separators. kAny: what jiff reads as a civil time, its
// offset honoured and `[Europe/Berlin]` behind it passed over. kWithOffset: only with an offset,
// and nothing behind it.
enum class IsoForms : uint8_t { kAny, kWithOffset };
std::optional<int64_t> parse_iso_us(std::string_view text, IsoForms forms);

// A date and time that names no zone, as wall clock microseconds since 1970, in chrono's leniency:
// `2025-6-8`, `2025-6-8 9:05`, `2025-06-08T12:00:00.5`.
std::optional<int64_t> parse_wall_clock_us(std::string_view text);

}  // namespace hogflare
