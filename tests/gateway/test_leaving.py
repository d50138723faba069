"""A client that leaves: at whatever phase, its job does not run for nobody."""

import asyncio
import json

import pytest

from shared.event import Cancelled
from shared.keys import Keys

from .conftest import Eventually, Serving
from .hand import DONE, MODEL, Served, refusal, text_in, tokens

PROMPT = {"prompt": "x"}


async def is_empty(served: Served) -> bool:
    """Whether no job waits."""
    return (await served.hand.queue.survey()).waiting_total == 0


async def has_waiting(served: Served) -> bool:
    """Whether a job waits."""
    return not await is_empty(served)


async def has_streams(served: Served, count: int) -> bool:
    """Whether the gateway has so many streams open."""
    lines = (await served.http.get("/metrics")).text.splitlines()
    return f"mlx_pool_gateway_streams {count:.1f}" in lines


async def test_leaving_before_a_worker_came_cancels_the_job(serving: Serving, eventually: Eventually) -> None:
    """A waiting job whose client is gone never runs."""
    async with serving() as served:
        async with served.follow(PROMPT):
            await eventually(lambda: has_waiting(served))

        await eventually(lambda: is_empty(served))


async def test_leaving_between_claim_and_first_token_cancels_the_job(serving: Serving, eventually: Eventually) -> None:
    """A prefill that nobody waits for is stopped, although no byte was sent yet."""
    async with serving() as served:
        async with served.follow(PROMPT):
            job = await served.hand.claim()

        await eventually(lambda: served.hand.is_given_up(job))
        await served.hand.end(job, Cancelled(reason="unheard"))


async def test_leaving_in_mid_stream_cancels_the_job(serving: Serving, eventually: Eventually) -> None:
    """The slot of a client that hung up is asked back within a moment."""
    async with serving() as served:
        async with served.follow(PROMPT) as client:
            job = await served.hand.claim()
            await served.hand.say(job, served.hand.started(job), *tokens("a"))
            await client.until(2)

        await eventually(lambda: served.hand.is_given_up(job), within=1)
        await served.hand.end(job, Cancelled(reason="unheard"))


async def test_leaving_while_one_object_is_awaited_cancels_the_job(serving: Serving, eventually: Eventually) -> None:
    """With `stream: false` nothing was sent at all; the leaving is seen all the same."""
    async with serving() as served:
        async with served.follow(PROMPT | {"stream": False}):
            job = await served.hand.claim()
            await served.hand.say(job, served.hand.started(job), *tokens("a"))

        await eventually(lambda: served.hand.is_given_up(job))
        await served.hand.end(job, Cancelled(reason="unheard"))


async def test_leaving_while_the_job_is_submitted_cancels_it(serving: Serving, eventually: Eventually) -> None:
    """Whenever in the first milliseconds the socket closes, no job is left behind."""
    body = json.dumps(PROMPT).encode()
    head = (
        b"POST /chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        % len(body)
    )
    async with serving() as served:
        for steps in range(40):
            _, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(head + body)
            for _ in range(steps):
                await asyncio.sleep(0)
            writer.close()

        await eventually(lambda: is_empty(served))
        await eventually(lambda: has_streams(served, 0))


async def test_the_last_of_two_listeners_counts(serving: Serving, eventually: Eventually) -> None:
    """While anybody listens the job goes on; also when the one who stays did not submit it."""
    async with serving() as served:
        async with served.follow(PROMPT) as first:
            job = await served.hand.claim()
            await served.hand.say(job, served.hand.started(job))
            await first.until(1)
            async with served.rejoin(job.id) as second:
                await second.until(1)
                await first.__aexit__()
                await eventually(lambda: has_streams(served, 1))
                await served.hand.say(job, *tokens("a"))
                await second.until(2)
                assert not await served.hand.is_given_up(job)

            await eventually(lambda: served.hand.is_given_up(job))
        await served.hand.end(job, Cancelled(reason="unheard"))


async def test_a_background_job_belongs_to_nobody(serving: Serving, eventually: Eventually) -> None:
    """Its client may look on and leave; it runs to its end."""
    async with serving() as served:
        async with served.follow(PROMPT | {"background": True}) as client:
            job = await served.hand.claim()
            await served.hand.say(job, served.hand.started(job))
            await client.until(1)
        await eventually(lambda: has_streams(served, 0))

        assert not await served.hand.is_given_up(job)
        await served.hand.end(job, DONE)


async def test_a_direct_job_is_not_ended_by_who_looked_on(serving: Serving, eventually: Eventually) -> None:
    """A job that another service put on the queue does not depend on any client."""
    async with serving() as served:
        job_id = "0" * 32
        await served.hand.broker.command("XADD", Keys(MODEL).jobs("std"), "*", "id", job_id, "body", '{"prompt":"x"}')
        job = await served.hand.claim()
        async with served.rejoin(job_id) as client:
            await served.hand.say(job, served.hand.started(job))
            await client.until(1)
        await eventually(lambda: has_streams(served, 0))

        assert not await served.hand.is_given_up(job)
        await served.hand.end(job, DONE)


@pytest.mark.parametrize("keyed", [{"id": "mine"}, {"linger_ms": 60_000}], ids=["a key", "linger_ms"])
async def test_a_job_lingers_for_its_client(serving: Serving, eventually: Eventually, keyed: dict[str, object]) -> None:
    """Who can come back finds the job running, and its whole text."""
    async with serving() as served:
        async with served.follow(PROMPT | keyed) as client:
            job = await served.hand.claim()
            await served.hand.say(job, served.hand.started(job), *tokens("a"))
            await client.until(2)
        await eventually(lambda: has_streams(served, 0))
        assert not await served.hand.is_given_up(job)

        rest = asyncio.create_task(served.http.get(f"/chat/{job.id}", params={"after": 1}))
        await eventually(lambda: has_streams(served, 1))
        await served.hand.end(job, *tokens("b", first=2), DONE)
        assert text_in((await rest).text) == "ab"


async def test_lingering_ends(serving: Serving, eventually: Eventually) -> None:
    """After `linger_ms` with nobody there the job is cancelled."""
    async with serving() as served:
        async with served.follow(PROMPT | {"linger_ms": 50}):
            job = await served.hand.claim()

        await eventually(lambda: served.hand.is_given_up(job), within=2)
        await served.hand.end(job, Cancelled(reason="unheard"))


async def test_a_key_starts_anew_a_job_that_nobody_waited_for(serving: Serving, eventually: Eventually) -> None:
    """Being cancelled because nobody listened is no answer to give to who asks again."""
    async with serving() as served:
        async with served.follow(PROMPT | {"id": "mine", "linger_ms": 0}):
            await eventually(lambda: has_waiting(served))
        await eventually(lambda: is_empty(served))

        answer = await served.run(PROMPT | {"id": "mine", "linger_ms": 0}, "a")

        assert text_in(answer.text) == "a"


async def test_a_body_that_never_comes_whole_submits_nothing(serving: Serving, eventually: Eventually) -> None:
    """A client that leaves in the midst of its request has asked for nothing."""
    async with serving() as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(
            b"POST /chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"
        )
        await writer.drain()
        writer.close()

        async def is_noted() -> bool:
            return 'status="499"' in (await served.http.get("/metrics")).text

        await eventually(is_noted)
        assert await is_empty(served)
        assert refusal(await served.http.get("/chat/mine"))[0] == 404
