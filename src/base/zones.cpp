#include "hogflare/zones.h"

#include <algorithm>

#include "hogflare/ascii.h"
#include "hogflare/flags_limits.h"
#include "hogflare/text.h"

namespace hogflare {
namespace {

constexpr int64_t kDaySeconds = 86'400;
// Instants that a host's calendar has (ECMA-262 §21.4.1.1: 100,000,000 days around 1970).
constexpr int64_t kDayMax = 99'999'998;

// The characters of names in the zones' database (its file "theory.html", Names of timezones).
bool may_be_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::kZoneNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return is_alphanumeric(c) || c == '/' || c == '_' || c == '-' || c == '+';
         });
}

// FNV-1a; names and days are no secret, and what falls together is only asked for again. A host
// knows its zones in any case of letters: of each there is one here.
size_t place_of(std::string_view name, int64_t day) {
  uint32_t hash = 2'166'136'261u ^ static_cast<uint32_t>(day);
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c | 0x20)) * 16'777'619u;
  return (hash ^ (hash >> 16)) % limits::kZoneDaysMax;
}

}  // namespace

Zones::Zones(ZoneHost& host) : host_(host) {}

std::optional<int32_t> Zones::offset_at(std::string_view name, int64_t utc_seconds) {
  if (!may_be_name(name)) return std::nullopt;
  const int64_t last = kDayMax * kDaySeconds;
  const int64_t at = std::clamp(utc_seconds, -last, last);
  const int64_t day = (at >= 0 ? at : at - (kDaySeconds - 1)) / kDaySeconds;
  if (days_.empty()) days_.resize(limits::kZoneDaysMax);
  Day& known = days_[place_of(name, day)];
  if (known.day != day || !equals_ignoring_case(known.name, name)) known = ask(name, day);
  if (!known.is_known) return std::nullopt;
  return at < known.change ? known.before : known.after;
}

Zones::Day Zones::ask(std::string_view name, int64_t day) {
  Day asked;
  asked.name = name;
  asked.day = day;
  const int64_t begins = day * kDaySeconds;
  asked.change = begins + kDaySeconds;
  const std::optional<int32_t> before = host_.offset_at(name, begins);
  const std::optional<int32_t> after = before ? host_.offset_at(name, asked.change) : std::nullopt;
  if (!after) return asked;
  asked.is_known = true;
  asked.before = *before;
  asked.after = *after;
  // Where the offset is still `before`, and where it is so no more.
  int64_t low = begins;
  while (asked.before != asked.after && asked.change - low > 1) {
    const int64_t middle = low + (asked.change - low) / 2;
    if (host_.offset_at(name, middle).value_or(asked.after) == asked.before) {
      low = middle;
    } else {
      asked.change = middle;
    }
  }
  return asked;
}

}  // namespace hogflare
