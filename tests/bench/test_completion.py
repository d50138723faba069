"""Other servers are asked the same in their own words, and their streams are read as strictly as ours."""

import json

import pytest

from bench.contenders.completion import completion_of
from bench.load.answer import Read, lines_of
from bench.load.completion import read_completion
from bench.load.recording import Broken, Line, Piece, Recording

MS = 1_000_000
HEAD = b"HTTP/1.0 200 OK\r\nContent-type: text/event-stream\r\n\r\n"
ROLE = b'{"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}],"usage":null}'
TEXT = b'{"choices":[{"index":0,"delta":{"role":"assistant","content":" cats"},"finish_reason":null}]}'
LAST = b'{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}'
USAGE = b'{"choices":[],"usage":{"prompt_tokens":31,"completion_tokens":2,"total_tokens":33}}'
DONE = b"[DONE]"


def recording(*lines: bytes) -> Recording:
    return Recording(0, 9 * MS, 1, [Line(number * MS, line) for number, line in enumerate(lines, 1)])


def test_the_first_token_is_the_first_text() -> None:
    """A role comes before anything is computed and an end after it; tokens are counted by the server."""
    story = read_completion(recording(ROLE, TEXT, LAST, USAGE, DONE))

    assert (story.tokens, story.pieces) == (2, [Piece(2 * MS, " cats")])


@pytest.mark.parametrize("lines", [(), (TEXT, USAGE), (TEXT, LAST, DONE), (b'{"error":{"message":"no"}}', DONE)])
def test_a_completion_that_is_not_whole_is_no_measurement(lines: tuple[bytes, ...]) -> None:
    """Nothing, no end, no count, an error in mid-stream: a server that fails must not count as a fast one."""
    with pytest.raises(Broken):
        read_completion(recording(*lines))


def test_an_answer_of_http_1_0_ends_with_its_connection() -> None:
    """It has no chunks, and its comments, which keep the connection alive, are no events."""
    reads = [Read(1, HEAD + b": keepalive 30/31\n\ndata: " + TEXT[:9]), Read(2, TEXT[9:] + b"\n\ndata: [DONE]\n\n")]

    assert lines_of(reads) == [Line(2, TEXT), Line(2, DONE)]


def test_a_peer_is_asked_what_the_pool_is_asked() -> None:
    """Unsaid is what `/chat` does; a seed is left out, for which mlx_lm.server would serve requests one by one."""
    asked = json.loads(completion_of('{"prompt": "hello", "max_tokens": 8, "seed": 3}'))

    assert asked["messages"] == [{"role": "user", "content": "hello"}]
    assert [asked[name] for name in ("max_tokens", "temperature", "top_p", "top_k")] == [8, 0.7, 0.95, 40]
    assert [asked[name] for name in ("repetition_penalty", "repetition_context_size")] == [1.1, 64]
    assert "seed" not in asked


def test_a_penalty_of_1_is_not_asked_for() -> None:
    """It changes no answer, but the library computes it."""
    asked = json.loads(completion_of('{"prompt": "hello", "temperature": 0, "repeat_penalty": 1}'))

    assert not any(name.startswith("repetition") for name in asked)


def test_a_conversation_is_asked_turn_by_turn() -> None:
    """All of it is sent each time, as the API wants it."""
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]

    asked = json.loads(completion_of(json.dumps({"messages": turns})))

    assert asked["messages"] == turns
