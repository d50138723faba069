"""What the pool looks like, asked of Redis at most twice a second however many ask here."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from shared.errors import Fault
from shared.pool import Pool
from shared.survey import Survey

T = TypeVar("T")
MAX_AGE_S = 0.5
WATCH_EVERY_S = 2.0


class _Remembered(Generic[T]):
    """A value, or the fault of asking for it, asked for again only when it is too old; askers share one call."""

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._lock = asyncio.Lock()
        self._outcome: T | Fault | None = None
        self._at = 0.0

    async def get(self, max_age_s: float = MAX_AGE_S) -> T:
        async with self._lock:
            if self._outcome is None or time.monotonic() - self._at >= max_age_s:
                try:
                    self._outcome = await self._ask()
                except Fault as fault:
                    self._outcome = fault
                self._at = time.monotonic()
            if isinstance(self._outcome, Fault):
                raise Fault("broker_down", self._outcome.message)
            return self._outcome


class Surveys:
    """The state of every queue, at most half a second old; every method raises `Fault("broker_down")`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._models = _Remembered(pool.models)
        self._surveys: dict[str, _Remembered[Survey]] = {}
        self._worked_at: dict[str, float] = {}
        self._began_at = time.monotonic()

    async def models(self) -> frozenset[str]:
        """The models that have a queue."""
        return await self._models.get()

    async def knows(self, model: str) -> bool:
        """Whether the model has a queue; asked anew before the answer is no, since it may have come just now."""
        return model in await self._models.get() or model in await self._models.get(max_age_s=0)

    async def of(self, model: str) -> Survey:
        """A queue's survey."""
        if model not in self._surveys:
            self._surveys[model] = _Remembered(self._pool.queue(model).survey)
        survey = await self._surveys[model].get()
        if survey.live_workers:
            self._worked_at[model] = time.monotonic()
        return survey

    async def all(self) -> list[Survey]:
        """Every queue's survey, by model; asked anew before the answer is none, since one may have come just now."""
        models = await self._models.get() or await self._models.get(max_age_s=0)
        return [await self.of(model) for model in sorted(models)]

    def without_worker_s(self, model: str) -> float:
        """How long no lease has lived in this queue, as far as this process has seen."""
        return time.monotonic() - self._worked_at.get(model, self._began_at)

    async def run(self) -> None:
        """Look every two seconds, for ever, so that a worker's absence is known when somebody asks."""
        while True:
            with contextlib.suppress(Fault):  # whoever asks is told
                await self.all()
            await asyncio.sleep(WATCH_EVERY_S)
