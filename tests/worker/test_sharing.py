"""A worker's models, given to the machines of its pool."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from shared.connection import connect
from shared.errors import Refused
from shared.peers import Peers
from tests.ports import FreePort
from tests.worker.peer.neighbour import put_model
from worker.outside import read_place, urls_of
from worker.sharing import Sharing
from worker.weights import Found, fetch

Eventually = Callable[..., Awaitable[None]]


def sharing(client: Peers, port: int = 0) -> Sharing:
    """What a worker has beside its engines."""
    return Sharing(client, f"127.0.0.1:{port}", peer_id="mac-1.7", redis_url="redis://127.0.0.1")


async def test_what_a_worker_has_comes_to_another_machine(
    broker: str, tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told through Redis, fetched over HTTP by the catalogue's own process; and no longer told once it has left."""
    original = put_model(tmp_path / "there" / "mine")
    monkeypatch.setenv("MLX_POOL_MODELS", str(tmp_path / "here"))
    client = connect(broker, name="test")
    peers = Peers(client)
    ours = sharing(peers)
    ours.give(Found("mine", str(original)))
    running = asyncio.create_task(ours.run())
    await eventually(lambda: peers.supply("mine"))
    supply = await peers.supply("mine")

    found = await fetch("mine", lambda message, done: None, supply)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert found == Found("mine", str(tmp_path / "here" / "mine"))
    assert (tmp_path / "here" / "mine" / "config.json").read_bytes() == (original / "config.json").read_bytes()
    assert await peers.all() == []
    await client.aclose()


async def test_what_comes_later_is_given_too_and_an_adapter_is_not(
    broker: str, tmp_path: Path, eventually: Eventually
) -> None:
    """Models on demand lie here only once somebody has asked for them; of an adapter nobody could check the whole."""
    client = connect(broker, name="test")
    peers = Peers(client)
    ours = sharing(peers)
    running = asyncio.create_task(ours.run())
    ours.give(Found("tuned", str(put_model(tmp_path / "base")), str(tmp_path)))
    ours.give(Found("scripted", ""))

    ours.give(Found("mine", str(put_model(tmp_path / "mine"))))

    await eventually(peers.all)
    assert [list(peer.models) for peer in await peers.all()] == [["mine"]]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await client.aclose()


async def test_a_place_that_is_taken_is_given_up(broker: str, free_port: FreePort) -> None:
    """It is logged, and the worker serves on."""
    client = connect(broker, name="test")
    port = free_port()

    with socket.create_server(("127.0.0.1", port)):
        async with asyncio.timeout(10):
            await sharing(Peers(client), port).run()

    assert await Peers(client).all() == []
    await client.aclose()


@pytest.mark.parametrize(
    ("word", "place"),
    [("0.0.0.0", ("0.0.0.0", 0)), ("mac-1:81", ("mac-1", 81)), ("[::1]:81", ("::1", 81)), ("::1", ("::1", 0))],
)
def test_a_place_is_a_host_and_perhaps_a_port(word: str, place: tuple[str, int]) -> None:
    """Without one any free port is taken: the pool is told which."""
    assert read_place(word) == place


@pytest.mark.parametrize("word", ["", ":81", "mac-1:x", "mac-1:70000", "[::1]81"])
def test_what_is_no_place_is_refused(word: str) -> None:
    """Before the model is loaded."""
    with pytest.raises(Refused, match="HOST or HOST:PORT"):
        read_place(word)


def test_others_are_told_where_to_knock() -> None:
    """The host that was said; for all addresses those of this machine, and its name, never the loopback's."""
    assert urls_of("mac-1.local", 81, "redis://vm") == ("http://mac-1.local:81",)
    assert urls_of("fd00::1", 81, "redis://vm") == ("http://[fd00::1]:81",)
    everywhere = urls_of("0.0.0.0", 81, "redis+sentinel://a:1,b:2/pool")
    assert everywhere
    assert not any("127.0.0.1" in url or "0.0.0.0" in url for url in everywhere)
