#!/usr/bin/env python3
"""Thinks one problem through twice with the same budget of tokens: with eight streams at once, and in
one long chain. Both are shown as they think. Then the figures of both, from their traces.

    demo.py [MODEL]
"""

import json
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent.parent / "build" / "release" / "polyphon"
PROBLEM = (
    "Pens come in boxes of 12. A school needs 150 pens. "
    "How many boxes must it buy, and how many pens are left over?"
)


def think(model, trace, topology, *options):
    """Runs `polyphon think`; returns the result that its trace holds."""
    command = [PROGRAM, "think", "--model", model, "--topology", topology, "--merge", "kv"]
    command += ["--seed", "1", "--trace", trace, *options, PROBLEM]
    code = subprocess.run(command).returncode
    if code != 0:
        sys.exit(code)
    return json.loads(Path(trace).read_text())["result"]


def row(name, result):
    timings = result["timings"]
    tokens = sum(stream["tokens"] for stream in result["streams"])
    seconds = timings["streams_ms"] / 1000
    first = timings["time_to_first_answer_token_ms"] / 1000
    return f"{name:<22} {tokens:>6} {seconds:>8.1f} s {tokens / seconds:>9.0f} {first:>14.1f} s"


def main():
    model = sys.argv[1] if len(sys.argv) > 1 else "SmolLM2-135M"
    print(textwrap.fill(PROBLEM, 78) + "\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        parallel = think(model, f"{folder}/parallel", "8x48", "--max-answer-tokens", "64")
        print("\nThe same budget in one chain, up to its answer:", flush=True)
        # Without --ignore-eos the chain would stop early and leave its budget unused.
        chain = think(
            model, f"{folder}/chain", "1x384", "--ignore-eos", "--max-answer-tokens", "1"
        )
    print(f"\n{'':<22} {'tokens':>6} {'thinking':>10} {'tokens/s':>9} {'first of answer':>16}")
    print(row("8 streams (8x48)", parallel))
    print(row("one chain (1x384)", chain))
    if model == "SmolLM2-135M":
        print("\nThis small model shows the speed; MODEL=Qwen2.5-Coder-1.5B shows better answers.")


if __name__ == "__main__":
    main()
