"""`/chat`: submit a job and follow it, follow it again, cancel it.

A job with `background` belongs to nobody: its client may leave, and with `stream: false` is answered at once, 202 with
the job's id, to fetch the result by `GET /chat/{id}` (as one object with `?stream=false`). Every other job is its
clients': when the last one leaves, at whatever phase, it is cancelled after `linger_ms`.
"""

from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Send

from shared.errors import Fault, Refused
from shared.job import GUESSABLE_ID, JOB_ID, parse_job
from shared.queue import Peek, Queue, keyed_job_id

from . import answer
from .caller import Caller, caller_of
from .client import read_body
from .following import Answer, Followed, Following
from .frames import choose_frames
from .order import Mark, read_mark
from .query import flag_in
from .relay import Relay


class Chat:
    """The three calls on a job."""

    def __init__(self, following: Following) -> None:
        self._following = following

    async def post(self, request: Request) -> ASGIApp:
        """Submit a job, or attach to the one with its key, and follow it."""
        body = await read_body(request.headers, request.receive)
        job = parse_job(body)
        ticket = await self._following.admission.admit(job, request.headers, caller_of(request.scope))
        if job.background and not job.stream:
            [submitted] = await ticket.submit()
            return _json({"id": submitted.id}, 202, {"location": f"/chat/{submitted.id}"}, submitted.id)
        followed = self._following.of_ticket(ticket)
        return self._following.answer(followed, self._writing(request, followed, is_stream=job.stream))

    async def by_id(self, request: Request) -> ASGIApp:
        """Follow the job with this id again, or cancel it."""
        return await (self._cancel(request) if request.method == "DELETE" else self._resume(request))

    async def _resume(self, request: Request) -> ASGIApp:
        """Follow a job from its beginning, or from behind the event that the client names."""
        mark = _mark_of(request)
        is_stream = flag_in(request.query_params, "stream", default=True)
        queue, job_id, peek = await self._find(request.path_params["id"], caller_of(request.scope))
        followed = self._following.of_job(queue, job_id, mark)
        write = self._writing(request, followed, is_stream=is_stream)
        if mark and mark.ids is not None:
            write = partial(self._judging_mark, write, followed.relays[0], peek.enqueued_at_ms)
        return self._following.answer(followed, write)

    async def _cancel(self, request: Request) -> Response:
        """Cancel a job; asking again changes nothing."""
        queue, job_id, _ = await self._find(request.path_params["id"], caller_of(request.scope))
        outcome = await queue.cancel(job_id)
        if outcome == "unknown":
            raise _unknown_job()
        status = {"flagged": "cancelling"}.get(outcome, outcome)
        return _json({"id": job_id, "status": status}, 200, {}, job_id)

    def _writing(self, request: Request, followed: Followed, *, is_stream: bool) -> Answer:
        [relay], model = followed.relays, followed.queue.model
        headers = [(b"x-job-id", relay.job_id.encode())]
        if is_stream:
            frames = choose_frames(request.headers.get("accept", ""))(relay.job_id, model)
            return partial(answer.stream, relay, frames, headers=headers)
        return partial(answer.whole, relay, model=model, headers=headers)

    async def _judging_mark(self, write: Answer, relay: Relay, enqueued_at_ms: int, send: Send) -> None:
        """Write an answer; where the log is not what the mark says, the client is wrong unless Redis may be."""
        try:
            await write(send)
        except Fault as fault:
            is_at_odds = fault is relay.fault and fault.code == "stream_diverged"
            if is_at_odds and await self._following.pool.has_kept_all_since(enqueued_at_ms):
                raise Refused("invalid_value", "`after` is no place in this job's stream.", param="after") from fault
            raise

    async def _find(self, given: str, caller: Caller) -> tuple[Queue, str, Peek]:
        """The job meant by an id of ours, or by a client's own; unknown, expired and another's are one 404."""
        if not JOB_ID.fullmatch(given) or GUESSABLE_ID.fullmatch(given):
            raise _unknown_job()
        pool = self._following.pool
        queue = await pool.queue_of(given)
        models = sorted(await pool.models())
        candidates = [(queue, given)] if queue else []
        candidates += [(pool.queue(model), keyed_job_id(model, caller.tenant, given)) for model in models]
        for candidate, job_id in candidates:
            peek = (await candidate.peek([job_id]))[0]
            if peek and peek.tenant == caller.tenant:
                return candidate, job_id, peek
        raise _unknown_job()


def _mark_of(request: Request) -> Mark | None:
    # The header first: an EventSource that reconnects repeats its URL, and tells where it really is.
    place = request.headers.get("last-event-id") or request.query_params.get("after")
    return read_mark(place) if place else None


def _unknown_job() -> Refused:
    return Refused("job_not_found", "No such job, or its log has expired.")


def _json(fields: dict[str, str], status: int, headers: dict[str, str], job_id: str) -> Response:
    body = msgspec.json.encode(fields)
    return Response(body, status, headers | {"x-job-id": job_id}, media_type="application/json")
