"""An OpenAI-compatible server, as a client sees it."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

Fields = dict[str, Any]


class Failure(Exception):
    """Ends the program with one line and exit code 1."""


def one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def message_of(body: str) -> str:
    """What an error's body says, in the shapes that servers give it."""
    try:
        error = json.loads(body)
        error = error.get("error", error)
        return one_line(error if isinstance(error, str) else error["message"])
    except (ValueError, AttributeError, KeyError, TypeError):
        return one_line(body)


class Server:
    """An OpenAI-compatible server. Any thread."""

    def __init__(self, url: str, timeout_s: float) -> None:
        if not url.startswith(("http://", "https://")):
            raise Failure(f"the URL {url!r} must begin with http:// or https://")
        self.url, self.timeout_s = url.rstrip("/"), timeout_s
        self.headers = {"Content-Type": "application/json"}
        if key := os.environ.get("OPENAI_API_KEY"):
            self.headers["Authorization"] = f"Bearer {key}"

    def call(self, path: str, body: Fields | None = None) -> Any:
        """Posts `body`, or gets; Failure says what went wrong."""
        url = self.url + path
        try:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(url, data, self.headers)
            with urllib.request.urlopen(request, timeout=self.timeout_s) as reply:
                return json.loads(reply.read())
        except urllib.error.HTTPError as fault:
            text = message_of(fault.read().decode(errors="replace"))
            raise Failure(f"{url} answered {fault.code}: {text}") from None
        except ValueError as fault:
            raise Failure(f"{url}: no JSON came back: {fault}") from None
        except (OSError, http.client.HTTPException) as fault:
            cause = getattr(fault, "reason", fault)
            if isinstance(cause, TimeoutError):
                cause = f"no answer within {self.timeout_s:g} s (--timeout)"
            raise Failure(f"{url}: {cause or type(fault).__name__}") from None

    def model(self, wanted: str) -> tuple[str, str]:
        """The model's name, the only one when none is wanted, and who serves it."""
        reply = self.call("/models")
        try:
            owners = {model["id"]: str(model.get("owned_by", "")) for model in reply["data"]}
        except (KeyError, TypeError):
            raise Failure(f"{self.url}/models: lists no models") from None
        if not wanted and len(owners) != 1:
            raise Failure(f"{self.url} has several models, or none; --model: {', '.join(owners)}")
        name = wanted or next(iter(owners))
        return name, owners.get(name, next(iter(owners.values()), ""))

    def chat(self, fields: Fields) -> Fields:
        """Text, tokens and seconds of one answer; the first choice's, if there are more."""
        began = time.monotonic()
        reply = self.call("/chat/completions", fields)
        seconds = time.monotonic() - began
        try:
            choice = reply["choices"][0]
            text = choice["message"]["content"] or ""
        except (KeyError, IndexError, TypeError):
            text = one_line(json.dumps(reply))
            raise Failure(f"{self.url}: no chat completion: {text}") from None
        if "polyphon" in fields and "polyphon" not in reply:
            raise Failure(f"{self.url} ignores the polyphon object: ask it with --arms plain")
        return {
            "text": text,
            "finish_reason": choice.get("finish_reason"),
            "tokens": (reply.get("usage") or {}).get("completion_tokens"),
            "seconds": round(seconds, 3),
        }
