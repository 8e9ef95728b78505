"""Trainer and engine on sessions recorded with registers, promotions, memory and search: the trainer's
one pass under the mask that the trace implies against the engine's own decoding through views.

The engine multiplies quantised weights with activations rounded to 8 bits, the trainer dequantised
weights with floats. So the masks and positions are tested with an engine whose weights are floats, to a
tolerance that a single wrong cell would break; and what the quantised products cost is bounded apart, by
what they cost between two kernels of the engine itself."""

import json
import subprocess

import httpx
import pytest
from conftest import BINARY, MODEL, QWEN, TRAINER, Server

PROBLEM = "Ann has 3 boxes of 12 pens and gives 7 away. How many are left?"
WORKSPACE = {
    "topology": "3x40",
    "registers": 3,
    "register_cadence": 12,
    "gate_threshold": 0,
    "gate_refractory": 12,
    "seed": 7,
}
MEMORY_AND_SEARCH = {
    "topology": "2x64>1x24",
    "registers": 1,
    "register_cadence": 16,
    "gate_threshold": 0,
    "gate_refractory": 16,
    "search": {"mode": "always", "simulations": 8},
    "memory": {
        "enabled": True,
        "window_tokens": 32,
        "cadence_tokens": 12,
        "read_threshold": 0,
        "write_threshold": 0,
    },
    "seed": 3,
}

pytestmark = pytest.mark.skipif(
    not TRAINER.exists(), reason="polyphon-train is not built: make trainer"
)


def record(path, wishes, *arguments):
    server = Server("--trace-file", path, *arguments)
    try:
        for wish in wishes:
            body = {
                "messages": [{"role": "user", "content": PROBLEM}],
                "max_tokens": 24,
                "polyphon": wish,
            }
            reply = httpx.post(server.url + "/v1/chat/completions", json=body, timeout=300)
            assert reply.status_code == 200, reply.text
    finally:
        assert server.stop() == 0
    return [json.loads(line) for line in path.read_text().splitlines()]


def reports(path, *flags, model=MODEL):
    command = [TRAINER, "parity", path, "--model", model, *flags]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def kinds(trace):
    return {edit["kind"] for edit in trace["edits"]}


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    path = tmp_path_factory.mktemp("parity") / "traces.jsonl"
    workspace, rest = record(path, [WORKSPACE, MEMORY_AND_SEARCH])
    assert workspace["result"]["workspace"]
    assert {"join", "drop", "place", "close"} <= kinds(rest)
    assert any(span["owner"]["kind"] == "search" for span in rest["spans"])
    return path


def test_masks_and_positions_are_the_engines(traces):
    for report in reports(traces, "--precision", "f32", "--float-engine", "--kv-type", "f32"):
        assert report["rows"] > 200
        assert report["top1_agreement"] >= 0.99, report
        assert report["divergence_mean"] < 1e-4, report
        assert report["hidden_max"] < 0.05, report


def test_quantised_products_cost_no_more_than_between_two_kernels(traces):
    for report in reports(traces):
        assert report["clear_rows"] > 100
        assert report["clear_agreement"] >= 0.99, report
        assert report["divergence_mean"] < 0.01, report
        # What the session recorded when it sampled: as near to the trainer as to the engine itself.
        assert report["recorded"] > 80
        assert report["recorded_trainer_mean"] < 1.25 * report["recorded_engine_mean"] + 0.01, report


def test_qwen2_agrees(tmp_path):
    if not QWEN.exists():
        pytest.skip("polyphon models pull Qwen2.5-Coder-0.5B")
    path = tmp_path / "traces.jsonl"
    record(path, [WORKSPACE], "--model", QWEN)
    flags = ["--precision", "f32", "--float-engine", "--kv-type", "f32"]
    for report in reports(path, *flags, model=QWEN):
        assert report["top1_agreement"] >= 0.99, report
        assert report["divergence_mean"] < 1e-4, report


def test_a_trained_version_agrees_and_is_told_from_the_base(tmp_path):
    version, data = tmp_path / "night-1", tmp_path / "data.jsonl"
    tokens = [100 + 7 * i % 900 for i in range(64)]
    data.write_text(json.dumps({"tokens": tokens, "targets": [[8, 64, 1.0]]}) + "\n")
    command = [BINARY, "train", "--model", MODEL, "--data", data, "--output", version]
    command += ["--epochs", "4", "--warmup-steps", "1", "--learning-rate", "2e-3"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    options = json.loads((version / "version.json").read_text())["config"]["options"]
    assert options["epochs"] == 4 and options["rank"] == 16
    path = tmp_path / "traces.jsonl"
    record(path, [WORKSPACE], "--version", version)
    flags = ["--precision", "f32", "--float-engine", "--kv-type", "f32"]
    for report in reports(path, *flags, "--version", version):
        assert report["top1_agreement"] >= 0.99, report
        assert report["divergence_mean"] < 1e-4, report
    command = [TRAINER, "parity", path, "--model", MODEL]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 1 and "was made by version night-1" in done.stderr


def test_a_trace_of_another_model_is_refused(traces, tmp_path):
    line = json.loads(traces.read_text().splitlines()[0])
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps(line | {"model_digest": "0" * 64}) + "\n")
    command = [TRAINER, "parity", other, "--model", MODEL]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 1
    assert "was made by model" in done.stderr
