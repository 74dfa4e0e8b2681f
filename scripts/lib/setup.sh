# What has to be on the machine, as functions. Each looks first and does nothing when all is there.
#
#   . scripts/lib/setup.sh
#   setup_native     clang, CMake, Ninja; third-party libraries for this machine
#   setup_sanitize   setup_native, the sanitizer runtimes and libraries for asan and fuzz
#   setup_wasm       Emscripten; third-party libraries for WebAssembly
#   setup_node       npm packages, among them Node.js 22 and wrangler
#   setup_clients    npm packages of the suite sdk's clients, in tests/sdk
#   setup_python     .venv with requirements.txt
#   setup_valgrind   valgrind, for scripts/guard
#   setup_browser    Chromium, for the browser test alone; prints its path

HOGFLARE_LIB="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$HOGFLARE_LIB/env.sh"
. "$HOGFLARE_LIB/apt.sh"
. "$HOGFLARE_LIB/third_party.sh"

# stamp_of FILE...: one hash of their content, in their order.
stamp_of() { cat "$@" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1; }

# The marker a finished step leaves: it holds the hash of everything that decides the step.
stamp_is() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

# Everything that decides what third_party FLAVOUR does, without running a compiler.
third_party_stamp() {
  stamp_of "$HOGFLARE_MANIFEST" "$HOGFLARE_LIB/third_party.sh" \
    "$HOGFLARE_ROOT/third_party/re2/util/logging.h"
}

third_party_once() {
  local flavour="$1" stamp="$HOGFLARE_ROOT/build/deps/$1/.stamp" name want
  want="$(third_party_stamp) $2"
  if stamp_is "$stamp" "$want"; then
    # A cleared cache leaves links that point nowhere.
    for name in "$HOGFLARE_ROOT/build/deps/$flavour"/*; do
      [ -d "$name/include" ] || want="$want again"
    done
    case "$want" in *again) want="${want%% again*}" ;; *) return 0 ;; esac
  fi
  third_party "$flavour"
  echo "$want" >"$stamp"
}

need_build_tools() {
  apt_need cmake cmake
  apt_need ninja ninja-build
  apt_need make make
  apt_need perl perl
  apt_need xz xz-utils
  apt_need bzip2 bzip2
  # The cache of compiled objects is a convenience: only Debian and Ubuntu get it unasked.
  ! have apt-get || apt_need ccache ccache
  # "apt-get source" unpacks nothing here, but refuses to work without it.
  ! have apt-get || apt_need dpkg-source dpkg-dev
}

# file_id COMMAND: changes when another version of the compiler is installed.
file_id() { ls -lL --time-style=+%s "$(command -v "$1")" 2>/dev/null || ls -lL "$(command -v "$1")"; }

# The native build uses the same standard library as the module, so that what is missing in one
# is missing in the other, and containers iterate in the same order.
have_libcxx() {
  echo '#include <string>' | "$HOGFLARE_CXX" -stdlib=libc++ -std=c++20 -x c++ -fsyntax-only - 2>/dev/null
}

setup_native() {
  need_build_tools
  have clang++-14 || have clang++ || apt_missing="${apt_missing:-} clang-14"
  apt_install_missing
  native_tools
  have_libcxx || apt_install libc++-14-dev libc++abi-14-dev
  npm_available
  third_party_once native "$(file_id "$HOGFLARE_CXX")"
}

setup_sanitize() {
  setup_native
  local runtime
  runtime="$("$HOGFLARE_CXX" -fsanitize=address,fuzzer -### -x c++ /dev/null 2>&1 |
    tr ' "' '\n\n' | grep -m 1 'libclang_rt\.fuzzer.*\.a$' || true)"
  [ -n "$runtime" ] && [ -f "$runtime" ] || apt_install libclang-rt-14-dev
  have llvm-symbolizer-14 || have llvm-symbolizer || apt_install llvm-14
  third_party_once asan "$(file_id "$HOGFLARE_CXX")"
}

setup_wasm() {
  need_build_tools
  if ! have em++; then
    have apt-get || fail "em++ is not on PATH: install emsdk 3.1.6 or later and set EMSDK to its folder"
    apt_missing="${apt_missing:-} emscripten"
  fi
  apt_install_missing
  npm_available
  third_party_once wasm "$(file_id em++)"
}

# npm is needed to fetch npm's packages, and a Node.js of any age to run it.
npm_available() {
  if ! have npm; then
    have apt-get || fail "npm is not on PATH: install Node.js 22 or later"
    apt_install nodejs npm
  fi
}

# node_is_new_enough: whether the project's own Node.js is there and is 22.12 or later.
node_is_new_enough() {
  "$HOGFLARE_ROOT/node_modules/.bin/node" -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 22 || (major === 22 && minor >= 12) ? 0 : 1)' 2>/dev/null
}

setup_node() {
  local stamp="$HOGFLARE_ROOT/node_modules/.hogflare-stamp" want
  npm_available
  want="$(stamp_of "$HOGFLARE_ROOT/package.json" "$HOGFLARE_ROOT/package-lock.json" "$HOGFLARE_ROOT/.npmrc")"
  if stamp_is "$stamp" "$want" && node_is_new_enough &&
    [ -x "$HOGFLARE_ROOT/node_modules/.bin/wrangler" ]; then
    return 0
  fi
  say "npm ci"
  local log
  log="$(mktemp)"
  # npm runs under the machine's own Node.js: the one in node_modules is about to be replaced.
  if ! (cd "$HOGFLARE_ROOT" && PATH="${PATH#"$HOGFLARE_ROOT/node_modules/.bin:"}" \
    npm ci --no-progress) >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    fail "npm ci failed (its last lines are above)"
  fi
  rm -f "$log"
  node_is_new_enough || fail "node_modules/.bin/node is older than 22.12: did npm run the install script of the package 'node'?"
  echo "$want" >"$stamp"
}

# find_python: sets HOGFLARE_PYTHON to a Python that is new enough and can make virtual environments.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      HOGFLARE_PYTHON="$candidate"
      return 0
    fi
  done
  return 1
}

# SDKs and what they are built into. Kept apart from the tree's own packages, which a deployment needs too.
setup_clients() {
  local folder="$HOGFLARE_ROOT/tests/sdk" stamp want log
  stamp="$folder/node_modules/.hogflare-stamp"
  want="$(stamp_of "$folder/package.json" "$folder/package-lock.json" "$folder/.npmrc")"
  if stamp_is "$stamp" "$want"; then return 0; fi
  say "npm ci in tests/sdk"
  log="$(mktemp)"
  if ! (cd "$folder" && npm ci --no-progress --ignore-scripts) >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    fail "npm ci in tests/sdk failed (its last lines are above)"
  fi
  rm -f "$log"
  echo "$want" >"$stamp"
}

setup_python() {
  local venv="$HOGFLARE_ROOT/.venv" want
  want="$(stamp_of "$HOGFLARE_ROOT/requirements.txt")"
  if stamp_is "$venv/.hogflare-stamp" "$want" && [ -x "$venv/bin/python" ]; then
    return 0
  fi
  if ! find_python; then
    have apt-get || fail "Python 3.10 or later with its venv module is needed"
    apt_install python3 python3-venv
    find_python || fail "Python 3.10 or later is needed; this machine's is older"
  fi
  say "Python packages into .venv"
  rm -rf "$venv"
  "$HOGFLARE_PYTHON" -m venv "$venv" || fail "making .venv failed"
  "$venv/bin/pip" install -q --disable-pip-version-check --require-hashes \
    -r "$HOGFLARE_ROOT/requirements.txt" >&2 || fail "installing requirements.txt failed"
  echo "$want" >"$venv/.hogflare-stamp"
}

setup_valgrind() {
  have valgrind || {
    have apt-get || fail "valgrind is not on PATH: install it, or leave the suite guard out"
    apt_install valgrind
  }
}

setup_browser() {
  local name
  for name in chromium chromium-browser google-chrome; do
    if have "$name"; then
      command -v "$name"
      return 0
    fi
  done
  have apt-get || fail "no Chromium found: install it, or leave the browser test out"
  apt_install chromium
  command -v chromium
}
