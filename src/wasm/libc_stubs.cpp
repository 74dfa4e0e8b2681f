// What the C library would ask of a WASI host, answered inside the module.
//
// The core does no I/O, so these run only when something is badly wrong (an abort, a failed assert
// of a library) or for formalities (libc looks at the environment once). Defining them here keeps
// the list of imports down to what the core itself asks of its host; src/wasm/imports.txt is that
// list. The signatures are WASI preview 1's; the names are those of Emscripten's libc.

#include <cstddef>
#include <cstdint>

namespace {
// WASI error numbers (wasi_snapshot_preview1, type "errno").
constexpr std::uint16_t kSuccess = 0;
constexpr std::uint16_t kBadFileDescriptor = 8;
}  // namespace

extern "C" {

struct WasiCiovec;

// An exit, and abort() which libc makes one, is always a fault here. A trap is what the host knows
// how to survive.
[[noreturn]] void __wasi_proc_exit(std::uint32_t) { __builtin_trap(); }

[[noreturn]] void __assert_fail(const char*, const char*, int, const char*) { __builtin_trap(); }

std::uint16_t __wasi_fd_write(std::uint32_t, const WasiCiovec*, std::size_t, std::size_t*) {
  return kBadFileDescriptor;
}

std::uint16_t __wasi_fd_seek(std::uint32_t, std::int64_t, std::uint8_t, std::uint64_t*) {
  return kBadFileDescriptor;
}

std::uint16_t __wasi_fd_close(std::uint32_t) { return kBadFileDescriptor; }

// There is no environment.
std::uint16_t __wasi_environ_sizes_get(std::size_t* count, std::size_t* bytes) {
  *count = 0;
  *bytes = 0;
  return kSuccess;
}

std::uint16_t __wasi_environ_get(std::uint8_t**, std::uint8_t*) { return kSuccess; }

// The host looks at memory.buffer after each call anyway.
void emscripten_notify_memory_growth(std::size_t) {}

}  // extern "C"
