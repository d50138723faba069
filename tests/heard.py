"""What a stream of each API says in all: the texts that its events carry, put together."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .readers import Event


class Heard(NamedTuple):
    """All of an answer."""

    content: str
    reasoning: str = ""
    arguments: str = ""
    warning: str = ""


Pieces = Iterator[tuple[str, str]]


def heard_in_chat(events: Sequence[Event]) -> Heard:
    """Of the pool's own API."""

    def pieces() -> Pieces:
        for told in _objects(events):
            yield from ((name, told.get(name, "")) for name in ("content", "reasoning", "warning"))
            yield from (("arguments", call["arguments"]) for call in told.get("tool_calls", ()))

    return _put_together(pieces())


def heard_in_openai_chat(events: Sequence[Event]) -> Heard:
    """Of OpenAI's chat."""

    def pieces() -> Pieces:
        for told in _objects(events):
            yield "warning", told.get("warning", "")
            for delta in (choice["delta"] for choice in told["choices"]):
                yield "content", delta.get("content", "")
                yield "reasoning", delta.get("reasoning_content", "")
                yield from (("arguments", call["function"]["arguments"]) for call in delta.get("tool_calls", ()))

    return _put_together(pieces())


def heard_in_openai_text(events: Sequence[Event]) -> Heard:
    """Of OpenAI's completions, which are text alone."""
    return _put_together(("content", choice["text"]) for told in _objects(events) for choice in told["choices"])


_ANTHROPIC = {"text": "content", "thinking": "reasoning", "partial_json": "arguments"}


def heard_in_anthropic(events: Sequence[Event]) -> Heard:
    """Of Anthropic's messages."""

    def pieces() -> Pieces:
        for told in _objects(events):
            yield "warning", told.get("warning", "")
            delta = told.get("delta", {})
            yield from ((ours, delta[theirs]) for theirs, ours in _ANTHROPIC.items() if theirs in delta)

    return _put_together(pieces())


_RESPONSES = {
    "response.output_text.delta": "content",
    "response.reasoning_text.delta": "reasoning",
    "response.function_call_arguments.delta": "arguments",
}


def heard_in_responses(events: Sequence[Event]) -> Heard:
    """Of OpenAI's responses."""

    def pieces() -> Pieces:
        for told in _objects(events):
            if ours := _RESPONSES.get(told["type"]):
                yield ours, told["delta"]
            if told["type"] == "response.completed":
                yield from (("warning", warning) for warning in told["response"].get("warnings", ()))

    return _put_together(pieces())


class Stream(NamedTuple):
    """How an API's stream is asked for, and how it is understood."""

    ask: Mapping[str, Any]
    heard: Callable[[Sequence[Event]], Heard]


_SAID: Mapping[str, Any] = {"messages": [{"role": "user", "content": "안녕"}]}
STREAMS: Mapping[str, Stream] = {
    "/chat": Stream(_SAID, heard_in_chat),
    "/v1/chat/completions": Stream(_SAID, heard_in_openai_chat),
    "/v1/completions": Stream({"prompt": "안녕"}, heard_in_openai_text),
    "/v1/messages": Stream({**_SAID, "max_tokens": 64}, heard_in_anthropic),
    "/v1/responses": Stream({"input": "안녕"}, heard_in_responses),
}


def _objects(events: Sequence[Event]) -> Iterator[dict[str, Any]]:
    return (json.loads(event.data) for event in events if event.data != "[DONE]")


def _put_together(pieces: Iterator[tuple[str, str]]) -> Heard:
    said = dict.fromkeys(Heard._fields, "")
    for field, piece in pieces:
        said[field] += piece
    return Heard(**said)
