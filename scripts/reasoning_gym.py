#!/usr/bin/env python3
"""Asks an OpenAI-compatible server the problems of PyPI's reasoning-gym, in several ways each.

    reasoning_gym.py --output FILE [--url URL] [--tasks ...] [--arms ...]   asks what FILE lacks
    reasoning_gym.py --output FILE --report                                 only prints its table

An arm is a way to ask, NAME or NAME=JSON of fields that its requests carry besides:

    plain                       one answer of budget + answer tokens; any server can do it
    sequential                  Polyphon, one stream with the whole budget
    streams_vote, streams_kv    Polyphon, eight streams with an eighth each, by merge
    streams                     both of them
    workspace                   streams_kv with three registers
    short={"max_tokens":64}     your own

The other fields are the same for every arm: model, messages, seed, temperature. FILE keeps each
answer as it comes. A run that was cut short goes on with the same command; a file of another
configuration is refused. The key of a server that wants one is read from OPENAI_API_KEY.

reasoning-gym is optional: `scripts/setup.sh python-gym` installs it (requirements/gym.txt), and
~/.cache/polyphon/venv/bin/python runs this file then. The scorers of a few of its tasks, none of
the default ones, evaluate the model's answer as a formula: ask those only of models that you trust.
"""

import argparse
import datetime
import hashlib
import importlib.metadata
import json
import os
import random
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TextIO

from bench import git, machine
from chat_server import Failure, Fields, Server, one_line
from gym_report import Sample, report

# The first eight are like families of share/suites/core.json, the others are not.
TASKS = (
    "chain_sum,simple_equations,number_sequence,letter_counting,calendar_arithmetic,gsm_symbolic,"
    "knights_knaves,base_conversion,gcd,syllogism,spell_backward,family_relationships"
)
ASK = '\n\nEnd with a last line "Answer: " and the answer alone.'
STREAMS = 8
REGISTERS = 3


class Problem(NamedTuple):
    task: str
    index: int
    question: str
    entry: Any  # what its source scores by


class TaskSource(Protocol):
    version: str

    def problems(self, task: str, count: int, seed: int) -> list[Problem]: ...
    def score(self, problem: Problem, answer: str) -> float: ...  # 0 to 1


class ReasoningGym:
    """Problems and scores of PyPI's package, at the difficulty that each task has by default."""

    def __init__(self) -> None:
        try:
            import reasoning_gym

            self.version = importlib.metadata.version("reasoning-gym")
        except ImportError as fault:
            how = "run `scripts/setup.sh python-gym`, and this by its Python"
            raise Failure(f"{fault}: {how}") from None
        self.create = reasoning_gym.create_dataset
        self.datasets: dict[str, Any] = {}

    def problems(self, task: str, count: int, seed: int) -> list[Problem]:
        try:
            entries = self.datasets[task] = self.create(task, size=count, seed=seed)
        except ValueError as fault:
            raise Failure(f"reasoning-gym: {fault}") from None
        return [Problem(task, i, entries[i]["question"], entries[i]) for i in range(count)]

    def score(self, problem: Problem, answer: str) -> float:
        return float(self.datasets[problem.task].score_answer(answer, problem.entry))


def built_in_arms(budget: int, answer_tokens: int) -> dict[str, Fields]:
    """Ways to spend `budget` tokens of thinking, and as many of an answer."""

    def think(streams: int, merge: str, **more: Any) -> Fields:
        wishes = {"topology": f"{streams}x{budget // streams}", "merge": merge, **more}
        return {"max_tokens": answer_tokens, "polyphon": wishes}

    return {
        "plain": {"max_tokens": budget + answer_tokens},
        "sequential": think(1, "kv", strategies=["direct"]),
        "streams_vote": think(STREAMS, "vote"),
        "streams_kv": think(STREAMS, "kv"),
        "workspace": think(STREAMS, "kv", registers=REGISTERS),
    }


ARM = re.compile(r"\s*([\w-]+)\s*(=?)\s*")


def parse_arms(text: str, budget: int, answer_tokens: int) -> dict[str, Fields]:
    """Name -> fields of each arm, in their order."""
    known = built_in_arms(budget, answer_tokens)
    arms: dict[str, Fields] = {}
    at = 0
    while match := ARM.match(text, at):
        name, at = match[1], match.end()
        if match[2]:
            try:
                own, at = json.JSONDecoder().raw_decode(text, at)
                limit = known["sequential" if "polyphon" in own else "plain"]["max_tokens"]
                arms[name] = {"max_tokens": limit, **own}
            except (ValueError, TypeError):
                raise Failure(f"arm {name}: no JSON object begins at {text[at:]!r}") from None
        elif name == "streams":
            arms |= {name: known[name] for name in ("streams_vote", "streams_kv")}
        elif name in known:
            arms[name] = known[name]
        else:
            raise Failure(f"no arm is called {name!r}: there are {', '.join(known)}, or NAME=JSON")
        if text[at : at + 1] != ",":
            break
        at += 1
    if text[at:].strip() or not arms:
        raise Failure(f"arms: expected NAME or NAME=JSON, comma separated, at {text[at:]!r}")
    return arms


# "Answer: X", "The answer is X", "the answer to the question is: X"; but not "isn't".
STATED = re.compile(r"\banswer\b[^\n.,:]{0,40}?(?::|\bis\b:?)", re.IGNORECASE)
BOXED = re.compile(r"\\boxed\{([^{}]+)\}")
MARKUP = " \t\r\n*_`$\"'"


def bare(answer: str) -> str:
    """Without what stands around it, and without the unknown of "x = 5"."""
    answer = answer.strip(MARKUP).rstrip(MARKUP + ".,")
    return re.sub(r"^[A-Za-z] ?= ?(?=.)", "", answer)


def extract_answer(text: str) -> tuple[str, bool]:
    """The answer as written, and whether it was stated as one or is only the last line."""
    for match in reversed(list(STATED.finditer(text))):
        line, _, below = text[match.end() :].partition("\n")
        sentence = re.split(r"\.[*_]*\s", line.strip() + " ")[0]
        if answer := bare(sentence):
            return answer, True
        block = below.strip().partition("\n\n")[0]  # "Answer:" above it, and a grid perhaps
        if match[0].endswith(":") and (answer := bare(block)):
            return answer, True
    if boxes := BOXED.findall(text):
        return bare(boxes[-1]), True
    lines = [line for line in map(bare, text.splitlines()) if line]
    return (lines[-1] if lines else ""), False


def read_samples(path: Path) -> tuple[Fields, list[Sample], int]:
    """A file's first line, its samples, the bytes of its whole lines; a torn last one is none."""
    text = path.read_bytes()
    text = text[: text.rfind(b"\n") + 1]
    try:
        lines = [json.loads(line) for line in text.splitlines()]
        if lines and "configuration" not in lines[0]:
            raise ValueError
    except (ValueError, TypeError):
        raise Failure(f"{path} does not hold samples of this script") from None
    return (lines[0] if lines else {}), lines[1:], len(text)


def open_samples(path: Path, header: Fields) -> tuple[TextIO, set[tuple[str, int, str]]]:
    """The file, to append to, and what it holds already: task, index and arm of each sample."""
    kept: set[tuple[str, int, str]] = set()
    if path.exists():
        there, samples, size = read_samples(path)
        for key, value in header["configuration"].items() if there else ():
            if (other := there["configuration"].get(key)) != value:
                other, value = one_line(json.dumps(other)), one_line(json.dumps(value))
                raise Failure(f"{path} has another configuration: {key} is {other}, not {value}")
        kept = {(sample["task"], sample["index"], sample["arm"]) for sample in samples}
        os.truncate(path, size)
    file = path.open("a")
    if file.tell() == 0:
        file.write(json.dumps(header) + "\n")
    return file, kept


def header(arguments: list[str], configuration: Fields) -> Fields:
    """The first line of a result, as bench.py writes it."""
    try:
        commit = git("rev-parse", "--short", "HEAD")
    except (OSError, subprocess.CalledProcessError):  # no checkout
        commit = ""
    return {
        "command": shlex.join(["scripts/reasoning_gym.py", *arguments]),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit,  # of this script: the server may be anyone's
        "machine": machine(),
        "configuration": configuration,
    }


def prompt(problem: Problem) -> str:
    return problem.question.rstrip() + ASK


def seed_of(problem: Problem, seed: int) -> int:
    return random.Random(f"{seed} {problem.task} {problem.index}").getrandbits(31)


def ask(server: Server, problem: Problem, fields: Fields) -> Sample:
    """A sample that has no score yet."""
    message = {"role": "user", "content": prompt(problem)}
    reply = server.chat({"messages": [message], **fields})
    answer, stated = extract_answer(reply["text"])
    where = {"task": problem.task, "index": problem.index}
    return {**where, "score": 0.0, "answer": answer, "stated": stated, **reply}


def in_parallel(threads: int, jobs: list[Any], do: Callable[[Any], None]) -> None:
    """Does all jobs, in their order. After a fault none begins; those under way are done."""
    ended = threading.Event()

    def one(job: Any) -> None:
        if ended.is_set():
            return
        try:
            do(job)
        except BaseException:
            ended.set()
            raise

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(one, job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
        finally:
            ended.set()


def run(options: argparse.Namespace, source: TaskSource) -> None:
    """Asks what the output lacks, and keeps it there."""
    server = Server(options.url, options.timeout)
    arms = parse_arms(options.arms, options.budget, options.answer_tokens)
    tasks = [task.strip() for task in options.tasks.split(",")]
    model, owner = server.model(options.model)
    problems = [p for task in tasks for p in source.problems(task, options.count, options.seed)]
    digest = hashlib.sha256("\0".join(map(prompt, problems)).encode()).hexdigest()
    configuration = {
        "model": model,
        "server": owner,
        "tasks": tasks,
        "count": options.count,
        "seed": options.seed,
        "temperature": options.temperature,
        "budget": options.budget,
        "arms": arms,
        "reasoning_gym": source.version,
        "problems": digest,
    }
    file, kept = open_samples(options.output, header(options.arguments, configuration))
    # An arm at a time would leave a run that is cut short without pairs.
    jobs = [(p, arm) for p in problems for arm in arms if (p.task, p.index, arm) not in kept]
    wanted, lock = len(kept) + len(jobs), threading.Lock()  # of source, file and kept

    def answer(job: tuple[Problem, str]) -> None:
        problem, arm = job
        common = {"model": model, "temperature": options.temperature}
        seed = seed_of(problem, options.seed)
        sample = {"arm": arm, **ask(server, problem, {"seed": seed, **common, **arms[arm]})}
        with lock:
            try:
                sample["score"] = source.score(problem, sample["answer"])
            except Exception as fault:  # of a foreign scorer, by an answer that it did not expect
                sample["fault"] = one_line(repr(fault))
            file.write(json.dumps(sample) + "\n")
            file.flush()
            kept.add((problem.task, problem.index, arm))
            figures = f"{sample['score']:.2f} {sample['seconds']:.1f} s"
            print(f"{len(kept)}/{wanted} {problem.task} {arm} {figures}", file=sys.stderr)

    with file:
        in_parallel(options.parallel, jobs, answer)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    def positive(text: str, least: int = 1) -> int:
        if (number := int(text)) < least:
            raise argparse.ArgumentTypeError(f"{number}: must be {least} or more")
        return number

    def budget(text: str) -> int:
        return positive(text, STREAMS)

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--output", type=Path, required=True, help="JSON lines, kept and gone on with")
    add("--report", action="store_true", help="ask nothing, print what --output holds")
    add("--url", default="http://127.0.0.1:8080/v1")
    add("--model", default="", help="the only one that is served")
    add("--tasks", default=TASKS, help="of reasoning-gym, comma separated")
    add("--count", type=positive, default=8, help="problems of each task")
    add("--seed", type=int, default=1, help="of problems and answers")
    add("--arms", default="plain,sequential,streams", help="others are compared with the first")
    add("--budget", type=budget, default=1024, help="tokens of thinking, the same for every arm")
    add("--answer-tokens", type=positive, default=128, help="that may follow the thinking")
    add("--temperature", type=float, default=0.7)
    add("--parallel", type=positive, default=1, help="requests under way at once")
    add("--timeout", type=float, default=600, help="seconds that one answer may take")
    options = parser.parse_args(arguments)
    options.arguments = arguments
    return options


def main(arguments: list[str], source: Callable[[], TaskSource] = ReasoningGym) -> int:
    options = parse_arguments(arguments)
    try:
        if not options.report:
            run(options, source())
        header, samples, _ = read_samples(options.output)
        if not samples:
            raise Failure(f"{options.output} holds no samples")
        print(report(header["configuration"], samples), end="")
    except (Failure, OSError, KeyboardInterrupt) as fault:
        print(f"error: {fault or 'interrupted'}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, where `import reasoning_gym` would find this file
    sys.exit(main(sys.argv[1:]))
