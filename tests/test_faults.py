"""A server under bad weather: slow and broken clients, lost connections, full queues, TLS."""

import http.client
import json
import socket
import ssl
import subprocess
import threading
import time

import httpx
import openai
import pytest
from conftest import Server
from test_openai_client import CHAT, HELLO, PROBLEM, idle


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """A server with short patience and a short queue."""
    config = tmp_path_factory.mktemp("config") / "polyphon.toml"
    config.write_text(
        "[server]\nio_timeout_s = 1\nrequest_timeout_s = 3\n"
        "[engine]\nctx_size = 2048\nmax_waiting = 2\n"
    )
    server = Server("--config", config)
    yield server
    assert server.stop() == 0


def connect(server):
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def status_of(connection):
    """Of the server's answer; None when it closes without a word."""
    reply = http.client.HTTPResponse(connection)
    try:
        reply.begin()
        reply.read()
        return reply.status
    except (http.client.BadStatusLine, ConnectionResetError):
        return None


def head(length, path=CHAT, more=""):
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{more}\r\n".encode()


def is_well(server):
    return httpx.get(server.url + "/health", timeout=20).json() == {"status": "ok"}


@pytest.mark.parametrize(
    "sent, statuses",
    [
        (b"", {None, 400}),
        (b"GARBAGE\r\n\r\n", {400}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n", {400}),
        (b"GET /health HTTP/9.9\r\n\r\n", {400}),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", {414, None}),
        (b"GET /health HTTP/1.1\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", {400, 431, None}),
        (head("ten"), {400}),
        (head("-5"), {400}),
        (head(10**9), {400, 413}),  # announced, not sent
        (head(10**18), {400, 413}),
        (head(100) + b'{"messages"', {400, 408, None}),  # and no more
    ],
)
def test_what_is_no_request_is_refused_and_hurts_nobody(strict, sent, statuses):
    with connect(strict) as connection:
        try:
            connection.sendall(sent)
            if not sent:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all of it was sent
        assert status_of(connection) in statuses
    assert is_well(strict)


def test_a_client_that_drips_is_cut_off(strict):
    with connect(strict) as connection:
        connection.sendall(head(1000))
        start = time.monotonic()
        assert status_of(connection) in (400, 408, None)
        assert time.monotonic() - start < 15
    assert is_well(strict)


def test_connections_that_say_nothing_do_not_stop_others(strict):
    silent = [connect(strict) for _ in range(50)]
    try:
        assert is_well(strict)
    finally:
        for connection in silent:
            connection.close()


def test_a_chunked_body_is_read(strict):
    body = json.dumps({"messages": HELLO, "max_tokens": 2}).encode()
    parts = (body[i : i + 7] for i in range(0, len(body), 7))
    assert httpx.post(strict.url + CHAT, content=parts, timeout=60).status_code == 200


def test_a_cut_in_the_middle_of_a_stream_frees_the_cells(strict):
    body = json.dumps({"messages": PROBLEM, "stream": True, "max_tokens": 1500, "ignore_eos": True})
    for _ in range(3):
        with connect(strict) as connection:
            connection.sendall(head(len(body)) + body.encode())
            assert connection.recv(200).startswith(b"HTTP/1.1 200")
            # Reset, not closed: what the server sends next fails.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    figures = idle(strict)
    assert figures["polyphon_kv_cells_used"] == figures["polyphon_kv_cells_cached"]


def test_the_time_limit_is_an_error_in_the_stream_too(strict):
    body = {"messages": PROBLEM, "max_tokens": 1900, "ignore_eos": True}
    reply = httpx.post(strict.url + CHAT, json=body, timeout=60)
    assert reply.status_code == 504
    assert "time limit" in reply.json()["error"]["message"]
    reply = httpx.post(strict.url + CHAT, json=body | {"stream": True}, timeout=60)
    assert reply.status_code == 200
    last = [line for line in reply.text.splitlines() if line.startswith("data: ")][-1]
    assert "time limit" in json.loads(last.removeprefix("data: "))["error"]["message"]
    figures = idle(strict)
    assert figures["polyphon_kv_cells_used"] == figures["polyphon_kv_cells_cached"]


def test_the_official_client_hears_of_a_failure_in_the_stream(strict):
    client = openai.OpenAI(base_url=strict.url + "/v1", api_key="none", max_retries=0)
    endless = {"ignore_eos": True}
    streams = [
        lambda: client.chat.completions.create(
            model="", messages=PROBLEM, max_tokens=1900, stream=True, extra_body=endless
        ),
        lambda: client.responses.create(
            model="", input="Hello.", max_output_tokens=1900, stream=True, extra_body=endless
        ),
    ]
    for open_stream in streams:
        events = []
        with pytest.raises(openai.APIError, match="time limit"):
            for event in open_stream():
                events.append(event)
        assert events


def test_a_full_queue_says_when_to_come_again(strict):
    # Each needs most of the cells: one runs, two wait, the others are refused.
    body = {"messages": PROBLEM, "max_tokens": 1500, "ignore_eos": True}
    replies = []

    def ask():
        replies.append(httpx.post(strict.url + CHAT, json=body, timeout=60))

    clients = [threading.Thread(target=ask) for _ in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert len(replies) == 8
    refused = [reply for reply in replies if reply.status_code in (429, 503)]
    assert len(refused) >= 5
    for reply in refused:
        assert int(reply.headers["Retry-After"]) > 0
        assert "waiting" in reply.json()["error"]["message"]
    assert {reply.status_code for reply in replies} <= {200, 429, 503, 504}


def test_tls_with_a_certificate_of_ones_own(tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key,
         "-out", certificate], check=True, capture_output=True)  # fmt: skip
    server = Server("--tls-cert", certificate, "--tls-key", key)
    try:
        assert server.url.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(certificate))
        reply = httpx.post(
            server.url + CHAT, json={"messages": HELLO, "max_tokens": 2}, verify=trusted, timeout=60
        )
        assert reply.status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.url + "/health")
        with pytest.raises(httpx.HTTPError):
            httpx.get(server.url.replace("https", "http") + "/health", timeout=5)
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("by", ["flag", "config"])
def test_the_model_has_the_names_it_was_given(by, tmp_path):
    config = tmp_path / "polyphon.toml"
    config.write_text('[server]\nalias = ["think-small", "default"]\n')
    server = Server(*(["--alias", "think-small,default"] if by == "flag" else ["--config", config]))
    try:
        names = [model["id"] for model in httpx.get(server.url + "/v1/models").json()["data"]]
        assert names == ["think-small", "default"]
        assert httpx.get(server.url + "/v1/models/default").json()["id"] == "default"
        for name, status in [("default", 200), ("think-small", 200), ("other", 404)]:
            body = {"messages": HELLO, "max_tokens": 1, "model": name}
            reply = httpx.post(server.url + CHAT, json=body, timeout=60)
            assert reply.status_code == status
            assert reply.json().get("model", name) == name
    finally:
        assert server.stop() == 0
