"""A batch goes on, whatever dies: what is committed stays, what is not is asked for again under the same name."""

import contextlib
import json

import pytest

from gateway.bulk.run_batch import LINES_AHEAD
from shared.bulk import Batches
from shared.errors import Fault
from shared.event import Cancelled
from tests.conftest import Broker as Server
from tests.conftest import Eventually
from tests.gateway.conftest import Serving
from tests.gateway.hand import Served, at_work, tokens
from tests.gateway.openai.sdk import STOP, openai_on

from .requests import CHAT, answering, chat_line, jsonl, make_batch, results, said, until_ended

RECORD = {"caller": "{}", "endpoint": CHAT, "input": "f" * 32, "window": "24h", "total": 3}


async def record(served: Served, batch_id: str) -> dict[str, str]:
    """A batch's record as Redis has it."""
    told = await served.hand.broker.command("HGETALL", f"pool:bulk:{{{batch_id.removeprefix('batch_')}}}:batch")
    return {name.decode(): value.decode() for name, value in told.items()}


async def test_a_gateway_whose_lease_ended_is_fenced_out(serving: Serving, eventually: Eventually) -> None:
    """It stood still, say: another one took the batch, and nothing that the first one says counts any more."""
    async with serving(has_worker=False) as first, serving() as other, openai_on(other) as client:
        batch = await make_batch(client, jsonl(*(chat_line(number) for number in range(40))))
        await eventually(lambda: waits(other, 32))
        await eventually(lambda: steal(other, batch.id))
        async with answering(other) as ran:
            ended = await until_ended(client, batch)

        told = await results(client, ended.output_file_id)
        assert {said(line) for line in told.values()} == {f"to q{number}" for number in range(40)}
        assert (ended.status, len(ran)) == ("completed", 40)
        assert (await first.http.get(f"/v1/batches/{batch.id}")).json()["status"] == "completed"


async def waits(served: Served, jobs: int) -> bool:
    """Whether so many jobs wait."""
    return (await served.hand.queue.survey()).waiting_total >= jobs


async def steal(served: Served, batch_id: str) -> bool:
    """Let the lease be over; tells whether another gateway has taken the batch."""
    key = f"pool:bulk:{{{batch_id.removeprefix('batch_')}}}:batch"
    await served.hand.broker.command("HSET", key, "lease", 1, "owner", "somebody who is gone")
    return int((await record(served, batch_id))["epoch"]) >= 2


async def test_a_batch_outlives_its_redis(serving: Serving, durable_broker: Server, eventually: Eventually) -> None:
    """Killed and started again on its data, in the midst; the gateway goes on by itself."""
    async with serving(url=durable_broker.url) as served, openai_on(served) as client:
        batch = await make_batch(client, jsonl(*(chat_line(number) for number in range(30))))
        for _ in range(10):
            job = await served.hand.claim()
            asked = json.loads(job.body)["messages"][0]["content"]
            await served.hand.end(job, served.hand.started(job), *tokens(f"to {asked}"), STOP)
        await eventually(lambda: has_results(served, batch.id, 1))

        durable_broker.kill()
        durable_broker.start()
        await eventually(lambda: answers(served))
        async with answering(served) as ran:
            ended = await until_ended(client, batch, within_s=30)

        told = await results(client, ended.output_file_id)
        assert {said(line) for line in told.values()} == {f"to q{number}" for number in range(30)}
        assert len(ran) == 20


async def has_results(served: Served, batch_id: str, least: int) -> bool:
    """Whether so many lines are committed."""
    return int((await record(served, batch_id)).get("completed", 0)) >= least


async def answers(served: Served) -> bool:
    """Whether Redis, and a lease in it, is there again."""
    with contextlib.suppress(Fault):
        return bool((await served.hand.queue.survey()).live_workers)
    return False


async def test_a_lost_commit_is_made_again(serving: Serving, eventually: Eventually) -> None:
    """Redis forgot some progress: the batch is taken anew from what it has, and every line has one result."""
    async with serving() as served, openai_on(served) as client:
        batch = await make_batch(client, jsonl(*(chat_line(number) for number in range(20))))
        async with answering(served) as ran:
            await eventually(lambda: has_results(served, batch.id, 1))
            key = f"pool:bulk:{{{batch.id.removeprefix('batch_')}}}"
            await served.hand.broker.command("UNLINK", f"{key}:output:data")
            lost = ("line", 0, "offset", 0, "done", "", "completed", 0, "commits", 0, "output_bytes", 0)
            await served.hand.broker.command("HSET", f"{key}:batch", *lost)
            await served.hand.broker.command("HDEL", f"{key}:batch", "ended")
            await served.hand.broker.command("HSET", f"{key}:batch", "status", "in_progress", "lease", 1)
            await served.hand.broker.command("HSET", "pool:bulk:open", batch.id.removeprefix("batch_"), "1 ")
            ended = await until_ended(client, await client.batches.retrieve(batch.id))

        assert len(await results(client, ended.output_file_id)) == 20
        assert len(ran) == 20


async def test_a_batch_that_nobody_here_can_read_ends_no_gateway(serving: Serving, broker: str) -> None:
    """One that a later version made, say; what else there is to run is run."""
    async with at_work(broker) as hand:
        later = RECORD | {"caller": '{"limits":{"of_tomorrow":1}}'}
        await Batches(hand.broker).open("0" * 32, later, tenant="", within_ms=60_000)
        await Batches(hand.broker).open("1" * 32, RECORD | {"total": "many"}, tenant="", within_ms=60_000)

    async with serving() as served, openai_on(served) as client, answering(served):
        ended = await until_ended(client, await make_batch(client, jsonl(chat_line(0))))

        assert ended.status == "completed"


async def test_a_batch_that_was_cancelled_meanwhile_is_not_gone_on_with(
    serving: Serving, broker: str, eventually: Eventually
) -> None:
    """Who takes it over asks for nothing more, and cancels what was left waiting; what had no result has none."""
    async with serving() as first, openai_on(first) as client:
        batch = await make_batch(client, jsonl(*(chat_line(number) for number in range(40))))
        await eventually(lambda: waits(first, 32))
    async with at_work(broker) as hand:
        await Batches(hand.broker).cancel(batch.id.removeprefix("batch_"))
        job = await hand.claim()
        await hand.queue.cancel(job.id)
        await hand.end(job, Cancelled())

    async with serving() as other, openai_on(other) as client:
        ended = await until_ended(client, await client.batches.retrieve(batch.id))

        assert (ended.status, ended.output_file_id, ended.error_file_id) == ("cancelled", None, None)
        assert (await other.hand.queue.survey()).waiting_total == 0


@pytest.mark.long
async def test_a_batch_is_cancelled_though_its_first_line_is_stuck(serving: Serving, eventually: Eventually) -> None:
    """However many lines behind it have their results, and wait for it."""
    async with serving() as served, openai_on(served) as client, answering(served) as ran:
        await served.hand.broker.command("SADD", "pool:models", "nobody's")
        lines = [chat_line(0, model="nobody's"), *(chat_line(number) for number in range(1, 600))]
        batch = await make_batch(client, jsonl(*lines))
        await eventually(lambda: len(ran) == LINES_AHEAD - 1, within=60)

        ended = await until_ended(client, await client.batches.cancel(batch.id))

        assert (ended.status, len(ran)) == ("cancelled", LINES_AHEAD - 1)
