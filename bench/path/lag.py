"""The delay of a token: from the engine's write to the client's read, and what each part of the path adds to it.

Every token's text is the moment at which the clock engine wrote it, by the clock that all processes of a machine share.
The same engine read over its bare pipe is the zero of the scale: what remains is agent, broker and gateway.
"""

import json
from collections.abc import Sequence
from typing import Literal, assert_never

import msgspec

from bench.load.orders import Order, Spread, ViaChannel, ViaHttp, ViaPipe
from bench.rig.load_generator import LoadGenerator
from bench.rig.pool import Pool
from bench.rig.process import python
from bench.table import table

from .throughput import CONTEXT_TOKENS, MODEL, SLOTS, engine_flags

End = Literal["the engine's pipe", "the channel", "HTTP, NDJSON"]
ENDS: tuple[End, ...] = ("the engine's pipe", "the channel", "HTTP, NDJSON")


class Lag(msgspec.Struct, frozen=True):
    """How late tokens are at one end of the path."""

    end: End
    streams: int
    step_ms: float
    lag_ms: Spread


class Pace(msgspec.Struct, frozen=True):
    """The engine gives each stream a token every `step_ms`, for so long."""

    step_ms: float
    seconds: float


def measure(pool: Pool, generator: LoadGenerator, streams: Sequence[int], pace: Pace, *, rounds: int) -> list[Lag]:
    """Measure all ends, interleaved; of the rounds the one with the median p50 counts."""
    lags: dict[tuple[End, int], list[Spread]] = {(end, count): [] for count in streams for end in ENDS}
    with pool.worker(*engine_flags(pace.step_ms), module="bench.clock.worker"):
        for _ in range(rounds):
            for (end, count), spreads in lags.items():
                lag_ms = generator.carry_out(_order(pool, end, count, pace)).lag_ms
                assert lag_ms, "the order said that it is clocked"
                spreads.append(lag_ms)
    return [Lag(end, count, pace.step_ms, _median(spreads)) for (end, count), spreads in lags.items()]


def report(lags: Sequence[Lag]) -> str:
    """The table of delays."""
    bare = {lag.streams: lag.lag_ms for lag in lags if lag.end == ENDS[0]}
    head = ("a token's delay, ms", "streams", "step ms", "p50", "p99", "highest", "added p50", "added p99")
    return table(head, [_row(lag, bare[lag.streams]) for lag in lags])


def _order(pool: Pool, end: End, streams: int, pace: Pace) -> Order:
    tokens = round(pace.seconds * 1_000 / pace.step_ms)
    bodies = [json.dumps({"prompt": f"stream {number}", "max_tokens": tokens}) for number in range(streams)]
    match end:
        case "the engine's pipe":
            flags = ("--slots", str(SLOTS), "--step-ms", f"{pace.step_ms:g}", "--context-tokens", str(CONTEXT_TOKENS))
            return ViaPipe(bodies=bodies, is_clocked=True, command=python("bench.clock.engine", *flags))
        case "the channel":
            return ViaChannel(bodies=bodies, is_clocked=True, redis=pool.url, model=MODEL)
        case "HTTP, NDJSON":
            return ViaHttp(bodies=bodies, is_clocked=True, port=pool.port)
        case _:
            assert_never(end)


def _median(spreads: Sequence[Spread]) -> Spread:
    return sorted(spreads, key=lambda spread: spread.p50)[(len(spreads) - 1) // 2]


def _row(lag: Lag, bare: Spread) -> list[str]:
    own = (lag.lag_ms.p50, lag.lag_ms.p99, lag.lag_ms.highest)
    added = (lag.lag_ms.p50 - bare.p50, lag.lag_ms.p99 - bare.p99)
    figures = [f"{value:.2f}" for value in own] + ["–" if lag.lag_ms is bare else f"{value:.2f}" for value in added]
    return [lag.end, str(lag.streams), f"{lag.step_ms:g}", *figures]
