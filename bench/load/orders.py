"""Orders to the load generator, and its results: plain data, one JSON object a line."""

from typing import Literal

import msgspec

Accept = Literal["application/x-ndjson", "text/event-stream"]


class Order(msgspec.Struct, frozen=True, kw_only=True, tag_field="via"):
    """Begin all streams at once, follow each to its end. `bodies` are jobs as JSON, one a stream."""

    bodies: list[str]
    watch: dict[str, int] = {}  # processes by name, whose CPU time the result tells
    is_clocked: bool = False  # the text is clock stamps, of bench.clock.engine


class ViaHttp(Order, frozen=True, kw_only=True, tag="http"):
    """POST the jobs to a server that answers as `/chat` does."""

    port: int
    accept: Accept = "application/x-ndjson"


class ViaCompletions(Order, frozen=True, kw_only=True, tag="completions"):
    """POST to a server of the chat completions API; its `bodies` are requests in that API's words, to be streamed."""

    port: int


class ViaChannel(Order, frozen=True, kw_only=True, tag="channel"):
    """Put the jobs on the queue and follow their channels: the pool without its gateway."""

    redis: str
    model: str


class ViaPipe(Order, frozen=True, kw_only=True, tag="pipe"):
    """Write the jobs to an engine's pipe: no agent, no queue. The engine is started once and kept for later orders."""

    command: list[str]


AnyOrder = ViaHttp | ViaCompletions | ViaChannel | ViaPipe


class Spread(msgspec.Struct, frozen=True):
    """What many measurements look like, each in milliseconds."""

    p50: float
    p99: float
    highest: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an order, from the first request to the last stream's end."""

    seconds: float
    tokens: int  # as the streams' `done` count them
    events: int  # token events; under load one holds several tokens
    reads: int  # pieces in which they arrived
    characters: int
    first_ms: Spread  # from a stream's request to its first token
    gap_ms: Spread  # between one token event of a stream and its next
    lag_ms: Spread | None = None  # from the engine's write to the arrival here
    cpu_s: dict[str, float] = {}
    peak_bytes: dict[str, int] = {}


ORDERS: msgspec.json.Decoder[AnyOrder] = msgspec.json.Decoder(AnyOrder)
