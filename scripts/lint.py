#!/usr/bin/env python3
"""Runs clang-tidy (.clang-tidy) over src/, as many files at once as there are cores.

    lint.py BUILD_DIR CLANG_TIDY [FILE...]

BUILD_DIR is a finished ninja build: its compile_commands.json says how to read each file, and its
dependency log which headers a file depends on, so that only what changed since it last passed is
read again. Prints the faults and exits with 1, or nothing and 0.
"""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def dependencies(build):
    """Object path (from the build folder) -> its source and headers, from ninja's log."""
    text = subprocess.run(
        ["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True
    ).stdout
    found, target = {}, None
    for line in text.splitlines():
        if line.startswith("    "):
            found[target].append(build / line.strip())
        elif ": #deps" in line:
            target = line.split(":")[0]
            found[target] = []
    return found


def modified(path):
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def is_current(stamp, inputs):
    return stamp.exists() and all(modified(path) <= modified(stamp) for path in inputs)


def gcc_headers():
    """GCC's own headers, for what clang-tidy's package lacks (omp.h): after all others."""
    folder = subprocess.run(["g++", "-print-file-name=include"], capture_output=True, text=True)
    return f"--extra-arg=-idirafter{folder.stdout.strip()}"


def lint(clang_tidy, build, file, stamp):
    """True when the file passes; prints what clang-tidy says when not."""
    command = ["nice", clang_tidy, "--quiet", "-p", build, gcc_headers(), file]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        print(run.stdout or run.stderr, end="", flush=True)
        return False
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.touch()
    return True


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    build, clang_tidy, only = Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3:]
    headers = dependencies(build)
    waiting = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = Path(entry["file"])
        name = str(file.relative_to(ROOT))
        if only and name not in only:
            continue
        stamp = build / "lint" / (name + ".passed")
        output = re.search(r" -o (\S+)", entry["command"])[1]
        inputs = [file, ROOT / ".clang-tidy", *headers.get(output, [])]
        if not is_current(stamp, inputs):
            waiting.append((file, stamp))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        passed = list(pool.map(lambda job: lint(clang_tidy, build, *job), waiting))
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
