"""What an API key may still use, counted in Redis, so that all gateways of a pool count together.

A bucket for requests and one for tokens, each of which holds a minute's worth and fills by itself; and the ids of the
jobs that have not ended, as far as is known. Every method raises `Fault("broker_down")` when Redis does not answer.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from . import scripts
from .connection import Arg, Broker
from .key_file import KeyLimits
from .keys import key_prefix

Lacking = Literal["requests", "tokens", "jobs"]


class Left(msgspec.Struct, frozen=True):
    """What is left of a minute's worth, and in how many ms all of it is there again."""

    count: int
    full_in_ms: int


class Charged(msgspec.Struct, frozen=True):
    """What became of a charge; where something was lacking, nothing was taken."""

    lacking: Lacking | None
    wait_ms: int  # until what is lacking will be there; 0 for jobs, whose end nobody knows
    requests: Left
    tokens: Left
    begun: tuple[str, ...] = ()  # the jobs that count from now on, and did not before
    counting: tuple[tuple[str, int], ...] = ()  # where jobs are lacking: those that count, and for how many ms


class Allowance:
    """One key's."""

    def __init__(self, broker: Broker, key_id: str, limits: KeyLimits) -> None:
        self.limits = limits
        self._broker = broker
        self._prefix = key_prefix(key_id)

    async def take(self, *, tokens: int, jobs: Sequence[str], ended: Sequence[str] = ()) -> Charged:
        """Take one request, so many tokens, and places for these jobs, or nothing. `ended` no longer count."""
        return await self._charge(1, tokens, jobs, ended, is_forced=False)

    async def correct(self, *, tokens: int, ended: Sequence[str] = ()) -> None:
        """Take more tokens, also such as are not there, or give some back (below 0). `ended` no longer count."""
        await self._charge(0, tokens, (), ended, is_forced=True)

    async def _charge(
        self, requests: int, tokens: int, jobs: Sequence[str], ended: Sequence[str], *, is_forced: bool
    ) -> Charged:
        most = (self.limits.requests_per_minute, self.limits.tokens_per_minute, self.limits.concurrent_jobs)
        args: list[Arg] = [*(limit or 0 for limit in most), requests, tokens, int(is_forced), len(ended), *ended, *jobs]
        return _read(await scripts.call(self._broker, "charge", self._prefix, args))


def _read(reply: Sequence[Any]) -> Charged:
    lacking, wait_ms, requests, requests_ms, tokens, tokens_ms, listed = reply
    words = [word.decode() for word in listed]
    is_full = lacking == b"jobs"
    return Charged(
        lacking=lacking.decode() or None,
        wait_ms=wait_ms,
        requests=Left(requests, requests_ms),
        tokens=Left(tokens, tokens_ms),
        begun=() if is_full else tuple(words),
        counting=tuple(zip(words[::2], map(int, words[1::2]), strict=True)) if is_full else (),
    )
