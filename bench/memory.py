"""`python -m bench.memory`: whether an engine's memory stays flat over ten thousand requests.

One real engine is kept busy with requests of all kinds and lengths, some held to a grammar, a tenth cancelled wherever
they are then; its prompt cache has a fixed cap. After a warm-up, and at every thousand requests more, it is left to
become idle, and what the system and the process itself count is read. The slope is that of the straight line that
fits the readings best, by least squares.
"""

import argparse
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from .flags import read_flags
from .heap.census import Census
from .heap.engine import FILE
from .heap.traffic import Traffic
from .models import folder_of
from .rig.engine import Engine, engine
from .rig.machine import machine
from .rig.process import Died, end_cleanly_when_terminated
from .rig.usage import usage_of
from .table import table

_MB = 1e6
_CENSUS_WITHIN_S = 30.0
_PER = 10_000


class Flags(msgspec.Struct, frozen=True):
    """What is asked, and of what."""

    model: str
    requests: int
    warm_up: int
    every: int
    cancelled: float  # in percent
    slots: int
    cache_mb: int
    seed: int


class Reading(msgspec.Struct, frozen=True):
    """What was held after so many requests."""

    requests: int
    tokens: int
    cancels: int
    resident_bytes: int
    census: Census


def main(argv: Sequence[str]) -> None:
    """Measure, and print the table for LOG.md on stdout."""
    flags = _read_flags(argv)
    end_cleanly_when_terminated()
    print(f"{machine(None)}\n`python -m bench.memory {shlex.join(argv)}`\n", flush=True)
    with tempfile.TemporaryDirectory() as made:
        readings = _measure(Path(made), flags)
    print(_report(readings))


def _measure(made: Path, flags: Flags) -> list[Reading]:
    words = ("--slots", str(flags.slots), "--prompt-cache-mb", str(flags.cache_mb))
    file = made / "census"
    folder = folder_of(flags.model, made)
    with engine(folder, *words, env={FILE: str(file)}, module="bench.heap.engine") as running:
        traffic = Traffic(running, at_once=flags.slots * 3 // 2, cancelled=flags.cancelled / 100, seed=flags.seed)
        traffic.run(flags.warm_up)
        readings = [_read(running, traffic, file, 0)]
        for requests in range(flags.every, flags.requests + 1, flags.every):
            traffic.run(flags.every)
            readings.append(_read(running, traffic, file, requests))
    return readings


def _read(running: Engine, traffic: Traffic, file: Path, requests: int) -> Reading:
    os.kill(running.pid, signal.SIGUSR1)
    deadline_s = time.monotonic() + _CENSUS_WITHIN_S
    while not file.exists():
        if time.monotonic() > deadline_s:
            raise Died("the engine did not count")
        time.sleep(0.01)
    census = msgspec.json.decode(file.read_bytes(), type=Census)
    file.unlink()
    reading = Reading(requests, traffic.tokens, traffic.cancels, usage_of(running.pid).resident_bytes, census)
    print(f"… {requests:,}: {reading.resident_bytes / _MB:.1f} MB", file=sys.stderr, flush=True)
    return reading


_COUNTS: dict[str, Callable[[Reading], float | None]] = {
    "resident MB": lambda one: one.resident_bytes / _MB,
    "heap MB": lambda one: None if one.census.heap_bytes is None else one.census.heap_bytes / _MB,
    "heap's holes MB": lambda one: None if one.census.hole_bytes is None else one.census.hole_bytes / _MB,
    "MLX active MB": lambda one: one.census.active_bytes / _MB,
    "MLX cached MB": lambda one: one.census.cached_bytes / _MB,
    "large buffers": lambda one: one.census.buffers,
    "Python blocks": lambda one: one.census.blocks,
}


def _report(readings: Sequence[Reading]) -> str:
    head = ("requests", "tokens", "cancelled", *_COUNTS)
    rows = [
        [
            *(f"{value:,}" for value in (one.requests, one.tokens, one.cancels)),
            *(_shown(name, count(one)) for name, count in _COUNTS.items()),
        ]
        for one in readings
    ]
    slopes = [_slope([(one.requests, count(one)) for one in readings]) for count in _COUNTS.values()]
    shown = (_shown(name, slope) for name, slope in zip(_COUNTS, slopes, strict=True))
    return table(head, [*rows, ["slope per 10,000", "", "", *shown]])


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.2f}" if name.endswith("MB") else f"{value:,.0f}"


def _slope(points: Sequence[tuple[int, float | None]]) -> float | None:
    """By how much it rises in ten thousand requests; None where it is not known or was read only once."""
    known = [(x, y) for x, y in points if y is not None]
    if len(known) < 2:
        return None
    middle_x, middle_y = (sum(values) / len(known) for values in zip(*known, strict=True))
    rise = sum((x - middle_x) * (y - middle_y) for x, y in known)
    return rise / sum((x - middle_x) ** 2 for x, _ in known) * _PER


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description="Does an engine's memory stay flat?")
    flag = parser.add_argument
    flag("--model", default="tiny", help="a name, a folder, or `tiny` (%(default)s)")
    flag("--requests", default="10000", help="after the warm-up (%(default)s)")
    flag("--warm-up", default="1000", help="requests that are not judged (%(default)s)")
    flag("--every", default="1000", help="requests between two readings (%(default)s)")
    flag("--cancelled", default="10", help="so many in a hundred (%(default)s)")
    flag("--slots", default="16", help="requests at once; half as many more wait (%(default)s)")
    flag("--cache-mb", default="16", help="the prompt cache's cap, small enough to be full after the warm-up")
    flag("--seed", default="1", help="the same again (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
