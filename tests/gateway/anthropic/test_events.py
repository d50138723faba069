"""The stream's events: their order, their names, and that any text comes through."""

from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as some

from gateway.anthropic.events import Events
from gateway.delivery import Delivery, Text, Told
from shared.event import Cancelled, Error, Started, Token, ToolCall, encode_event

from .speech import ended, events_in

STARTED = Started(worker="w", attempt=1, seed=1, prompt_tokens=3, prompt_hash="x", cached_tokens=1)
CALL = ToolCall(0, "4wqnzp2k9", "get_weather", '{"city":"서울"}')
A_CALL = some.builds(ToolCall, some.just(0), some.just("id"), some.text(), some.just('{"a":1}'))
A_TOKEN = some.builds(
    Token, content=some.text(max_size=5), reasoning=some.text(max_size=5), tool_calls=some.lists(A_CALL, max_size=2)
)
STOP, START, DELTA = "content_block_stop", "content_block_start", "content_block_delta"


def delivered(event: Token | Told) -> Delivery:
    """An event as a relay hands it on."""
    text = msgspec.json.decode(encode_event(event), type=Text) if isinstance(event, Token) else event
    return Delivery(1, 0, 0, text)


def stream_of(*events: Token | Told) -> bytes:
    """What a client reads."""
    frames = Events("j", model="asked", request_id="r")
    return b"".join(frames.frame(delivered(event)) for event in events)


def told(*tokens: Token) -> list[dict[str, Any]]:
    """The objects of an answer's blocks."""
    return [event for _, event in events_in(stream_of(STARTED, *tokens, ended()))][1:-2]


def test_an_answer_is_begun_and_ended() -> None:
    """Every event is named as its object is; the prompt's tokens are told at once, the answer's at the end."""
    events = events_in(stream_of(STARTED, Token(content="a"), ended(cached=1)))

    assert [name for name, _ in events] == [event["type"] for _, event in events]
    assert [name for name, _ in events] == ["message_start", START, DELTA, STOP, "message_delta", "message_stop"]
    usage = {"input_tokens": 2, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 1, "output_tokens": 0}
    began: dict[str, Any] = {"id": "msg_j", "type": "message", "role": "assistant", "model": "asked", "content": []}
    assert events[0][1]["message"] == began | {"usage": usage, "stop_reason": None, "stop_sequence": None}
    assert events[-2][1]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert events[-2][1]["usage"] == usage | {"output_tokens": 2}


def test_blocks_follow_each_other() -> None:
    """Thoughts, text and calls are blocks of their own, counted from 0, closed before the next is opened."""
    blocks = told(Token(reasoning="hm"), Token(content="a"), Token(content="b", tool_calls=[CALL]), Token(content="c"))

    assert [(event["type"], event["index"]) for event in blocks] == [
        *[(START, 0), (DELTA, 0), (DELTA, 0), (STOP, 0)],  # with its signature
        *[(START, 1), (DELTA, 1), (DELTA, 1), (STOP, 1)],
        *[(START, 2), (DELTA, 2), (STOP, 2)],
        *[(START, 3), (DELTA, 3), (STOP, 3)],
    ]
    assert blocks[2]["delta"]["type"] == "signature_delta"
    assert blocks[8]["content_block"] == {"type": "tool_use", "id": CALL.id, "name": CALL.name, "input": {}}
    assert blocks[9]["delta"] == {"type": "input_json_delta", "partial_json": CALL.arguments}


@given(some.lists(A_TOKEN, max_size=8))
def test_whatever_is_said_arrives(tokens: Sequence[Token]) -> None:
    """Every text, thought and call comes once, in order; no stream is out of form; no line is broken by a text."""
    body = stream_of(STARTED, *tokens, ended())
    blocks = told(*tokens)

    open_block: int | None = None
    for event in blocks:
        assert (event["index"] == open_block) is (event["type"] != START)
        open_block = None if event["type"] == STOP else event["index"]
    deltas = [event["delta"] for event in blocks if event["type"] == DELTA]
    assert "".join(delta.get("text", "") for delta in deltas) == "".join(token.content for token in tokens)
    assert "".join(delta.get("thinking", "") for delta in deltas) == "".join(token.reasoning for token in tokens)
    names = [event["content_block"]["name"] for event in blocks if "name" in event.get("content_block", {})]
    assert names == [call.name for token in tokens for call in token.tool_calls]
    assert len(body.decode().splitlines()) == body.count(b"\n")


def test_a_warning_comes_with_a_ping() -> None:
    """Which may stand anywhere, and opens or closes no block; on one line, whatever it says."""
    told_of = told(Token(content="a", warning="w\u2028"), Token(content="b"))

    assert [event["type"] for event in told_of] == [START, DELTA, "ping", DELTA, STOP]
    assert told_of[2]["warning"] == "w\u2028"


def test_text_that_is_held_back_is_no_event() -> None:
    """An id without text is nothing to a client."""
    assert told(Token(tokens=[1])) == []


def test_a_second_attempt_begins_no_second_message() -> None:
    """The client sees no seam where another worker goes on."""
    assert stream_of(STARTED, Token(content="a"), STARTED, Token(content="b")).count(b"message_start") == 2  # one event


def test_a_failure_is_an_event_that_is_no_end() -> None:
    """The object of an error's body, behind which the connection is cut."""
    events = Events("j", model="asked", request_id="r")
    failure = Error(code="context_length_exceeded", message="5 of 4.")
    said = {"type": "invalid_request_error", "message": "prompt is too long: 5 of 4."}

    assert events_in(events.failure(failure)) == [("error", {"type": "error", "error": said, "request_id": "r"})]
    assert [events.may_end_cleanly(end) for end in (failure, Cancelled(), ended())] == [False, False, True]


def test_a_cancelled_answer_is_an_error() -> None:
    """This API knows no answer that was cancelled."""
    [(name, event)] = events_in(stream_of(Cancelled()))

    assert (name, event["error"]["message"]) == ("error", "The job was cancelled.")


def test_a_ping_keeps_a_message_alive_and_a_comment_what_comes_before() -> None:
    """`message_start` is the first event of all."""
    events = Events("j", model="asked", request_id="r")

    assert events.keep_alive == b": keep-alive\n\n"
    events.frame(delivered(STARTED))
    assert events_in(events.keep_alive) == [("ping", {"type": "ping"})]
