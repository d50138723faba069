"""The listener: one connection, any number of channels, and never a silence that nobody notices."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from shared.channel import Batch, Listener, Subscription, parse_batch
from shared.connection import Broker, connect
from shared.errors import Fault
from tests.conftest import Broker as Server
from tests.conftest import Eventually


class Ear:
    """What was heard on one channel."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.gaps = 0

    def on_payload(self, payload: bytes) -> None:
        """Keep a message."""
        self.payloads.append(payload)

    def on_gap(self) -> None:
        """Count a gap."""
        self.gaps += 1


@contextlib.asynccontextmanager
async def listening(url: str, eventually: Eventually) -> AsyncGenerator[tuple[Listener, Broker]]:
    """A connected listener, and a client that publishes."""
    listener, client = Listener(url, name="ear"), connect(url, name="mouth")
    running = asyncio.create_task(listener.run())
    try:
        await eventually(lambda: listener.is_connected)
        yield listener, client
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await client.aclose()


async def test_whoever_listens_hears_what_is_published_from_then_on(broker: str, eventually: Eventually) -> None:
    """`listen` returns once Redis has confirmed, so a job submitted after it can't say anything unheard."""
    async with listening(broker, eventually) as (listener, client):
        ear = Ear()
        await listener.listen_raw("c", ear.on_payload, ear.on_gap)

        for n in range(100):
            await client.command("PUBLISH", "c", str(n))

        await eventually(lambda: len(ear.payloads) == 100)
        assert ear.payloads == [str(n).encode() for n in range(100)]
        assert ear.gaps == 0


async def test_a_batch_is_parsed(broker: str, eventually: Eventually) -> None:
    """Attempt, worker and first seq come before the events, one a line."""
    async with listening(broker, eventually) as (listener, client):
        heard: list[Batch] = []
        await listener.listen("c", heard.append, lambda: None)

        await client.command("PUBLISH", "c", '2 ab12 7\n{"seq":7}\n{"seq":8}')

        await eventually(lambda: heard)
        assert heard == [Batch(2, "ab12", 7, [b'{"seq":7}', b'{"seq":8}'])]


def test_a_batch_without_events_is_empty() -> None:
    """A head alone parses."""
    assert parse_batch(b"1 - 3").events == []


async def test_a_killed_connection_is_made_anew_and_listeners_are_told(broker: str, eventually: Eventually) -> None:
    """Whatever was published meanwhile is lost; each listener learns that it must look at its log."""
    async with listening(broker, eventually) as (listener, client):
        ears = [Ear() for _ in range(50)]
        for n, ear in enumerate(ears):
            await listener.listen_raw(f"c{n}", ear.on_payload, ear.on_gap)

        await client.command("CLIENT", "KILL", "TYPE", "pubsub")
        await eventually(lambda: all(ear.gaps == 1 for ear in ears))
        await client.command("PUBLISH", "c49", "after")

        await eventually(lambda: ears[49].payloads == [b"after"])


async def test_a_listener_is_told_of_a_gap_only_when_it_hears_again(broker: str, eventually: Eventually) -> None:
    """A log read before the new subscription stands would miss what is published between the two."""
    async with listening(broker, eventually) as (listener, client):
        subscribed: list[int] = []

        async def note() -> None:
            reply = await client.command("PUBSUB", "NUMSUB", "c")
            subscribed.append(dict(reply)[b"c"] if isinstance(reply[0], tuple) else reply[1])

        async with asyncio.TaskGroup() as tasks:
            await listener.listen_raw("c", lambda _: None, lambda: tasks.create_task(note()) and None)
            await client.command("CLIENT", "KILL", "TYPE", "pubsub")
            await eventually(lambda: subscribed)

        assert subscribed == [1]


async def test_behind_a_fence_all_is_heard_that_was_published_before(broker: str, eventually: Eventually) -> None:
    """However far the listener lags, and where it listens to nothing; a broken connection is no fence."""
    async with listening(broker, eventually) as (listener, client):
        assert await listener.fence()
        ear = Ear()
        await listener.listen_raw("c", ear.on_payload, ear.on_gap)
        for number in range(1, 21):
            await client.commands([("PUBLISH", "c", f"{n}") for n in range(200)])
            assert await listener.fence()
            assert len(ear.payloads) == 200 * number

        fence = asyncio.create_task(listener.fence())
        await client.command("CLIENT", "KILL", "TYPE", "pubsub")
        await fence
        await eventually(lambda: ear.gaps == 1)
        assert await listener.fence()


async def test_muting_the_last_listener_unsubscribes_before_it_returns(broker: str, eventually: Eventually) -> None:
    """Then `cancel if unheard` counts only others: Redis has confirmed that this process listens no more."""
    async with listening(broker, eventually) as (listener, client):
        first = await listener.listen_raw("c", lambda _: None, lambda: None)
        second = await listener.listen_raw("c", lambda _: None, lambda: None)

        assert not await listener.mute(first)
        assert await client.command("PUBLISH", "c", "x") == 1
        assert await listener.mute(second)
        assert await client.command("PUBLISH", "c", "x") == 0


async def test_who_comes_while_the_last_one_leaves_is_heard(broker: str, eventually: Eventually) -> None:
    """Leaving and coming cross each other: the newcomer is subscribed, and the leaver is not the last."""
    async with listening(broker, eventually) as (listener, client):
        leaver = await listener.listen_raw("c", lambda _: None, lambda: None)
        ear = Ear()

        is_last, _ = await asyncio.gather(listener.mute(leaver), listener.listen_raw("c", ear.on_payload, ear.on_gap))
        await client.command("PUBLISH", "c", "hello")

        assert not is_last
        await eventually(lambda: ear.payloads == [b"hello"])


async def test_coming_and_going_during_reconnects_loses_no_channel(broker: str, eventually: Eventually) -> None:
    """Connections are cut while hundreds subscribe: who was told that it listens, listens."""
    async with listening(broker, eventually) as (listener, client):
        ears: dict[str, Ear] = {}

        async def come(n: int) -> None:
            ear = Ear()
            with contextlib.suppress(Fault):
                await listener.listen_raw(f"c{n}", ear.on_payload, ear.on_gap)
                ears[f"c{n}"] = ear

        for round_number in range(5):
            comers = [asyncio.create_task(come(round_number * 50 + n)) for n in range(50)]
            await client.command("CLIENT", "KILL", "TYPE", "pubsub")
            await asyncio.gather(*comers)
            await eventually(lambda: listener.is_connected)
        await come(1_000)

        await eventually(lambda: _all_hear(client, ears))


async def _all_hear(client: Broker, ears: dict[str, Ear]) -> bool:
    for channel in ears:
        await client.command("PUBLISH", channel, "roll call")
    return bool(ears) and all(ear.payloads for ear in ears.values())


async def test_without_a_connection_nobody_is_told_that_it_listens(own_broker: Server, eventually: Eventually) -> None:
    """Redis is away: `listen` fails at once, so the caller can say 503 and not wait for a stream that is mute."""
    async with listening(own_broker.url, eventually) as (listener, _):
        own_broker.kill()
        await eventually(lambda: not listener.is_connected)

        with pytest.raises(Fault) as fault:
            await listener.listen_raw("c", lambda _: None, lambda: None)

        assert fault.value.code == "broker_down"


async def test_a_redis_that_comes_back_is_heard_again(own_broker: Server, eventually: Eventually) -> None:
    """A restart costs its listeners a gap, and nothing that anybody would have to repair by hand."""
    async with listening(own_broker.url, eventually) as (listener, client):
        ear = Ear()
        await listener.listen_raw("c", ear.on_payload, ear.on_gap)
        own_broker.kill()
        await eventually(lambda: not listener.is_connected)

        own_broker.start()
        await eventually(lambda: ear.gaps == 1)

        assert await client.command("PUBLISH", "c", "back") == 1
        await eventually(lambda: ear.payloads == [b"back"])


@pytest.mark.long
async def test_a_frozen_redis_is_found_out(own_broker: Server, eventually: Eventually) -> None:
    """It closes nothing and says nothing; within a few seconds the listener gives it up, and hears it when it thaws."""
    assert own_broker.process
    async with listening(own_broker.url, eventually) as (listener, _):
        ear = Ear()
        await listener.listen_raw("c", ear.on_payload, ear.on_gap)

        os.kill(own_broker.process.pid, signal.SIGSTOP)
        await eventually(lambda: not listener.is_connected, within=6)
        os.kill(own_broker.process.pid, signal.SIGCONT)

        await eventually(lambda: listener.is_connected and ear.gaps == 1, within=6)


async def test_a_server_that_takes_connections_and_says_nothing_is_tried_again(eventually: Eventually) -> None:
    """The kernel of a frozen machine accepts for it: a listener must not wait for such a greeting for ever."""
    callers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: callers.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    running = asyncio.create_task(Listener(f"redis://127.0.0.1:{port}", name="ear").run())

    try:
        await eventually(lambda: len(callers) >= 2, within=6)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        for writer in callers:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_a_channel_that_is_refused_ends_nobody_elses_listening(
    own_broker: Server, eventually: Eventually
) -> None:
    """A user of Redis may have rights to one model's channels: who asks for another is told, and the others hear on."""
    async with aclosing(connect(own_broker.url, name="admin")) as admin:
        await admin.command("ACL", "SETUSER", "one", "on", ">word", "+@all", "~*", "resetchannels", "&mine:*")
    url = f"redis://one:word@127.0.0.1:{own_broker.port}/0"
    async with listening(url, eventually) as (listener, client):
        ear = Ear()
        await listener.listen_raw("mine:1", ear.on_payload, ear.on_gap)

        with pytest.raises(Fault, match=r"Redis refuses: .*permissions"):
            await listener.listen_raw("theirs", ear.on_payload, ear.on_gap)

        await client.command("PUBLISH", "mine:1", "heard")
        await eventually(lambda: ear.payloads == [b"heard"])
        assert (listener.is_connected, ear.gaps) == (True, 0)


async def test_several_channels_are_listened_to_in_one_round_trip(broker: str, eventually: Eventually) -> None:
    """Each hears its own; with Redis away none of them is."""
    async with listening(broker, eventually) as (listener, client):
        ears = [Ear() for _ in range(8)]
        wanted = [Subscription(f"c{n}".encode(), ear.on_payload, ear.on_gap) for n, ear in enumerate(ears)]
        await listener.listen_all(wanted)

        for n in range(8):
            await client.command("PUBLISH", f"c{n}", str(n))

        await eventually(lambda: [ear.payloads for ear in ears] == [[str(n).encode()] for n in range(8)])
        assert [await listener.mute(each) for each in wanted] == [True] * 8


async def test_who_is_hushed_hears_nothing_and_is_counted(broker: str, eventually: Eventually) -> None:
    """For Redis somebody listens."""
    async with listening(broker, eventually) as (listener, client):
        ear, other = Ear(), Ear()
        subscription = await listener.listen_raw("c", ear.on_payload, ear.on_gap)
        await listener.listen_raw("d", other.on_payload, other.on_gap)

        subscription.hush()

        assert await client.command("PUBLISH", "c", "x") == 1
        await client.command("PUBLISH", "d", "x")
        await eventually(lambda: other.payloads)
        assert ear.payloads == []
