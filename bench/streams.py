"""`python -m bench.streams`: ten thousand streams in one gateway process, a token a second each.

How much memory a stream takes in the gateway, how late its tokens are, from their writing to their reading, what all of
it costs, and whether a stream is dropped or lacks a token. Gateway and broker are real; one process stands for all
workers, one for all clients.
"""

import argparse
import math
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import msgspec

from mlx_pool.up.broker import broker_binary

from .flags import read_flags
from .rig.files import allow_files
from .rig.machine import machine
from .rig.partner import Partner
from .rig.pool import pool
from .rig.process import end_cleanly_when_terminated
from .rig.usage import Usage, usage_of
from .sockets.orders import Count, Counted, Ended, Fed, Held, Hold, Release, Via
from .table import table

_SLOTS = 256  # the most that a worker may have
_OTHER_FILES = 512
_SETTLE_S = 3.0
_KIB, _MB = 1_024, 1e6
_NAMES = ("gateway", "broker", "feeder", "readers")


class Flags(msgspec.Struct, frozen=True):
    """What is measured."""

    broker: str
    streams: list[int]
    via: list[Via]
    every_ms: float
    seconds: float


class Measured(msgspec.Struct, frozen=True):
    """So many streams by one way."""

    via: Via
    counted: Counted
    fed: Fed
    ended: Ended
    rest: Usage  # the gateway, before
    held: Usage  # with all streams open
    cpu: Mapping[str, float]  # shares of a core, by process
    opened_s: float


def main(argv: Sequence[str]) -> None:
    """Measure, and print the tables for LOG.md on stdout."""
    flags = _read_flags(argv)
    allow_files(max(flags.streams) + _OTHER_FILES)
    broker = flags.broker or broker_binary()
    end_cleanly_when_terminated()
    print(f"{machine(broker)}\n`python -m bench.streams {shlex.join(argv)}`\n", flush=True)
    workers = math.ceil(max(flags.streams) / _SLOTS)
    print(f"One feeder in the place of {workers} workers of {_SLOTS} slots, one process in that of all clients.\n")
    measured = [_measure(via, streams, broker, flags) for via in flags.via for streams in flags.streams]
    print(_report(measured))


def _measure(via: Via, streams: int, broker: str, flags: Flags) -> Measured:
    print(f"… {streams:,} streams, {via}", file=sys.stderr, flush=True)
    gateway = ("--max-connections", str(streams + _OTHER_FILES // 2))
    with tempfile.TemporaryDirectory() as name, pool(Path(name), broker=broker, gateway_flags=gateway) as running:
        folder = Path(name)
        with (
            Partner(
                folder, "bench.sockets.feeder", "--redis", running.url, "--every-ms", str(flags.every_ms)
            ) as feeder,
            Partner(folder, "bench.sockets.readers", "--port", str(running.port), "--via", via) as readers,
        ):
            feeder.ask(Hold(0), Held)
            pids = running.pids | {"feeder": feeder.pid, "readers": readers.pid}
            rest = usage_of(pids["gateway"])
            opened = readers.ask(Hold(streams), Held)
            feeder.ask(Hold(opened.streams), Held)
            time.sleep(_SETTLE_S)
            before = {each: usage_of(pid) for each, pid in pids.items()}
            counted = readers.ask(Count(flags.seconds), Counted)
            after = {each: usage_of(pid) for each, pid in pids.items()}
            readers.say(Release())
            fed = feeder.ask(Release(), Fed)
            return Measured(
                via=via,
                counted=counted,
                fed=fed,
                ended=readers.hear(Ended),
                rest=rest,
                held=after["gateway"],
                cpu={each: (after[each].cpu_s - before[each].cpu_s) / flags.seconds for each in pids},
                opened_s=opened.seconds,
            )


_HEAD = (
    *("streams", "by", "tokens/s", "gateway MB", "at rest", "KiB a stream", "late ms p50", "p99", "highest"),
    *(f"{name} % of a core" for name in _NAMES),
    *("opened in s", "refused", "cut", "tokens missing"),
)


def _report(measured: Sequence[Measured]) -> str:
    return table(_HEAD, [_row(one) for one in measured])


def _row(one: Measured) -> list[str]:
    streams, late = one.fed.streams, one.counted.late_ms
    seconds = one.counted.seconds
    memory = (one.held.resident_bytes / _MB, one.rest.resident_bytes / _MB)
    kib = (one.held.resident_bytes - one.rest.resident_bytes) / _KIB / max(1, streams)
    # What the feeder said and nobody read is missing, too.
    missing = max(one.ended.missing, one.fed.tokens - one.ended.tokens) + one.fed.refused
    return [
        *(f"{streams:,}", one.via, f"{one.counted.tokens / seconds:,.0f}"),
        *(f"{value:.0f}" for value in memory),
        *(f"{value:.1f}" for value in (kib, late.p50, late.p99, late.highest)),
        *(f"{one.cpu[name] * 100:.0f}" for name in _NAMES),
        *(f"{one.opened_s:.1f}", str(one.ended.refused), str(one.ended.cut), str(missing)),
    ]


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description="Thousands of streams in one gateway.")
    flag = parser.add_argument
    flag("--broker", default="", help="the server's program, e.g. redis-server (the embedded Valkey)")
    flag("--streams", default="1000,10000", help="at once (%(default)s)")
    flag("--via", default="sse,openai", help=f"of {', '.join(get_args(Via))} (%(default)s)")
    flag("--every-ms", default="1000", help="between two tokens of a stream (%(default)s)")
    flag("--seconds", default="60", help="that are counted, once all streams are open (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
