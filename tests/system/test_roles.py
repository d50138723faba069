"""A pool whose parts come to Redis as a user each, with the rights of their roles, and nobody as the default user."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlx_pool.key_store import KeyStore
from mlx_pool.keys import made
from shared.connection import Broker, connect
from shared.rights.table import ROLES
from tests.conftest import Broker as Server
from tests.conftest import Eventually
from tests.pool import Pool
from tests.ports import FreePort

from .test_bulk import answers, bulk, requests


class Ruled:
    """A pool, the addresses of its roles, and the server's own log of what it denied."""

    def __init__(self, pool: Pool, urls: Mapping[str, str], admin: Broker) -> None:
        self.pool = pool
        self.urls = urls
        self._admin = admin

    async def denied(self) -> list[str]:
        """What was denied to whom."""
        rows: list[list[Any]] = await self._admin.command("ACL", "LOG")
        told = [dict(zip(row[::2], row[1::2], strict=True)) for row in rows]
        return [f"{row[b'username']}: {row[b'object']} {row[b'context']}" for row in told]


Rules = Callable[..., AbstractAsyncContextManager[Ruled]]


def mlx_pool(*argv: str) -> subprocess.CompletedProcess[str]:
    """A command, to its end."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "mlx_pool", *argv], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def ruled(own_broker: Server, free_port: FreePort, tmp_path: Path) -> Rules:
    """Give what starts such a pool, for one `async with` block."""

    @asynccontextmanager
    async def start(*, workers: int = 1, key: str = "", **env: str) -> AsyncGenerator[Ruled]:
        url = f"redis://admin:word@127.0.0.1:{own_broker.port}/0"
        async with aclosing(connect(own_broker.url, name="test")) as client:
            await client.command("ACL", "SETUSER", "admin", "on", ">word", "~*", "&*", "+@all")
        asked = {role: mlx_pool("acl", "--role", role, "--redis", url, "--apply", "--json") for role in ROLES}
        urls = {role: json.loads(told.stdout)["url"] for role, told in asked.items()}
        async with aclosing(connect(url, name="test")) as admin:
            await admin.command("ACL", "SETUSER", "default", "off")
            pool = Pool(own_broker.url, free_port(), tmp_path, env, urls)
            pool.http.headers.update({"authorization": f"Bearer {key}"} if key else {})
            try:
                for _ in range(workers):
                    pool.add_worker(slots=8, step_ms=10)
                await pool.ready(workers)
                yield Ruled(pool, urls, admin)
            finally:
                await pool.close()

    return start


async def test_streams_hand_overs_and_cancels_need_no_more(ruled: Rules, eventually: Eventually) -> None:
    """A worker is killed under streams, a client leaves, a job is cancelled: all is well, and nothing was denied."""
    ask = {"prompt": "story", "max_tokens": 150}
    async with ruled(workers=2) as here:
        asks = [asyncio.create_task(here.pool.http.post("/chat", json=ask)) for _ in range(8)]
        gone = asyncio.create_task(here.pool.http.post("/chat", json={**ask, "max_tokens": 4_000}))
        kept = asyncio.create_task(here.pool.http.post("/chat", json={**ask, "id": "mine", "max_tokens": 4_000}))
        await eventually(lambda: here.pool.busy(10))
        gone.cancel()
        here.pool.workers[0].kill()
        told = [(await each).text.splitlines()[-1] for each in asks]
        await here.pool.http.delete("/chat/mine")
        last = json.loads((await kept).text.splitlines()[-1])
        await eventually(lambda: here.pool.busy(0))

        assert {json.loads(line)["status"] for line in told} == {"done"}
        assert last["status"] == "cancelled"
        assert await here.denied() == []


@pytest.mark.long
async def test_a_producer_adds_reads_and_cancels_by_plain_commands(ruled: Rules, eventually: Eventually) -> None:
    """All that docs/protocol.md shows, but for the script; what others ask it can't read."""
    async with ruled() as here, aclosing(connect(here.urls["producer"], name="test")) as service:
        jobs, reply = "pool:{scripted}:jobs:std", "pool:{scripted}:reply:mine"
        body = '{"prompt":"hello","max_tokens":5}'
        await service.command("XADD", jobs, "*", "id", "a", "body", body, "reply", reply)
        await service.command("XADD", jobs, "*", "id", "b", "body", '{"prompt":"x","max_tokens":4000}')
        await service.command("XADD", "pool:{scripted}:cancels", "*", "id", "b")
        await eventually(lambda: _ended(service, "a"))
        await eventually(lambda: _ended(service, "b"))

        assert b"scripted" in await service.command("SMEMBERS", "pool:models")
        assert await service.command("XREAD", "COUNT", 1, "STREAMS", reply, 0)
        assert await here.denied() == []


async def _ended(service: Broker, job: str) -> bool:
    rows: list[Any] = await service.command("XRANGE", f"pool:{{scripted}}:log:{job}", "-", "+")
    return bool(rows) and json.loads(rows[-1][1][b"e"])["status"] in {"done", "cancelled"}


@pytest.mark.long
async def test_bulk_work_keys_and_stored_answers_need_no_more(ruled: Rules, tmp_path: Path) -> None:
    """Counted requests, a file and its batch, an answer that is kept, fetched and deleted: nothing was denied."""
    file, store = requests(tmp_path / "asks.jsonl", 20, max_tokens=5), KeyStore(tmp_path / "keys.json")
    key, entry = made("phone", None, {"limits": {"requests_per_minute": 600, "concurrent_jobs": 50}})
    store.add(entry)
    (tmp_path / "key").write_text(key)
    async with ruled(key=key, MLX_POOL_API_KEYS_FILE=str(store.path)) as here:
        http = here.pool.http
        command = bulk(here.pool.url, file, "--api-key-file", str(tmp_path / "key"))
        _, error = command.communicate(timeout=60)
        response = (await http.post("/v1/responses", json={"input": "hello", "max_output_tokens": 16})).json()
        found = (await http.get(f"/v1/responses/{response['id']}")).json()
        deleted = await http.delete(f"/v1/responses/{response['id']}")
        metrics = (await http.get("/metrics", params={"scope": "pool"})).text

        assert len(answers(tmp_path / "asks.out.jsonl")) == 20, error
        assert (found["id"], deleted.status_code) == (response["id"], 200)
        assert "mlx_pool_worker_ready" in metrics
        assert await here.denied() == []


async def test_a_monitor_sees_the_pool_and_no_prompt(ruled: Rules) -> None:
    """`mlx-pool status` works with its address; a job's body is denied."""
    async with ruled() as here, aclosing(connect(here.urls["monitor"], name="test")) as monitor:
        status = mlx_pool("status", "--redis", here.urls["monitor"], "--json")
        assert await here.denied() == []

        for words in (
            ("XRANGE", "pool:{scripted}:jobs:std", "-", "+"),
            ("HGETALL", "pool:{scripted}:job:a"),
            ("EVAL", "return 1", 1, "pool:{scripted}"),
        ):
            with pytest.raises(Exception, match=r"NOPERM|permission"):
                await monitor.command(*words)

    assert json.loads(status.stdout)["queues"][0]["workers"][0]["state"] == "ready"


@pytest.mark.long
async def test_the_page_and_the_commands_need_no_more_than_a_gateway(ruled: Rules, eventually: Eventually) -> None:
    """A job's life, dead letters, who waits, the doctor, a drain: as `operations.md` says; nothing was denied."""
    async with ruled() as here:
        url, http = here.urls["gateway"], here.pool.http
        job = (await http.post("/chat", json={"prompt": "x", "max_tokens": 5})).headers["x-job-id"]
        await _add_what_nobody_can_run(here.urls["producer"])
        await eventually(lambda: _has_letters(http))
        story = (await http.get(f"/pool/jobs/{job}")).json()
        ran = {
            words[0]: mlx_pool(*words, "--redis", url).returncode
            for words in (
                ["queue"],
                ["job", job],
                ["dead", "list"],
                ["dead", "drop", "all"],
                ["drain", "--host", "mac-1"],
            )
        }
        denied = [line for line in await here.denied() if "config|get" not in line]  # the doctor asks, and does without

    assert story
    assert set(ran.values()) == {0}, ran
    assert denied == []


async def _add_what_nobody_can_run(url: str) -> None:
    async with aclosing(connect(url, name="test")) as service:
        await service.command("XADD", "pool:{scripted}:jobs:std", "*", "id", "a b", "body", "{}")


async def _has_letters(http: httpx.AsyncClient) -> bool:
    return bool((await http.get("/pool/dead")).json()["letters"])
