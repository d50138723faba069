"""The load generator reads an HTTP answer after it is over, and must find every event at its own time."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.answer import Read, lines_of
from bench.load.recording import Broken, Line

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
EVENTS = (b'{"status":"started","seq":1}', b'{"status":"token","seq":2,"content":"\xec\x95\x88"}', b'{"status":"done"}')


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@given(cuts=st.lists(st.integers(0, 300), max_size=12))
def test_events_are_found_wherever_the_bytes_were_cut(cuts: list[int]) -> None:
    """TCP cuts anywhere: inside the head, a chunk's size, a character."""
    whole = HEAD + chunked(*(event + b"\n" for event in EVENTS))
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    reads = [Read(n, whole[a:b]) for n, (a, b) in enumerate(itertools.pairwise(places))]

    lines = lines_of(reads)

    assert [line.data for line in lines] == list(EVENTS)


def test_an_event_bears_the_time_of_the_read_that_made_it_whole() -> None:
    """What is measured is when a client could use an event, not when its first byte came."""
    body = chunked(EVENTS[0] + b"\n" + EVENTS[1] + b"\n")
    middle = len(EVENTS[0]) + 10

    lines = lines_of([Read(1, HEAD + body[:middle]), Read(2, body[middle:])])

    assert lines == [Line(2, EVENTS[0]), Line(2, EVENTS[1])]


def test_server_sent_events_give_the_same_lines() -> None:
    """Ids, comments and blank lines frame the events; they are none."""
    frames = (b": keep-alive\n\n", *(b"id: 1-2-0000abcd\ndata: %b\n\n" % event for event in EVENTS))

    lines = lines_of([Read(7, HEAD + chunked(*frames))])

    assert lines == [Line(7, event) for event in EVENTS]


@pytest.mark.parametrize("answer", [b"HTTP/1.1 429 Too Many Requests\r\n\r\n{}", HEAD + b"5\r\nhalf", b""])
def test_a_refused_or_cut_answer_is_no_measurement(answer: bytes) -> None:
    """A stream that failed must not count as a fast one."""
    with pytest.raises(Broken):
        lines_of([Read(1, answer)])
