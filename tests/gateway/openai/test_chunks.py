"""A stream's bytes: whatever a model says, the same text comes out, on lines that no client breaks."""

import json
from typing import Any

import msgspec
import pytest

from gateway.delivery import Delivery, Text
from gateway.openai.chat_chunks import ChatChunks
from gateway.openai.envelope import Chunks, Envelope
from gateway.openai.one_choice import OneChoice
from gateway.openai.text_chunks import TextChunks
from shared.event import Started, ToolCall

ENVELOPE = Envelope("chatcmpl-1", 1_700_000_000, "이름\u2028")
STARTED = Started(worker="w", attempt=1, seed=1, prompt_tokens=1, prompt_hash="x")
TEXTS = ["안녕", '"\\', "a\nb\r\nc", "\u2028\u2029\x85", "\x00", "</script>", "\x1b[31m", "👩‍👩‍👧", "\ufeff"]


def raw(value: object) -> msgspec.Raw:
    """A value as the JSON that comes from the log."""
    return msgspec.Raw(msgspec.json.encode(value))


def chunk_in(data: bytes) -> dict[str, Any]:
    """The one chunk that these bytes are."""
    text = data.decode()
    assert text.startswith("data: ")
    assert text.splitlines() == [text.removesuffix("\n\n"), ""]
    return json.loads(text.removeprefix("data: "))


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_comes_through(text: str) -> None:
    """In chunks of both kinds."""
    event = Text("token", content=raw(text))

    chat = chunk_in(ChatChunks(ENVELOPE, 0, has_usage=False).text(event))
    plain = chunk_in(TextChunks(ENVELOPE, 0, has_usage=True).text(event))

    assert chat["choices"] == [{"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}]
    assert plain["choices"] == [{"index": 0, "text": text, "logprobs": None, "finish_reason": None}]
    assert (chat["model"], chat["created"], chat["id"]) == (ENVELOPE.model, ENVELOPE.created, ENVELOPE.id)
    assert plain["usage"] is None
    assert "usage" not in chat


def test_what_most_tokens_have_not_stands_beside_their_text() -> None:
    """Thoughts, calls and a warning, in one chunk."""
    call = ToolCall(1, "id1", "f", "{}")
    event = Text("token", content=raw("a"), reasoning=raw("흠"), tool_calls=raw([call]), warning=raw("w\u2028"))

    chunk = chunk_in(ChatChunks(ENVELOPE, 2, has_usage=False).text(event))

    function = {"name": "f", "arguments": "{}"}
    assert chunk["choices"][0]["delta"] == {
        "content": "a",
        "reasoning_content": "흠",
        "tool_calls": [{"type": "function", "index": 1, "id": "id1", "function": function}],
    }
    assert (chunk["choices"][0]["index"], chunk["warning"]) == (2, "w\u2028")


@pytest.mark.parametrize("chunks", [ChatChunks(ENVELOPE, 0, has_usage=False), TextChunks(ENVELOPE, 0, has_usage=False)])
def test_ids_whose_text_is_held_back_cost_nothing(chunks: Chunks) -> None:
    """There is nothing to tell yet."""
    assert chunks.text(Text("token", tokens=[5])) == b""


def test_a_role_is_said_once() -> None:
    """A second worker that takes over begins no second message: clients would join the roles."""
    frames = OneChoice(ENVELOPE, ChatChunks(ENVELOPE, 0, has_usage=False), has_usage=False)

    said = [frames.frame(Delivery(seq, 0, 0, STARTED)) for seq in (1, 2)]

    assert chunk_in(said[0])["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert said[1] == b""
