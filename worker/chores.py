"""What every worker does for its queue beside its jobs: it reaps, and gives back claims that it never heard of."""

import asyncio
import random
from collections.abc import Callable

import structlog

from shared.claims import Claims
from shared.errors import Fault
from shared.queue import Queue

from .book import Book

REAP_EVERY_S = 0.25
# Who has not loaded the model leaves it to those who have, and to gateways; but somebody has to, where nobody else is:
# no seldomer than this, since three ticks that are missing are taken for a Redis that stood still.
REAP_STANDING_BY_EVERY_S, REAP_SELDOM_S = 0.5, 2.0
MINE_EVERY_S, MINE_STANDING_BY_EVERY_S = 2.0, 10.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


async def reap(queue: Queue, *, stands_by: Callable[[], bool]) -> None:
    """Tick the reapers' clock for ever."""
    every_s = REAP_EVERY_S
    while True:
        await asyncio.sleep(every_s * random.uniform(0.8, 1.2))  # noqa: S311 jitter
        try:
            reaped = await queue.reap()
        except Fault:
            continue
        every_s = _next_in_s(every_s, was_first=reaped is not None) if stands_by() else REAP_EVERY_S
        if reaped and reaped.workers:
            _log.warning("workers_buried", workers=reaped.workers, jobs_given_back=reaped.given_back)


def _next_in_s(every_s: float, *, was_first: bool) -> float:
    """When one that stands by ticks again: seldom where others do."""
    return REAP_STANDING_BY_EVERY_S if was_first else min(REAP_SELDOM_S, every_s * 2)


async def give_back_lost(claims: Claims, book: Book, *, stands_by: Callable[[], bool]) -> None:
    """Give back, for ever, what Redis says is mine and the book does not know: a claim's reply was lost."""
    while True:
        await asyncio.sleep(MINE_STANDING_BY_EVERY_S if stands_by() else MINE_EVERY_S)
        try:
            if back := await claims.mine(book.entries()):
                _log.warning("claims_lost_and_given_back", jobs=back)
        except Fault:
            continue
