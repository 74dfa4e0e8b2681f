// Evaluation of one flag in the seed's dialect. Source: F-12.
#pragma once

#include "flags/catalog.h"
#include "flags/properties.h"

namespace hogflare::flags {

// Fills everything but result.flag.
void evaluate_seed_flag(const Flag& flag, const Request& request, PropertyMaps& properties,
                        FlagResult& result);

}  // namespace hogflare::flags
