#include "identity/distinct_id_rows.h"

#include "hogflare/json.h"
#include "hogflare/timestamp.h"

namespace hogflare {

void append_distinct_id_rows(RowBatch& rows, const IdRowHead& head,
                             const std::vector<PersonId>& ids) {
  for (const PersonId& id : ids) {
    const Uuid own = Uuid::of_person(head.team_id, id.distinct_id);
    // A version is the number of times that the id came to another person: it grows with each of
    // them.
    if (id.version == 0 && own.text() == head.person_uuid) continue;
    const std::string version = std::to_string(id.version);
    std::string& out = rows.buffer();
    out += "{\"uuid\":\"";
    out += Uuid::version_5(own, version + ":" + std::string(head.person_uuid)).text();
    out += "\",\"team_id\":" + std::to_string(head.team_id) + ",\"distinct_id\":";
    json::append_string(out, id.distinct_id);
    out += ",\"person_id\":\"";
    out += head.person_uuid;
    out += "\",\"version\":" + version + ",\"is_deleted\":false,\"timestamp\":\"";
    append_rfc3339(out, head.now_ms);
    out += "\"}";
    HF_ASSERT(rows.end_row().ok());
  }
}

}  // namespace hogflare
