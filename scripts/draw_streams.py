#!/usr/bin/env python3
"""Draws one run of streams as an SVG picture that is readable on light and dark pages.

    polyphon think --topology 8x64 --merge vote --seed 1 --json "What is 7 times 6?" |
        draw_streams.py "What is 7 times 6?" > docs/streams.svg

A lane is a stream: its length is its tokens, its text the end of what it wrote, its circle the answer
that it states.
"""

import json
import sys
from collections import Counter
from html import escape

WIDTH, TOP, LANE, BAR = 960, 76, 34, 24
PROMPT_RIGHT, LANES_LEFT, LANES_RIGHT, VOTE_LEFT = 132, 272, 790, 850
CHARACTER = 5.6  # width of one, on average, at the lanes' font size

STYLE = """
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
  .small { font-size: 11px; fill: #59636e }
  .thought { font-size: 10.5px }
  .title { font-weight: 600 }
  .box { fill: #f6f8fa; stroke: #8c959f }
  .bar { fill: #ddf4ff; stroke: #54aeff }
  .won { fill: #dafbe1; stroke: #4ac26b }
  .line { fill: none; stroke: #8c959f }
  .win { stroke: #2da44e; stroke-width: 1.6 }
  .axis { stroke: #8c959f; stroke-width: 0.8 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #9198a1 }
    .box { fill: #151b23; stroke: #656c76 }
    .bar { fill: #0c2d6b; stroke: #388bfd }
    .won { fill: #033a16; stroke: #3fb950 }
  }
"""


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def box(x, y, width, height, kind):
    return (f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="5" '
            f'class="{kind}"/>')  # fmt: skip


def curve(x, y, bend, to_x, to_y, kind):
    """Straight from x to bend, then a curve."""
    middle = (bend + to_x) / 2
    return (f'<path d="M{x:.0f} {y:.0f}H{bend:.0f}C{middle:.0f} {y:.0f} {middle:.0f} {to_y:.0f} '
            f'{to_x:.0f} {to_y:.0f}" class="{kind}"/>')  # fmt: skip


def end_of(words, width):
    words = " ".join(words.split())
    most = int(width / CHARACTER)
    return words if len(words) <= most else "… " + words[1 - most :].partition(" ")[2]


def draw(question, result):
    run = result["polyphon"]
    streams = run["streams"]
    votes = Counter(stream["answer"] for stream in streams if stream["answer"])
    winner, count = votes.most_common(1)[0]
    most = max(stream["tokens"] for stream in streams)
    bottom = TOP + LANE * len(streams)
    middle = (TOP + bottom) / 2
    height = bottom + 58

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
           f"<title>{escape(question)} thought through in {len(streams)} streams</title>",
           f"<style>{STYLE}</style>"]  # fmt: skip
    heads = [
        (8, "1. one prompt", "computed once, seen by all"),
        (LANES_LEFT, f"2. {len(streams)} streams, decoded together",
         "each step gives one token to every stream that still thinks"),
        (VOTE_LEFT - 36, "3. one answer", "by vote"),
    ]  # fmt: skip
    for x, head, below in heads:
        out += [text(x, 22, head, "title"), text(x, 39, below, "small")]

    out += [box(8, middle - 34, PROMPT_RIGHT - 8, 68, "box")]
    center = (8 + PROMPT_RIGHT) / 2
    out += [text(center, middle - 4, question, "", "middle")]
    size = f"{run['timings']['prompt_tokens']} tokens"
    out += [text(center, middle + 14, size, "small", "middle")]
    for i, stream in enumerate(streams):
        y = TOP + LANE * i + LANE / 2
        won = stream["answer"] == winner
        width = (LANES_RIGHT - 30 - LANES_LEFT) * stream["tokens"] / most
        end = LANES_LEFT + width
        out.append(curve(PROMPT_RIGHT, middle, PROMPT_RIGHT, PROMPT_RIGHT + 28, y, "line"))
        out.append(text(PROMPT_RIGHT + 34, y + 4, stream["strategy"].replace("_", " "), "small"))
        out.append(box(LANES_LEFT, y - BAR / 2, width, BAR, "won" if won else "bar"))
        out.append(text(LANES_LEFT + 7, y + 4, end_of(stream["text"], width - 14), "thought"))
        if not stream["answer"]:
            continue
        out.append(f'<circle cx="{end + 18:.0f}" cy="{y:.0f}" r="12" class="{"won" if won else "box"}"/>')
        out.append(text(end + 18, y + 4, stream["answer"], "", "middle"))
        out.append(curve(end + 30, y, LANES_RIGHT, VOTE_LEFT, middle, "line win" if won else "line"))
    out += [box(VOTE_LEFT, middle - 34, WIDTH - 8 - VOTE_LEFT, 68, "won")]
    center = (VOTE_LEFT + WIDTH - 8) / 2
    out += [text(center, middle - 2, winner, "title", "middle")]
    out += [text(center, middle + 16, f"{count} of {len(streams)} streams", "small", "middle")]

    axis = bottom + 10
    scale = (LANES_RIGHT - 30 - LANES_LEFT) / most
    out.append(f'<path d="M{LANES_LEFT} {axis}H{LANES_RIGHT - 30}" class="axis"/>')
    for step in range(0, most + 1, 16):
        x = LANES_LEFT + scale * step
        out.append(f'<path d="M{x:.0f} {axis}v4" class="axis"/>')
        out.append(text(x, axis + 17, str(step), "small", "middle"))
    seconds = run["timings"]["streams_ms"] / 1000
    total = sum(stream["tokens"] for stream in streams)
    said = f"steps: {most} of them gave {total} tokens, in {seconds:.1f} s on two CPU cores"
    out.append(text(LANES_LEFT, axis + 36, said, "small"))
    out.append(text(8, axis + 36, "SmolLM2-135M, a real run", "small"))
    return "\n".join([*out, "</svg>"])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(draw(sys.argv[1], json.load(sys.stdin)))
