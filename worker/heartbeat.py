"""One incarnation's lease, kept alive, and the pool's picture of it, kept true."""

import asyncio
import contextlib
from collections.abc import Callable

from shared.claims import Claims, LeaseLost
from shared.errors import Fault

from .lifecycle import State

BEAT_EVERY_S = 0.5
BEAT_STANDING_BY_EVERY_S = 1.0  # nothing runs there, and any change is told at once
AFTER_FAULT_S = 0.2


class Heartbeat:
    """Beats on a connection of its own: a slow flush must not cost the lease."""

    def __init__(
        self,
        claims: Claims,
        *,
        state: Callable[[], State],
        fields: Callable[[], dict[str, str | int | float]],
        fingerprint: Callable[[], str],
        drain: Callable[[], None],
        on_known: Callable[[], None],
    ) -> None:
        """`drain` is called when an operator wants the worker to drain; `fingerprint` is "" while none is loaded.

        `on_known` is called when `is_known` becomes true.
        """
        self.is_known = False  # the pool knows what weights are served here, and has none against them
        self._claims = claims
        self._state = state
        self._fields = fields
        self._fingerprint = fingerprint
        self._drain = drain
        self._on_known = on_known
        self._news = asyncio.Event()

    async def begin(self) -> None:
        """Begin the lease, or tell what weights are served from now on.

        Raises:
            Refused: the queue's workers serve other weights.

        """
        while True:
            try:
                return await self._claims.register(self._fingerprint(), self._fields())
            except Fault:
                await asyncio.sleep(AFTER_FAULT_S)

    def tell(self) -> None:
        """Beat at once: the others decide by what was told last."""
        self._news.set()

    async def run(self) -> None:
        """Beat for ever.

        Raises:
            LeaseLost: the pool has buried this incarnation.
            Refused: the queue's workers serve other weights.

        """
        while True:
            self._news.clear()
            try:
                if self._state() == "ready" and not self.is_known:
                    await self.begin()
                    self.is_known = True
                    self._on_known()
                elif await self._claims.beat(self._fields()) == "drain" and self._state() not in {"draining", "gone"}:
                    self._drain()
                self.is_known = self.is_known and self._state() == "ready"
            except LeaseLost:
                raise
            except Fault:
                await asyncio.sleep(AFTER_FAULT_S)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_STANDING_BY_EVERY_S if self._state() == "standby" else BEAT_EVERY_S):
                    await self._news.wait()
