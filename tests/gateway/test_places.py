"""The places for connections: as many as there are, and a decent word for who finds none."""

import asyncio
import resource
import sys
from asyncio.subprocess import PIPE

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.places import MAX_CONNECTIONS, Places, places_for
from shared.config import ConfigError

from .conftest import Eventually, Serving
from .test_process import line_of

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connection(port: int, *, sends: bytes = b"") -> Stream:
    """A connection of one's own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sends)
    return reader, writer


async def is_served(port: int) -> bool:
    """Whether a newcomer finds a place."""
    async with httpx.AsyncClient() as http:
        return (await http.get(f"http://127.0.0.1:{port}/health/live")).status_code == 200


async def test_one_too_many_is_told_to_come_again(serving: Serving, eventually: Eventually) -> None:
    """Before it is read, whether it sends at once or not: 503 in the envelope, when to come, and the end."""
    async with serving(max_connections=2) as served:
        taken = [await connection(served.port) for _ in range(2)]

        for sends in (b"", b"POST /chat HTTP/1.1\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100_000):
            reader, writer = await connection(served.port, sends=sends)
            told = await reader.read()
            writer.close()

            assert told.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"retry-after: " in told
            assert b"connection: close" in told
            assert b'"code":"gateway_full"' in told
        taken[0][1].close()
        await eventually(lambda: is_served(served.port))
        taken[1][1].close()


async def test_who_has_a_place_keeps_it(serving: Serving) -> None:
    """A crowd at the door disturbs nobody inside."""
    async with serving(max_connections=1) as served:
        assert (await served.http.get("/pool")).status_code == 200

        crowd = [await connection(served.port) for _ in range(30)]
        inside = await served.http.get("/pool")
        words = await asyncio.gather(*(reader.read() for reader, _ in crowd))

        assert inside.status_code == 200
        assert all(word.startswith(b"HTTP/1.1 503") for word in words)
        for _, writer in crowd:
            writer.close()


async def test_clients_read_the_refusal_as_any_other(serving: Serving) -> None:
    """With status, code and Retry-After, as every error has them."""
    async with serving(max_connections=1) as served:
        assert (await served.http.get("/health/live")).status_code == 200

        async with httpx.AsyncClient(base_url=served.http.base_url) as second:
            answer = await second.get("/pool")

        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "gateway_full")
        assert int(answer.headers["retry-after"]) >= 1


async def test_a_crowd_at_the_door_is_one_line_in_the_log() -> None:
    """The operator hears of it now and then, not for each."""
    places = Places(limit=3)

    with capture_logs() as logs:
        for at_s in (100.0, 100.1, 109.0, 110.1):
            places.refuse(at_s)

    assert [(line["event"], line["refused"]) for line in logs] == [("connections_full", 1), ("connections_full", 4)]


def test_there_are_as_many_as_the_system_allows() -> None:
    """Ten thousand by default, or fewer; a number beyond the limit on open files is a mistake, told at the start."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert 1 <= places_for(None).limit <= MAX_CONNECTIONS
    assert places_for(7).limit == 7
    if hard != resource.RLIM_INFINITY and hard < 1_000_000:
        with pytest.raises(ConfigError, match="open files"):
            places_for(1_000_000)


async def test_who_has_fewer_files_is_told_of_it(broker: str) -> None:
    """A gateway raises its own limit as far as it may; where that is not enough, it has fewer places and says so."""
    command = (sys.executable, "-m", "gateway", "--redis", broker, "--port", "0")
    limited = ("sh", "-c", 'ulimit -S -n 300; ulimit -H -n 1256; exec "$@"', "sh", *command)
    process = await asyncio.create_subprocess_exec(*limited, stderr=PIPE)

    line = await line_of(process, "connections_limited")

    process.kill()
    await process.communicate()
    assert (line["limit"], line["open_files"]) == (1_000, 1_256)
