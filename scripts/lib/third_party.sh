# Third-party libraries: fetched as third_party/manifest says, compiled into the cache, and linked
# to from build/deps/FLAVOUR/NAME. Needs lib/env.sh and lib/apt.sh.
#
#   third_party wasm            every library the module needs, for WebAssembly
#   third_party native          the same sources for this machine, and Catch2
#   third_party asan            the same again, under AddressSanitizer
#
# A compiled library's folder is named after its version and a hash of all that went into it
# (archive, recipe, compiler, flags), appears whole or not at all, and is never changed afterwards.

HOGFLARE_MANIFEST="$HOGFLARE_ROOT/third_party/manifest"

# manifest_rows NAME: its lines "version route where sha256", in order of preference.
manifest_rows() {
  awk -v name="$1" '!/^#/ && $1 == name { print $2, $3, $4, $5 }' "$HOGFLARE_MANIFEST"
}

# fetch_one ROUTE WHERE FOLDER: puts the archive, whatever its name, into the empty FOLDER.
fetch_one() {
  case "$1" in
    apt) apt_source "$2" "$3" ;;
    npm) (cd "$3" && npm pack --silent "$2" >/dev/null 2>&1) ;;
    url) have curl && (cd "$3" && curl -fsSL --retry 2 --max-time 300 -o archive "$2" 2>/dev/null) ;;
    *) fail "third_party/manifest: route '$1' is none of apt, npm, url" ;;
  esac
}

# fetch NAME: sets fetched_archive (a verified file), fetched_sha256 and fetched_version.
fetch() {
  local name="$1" version route where sha256 folder file actual tried=""
  # What an earlier run fetched decides first, so that a library does not change under a machine
  # only because another route works today.
  while read -r version route where sha256; do
    if [ -f "$HOGFLARE_CACHE/archives/$sha256" ]; then
      fetched_archive="$HOGFLARE_CACHE/archives/$sha256"
      fetched_sha256="$sha256" fetched_version="$version"
      return 0
    fi
  done < <(manifest_rows "$name")
  mkdir -p "$HOGFLARE_CACHE/archives"
  while read -r version route where sha256; do
    folder="$(mktemp -d "$HOGFLARE_CACHE/archives/fetch.XXXXXX")"
    say "fetching $name $version ($route)"
    if fetch_one "$route" "$where" "$folder" </dev/null; then
      for file in "$folder"/*; do
        [ -f "$file" ] || continue
        case "$file" in *.asc | *.dsc) continue ;; esac
        actual="$(sha256_of "$file")"
        if [ "$actual" = "$sha256" ]; then
          mv "$file" "$HOGFLARE_CACHE/archives/$sha256"
          rm -rf "$folder"
          fetched_archive="$HOGFLARE_CACHE/archives/$sha256"
          fetched_sha256="$sha256" fetched_version="$version"
          return 0
        fi
        rm -rf "$folder"
        fail "$name: the archive from $route $where has SHA-256 $actual, third_party/manifest wants $sha256"
      done
    fi
    rm -rf "$folder"
    tried="$tried; $route $where"
  done < <(manifest_rows "$name")
  fail "$name: no route of third_party/manifest worked (tried${tried#;}). Put an archive with a SHA-256 written there into $HOGFLARE_CACHE/archives/, named by that SHA-256, and run again."
}

# unpack FOLDER: the fetched archive's content, without its top folder.
unpack() {
  mkdir -p "$1"
  tar -xf "$fetched_archive" -C "$1" --strip-components=1
}

# compile_all OUTPUT SOURCES_FILE COMPILER FLAGS...: one object per source, then the library OUTPUT.
compile_all() {
  local output="$1" sources="$2" compiler="$3" objects
  shift 3
  objects="$(mktemp -d "$(dirname "$output")/objects.XXXXXX")"
  # The object's name keeps the folder, so that two sources of one name do not meet.
  OBJECTS="$objects" COMPILE="$compiler $*" xargs -P "$(cpu_count)" -I{} sh -c \
    'nice -n 5 $COMPILE -c "$1" -o "$OBJECTS/$(echo "$1" | tr / _).o"' _ {} <"$sources" ||
    fail "compiling $(basename "$output") failed (see above)"
  case "$compiler" in
    em*) emar qc "$output" "$objects"/*.o && emranlib "$output" ;;
    *) "$HOGFLARE_AR" qcs "$output" "$objects"/*.o ;;
  esac || fail "making $(basename "$output") failed"
  rm -rf "$objects"
}

# What is common to one flavour: compilers, flags, and the text that stands for them in the key.
flavour_tools() {
  case "$1" in
    wasm)
      emscripten_env
      cc=emcc cxx=em++ flags="-O3 -msimd128 -DNDEBUG" cxx_flags="-fno-exceptions -fno-rtti"
      compiler_id="$(em++ --version | sed -n 1p)"
      ;;
    native | asan)
      native_tools
      cc="$HOGFLARE_CC" cxx="$HOGFLARE_CXX" flags="-O3 -g1 -fPIC -DNDEBUG"
      cxx_flags="-stdlib=libc++ -fno-exceptions -fno-rtti"
      if [ "$1" = asan ]; then
        flags="-O1 -g -fPIC -fno-omit-frame-pointer -fsanitize=address"
      fi
      compiler_id="$("$HOGFLARE_CXX" --version | sed -n 1p)"
      ;;
    *) fail "no third-party flavour '$1'; there are wasm, native and asan" ;;
  esac
}

native_tools() {
  local version
  for version in -14 -15 -16 -17 -18 -19 ""; do
    if have "clang++$version"; then
      HOGFLARE_CC="clang$version" HOGFLARE_CXX="clang++$version"
      HOGFLARE_AR=ar
      have "llvm-ar$version" && HOGFLARE_AR="llvm-ar$version"
      return 0
    fi
  done
  fail "no clang++ found; scripts/setup installs clang-14 on Debian and Ubuntu"
}

# The recipes: each finds its unpacked source in $source and fills $out/include and $out/lib.

recipe_json() {
  mkdir -p "$out/include"
  cp -r "$source/single_include/nlohmann" "$out/include/"
}

recipe_fmt() {
  cp -r "$source/include" "$out/include"
  echo "$source/src/format.cc" >"$source/list"
  compile_all "$out/lib/libfmt.a" "$source/list" "$cxx" -std=c++20 $flags $cxx_flags \
    -DFMT_EXCEPTIONS=0 "-DFMT_STATIC_THOUSANDS_SEPARATOR=','" "-I$source/include"
}

recipe_re2() {
  local vendor="$source/vendor" file
  mkdir -p "$out/include/re2"
  for file in re2 set stringpiece filtered_re2; do
    cp "$vendor/re2/$file.h" "$out/include/re2/"
  done
  ls "$vendor"/re2/*.cc "$vendor/util/rune.cc" "$vendor/util/strutil.cc" >"$source/list"
  compile_all "$out/lib/libre2.a" "$source/list" "$cxx" -std=c++17 $flags $cxx_flags \
    "-I$HOGFLARE_ROOT/third_party/re2" "-I$vendor"
}

recipe_zlib() {
  mkdir -p "$out/include"
  cp "$source/zlib.h" "$source/zconf.h" "$out/include/"
  # Memory to memory only: the gz* file functions are left out.
  for file in adler32 compress crc32 deflate infback inffast inflate inftrees trees uncompr zutil; do
    echo "$source/$file.c"
  done >"$source/list"
  compile_all "$out/lib/libz.a" "$source/list" "$cc" $flags -DHAVE_UNISTD_H
}

# Only digests and HMAC are called, so all that Configure lets one leave out is left out: the build
# takes one minute instead of several, and no file, socket or thread function is referenced.
openssl_options="no-afalgeng no-aria no-asm no-async no-atexit no-autoalginit no-autoerrinit
  no-autoload-config no-bf no-blake2 no-camellia no-capieng no-cast no-chacha no-cmac no-cmp no-cms
  no-comp no-ct no-des no-devcryptoeng no-dgram no-dh no-dsa no-dso no-dtls no-dynamic-engine no-ec
  no-egd no-engine no-err no-filenames no-gost no-idea no-legacy no-makedepend no-md2 no-md4 no-mdc2
  no-module no-multiblock no-nextprotoneg no-ocb no-ocsp no-padlockeng no-poly1305 no-posix-io no-psk
  no-rc2 no-rc4 no-rc5 no-rdrand no-rfc3779 no-rmd160 no-scrypt no-secure-memory no-seed no-shared
  no-siphash no-siv no-sm2 no-sm3 no-sm4 no-sock no-srp no-srtp no-ssl no-stdio no-tests no-threads
  no-tls no-trace no-ts no-ui-console no-whirlpool"

recipe_openssl() {
  local target ar ranlib
  if [ "$flavour" = wasm ]; then
    target=linux-generic32 ar=emar ranlib=emranlib
  else
    target=linux-generic64 ar="$HOGFLARE_AR" ranlib=true
  fi
  (
    cd "$source" || exit 1
    # shellcheck disable=SC2086
    CC="$cc" AR="$ar" RANLIB="$ranlib" CFLAGS="$flags" ./Configure "$target" $openssl_options &&
      nice -n 5 make -s -j"$(cpu_count)" build_generated &&
      nice -n 5 make -s -j"$(cpu_count)" libcrypto.a
  ) >"$source/build.log" 2>&1 || {
    tail -n 20 "$source/build.log" >&2
    fail "compiling OpenSSL for $flavour failed (its last lines are above)"
  }
  mkdir -p "$out/include" "$out/lib"
  cp -r "$source/include/openssl" "$out/include/"
  rm -f "$out"/include/openssl/*.in
  cp "$source/libcrypto.a" "$out/lib/"
}

recipe_catch2() {
  cp -r "$source/single_include" "$out/include"
  echo '#define CATCH_CONFIG_MAIN' >"$source/main.cpp"
  echo '#include <catch2/catch.hpp>' >>"$source/main.cpp"
  echo "$source/main.cpp" >"$source/list"
  # The one library built with exceptions and RTTI: the test runner needs both.
  compile_all "$out/lib/libcatch2main.a" "$source/list" "$cxx" -std=c++20 -O1 -g1 -stdlib=libc++ \
    $([ "$flavour" = asan ] && echo "-fsanitize=address -fno-omit-frame-pointer") "-I$out/include"
}

# build_library NAME FLAVOUR [FOR]: into the cache unless it is there; then the link from build/deps/FOR.
build_library() {
  local name="$1" flavour="$2" for="${3:-$2}" cc cxx flags cxx_flags compiler_id key folder out source link
  fetch "$name"
  flavour_tools "$flavour"
  key="$({
    echo "$fetched_sha256 $flavour $compiler_id $flags $cxx_flags"
    declare -f "recipe_$name" compile_all
    [ "$name" != openssl ] || echo "$openssl_options"
    [ "$name" != re2 ] || cat "$HOGFLARE_ROOT/third_party/re2/util/logging.h"
  } | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c1-16)"
  folder="$HOGFLARE_CACHE/lib/$name-$fetched_version-$flavour-$key"
  if [ ! -d "$folder" ]; then
    say "compiling $name $fetched_version for $flavour"
    source="$(mktemp -d "${TMPDIR:-/tmp}/hogflare-$name.XXXXXX")"
    out="$folder.part.$$"
    rm -rf "$out"
    mkdir -p "$out/lib"
    unpack "$source" || fail "unpacking $name failed"
    "recipe_$name"
    rm -rf "$source"
    mv -T "$out" "$folder" 2>/dev/null || rm -rf "$out"
  fi
  link="$HOGFLARE_ROOT/build/deps/$for/$name"
  mkdir -p "$(dirname "$link")"
  ln -sfn "$folder" "$link"
}

third_party() {
  local flavour="$1" name names="json fmt re2 zlib openssl"
  [ "$flavour" = wasm ] || names="$names catch2"
  mkdir -p "$HOGFLARE_CACHE/lib"
  # One set-up at a time per machine and flavour; the second finds everything done.
  exec 8>"$HOGFLARE_CACHE/lock-$flavour"
  ! have flock || flock 8
  for name in $names; do
    if [ "$name-$flavour" = openssl-asan ]; then
      # Instrumenting it costs more than a minute and watches a few digest functions of C.
      build_library openssl native asan
    else
      build_library "$name" "$flavour"
    fi
  done
  exec 8>&-
}
