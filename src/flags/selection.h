// Which flags a request evaluates: the filters of F-9.
#pragma once

#include <cstdint>
#include <vector>

#include "flags/catalog.h"

namespace hogflare::flags {

enum class Inclusion : uint8_t {
  kNotAsked,     // not among flag_keys nor a dependency of one
  kFilteredOut,  // inactive, deleted, other runtime or context: absent, false for dependents
  kEvaluated,
};

// One entry per flag of the catalog.
std::vector<Inclusion> select_flags(const Catalog& catalog, const Request& request);

}  // namespace hogflare::flags
