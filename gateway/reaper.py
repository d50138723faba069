"""The gateway's share of reaping: with it deadlines hold, and dead workers are noticed, even with no worker left."""

import asyncio
import random

import structlog

from shared.errors import Fault
from shared.pool import Pool

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
TICK_S = 0.25
JITTER_S = 0.05  # so that the reapers of a pool do not tick together


class Reaper:
    """Ticks for every queue; the scripts see to it that many reapers do no more than one."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._is_down = False

    async def run(self) -> None:
        """Tick, for ever, whether Redis answers or not."""
        while True:
            await asyncio.sleep(TICK_S + random.uniform(-JITTER_S, JITTER_S))  # noqa: S311 a spread, not a secret
            try:
                await self._tick()
            except Fault as fault:
                self._note(is_down=True, message=fault.message)
            else:
                self._note(is_down=False)

    async def _tick(self) -> None:
        for model in await self._pool.models():
            reaped = await self._pool.queue(model).reap()
            if reaped and (reaped.given_back or reaped.ended or reaped.workers):
                log.info(
                    "reaped", model=model, given_back=reaped.given_back, ended=reaped.ended, workers=reaped.workers
                )

    def _note(self, *, is_down: bool, message: str = "") -> None:
        if is_down != self._is_down:
            self._is_down = is_down
            if is_down:
                log.warning("broker_lost", message=message)
            else:
                log.info("broker_back")
