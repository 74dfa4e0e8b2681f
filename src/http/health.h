// What /healthz and the console say of this deployment's health.
#pragma once

#include <string>
#include <vector>

#include "hogflare/outbox.h"

namespace hogflare {

// What of the outboxes' state wants an operator's eye, a sentence each.
std::vector<std::string> problems_of_outbox(const OutboxStats& stats);

}  // namespace hogflare
