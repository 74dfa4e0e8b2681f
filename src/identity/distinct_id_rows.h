// Rows of the distinct_ids stream, schemas/distinct_ids.json: whose person a distinct_id is, where
// its own uuid does not say so.
#pragma once

#include <string_view>
#include <vector>

#include "hogflare/delivery.h"
#include "hogflare/person.h"
#include "hogflare/uuid.h"

namespace hogflare {

struct IdRowHead {
  int64_t team_id = 1;
  std::string_view person_uuid;
  int64_t now_ms = 0;
};

// Appends a row for each of a person's ids that is another one's by its own uuid. The same ids of
// the same person give rows of the same uuids and versions.
void append_distinct_id_rows(RowBatch& rows, const IdRowHead& head,
                             const std::vector<PersonId>& ids);

}  // namespace hogflare
