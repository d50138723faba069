"""Sending a response's events to its client.

A response that only its client waits for may still be refused when its first event comes, so its headers wait for that.
Of one that is stored in the background, or asked for again, everything is told by events: there the headers go at once.
"""

import asyncio
from collections.abc import Sequence

import msgspec
from starlette.types import Send

from gateway.answer import HUSHED_S, Headers, first_of, send_body, send_head, send_object
from gateway.delivery import Delivery
from gateway.relay import Relay
from shared.errors import Fault, PoolError, from_wire
from shared.event import Error
from shared.queue import Queue

from .events import MEDIA_TYPE, Events
from .logged import logged
from .response import Opening
from .response_job import in_their_words

KEEP_ALIVE = b": keep-alive\n\n"


class Streaming:
    """The stream of one response."""

    def __init__(self, queue: Queue, relay: Relay, opening: Opening, *, after: int = -1) -> None:
        self._queue = queue
        self._relay = relay
        self._opening = opening
        self._events = Events(opening, after=after)
        self._rejoins = 0  # after which the numbers were found to be the log's

    async def send(self, send: Send, *, headers: Headers, may_refuse: bool) -> None:
        """Answer with the stream, until its end, or until the client has left.

        Raises:
            PoolError: before anything was sent, where it `may_refuse`; it is to become the answer's status.

        """
        try:
            first = await first_of(self._relay) if may_refuse else []
        except PoolError as error:
            raise in_their_words(error) from None
        if self._relay.has_left:
            return
        await send_head(send, headers, MEDIA_TYPE)
        try:
            await self._follow(send, self._events.begin() + self._tell(first))
        except PoolError as error:
            await send_body(send, self._events.error(error), is_last=False)

    async def _follow(self, send: Send, body: bytes) -> None:
        now_s = asyncio.get_running_loop().time
        said_at = now_s()
        while not (self._relay.has_left or self._events.has_ended):
            if body:
                await send_body(send, body, is_last=False)
                said_at = now_s()
            deliveries = await self._relay.next()
            body = self._tell(deliveries)
            if not body and (not deliveries or now_s() - said_at > HUSHED_S):
                body = KEEP_ALIVE
            if deliveries and self._rejoins != self._relay.rejoins:
                await self._check_numbers(deliveries[-1].seq)
        if not self._relay.has_left:
            await send_body(send, body, is_last=True)

    def _tell(self, deliveries: Sequence[Delivery]) -> bytes:
        return b"".join(self._events.tell(delivery.event) for delivery in deliveries)

    async def _check_numbers(self, seq: int) -> None:
        """See that the log gives these numbers, too: Redis lost its tail, and what was written anew is the same text.

        If it is cut into other events, whoever comes back with a number from here would be given the wrong place.
        """
        rejoins, replay = self._relay.rejoins, Events(self._opening)
        events, last = await logged(self._queue, self._relay.job_id, up_to=seq)
        if last < seq and not self._relay.is_renumbered:
            return  # these were on their way before; the log has not come so far again
        replay.begin()
        for event in events:
            replay.tell(event)
        if self._relay.is_renumbered or replay.number != self._events.number:
            raise Fault("stream_diverged", "Redis lost a part of this stream; the whole response can still be read.")
        self._rejoins = rejoins


async def send_whole(relay: Relay, opening: Opening, send: Send, *, headers: Headers) -> None:
    """Answer with the whole response, once it has ended.

    Raises:
        PoolError: it failed.

    """
    events = Events(opening)
    while not (relay.has_left or events.has_ended):
        for delivery in await relay.next():
            if isinstance(error := delivery.event, Error):
                raise in_their_words(from_wire(error.code, error.message, param=error.param))
            events.tell(delivery.event)
    if not relay.has_left:
        await send_object(send, msgspec.json.encode(events.response()), headers)
