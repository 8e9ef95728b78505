"""A server of the program under test, on a free port of 127.0.0.1, with the default model."""

import os
import re
import subprocess
import threading
from pathlib import Path

import httpx
import openai
import pytest

ROOT = Path(__file__).resolve().parent.parent
BINARY = Path(os.environ.get("POLYPHON_BINARY", ROOT / "build" / "release" / "polyphon"))
TRAINER = BINARY.parent / "polyphon-train"
CACHE = Path(os.environ.get("POLYPHON_CACHE", Path.home() / ".cache" / "polyphon"))
MODEL = Path(
    os.environ.get(
        "POLYPHON_TEST_MODEL", CACHE / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    )
)
# Another architecture, for tests that have it; they are skipped without.
QWEN = CACHE / "models" / "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"


def pytest_configure(config):
    config.addinivalue_line("markers", "long: shows a figure on much input (make check-long)")


def require(*paths):
    for path in paths:
        if not path.exists():
            pytest.skip(f"{path} is missing: run `make build model`")


def polyphon(*arguments):
    """Runs the program to its end."""
    require(BINARY, MODEL)
    command = [str(part) for part in [BINARY, *arguments]]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


class Server:
    """One `polyphon serve`, known by its process id and the address that it prints."""

    def __init__(self, *arguments):
        require(BINARY, MODEL)
        command = [BINARY, "serve", "--host", "127.0.0.1"]
        if "--model" not in arguments:
            command += ["--model", MODEL]
        if "--port" not in arguments:
            command += ["--port", "0"]
        self.process = subprocess.Popen(
            [str(part) for part in [*command, *arguments]], stdout=subprocess.PIPE, text=True
        )
        self.output = []
        for line in self.process.stdout:
            self.output.append(line)
            address = re.search(r"https?://[\d.]+:\d+", line)
            if address:
                break
        else:
            raise RuntimeError(f"the server ended at once: {''.join(self.output)}")
        self.url = address.group()
        # Whatever else it prints must not fill the pipe.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def metrics(self, key=""):
        """The figures of /metrics by name and labels, summed over versions."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        text = httpx.get(self.url + "/metrics", headers=headers, timeout=60).text
        figures = {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            name, value = line.rsplit(" ", 1)
            name = re.sub(r',?version="[^"]*"', "", name).replace("{}", "")
            figures[name] = figures.get(name, 0) + float(value)
        return figures

    def rss_bytes(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=90)


@pytest.fixture(scope="session")
def server():
    running = Server()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="session")
def client(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=300)
