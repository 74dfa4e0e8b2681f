// Whether the local evaluators of the SDKs answer a flag as `evaluate` does.
#pragma once

#include "flags/catalog.h"

namespace hogflare::flags {

// Fills Cohort::agrees: whether SDKs decide a cohort of the feed as it is decided here.
void mark_agreeing_cohorts(Catalog& catalog);

// Fills Flag::agrees, after the cohorts'. False when some SDK would disagree where it does not ask
// the server by itself: holdouts, enrolment, device buckets, operators they lack, filters that look
// at another property map, cohort forms they read differently, and whatever depends on such a flag.
void mark_agreeing_flags(Catalog& catalog);

// Whether Python's and JavaScript's engines read `pattern` as RE2 does.
bool is_portable_pattern(std::string_view pattern);

}  // namespace hogflare::flags
