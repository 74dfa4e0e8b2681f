# Packages of Debian and Ubuntu. Needs lib/env.sh.

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    fail "installing packages needs root: run this script as root, or install sudo"
  fi
}

apt_updated=no

# apt_install PACKAGE...: installs them, after one update of the lists for a whole run.
apt_install() {
  have apt-get || fail "not a Debian or Ubuntu machine: please install by hand what provides: $*"
  if [ "$apt_updated" = no ]; then
    say "apt-get update"
    as_root apt-get update -qq >/dev/null || fail "apt-get update failed; is the network there?"
    apt_updated=yes
  fi
  say "apt-get install $*"
  local log
  log="$(mktemp)"
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=300 \
    --no-install-recommends \
    "$@" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "apt-get install $* failed (its last lines are above)"
  fi
  rm -f "$log"
}

# apt_need COMMAND PACKAGE: remembers PACKAGE in $apt_missing unless COMMAND is there.
apt_need() { have "$1" || apt_missing="${apt_missing:-} $2"; }

apt_install_missing() {
  # shellcheck disable=SC2086  # one word per package
  [ -z "${apt_missing:-}" ] || apt_install $apt_missing
  apt_missing=
}

# apt_source SOURCE=VERSION FOLDER: downloads that source package's upstream tarball into FOLDER.
# The machine's own package lists stay untouched: they rarely name source packages, so this keeps
# lists of its own, made from the machine's binary sources, in the cache.
apt_source() {
  have apt-get || return 1
  local lists="$HOGFLARE_CACHE/apt" file options
  mkdir -p "$lists/parts" "$lists/lists/partial"
  options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$lists/parts"
    -o "Dir::State::lists=$lists/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    -o APT::Sandbox::User=root)
  if [ "${apt_source_updated:-no}" = no ]; then
    rm -f "$lists"/parts/*
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
      [ -f "$file" ] || continue
      sed -n -E 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$file" >"$lists/parts/$(basename "$file" .list).list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
      [ -f "$file" ] || continue
      sed -E 's/^Types:.*/Types: deb-src/' "$file" >"$lists/parts/$(basename "$file")"
    done
    say "reading the lists of source packages"
    apt-get "${options[@]}" update -qq >/dev/null 2>&1 || return 1
    apt_source_updated=yes
  fi
  (cd "$2" && apt-get "${options[@]}" source -qq --download-only --tar-only "$1" >/dev/null 2>&1)
}
