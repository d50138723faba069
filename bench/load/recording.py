"""What one stream brought and when, and reading it: events told apart, counted, and checked to be whole. Pure."""

from collections.abc import Iterable

import msgspec


class Line(msgspec.Struct, frozen=True, gc=False):
    """One event's JSON and when it was here, by the clock that all processes of a machine share."""

    at_ns: int
    data: bytes


class Recording(msgspec.Struct, frozen=True):
    """One stream: when it was asked for, when it was over, in how many pieces it came, and its events."""

    asked_ns: int
    ended_ns: int
    reads: int
    lines: list[Line]


class Piece(msgspec.Struct, frozen=True, gc=False):
    """One token event."""

    at_ns: int
    text: str


class Story(msgspec.Struct, frozen=True):
    """One stream as read: its text in the pieces in which it came, and how many tokens its engine counted."""

    asked_ns: int
    ended_ns: int
    reads: int
    pieces: list[Piece]
    tokens: int


class Broken(Exception):
    """A stream is not what was ordered: it failed, ended early, or lacks an event."""


class _Usage(msgspec.Struct, frozen=True):
    completion_tokens: int


class _Event(msgspec.Struct, frozen=True):
    status: str
    seq: int = 0  # an engine's pipe has none
    content: str = ""
    usage: _Usage | None = None


_events = msgspec.json.Decoder(_Event)


def read(recording: Recording) -> Story:
    """Read a stream.

    Raises:
        Broken: it did not end with `done`, or an event between its first and its last is missing.

    """
    events = [(line.at_ns, _events.decode(line.data)) for line in recording.lines]
    if not events or events[-1][1].status != "done":
        raise Broken(f"the stream ended with {recording.lines[-1:] or 'nothing'}")
    _check_whole([event.seq for _, event in events])
    usage = events[-1][1].usage
    assert usage, "a `done` tells its usage"
    pieces = [Piece(at_ns, event.content) for at_ns, event in events if event.status == "token"]
    return Story(recording.asked_ns, recording.ended_ns, recording.reads, pieces, usage.completion_tokens)


def _check_whole(seqs: Iterable[int]) -> None:
    numbered = [seq for seq in seqs if seq]
    if numbered != list(range(1, len(numbered) + 1)):
        raise Broken(f"the stream's events are numbered {numbered[:5]} … {numbered[-5:]}, {len(numbered)} in all")
