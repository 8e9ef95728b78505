#!/usr/bin/env bash
# Builds the pinned llama.cpp into the cache folder, once for every build tree of this machine.
#   llama.sh path    prints the folder (include/, lib/) of the current pin, built or not
#   llama.sh build   builds what is missing to run on this machine
#   llama.sh all     the same, with the CPU kernels of every machine: what a package needs
# Environment: GPU=cuda|vulkan adds that backend (neither has been tried on such hardware yet),
# JOBS, CC, CXX, POLYPHON_CACHE. The folder's name is a hash of all that decides its content.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck source=scripts/terminal.sh
. "$root/scripts/terminal.sh"

pin="$root/requirements/llama.txt"
project="$root/cmake/llama/CMakeLists.txt"
amx="$root/cmake/amx_tile_config.h"
sha256="$(sed -n 's/.*--hash=sha256:\([0-9a-f]*\).*/\1/p' "$pin")"
version="$(sed -n 's/^llama-cpp-python==\([^ ]*\).*/\1/p' "$pin")"
gpu="${GPU:-none}"
jobs="${JOBS:-$(nproc)}"

core=(llama llama-common cpp-httplib)
flags=()
case "$gpu" in
  none) ;;
  cuda) flags+=(-DGGML_CUDA=ON) core+=(ggml-cuda) ;;
  vulkan) flags+=(-DGGML_VULKAN=ON) core+=(ggml-vulkan) ;;
  *) fail "GPU=$gpu is not known: use cuda, vulkan or none" ;;
esac

# CPU kernels: a module a level, the best first, with what /proc/cpuinfo must list. At run time ggml
# loads the best module that is there and that the CPU can run. On other machines than x86-64 there
# is one module, for this host (not tried yet).
avx2="sse4_2 avx f16c fma avx2 bmi2"
avx512="$avx2 avx512f avx512cd avx512vl avx512dq avx512bw avx512vbmi avx512_vnni"
case "$(uname -m)" in
  x86_64)
    flags+=(-DGGML_NATIVE=OFF -DGGML_CPU_ALL_VARIANTS=ON)
    levels=(
      "ggml-cpu-sapphirerapids $avx512 avx512_bf16 amx_tile amx_int8"
      "ggml-cpu-zen4 $avx512 avx512_bf16"
      "ggml-cpu-icelake $avx512"
      "ggml-cpu-alderlake $avx2 avx_vnni"
      "ggml-cpu-haswell $avx2"
      "ggml-cpu-x64"
    )
    ;;
  *)
    flags+=(-DGGML_NATIVE=ON)
    levels=(ggml-cpu)
    ;;
esac

compiler="$("${CXX:-c++}" --version 2>/dev/null | head -n 1)" ||
  fail "no C++ compiler: apt-get install g++"
key="$({
  cat "$pin" "$amx" "$project" "${BASH_SOURCE[0]}"
  printf '%s\n' "$compiler" "$(uname -m)" "$gpu"
} | sha256sum | cut -c -16)"
target="$cache/llama/$version-${gpu/none/cpu}-$key"

# The CPU modules: all of them, or the one that ggml will load on this machine.
modules() {
  local level flag found=" $(sed -n 's/^flags.*: //p' /proc/cpuinfo | head -n 1) "
  for level in "${levels[@]}"; do
    if [ "$1" = build ]; then
      for flag in ${level#* }; do
        [ "$flag" = "${level%% *}" ] || [[ $found == *" $flag "* ]] || continue 2
      done
    fi
    echo "${level%% *}"
    [ "$1" = all ] || return 0
  done
}

# Which targets are not in the cache yet.
missing() {
  local module
  [ -e "$target" ] || printf '%s\n' "${core[@]}"
  for module in $(modules "$1"); do
    [ -e "$target/lib/lib$module.so" ] || echo "$module"
  done
}

# The pinned sdist, kept, so that another configuration needs no network.
download() {
  local folder="$cache/downloads" file
  file="$folder/llama_cpp_python-$version.tar.gz"
  mkdir -p "$folder"
  if ! echo "$sha256  $file" | sha256sum --check --status 2>/dev/null; then
    watched "$work/download.log" "$cache/venv/bin/python" -m pip download --quiet --no-deps \
      --no-binary llama-cpp-python --require-hashes --dest "$folder" --requirement "$pin" ||
      fail "cannot download llama-cpp-python==$version from the package index; is there a network?" \
        "($(tail -n 1 "$work/download.log"))"
  fi
  tar -xzf "$file" -C "$work" --no-same-owner
  mv "$work/llama_cpp_python-$version/vendor/llama.cpp" "$work/source"
  # Else ggml waits for all fourteen CPU modules that it knows.
  sed -i '/add_dependencies(ggml \${backend})/d' "$work/source/ggml/src/CMakeLists.txt"
}

report() {
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
  cp "$source/vendor/cpp-httplib/LICENSE" "$out/LICENSE.cpp-httplib"
  cp -P "$work"/build/bin/*.so* "$work"/build/lib/*.a "$out/lib"
}

build() {
  mkdir -p "$cache/llama"
  exec 9>"$cache/llama/lock"
  flock 9
  mapfile -t targets < <(missing "$1")
  [ "${#targets[@]}" -gt 0 ] || return 0
  say "      building from source, once: ${targets[*]}"
  rm -rf "$cache"/llama/build.* # of a run that was killed: the lock is ours
  work="$(mktemp -d "$cache/llama/build.XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  # Paths relative to the work folder make ccache's entries serve the next build too.
  export CCACHE_BASEDIR="$work" CCACHE_NOHASHDIR=1

  download
  cp "$amx" "$project" "$work"
  cmake -G Ninja -S "$work" -B "$work/build" "-DLLAMA_SOURCE=$work/source" "${flags[@]}" \
    "-DCMAKE_CXX_FLAGS=-include $work/amx_tile_config.h" >"$work/log" 2>&1 || report "configured"
  watched "$work/log" nice ninja -C "$work/build" -j "$jobs" "${targets[@]}" || report "compiled"
  if [ -e "$target" ]; then
    for module in "${targets[@]}"; do mv "$work/build/bin/lib$module.so" "$target/lib"; done
  else
    collect "$work/out"
    mv "$work/out" "$target"
  fi
}

case "${1:-}" in
  path) echo "$target" ;;
  build | all) build "$1" ;;
  *) fail "usage: llama.sh path|build|all" ;;
esac
