// Our own kind of question "_RecordedVisits": recorded visits, the newest first, without their
// recordings.
#pragma once

#include "insights/kinds.h"

namespace hogflare::insights {

// {"kind", "after" (-7d), "before", "distinctId", "limit", "offset"}; both times are exclusive.
Built build_recorded_visits(const View& question, const Context& context);

}  // namespace hogflare::insights
