// Memory asked for, counted: a program that links tests/counting_new.cpp has operators new and
// delete that count, in all of its code.
#pragma once

#include <cstdint>

namespace hogflare::test {

// How often memory was asked for since the program began.
uint64_t allocations();

}  // namespace hogflare::test
