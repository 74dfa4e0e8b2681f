// What the code under test costs, counted instead of timed, so that a bound holds on every machine:
// bytes allocated at once, and work as comparisons (the hooks that libFuzzer's instrumentation
// calls, which the linker hands to these first) and bytes allocated.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "fuzz_host.h"

namespace {

// Of the process, as allocation is.
size_t live_bytes = 0;
size_t live_bytes_peak = 0;
uint64_t work = 0;

// In front of every block: its size. 16 bytes keep the alignment.
constexpr size_t kHeader = 16;

void* allocate(size_t size) {
  char* block = static_cast<char*>(std::malloc(size + kHeader));
  if (block == nullptr) std::abort();
  *reinterpret_cast<size_t*>(block) = size;
  live_bytes += size;
  if (live_bytes > live_bytes_peak) live_bytes_peak = live_bytes;
  work += size;
  return block + kHeader;
}

void release(void* memory) {
  if (memory == nullptr) return;
  char* block = static_cast<char*>(memory) - kHeader;
  live_bytes -= *reinterpret_cast<size_t*>(block);
  std::free(block);
}

}  // namespace

void* operator new(size_t size) { return allocate(size); }
void* operator new[](size_t size) { return allocate(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { release(memory); }

// CMakeLists.txt has the linker give calls of NAME to __wrap_NAME, and __real_NAME is NAME.
#define HF_COUNT_COMPARISON(name, type)                  \
  extern "C" void __real_##name(type left, type right);  \
  extern "C" void __wrap_##name(type left, type right) { \
    ++work;                                              \
    __real_##name(left, right);                          \
  }
HF_COUNT_COMPARISON(__sanitizer_cov_trace_cmp1, uint8_t)
HF_COUNT_COMPARISON(__sanitizer_cov_trace_cmp2, uint16_t)
HF_COUNT_COMPARISON(__sanitizer_cov_trace_cmp4, uint32_t)
HF_COUNT_COMPARISON(__sanitizer_cov_trace_cmp8, uint64_t)
HF_COUNT_COMPARISON(__sanitizer_cov_trace_const_cmp1, uint8_t)
HF_COUNT_COMPARISON(__sanitizer_cov_trace_const_cmp2, uint16_t)
HF_COUNT_COMPARISON(__sanitizer_cov_trace_const_cmp4, uint32_t)
HF_COUNT_COMPARISON(__sanitizer_cov_trace_const_cmp8, uint64_t)

namespace hogflare::fuzz {

Costs costs() { return {live_bytes, live_bytes_peak, work}; }

void reset_costs() {
  live_bytes_peak = live_bytes;
  work = 0;
}

}  // namespace hogflare::fuzz
