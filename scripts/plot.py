#!/usr/bin/env python3
"""Draws results of `polyphon bench attention --json` and `polyphon bench decode --json`.

    plot.py RESULT.jsonl... OUTPUT.svg

One panel a kind of view, one line a prompt: the ratio to ggml's own kernels over the rows of a step,
with the least and the most that was measured.
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
    rows = [json.loads(line) for path in paths for line in Path(path).read_text().splitlines()]
    return [row for row in rows if "ratio" in row]  # the first line says what was run where


def rows_of_step(row):
    return row["rows"] * row.get("streams", 1)


def draw(axes, rows, views):
    for prompt in sorted({row["prompt"] for row in rows}):
        line = sorted(
            (row for row in rows if row["prompt"] == prompt and row["views"] == views),
            key=rows_of_step,
        )
        if not line:
            continue
        ratios = [row["ratio"] for row in line]
        below = [row["ratio"] - row["ratio_spread"]["min"] for row in line]
        above = [row["ratio_spread"]["max"] - row["ratio"] for row in line]
        axes.errorbar(
            [rows_of_step(row) for row in line], ratios, yerr=[below, above],
            marker="o", markersize=3, linewidth=1, elinewidth=0.6, label=f"{prompt} cells",
        )
    axes.axhline(1, color="gray", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set_title(f"{views} views", fontsize=9)
    axes.set_xlabel("rows of a step")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7, frameon=False)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    rows = read(sys.argv[1:-1])
    kinds = [views for views in ("shared", "private", "mixed") if any(r["views"] == views for r in rows)]
    figure, panels = plt.subplots(1, len(kinds), figsize=(4 * len(kinds), 3.2), sharey=True, squeeze=False)
    for axes, views in zip(panels[0], kinds):
        draw(axes, rows, views)
    panels[0][0].set_ylabel("times ggml's own speed")
    what = rows[0].get("model", "one attention operation")
    figure.suptitle(f"{what}, {rows[0]['cpu']}", fontsize=10)
    figure.tight_layout()
    figure.savefig(sys.argv[-1], metadata={"Date": None})


if __name__ == "__main__":
    main()
