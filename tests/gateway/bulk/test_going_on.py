"""A batch goes on, whatever dies: what is committed stays, what is not is asked for again under the same name."""

import contextlib
import json

from shared.errors import Fault
from tests.conftest import Broker as Server
from tests.conftest import Eventually
from tests.gateway.conftest import Serving
from tests.gateway.hand import Served, tokens
from tests.gateway.openai.sdk import STOP, openai_on

from .requests import answering, chat_line, jsonl, make_batch, results, said, until_ended


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
