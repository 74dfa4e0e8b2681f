// A person's distinct ids beyond those in its record: pages of them, and an index that says on
// which pages an id may stand, so that a look for one id reads two values however many ids there
// are.
//
//   ids/00000000 …   sealed write_ids()
//   ids/index        sealed: for each page its number of ids and four bytes of hash for each of
//   them
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/person.h"
#include "hogflare/person_object.h"
#include "hogflare/stored_fault.h"
#include "hogflare/task.h"

namespace hogflare {

// All ids of a person, and what they count against PersonBounds::ids_bytes: their bytes in a row.
uint64_t count_of_ids(const Person& person);
uint64_t bytes_of_ids(const Person& person);
uint64_t bytes_of_ids(const std::vector<PersonId>& ids);

// The body of a page as write_ids() made it; empty with `fault` set when it cannot be read.
std::string load_id_page(Storage& storage, uint32_t page, std::optional<StoredFault>& fault);
// Whether the bytes are such a body.
bool is_id_page(std::string_view body);
// Puts ids on new pages behind the last.
void append_ids(Storage& storage, Person& person, std::vector<PersonId> ids,
                const PersonBounds& bounds, std::optional<StoredFault>& fault);
void erase_id_pages(Storage& storage, const Person& person);

// Finds ids during one turn, and remembers what it has read until forget().
class IdFinder {
 public:
  // `fault` is set when something stored cannot be read; the answer then is of no use.
  bool has(Storage& storage, const Person& person, std::string_view distinct_id,
           std::optional<StoredFault>& fault);
  // Pages have changed.
  void forget() { *this = {}; }

 private:
  std::optional<std::string> index_;
  std::optional<uint32_t> page_;
  std::string page_body_;
};

}  // namespace hogflare
