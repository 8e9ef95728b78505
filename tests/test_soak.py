"""32 clients at once, a third of them leaving at random: no undocumented answer, no cell lost, no
memory lost. POLYPHON_SOAK_SECONDS sets how long (20)."""

import os
import random
import threading
import time
from collections import Counter

import httpx
from conftest import Server
from test_openai_client import HELLO, PROBLEM, idle

SECONDS = float(os.environ.get("POLYPHON_SOAK_SECONDS", 20))
CLIENTS = 32
DOCUMENTED = {200, 429, 503}
GROWTH_BYTES = 64 << 20


def body(chance):
    wishes = {
        "messages": chance.choice([HELLO, PROBLEM]),
        "max_tokens": chance.randint(1, 32),
        "stream": chance.random() < 0.6,
        "seed": chance.randrange(1000),
    }
    kind = chance.random()
    if kind < 0.25:
        topology = f"{chance.randint(1, 4)}x{chance.randint(4, 24)}"
        merge = chance.choice(["kv", "prefill", "compact", "vote"])
        wishes["polyphon"] = {"topology": topology, "merge": merge}
    elif kind < 0.35:
        wishes["n"] = 2
    elif kind < 0.45:
        wishes["response_format"] = {"type": "json_object"}
    return wishes


def leave(url, wishes, chance):
    """Goes away after some lines or some time, whatever the answer is by then."""
    if wishes["stream"]:
        with httpx.stream("POST", url, json=wishes, timeout=300) as reply:
            for count, _ in enumerate(reply.iter_lines()):
                if count > chance.randint(0, 12):
                    break
            return reply.status_code
    try:
        return httpx.post(url, json=wishes, timeout=chance.uniform(0.02, 1)).status_code
    except httpx.TimeoutException:
        return "left"


def stay(url, wishes):
    reply = httpx.post(url, json=wishes, timeout=300)
    if reply.status_code == 200 and wishes["stream"]:
        if not reply.text.endswith("data: [DONE]\n\n"):
            return "cut off: " + reply.text[-300:]
    return reply.status_code


def run_client(number, url, until, outcomes):
    chance = random.Random(number)
    while time.monotonic() < until:
        wishes = body(chance)
        try:
            outcome = leave(url, wishes, chance) if number % 3 == 0 else stay(url, wishes)
        except httpx.HTTPError as error:
            outcome = repr(error)
        outcomes.append(outcome)
        if outcome == 429:
            time.sleep(0.1)


def soak(server, seconds):
    url = server.url + "/v1/chat/completions"
    outcomes, until = [], time.monotonic() + seconds
    clients = [
        threading.Thread(target=run_client, args=(number, url, until, outcomes))
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return Counter(outcomes)


def test_soak():
    server = Server()
    try:
        # Buffers and caches are at their size after a first round.
        soak(server, SECONDS / 4)
        idle(server)
        resting = server.rss_bytes()
        outcomes = soak(server, SECONDS)
        figures = idle(server)
        print(outcomes, figures)
        assert set(outcomes) <= DOCUMENTED | {"left"}, outcomes
        assert outcomes[200] > 0
        assert figures["polyphon_kv_cells_used"] == figures["polyphon_kv_cells_cached"]
        assert figures["polyphon_streams_live"] == 0
        assert figures['polyphon_sessions_total{outcome="failed"}'] == 0
        assert server.rss_bytes() - resting < GROWTH_BYTES
        assert server.stop() == 0
    finally:
        server.process.kill()
