#!/usr/bin/env python3
"""Runs `polyphon bench KIND --json` and keeps the result with what it was measured on.

    bench.py streams|decode|attention|perplexity|memory|workspace [option of that benchmark ...]

Writes bench/results/<time>-<kind>-<model>-<commit>.jsonl, whose first line says
what was run where, and prints its path.
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


def machine():
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(pages / 1e9),
        "system": platform.platform(),
    }


def model_name(options):
    if "--model" not in options:
        return ""
    return Path(options[options.index("--model") + 1]).name.removesuffix(".gguf")


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    kind, options = sys.argv[1], sys.argv[2:]
    command = ["build/release/polyphon", "bench", kind, "--json", *options]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(run.returncode)

    commit = git("rev-parse", "--short", "HEAD")
    if git("status", "--porcelain", "--untracked-files=no"):
        commit += "-dirty"
    now = datetime.datetime.now(datetime.timezone.utc)
    what = {
        "command": " ".join(command),
        "date": now.isoformat(timespec="seconds"),
        "commit": commit,
        "machine": machine(),
    }
    name = "-".join(filter(None, [f"{now:%Y-%m-%d-%H%M}", kind, model_name(options), commit]))
    path = ROOT / "bench" / "results" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(what) + "\n" + run.stdout)
    print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
