#!/usr/bin/env python3
"""How `polyphon serve` holds up beside other work, for one build or several in turn.

    under_load.py [--pairs 5] [--seconds 4] BINARY...

Speed: tokens a second of 1 and of 8 streams, with and without another program that keeps a core
busy. Gaps: milliseconds between two tokens of a running stream while another client's prompt of
2,400 tokens is read, and how long that prompt takes. Builds take turns, so that what else runs on
the machine meets all of them alike; the figures are medians over the turns.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

MODEL = Path.home() / ".cache/polyphon/models/SmolLM2-135M-Instruct.Q4_1.gguf"
PROMPT = " ".join(f"word{i * 7919 % 1000}" for i in range(625))


class Server:
    def __init__(self, binary):
        command = [binary, "serve", "--host", "127.0.0.1", "--port", "0", "--model", str(MODEL)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for line in self.process.stdout:
            if address := re.search(r"http://[\d.]+:\d+", line):
                self.url = address.group()
                break
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.times = []  # of tokens, over all streams
        self.stop = threading.Event()
        self.threads = []

    def open_stream(self, seed):
        body = {"prompt": f"Story {seed}:", "max_tokens": 1800, "stream": True, "seed": seed}
        body["ignore_eos"] = True

        def read():
            url = self.url + "/v1/completions"
            with httpx.stream("POST", url, json=body, timeout=600) as reply:
                for line in reply.iter_lines():
                    if line.startswith("data:"):
                        self.times.append(time.monotonic())
                    if self.stop.is_set():
                        return

        self.threads.append(threading.Thread(target=read))
        self.threads[-1].start()

    def wait_for(self, tokens):
        while len(self.times) < tokens:
            time.sleep(0.01)

    def close(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        self.process.terminate()
        self.process.wait()


def speed(binary, streams, neighbour, seconds):
    busy = [sys.executable, "-c", "while True: pass"]
    hog = subprocess.Popen(busy) if neighbour else None
    server = Server(binary)
    for seed in range(streams):
        server.open_stream(seed)
    server.wait_for(10 * streams)
    time.sleep(0.8)
    begin, count = time.monotonic(), len(server.times)
    time.sleep(seconds)
    result = (len(server.times) - count) / (time.monotonic() - begin)
    server.close()
    if hog:
        hog.kill()
        hog.wait()
    return {"tokens_per_s": result}


def gaps(binary):
    server = Server(binary)
    server.open_stream(0)
    server.wait_for(40)
    begin = time.monotonic()
    wishes = {"prompt": PROMPT, "max_tokens": 1}
    httpx.post(server.url + "/v1/completions", json=wishes, timeout=600).raise_for_status()
    end = time.monotonic()
    time.sleep(0.5)
    times = list(server.times)
    server.close()
    each = sorted(1000 * (b - a) for a, b in zip(times, times[1:]) if b > begin and a < end)
    at = {f"p{p}": each[min(len(each) - 1, p * len(each) // 100)] for p in (50, 90, 99, 100)}
    return {**at, "prompt_s": end - begin}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binaries", nargs="+", metavar="BINARY")
    parser.add_argument("--pairs", type=int, default=5, help="turns (default 5)")
    parser.add_argument("--seconds", type=float, default=4, help="of each speed (default 4)")
    flags = parser.parse_args()
    runs = {f"{n} streams, {'a neighbour' if hog else 'alone'}": (n, hog) for n in (1, 8) for hog in (0, 1)}
    kinds = {name: lambda b, n=n, hog=hog: speed(b, n, hog, flags.seconds) for name, (n, hog) in runs.items()}
    kinds["a long prompt"] = gaps
    for name, measure in kinds.items():
        results = {binary: [] for binary in flags.binaries}
        for _ in range(flags.pairs):
            for binary in flags.binaries:
                results[binary].append(measure(binary))
        for binary, each in results.items():
            keys = each[0].keys()
            median = {key: round(statistics.median(one[key] for one in each), 1) for key in keys}
            spread = {key: [round(f(one[key] for one in each), 1) for f in (min, max)] for key in keys}
            print(json.dumps({"run": name, "binary": binary, "median": median, "min_max": spread}), flush=True)


if __name__ == "__main__":
    main()
