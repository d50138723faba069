"""Jobs whose clients said that they may come back, and those of whose submit nobody knows."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import pytest

from gateway.audience import Audience
from gateway.delivery import Tally
from gateway.relay import Relay
from gateway.watch import Watch
from shared.channel import Listener
from shared.event import Cancelled
from shared.limits import write_limits
from shared.queue import Queue
from shared.scripts import digest, source
from tests.ports import FreePort

from .conftest import Eventually, Serving
from .hand import DONE, MODEL, at_work, refusal, tokens
from .test_leaving import has_streams, has_waiting, is_empty

PROMPT = {"prompt": "x"}


async def test_a_lingering_job_is_no_orphan(serving: Serving, eventually: Eventually) -> None:
    """Its gateway listens in its client's stead, so it runs past the orphan grace."""
    async with serving() as served:
        await write_limits(served.hand.broker, MODEL, {"orphan_ms": 50})
        async with served.follow(PROMPT | {"linger_ms": 60_000}) as client:
            job = await served.hand.claim()
            await served.hand.say(job, served.hand.started(job))
            await client.until(1)
        await eventually(lambda: has_streams(served, 0))

        left_at, said = time.monotonic(), 0
        while time.monotonic() - left_at < 0.3:
            said += 1
            await served.hand.say(job, *tokens("a", first=said))

        assert not await served.hand.is_given_up(job)
        await served.hand.end(job, DONE)


async def test_a_lingering_job_that_waits_is_no_orphan(serving: Serving, eventually: Eventually) -> None:
    """The reapers find somebody who listens."""
    async with serving() as served:
        await write_limits(served.hand.broker, MODEL, {"orphan_ms": 50})
        async with served.follow(PROMPT | {"linger_ms": 60_000}):
            await eventually(lambda: has_waiting(served))
        await eventually(lambda: has_streams(served, 0))

        left_at = time.monotonic()
        await eventually(lambda: time.monotonic() - left_at > 0.9)

        assert await has_waiting(served)
        await served.hand.generate("a")


async def test_coming_back_begins_the_lingering_anew(serving: Serving, eventually: Eventually) -> None:
    """`linger_ms` counts from when the last client left, not the first."""
    async with serving() as served:
        async with served.follow(PROMPT | {"linger_ms": 500}) as client:
            job = await served.hand.claim()
            await served.hand.say(job, served.hand.started(job))
            await client.until(1)
        await eventually(lambda: has_streams(served, 0))
        left_at = time.monotonic()

        async with served.rejoin(job.id) as again:
            await again.until(1)
            await eventually(lambda: time.monotonic() - left_at > 0.3)
            left_again_at = time.monotonic()
        await eventually(lambda: served.hand.is_given_up(job))

        assert time.monotonic() - left_again_at >= 0.5
        await served.hand.end(job, Cancelled(reason="unheard"))


async def test_a_job_is_watched_from_its_submit_on(broker: str, eventually: Eventually) -> None:
    """Before that it has no record, which would look like one that Redis lost."""
    listener = Listener(broker, name="channels")
    watch = Watch(listener.fence)
    async with at_work(broker) as hand, asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listener.run())
        await eventually(lambda: listener.is_connected)
        audience, queue = Audience(listener, watch, tasks), Queue(hand.broker, MODEL)
        relays = [Relay(queue, f"job-{number}", tally=Tally()) for number in range(8)]

        async with audience.attend(queue, relays):
            before = len(watch)
            audience.watch(queue, relays)
            assert (before, len(watch)) == (0, 8)

        assert len(watch) == 0
        listening.cancel()


@contextlib.asynccontextmanager
async def swallowing(url: str, port: int, word: bytes) -> AsyncGenerator[str]:
    """A way to Redis on which the answer to a command with this word is lost; and all that come behind it."""
    pieces: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        is_lost = False

        async def answer() -> None:
            while data := await behind_reader.read(65_536):
                if not is_lost:
                    writer.write(data)

        pieces.add(answering := asyncio.create_task(answer()))
        while data := await reader.read(65_536):
            is_lost |= word in data
            behind_writer.write(data)
        answering.cancel()
        behind_writer.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    yield f"redis://127.0.0.1:{port}/0"
    server.close()
    await asyncio.gather(*pieces, return_exceptions=True)


@pytest.mark.long
async def test_a_submit_whose_answer_is_lost_leaves_no_job(
    serving: Serving, broker: str, free_port: FreePort, eventually: Eventually
) -> None:
    """Its client is told to ask again, so what Redis took all the same must not run beside that."""
    word = digest("submit").encode()
    async with swallowing(broker, free_port(), word) as url, serving(url=url, has_worker=False) as served:
        await served.hand.join()
        await served.hand.broker.command("SCRIPT LOAD", source("submit"))
        posting = asyncio.create_task(served.http.post("/chat", json=PROMPT))
        await eventually(lambda: has_waiting(served))

        answer = await posting

        assert refusal(answer)[:2] == (503, "broker_down")
        await eventually(lambda: is_empty(served), within=1)
