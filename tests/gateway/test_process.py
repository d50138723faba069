"""`python -m gateway` as a process: starting, refusing to start, ending."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from shared.connection import connect

from .conftest import Eventually
from .hand import DONE, Following, at_work, refusal, tokens

PROMPT = {"prompt": "x"}


@contextlib.asynccontextmanager
async def gateway(*options: str) -> AsyncGenerator[tuple[Process, httpx.AsyncClient]]:
    """A gateway process, and a client of the address that it logs."""
    command = [sys.executable, "-m", "gateway", "--port", "0", *options]
    process = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
    try:
        line = await line_of(process, "listening")
        async with httpx.AsyncClient(base_url=line["url"], timeout=20) as http:
            yield process, http
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def line_of(process: Process, event: str) -> dict[str, Any]:
    """The next log line with this event."""
    assert process.stderr
    async with asyncio.timeout(20):
        while True:
            line = json.loads(await process.stderr.readline())
            if line["event"] == event:
                return line


async def run(*options: str) -> tuple[int, str]:
    """Run a gateway that is to refuse; its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "gateway", *options, stderr=PIPE)
    _, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_a_port_in_use_is_one_line_and_exit_2(broker: str) -> None:
    """The line names the port and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = await run("--redis", broker, "--port", str(port))

    assert code == 2
    assert str(port) in said
    assert said.count("\n") == 1


async def test_mistakes_in_the_configuration_are_exit_2() -> None:
    """A line each, all at once, no traceback."""
    code, said = await run("--port", "x", "--drain-s", "-1")

    assert (code, said.count("\n")) == (2, 2)


async def test_a_wrong_password_is_one_line_and_exit_2(own_broker: Any) -> None:
    """Retrying would not help, so it does not wait."""
    client = connect(own_broker.url, name="test")
    await client.command("CONFIG", "SET", "requirepass", "right")
    await client.aclose()

    # mlx_lm, where a test of this process has imported it, lowers the limit on open files that a child has: few places
    # fit into any.
    url = own_broker.url.replace("//", "//:wrong@")
    code, said = await run("--redis", url, "--port", "0", "--max-connections", "100")

    assert (code, said.count("\n")) == (2, 1), said
    assert "password" in said
    assert "wrong@" not in said


async def is_closed(http: httpx.AsyncClient) -> bool:
    """Whether nobody listens there any more."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
    except ConnectionError:  # reset, where the listener closes with this one in its backlog
        return True
    writer.close()
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_drains(broker: str, number: signal.Signals, eventually: Eventually) -> None:
    """A stream in progress ends whole; then the process is gone, exit 0; nothing new is taken meanwhile."""
    async with at_work(broker) as hand, gateway("--redis", broker) as (process, http):
        async with Following(http.stream("POST", "/chat", json=PROMPT)) as client:
            job = await hand.claim()
            await hand.say(job, hand.started(job), *tokens("a"))
            await client.until(2)

            process.send_signal(number)
            await line_of(process, "draining")
            await eventually(lambda: is_closed(http))
            await hand.end(job, *tokens("b", first=2), DONE)

            assert [event["seq"] for event in await client.end()] == [1, 2, 3, 4]
        assert await process.wait() == 0


async def test_the_second_signal_stops_at_once(broker: str) -> None:
    """Who means it need not wait for streams."""
    async with at_work(broker) as hand, gateway("--redis", broker) as (process, http):
        async with Following(http.stream("POST", "/chat", json=PROMPT)) as client:
            job = await hand.claim()
            await hand.say(job, hand.started(job))
            await client.until(1)

            process.send_signal(signal.SIGTERM)
            await line_of(process, "draining")
            process.send_signal(signal.SIGTERM)

            async with asyncio.timeout(2):
                assert await process.wait() == 1
        await hand.end(job, DONE)


async def test_a_stream_that_outlasts_the_drain_can_be_resumed(broker: str) -> None:
    """At the drain's end a client is told so, and finds its job running at the next gateway."""
    async with at_work(broker) as hand, gateway("--redis", broker, "--drain-s", "0") as (process, http):
        async with Following(http.stream("POST", "/chat", json=PROMPT)) as client:
            job = await hand.claim()
            await hand.say(job, hand.started(job), *tokens("a"))
            await client.until(2)
            process.send_signal(signal.SIGTERM)
            assert (await client.end())[-1]["error"]["code"] == "draining"
        assert await process.wait() == 0

        assert not await hand.is_given_up(job)
        await hand.end(job, *tokens("b", first=2), DONE)
    async with gateway("--redis", broker) as (_, http):
        rest = await http.get(f"/chat/{job.id}", params={"after": 2})
        assert [json.loads(event)["seq"] for event in rest.text.splitlines()] == [3, 4]


async def test_without_redis_it_starts_all_the_same(own_broker: Any, eventually: Eventually) -> None:
    """It says so once, answers 503 meanwhile, and serves as soon as Redis is there."""
    own_broker.kill()
    async with gateway("--redis", own_broker.url) as (_, http):
        assert refusal(await http.post("/chat", json=PROMPT)) == (503, "broker_down", None)

        own_broker.start()

        async def is_back() -> bool:
            return refusal(await http.get("/health"))[1] == "no_worker"

        await eventually(is_back)


async def test_a_redis_that_comes_up_unusable_ends_it(own_broker: Any) -> None:
    """What was retried turns out to be hopeless: one line says what to do, exit 2."""
    own_broker.kill()
    async with gateway("--redis", own_broker.url) as (process, _):
        own_broker._options = ("--maxmemory-policy", "allkeys-lru")
        own_broker.start()

        async with asyncio.timeout(10):
            assert await process.wait() == 2


async def test_an_idle_gateway_is_small(broker: str) -> None:
    """At most 80 MB resident: it runs beside a model that wants the memory."""
    async with gateway("--redis", broker) as (_, http):
        text = (await http.get("/metrics")).text

    resident = [line for line in text.splitlines() if line.startswith("process_resident_memory_bytes")]
    if sys.platform == "linux":
        assert float(resident[0].split()[1]) <= 80e6
