"""From a request that was understood to its answer: submit, follow, write.

An answer's id is its first job's behind a prefix, so `GET /chat/{job}` finds it again; `x-job-id` names all of its
jobs. `created` is when the first one was put on the queue, wherever a key lets somebody ask for the same answer twice;
else it is this gateway's clock, which costs no call.
"""

import time
from collections.abc import Mapping, Sequence

import msgspec
from starlette.requests import Request
from starlette.types import ASGIApp, Send

from gateway import answer
from gateway.caller import caller_of
from gateway.following import Followed, Following
from gateway.gathered import Gathered, gather
from gateway.hints import ignored_headers
from gateway.relay import Relay
from shared.errors import PoolError

from .answers import Answers
from .choices import Choices
from .envelope import Envelope
from .one_choice import OneChoice
from .together import together

# What the pool calls otherwise than this API's clients, where an engine finds fault with it.
_THEIR_WORDS: Mapping[str | None, str] = {"tokens": "prompt"}


class Completing:
    """Answers requests by jobs."""

    def __init__(self, following: Following) -> None:
        self._following = following

    async def answer(self, request: Request, answers: Answers, ignored: Sequence[str]) -> ASGIApp:
        """Admit the request's jobs, and give what follows them.

        Raises:
            PoolError: it is refused, or can't be served now.

        """
        jobs = answers.jobs()
        ticket = await self._following.admission.admit_all(jobs, request.headers, caller_of(request.scope))
        followed = self._following.of_ticket(ticket)
        has_key = "idempotency-key" in request.headers
        ids = ", ".join(relay.job_id for relay in followed.relays)
        headers = [(b"x-job-id", ids.encode()), *ignored_headers(ignored)]

        async def write(send: Send) -> None:
            envelope = await _envelope(answers, followed, has_key=has_key)
            try:
                await _write(answers, envelope, followed.relays, send, headers)
            except PoolError as error:
                error.param = _THEIR_WORDS.get(error.param, error.param)
                raise

        return self._following.answer(followed, write)


async def _envelope(answers: Answers, followed: Followed, *, has_key: bool) -> Envelope:
    first = followed.relays[0].job_id
    peek = (await followed.queue.peek([first]))[0] if has_key else None
    created = peek.enqueued_at_ms // 1_000 if peek else int(time.time())
    return Envelope(answers.prefix + first, created, answers.request.model or followed.queue.model)


async def _write(
    answers: Answers, envelope: Envelope, relays: Sequence[Relay], send: Send, headers: answer.Headers
) -> None:
    request = answers.request
    if not request.stream:
        await _write_whole(answers, envelope, relays, send, headers)
    elif len(relays) == 1:
        frames = OneChoice(envelope, answers.chunks(envelope, 0), has_usage=request.has_usage)
        await answer.stream(relays[0], frames, send, headers=headers)
    else:
        chunks = [answers.chunks(envelope, index) for index in range(len(relays))]
        choices = Choices(envelope, chunks, answers=request.n, has_usage=request.has_usage)
        await choices.stream(relays, send, headers=headers)


async def _write_whole(
    answers: Answers, envelope: Envelope, relays: Sequence[Relay], send: Send, headers: answer.Headers
) -> None:
    async def follow(_: int, relay: Relay) -> Gathered | None:
        return await gather(relay)

    gathered = await together(relays, follow)
    if gathered is not None:
        await answer.send_object(send, msgspec.json.encode(answers.whole(envelope, gathered)), headers)
