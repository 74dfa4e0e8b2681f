// Version 1 of a person's record: one value with everything in it, without a checksum, and pages of
// ids under keys of their own. Read until every record has been written anew.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "identity/person_record.h"

namespace hogflare {

// What a record of version 1 holds that has rows of its own since.
struct RecordV1Lists {
  std::vector<std::string> unacknowledged;  // names of objects
  std::vector<UnreportedMerge> unreported;
  std::vector<std::vector<PersonId>> pages;

  bool empty() const { return unacknowledged.empty() && unreported.empty() && pages.empty(); }
};

// Sets `fault` when the value or one of its pages cannot be read.
PersonRecord read_record_v1(Storage& storage, std::string_view value, RecordV1Lists& lists,
                            std::optional<StoredFault>& fault);
// The keys of its pages, which are of no use once the record is of version 2.
void erase_pages_v1(Storage& storage, size_t pages);

}  // namespace hogflare
