// What a person's object knows, as JSON for an operator (person_calls.h, write_describe).
#pragma once

#include <optional>
#include <string>

#include "hogflare/person_object.h"
#include "hogflare/stored_fault.h"
#include "hogflare/task.h"

namespace hogflare {

// Of no use when `fault` is set.
std::string describe_person(Storage& storage, const PersonBounds& bounds,
                            std::optional<StoredFault>& fault);

}  // namespace hogflare
