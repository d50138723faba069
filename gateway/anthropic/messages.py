"""`/v1/messages`: an answer, streamed or whole, and `/v1/messages/count_tokens`."""

from collections.abc import Sequence
from functools import partial

from starlette.requests import Request as HttpRequest
from starlette.routing import Route
from starlette.types import ASGIApp, Send

from gateway import answer
from gateway.answer import Headers
from gateway.caller import caller_of
from gateway.client import read_body
from gateway.dialect import ANTHROPIC_ROUTES
from gateway.following import Answer, Followed, Following
from gateway.gathered import gather
from gateway.hints import ignored_headers
from gateway.relay import Relay
from gateway.request_id import request_id_of
from shared.errors import PoolError
from shared.job import Job
from shared.outline import CachePoint

from .events import Events
from .reading import read_request
from .request import Asked, Prompted
from .translation import answer_job, count_job
from .whole import count_of, message_of
from .words import in_their_words


def anthropic_routes(following: Following) -> list[Route]:
    """The routes of this API."""
    messages = Messages(following)
    return [
        Route(ANTHROPIC_ROUTES, messages.create, methods=["POST"]),
        Route(f"{ANTHROPIC_ROUTES}/count_tokens", messages.count_tokens, methods=["POST"]),
    ]


class Messages:
    """The two calls."""

    def __init__(self, following: Following) -> None:
        self._following = following

    async def create(self, request: HttpRequest) -> ASGIApp:
        """Answer a conversation."""
        body = await read_body(request.headers, request.receive)
        asked, ignored = read_request(body, request.headers, Asked)
        followed = await self._follow(request, *answer_job(asked))
        [relay] = followed.relays
        headers = _headers(request, relay, ignored)
        if asked.stream:
            events = Events(relay.job_id, model=asked.model, request_id=request_id_of(request.scope))
            return self._answer(followed, partial(answer.stream, relay, events, headers=headers))
        return self._answer(followed, partial(_send_message, relay, model=asked.model, headers=headers))

    async def count_tokens(self, request: HttpRequest) -> ASGIApp:
        """Count the tokens that a conversation has as a prompt."""
        body = await read_body(request.headers, request.receive)
        prompted, ignored = read_request(body, request.headers, Prompted)
        followed = await self._follow(request, count_job(prompted))
        [relay] = followed.relays
        headers = _headers(request, relay, ignored)
        return self._answer(followed, partial(_send_count, relay, headers=headers))

    async def _follow(self, request: HttpRequest, job: Job, cache_points: Sequence[CachePoint] = ()) -> Followed:
        admission, caller = self._following.admission, caller_of(request.scope)
        ticket = await admission.admit(job, request.headers, caller, cache_points=cache_points)
        return self._following.of_ticket(ticket)

    def _answer(self, followed: Followed, write: Answer) -> ASGIApp:
        async def write_in_their_words(send: Send) -> None:
            try:
                await write(send)
            except PoolError as error:
                raise in_their_words(error) from None

        return self._following.answer(followed, write_in_their_words)


def _headers(request: HttpRequest, relay: Relay, ignored: Sequence[str]) -> Headers:
    headers = [(b"x-job-id", relay.job_id.encode()), *ignored_headers(ignored)]
    request_id = request_id_of(request.scope)
    return [*headers, (b"request-id", request_id.encode())] if request_id else headers


async def _send_message(relay: Relay, send: Send, *, model: str, headers: Headers) -> None:
    if (gathered := await gather(relay)) is not None:
        await answer.send_object(send, message_of(gathered, job_id=relay.job_id, model=model), headers)


async def _send_count(relay: Relay, send: Send, *, headers: Headers) -> None:
    if (gathered := await gather(relay)) is not None:
        await answer.send_object(send, count_of(gathered), headers)
