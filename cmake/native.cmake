# Toolchain of the native presets: clang, with the standard library the module is built with too.
# scripts/lib/third_party.sh looks for the compiler in the same order.
find_program(HOGFLARE_CXX NAMES clang++-14 clang++-15 clang++-16 clang++-17 clang++-18 clang++-19
                                clang++ REQUIRED)
find_program(HOGFLARE_CC NAMES clang-14 clang-15 clang-16 clang-17 clang-18 clang-19 clang REQUIRED)
set(CMAKE_CXX_COMPILER "${HOGFLARE_CXX}")
set(CMAKE_C_COMPILER "${HOGFLARE_CC}")
set(CMAKE_CXX_FLAGS_INIT "-stdlib=libc++")
