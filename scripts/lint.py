#!/usr/bin/env python3
"""Runs clang-tidy (.clang-tidy) over src/, as many files at once as there are cores.

    lint.py BUILD_DIR CLANG_TIDY [FILE...]

BUILD_DIR is a configured build without unity files: its compile_commands.json says how to read each
file. A file is read again when it, a header of src/ that it includes or .clang-tidy has changed since
it last passed. Prints the faults and exits with 1, or nothing and 0.
"""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def inputs(file):
    """The file and the headers of src/ that it includes, directly or not."""
    found, waiting = set(), [file]
    while waiting:
        path = waiting.pop()
        if path not in found and path.exists():
            found.add(path)
            waiting += [ROOT / "src" / name for name in INCLUDE.findall(path.read_text())]
    return found


def is_current(stamp, files):
    return stamp.exists() and all(f.stat().st_mtime <= stamp.stat().st_mtime for f in files)


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
    waiting = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = Path(entry["file"])
        name = str(file.relative_to(ROOT))
        if only and name not in only:
            continue
        stamp = build / "passed" / name
        if not is_current(stamp, [ROOT / ".clang-tidy", *inputs(file)]):
            waiting.append((file, stamp))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        passed = list(pool.map(lambda job: lint(clang_tidy, build, *job), waiting))
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
