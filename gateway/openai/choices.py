"""A stream of several choices: the jobs' events as they come, each under its choice's index.

SDKs build their list of choices from the chunks in the order in which they come, so all choices begin before any goes
on. The first job decides the answer's status.
"""

import asyncio
from collections.abc import Sequence

from starlette.types import Send

from gateway.answer import Headers, first_of, send_body, send_head
from gateway.delivery import Delivery, Text
from gateway.frames import queued_comment
from gateway.relay import Relay
from shared.errors import PoolError
from shared.event import Cancelled, Done, Error, Queued, Started, Usage

from .ending import done_of
from .envelope import END, KEEP_ALIVE, MEDIA_TYPE, Chunks, Envelope, failure
from .together import together
from .usage import usage_of


class Choices:
    """The stream of a request's jobs; `answers` of them for each prompt."""

    def __init__(self, envelope: Envelope, chunks: Sequence[Chunks], *, answers: int, has_usage: bool) -> None:
        self._envelope = envelope
        self._chunks = chunks
        self._answers = answers
        self._has_usage = has_usage
        self._turn = asyncio.Lock()  # of the one connection

    async def stream(self, relays: Sequence[Relay], send: Send, *, headers: Headers) -> None:
        """Answer with the stream, until its end, or until the client has left.

        Raises:
            PoolError: before anything was sent; it is to become the answer's status.

        """
        first = await first_of(relays[0])
        if relays[0].has_left:
            return
        await send_head(send, headers, MEDIA_TYPE)
        await send_body(send, b"".join(chunks.begin() for chunks in self._chunks), is_last=False)

        async def follow(place: int, relay: Relay) -> Usage | None:
            return await self._follow(place, relay, send, [] if place else first)

        try:
            usages = await together(relays, follow)
        except PoolError as error:
            await send_body(send, failure(error), is_last=False)
        else:
            if usages is not None:
                await send_body(send, self._end(usages), is_last=True)

    async def _follow(self, place: int, relay: Relay, send: Send, deliveries: Sequence[Delivery]) -> Usage | None:
        chunks = self._chunks[place]
        while not relay.has_left:
            deliveries = deliveries or await relay.next()
            body = b"".join(_chunk(chunks, delivery) for delivery in deliveries) or KEEP_ALIVE
            async with self._turn:
                await send_body(send, body, is_last=False)
            if relay.is_over:
                return done_of(deliveries[-1].event if deliveries else None).usage
            deliveries = []
        return None

    def _end(self, usages: Sequence[Usage]) -> bytes:
        usage = usage_of(usages, answers=self._answers)
        return (self._envelope.usage(self._chunks[0].kind, usage) if self._has_usage else b"") + END


def _chunk(chunks: Chunks, delivery: Delivery) -> bytes:
    match delivery.event:
        case Text() as text:
            return chunks.text(text)
        case Done() as done:
            return chunks.finish(done.reason)
        case Queued() as queued:
            return queued_comment(queued)
        case Started() | Cancelled() | Error():
            return b""  # a failure is told once, of the whole stream
