"""What is asked of the processes that hold sockets, and what they answer: plain data, one JSON object a line."""

from typing import Literal

import msgspec

from bench.load.orders import Spread

Via = Literal["sse", "ndjson", "openai"]


class Hold(msgspec.Struct, frozen=True, tag=True):
    """Open, or begin, so many."""

    streams: int


class Count(msgspec.Struct, frozen=True, tag=True):
    """Measure for so long."""

    seconds: float


class Release(msgspec.Struct, frozen=True, tag=True):
    """End them."""


Question = Hold | Count | Release
QUESTIONS: msgspec.json.Decoder[Question] = msgspec.json.Decoder(Question)


class Held(msgspec.Struct, frozen=True):
    """So many are there, and it took so long."""

    streams: int
    seconds: float


class Fed(msgspec.Struct, frozen=True):
    """What was said in all streams together; `refused` are rows that Redis did not take."""

    streams: int
    tokens: int
    refused: int


class Counted(msgspec.Struct, frozen=True):
    """Tokens that were read, and how long after they were written."""

    seconds: float
    tokens: int
    late_ms: Spread


class Ended(msgspec.Struct, frozen=True):
    """How the streams ended, and whether anything was missing in them."""

    whole: int
    cut: int
    refused: int
    missing: int  # tokens
    tokens: int


class Asked(msgspec.Struct, frozen=True):
    """Proper requests: how many, how many of them failed, and how long each waited for its first token."""

    requests: int
    failed: int
    first_ms: Spread


class Way(msgspec.Struct, frozen=True):
    """Sockets that were slow in one way: how many were cut, how many of those were told why, and after how long."""

    name: str
    cut: int
    told: int
    after_s: Spread


class Besieged(msgspec.Struct, frozen=True):
    """What became of all of them; `open` were there when it was over, the oldest for `oldest_s`."""

    ways: list[Way]
    open: int
    oldest_s: float
