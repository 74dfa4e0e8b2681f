# Where things are, for every script of this tree. Source it; it may be sourced twice.
#
#   . "$(dirname "${BASH_SOURCE[0]}")/lib/env.sh"
#
# Gives HOGFLARE_ROOT, HOGFLARE_CACHE, a PATH that finds this project's Node.js and Emscripten
# first, and the functions have, say, fail and sha256_of.

HOGFLARE_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
HOGFLARE_CACHE="${HOGFLARE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/hogflare}"
HOGFLARE_STARTED_S="${HOGFLARE_STARTED_S:-$SECONDS}"
export HOGFLARE_ROOT HOGFLARE_CACHE

case ":$PATH:" in
  *":$HOGFLARE_ROOT/node_modules/.bin:"*) ;;
  *) PATH="$HOGFLARE_ROOT/node_modules/.bin:$PATH" ;;
esac
# An activated or merely unpacked emsdk keeps its compilers there.
if [ -n "${EMSDK:-}" ] && [ -d "$EMSDK/upstream/emscripten" ]; then
  case ":$PATH:" in
    *":$EMSDK/upstream/emscripten:"*) ;;
    *) PATH="$PATH:$EMSDK/upstream/emscripten" ;;
  esac
fi
export PATH
export WRANGLER_SEND_METRICS="${WRANGLER_SEND_METRICS:-false}"
export CCACHE_SLOPPINESS="${CCACHE_SLOPPINESS:-time_macros,pch_defines}"

have() { command -v "$1" >/dev/null 2>&1; }

# One line of progress with the seconds since the script began.
say() { printf '[%4ds] %s\n' "$((SECONDS - HOGFLARE_STARTED_S))" "$*" >&2; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

sha256_of() {
  if have sha256sum; then
    sha256sum "$1" | cut -d' ' -f1
  else
    shasum -a 256 "$1" | cut -d' ' -f1
  fi
}

cpu_count() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }

# Environment for Emscripten alone: where Debian packages it, its optimizer finds "acorn" only
# through NODE_PATH, which nothing else of this project should see.
emscripten_env() {
  if [ -d /usr/share/nodejs/acorn ]; then
    export NODE_PATH="/usr/share/nodejs${NODE_PATH:+:$NODE_PATH}"
  fi
}
