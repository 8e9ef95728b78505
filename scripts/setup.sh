#!/usr/bin/env bash
# Does the named steps in order, each only when something is missing, so that the second time needs
# no network:  setup.sh STEP...
#   packages      Debian packages (scripts/packages.txt)
#   python        a Python with pip alone, in the cache folder
#   python-test   the same with what tests/ needs        (requirements/test.txt)
#   python-lint   the same with clang-format, clang-tidy (requirements/lint.txt)
#   python-plot   the same with matplotlib               (requirements/plot.txt)
#   python-gym    the same with reasoning-gym            (requirements/gym.txt)
#   python-peft   the same with PyTorch and PEFT         (requirements/peft.txt)
#   llama         the pinned llama.cpp, for this machine (scripts/llama.sh)
#   llama-all     the same, with the CPU kernels of every machine
#   torch         the pinned libtorch                    (scripts/torch.sh)
#   build         build/release/polyphon
#   trainer       the same and polyphon-train, where libtorch is there
#   tests         both and every test
#   model         the default model                      (share/polyphon/models.json)
# Environment: GPU=cuda|vulkan|none (kept by build/release until it changes), JOBS, POLYPHON_CACHE.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/terminal.sh
. scripts/terminal.sh

venv="$cache/venv"
build_dir=build/release

# Without a password, or from a terminal where it can be typed.
may_sudo() {
  command -v sudo >/dev/null || return 1
  [ -t 0 ] || sudo -n true 2>/dev/null
}

packages() {
  local wanted missing as_root=()
  command -v dpkg-query >/dev/null ||
    { say "      not Debian: install the like of scripts/packages.txt yourself" && return; }
  wanted="$(grep -v '^#' scripts/packages.txt)"
  [ "$(gpu)" != vulkan ] || [ -n "${VULKAN_SDK:-}" ] ||
    wanted+=$'\nglslc\nlibvulkan-dev\nspirv-headers'
  missing="$(comm -23 <(sort <<<"$wanted") <(
    dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p' |
      sort -u
  ) | xargs)"
  [ -n "$missing" ] || return 0

  if [ "$(id -u)" != 0 ]; then
    may_sudo ||
      fail "Debian packages are missing; as root: apt-get install --no-install-recommends $missing"
    as_root=(sudo)
    [ ! -t 0 ] || sudo -v # asks before the progress line would hide the question
  fi
  say "      installing $missing"
  # shellcheck disable=SC2086  # a list of names
  watched "$cache/packages.log" "${as_root[@]}" sh -c '
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" </dev/null
  ' apt $missing ||
    fail "apt-get could not install $missing: $(grep -m 1 '^E:' "$cache/packages.log" || true)"
}

# Debian's Python where it can make a venv, else the first one on the PATH.
base_python() {
  local candidate
  for candidate in /usr/bin/python3 "$(command -v python3 || true)"; do
    if [ -x "$candidate" ] && "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  fail "no Python 3 with venv: apt-get install python3-venv"
}

python() {
  [ -x "$venv/bin/pip" ] && "$venv/bin/python" -c '' 2>/dev/null && return
  local base
  base="$(base_python)"
  rm -rf "$venv"
  "$base" -m venv "$venv" || fail "cannot make a Python environment in $venv"
}

# requirements NAME: into the venv, unless this very file was installed before.
requirements() {
  local file="requirements/$1.txt" stamp="$venv/installed-$1"
  python
  cmp --quiet "$file" "$stamp" && return
  watched "$cache/pip.log" "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes --only-binary :all: --requirement "$file" ||
    fail "pip could not install $file: $(grep -m 1 ERROR "$cache/pip.log" || tail -n 1 "$cache/pip.log")"
  cp "$file" "$stamp"
}

# The GPU option of this run, else of the build tree as it is.
gpu() {
  echo "${GPU:-$(sed -n 's/^POLYPHON_GPU:[A-Z]*=//p' $build_dir/CMakeCache.txt 2>/dev/null)}"
}

# llama build|all, as scripts/llama.sh takes it.
llama() {
  [ "$(gpu)" != cuda ] || command -v nvcc >/dev/null ||
    fail "GPU=cuda needs NVIDIA's CUDA toolkit with nvcc on the PATH: install it from NVIDIA"
  [ "$(gpu)" != vulkan ] ||
    grep -qs VK_EXT_layer_settings "${VULKAN_SDK:-/usr}/include/vulkan/vulkan_core.h" ||
    fail "GPU=vulkan needs Vulkan headers 1.3.272 or newer (Debian 13 has them, Debian 12 has not):" \
      "install the Vulkan SDK and set VULKAN_SDK"
  GPU="$(gpu)" scripts/llama.sh "$1"
}

# Where there is no wheel for the machine, all but polyphon-train is still built.
torch() {
  [ "$(uname -sm)" = "Linux x86_64" ] || { say "      not for $(uname -sm)" && return; }
  scripts/torch.sh install
}

# compile TARGET...: ninja's targets.
compile() {
  local log="$cache/build.log"
  cmake --preset release "-DPOLYPHON_GPU=$(gpu)" >"$log" 2>&1 ||
    fail "cmake could not configure: $(grep -m 1 -A 3 'CMake Error' "$log" | tr -s ' \n' ' ')"
  if ! watched "$log" ninja -C $build_dir -j "${JOBS:-$(nproc)}" "$@"; then
    sed -n '/^FAILED/,$p' "$log" >&2
    fail "the build failed: see above"
  fi
}

model() {
  watched "$cache/model.log" "$venv/bin/python" share/polyphon/models.py pull --quiet ||
    { cat "$cache/model.log" >&2 && exit 1; }
}

title() {
  case "$1" in
    packages) echo "Debian packages" ;;
    python | python-*) echo "Python tools" ;;
    llama) echo "llama.cpp" ;;
    llama-all) echo "llama.cpp for every CPU" ;;
    torch) echo "libtorch" ;;
    build) echo "$build_dir/polyphon" ;;
    trainer) echo "$build_dir/polyphon and polyphon-train" ;;
    tests) echo "$build_dir, every test" ;;
    model) echo "default model" ;;
    *) fail "setup.sh: no step $1" ;;
  esac
}

mkdir -p "$cache"
count=0
for step in "$@"; do
  count=$((count + 1))
  say "[$count/$#] $(title "$step")"
  case "$step" in
    python-*) requirements "${step#python-}" ;;
    llama) llama build ;;
    llama-all) llama all ;;
    build) compile polyphon ;;
    trainer) compile trainer ;;
    tests) compile all ;;
    *) "$step" ;;
  esac
done
