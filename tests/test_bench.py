"""`polyphon bench`: its pairs, and that our kernels compute what ggml's own do."""

import json
import subprocess

import pytest
from conftest import BINARY, MODEL, QWEN, ROOT

LICENCES = "/usr/share/common-licenses"


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Over 8,000 tokens of prose that every Debian has; else this project's own."""
    path = tmp_path_factory.mktemp("text") / "text.txt"
    sources = [f"{LICENCES}/GPL-3", f"{LICENCES}/Apache-2.0"]
    try:
        parts = [open(source, encoding="utf-8").read() for source in sources]
    except OSError:
        parts = [file.read_text() for file in sorted(ROOT.glob("**/*.md"))]
    path.write_text("\n".join(parts))
    return path


def bench(*arguments, model=MODEL):
    done = subprocess.run(
        [str(a) for a in (BINARY, "bench", *arguments, "--model", model, "--json")],
        capture_output=True,
        text=True,
        timeout=900,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    "most,least", [(1024, 1000), pytest.param(1 << 20, 8000, marks=pytest.mark.long)]
)
def test_attention_alone_changes_no_third_decimal(text, most, least):
    """With float weights nothing amplifies the last bits of a sum."""
    (row,) = bench("perplexity", "--text", text, "--float-weights", "--tokens", most)
    assert row["tokens"] > least
    assert abs(row["ours"] - row["stock"]) < 5e-4, row
    assert row["divergence"] < 1e-5, row
    assert row["same_best_token"] > 0.999, row


def test_another_architecture_has_the_same_logits(text):
    """Qwen2: biases, 7 query heads for a KV head. All 8,176 tokens are in docs/kernels.md."""
    if not QWEN.exists():
        pytest.skip(f"{QWEN} is missing: `polyphon models pull Qwen2.5-Coder-0.5B`")
    (row,) = bench("perplexity", "--text", text, "--float-weights", "--tokens", 1024, model=QWEN)
    assert abs(row["ours"] - row["stock"]) < 1e-3, row
    assert row["worst_logit_difference"] < 1e-2, row
    assert row["divergence"] < 1e-5, row
    assert row["same_best_token"] > 0.998, row


@pytest.mark.parametrize("streams", [1, 8])
def test_with_packed_weights_too(text, streams):
    """8-bit inputs of layers flip where a sum's last bit does: ggml's own two ways, in chunks and by
    rows, are as far from each other."""
    (row,) = bench("perplexity", "--text", text, "--streams", streams, "--tokens", 1024, "--window", 128)
    assert abs(row["ours"] / row["stock"] - 1) < 0.02, row
    assert row["divergence"] < 1e-2, row
    assert row["same_best_token"] > 0.9, row


def test_decode_bench_pairs_both():
    rows = bench(
        "decode", "--prompt", 64, "--streams", "1,3", "--views", "shared,private", "--repeats", 1,
        "--steps", 2, "--chunks", 64,
    )
    shapes = [(row["streams"], row["rows"], row["views"]) for row in rows]
    assert shapes == [(1, 1, "shared"), (3, 1, "shared"), (3, 1, "private"), (1, 64, "shared")]
    for row in rows:
        assert row["ours_tokens_per_s"] > 0 and row["stock_tokens_per_s"] > 0
        assert row["ratio"] == pytest.approx(row["ours_tokens_per_s"] / row["stock_tokens_per_s"])
        assert row["bytes_per_step"] > 50e6


def test_attention_bench_pairs_both():
    done = subprocess.run(
        [BINARY, "bench", "attention", "--prompt", "64", "--rows", "1,4", "--repeats", "1", "--json"],
        capture_output=True, text=True, timeout=120, check=True,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["rows"], row["views"]) for row in rows] == [
        (1, "shared"), (4, "shared"), (4, "private"), (4, "mixed"),
    ]
    assert all(row["ours_us"] > 0 and row["stock_us"] > 0 for row in rows)
    assert rows[0]["bytes"] == 2 * 64 * 3 * 64 * 2


@pytest.mark.long
def test_memory_bench_finds_what_the_window_lost():
    (row,) = bench("memory", "--facts", 4, "--window", 128, "--times", 2)
    with_memory, window_alone = row["rows"]
    assert with_memory["exact"] == 4 and window_alone["exact"] == 0, row


@pytest.mark.long
def test_workspace_bench_pairs_the_same_sessions():
    (row,) = bench("workspace", "--pairs", 2, "--topology", "4x48", "--register-cadence", 12,
                   "--simulations", 16)
    alone, registers, promotions, search = row["rows"]
    assert alone["ratio"]["median"] == 1 and alone["register_rows"] == 0
    assert registers["register_rows"] > 0 and registers["promotions"] == 0
    assert promotions["promotions"] > 0
    assert search["simulations"] >= 16 and search["leaves_per_step"] > 1
