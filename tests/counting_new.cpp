#include "counting_new.h"

#include <cstdlib>
#include <new>

namespace {

// Of the process, as allocation is.
uint64_t count = 0;

}  // namespace

uint64_t hogflare::test::allocations() { return count; }

void* operator new(size_t size) {
  ++count;
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
