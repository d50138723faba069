"""`POST /v1/responses`: a job with a note beside it, and its answer: whole, streamed, or later.

A response in the background is answered at once, as it is then. Every other one belongs to its client: when that
leaves, its job is cancelled.
"""

import time
from collections.abc import Sequence
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response as HttpResponse
from starlette.types import ASGIApp, Send

from gateway.admission import Ticket
from gateway.answer import Headers
from gateway.caller import caller_of
from gateway.client import read_body
from gateway.following import Followed, Following
from gateway.hints import ignored_headers
from gateway.openai.reading import read_request
from shared.errors import Refused
from shared.job import MAX_BODY_BYTES

from .conversation import items_of
from .fields import RESPONSES
from .note import encode_note
from .request import ResponseRequest
from .response import PREFIX, Echo, Opening, echo_of
from .response_job import WITH_LOGPROBS, response_job
from .shelf import Shelf
from .streaming import Streaming, send_whole


class Creating:
    """Makes responses."""

    def __init__(self, following: Following, shelf: Shelf) -> None:
        self._following = following
        self._shelf = shelf

    async def create(self, request: Request) -> ASGIApp:
        """Answer a conversation."""
        body = await read_body(request.headers, request.receive)
        asked, ignored = read_request(body, ResponseRequest, RESPONSES)
        ticket, echo = await self._admit(request, asked)
        headers = [
            (b"x-job-id", ticket.submissions[0].id.encode()),
            *ignored_headers([*ignored, *_not_included(asked)]),
        ]
        if asked.background and not asked.stream:
            return await self._submit(request, ticket, headers)
        followed = self._following.of_ticket(ticket)
        write = partial(_answer, followed, asked, echo, headers=headers)
        return self._following.answer(followed, write)

    async def _admit(self, request: Request, asked: ResponseRequest) -> tuple[Ticket, Echo]:
        caller, previous = caller_of(request.scope), asked.previous_response_id
        history = await self._shelf.history(previous, caller.tenant) if previous else []
        own = items_of(asked.input)
        job = response_job(asked, history, own)
        ticket = await self._following.admission.admit(job, request.headers, caller)
        echo = echo_of(asked, ticket.queue.model)
        note = encode_note(echo, [*history, *own])
        if max(len(note), len(ticket.submissions[0].body)) > MAX_BODY_BYTES:
            await ticket.withdraw()
            raise Refused(
                "body_too_large", f"The whole conversation has more than {MAX_BODY_BYTES} bytes.", param="input"
            )
        return msgspec.structs.replace(ticket, note=note if asked.store else b""), echo

    async def _submit(self, request: Request, ticket: Ticket, headers: Headers) -> HttpResponse:
        """Submit what nobody waits for; one that was submitted before, under the same key, may be further by now."""
        [submitted] = await ticket.submit()
        stored = await self._shelf.find(PREFIX + submitted.id, caller_of(request.scope).tenant)
        body = msgspec.json.encode(await self._shelf.read(stored))
        told = {name.decode(): value.decode() for name, value in headers}
        return HttpResponse(body, headers=told, media_type="application/json")


async def _answer(followed: Followed, asked: ResponseRequest, echo: Echo, send: Send, *, headers: Headers) -> None:
    [relay] = followed.relays
    # When it was put on the queue, so that a replay says the same; what is not stored is never replayed.
    peek = (await followed.queue.peek([relay.job_id]))[0] if asked.store else None
    created_at = peek.enqueued_at_ms // 1_000 if peek else int(time.time())
    opening = Opening(relay.job_id, created_at, echo)
    if asked.stream:
        streaming = Streaming(followed.queue, relay, opening)
        await streaming.send(send, headers=headers, may_refuse=not asked.background)
    else:
        await send_whole(relay, opening, send, headers=headers)


def _not_included(asked: ResponseRequest) -> Sequence[str]:
    return [f"include.{name}" for name in asked.include or () if name != WITH_LOGPROBS]
