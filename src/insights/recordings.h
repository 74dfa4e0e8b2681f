// Our own kinds of questions about recordings that lie in the tables.
#pragma once

#include "insights/kinds.h"

namespace hogflare::insights {

// {"kind": "_Recordings", "limit", "hours": of the past, "sessionIds": only these}
Built build_recordings(const View& question, const Context& context);
// {"kind": "_RecordingParts", "sessionId", "afterUs", "afterUuid"}: rows behind that place, in
// order, as [uuid, microseconds, bytes]; bytes are null where the row does not know them.
Built build_recording_parts(const View& question, const Context& context);
// {"kind": "_RecordingText", "sessionId", "uuids", "fromUs", "toUs"}: [uuid, properties as text] of
// these rows.
Built build_recording_text(const View& question, const Context& context);

}  // namespace hogflare::insights
