"""How long jobs wait: what workers have measured of late, and what it says of a job that waits now. Pure.

Workers tell with each beat how long the jobs of their last minute waited that had to wait, by class and size, and how
far back in the line those stood. docs/decisions/0016-expected-waits.md has the reasoning.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

SIZES = (512, 4_096, 16_384)  # tokens of a prompt, up to and with; a size bears a letter
_LETTERS = ("s", "m", "l", "x")
ENOUGH = 4  # jobs of a class and size; fewer are no mean
MOST_MS = 24 * 3_600_000  # what a queue lets a job wait: whatever is reckoned, no more is told

_Count = Annotated[int, Meta(ge=0, le=2**53)]


class Waited(msgspec.Struct, frozen=True, array_like=True):
    """What jobs waited together, in ms, and the sum of their places: 1 for one that was next when it came."""

    jobs: _Count = 0
    wait_ms: _Count = 0
    places: _Count = 0

    def and_also(self, other: "Waited") -> "Waited":
        """Both together."""
        return Waited(self.jobs + other.jobs, self.wait_ms + other.wait_ms, self.places + other.places)


Waits = Mapping[str, Waited]  # by `key_of`

_decode = msgspec.json.Decoder(dict[str, Waited]).decode


def key_of(job_class: str, tokens: int) -> str:
    """The name of a class and size: `std.m` are jobs of 513 … 4,096 prompt tokens."""
    return f"{job_class}.{_LETTERS[bisect_left(SIZES, tokens)]}"


def encode_waits(waits: Waits) -> str:
    """Write them as a worker tells them: short, since every beat has them."""
    return msgspec.json.encode(waits).decode() if waits else ""


def decode_waits(text: str) -> dict[str, Waited]:
    """Read what a worker tells; whatever else it is, it says nothing."""
    try:
        return _decode(text) if text else {}
    except msgspec.DecodeError:
        return {}


def merged(tables: Iterable[Waits]) -> dict[str, Waited]:
    """What several workers tell, as of one."""
    together: dict[str, Waited] = {}
    for table in tables:
        for key, waited in table.items():
            together[key] = together.get(key, Waited()).and_also(waited)
    return together


def waited_like(waits: Waits, job_class: str, tokens: int | None) -> Waited | None:
    """What the like of a job has waited: of its class and size, else of its class; None where too few have."""
    whole_class = [waited for key, waited in waits.items() if key.partition(".")[0] == job_class]
    of_size = None if tokens is None else waits.get(key_of(job_class, tokens))
    for waited in (of_size, *merged({"": each} for each in whole_class).values()):
        if waited is not None and waited.jobs >= ENOUGH:
            return waited
    return None


def expected_wait_ms(place: int, ends_per_second: float, waited: Waited | None) -> int | None:
    """How long a job waits that needs so many seats to become free before it has its own; None when unknown.

    Its like waited so long on the mean, at such a place on the mean. How far its own place is from that counts at the
    pace at which they came forward, or at the pool's where that is quicker. It is never less than the next end takes,
    and grows with the place. With nothing measured it is the pool's pace alone.
    """
    if place <= 0:
        return 0
    end_ms = 1_000 / ends_per_second if ends_per_second > 0 else None
    if waited is None or waited.jobs == 0:
        return None if end_ms is None else int(min(MOST_MS, place * end_ms))
    mean_ms = waited.wait_ms / waited.jobs
    mean_place = max(1.0, waited.places / waited.jobs)
    step_ms = mean_ms / mean_place if end_ms is None else min(mean_ms / mean_place, end_ms)
    wait_ms = max(0.0, mean_ms + (place - mean_place) * step_ms)
    return int(min(MOST_MS, max(wait_ms, end_ms or 0.0)))
