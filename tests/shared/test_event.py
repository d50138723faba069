"""Events: one line of JSON each, told apart by `status`, readable by versions that know less."""

import pytest

from shared.event import (
    AnyEvent,
    Cancelled,
    Done,
    Error,
    Queued,
    Started,
    Timings,
    Token,
    TokenLogprob,
    ToolCall,
    TopLogprob,
    Usage,
    decode_event,
    encode_event,
    is_terminal,
)

EVENTS: list[tuple[AnyEvent, bytes]] = [
    (Queued(waiting=3, expected_wait_ms=10), b'{"status":"queued","waiting":3,"expected_wait_ms":10}'),
    (
        Started(seq=1, worker="w", attempt=1, seed=7, prompt_tokens=2, prompt_hash="h"),
        b'{"status":"started","seq":1,"worker":"w","attempt":1,"seed":7,"prompt_tokens":2,"prompt_hash":"h"}',
    ),
    (
        Token(seq=2, content="안녕", tokens=[5, 6]),
        '{"status":"token","seq":2,"content":"안녕","tokens":[5,6]}'.encode(),
    ),
    (
        Token(seq=2, tool_calls=[ToolCall(0, "a1", "f", '{"city":"서울"}')], warning="w", tokens=[5]),
        (
            r'{"status":"token","seq":2,"tool_calls":[{"index":0,"id":"a1","name":"f",'
            r'"arguments":"{\"city\":\"서울\"}"}],"warning":"w","tokens":[5]}'
        ).encode(),
    ),
    (
        Token(seq=2, tokens=[5], logprobs=[TokenLogprob("�", -0.5, [236], [TopLogprob(" a", -0.25, [32, 97])])]),
        (
            '{"status":"token","seq":2,"tokens":[5],"logprobs":[{"token":"�","logprob":-0.5,"bytes":[236],'
            '"top_logprobs":[{"token":" a","logprob":-0.25,"bytes":[32,97]}]}]}'
        ).encode(),
    ),
    (
        Done(seq=3, reason="stop", usage=Usage(2, 2), timings=Timings(queued_ms=1.5)),
        (
            b'{"status":"done","seq":3,"reason":"stop","usage":{"prompt_tokens":2,"completion_tokens":2},'
            b'"timings":{"queued_ms":1.5}}'
        ),
    ),
    (
        Error(seq=3, code="internal", message="m", param="p"),
        b'{"status":"error","seq":3,"code":"internal","message":"m","param":"p"}',
    ),
    (Cancelled(seq=3, reason="unheard"), b'{"status":"cancelled","seq":3,"reason":"unheard"}'),
]


@pytest.mark.parametrize(("event", "line"), EVENTS)
def test_an_event_is_one_line_of_json(event: AnyEvent, line: bytes) -> None:
    """The shapes of docs/protocol.md, there and back."""
    assert encode_event(event) == line
    assert decode_event(line) == event


def test_a_job_done_for_a_reason_of_a_later_version_is_done() -> None:
    """An end that nobody sees would leave a stream open for ever."""
    line = b'{"status":"done","seq":9,"reason":"of_tomorrow","usage":{"prompt_tokens":2,"completion_tokens":5}}'

    assert decode_event(line) == Done(seq=9, reason="stop", usage=Usage(2, 5))


def test_text_with_newlines_stays_on_one_line() -> None:
    """A message is a line an event: nothing that a model says can break it."""
    line = encode_event(Token(content="a\nb\r\u2028\0"))

    assert b"\n" not in line
    assert b"\r" not in line


@pytest.mark.parametrize("line", [b'{"status":"of_tomorrow","seq":1}', b'{"status":"token","seq":-1}', b"{}", b"[]"])
def test_what_this_version_does_not_know_is_none(line: bytes) -> None:
    """A reader skips it and goes on."""
    assert decode_event(line) is None


def test_fields_of_a_later_version_are_skipped() -> None:
    """An event may grow without breaking those who read it."""
    assert decode_event(b'{"status":"token","seq":1,"content":"x","of_tomorrow":{"a":1}}') == Token(seq=1, content="x")


@pytest.mark.parametrize(("event", "line"), EVENTS)
def test_exactly_three_kinds_end_a_job(event: AnyEvent, line: bytes) -> None:
    """done, error, cancelled; nothing comes after one of them."""
    assert is_terminal(event) == (line.split(b'"')[3] in {b"done", b"error", b"cancelled"})
