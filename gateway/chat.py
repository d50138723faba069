"""`/chat`: submit a job and follow it, follow it again, cancel it.

A job with `background` belongs to nobody: its client may leave, and with `stream: false` is answered at once, 202 with
the job's id, to fetch the result by `GET /chat/{id}` (as one object with `?stream=false`). Every other job is its
clients': when the last one leaves, at whatever phase, it is cancelled after `linger_ms`.
"""

import re
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import Fault, Refused
from shared.job import JOB_ID, parse_job
from shared.pool import Pool
from shared.queue import Queue, keyed_job_id

from . import answer
from .admission import TENANT, Admission, Ticket
from .audience import Audience
from .client import read_body, until_it_leaves
from .delivery import Tally
from .frames import choose_frames
from .order import Mark, read_mark
from .relay import Relay

RESUBMIT_WITHIN_S = 300.0  # half of the time that records are kept: later, a missing record may be an ended job's
# A direct job's default id is its entry's: anybody could guess it. Over HTTP it is as unknown as any other.
_GUESSABLE = re.compile(r"[a-z]+-[0-9]+-[0-9]+")

Begin = Callable[[Relay], Awaitable[None]]


class Chat:
    """The three calls on a job."""

    def __init__(self, pool: Pool, admission: Admission, audience: Audience, tally: Tally) -> None:
        self._pool = pool
        self._admission = admission
        self._audience = audience
        self._tally = tally

    async def post(self, request: Request) -> ASGIApp:
        """Submit a job, or attach to the one with its key, and follow it."""
        try:
            body = await read_body(request.headers, request.receive)
        except ClientDisconnect:
            return _nothing
        ticket = await self._admission.admit(parse_job(body), request.headers)
        if ticket.job.background and not ticket.job.stream:
            submitted = await ticket.submit()
            return _json({"id": submitted.id}, 202, {"location": f"/chat/{submitted.id}"}, submitted.id)
        relay = Relay(ticket.queue, ticket.submission.id, tally=self._tally, resubmit=_resubmit(ticket))
        return self._follow(request, ticket.queue, relay, partial(self._submit, ticket), is_stream=ticket.job.stream)

    async def by_id(self, request: Request) -> ASGIApp:
        """Follow the job with this id again, or cancel it."""
        return await (self._cancel(request) if request.method == "DELETE" else self._resume(request))

    async def _resume(self, request: Request) -> ASGIApp:
        """Follow a job from its beginning, or from behind the event that the client names."""
        mark = _mark_of(request)
        queue, job_id = await self._find(request.path_params["id"])
        relay = Relay(queue, job_id, tally=self._tally, mark=mark)
        is_stream = request.query_params.get("stream", "true").lower() != "false"
        return self._follow(request, queue, relay, _replay, is_stream=is_stream)

    async def _cancel(self, request: Request) -> Response:
        """Cancel a job; asking again changes nothing."""
        queue, job_id = await self._find(request.path_params["id"])
        outcome = await queue.cancel(job_id)
        if outcome == "unknown":
            raise _unknown_job()
        status = {"flagged": "cancelling"}.get(outcome, outcome)
        return _json({"id": job_id, "status": status}, 200, {}, job_id)

    async def _submit(self, ticket: Ticket, relay: Relay) -> None:
        submitted = await ticket.submit()
        if not ticket.job.background:
            self._audience.owns(relay.job_id, ticket.linger_ms)
        if not submitted.is_new:
            relay.read_from_log()

    def _follow(self, request: Request, queue: Queue, relay: Relay, begin: Begin, *, is_stream: bool) -> ASGIApp:
        headers = [(b"x-job-id", relay.job_id.encode())]
        frames = choose_frames(request.headers.get("accept", ""))(relay.job_id, queue.model)

        async def respond(_: Scope, receive: Receive, send: Send) -> None:
            # Listen before submit: pub/sub keeps nothing for late listeners.
            async with until_it_leaves(receive, relay), self._audience.attend(queue, relay):
                if relay.has_left:
                    return
                await begin(relay)
                if is_stream:
                    await answer.stream(relay, frames, send, headers)
                else:
                    await answer.whole(relay, send, headers, queue.model)

        return respond

    async def _find(self, given: str) -> tuple[Queue, str]:
        """The job meant by an id of ours, or by a client's own; unknown, expired and another's are one 404."""
        if not JOB_ID.fullmatch(given) or _GUESSABLE.fullmatch(given):
            raise _unknown_job()
        queue = await self._pool.queue_of(given)
        models = sorted(await self._pool.models())
        candidates = [(queue, given)] if queue else []
        candidates += [(self._pool.queue(model), keyed_job_id(model, TENANT, given)) for model in models]
        for candidate, job_id in candidates:
            peek = (await candidate.peek([job_id]))[0]
            if peek and peek.tenant == TENANT:
                return candidate, job_id
        raise _unknown_job()


def _resubmit(ticket: Ticket) -> Callable[[float], Awaitable[None]]:
    async def submit_again(age_s: float) -> None:
        if age_s >= RESUBMIT_WITHIN_S:
            raise Fault("stream_lost", "Redis no longer has this job.")
        await ticket.submit()

    return submit_again


async def _replay(relay: Relay) -> None:
    relay.read_from_log()


def _mark_of(request: Request) -> Mark | None:
    # The header first: an EventSource that reconnects repeats its URL, and tells where it really is.
    place = request.headers.get("last-event-id") or request.query_params.get("after")
    return read_mark(place) if place else None


def _unknown_job() -> Refused:
    return Refused("job_not_found", "No such job, or its log has expired.")


def _json(fields: dict[str, str], status: int, headers: dict[str, str], job_id: str) -> Response:
    body = msgspec.json.encode(fields)
    return Response(body, status, headers | {"x-job-id": job_id}, media_type="application/json")


async def _nothing(_: Scope, _receive: Receive, _send: Send) -> None:
    """Answer nobody: the client has left."""
