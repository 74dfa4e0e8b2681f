// Histories with a name: sizes and shapes that chance seldom draws.
#pragma once

namespace hogflare::sim {

// Prints one line for each and a closing line. 0 when all passed.
int run_scenarios();

}  // namespace hogflare::sim
