"""What the official client can do with the server, and what it is told when it asks for nonsense."""

import json
import time

import httpx
import openai
import pytest
from conftest import Server

MODEL = ""  # the served one
HELLO = [{"role": "user", "content": "Say hello to the world."}]
PROBLEM = [{"role": "user", "content": "Tom has 3 boxes with 4 pens each. How many pens is that?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def idle(server, key=""):
    """Waits until nothing runs; the metrics then."""
    while True:
        figures = server.metrics(key)
        if figures["llamacpp:requests_processing"] + figures["llamacpp:requests_deferred"] == 0:
            return figures
        time.sleep(0.05)


def warmed(create, **wishes):
    """The answer once the prompt is in the prefix cache: what follows computes the same way."""
    create(**wishes)
    return create(**wishes)


def test_plain(client):
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=20)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert 0 < answer.usage.completion_tokens <= 20
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert not hasattr(answer, "polyphon")


def test_the_model_may_be_named_as_listed(client):
    name = client.models.list().data[0].id
    assert client.models.retrieve(name).id == name
    answer = client.chat.completions.create(model=name, messages=HELLO, max_tokens=3)
    assert answer.model == name


def test_the_same_seed_gives_the_same_text_streamed_or_not(client):
    wishes = dict(model=MODEL, messages=HELLO, max_tokens=24, seed=7, temperature=0.9)
    whole = warmed(client.chat.completions.create, **wishes).choices[0].message.content
    text, last = "", None
    for chunk in client.chat.completions.create(
        **wishes, stream=True, stream_options={"include_usage": True}
    ):
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
        last = chunk
    assert text == whole
    assert last.choices == [] and last.usage.completion_tokens > 0


def test_stop_strings_are_not_returned(client):
    wishes = dict(model=MODEL, messages=HELLO, max_tokens=24, temperature=0)
    whole = warmed(client.chat.completions.create, **wishes).choices[0].message.content
    stop = whole[len(whole) // 2 :][:3]
    cut = client.chat.completions.create(**wishes, stop=["never said", stop]).choices[0]
    assert cut.message.content == whole[: whole.index(stop)]
    assert cut.finish_reason == "stop"


def test_two_choices(client):
    answer = client.chat.completions.create(
        model=MODEL, messages=HELLO, max_tokens=24, n=2, seed=3, temperature=1.5
    )
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.choices[0].message.content != answer.choices[1].message.content


def test_logprobs(client):
    answer = client.chat.completions.create(
        model=MODEL, messages=HELLO, max_tokens=6, temperature=0, logprobs=True, top_logprobs=3
    )
    tokens = answer.choices[0].logprobs.content
    assert b"".join(bytes(token.bytes) for token in tokens).decode().startswith(
        answer.choices[0].message.content
    )
    for token in tokens:
        assert token.logprob <= 0 and len(token.top_logprobs) == 3
        assert token.token == token.top_logprobs[0].token  # greedy takes the likeliest


def test_json_schema(client):
    format = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Describe Ada Lovelace, aged 36, as JSON."}],
        response_format=format,
        max_tokens=80,
        seed=1,
    )
    person = json.loads(answer.choices[0].message.content)
    assert set(person) == {"name", "age"} and isinstance(person["age"], int)


def test_a_grammar_binds(client):
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Is water wet?"}],
        extra_body={"grammar": 'root ::= "yes" | "no"'},
    )
    assert answer.choices[0].message.content in ("yes", "no")


def test_a_tool_is_called(client):
    wishes = dict(
        model=MODEL,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[WEATHER],
        tool_choice="required",
        max_tokens=80,
        seed=1,
        temperature=0,
    )
    answer = warmed(client.chat.completions.create, **wishes).choices[0]
    assert answer.finish_reason == "tool_calls"
    call = answer.message.tool_calls[0]
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)

    name, arguments, finish = "", "", None
    for chunk in client.chat.completions.create(**wishes, stream=True):
        choice = chunk.choices[0]
        for part in choice.delta.tool_calls or []:
            name += part.function.name or ""
            arguments += part.function.arguments or ""
        finish = choice.finish_reason or finish
    assert (name, arguments, finish) == ("get_weather", call.function.arguments, "tool_calls")

    turns = wishes["messages"] + [
        answer.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "Rain, 12 degrees."},
    ]
    after = client.chat.completions.create(model=MODEL, messages=turns, tools=[WEATHER], max_tokens=20)
    assert after.choices[0].message.role == "assistant"


@pytest.mark.parametrize("name", ["get_weather", "get_time"])
def test_only_the_tool_that_is_named_is_called(client, name):
    time_of = {"name": "get_time", "parameters": {"type": "object"}}
    tools = [WEATHER, {"type": "function", "function": time_of}]
    question = "What is the weather in Paris?"
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": question}],
        tools=tools,
        tool_choice={"type": "function", "function": {"name": name}},
        max_tokens=200,
        temperature=0,
    )
    assert [call.function.name for call in answer.choices[0].message.tool_calls] == [name]
    response = client.responses.create(
        model=MODEL,
        input=question,
        tools=[{"type": "function", "strict": False, **tool["function"]} for tool in tools],
        tool_choice={"type": "function", "name": name},
        max_output_tokens=200,
        temperature=0,
    )
    assert [item.name for item in response.output if item.type == "function_call"] == [name]


def test_thinking_in_streams(client):
    answer = client.chat.completions.create(
        model=MODEL,
        messages=PROBLEM,
        max_tokens=40,
        extra_body={"polyphon": {"topology": "8x32", "merge": "kv", "seed": 5}},
    )
    assert answer.choices[0].message.content
    polyphon = answer.polyphon
    streams = polyphon["streams"]
    assert [stream["id"] for stream in streams] == list(range(8))
    assert len({stream["text"] for stream in streams}) == 8
    assert all(0 < stream["tokens"] <= 32 for stream in streams)
    for stream in streams:
        assert stream["text"] in answer.choices[0].message.reasoning_content
    timings = polyphon["timings"]
    assert timings["prompt_tokens"] == answer.usage.prompt_tokens
    # The streams are read by views: far fewer tokens than they wrote are decoded again.
    assert timings["merge_prefill_tokens"] < sum(stream["tokens"] for stream in streams)
    assert polyphon["trace_id"] and polyphon["version"]


def test_thinking_streamed(client):
    thoughts, started, ended, text, last = {}, set(), set(), "", None
    for chunk in client.chat.completions.create(
        model=MODEL,
        messages=PROBLEM,
        max_tokens=24,
        stream=True,
        extra_body={"polyphon": {"topology": "8x32", "seed": 5}},
    ):
        tag = getattr(chunk, "polyphon", None) or {}
        delta = chunk.choices[0].delta
        if getattr(delta, "reasoning_content", None):
            assert not text, "a thought came after the answer had begun"
            stream = tag["stream"]["id"]
            thoughts[stream] = thoughts.get(stream, "") + delta.reasoning_content
        text += delta.content or ""
        if tag.get("event") == "stream_started":
            started.add(tag["stream"]["id"])
        if tag.get("event") == "stream_ended":
            ended.add(tag["stream"]["id"])
        last = chunk
    assert started == ended == set(range(8))
    assert last.choices[0].finish_reason
    assert {stream["id"]: stream["text"] for stream in last.polyphon["streams"]} == thoughts
    assert text


@pytest.mark.parametrize("merge", ["prefill", "compact", "vote"])
def test_other_merges(client, merge):
    answer = client.chat.completions.create(
        model=MODEL,
        messages=PROBLEM,
        max_tokens=16,
        extra_body={"polyphon": {"topology": "2x16>1x16", "merge": merge}},
    )
    assert answer.polyphon["merge"] == merge and len(answer.polyphon["streams"]) == 3


def test_completions(client):
    answer = client.completions.create(
        model=MODEL, prompt=["One, two,", "Red, green,"], max_tokens=4, temperature=0, logprobs=2, n=1
    )
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert all(len(choice.logprobs.tokens) == 4 for choice in answer.choices)
    wishes = dict(model=MODEL, prompt="One, two,", max_tokens=4, temperature=0, echo=True)
    whole = warmed(client.completions.create, **wishes).choices[0].text
    assert whole.startswith("One, two,") and len(whole) > len("One, two,")
    streamed = client.completions.create(**wishes, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == whole


def test_embeddings(client):
    close, near, far = (
        item.embedding
        for item in client.embeddings.create(
            model=MODEL, input=["A dog runs.", "A dog is running.", "Interest rates fell by 2 %."]
        ).data
    )

    def cosine(a, b):
        return sum(x * y for x, y in zip(a, b))

    assert cosine(close, close) == pytest.approx(1, abs=1e-3)
    assert cosine(close, near) > cosine(close, far)
    floats = client.embeddings.create(model=MODEL, input="A dog runs.", encoding_format="float")
    assert cosine(floats.data[0].embedding, close) == pytest.approx(1, abs=1e-2)


def test_responses(client):
    answer = client.responses.create(
        model=MODEL, input="Say hello.", instructions="Be short.", max_output_tokens=40, temperature=0
    )
    assert answer.status in ("completed", "incomplete")
    assert answer.output_text
    text = ""
    with client.responses.stream(
        model=MODEL, input="Say hello.", instructions="Be short.", max_output_tokens=40, temperature=0
    ) as events:
        for event in events:
            if event.type == "response.output_text.delta":
                text += event.delta
            last = event
    assert text and text == last.response.output_text
    assert last.type in ("response.completed", "response.incomplete")


def test_responses_call_tools(client):
    flat = {"type": "function", "strict": False, **WEATHER["function"]}
    answer = client.responses.create(
        model=MODEL,
        input="What is the weather in Paris?",
        tools=[flat],
        tool_choice="required",
        max_output_tokens=80,
        temperature=0,
    )
    calls = [item for item in answer.output if item.type == "function_call"]
    assert calls[0].name == "get_weather" and json.loads(calls[0].arguments)["city"]


def chat(**more):
    return {"messages": HELLO, "max_tokens": 4, **more}


def messages(content, role="user"):
    return {"messages": [{"role": role, "content": content}]}


def deep_schema(depth):
    """Arrays of arrays, as text: Python's own encoder stops at its recursion limit."""
    return '{"type":"array","items":' * depth + '{"type":"string"}' + "}" * depth


CHAT = "/v1/chat/completions"
BAD = [
    (CHAT, "{", 400, None),
    (CHAT, '{"messages": "\ud800"}'.encode("utf-8", "surrogatepass"), 400, None),
    (CHAT, b'{"messages": "\xff\xfe"}', 400, None),
    (CHAT, '{"temperature": NaN}', 400, None),
    (CHAT, '{"a":' + "[" * 100_000 + "]" * 100_000 + "}", 400, None),
    (CHAT, [], 400, None),
    (CHAT, {"messages": []}, 400, "messages"),
    (CHAT, messages("x", role="king"), 400, "messages[0].role"),
    (CHAT, messages(None), 400, "messages[0].content"),
    (CHAT, messages("word " * 100_000), 400, "messages"),
    (CHAT, chat(model="gpt-9"), 404, "model"),
    (CHAT, chat(temperature=-1), 400, "temperature"),
    (CHAT, chat(temperature=1e30), 400, "temperature"),
    (CHAT, chat(top_p="high"), 400, "top_p"),
    (CHAT, chat(max_tokens=-1), 400, "max_tokens"),
    (CHAT, chat(max_tokens=10**30), 400, "max_tokens"),
    (CHAT, chat(n=10**9), 400, "n"),
    (CHAT, chat(stop=["x"] * 17), 400, "stop"),
    (CHAT, chat(grammar="no rules at all"), 400, "grammar"),
    (CHAT, chat(grammar='root ::= nowhere "x"'), 400, "grammar"),
    (CHAT, chat(response_format={"type": "xml"}), 400, "response_format.type"),
    (
        CHAT,
        chat(response_format={"type": "json_schema", "json_schema": {"schema": {"type": "blob"}}}),
        400,
        "response_format",
    ),
    (CHAT, chat(tools=[{"type": "function", "function": {}}]), 400, "tools[0].function.name"),
    (
        CHAT,
        chat(tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": 7}}}]),
        400,
        "tools[0].function.parameters",
    ),
    (
        CHAT,
        chat(tools=[WEATHER], tool_choice={"type": "function", "function": {"name": "no"}}),
        400,
        "tool_choice.function",
    ),
    (
        CHAT,
        chat(
            response_format={
                "type": "json_schema",
                "json_schema": {"schema": {"type": "string", "minLength": 10**9}},
            }
        ),
        400,
        "response_format",
    ),
    (
        CHAT,
        {"messages": [{"role": "user", "content": "x", "name": 3}]},
        400,
        "messages[0].name",
    ),
    (CHAT, chat(polyphon={"topology": "8x"}), 400, "polyphon.topology"),
    (CHAT, chat(polyphon={"topology": "32x900000"}), 400, "polyphon.topology"),
    (CHAT, chat(polyphon={"merge": "best"}), 400, "polyphon.merge"),
    (CHAT, chat(polyphon={"registers": 99}), 400, "polyphon.registers"),
    (CHAT, chat(polyphon={"topolgy": "8x8"}), 400, "polyphon.topolgy"),
    ("/v1/completions", {"prompt": [-1]}, 400, "prompt"),
    ("/v1/completions", {"prompt": "a", "suffix": "b"}, 400, "suffix"),
    ("/v1/embeddings", {"input": []}, 400, "input"),
    ("/v1/responses", {"input": "a", "previous_response_id": "x"}, 400, "previous_response_id"),
    ("/v1/nowhere", {}, 404, None),
    ("/metrics", {}, 405, None),
    (CHAT, b" " * (17 << 20), 413, None),
]


@pytest.mark.parametrize(
    "path, body, status, param", BAD, ids=[f"{i}-{row[2]}-{row[3]}" for i, row in enumerate(BAD)]
)
def test_bad_requests_are_named(server, path, body, status, param):
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    reply = httpx.post(
        server.url + path, content=content, headers={"Content-Type": "application/json"}, timeout=60
    )
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param and error["message"]


def test_the_client_raises_its_own_errors(client):
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-9", messages=HELLO)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model=MODEL, messages=[])
    assert bad.value.param == "messages"


def test_a_deep_schema_is_served_or_refused(server, client):
    for depth in (10, 80, 1000):
        format = {"type": "json_schema", "json_schema": {"schema": "SCHEMA"}}
        body = json.dumps(chat(response_format=format)).replace('"SCHEMA"', deep_schema(depth))
        reply = httpx.post(server.url + CHAT, content=body, timeout=60)
        assert reply.status_code in (200, 400)
    assert client.models.list().data


def test_hello_in_every_template_role(client):
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": "You are short."},
            {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": "And now?"},
        ],
        max_tokens=8,
    )
    assert answer.choices[0].message.role == "assistant"


def test_tokens_and_templates(server):
    def post(path, body):
        return httpx.post(server.url + path, json=body).json()

    tokens = post("/tokenize", {"content": "Grüße, 世界"})["tokens"]
    assert post("/detokenize", {"tokens": tokens})["content"] == "Grüße, 世界"
    prompt = post("/apply-template", {"messages": HELLO})["prompt"]
    assert HELLO[0]["content"] in prompt and prompt.endswith("<|im_start|>assistant\n")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("polyphon", [None, {"topology": "8x1000"}])
def test_a_client_that_leaves_frees_its_cells(server, stream, polyphon):
    before = idle(server)
    body = {"messages": PROBLEM, "max_tokens": 4000, "stream": stream, "ignore_eos": True}
    if polyphon:
        body["polyphon"] = polyphon
    if stream:
        with httpx.stream("POST", server.url + CHAT, json=body, timeout=60) as reply:
            next(reply.iter_lines())
    else:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(server.url + CHAT, json=body, timeout=0.5)
    after = idle(server)
    cancelled = 'polyphon_sessions_total{outcome="cancelled"}'
    assert after[cancelled] == before[cancelled] + 1
    assert after["polyphon_kv_cells_used"] == after["polyphon_kv_cells_cached"]


def test_metrics_count(server, client):
    before = idle(server)
    client.chat.completions.create(
        model=MODEL, messages=PROBLEM, max_tokens=8, extra_body={"polyphon": {"topology": "2x16"}}
    )
    after = idle(server)

    def grown(name):
        return after[name] - before.get(name, 0)

    assert grown("llamacpp:tokens_predicted_total") > 8
    assert grown("llamacpp:n_decode_total") > 0
    assert grown('polyphon_merges_total{mode="kv"}') == 1
    assert grown('polyphon_sessions_total{outcome="finished"}') == 1
    for name in ("time_to_first_token_seconds", "request_seconds", "time_per_output_token_seconds"):
        assert grown(f"polyphon_{name}_count") == 1
    assert after["polyphon_streams_live"] == 0
    assert after["polyphon_kv_cells_used"] == after["polyphon_kv_cells_cached"]


def test_a_key_is_asked_for_and_a_running_stream_outlives_the_stop(tmp_path):
    import hashlib

    keys = tmp_path / "keys"
    keys.write_text(hashlib.sha256(b"secret").hexdigest() + "\n")
    traces = tmp_path / "traces.jsonl"
    server = Server("--api-key-file", keys, "--trace-file", traces)
    try:
        assert httpx.get(server.url + "/health").status_code == 200
        assert httpx.get(server.url + "/metrics").status_code == 401
        stranger = openai.OpenAI(base_url=server.url + "/v1", api_key="guess", max_retries=0)
        with pytest.raises(openai.AuthenticationError):
            stranger.models.list()
        friend = openai.OpenAI(base_url=server.url + "/v1", api_key="secret", max_retries=0)
        stream = friend.chat.completions.create(
            model=MODEL,
            messages=PROBLEM,
            stream=True,
            max_tokens=40,
            extra_body={"polyphon": {"topology": "4x64"}},
        )
        next(iter(stream))
        server.process.terminate()
        while httpx.get(server.url + "/health").status_code != 503:
            time.sleep(0.01)
        with pytest.raises(openai.InternalServerError) as refused:
            friend.chat.completions.create(model=MODEL, messages=HELLO)
        assert refused.value.status_code == 503
        assert refused.value.response.headers["Retry-After"]
        *_, last = stream
        assert last.polyphon["streams"]
        assert server.process.wait(timeout=60) == 0
        (line,) = traces.read_text().splitlines()
        assert json.loads(line)["id"] == last.polyphon["trace_id"]
    finally:
        server.process.kill()
