#!/usr/bin/env python3
"""Draws the loss of training runs over their steps.

    plot_training.py PROGRESS.jsonl... OUTPUT.svg

One line a file (progress.jsonl of polyphon-train), named by its "run" where lines have one, else by its
folder: the mean of 15 steps, since a step's batch is one of many.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

# The same file from the same figures.
matplotlib.rcParams["svg.hashsalt"] = "polyphon"
WINDOW = 15


def read(paths):
    runs = defaultdict(list)
    for path in map(Path, paths):
        for line in path.read_text().splitlines():
            step = json.loads(line)
            if "step" in step:
                runs[step.get("run", path.parent.name)].append((step["step"], step["loss"]["tokens"]))
    return runs


def smooth(values):
    return [sum(values[max(0, i - WINDOW + 1) : i + 1]) / len(values[max(0, i - WINDOW + 1) : i + 1])
            for i in range(len(values))]  # fmt: skip


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    figure, axes = plt.subplots(figsize=(6, 3.2))
    for name, steps in read(sys.argv[1:-1]).items():
        axes.plot([step for step, _ in steps], smooth([loss for _, loss in steps]), label=name)
    axes.set_xlabel("steps")
    axes.set_ylabel("loss")
    axes.legend(fontsize=8, frameon=False)
    figure.tight_layout()
    figure.savefig(sys.argv[-1], metadata={"Date": None})


if __name__ == "__main__":
    main()
