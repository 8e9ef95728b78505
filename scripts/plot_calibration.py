#!/usr/bin/env python3
"""Draws how well heads are calibrated: reliability diagrams of `polyphon train --heads`.

    plot_calibration.py HEADS.jsonl... OUTPUT.svg

One panel a head of a file (heads.jsonl, or bench/results/*-heads-*), one line a way to score: the share
that was so over the mean probability, in bins of equal count, on problems that nothing was fitted to.
On the diagonal a probability says what it means.
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

# The same file from the same figures.
matplotlib.rcParams["svg.hashsalt"] = "polyphon"


def read(paths):
    """(title, {arm: bins}) a panel."""
    panels = []
    for path in map(Path, paths):
        heads = {}
        for line in map(json.loads, path.read_text().splitlines()):
            if line.get("calibration"):
                heads.setdefault(line["head"], {})[line["arm"]] = line["calibration"]
        name = path.parent.name if path.name == "heads.jsonl" else path.stem.split("-heads-")[-1]
        panels += [(f"{head} head\n{name}", arms) for head, arms in heads.items()]
    return panels


def draw(axes, title, arms):
    axes.plot([0, 1], [0, 1], color="gray", linewidth=0.8)
    for arm, bins in arms.items():
        axes.plot(
            [each["predicted"] for each in bins], [each["observed"] for each in bins],
            marker="o", markersize=3, linewidth=1, label=arm,
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=8)
    axes.set_xlabel("probability")
    axes.legend(fontsize=6, frameon=False)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    panels = read(sys.argv[1:-1])
    if not panels:
        sys.exit("no calibration in these files: are they heads.jsonl?")
    figure, all_axes = plt.subplots(1, len(panels), figsize=(3.2 * len(panels), 3.8), sharey=True, squeeze=False)
    for axes, (title, arms) in zip(all_axes[0], panels):
        draw(axes, title, arms)
    all_axes[0][0].set_ylabel("share that was so")
    figure.tight_layout()
    figure.savefig(sys.argv[-1], metadata={"Date": None})


if __name__ == "__main__":
    main()
