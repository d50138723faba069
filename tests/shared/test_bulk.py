"""A batch's record: one runs it at a time, progress and results agree, and all of it goes in the end."""

from shared.bulk import Batches, Commit, Heard
from shared.bulk_file import BulkFiles
from shared.connection import Broker, connect

RECORD = {"caller": "{}", "endpoint": "/v1/x", "input": "f" * 32, "window": "24h", "total": 3}
TAG = "0" * 32
KEY = f"pool:bulk:{{{TAG}}}"


async def opened(url: str) -> tuple[Broker, Batches]:
    """A batch that nobody runs yet."""
    client = connect(url, name="test")
    batches = Batches(client)
    await batches.open(TAG, RECORD, tenant="me", within_ms=1_000_000)
    return client, batches


async def test_one_runs_a_batch_at_a_time(broker: str) -> None:
    """The lease says who; its end lets another one in, and fences the first one out."""
    client, batches = await opened(broker)

    assert await batches.claim(TAG, "a", 60_000) == 1
    assert await batches.claim(TAG, "b", 60_000) == "held"
    assert await batches.commit(TAG, 1, Commit(number=0), lease_ms=0) == Heard(is_cancelled=False, is_late=False)
    assert await batches.claim(TAG, "b", 60_000) == 2
    assert await batches.commit(TAG, 1, Commit(number=1, output=b"late"), lease_ms=60_000) == "fenced"
    assert await client.command("EXISTS", f"{KEY}:output:data") == 0
    await client.aclose()


async def test_a_commit_counts_once(broker: str) -> None:
    """However often it is sent; one that skips another was lost by Redis."""
    client, batches = await opened(broker)
    await batches.claim(TAG, "a", 60_000)
    first = Commit(number=1, output=b"out\n", errors=b"err\n", fields={"line": 2, "offset": 20})

    told = [await batches.commit(TAG, 1, first, lease_ms=60_000) for _ in range(2)]

    assert told == [Heard(is_cancelled=False, is_late=False)] * 2
    assert await batches.commit(TAG, 1, Commit(number=3), lease_ms=60_000) == "gap"
    batch = await batches.find(TAG)
    assert batch
    assert (batch.line, batch.commits, batch.output_bytes, batch.errors_bytes) == (2, 1, 4, 4)
    assert [piece async for piece in BulkFiles(client).pieces(TAG, "output")] == [b"out\n"]
    await client.aclose()


async def test_an_ended_batch_stays_as_it_is(broker: str) -> None:
    """Its last commit may be sent again; nothing else changes it, and nobody takes it."""
    client, batches = await opened(broker)
    await batches.claim(TAG, "a", 60_000)
    last = Commit(number=1, ending="completed")
    assert isinstance(await batches.commit(TAG, 1, last, lease_ms=60_000), Heard)

    assert isinstance(await batches.commit(TAG, 1, last, lease_ms=60_000), Heard)
    assert await batches.commit(TAG, 1, Commit(number=2, output=b"x"), lease_ms=60_000) == "fenced"
    assert await batches.claim(TAG, "b", 60_000) == "ended"
    await batches.cancel(TAG)
    batch = await batches.find(TAG)
    assert batch
    assert (batch.status, batch.cancelled) == ("completed", None)
    await client.aclose()


async def test_who_runs_it_hears_of_a_cancel_and_of_the_time(broker: str) -> None:
    """With the next commit."""
    client, batches = await opened(broker)
    await batches.claim(TAG, "a", 60_000)

    await batches.cancel(TAG)
    heard = await batches.commit(TAG, 1, Commit(number=0), lease_ms=60_000)
    await client.command("HSET", f"{KEY}:batch", "expires", 1)
    late = await batches.commit(TAG, 1, Commit(number=0), lease_ms=60_000)

    assert (heard, late) == (Heard(is_cancelled=True, is_late=False), Heard(is_cancelled=True, is_late=True))
    await client.aclose()


async def test_all_of_a_batch_goes_in_the_end(broker: str) -> None:
    """Results live as long as their batch, and a batch that is gone is not made anew by a late word."""
    client, batches = await opened(broker)
    await batches.claim(TAG, "a", 60_000)
    await batches.commit(TAG, 1, Commit(number=1, output=b"x"), lease_ms=60_000)

    ends = [await client.command("PEXPIRETIME", f"{KEY}:{each}") for each in ("batch", "output:data")]
    assert ends[0] == ends[1] > 0
    await client.command("DEL", f"{KEY}:batch", f"{KEY}:output:data")
    await batches.cancel(TAG)
    assert await batches.commit(TAG, 1, Commit(number=2, output=b"x"), lease_ms=60_000) == "gone"
    assert await batches.claim(TAG, "a", 60_000) == "gone"
    assert await client.command("EXISTS", f"{KEY}:batch", f"{KEY}:output:data") == 0
    await client.aclose()


async def test_a_restart_knows_what_to_run(broker: str) -> None:
    """Until somebody strikes it off."""
    client, batches = await opened(broker)

    [(created, tenant, tag)] = await batches.unfinished()
    await batches.strike(TAG)

    assert (tenant, tag, created > 0) == ("me", TAG, True)
    assert await batches.unfinished() == []
    assert await batches.tags("me") == [TAG]
    assert await batches.tags("another") == []
    await client.aclose()
