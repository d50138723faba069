"""The calls on a response that was kept: read it, follow it again, cancel it, forget it, list what went in."""

import asyncio
import contextlib
from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response as HttpResponse
from starlette.types import ASGIApp, Send

from gateway.answer import send_object
from gateway.caller import caller_of
from gateway.following import Followed, Following
from gateway.query import flag_in
from shared.errors import Refused

from .input_list import input_list
from .shelf import Shelf, Stored
from .streaming import Streaming

CANCELLED_WITHIN_S = 5.0


class StoredResponses:
    """What may be done with a response afterwards."""

    def __init__(self, following: Following, shelf: Shelf) -> None:
        self._following = following
        self._shelf = shelf

    async def by_id(self, request: Request) -> ASGIApp:
        """Tell of it, or forget it."""
        return await (self._forget(request) if request.method == "DELETE" else self._retrieve(request))

    async def cancel(self, request: Request) -> ASGIApp:
        """Cancel it, and tell how it ended; one that has ended stays as it is."""
        stored = await self._find(request)
        await stored.queue.cancel(stored.job_id)
        followed = self._following.of_job(stored.queue, stored.job_id)
        return self._following.answer(followed, partial(self._send_end, followed, stored))

    async def input_items(self, request: Request) -> HttpResponse:
        """List the conversation that it answers."""
        stored = await self._find(request)
        return _json(input_list(stored.note.input, stored.job_id, request.query_params))

    async def _retrieve(self, request: Request) -> ASGIApp:
        """Tell all of it as it is now, or follow it from any event on."""
        after, is_stream = _number(request, "starting_after"), flag_in(request.query_params, "stream")
        stored = await self._find(request)
        if not is_stream:
            return _json(await self._shelf.read(stored))
        followed = self._following.of_job(stored.queue, stored.job_id)
        [relay] = followed.relays
        streaming = Streaming(stored.queue, relay, stored.opening, after=-1 if after is None else after)
        headers = [(b"x-job-id", stored.job_id.encode())]
        return self._following.answer(followed, partial(streaming.send, headers=headers, may_refuse=False))

    async def _forget(self, request: Request) -> HttpResponse:
        """Let it go with its job, at once; one that has not ended is cancelled."""
        stored = await self._find(request)
        await stored.queue.forget(stored.job_id)
        return _json({"id": stored.opening.id, "object": "response", "deleted": True})

    async def _send_end(self, followed: Followed, stored: Stored, send: Send) -> None:
        [relay] = followed.relays
        with contextlib.suppress(TimeoutError):  # then it is told as it is: its worker has not heard of it yet
            async with asyncio.timeout(CANCELLED_WITHIN_S):
                while not (relay.is_over or relay.has_left):
                    await relay.next()
        if not relay.has_left:
            await send_object(send, msgspec.json.encode(await self._shelf.read(stored)), [])

    async def _find(self, request: Request) -> Stored:
        return await self._shelf.find(request.path_params["id"], caller_of(request.scope).tenant)


def _number(request: Request, name: str) -> int | None:
    given = request.query_params.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise Refused("invalid_value", f"`{name}` is the number of an event.", param=name)
    return int(given)


def _json(told: Any) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(told), media_type="application/json")
