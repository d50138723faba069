"""deploy/caddy in front of a real gateway: streams come through as they are made. Needs Caddy itself."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Eventually
from tests.ports import FreePort

CADDYFILE = Path(__file__).parents[2] / "deploy" / "caddy" / "Caddyfile"
CADDY = shutil.which("caddy")
StartPool = Callable[..., Any]
pytestmark = pytest.mark.skipif(CADDY is None, reason="caddy is not installed")


class Front:
    """Caddy with the stack's own file, in front of these gateways."""

    def __init__(self, folder: Path, port: int, gateways: str) -> None:
        assert CADDY
        self.url = f"http://localhost:{port}"
        env = {"MLX_POOL_SITE": self.url, "MLX_POOL_GATEWAYS": gateways, "HOME": str(folder), "PATH": "/usr/bin:/bin"}
        argv = [CADDY, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
        with (folder / "caddy.log").open("wb") as log:
            self.process = subprocess.Popen(argv, env=env, stderr=log)

    async def answers(self) -> bool:
        """Whether it and a gateway are up."""
        async with httpx.AsyncClient() as http:
            try:
                return (await http.get(f"{self.url}/health/live")).status_code == 200
            except httpx.TransportError:
                return False


Fronts = Callable[[str], Front]


@pytest.fixture
def front(tmp_path: Path, free_port: FreePort) -> Iterator[Fronts]:
    """Give what starts one."""
    started: list[Front] = []

    def start(gateways: str) -> Front:
        started.append(Front(tmp_path, free_port(), gateways))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


@pytest.mark.parametrize("accept", ["text/event-stream", "application/x-ndjson", "text/plain"])
async def test_tokens_come_through_the_front_as_they_are_made(
    start_pool: StartPool, front: Fronts, eventually: Eventually, accept: str
) -> None:
    """None waits for the next: a stream of a second comes in many pieces, the first of them early."""
    async with start_pool(step_ms=25) as pool, httpx.AsyncClient(timeout=30) as http:
        door = front(pool.url.removeprefix("http://"))
        await eventually(door.answers, within=20)
        began, came = time.monotonic(), list[float]()
        ask = {"prompt": "hello", "max_tokens": 40}
        async with http.stream("POST", f"{door.url}/chat", json=ask, headers={"accept": accept}) as answer:
            async for _ in answer.aiter_raw():
                came.append(time.monotonic() - began)

    assert len(came) >= 20
    assert came[0] < came[-1] / 3


async def test_who_leaves_the_front_frees_the_seat(
    start_pool: StartPool, front: Fronts, eventually: Eventually
) -> None:
    """The gateway learns of it at once, and the job ends."""
    async with start_pool(step_ms=10) as pool, httpx.AsyncClient(timeout=30) as http:
        door = front(pool.url.removeprefix("http://"))
        await eventually(door.answers, within=20)
        asking = asyncio.create_task(http.post(f"{door.url}/chat", json={"prompt": "x", "max_tokens": 4_000}))
        await eventually(lambda: pool.busy(1))

        asking.cancel()

        await eventually(lambda: pool.busy(0))


async def test_a_gateway_that_is_away_is_not_asked(
    start_pool: StartPool, front: Fronts, free_port: FreePort, eventually: Eventually
) -> None:
    """Whoever asks is served by the other one, each time."""
    async with start_pool() as pool, httpx.AsyncClient(timeout=30) as http:
        door = front(f"127.0.0.1:{free_port()} {pool.url.removeprefix('http://')}")
        await eventually(door.answers, within=20)

        answers = [await http.post(f"{door.url}/chat", json={"prompt": "x", "max_tokens": 2}) for _ in range(6)]

    assert {answer.status_code for answer in answers} == {200}
