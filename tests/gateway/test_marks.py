"""A place in a stream that the stream does not have: whose mistake it is."""

from functools import partial

import pytest

from shared.connection import connect
from shared.pool import Pool
from tests.conftest import Broker as Server

from .conftest import Eventually, Serving
from .hand import Served, refusal

PROMPT = {"prompt": "x"}
MADE_UP = ["2-1-00000000", "3-1-00000000", "9-9-00000000"]  # other ids, other ids further on, more than there are


async def has_lived(served: Served) -> bool:
    """Whether the broker is sure to have lost nothing that is written from now on."""
    seconds, _ = await served.hand.broker.command("TIME")
    return await Pool(served.hand.broker).has_kept_all_since(int(seconds) * 1_000)


@pytest.mark.parametrize("mark", MADE_UP)
async def test_a_made_up_mark_is_refused_by_name(serving: Serving, eventually: Eventually, mark: str) -> None:
    """Redis has lost nothing, so nobody was ever sent that: the client is told so, in a stream and in an object."""
    async with serving() as served:
        await eventually(partial(has_lived, served))
        job = await served.run(PROMPT, "a", "b")
        path = f"/chat/{job.headers['x-job-id']}"

        for how in ({"after": mark}, {"after": mark, "stream": "false"}):
            assert refusal(await served.http.get(path, params=how)) == (400, "invalid_value", "after")
        as_header = await served.http.get(path, headers={"last-event-id": mark, "accept": "text/event-stream"})
        assert refusal(as_header) == (400, "invalid_value", "after")


async def test_a_mark_from_before_a_crash_of_redis_is_believed(
    serving: Serving, durable_broker: Server, eventually: Eventually
) -> None:
    """It may have been sent, and lost, and written anew: that is no mistake of the client's."""
    async with serving(url=durable_broker.url) as served:
        job = await served.run(PROMPT, "a", "b")
        durable_broker.kill()
        durable_broker.start()

        async def is_at_odds() -> bool:
            answer = await served.http.get(f"/chat/{job.headers['x-job-id']}", params={"after": MADE_UP[0]})
            return refusal(answer) == (500, "stream_diverged", None)

        await eventually(is_at_odds)


async def test_a_server_that_took_over_may_have_lost_anything(own_broker: Server) -> None:
    """When that was nobody knows; one that never did has all since its start."""
    client = connect(own_broker.url, name="test")
    pool, in_a_while_ms = Pool(client), 4_102_444_800_000
    assert not await pool.has_kept_all_since(0)
    assert await pool.has_kept_all_since(in_a_while_ms)

    await client.command("REPLICAOF", "127.0.0.1", "1")
    await client.command("REPLICAOF", "NO", "ONE")

    assert not await pool.has_kept_all_since(in_a_while_ms)
    await client.aclose()
