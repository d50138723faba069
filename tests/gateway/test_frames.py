"""The formats, on values."""

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.delivery import Delivery, Text
from gateway.frames import EventStream, Ndjson, PlainText, choose_frames
from shared.event import Cancelled, Error

from .hand import DONE


def delivery(content: str, seq: int = 17) -> Delivery:
    """A token's delivery."""
    return Delivery(seq, 15, 0x9A3F00C1, Text("token", content=msgspec.Raw(msgspec.json.encode(content))))


@given(st.text())
@example("one\u2028two\u2029three\x85four")
def test_any_text_survives_every_format(text: str) -> None:
    """Whatever a model says, its frames are single lines, and read back as the same text."""
    ndjson = Ndjson("job", "m").frame(delivery(text)).decode()
    sse = EventStream("job", "m").frame(delivery(text)).decode()

    assert json.loads(ndjson) == {"status": "token", "seq": 17, "content": text}
    assert ndjson.splitlines() == [ndjson[:-1]]
    assert sse.splitlines() == ["id: 17-15-9a3f00c1", f"data: {ndjson[:-1]}", ""]
    assert PlainText("job", "m").frame(delivery(text)).decode() == text


def test_what_is_no_content_comes_as_the_worker_said_it() -> None:
    """Reasoning, calls, warnings and logprobs have fields of their own, where there are any; bare text has none."""
    said = {"reasoning": "흠\u2028", "tool_calls": [{"index": 0, "arguments": '{"a":"\u2029"}'}], "warning": "w"}
    said |= {"logprobs": [{"token": "\u2028", "logprob": -0.5, "bytes": [226, 128, 168], "top_logprobs": []}]}
    text = msgspec.json.decode(msgspec.json.encode({"status": "token", "tokens": [1]} | said), type=Text)

    told = Ndjson("job", "m").frame(Delivery(2, 1, 0, text)).decode()

    assert json.loads(told) == {"status": "token", "seq": 2, "content": ""} | said
    assert told.splitlines() == [told[:-1]]
    assert PlainText("job", "m").frame(Delivery(2, 1, 0, text)) == b""


@pytest.mark.parametrize(
    ("accept", "frames"),
    [
        ("", Ndjson),
        ("*/*", Ndjson),
        ("text/html, */*;q=0.8", Ndjson),
        ("text/event-stream", EventStream),
        ("Text/Event-Stream; charset=utf-8", EventStream),
        ("text/plain", PlainText),
        ("text/plain;q=0.5, text/event-stream", EventStream),
        ("application/x-ndjson, text/plain", Ndjson),
        ("text/plain;q=0", Ndjson),
        ("text/plain;q=..", Ndjson),
    ],
)
def test_accept_chooses_the_format(accept: str, frames: type) -> None:
    """The wanted one of the three; NDJSON when anything will do."""
    assert choose_frames(accept) is frames


def test_only_a_stream_that_tells_its_end_may_end_cleanly() -> None:
    """A clean end reads as success wherever the bytes say nothing else."""
    failed = Error(code="engine_failed", message="x")

    assert [Ndjson("j", "m").may_end_cleanly(end) for end in (DONE, Cancelled(), failed)] == [True, True, True]
    assert [EventStream("j", "m").may_end_cleanly(end) for end in (DONE, Cancelled(), failed)] == [True, True, False]
    assert [PlainText("j", "m").may_end_cleanly(end) for end in (DONE, Cancelled(), failed)] == [True, False, False]


def test_an_error_that_is_not_in_the_log_bears_no_number() -> None:
    """A client that resumes after it must not skip the event that the log has under that number."""
    failure = EventStream("j", "m").failure(Error(code="broker_down", message="x"))

    assert not failure.startswith(b"id:")
    assert "seq" not in json.loads(failure.removeprefix(b"data: "))
