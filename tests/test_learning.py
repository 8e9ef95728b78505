"""Self-play, training data and training by the real program; the trainer itself is a stand-in."""

import json
import re
import signal
import stat
import subprocess
import time

import pytest
from conftest import BINARY, MODEL, TRAINER, Server, polyphon, require

SELFPLAY = ["selfplay", "--model", MODEL, "--families", "products,letter_counting"]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    require(BINARY, MODEL)
    folder = tmp_path_factory.mktemp("learning") / "play"
    flags = ["--tokens", "32", "--streams", "4", "--output", folder]
    first = subprocess.Popen([str(p) for p in [BINARY, *SELFPLAY, *flags, "--problems", 1000]])
    traces = folder / "traces.jsonl"
    while not traces.exists() or traces.read_bytes().count(b"\n") < 4:
        assert first.poll() is None
        time.sleep(0.1)
    first.kill()
    first.wait()
    left = traces.read_bytes().count(b"\n")
    done = polyphon(*SELFPLAY, *flags, "--problems", left + 4, "--json")
    assert done.returncode == 0, done.stderr
    return folder, left, json.loads(done.stdout)


def test_selfplay_goes_on_after_a_kill(played):
    folder, left, summary = played
    assert summary["resumed"] == left and summary["problems"] == 4
    traces = [json.loads(line) for line in (folder / "traces.jsonl").open()]
    assert len(traces) == left + 4
    assert all(len(trace["outcome"]["right"]) == 4 for trace in traces)
    assert sum(cell["problems"] for cell in summary["cells"]) == left + 4


def test_servers_play_and_one_that_is_killed_leaves_its_problems_to_the_other(tmp_path):
    servers = [Server("--ctx-size", 4096) for _ in range(2)]
    folder = tmp_path / "play"
    command = [BINARY, "selfplay", "--families", "products,letter_counting", "--problems", "12"]
    command += ["--tokens", "24", "--streams", "4", "--output", folder, "--json", "--servers"]
    command += [",".join(server.url for server in servers)]
    run = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    traces = folder / "traces.jsonl"
    while not traces.exists() or traces.read_bytes().count(b"\n") < 3:
        assert run.poll() is None
        time.sleep(0.05)
    servers[0].process.kill()
    output, errors = run.communicate(timeout=300)
    assert run.returncode == 0, errors
    assert f"{servers[0].url} plays no more" in errors
    assert json.loads(output)["problems"] == 12
    lines = [json.loads(line) for line in traces.open()]
    seeds = {(line["outcome"]["family"], line["outcome"]["seed"]) for line in lines}
    assert len(lines) == len(seeds) == 12
    assert {line["version"] for line in lines} == {lines[0]["version"]}
    assert servers[1].stop() == 0
    assert polyphon(*SELFPLAY, *command[5:]).returncode == 2  # a model here, or servers


def examples(path):
    header, *lines = [json.loads(line) for line in path.open()]
    assert list(header) == ["model_digest"]
    return lines


def test_data_build_writes_what_the_trainer_reads(played, tmp_path):
    data = tmp_path / "data.jsonl"
    flags = ["--model", MODEL, "--worked-below", "1.1", "--worked-per-cell", "3", "--json"]
    done = polyphon("data", "build", played[0], "--output", data, *flags)
    assert done.returncode == 0, done.stderr
    lines = examples(data)
    counts = json.loads(done.stdout)
    assert counts["sequences"] == len(lines) > 0
    for line in lines:
        [[begin, end, weight]] = line["targets"]
        assert 1 <= begin < end == len(line["tokens"]) and weight > -0.101


def test_data_build_makes_whole_sessions_with_answers(played, tmp_path):
    data = tmp_path / "data.jsonl"
    flags = ["--model", MODEL, "--worked-per-cell", "0", "--json"]
    flags += ["--whole-sessions", "--answers-per-cell", "9"]
    done = polyphon("data", "build", played[0], "--output", data, *flags)
    assert done.returncode == 0, done.stderr
    lines = examples(data)
    assert 0 < len(lines) <= json.loads(done.stdout)["sequences"]
    for line in lines:
        ends = [run[1] for run in line["runs"]]
        assert [run[0] for run in line["runs"]] == [0, *ends[:-1]]
        assert ends[-1] == len(line["tokens"])
        for begin, end, _, *source in line["targets"]:
            assert any(run[0] <= begin < end <= run[1] for run in line["runs"])
            assert all(row < begin for row in source)


def test_the_model_proposes_problems_itself(tmp_path):
    play, data = tmp_path / "play", tmp_path / "data.jsonl"
    flags = ["--tokens", "16", "--streams", "2", "--proposed-share", "1", "--problems", 8]
    done = polyphon(*SELFPLAY, *flags, "--output", play, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    outcomes = [json.loads(line)["outcome"] for line in (play / "traces.jsonl").open()]
    proposed = [outcome["proposed"] for outcome in outcomes if "proposed" in outcome]
    assert len(proposed) == len(set(proposed)) == summary["proposals"]["taken"] > 0
    form = re.compile(r'What is \d+ times \d+\?|How many times .* in "[a-z ]+"\?')
    assert all(form.fullmatch(question) for question in proposed)
    flags = ["--model", MODEL, "--worked-below", "1.1", "--worked-per-cell", "1", "--json"]
    done = polyphon("data", "build", play, "--output", data, *flags)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["proposed"] + counts["one_sided"] == len(proposed)


def test_a_server_proposes_problems_too(tmp_path):
    server = Server("--ctx-size", 4096)
    try:
        command = ["selfplay", "--families", "products,letter_counting", "--servers", server.url]
        flags = ["--tokens", "16", "--streams", "2", "--proposed-share", "1", "--problems", 3]
        done = polyphon(*command, *flags, "--output", tmp_path / "play", "--json")
    finally:
        assert server.stop() == 0
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "play" / "traces.jsonl").open()]
    proposed = [line["outcome"]["proposed"] for line in lines if "proposed" in line["outcome"]]
    assert len(lines) == 3 and len(proposed) == json.loads(done.stdout)["proposals"]["taken"] > 0


def test_usage_and_input_errors_are_clear(played, tmp_path):
    assert polyphon(*SELFPLAY, "--output", tmp_path / "play").returncode == 2
    unknown = ["selfplay", "--model", MODEL, "--families", "chess", "--problems", 1]
    done = polyphon(*unknown, "--output", tmp_path / "play")
    assert done.returncode == 1 and "'chess'" in done.stderr
    done = polyphon("data", "build", tmp_path, "--model", MODEL, "--output", tmp_path / "data")
    assert done.returncode == 1 and "is no folder of `polyphon selfplay`" in done.stderr


def stand_in(path, body):
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def train(tmp_path, trainer, *more):
    data = tmp_path / "data.jsonl"
    data.write_text("{}\n")
    flags = ["--model", MODEL, "--data", data, "--output", tmp_path / "night-1"]
    return ["train", *flags, "--trainer", trainer, *more]


def test_train_makes_a_version(tmp_path):
    body = """out=$7; mkdir -p $out; echo "$@" > $out/arguments; echo adapter > $out/adapter.gguf
echo '{"step": 1, "of": 2, "loss": {"tokens": 2}}'; echo '{"step": 2, "of": 2, "loss": {"tokens": 1}}'
"""
    done = polyphon(*train(tmp_path, stand_in(tmp_path / "trainer", body), "--rank", "4", "--json"))
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["step"] for line in done.stdout.splitlines()] == [1, 2]
    version = json.loads((tmp_path / "night-1" / "version.json").read_text())
    assert version["name"] == "night-1" and version["metrics"]["loss"]["tokens"] == 1
    assert len(version["base_digest"]) == len(version["data_hash"]) == 64
    assert (tmp_path / "night-1" / "arguments").read_text().endswith("--json --rank 4\n")


def test_train_passes_signals_on_and_makes_no_version_of_half_a_run(tmp_path):
    body = """trap 'echo stopped >&2; exit 0' TERM
echo '{"step": 1, "of": 9, "loss": {"tokens": 2}}'; while :; do sleep 0.1; done
"""
    command = train(tmp_path, stand_in(tmp_path / "trainer", body), "--json")
    running = subprocess.Popen(
        [str(part) for part in [BINARY, *command]],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    running.stdout.readline()
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 0 and "stopped" in errors
    assert not (tmp_path / "night-1" / "version.json").exists()


def test_a_trainer_that_fails_fails_the_command(tmp_path):
    done = polyphon(*train(tmp_path, stand_in(tmp_path / "trainer", "echo no >&2; exit 3\n")))
    assert done.returncode == 1 and "no\n" in done.stderr and "ended with 3" in done.stderr
    done = polyphon(*train(tmp_path, tmp_path / "nowhere"))
    assert done.returncode == 1 and "cannot start" in done.stderr


def test_a_version_of_another_base_is_refused_with_both_digests(tmp_path):
    members = {"name": "n", "base_digest": "f" * 64, "data_hash": "", "config": {}, "metrics": {}}
    (tmp_path / "version.json").write_text(json.dumps(members))
    done = polyphon("think", "--model", MODEL, "--version", tmp_path, "Hello")
    assert done.returncode == 1 and "f" * 64 in done.stderr
    assert len([word for word in done.stderr.replace(",", " ").split() if len(word) == 64]) == 2


def sessions_with_registers(folder):
    flags = ["--tokens", "24", "--streams", "4", "--registers", "2", "--register-cadence", "8"]
    done = polyphon(*SELFPLAY, *flags, "--problems", 24, "--output", folder, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def counterfactuals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads") / "play"
    summary = sessions_with_registers(folder)
    assert summary["counterfactuals"] == summary["promotions"] > 0
    return folder


def test_without_a_promotion_sessions_are_the_same_up_to_it(counterfactuals):
    traces = [json.loads(line) for line in (counterfactuals / "traces.jsonl").open()]
    all_of_them = [c for trace in traces for c in trace["outcome"].get("counterfactuals", [])]
    assert len(all_of_them) > 20
    assert all(each["same_before"] and len(each["right"]) == 4 for each in all_of_them)


def train_heads(folders, out, *more):
    flags = ["--model", MODEL, "--heads", *folders, "--output", out, "--threads", "1"]
    return polyphon("train", *flags, *more)


@pytest.mark.skipif(not TRAINER.exists(), reason="polyphon-train is not built: make trainer")
def test_heads_are_trained_and_served(counterfactuals, played, tmp_path):
    damaged = tmp_path / "play"
    damaged.mkdir()
    lines = (counterfactuals / "traces.jsonl").read_text().splitlines()
    foreign = lines[0].replace(json.loads(lines[0])["model_digest"], "f" * 64)
    lines[1:1] = ["{damaged", foreign, lines[2].replace('"base-', '"night-')]
    (damaged / "traces.jsonl").write_text("\n".join(lines) + "\n")
    (damaged / "selfplay.json").write_text((counterfactuals / "selfplay.json").read_text())

    done = train_heads([damaged], tmp_path / "night-1", "--json")
    assert done.returncode == 0, done.stderr
    report = [json.loads(line) for line in done.stdout.splitlines()]
    data = report[0]["data"]
    assert data["traces"] == 24 and data["damaged"] == data["of_another_model"] == 1
    assert sum(data["of_another_version"].values()) == 1
    assert "traces.jsonl line 2" in data["first_damage"]
    written = {line["head"]: line["written"] for line in report if "written" in line}
    assert set(written) == {"value", "gate", "write", "read", "topology"}
    nothing_to_learn = [written[head] for head in ("write", "read", "topology")]
    assert nothing_to_learn == ["what was there"] * 3
    arms = {line["arm"] for line in report if line.get("head") == "value" and "arm" in line}
    assert {"untrained", "features", "features and state", "log-probability of the step"} <= arms
    version = json.loads((tmp_path / "night-1" / "version.json").read_text())
    assert version["name"] == "night-1" and len(version["metrics"]["heads"]) == len(report)

    # Again, from the states that are kept: the same to the byte.
    heads = (tmp_path / "night-1" / "heads.gguf").read_bytes()
    done = train_heads([damaged], tmp_path / "night-1")
    assert done.returncode == 0 and "| features and state |" in done.stdout, done.stderr
    assert (tmp_path / "night-1" / "heads.gguf").read_bytes() == heads

    # Of too few problems nothing is learnt, and nothing is lost.
    done = train_heads([played[0]], tmp_path / "night-1")
    assert done.returncode == 0 and "gate head: what was there is written" in done.stdout
    assert (tmp_path / "night-1" / "heads.gguf").read_bytes() == heads

    thought = ["think", "--model", MODEL, "--version", tmp_path / "night-1", "--topology", "2x8"]
    done = polyphon(*thought, "--json", "What is 2 + 2?")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["polyphon"]["version"] == "night-1+heads"


@pytest.mark.skipif(not TRAINER.exists(), reason="polyphon-train is not built: make trainer")
def test_an_adapter_and_the_gate_trained_beside_it_are_one_version(counterfactuals, tmp_path):
    data = tmp_path / "data.jsonl"
    flags = ["--model", MODEL, "--worked-per-cell", "0", "--whole-sessions", "--json"]
    done = polyphon("data", "build", counterfactuals, "--output", data, *flags)
    assert done.returncode == 0, done.stderr
    lines = examples(data)
    learnt = [p for line in lines for p in line.get("promotions", []) if p["effect"] != 0]
    assert json.loads(done.stdout)["effects"] == len(learnt) > 0
    assert any(len(run) == 5 for line in lines for run in line["runs"])

    flags = ["--model", MODEL, "--data", data, "--output", tmp_path / "night-1", "--threads", "1"]
    flags += ["--max-steps", "2", "--promotion-weight", "1"]
    done = polyphon("train", *flags)
    assert done.returncode == 0, done.stderr
    version = json.loads((tmp_path / "night-1" / "version.json").read_text())
    assert set(version["metrics"]["loss"]) == {"tokens", "promotion"}
    thought = ["think", "--model", MODEL, "--version", tmp_path / "night-1", "--topology", "2x8"]
    done = polyphon(*thought, "--json", "What is 2 + 2?")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["polyphon"]["version"] == "night-1+gate"


@pytest.mark.skipif(not TRAINER.exists(), reason="polyphon-train is not built: make trainer")
def test_memory_heads_are_trained_and_measured(tmp_path):
    play = ["selfplay", "--recall", "--model", MODEL, "--streams", 4, "--output", tmp_path / "play"]
    done = polyphon(*play, "--problems", 12, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"sessions": 12, "resumed": 0}
    done = train_heads([tmp_path / "play"], tmp_path / "night-1", "--folds", "3", "--json")
    assert done.returncode == 0, done.stderr
    report = [json.loads(line) for line in done.stdout.splitlines()]
    data = report[0]["data"]
    assert data["recall_sessions"] == 12 and data["steps"] == data["promotions"] == 0
    assert data["looks"] > data["looks_that_want"] > 90 and data["sentences"] > 200
    arms = {(line["head"], line["arm"]) for line in report if "arm" in line}
    assert {("write", "log-probability"), ("read", "words"), ("read", "cosine")} <= arms
    written = {line["head"]: line["written"] for line in report if "written" in line}
    assert written["gate"] == written["value"] == "what was there"
    assert written["read"] != "untrained" and written["write"] != "untrained"

    bench = ["bench", "recall", "--model", MODEL, "--sessions", 1, "--json"]
    done = polyphon(*bench, "--heads", tmp_path / "night-1" / "heads.gguf")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    nothing, untrained_all, trained_all, untrained, trained = rows
    assert nothing["found"]["mean"] == nothing["brought_in_vain"] == 0
    assert len({row["questions"] for row in rows}) == 1 and nothing["questions"] > 24
    assert untrained_all["written"]["mean"] > 0.95 and trained_all["written"]["mean"] > 0.95
    assert untrained["over"] == "nothing comes back" and trained["over"] == untrained["what"]


@pytest.mark.skipif(not TRAINER.exists(), reason="polyphon-train is not built: make trainer")
def test_the_value_head_learns_from_searches_whose_states_were_played_out(tmp_path):
    play = tmp_path / "play"
    flags = ["--streams", "2", "--tokens", "64", "--search", "always", "--search-simulations", "6"]
    done = polyphon(*SELFPLAY, *flags, "--problems", 6, "--output", play, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["searches"] > 3 and summary["labelled_states"] > 2 * summary["searches"]

    done = train_heads([play], tmp_path / "night-1", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout.splitlines()[0])["data"]
    assert data["searches"] == summary["searches"]
    assert data["steps"] >= summary["labelled_states"]

    done = polyphon("data", "build", play, "--model", MODEL, "--output", tmp_path / "data.jsonl")
    lines = [json.loads(line) for line in (play / "traces.jsonl").open()]
    searched = sum(bool(line["outcome"].get("trees")) for line in lines)  # the others ended too soon
    assert re.search(rf"\b{searched} (traces )?with searches", done.stderr), done.stderr


@pytest.mark.skipif(not TRAINER.exists(), reason="polyphon-train is not built: make trainer")
def test_the_topology_head_is_trained_on_several_topologies_a_problem(tmp_path):
    play, night = tmp_path / "play", tmp_path / "night-1"
    one = ["--threads", "1"]
    play_it = ["selfplay", "--model", MODEL, "--families", "products", "--output", play, "--json"]
    play_it += ["--topologies", "1x48,4x12,auto", "--budget", "48", "--problems", 12, *one]
    done = polyphon(*play_it)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answers"] == 3 * 12

    done = train_heads([play], night, "--json", "--folds", "3")
    assert done.returncode == 0, done.stderr
    report = [json.loads(line) for line in done.stdout.splitlines()]
    data = report[0]["data"]
    assert data["answers"] == 2 * 12 and data["topologies"] == ["1x48", "4x12"]
    policies = {line["arm"]: line for line in report if line.get("head") == "choice of 48 tokens"}
    assert {"always 1x48", "as the model states", "any is right"} <= set(policies)
    assert policies["always 1x48"]["problems"] == 12
    [written] = [line["written"] for line in report if line.get("head") == "topology" and "written" in line]

    config = tmp_path / "polyphon.toml"
    config.write_text("[polyphon]\nauto_budget_tokens = 64\n")
    think = ["think", "--model", MODEL, "--config", config, "--topology", "auto", "--json", *one]
    done = polyphon(*think, "--max-answer-tokens", "4", "--version", night, "What is 3 times 4?")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)["polyphon"]
    assert answer["topology"] in ("1x64", "2x32")
    # So few problems may teach nothing; then what the model states stands.
    assert ("plan" in answer) == (written != "untrained")
    if "plan" in answer:
        assert answer["plan"]["topology"] == answer["topology"]


@pytest.mark.skipif(not TRAINER.exists(), reason="polyphon-train is not built: make trainer")
def test_heads_need_traces_of_this_model(played, tmp_path):
    empty = tmp_path / "play"
    empty.mkdir()
    (empty / "traces.jsonl").write_text("")
    (empty / "selfplay.json").write_text("{}")
    done = train_heads([empty], tmp_path / "night-1")
    assert done.returncode == 1 and "no trace to learn from" in done.stderr
    done = train_heads([tmp_path], tmp_path / "night-1")
    assert done.returncode == 1 and "is no folder of `polyphon selfplay`" in done.stderr
    done = train_heads([played[0]], tmp_path / "night-1", "--folds", "1")
    assert done.returncode == 1 and "folds is 1" in done.stderr
    assert not (tmp_path / "night-1" / "version.json").exists()
    assert polyphon("train", "--model", MODEL, "--output", tmp_path).returncode == 2
