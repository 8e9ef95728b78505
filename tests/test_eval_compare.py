"""`polyphon eval --compare` by the real program: a base and a version evaluated on a suite, what is kept
of them, and what cannot be compared."""

import hashlib
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from conftest import BINARY, MODEL, ROOT, polyphon

TERMS = ["--threads", 1, "--streams", 4, "--max-answer-tokens", 8, "--arms", "vote,sequential"]
INTERVAL = {"mean": 0.5, "low": 0.25, "high": 0.75}
BINS = [{"count": 9, "predicted": 0.25, "observed": 0.5}, {"count": 9, "predicted": 0.75, "observed": 1}]
HEADS = [
    {"data": {"traces": 8}},
    {"head": "value", "arm": "features", "auc": INTERVAL, "brier": INTERVAL, "calibration": BINS},
    {"head": "value", "arm": "untrained", "auc": INTERVAL, "brier": INTERVAL, "calibration": BINS},
    {"head": "value", "written": "features"},
    {"head": "gate", "arm": "features", "precision": INTERVAL, "recall": INTERVAL,
     "average_precision": INTERVAL, "calibration": BINS},
    {"head": "gate", "written": "features"},
]


def evaluate(*arguments, tokens=12):
    return polyphon("eval", "--model", MODEL, *TERMS, "--tokens", tokens, *arguments)


def suite_of(path, seed):
    entries = [{"family": name, "difficulty": 1, "count": 2} for name in ("products", "gcd")]
    path.write_text(json.dumps({"name": path.stem, "seed": seed, "entries": entries}))
    return path


def version_of(folder, base_digest, metrics):
    folder.mkdir()
    (folder / "version.json").write_text(
        json.dumps({"name": folder.name, "base_digest": base_digest, "data_hash": "", "config": {},
                    "metrics": metrics})
    )
    return folder


def write_heads(folder, name):
    written = polyphon("heads", folder / "heads.gguf", "--write", "--model", MODEL, "--version-name", name)
    assert written.returncode == 0, written.stderr


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return suite_of(tmp_path_factory.mktemp("suites") / "tiny.json", 5)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A version of untrained heads, with figures as if they were trained."""
    digest = hashlib.sha256(MODEL.read_bytes()).hexdigest()
    folder = version_of(tmp_path_factory.mktemp("versions") / "night-1", digest, {"heads": HEADS})
    write_heads(folder, "night-1")
    return folder


@pytest.fixture(scope="module")
def compared(tmp_path_factory, suite, night):
    folder = tmp_path_factory.mktemp("compared")
    command = ["--compare", "base", night, "--suite", suite, "--limit", 1, "--output", folder / "kept"]
    done = evaluate(*command, "--calibration", folder / "heads.svg", "--json")
    assert done.returncode == 0, done.stderr
    return folder, command, json.loads(done.stdout)


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_base_and_a_version_are_evaluated_and_compared(compared):
    folder, _, report = compared
    for side in ("base", "night-1"):
        header, *samples = lines_of(folder / "kept" / f"{side}.jsonl")
        assert header["evaluation"]["suite"] == "tiny"
        done = {(sample["arm"], sample["family"]) for sample in samples}
        assert len(samples) == len(done) == 4, "two arms of two problems"
    assert report["before"]["version"].startswith("base-")
    assert report["after"]["version"].startswith("night-1")
    assert {each["slice"] for each in report["comparisons"]} == {"all", "products", "products/1", "gcd", "gcd/1"}
    # Untrained heads decide nothing in these arms: pairs are alike.
    assert all(each["gain"] == each["stream_gain"] == {"mean": 0, "low": 0, "high": 0}
               for each in report["comparisons"])
    arms = {each["arm"]: each for each in report["arms"]}
    assert {"any_right", "error_correlation", "effective_streams"} <= set(arms["vote"])
    assert arms["vote"]["problems"] == 2 and arms["vote"]["any_right"]["gain"]["mean"] == 0
    assert "error_correlation" not in arms["sequential"], "one stream"
    assert report["heads"] == {"before": [], "after": HEADS}


def test_heads_are_drawn(compared, night, tmp_path):
    picture = (compared[0] / "heads.svg").read_text()
    names = {"svg": "http://www.w3.org/2000/svg"}
    root = ElementTree.fromstring(picture)
    assert len(root.findall("svg:g[@class='panel']", names)) == 2
    assert len(root.findall(".//svg:circle/svg:title", names)) == 3 * len(BINS)
    # The same without a comparison, of the version and of what the trainer left.
    (tmp_path / "night-1").mkdir()
    trained = tmp_path / "night-1" / "heads.jsonl"
    trained.write_text("".join(json.dumps(line) + "\n" for line in HEADS))
    for measured in (night, trained):
        done = polyphon("eval", "--calibration", tmp_path / "drawn.svg", measured)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "drawn.svg").read_text() == picture


def test_a_comparison_goes_on_where_it_was(compared):
    folder, command, report = compared
    base, night = folder / "kept" / "base.jsonl", folder / "kept" / "night-1.jsonl"
    before, whole = base.read_bytes(), lines_of(night)
    # As a kill leaves it, and without a member that older files have not.
    digest = f'"trained_digest":"{whole[0]["evaluation"]["trained_digest"]}",'
    night.write_text(night.read_text().replace(digest, "")[:-40])
    assert "trained_digest" not in night.read_text()
    done = evaluate(*command, "--json")
    assert done.returncode == 0, done.stderr
    assert base.read_bytes() == before
    again = lines_of(night)
    assert again[:-1] == whole[:-1] and again[-1]["streams"] == whole[-1]["streams"]
    assert json.loads(done.stdout) == report


def test_what_is_kept_is_an_evaluation_as_any_other(compared, suite):
    kept = compared[0] / "kept" / "base.jsonl"
    before = kept.read_bytes()
    evaluation = ["--suite", suite, "--limit", 1, "--output", kept, "--json"]
    for arguments in (evaluation, [*evaluation, "--report"]):
        done = evaluate(*arguments)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["evaluation"] == compared[2]["before"] and kept.read_bytes() == before
        assert [(arm["arm"], arm["problems"], arm["streams"]) for arm in report["arms"]] == [
            ("vote", 2, 4), ("sequential", 2, 1),
        ]


def test_files_are_compared_as_they_are(compared, night, suite):
    kept = compared[0] / "kept"
    files = ["--compare", kept / "base.jsonl", kept / "night-1.jsonl"]
    done = polyphon("eval", *files, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["comparisons"] == compared[2]["comparisons"] and report["arms"] == compared[2]["arms"]
    done = polyphon("eval", *files, "--suite", suite, "--arms", "vote")
    assert done.returncode == 0, done.stderr
    assert "| vote | K_eff | 2 |" in done.stdout and "| sequential |" not in done.stdout
    # A file beside a version, whose samples are there already.
    command = ["--compare", kept / "base.jsonl", night, "--suite", suite, "--limit", 1, "--output", kept]
    done = evaluate(*command)
    assert done.returncode == 0, done.stderr
    assert "| night-1 | features (written) | 0.500 (0.250 to 0.750) |" in done.stdout
    assert "| value head of | arm | AUC |" in done.stdout


def test_samples_are_summarised(compared):
    kept = compared[0] / "kept"
    script = ROOT / "scripts" / "summarize_samples.py"

    def summary(*arguments):
        command = [sys.executable, script, BINARY, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    one = summary(kept / "base.jsonl", "made by hand")
    assert "made by hand" in one and "suite tiny, streams 4, tokens 12, temperature 0.7" in one
    samples = lines_of(kept / "base.jsonl")[1:]
    streams = [stream for sample in samples if sample["arm"] == "vote" for stream in sample["streams"]]
    assert len(streams) == 8
    cut = [stream for stream in streams if stream["tokens"] >= 12]
    assert f"| vote | {sum(stream['right'] for stream in cut)} of {len(cut)} |" in one
    assert "| vote | K_eff | 2 |" in summary(kept / "base.jsonl", kept / "night-1.jsonl")


def test_what_was_trained_anew_is_not_mixed_with_what_it_was(compared, night):
    before = (night / "heads.gguf").read_bytes()
    write_heads(night, "night-1-again")
    done = evaluate(*compared[1])
    (night / "heads.gguf").write_bytes(before)
    assert done.returncode == 1 and "night-1.jsonl holds another evaluation" in done.stderr


def test_what_cannot_be_compared_is_refused_before_anything_is_evaluated(compared, night, suite, tmp_path):
    kept = compared[0] / "kept" / "base.jsonl"
    other = suite_of(tmp_path / "other.json", 6)
    foreign = version_of(tmp_path / "foreign", "f" * 64, {})
    plain = version_of(tmp_path / "plain", hashlib.sha256(MODEL.read_bytes()).hexdigest(), {})
    (tmp_path / "empty").mkdir()
    kept_in = ["--output", tmp_path / "kept"]
    refused = [
        (["--compare", kept, night, "--suite", other], "suite_digest"),
        (["--compare", kept, kept, "--suite", other], "suite_digest"),
        (["--compare", "base", tmp_path / "nowhere", "--suite", suite], "nothing at"),
        (["--compare", "base", tmp_path / "empty", "--suite", suite], "no version at"),
        (["--compare", "base", foreign, "--suite", suite], "f" * 64),
        (["--compare", MODEL, "base", "--suite", suite], "both called base"),
        (["--compare", "base", night], "--suite"),
        (["--compare", "base", plain, "--suite", suite, "--calibration", tmp_path / "x.svg"], "calibration"),
        (["--compare", kept, suite], "not the header of an evaluation"),
    ]
    for arguments, word in refused:
        done = evaluate(*arguments, *(kept_in if "--suite" in arguments else []))
        assert done.returncode == 1 and word in done.stderr, (arguments, done.stderr)
        assert len(done.stderr.splitlines()) == 1 and not done.stdout
    done = evaluate("--compare", kept, night, "--suite", suite, *kept_in, tokens=13)
    assert done.returncode == 1 and "their tokens is 12 and 13" in done.stderr
    assert not (tmp_path / "kept").exists() and not (tmp_path / "x.svg").exists()


def test_flags_that_do_not_go_together_are_refused(compared, night, suite, tmp_path):
    kept = compared[0] / "kept" / "base.jsonl"
    for arguments in (
        ["--compare", "base", night, "--suite", suite, "--version", night],
        ["--compare", kept, kept, "--output", tmp_path],
        ["--compare", kept, kept, "--report"],
        ["--compare", kept, kept, night],
        ["--calibration", tmp_path / "x.svg"],
        [night],
    ):
        assert polyphon("eval", *arguments).returncode == 2, arguments
