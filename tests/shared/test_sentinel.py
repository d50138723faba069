"""Redis behind Sentinels: what its URL says, and that connections lead to the primary, whoever that is."""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.channel import Listener
from shared.connection import Broker, check_broker, connect
from shared.errors import Fault, Refused
from shared.sentinel import Sentinels, is_sentinel, take_apart
from tests.certificates import Certificates
from tests.conftest import Eventually
from tests.ports import FreePort
from tests.watched import Watched


def test_a_url_names_the_sentinels_and_the_service() -> None:
    """Credentials, database and TLS options are Redis's; those of the Sentinels have names of their own."""
    url = "rediss+sentinel://ada:p%40w@a:1,b,[::1]:3/pool/2?ssl_ca_certs=/ca&sentinel_password=s"

    plain, sentinels = take_apart(url)

    assert plain == "rediss://ada:p%40w@primary/2?ssl_ca_certs=%2Fca"
    assert sentinels == Sentinels((("a", 1), ("b", 26_379), ("::1", 3)), "pool", None, "s")
    assert is_sentinel(url)
    assert not is_sentinel("rediss://a/0")


@pytest.mark.parametrize("url", ["redis+sentinel://a:1", "redis+sentinel://a:1/", "redis+sentinel://a:x/pool"])
def test_a_url_that_names_no_service_or_place_is_refused(url: str) -> None:
    """In one line, before anything is tried."""
    with pytest.raises(Refused, match="is no Redis URL"):
        connect(url, name="test")


async def test_sentinels_that_do_not_answer_are_a_fault_that_may_pass(free_port: FreePort) -> None:
    """The line says of each what it said; nothing waits for longer than a call may take."""
    client = connect(f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{free_port()}/pool", name="test")

    async with asyncio.timeout(3):
        with pytest.raises(Fault, match="no Sentinel names a primary"):
            await client.command("PING")


@pytest.mark.long
async def test_connections_follow_a_primary_that_is_relieved(
    watched: Callable[[int], Watched], eventually: Eventually
) -> None:
    """Nobody dies: the old one becomes a replica, and calls and channels go on at the new one."""
    redis, heard, gaps = watched(3), list[bytes](), list[bool]()
    client, listener = connect(redis.url, name="test"), Listener(redis.url, name="listener")
    before, listening = redis.primary(), asyncio.create_task(listener.run())
    async with contextlib.aclosing(client):
        assert await check_broker(client) == []
        await eventually(lambda: listener.is_connected)
        await listener.listen_raw("c", heard.append, lambda: gaps.append(True))
        await client.command("SET", "kept", 1)
        redis.fail_over()

        await eventually(lambda: redis.primary() != before, within=20)
        await eventually(lambda: _is_written(client, redis), within=20)
        await eventually(lambda: gaps and listener.is_connected, within=30)
        await client.command("PUBLISH", "c", "hello")
        await eventually(lambda: heard)

        assert await client.command("GET", "kept") == b"1"
    listening.cancel()
    await asyncio.wait([listening])


async def _is_written(client: Broker, redis: Watched) -> bool:
    """Whether the new primary has what is written now."""
    with contextlib.suppress(Fault):
        await client.command("SET", "new", 1)
    return redis.ask(redis.primary(), "GET", "new") == b"1"


REDIS = shutil.which("redis-server")


@pytest.fixture
def guarded(tmp_path: Path, free_port: FreePort, certificates: Certificates) -> Iterator[str]:
    """A Redis and its Sentinel that speak TLS only and ask for passwords; the URL but for the Sentinel's."""
    cert, key = certificates.issue("redis")
    server, sentinel = free_port(), free_port()
    tls = f"port 0\ntls-cert-file {cert}\ntls-key-file {key}\ntls-ca-cert-file {certificates.ca}\n"
    tls += "tls-auth-clients no\ntls-replication yes\n"
    own = f'tls-port {server}\nsave ""\ndir {tmp_path}\nuser default off\nuser ada on >word ~* &* +@all\n'
    watching = f"tls-port {sentinel}\ndir {tmp_path}\nsentinel monitor pool 127.0.0.1 {server} 1\n"
    watching += "sentinel auth-user pool ada\nsentinel auth-pass pool word\nrequirepass other\n"
    (tmp_path / "redis.conf").write_text(tls + own)
    (tmp_path / "sentinel.conf").write_text(tls + watching)
    assert REDIS
    argvs = ([REDIS, str(tmp_path / "redis.conf")], [REDIS, str(tmp_path / "sentinel.conf"), "--sentinel"])
    processes = [subprocess.Popen(argv, stdout=subprocess.DEVNULL) for argv in argvs]
    yield f"rediss+sentinel://ada:word@127.0.0.1:{sentinel}/pool/0?ssl_ca_certs={certificates.ca}"
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.skipif(REDIS is None, reason="redis-server, which speaks TLS, is not installed")
async def test_sentinels_and_redis_are_spoken_to_over_tls(guarded: str, eventually: Eventually) -> None:
    """Each with its own credentials; who is not vouched for is refused for good, by either."""
    good = connect(f"{guarded}&sentinel_password=other", name="test")
    async with contextlib.aclosing(good):
        await eventually(lambda: _answers(good))

    nobody = connect(f"{guarded.partition('ssl_ca')[0]}sentinel_password=other", name="test")
    async with contextlib.aclosing(nobody):
        with pytest.raises(Refused, match="not trusted"):
            await check_broker(nobody)


async def _answers(client: Broker) -> bool:
    try:
        return bool(await client.command("PING"))
    except Fault:
        return False
