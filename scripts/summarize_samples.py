#!/usr/bin/env python3
"""Summarises the raw samples of `polyphon eval --output FILE` as Markdown, on standard output.

    summarize_samples.py PROGRAM SAMPLES.jsonl [COMMAND]      one file
    summarize_samples.py PROGRAM BEFORE.jsonl AFTER.jsonl     two files, compared in pairs

PROGRAM is the polyphon to ask for the tables. COMMAND is text that says how the samples were made.
The last three tables of one file are made here: which streams and which answers were right.
"""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from gym_report import bootstrap

ALL_ARMS = ("--arms", "control_set,cures")


def tables(program, *arguments):
    return subprocess.run(
        [program, "eval", *map(str, arguments)], capture_output=True, text=True, check=True
    ).stdout.strip()


def read(path):
    header, *samples = (json.loads(line) for line in path.read_text().splitlines())
    return header["evaluation"], samples


def row(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def terms(header):
    names = ("model", "version", "suite", "streams", "tokens", "temperature", "max_answer_tokens")
    text = ", ".join(f"{name} {header[name]:.3g}" if name == "temperature" else f"{name} {header[name]}"
                     for name in names)  # fmt: skip
    digests = ("model_digest", "suite_digest", "config_hash", "trained_digest")
    return text + "\n" + ", ".join(f"{name} {header[name][:12]}" for name in digests if name in header)


def share(right, total):
    return f"{right} of {total}"


def stream_table(header, samples):
    """By arm: streams that spent their budget, those that stated an answer before, and the others."""
    ends = ("cut at the budget", "ended with an answer", "ended without an answer")
    counts = defaultdict(lambda: {end: [0, 0] for end in ends})
    for sample in samples:
        budget = header["tokens"] if len(sample["streams"]) > 1 else None
        for stream in sample["streams"]:
            cut = budget is not None and stream["tokens"] >= budget
            end = ends[0] if cut else ends[1] if stream["answered"] else ends[2]
            counts[sample["arm"]][end][0] += stream["right"]
            counts[sample["arm"]][end][1] += 1
    lines = [row("right streams of arm", *ends), row(*["---"] * 4)]
    return lines + [row(arm, *(share(*of[end]) for end in ends)) for arm, of in counts.items()]


def strategy_table(samples):
    """Of the arms whose streams have a strategy each and nothing else beside them."""
    arms = ("vote", "prefill", "kv", "strategies")
    counts = defaultdict(lambda: [0, 0])
    for sample in samples:
        for stream in sample["streams"] if sample["arm"] in arms else []:
            counts[stream["strategy"]][0] += stream["right"]
            counts[stream["strategy"]][1] += 1
    lines = [row("strategy, of " + ", ".join(arms), "right streams"), row("---", "---")]
    return lines + [row(name, share(*count)) for name, count in counts.items()]


def answer_table(samples):
    """By arm: right answers where no stream, at most half of them, or more were right.

    The last column is the answer less the mean of its streams, with a bootstrap over problems (95 %).
    """
    groups = ("no stream right", "up to half right", "more than half right")
    counts = defaultdict(lambda: {group: [0, 0] for group in groups})
    gains = defaultdict(list)
    for sample in samples:
        streams = sample["streams"]
        right = sum(stream["right"] for stream in streams)
        group = groups[0 if right == 0 else 1 if 2 * right <= len(streams) else 2]
        counts[sample["arm"]][group][0] += sample["right"]
        counts[sample["arm"]][group][1] += 1
        gains[sample["arm"]].append(sample["right"] - right / len(streams))
    lines = [row("right answers of arm", *groups, "less the mean stream, points"), row(*["---"] * 5)]
    for arm, of in counts.items():
        lines.append(row(arm, *(share(*of[group]) for group in groups), bootstrap(gains[arm]).percent("+")))
    return lines


def summary(program, path, command):
    header, samples = read(path)
    arms = list(dict.fromkeys(sample["arm"] for sample in samples))
    baseline = "sequential" if "sequential" in arms else "vote"
    out = [f"# {path.name}", "", command, "", terms(header), ""]
    out += [tables(program, "--output", path, "--report", *ALL_ARMS, "--baseline", baseline), ""]
    if baseline != "vote" and "vote" in arms:
        against = tables(program, "--output", path, "--report", *ALL_ARMS, "--baseline", "vote")
        out += [row(*line.strip("| ").split(" | ")[:4]) for line in against.split("\n\n")[0].splitlines()]
        out.append("")
    for table in (stream_table(header, samples), strategy_table(samples), answer_table(samples)):
        out += [*table, ""]
    return "\n".join(out)


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    program, first = sys.argv[1], Path(sys.argv[2])
    second = sys.argv[3] if len(sys.argv) > 3 else ""
    if not second.endswith(".jsonl"):
        return print(summary(program, first, second))
    after = Path(second)
    print(f"# {first.name} and {after.name}\n")
    print(tables(program, "--compare", first, after).replace(f"{first.parent}/", ""))


if __name__ == "__main__":
    main()
