// Which days count at a moment, finer than the window that is the same for everybody.
#pragma once

#include <cstdint>

#include "hogflare/cookieless.h"

namespace hogflare {

// Whether no zone's day at that moment has a salt: the zone need not be asked for.
bool is_far_from_cookieless_salts(int64_t at_ms, int64_t now_ms);

// Whether an event of that day in the zone is taken: the window is open (has_cookieless_salt), or
// the day has begun where the visitor is, which east of +12 is earlier. PostHog refuses the first
// two hours of a day in Kiribati.
bool takes_cookieless_day(int64_t day, int64_t now_ms, const VisitorZone& zone);

// Whether a salt of the day may exist: some zone's events are taken.
bool may_have_cookieless_salt(int64_t day, int64_t now_ms);

}  // namespace hogflare
