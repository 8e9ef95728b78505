#!/usr/bin/env python3
"""Runs `polyphon bench streams --json` and keeps the result with what it was measured on.

    bench.py [MODEL] [option of polyphon bench streams ...]

Writes bench/results/<date>-<model>-<commit>.json and prints its path.
"""

import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def git(*arguments):
    return subprocess.run(
        ["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def main():
    model = sys.argv[1] if len(sys.argv) > 1 else "SmolLM2-135M"
    command = ["build/release/polyphon", "bench", "streams", "--model", model, "--json"]
    command += sys.argv[2:]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(run.returncode)

    commit = git("rev-parse", "--short", "HEAD")
    if git("status", "--porcelain", "--untracked-files=no"):
        commit += "-dirty"
    now = datetime.datetime.now(datetime.timezone.utc)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    result = {
        "command": " ".join(command),
        "date": now.isoformat(timespec="seconds"),
        "commit": commit,
        "model": model,
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "memory_gb": round(pages / 1e9),
            "system": platform.platform(),
        },
        "results": json.loads(run.stdout),
    }
    stem = Path(model).name.removesuffix(".gguf")
    name = f"{now:%Y-%m-%d}-{stem}-{commit}.json"
    path = ROOT / "bench" / "results" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
