#include "hogflare/limits.h"
#include "hogflare/rows.h"
#include "hogflare/text.h"
#include "hogflare/timestamp.h"

namespace hogflare {
namespace {

std::string_view kind_name(RejectKind kind) {
  switch (kind) {
    case RejectKind::kReject:
      return "reject";
    case RejectKind::kWarning:
      return "warning";
    case RejectKind::kQuarantine:
      return "quarantine";
  }
  return "reject";
}

void append_column(std::string& out, std::string_view name, std::string_view text) {
  out += ",\"";
  out += name;
  out += "\":";
  json::append_string(out, text);
}

void append_known(std::string& out, std::string_view name, std::string_view text) {
  if (!text.empty()) append_column(out, name, text);
}

}  // namespace

void append_reject_row(RowBatch& rows, const RejectRow& reject) {
  std::string& out = rows.buffer();
  out += "{\"uuid\":";
  json::append_string(out, reject.uuid);
  out += ",\"team_id\":";
  out += std::to_string(reject.team_id);
  append_column(out, "kind", kind_name(reject.kind));
  append_column(out, "reason", reject.reason);
  append_known(out, "detail", first_bytes(reject.detail, limits::kRejectDetailBytesMax));
  append_known(out, "distinct_id", first_code_points(reject.distinct_id, limits::kDistinctIdChars));
  append_known(out, "event", first_utf16_units(reject.event, limits::kEventNameUnits));
  append_known(out, "event_uuid", reject.event_uuid);
  append_known(out, "payload", first_bytes(reject.payload, limits::kRejectPayloadBytesMax));
  out += ",\"received_at\":\"";
  append_rfc3339(out, reject.received_at_ms);
  out += '"';
  append_known(out, "api_key", reject.api_key);
  out += '}';
  HF_ASSERT(rows.end_row().ok());
}

}  // namespace hogflare
