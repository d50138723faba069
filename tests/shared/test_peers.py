"""Who gives models to others, as the pool tells it."""

import msgspec

from shared.keys import PEERS, Keys
from shared.peers import Peers
from shared.supply import Peer, Stock, supply_of

from .conftest import Labs

RIGHT, OTHER = "a" * 16, "b" * 16


def peer(name: str, digest: str = "1" * 64, fingerprint: str = RIGHT) -> Peer:
    """A machine that gives the model `m`."""
    stock = Stock(digest=digest, bytes=7, fingerprint=fingerprint)
    return Peer(id=name, urls=(f"http://{name}:1",), token=f"{name}'s", models={"m": stock})


def test_what_most_have_is_taken_from_all_of_them() -> None:
    """The very same files from each; a machine that has others of these weights is left alone."""
    supply = supply_of("m", [peer("c", "2" * 64), peer("a"), peer("b")], "")

    assert supply is not None
    assert supply.digest == "1" * 64
    assert [(each.id, each.token) for each in supply.sources] == [("a", "a's"), ("b", "b's")]


def test_only_the_weights_that_the_queue_knows_are_taken() -> None:
    """However many machines have others under this name; where the queue knows none, what is told is held to."""
    several = [peer("a", fingerprint=OTHER), peer("b", fingerprint=OTHER), peer("c", "2" * 64)]

    known, unknown = supply_of("m", several, RIGHT), supply_of("m", several, "")

    assert known is not None
    assert unknown is not None
    assert [each.id for each in known.sources] == ["c"]
    assert unknown.fingerprint == OTHER
    assert supply_of("m", several, "c" * 16) is None
    assert supply_of("n", several, "") is None


async def test_a_machine_tells_what_it_gives_and_when_it_leaves(lab: Labs) -> None:
    """Whoever may read it finds it, with the weights that the queue's workers have registered; then it is gone."""
    async with lab() as here:
        peers = Peers(here.client)
        await here.redis("HSET", Keys("m").weights, "fingerprint", RIGHT)

        await peers.announce(peer("a"))
        await peers.announce(peer("b", fingerprint=OTHER))
        supply = await peers.supply("m")
        await peers.leave("a")

        assert supply is not None
        assert [each.id for each in supply.sources] == ["a"]
        assert await peers.supply("m") is None
        assert 0 < await here.redis("PTTL", PEERS) <= 20_000


async def test_who_fell_silent_is_believed_no_more(lab: Labs) -> None:
    """Nor is what can't be read; the next one that tells of itself clears it away."""
    async with lab() as here:
        peers = Peers(here.client)
        stale = msgspec.to_builtins(peer("old")) | {"at_ms": await here.now_ms() - 20_001}
        await here.redis("HSET", PEERS, "old", msgspec.json.encode(stale), "broken", "{")

        before = await peers.all()
        await peers.announce(peer("a"))

        assert before == []
        assert [each.id for each in await peers.all()] == ["a"]
        assert await here.redis("HKEYS", PEERS) == [b"a"]
