#!/usr/bin/env bash
# Builds the pinned llama.cpp once into the cache folder, for every build tree of this machine.
#   llama.sh path    prints the folder (include/, lib/) of the current pin, built or not
#   llama.sh build   builds it unless it is there
# Environment: GPU=cuda|vulkan adds that backend (neither has been tried on such hardware yet),
# JOBS, CC, CXX, POLYPHON_CACHE. The folder's name is a hash of all that decides its content.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck source=scripts/terminal.sh
. "$root/scripts/terminal.sh"

pin="$root/requirements/llama.txt"
sha256="$(sed -n 's/.*--hash=sha256:\([0-9a-f]*\).*/\1/p' "$pin")"
version="$(sed -n 's/^llama-cpp-python==\([^ ]*\).*/\1/p' "$pin")"
gpu="${GPU:-none}"
jobs="${JOBS:-$(nproc)}"

# Shared by both configurations below. Libraries find each other beside themselves.
common_flags=(
  -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DGGML_BACKEND_DL=ON -DGGML_NATIVE=OFF
  -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON "-DCMAKE_INSTALL_RPATH=\$ORIGIN"
  -DLLAMA_BUILD_COMMON=ON -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF
  -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF
  -DLLAMA_SUBPROCESS=OFF
)
case "$gpu" in
  none) core_flags=() ;;
  cuda) core_flags=(-DGGML_CUDA=ON) ;;
  vulkan) core_flags=(-DGGML_VULKAN=ON) ;;
  *) fail "GPU=$gpu is not known: use cuda, vulkan or none" ;;
esac

# CPU kernels, one module a level; ggml loads the best that the machine can run, so that no
# instruction is met that it lacks. On other machines than x86-64: one module for this host
# (not tried yet).
case "$(uname -m)" in
  x86_64)
    cpu_flags=(-DGGML_CPU_ALL_VARIANTS=ON)
    cpu_modules=(x64 haswell alderlake icelake zen4 sapphirerapids)
    cpu_modules=("${cpu_modules[@]/#/ggml-cpu-}")
    ;;
  *)
    cpu_flags=(-DGGML_NATIVE=ON)
    cpu_modules=(ggml-cpu)
    ;;
esac

compiler="$("${CXX:-c++}" --version 2>/dev/null | head -n 1)" ||
  fail "no C++ compiler: apt-get install g++"
key="$({
  cat "$pin" "$root/cmake/amx_tile_config.h" "${BASH_SOURCE[0]}"
  printf '%s\n' "$compiler" "$(uname -m)" "$gpu"
} | sha256sum | cut -c -16)"
target="$cache/llama/$version-${gpu/none/cpu}-$key"

# The pinned sdist, kept, so that another configuration needs no network.
download() {
  local folder="$cache/downloads" file
  file="$folder/llama_cpp_python-$version.tar.gz"
  mkdir -p "$folder"
  if ! echo "$sha256  $file" | sha256sum --check --status 2>/dev/null; then
    "$cache/venv/bin/python" -m pip download --quiet --no-deps --no-binary llama-cpp-python --require-hashes \
      --dest "$folder" --requirement "$pin" >"$work/download.log" 2>&1 ||
      fail "cannot download llama-cpp-python==$version from the package index; is there a network?" \
        "($(tail -n 1 "$work/download.log"))"
  fi
  tar -xzf "$file" -C "$work" --no-same-owner
  mv "$work/llama_cpp_python-$version/vendor/llama.cpp" "$work/source"
}

# configure NAME FLAGS...: a build tree in $work/NAME.
configure() {
  local name=$1
  shift
  cmake -G Ninja -S "$work/source" -B "$work/$name" "${common_flags[@]}" "$@" \
    "-DCMAKE_CXX_FLAGS=-include $work/amx_tile_config.h" >"$work/log" 2>&1 || report "configured"
}
compile() {
  local name=$1
  shift
  counted "$work/log" nice ninja -C "$work/$name" -j "$jobs" "$@" || report "compiled"
}
report() {
  mkdir -p "$cache/llama"
  cp "$work/log" "$cache/llama/failed.log"
  fail "llama.cpp could not be $1:" \
    "$(grep -m 1 -A 4 -E '^CMake Error|error:' "$work/log" | tr -s ' \n' ' '); see $cache/llama/failed.log"
}

# include/ and lib/ as cmake/FindLlama.cmake expects them. Of ggml's inner headers: what a backend
# must implement, and the layout of quantised blocks.
collect() {
  local out=$1 source="$work/source"
  mkdir -p "$out/include/jinja" "$out/lib"
  cp "$source"/include/*.h "$source"/ggml/include/*.h "$source"/common/*.h \
    "$source"/ggml/src/ggml-backend-impl.h "$source"/ggml/src/ggml-common.h \
    "$source/vendor/cpp-httplib/httplib.h" "$out/include"
  cp "$source"/common/jinja/*.h "$out/include/jinja"
  cp "$source/LICENSE" "$out"
  cp -P "$work"/core/bin/*.so* "$work"/core/vendor/cpp-httplib/libcpp-httplib.a "$out/lib"
  cp -P "$work"/cpu/bin/libggml-cpu*.so* "$out/lib"
}

build() {
  mkdir -p "$cache/llama"
  exec 9>"$cache/llama/lock"
  flock 9
  [ ! -e "$target" ] || return 0
  say "      building from source, once: about five minutes on two cores"
  rm -rf "$cache"/llama/build.* # of a run that was killed: the lock is ours
  work="$(mktemp -d "$cache/llama/build.XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  # Paths relative to the work folder make ccache's entries serve the next build too.
  export CCACHE_BASEDIR="$work" CCACHE_NOHASHDIR=1

  download
  cp "$root/cmake/amx_tile_config.h" "$work"
  # The core without CPU kernels, then the kernels alone: ggml's own "all variants" target would
  # build fourteen levels, and only these differ much.
  configure core -DGGML_CPU=OFF "${core_flags[@]}"
  compile core llama-common cpp-httplib
  configure cpu "${cpu_flags[@]}"
  compile cpu "${cpu_modules[@]}"
  collect "$work/out"
  mv "$work/out" "$target"
}

case "${1:-}" in
  path) echo "$target" ;;
  build) build ;;
  *) fail "usage: llama.sh path|build" ;;
esac
