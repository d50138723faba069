"""Connections: what a pool needs of its Redis, said at once; and errors that are ours, not the library's."""

import asyncio

import pytest

from shared.connection import check_broker, connect
from shared.errors import Fault, Refused
from tests.conftest import Broker as Server


async def _refusal(url: str) -> Refused:
    client = connect(url, name="test")
    with pytest.raises(Refused) as refused:
        await check_broker(client)
    await client.aclose()
    return refused.value


async def test_a_server_as_it_should_be_passes_in_silence(broker: str) -> None:
    """Append-only and without eviction: nothing to say."""
    client = connect(broker, name="test")

    assert await check_broker(client) == []

    await client.aclose()


async def test_a_server_that_forgets_is_told_of(own_broker: Server) -> None:
    """Without an append-only file a pool works, and its operator knows what a restart costs."""
    client = connect(own_broker.url, name="test")
    await client.command("CONFIG", "SET", "appendonly", "no")

    (warning,) = await check_broker(client)

    assert warning.startswith("appendonly is off")
    await client.aclose()


async def test_a_server_that_evicts_is_refused(own_broker: Server) -> None:
    """One that drops keys when it is full would drop jobs."""
    client = connect(own_broker.url, name="test")
    await client.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")

    refused = await _refusal(own_broker.url)

    assert "set it to noeviction" in refused.message
    await client.aclose()


async def test_a_wrong_password_is_refused_in_words_without_it(own_broker: Server) -> None:
    """It will not become right by waiting; the message says what to do, and never shows a password."""
    client = connect(own_broker.url, name="test")
    await client.command("CONFIG", "SET", "requirepass", "right")

    wrong = await _refusal(f"redis://:wrong@127.0.0.1:{own_broker.port}")
    none = await _refusal(own_broker.url)

    assert "redis://:PASSWORD@HOST:PORT" in wrong.message
    assert "password" in none.message
    assert "wrong" not in wrong.message.lower().replace("wrongpass", "")
    await client.aclose()


async def test_settings_are_seen_without_a_right_to_them(own_broker: Server) -> None:
    """A managed Redis, or a role's rules, forbid CONFIG: what matters is checked all the same."""
    client = connect(own_broker.url, name="test")
    await client.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    await client.command("ACL", "SETUSER", "default", "-config")

    refused = await _refusal(own_broker.url)

    assert "set it to noeviction" in refused.message
    await client.aclose()


async def test_a_user_without_rights_is_told_where_they_come_from(own_broker: Server) -> None:
    """The password is right, and the line does not say otherwise."""
    client = connect(own_broker.url, name="test")
    await client.command("ACL", "SETUSER", "nobody", "on", ">word")

    refused = await _refusal(f"redis://nobody:word@127.0.0.1:{own_broker.port}")

    assert "mlx-pool acl" in refused.message
    assert "password" not in refused.message
    await client.aclose()


def test_a_url_that_is_none_is_refused_without_its_password() -> None:
    """The mistake is named before anything is tried."""
    with pytest.raises(Refused) as refused:
        connect("http://user:secret@host", name="test")

    assert refused.value.message.startswith("http://host is no Redis URL")
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+sentinel"])
@pytest.mark.parametrize("sign", "/?#")
def test_a_password_that_cuts_its_url_is_refused_unseen(scheme: str, sign: str) -> None:
    """The line says how such a sign is written, and shows no part of the password."""
    with pytest.raises(Refused, match="%2F %3F %23") as refused:
        connect(f"{scheme}://:secret{sign}word@127.0.0.1:6379/0", name="test")

    assert "secret" not in refused.value.message


@pytest.mark.parametrize(
    "url", ["redis://h?foo=1", "redis://h?protocol=3", "redis+sentinel://h/s?retry=3", "unix:///a"]
)
def test_what_a_url_can_not_say_is_refused_by_name(url: str) -> None:
    """A slip in an option is a line for who wrote it, not an error of the library's at the first call."""
    with pytest.raises(Refused, match=r"is no option of it; there are db, |redis://HOST:PORT is wanted"):
        connect(url, name="test")


async def test_a_server_that_is_away_is_a_fault_that_may_pass(own_broker: Server) -> None:
    """Whoever gets it may ask again; nothing of the library's shows."""
    own_broker.kill()
    client = connect(own_broker.url, name="test")

    with pytest.raises(Fault) as fault:
        await client.command("PING")

    assert fault.value.code == "broker_down"


async def test_a_call_ends_within_its_time() -> None:
    """A server that says nothing costs a caller its timeout, never more."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    client = connect(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", name="test", timeout_ms=100)

    async with asyncio.timeout(1):
        with pytest.raises(Fault):
            await client.command("PING")

    await client.aclose()
    writers[0].close()
    server.close()


async def test_what_a_server_refuses_is_said_in_its_words(broker: str) -> None:
    """A mistake of ours must not read as a server that is away."""
    client = connect(broker, name="test")

    with pytest.raises(Fault) as fault:
        await client.commands([("SET", "a", 1, "PX", 1_000), ("LPUSH", "a", 1)])

    assert fault.value.message.startswith("Redis refuses: ")
    await client.aclose()


async def test_a_task_that_is_cancelled_in_a_call_ends(broker: str) -> None:
    """At whatever moment the cancellation comes; one that is swallowed would be a worker that never drains."""
    client = connect(broker, name="test")

    async def call_for_ever() -> None:
        while True:
            await client.command("PING")

    for moment in range(300):
        task = asyncio.create_task(call_for_ever())
        for _ in range(moment % 20):
            await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(2):
            await asyncio.wait([task])
        assert task.cancelled()

    await client.aclose()


async def test_calls_that_are_cancelled_cost_no_connection(broker: str) -> None:
    """Clients come and go by the thousand: what they leave behind must not use the connections up."""
    client = connect(broker, name="test", connections=4)

    for moment in range(60):
        calls = [asyncio.create_task(client.command("PING")) for _ in range(20)]
        for _ in range(moment % 15):
            await asyncio.sleep(0)
        for call in calls[::2]:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    assert all(await asyncio.gather(*(client.command("PING") for _ in range(100))))
    await client.aclose()
