# Toolchain of the wasm preset: whichever Emscripten is on PATH (Debian's, or an emsdk).
find_program(HOGFLARE_EMXX NAMES em++ HINTS "$ENV{EMSDK}/upstream/emscripten" REQUIRED)
file(REAL_PATH "${HOGFLARE_EMXX}" hogflare_emxx)
get_filename_component(EMSCRIPTEN_ROOT_PATH "${hogflare_emxx}" DIRECTORY)
include("${EMSCRIPTEN_ROOT_PATH}/cmake/Modules/Platform/Emscripten.cmake")
