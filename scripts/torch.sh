#!/usr/bin/env bash
# Puts the pinned libtorch into the cache folder, once, for every build tree of this machine.
#   torch.sh path      prints the folder (include/, lib/) of the current pin, installed or not
#   torch.sh install   installs it unless it is there: 0.5 GB
# Only what C++ on a CPU needs is kept of the wheel: torch's own headers (not fmt's and others' beside
# them, which would hide the system's), libtorch_cpu and libc10 (not its libgomp: one process has one,
# the compiler's), and the two CUDA libraries that libtorch_cpu of a CUDA wheel is linked with.
# find_package(Torch) would ask for a CUDA toolkit with such a wheel; cmake/FindTorchCpu.cmake does not.
# Environment: POLYPHON_CACHE.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# shellcheck source=scripts/terminal.sh
. "$root/scripts/terminal.sh"

pin="$root/requirements/torch.txt"
version="$(sed -n 's/^torch==\([^ ]*\).*/\1/p' "$pin")"
key="$(cat "$pin" "${BASH_SOURCE[0]}" | sha256sum | cut -c -16)"
target="$cache/torch/$version-$key"

# unpack WHEEL FOLDER: headers and libraries, without their folders inside the wheel.
unpack() {
  "$cache/venv/bin/python" - "$@" <<'PYTHON'
import re, shutil, sys, zipfile
from pathlib import Path

WANTED = [
    (r"torch/(include/(ATen|c10|torch)/.*[^/])", r"\1"),
    (r"torch/(lib/lib(torch_cpu|c10)\.so[.\d]*)", r"\1"),
    (r"nvidia/cu\d+/(lib/lib(cudart|cupti)\.so[.\d]*)", r"\1"),
    (r"torch-[^/]*/(?:licenses/)?(LICENSE)", r"\1"),
]
wheel, folder = zipfile.ZipFile(sys.argv[1]), Path(sys.argv[2])
for name in wheel.namelist():
    for pattern, place in WANTED:
        if match := re.fullmatch(pattern, name):
            file = folder / match.expand(place)
            file.parent.mkdir(parents=True, exist_ok=True)
            with wheel.open(name) as source, file.open("wb") as copy:
                shutil.copyfileobj(source, copy)
PYTHON
}

# needs_cuda FOLDER: whether its libtorch_cpu.so is linked with CUDA's runtime.
needs_cuda() { readelf -d "$1/lib/libtorch_cpu.so" | grep -q 'NEEDED.*libcudart'; }

install() {
  [ "$(uname -sm)" = "Linux x86_64" ] ||
    fail "libtorch is pinned for Linux on x86-64: elsewhere polyphon is built without polyphon-train"
  mkdir -p "$cache/torch"
  exec 9>"$cache/torch/lock"
  flock 9
  [ ! -e "$target" ] || return 0
  say "      downloading, once: up to 540 MB"
  rm -rf "$cache"/torch/install.* # of a run that was killed: the lock is ours
  work="$(mktemp -d "$cache/torch/install.XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  # One wheel for every Python: its libraries are the same, and no Python loads them.
  watched "$work/log" "$cache/venv/bin/python" -m pip download --quiet --no-deps \
    --only-binary :all: --require-hashes --python-version 3.11 --implementation cp --abi cp311 \
    --abi none --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux2014_x86_64 --dest "$work/wheels" --requirement "$pin" ||
    fail "cannot download torch==$version from the package index; is there a network?" \
      "($(tail -n 1 "$work/log"))"
  for wheel in "$work"/wheels/torch-*.whl; do unpack "$wheel" "$work/out"; done
  if needs_cuda "$work/out"; then
    for wheel in "$work"/wheels/nvidia_*.whl; do unpack "$wheel" "$work/out"; done
  fi
  mv "$work/out" "$target"
}

case "${1:-}" in
  path) echo "$target" ;;
  install) install ;;
  *) fail "usage: torch.sh path|install" ;;
esac
