"""`GET /pool/events`: the pool's state as server-sent events, once a second, for as long as a page is open."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.answer import send_body, send_head
from gateway.caller import caller_of

from .pulse import Listener, Pulse


class Events:
    """The call that every open page makes."""

    def __init__(self, pulse: Pulse, queue_url: str) -> None:
        self._pulse = pulse
        self._queue_url = queue_url

    async def get(self, request: Request) -> ASGIApp:
        """Tell of the pool until the client leaves, or the gateway ends."""
        may_operate = caller_of(request.scope).may_operate

        async def respond(_: Scope, receive: Receive, send: Send) -> None:
            async with self._listening(receive) as listener:
                await send_head(send, [], "text/event-stream")
                body = await self._pulse.greeting(may_operate=may_operate, queue_url=self._queue_url)
                while not (listener.has_left or self._pulse.is_over):
                    await send_body(send, body, is_last=False)
                    await listener.rung()
                    # Whoever reads slowly misses moments, and holds up nobody.
                    body = self._pulse.latest(may_operate=may_operate)
                if not listener.has_left:
                    await send_body(send, b"", is_last=True)

        return respond

    @contextlib.asynccontextmanager
    async def _listening(self, receive: Receive) -> AsyncGenerator[Listener]:
        listener = Listener()
        watching = asyncio.create_task(_watch(receive, listener))
        self._pulse.listeners.add(listener)
        try:
            yield listener
        finally:
            self._pulse.listeners.discard(listener)
            watching.cancel()
            await asyncio.wait([watching])


async def _watch(receive: Receive, listener: Listener) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.leave()
