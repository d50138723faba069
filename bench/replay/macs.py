"""Four workers of unlike speed, seats and prompt caches, on the scripted engine: what a pool of Macs may be like.

They can run at a pace: prompts read and tokens said so many times as fast, and people who think as much faster. The
pool's own times (a lease, a beat, what is held) stay as they are.
"""

import contextlib
import time
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from bench.rig.pool import Pool, Worker, get_json, pool

Placement = Literal["first", "best"]
MODEL = "scripted"
CONTEXT_TOKENS = 60_000
# In the units of `bench.placement.talks`: the most at which these four, taking the oldest first, have no ever longer
# queue in a simulated ten minutes.
FULL_RATE = 0.26
_CHUNK_MS = 250.0  # as the MLX engine cuts prompts beside rows that decode
_SETTLED_WITHIN_S = 5.0
_POLL_S = 0.1


class Mac(msgspec.Struct, frozen=True):
    """What a worker is like."""

    prefill_tokens_per_s: float
    step_ms: float
    slots: int
    cache_tokens: int


MACS = (
    Mac(1_600, 16, 12, 220_000),
    Mac(600, 26, 8, 90_000),
    Mac(600, 26, 8, 90_000),
    Mac(300, 28, 4, 40_000),
)


class Tallied(msgspec.Struct, frozen=True):
    """What all workers have counted together."""

    jobs: int
    looks: int
    home_claims: int
    forced_claims: int
    held_s: float


@contextlib.contextmanager
def macs(
    folder: Path, broker: str, *, pace: float, placement: Placement = "best", kinds: Sequence[Mac] = MACS
) -> Generator[tuple[Pool, list[Worker]]]:
    """Run a pool of such workers in the block."""
    folder.mkdir()
    with pool(folder, broker=broker) as running, contextlib.ExitStack() as serving:
        workers = [
            serving.enter_context(running.worker(*_flags(mac, f"mac-{number}", pace, placement)))
            for number, mac in enumerate(kinds, 1)
        ]
        yield running, workers


def tallied(port: int) -> Tallied:
    """What the workers have counted, once all of them have told that nothing runs."""
    deadline = time.monotonic() + _SETTLED_WITHIN_S
    time.sleep(1.0)  # a beat of each, behind the last job's end
    told = _workers(port)
    while any(worker["busy"] for worker in told) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        told = _workers(port)
    return Tallied(
        jobs=_sum(told, "jobs_done"),
        looks=_sum(told, "looks"),
        home_claims=_sum(told, "home_claims"),
        forced_claims=_sum(told, "forced_claims"),
        held_s=_sum(told, "held_s"),
    )


def _sum(told: Iterable[dict[str, Any]], name: str) -> Any:
    return sum(worker[name] for worker in told)


def _workers(port: int) -> list[dict[str, Any]]:
    return get_json(port, "/pool")["workers"]


def _flags(mac: Mac, name: str, pace: float, placement: Placement) -> list[str]:
    engine = {
        "--step-ms": f"{mac.step_ms / pace:g}",
        "--prefill-ms-per-token": f"{1_000 / mac.prefill_tokens_per_s / pace:g}",
        "--prefill-chunk-ms": f"{_CHUNK_MS / pace:g}",
        "--prompt-cache-tokens": str(mac.cache_tokens),
    }
    words = {
        "--engine": "scripted",
        "--name": name,
        "--slots": str(mac.slots),
        "--context-tokens": str(CONTEXT_TOKENS),
        "--placement": placement,
        "--engine-args": " ".join(f"{flag} {value}" for flag, value in engine.items()),
    }
    return [word for pair in words.items() for word in pair]
