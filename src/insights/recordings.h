// Our own kind of question "_Recordings": recorded visits, the newest first, without their recordings.
#pragma once

#include "insights/kinds.h"

namespace hogflare::insights {

// {"kind", "after" (-7d), "before", "distinctId", "limit", "offset"}; both times are exclusive.
Built build_recordings(const View& question, const Context& context);

}  // namespace hogflare::insights
