"""What is told of a job that is followed: moments as they come, and in the end where the time went. Plain data."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import msgspec

What = Literal[
    "queued", "waiting", "claimed", "started", "first_token", "tokens", "silence", "given_back", "done", "error",
    "cancelled",
]  # fmt: skip


class Moment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that befell a job. Times are Redis's, in ms; what nobody wrote down or saw is left out.

    `took_ms` is what ended with it: waiting at `claimed`, the prefill at `first_token`, tokens at `given_back` and at
    the end. `gap_ms` is silence: since the last token, or the longest among those that `tokens` tells of.
    """

    what: What
    at_ms: int | None = None
    is_about: bool = False  # the time is reckoned
    attempt: int = 0
    worker: str = ""
    tokens: int = 0  # generated so far, over all attempts
    took_ms: int | None = None
    gap_ms: int | None = None
    tokens_per_s: float | None = None
    before: int | None = None  # jobs that are served first
    note: str = ""


class Whole(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="what", tag="over"):
    """Where a job's time went, in ms; `ran_ms` is prefill and tokens, alone where nobody saw their border."""

    attempts: int
    tokens: int
    total_ms: int | None = None
    waited_ms: int | None = None
    between_ms: int = 0  # given back by one worker, not yet taken by the next
    ran_ms: int | None = None
    prefill_ms: int | None = None
    tokens_ms: int | None = None
    longest_gap_ms: int | None = None  # between two tokens, as far as they were seen coming


class Attempt:
    """One attempt as far as it is known."""

    __slots__ = ("claimed_ms", "ended_ms", "first_ms", "number", "tokens", "worker")

    def __init__(self, number: int, worker: str, claimed_ms: int | None) -> None:
        self.number = number
        self.worker = worker
        self.claimed_ms = claimed_ms
        self.first_ms: int | None = None  # its first token
        self.ended_ms: int | None = None
        self.tokens = 0


def between(earlier: int | None, later: int | None) -> int | None:
    """How long from one time to another, where both are known; clocks of two machines may differ by a little."""
    return None if earlier is None or later is None else max(0, later - earlier)


def whole(queued_ms: int | None, attempts: Sequence[Attempt], ended_ms: int | None, gap_ms: int | None) -> Whole:
    """Add up where the time went."""
    ran = [between(each.claimed_ms, each.ended_ms) for each in attempts]
    prefills = [between(each.claimed_ms, each.first_ms if each.tokens else each.ended_ms) for each in attempts]
    tokens = [between(each.first_ms, each.ended_ms) if each.tokens else 0 for each in attempts]
    pauses = [between(one.ended_ms, next_one.claimed_ms) for one, next_one in pairwise(attempts)]
    return Whole(
        attempts=len(attempts),
        tokens=sum(each.tokens for each in attempts),
        total_ms=between(queued_ms, ended_ms),
        waited_ms=between(queued_ms, attempts[0].claimed_ms if attempts else ended_ms),
        between_ms=_sum(pauses) or 0,
        ran_ms=_sum(ran),
        prefill_ms=_sum(prefills),
        tokens_ms=_sum(tokens),
        longest_gap_ms=gap_ms,
    )


def _sum(parts: Sequence[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None
