"""What a job can end in: a status, where nothing of its answer was sent yet; whole or as a stream, on every API."""

import asyncio
from collections.abc import Callable, Coroutine

import httpx
import pytest

from shared.claims import Claimed
from shared.event import AnyEvent, Cancelled, Error
from tests.gateway.conftest import Serving
from tests.gateway.hand import Hand, Served, tokens

from .apis import ANTHROPIC, ANTHROPIC_COUNT, APIS, OPENAI_CHAT, OPENAI_TEXT, Api
from .row import check

CODES = [
    *("invalid_value", "unsupported", "context_length_exceeded", "does_not_fit"),
    *("engine_failed", "poisoned", "stream_diverged", "internal", "deadline_exceeded"),
]
WAYS = [(api, is_stream) for api in APIS for is_stream in (False, True) if api.can_stream or not is_stream]


async def ended(served: Served, api: Api, *events: AnyEvent, **fields: object) -> httpx.Response:
    """What a client gets of a job that ends with these events."""
    asking = asyncio.create_task(api.post(served.http, fields))
    job = await served.hand.claim()
    if isinstance(events[-1], Cancelled):
        await served.http.delete(f"/chat/{job.id}")
    await served.hand.end(job, *events)
    return await asking


@pytest.mark.parametrize("code", CODES)
async def test_what_a_worker_finds_at_once_is_a_status(serving: Serving, code: str) -> None:
    """Headers wait for the first event; the field that is to blame is named in the client's own words."""
    async with serving() as served:
        for api, is_stream in WAYS:
            error = Error(code=code, message="No.", param="tokens" if api is OPENAI_TEXT else "messages")
            fields = {"stream": is_stream} if api.can_stream else {}
            check(api, await ended(served, api, error, **fields), code, api.prompt)


@pytest.mark.parametrize("code", ["engine_failed", "deadline_exceeded", "does_not_fit"])
async def test_a_whole_answer_fails_whole(serving: Serving, code: str) -> None:
    """What had been said before is kept back: half an answer must not look like one."""
    async with serving() as served:
        for api in APIS:
            fields = {"stream": False} if api.can_stream else {}
            answer = await ended(served, api, *tokens("half"), Error(code=code, message="No."), **fields)

            check(api, answer, code)
            assert "half" not in answer.text


async def test_a_cancelled_answer_is_gone_where_there_is_no_word_for_it(serving: Serving) -> None:
    """The pool's own API and OpenAI's responses know a cancelled answer; the others know none."""
    async with serving() as served:
        for api in (OPENAI_CHAT, OPENAI_TEXT, ANTHROPIC, ANTHROPIC_COUNT):
            fields = {"stream": False} if api.can_stream else {}
            check(api, await ended(served, api, *tokens("half"), Cancelled(), **fields), "job_cancelled")


Cause = Callable[[Hand, Claimed], Coroutine[None, None, None]]


async def lose(hand: Hand, job: Claimed) -> None:
    """Have Redis forget a job that had begun."""
    await hand.say(job, hand.started(job))
    await hand.broker.command("DEL", hand.queue.keys.job(job.id), hand.queue.keys.log(job.id))


async def garble(hand: Hand, job: Claimed) -> None:
    """Log what is no event."""
    log = hand.queue.keys.log(job.id)
    await hand.broker.command("XADD", log, f"1-{job.attempt}", "e", "{")
    await hand.broker.command("HSET", hand.queue.keys.job(job.id), "seq", 1)
    await hand.broker.command("PEXPIRE", log, 600_000)


@pytest.mark.parametrize(("cause", "code"), [(lose, "stream_lost"), (garble, "internal")])
async def test_what_the_gateway_finds_out_is_a_status_too(serving: Serving, cause: Cause, code: str) -> None:
    """As long as nothing was sent; all APIs at once, since it takes a while to be sure of it."""
    async with serving() as served:
        asking = [asyncio.create_task(api.post(served.http, {"stream": False})) for api in APIS]
        for job in [await served.hand.claim() for _ in APIS]:
            await cause(served.hand, job)

        for api, answer in zip(APIS, await asyncio.gather(*asking), strict=True):
            check(api, answer, code)
