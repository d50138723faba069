"""Loading and unloading on demand: one engine, started and ended as its model's stand says."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from shared.errors import Fault

from .stand import Stand
from .supervisor import Supervisor

ENGINE_STOP_S = 3.0
# An engine that keeps dying while it loads, or a model that can't be brought here now, is left alone for so long.
REST_S = 60.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

Progress = Callable[[str, float | None], None]
Fetch = Callable[[Progress], Awaitable[object]]


class Serving(Protocol):
    """Who serves the queue, whatever it is called just now."""

    def load(self) -> None:
        """The model is brought and loaded from now on."""
        ...

    def unload(self) -> None:
        """The engine has ended."""
        ...

    async def emptied(self) -> None:
        """Wait until nothing runs, and nothing is on its way to run."""
        ...

    def has_failed(self) -> bool:
        """Tell whether the model can never be loaded here."""
        ...


class Tending:
    """Tends one engine. `fetch` brings the model to this machine; Refused: it can't be had."""

    def __init__(self, engine: Supervisor, stand: Stand, serving: Serving, *, fetch: Fetch) -> None:
        self._engine = engine
        self._stand = stand
        self._serving = serving
        self._fetch = fetch

    async def run(self) -> None:
        """Load and unload for ever; returns when the engine can't start whatever is done.

        Raises:
            Refused: the model can't be brought here.

        """
        stand = self._stand
        while not self._serving.has_failed():
            await stand.until(lambda: stand.state == "due" or (stand.is_wanted and not stand.is_present))
            if stand.is_present:
                await self._stay()
            else:
                await self._bring()

    async def _bring(self) -> None:
        """Bring it here, which takes no room; then it is wanted again, or not."""
        self._serving.load()
        try:
            await self._fetch(self._note)
            self._stand.present()
        except Fault as fault:
            _log.warning("model_not_fetched", model=self._stand.queue, reason=fault.message)
            self._stand.give_up(REST_S)
        finally:
            self._stand.progress = 0.0
            self._serving.unload()

    async def _stay(self) -> None:
        """Load it, and unload it when it is to leave."""
        stand, began_s = self._stand, time.monotonic()
        stand.loading()
        self._serving.load()
        engine = asyncio.create_task(self._engine.run())
        leaving = asyncio.create_task(stand.until(lambda: stand.state == "leaving"))
        try:
            await asyncio.wait([engine, leaving], return_when=asyncio.FIRST_COMPLETED)
            if not engine.done():
                await self._serving.emptied()
            if not engine.done():
                await self._engine.stop(ENGINE_STOP_S)
            await engine
        finally:
            for task in (engine, leaving):
                task.cancel()
            await asyncio.gather(engine, leaving, return_exceptions=True)
            self._serving.unload()
            stand.left()
        _log.info("model_unloaded", model=stand.queue, stayed_s=round(time.monotonic() - began_s, 1))

    def _note(self, message: str, done: float | None) -> None:
        self._stand.progress = (1 - self._stand.load_share) * (done or 0.0)
        _log.debug("model_loading", model=self._stand.queue, message=message, progress=done)
