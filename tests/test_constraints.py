"""Grammars, schemas and tools that would stop a careless server, and those that real tools send."""

import json
import threading
import time

import httpx
import pytest
from conftest import Server
from test_openai_client import CHAT, HELLO, WEATHER, idle


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    assert server.stop() == 0


def format_of(schema):
    return {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}


def tool_of(parameters, choice):
    return {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}],
        "tool_choice": choice,
    }


def ask(server, wishes, path=CHAT, **more):
    body = {"messages": HELLO, "max_tokens": 8, "temperature": 0} | wishes | more
    if path == "/v1/completions":
        body["prompt"] = body.pop("messages")[-1]["content"]
    return httpx.post(server.url + path, json=body, timeout=60)


# Bounds in the wrong order made llama.cpp's matcher take all memory, wherever they stood.
SWAPPED = [
    {"type": "string", "pattern": "^a{5,2}$"},
    {"type": "string", "minLength": 5, "maxLength": 2},
    {"type": "array", "minItems": 5, "maxItems": 2},
    {"type": "object", "additionalProperties": True, "minProperties": 5, "maxProperties": 2},
    {"type": "integer", "minimum": 5, "maximum": 2},
]


@pytest.mark.parametrize("schema", SWAPPED, ids=lambda schema: list(schema)[1])
def test_bounds_in_the_wrong_order_are_refused_with_their_place(server, schema):
    inside = {"type": "object", "properties": {"a": {"items": schema}}, "required": ["a"]}
    for wishes, param in [
        (format_of(schema), "response_format"),
        (format_of(inside), "response_format"),
        (tool_of(inside, "auto"), "tools[0].function.parameters"),
        (tool_of(inside, "required"), "tools[0].function.parameters"),
    ]:
        reply = ask(server, wishes)
        assert reply.status_code == 400, reply.text
        error = reply.json()["error"]
        assert error["param"] == param
        assert "#" in error["message"]
    assert ask(server, format_of(schema), "/v1/completions").status_code == 400


@pytest.mark.parametrize(
    "grammar",
    [
        'root ::= "a"{5,2}',
        'root ::= ("a" | "b"{9,3})*',
        'root ::= "a"{4000000000}',
        "root ::= " + "(" * 100_000,
        'root ::= root "a" | "a"',
        "root ::= " + "x " * 200_000,
    ],
    ids=["swapped", "inside", "huge", "deep", "left recursion", "undefined"],
)
def test_grammars_that_cannot_be_are_refused_at_once(server, grammar):
    for path in (CHAT, "/v1/completions"):
        reply = ask(server, {"grammar": grammar}, path)
        assert reply.status_code == 400, reply.text
        assert reply.json()["error"]["param"] == "grammar"
        assert len(reply.text) < 1000


@pytest.mark.parametrize(
    "grammar, text",
    [
        ('root ::= ("a"? "b"?){100} "!"', None),
        ('root ::= (("a"+)+)+ "!"', None),
        ('root ::= "ab"', "ab"),
        ('root ::= "a"{0,100000} "!"', None),
    ],
)
def test_ambiguous_grammars_are_followed(server, grammar, text):
    reply = ask(server, {"grammar": grammar}).json()
    answer = reply["choices"][0]["message"]["content"]
    assert set(answer) <= set("ab!")
    if text:
        assert answer == text and reply["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("size", [2_000, 20_000])
def test_a_long_enum_stops_nobody(server, size):
    values = [f"choice number {i}" for i in range(size)]
    others = []

    def other():
        others.append(httpx.get(server.url + "/health", timeout=20).status_code)
        others.append(ask(server, {}).status_code)

    beside = [threading.Thread(target=other) for _ in range(4)]
    for thread in beside:
        thread.start()
    reply = ask(server, format_of({"enum": values}), max_tokens=20).json()
    for thread in beside:
        thread.join()
    assert json.loads(reply["choices"][0]["message"]["content"]) in values
    assert others == [200] * 8


def heavy(max_tokens):
    """A request that goes on for so many tokens, each bound by a long list."""
    items = {"enum": [f"choice number {i}" for i in range(20_000)]}
    schema = {"type": "array", "items": items, "minItems": 1000}
    return {"messages": HELLO, "max_tokens": max_tokens} | format_of(schema)


def test_a_client_that_leaves_a_heavy_schema_frees_its_place(server):
    for _ in range(3):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(server.url + CHAT, json=heavy(4000), timeout=0.7)
    assert ask(server, {}).status_code == 200
    figures = idle(server)
    assert figures["polyphon_kv_cells_used"] == figures["polyphon_kv_cells_cached"]


def test_schemas_of_real_tools_are_taken(server):
    parameters = {
        "type": "object",
        "properties": {f"option_{i}": {"type": "integer"} for i in range(18)},
        "required": [],
    }
    node = {"properties": {"v": {"type": "integer"}, "next": {"$ref": "#"}}, "required": ["v"]}
    for schema in (parameters, node, {"type": "string", "pattern": r"^\d{3}-\w+$"}):
        assert ask(server, format_of(schema)).status_code == 200
    for choice in ("auto", "required"):
        assert ask(server, tool_of(parameters, choice)).status_code == 200
        assert ask(server, tool_of(node, choice)).status_code == 200


def test_the_order_of_properties_is_kept(server):
    schema = {
        "type": "object",
        "properties": {"reasoning": {"const": "short"}, "answer": {"const": 4}},
        "required": ["answer", "reasoning"],
    }
    reply = ask(server, format_of(schema), max_tokens=60).json()
    assert list(json.loads(reply["choices"][0]["message"]["content"])) == ["reasoning", "answer"]


@pytest.mark.parametrize(
    "schema, fits",
    [
        ({"type": "string", "pattern": r"^\d{3}-[a-f]$"}, lambda x: len(x) == 5 and x[:3].isdigit()),
        ({"type": "integer", "minimum": 17, "maximum": 19}, lambda x: 17 <= x <= 19),
        ({"type": "number", "exclusiveMinimum": 0.5, "maximum": 0.75}, lambda x: 0.5 < x <= 0.75),
        ({"type": "string", "minLength": 3, "maxLength": 3}, lambda x: len(x) == 3),
        ({"type": "string", "format": "date"}, lambda x: len(x) == 10),
    ],
    ids=["pattern", "integer", "number", "length", "date"],
)
def test_constraints_hold(server, schema, fits):
    for seed in range(2):
        reply = ask(server, format_of(schema), max_tokens=40, temperature=1.5, seed=seed).json()
        choice = reply["choices"][0]
        if choice["finish_reason"] == "stop":
            assert fits(json.loads(choice["message"]["content"])), choice


@pytest.mark.parametrize(
    "keyword",
    [{"not": {}}, {"multipleOf": 3, "type": "number"}, {"uniqueItems": True, "type": "array"}],
    ids=lambda keyword: list(keyword)[0],
)
def test_a_constraint_is_never_dropped_silently(server, keyword):
    schema = {"type": "object", "properties": {"a": keyword}}
    reply = ask(server, format_of(schema))
    assert reply.status_code == 400
    assert f"#/properties/a/{list(keyword)[0]}" in reply.json()["error"]["message"]


def test_a_tool_call_still_follows_its_schema(server):
    reply = ask(server, {"tools": [WEATHER], "tool_choice": "required"}, max_tokens=80).json()
    call = reply["choices"][0]["message"]["tool_calls"][0]["function"]
    assert call["name"] == "get_weather"
    json.loads(call["arguments"])


def test_sigterm_ends_a_server_that_is_busy_with_a_heavy_grammar():
    server = Server()
    replies = []
    client = threading.Thread(
        target=lambda: replies.append(httpx.post(server.url + CHAT, json=heavy(600), timeout=120))
    )
    client.start()
    while not httpx.get(server.url + "/slots", timeout=20).json():
        time.sleep(0.05)
    assert server.stop() == 0
    client.join()
    assert replies[0].status_code == 200  # what runs is finished within the drain limit
