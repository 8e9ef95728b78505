"""polyphon-train as a process, on the real model: signals, kills, and torchrun's variables."""

import json
import os
import random
import signal
import socket
import subprocess
import time

import pytest
from conftest import MODEL, TRAINER

STEPS = 10

pytestmark = pytest.mark.skipif(
    not TRAINER.exists() or not MODEL.exists(), reason="run `make build trainer model`"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("trainer") / "data.jsonl"
    dice = random.Random(1)
    with path.open("w") as file:
        for _ in range(2 * STEPS):
            tokens = [dice.randrange(100, 40000) for _ in range(40)]
            file.write(json.dumps({"tokens": tokens, "targets": [[20, 40, 1.0]]}) + "\n")
    return path


def start(data, out, *more, **environment):
    command = [TRAINER, "lora", "--model", MODEL, "--data", data, "--out", out, "--rank", "4"]
    command += ["--learning-rate", "1e-3", "--warmup-steps", "2"]
    command += ["--threads", "1", "--resume", *more]
    return subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def ended(process):
    _, errors = process.communicate(timeout=240)
    return process.returncode, errors


def curve(out):
    lines = [json.loads(line) for line in (out / "progress.jsonl").open()]
    return [(line["step"], line["loss"], line["gradient_norm"]) for line in lines]


def wait_for_step(out, step, process):
    path = out / "progress.jsonl"
    while not path.exists() or path.read_text().count("\n") < step:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


def test_a_run_that_is_paused_stopped_and_killed_has_the_curve_of_one_that_is_not(data, tmp_path):
    one_at_a_time = ["--batch-tokens", "80", "--save-every-steps", "2", "--dropout", "0.1"]
    assert ended(start(data, tmp_path / "whole", *one_at_a_time)) == (0, "")
    whole = curve(tmp_path / "whole")
    assert len(whole) == STEPS

    out = tmp_path / "run"
    process = start(data, out, *one_at_a_time)
    wait_for_step(out, 1, process)
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    paused = (out / "progress.jsonl").read_text()
    time.sleep(0.5)
    assert (out / "progress.jsonl").read_text() == paused
    process.send_signal(signal.SIGCONT)
    wait_for_step(out, 3, process)
    process.send_signal(signal.SIGTERM)
    code, errors = ended(process)
    assert code == 0 and "stopped; the checkpoint" in errors and "--resume" in errors
    stopped = curve(out)
    assert 3 <= len(stopped) < STEPS and stopped == whole[: len(stopped)]

    process = start(data, out, *one_at_a_time)
    wait_for_step(out, len(stopped) + 1, process)
    time.sleep(random.uniform(0, 0.3))  # anywhere in a step, or between two
    process.kill()
    ended(process)
    assert ended(start(data, out, *one_at_a_time)) == (0, "")
    assert curve(out) == whole


def test_two_processes_of_torchruns_variables_are_one_with_twice_the_accumulation(data, tmp_path):
    batch = ["--batch-tokens", "40"]
    assert ended(start(data, tmp_path / "one", *batch, "--accumulate", "2")) == (0, "")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    place["MASTER_PORT"] = port
    both = [
        start(data, tmp_path / "two", *batch, **place, RANK=str(rank), LOCAL_RANK=str(rank))
        for rank in range(2)
    ]
    assert [ended(process) for process in both] == [(0, ""), (0, "")]
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert len(one) == len(two) == STEPS
    for (_, expected, norm), (_, found, found_norm) in zip(one, two, strict=True):
        assert found["tokens"] == pytest.approx(expected["tokens"], rel=1e-3)
        assert found_norm == pytest.approx(norm, rel=2e-2)


def test_data_of_another_model_and_data_that_is_all_warm_up_are_told_of(data, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"model_digest": "0" * 64}) + "\n" + data.read_text())
    code, errors = ended(start(other, tmp_path / "other"))
    assert code == 1 and f"tokens of model {'0' * 64}, this is " in errors
    few = tmp_path / "few.jsonl"
    few.write_text(data.read_text().splitlines()[0] + "\n")
    code, errors = ended(start(few, tmp_path / "few"))
    assert code == 0 and "the data gives 1 steps and the first 2 warm up" in errors
    (tmp_path / "empty.jsonl").write_text("")
    code, errors = ended(start(tmp_path / "empty.jsonl", tmp_path / "empty"))
    assert code == 1 and "holds no example" in errors
