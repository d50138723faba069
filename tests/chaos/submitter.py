"""Another service: it puts jobs straight on the queue with XADD and reads their logs with XREAD, and nothing else."""

import asyncio

import msgspec

from shared.connection import Broker
from shared.errors import Fault
from shared.keys import Keys

from . import history as h
from .evidence import TERMINAL
from .history import History, how_of
from .load import Order
from .log_event import read_event

BLOCK_MS = 1_000
PATIENCE_S = 90.0
_AGAIN_S = 0.2


class Submitter:
    """Carries out orders without a gateway."""

    def __init__(self, broker: Broker, keys: Keys, history: History) -> None:
        self._broker = broker
        self._keys = keys
        self._history = history

    async def carry_out(self, order: Order, *, key: str) -> None:
        """Ask, and read the answer to its end."""
        self._history.add(
            h.Asked(at=self._history.now(), request=order.request, client=order.client, body=order.body, job=key)
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._put(order, key)
                await self._read(order.request, key)
        except TimeoutError:
            self._history.add(h.Over(at=self._history.now(), request=order.request, how="gave_up"))

    async def _put(self, order: Order, key: str) -> None:
        """XADD until it is answered: the same id with the same body is one job, however often it is put there."""
        is_put = False
        while not is_put:
            tried_at = self._history.now()
            try:
                await self._broker.command(
                    "XADD", self._keys.jobs("std"), "*", "id", key, "body", msgspec.json.encode(order.body)
                )
                is_put = True
            except Fault:
                await asyncio.sleep(_AGAIN_S)
            self._history.add(
                h.Answered(
                    at=self._history.now(),
                    request=order.request,
                    outcome="ok" if is_put else "unknown",
                    tried_at=tried_at,
                    job=key,
                )
            )

    async def _read(self, request: str, key: str) -> None:
        last, status = "0", ""
        while status not in TERMINAL:
            try:
                reply = await self._broker.command("XREAD", "BLOCK", BLOCK_MS, "STREAMS", self._keys.log(key), last)
            except Fault:
                await asyncio.sleep(_AGAIN_S)
                continue
            for entry_id, fields in reply[0][1] if reply else ():
                last = entry_id.decode()
                status = self._note(request, fields[b"e"])

    def _note(self, request: str, data: bytes) -> str:
        at, event = self._history.now(), read_event(data)
        self._history.add(
            h.Received(
                at=at,
                request=request,
                seq=event.seq,
                status=event.status,
                content=event.content,
                calls=event.calls,
                code=event.code,
                completion_tokens=event.usage.completion_tokens if event.usage else None,
            )
        )
        if event.status in TERMINAL:
            self._history.add(h.Over(at=at, request=request, how=how_of(event.status), code=event.code))
        return event.status
