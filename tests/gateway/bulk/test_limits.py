"""What a key may do, its batches may do: no more, and at its pace."""

import asyncio

import pytest
from openai import AsyncOpenAI
from starlette.datastructures import Headers

from gateway.bulk.errand import Answer
from gateway.bulk.patience import LEAST_S, MOST_S, RETRIES_OF_LOST, patience_s
from gateway.bulk.rights import Rights
from gateway.caller import Caller
from tests.gateway.access.conftest import GivenKeys
from tests.gateway.conftest import Eventually, Serving
from tests.gateway.hand import MODEL, Served
from tests.gateway.openai.sdk import openai_on

from .requests import answering, chat_line, jsonl, make_batch, results, said, until_ended


async def test_a_batch_keeps_its_keys_pace(serving: Serving, keys: GivenKeys) -> None:
    """With three jobs at once its lines wait for each other, instead of failing."""
    who = keys.give("who", limits={"concurrent_jobs": 3})
    lines = [chat_line(number) for number in range(6)]
    async with serving(keys=keys.path) as served, openai_on(served, api_key=who["authorization"][7:]) as client:
        batch = await make_batch(client, jsonl(*lines))
        async with asyncio.timeout(5):
            while (await served.hand.queue.survey()).waiting_total < 3:
                pass
        assert (await served.hand.queue.survey()).waiting_total == 3
        async with answering(served):
            ended = await until_ended(client, batch, within_s=30)

        assert ended.request_counts
        assert (ended.request_counts.completed, ended.request_counts.failed) == (6, 0)


async def test_a_batch_has_its_keys_models(serving: Serving, keys: GivenKeys) -> None:
    """And its tenant: the jobs are its own."""
    who = keys.give("who", models=["another"])
    async with serving(keys=keys.path) as served, openai_on(served, api_key=who["authorization"][7:]) as client:
        ended = await until_ended(client, await make_batch(client, jsonl(chat_line(0))))

        [line] = (await results(client, ended.error_file_id)).values()
        assert (line["response"]["status_code"], line["response"]["body"]["error"]["param"]) == (403, "model")


async def has_one_result(served: Served, client: AsyncOpenAI, batch_id: str) -> bool:
    """Whether the first line is done, and as many as may run at once wait behind it."""
    counts = (await client.batches.retrieve(batch_id)).request_counts
    waiting = (await served.hand.queue.survey()).waiting_total
    return counts is not None and counts.completed == 1 and waiting == 32


async def test_a_batch_ends_with_its_key(serving: Serving, keys: GivenKeys, eventually: Eventually) -> None:
    """What has its result keeps it, for the tenant's other keys; the rest says why, and no job of it is left."""
    maker, reader = keys.give("maker", tenant="we"), keys.give("reader", tenant="we")
    async with serving(keys=keys.path) as served, openai_on(served, api_key=maker["authorization"][7:]) as client:
        batch = await make_batch(client, jsonl(*(chat_line(number) for number in range(50))))
        await served.hand.generate("done before")
        await eventually(lambda: has_one_result(served, client, batch.id))

        keys.revoke("maker")
        other = client.with_options(api_key=reader["authorization"][7:])
        ended = await until_ended(other, batch)

        assert ended.status == "failed"
        assert ended.errors
        assert ended.errors.data
        assert "revoked" in str(ended.errors.data[0].message)
        assert [said(line) for line in (await results(other, ended.output_file_id)).values()] == ["done before"]
        errors = await results(other, ended.error_file_id)
        assert {line["error"]["code"] for line in errors.values()} == {"invalid_api_key"}
        assert (len(errors), (await served.hand.queue.survey()).waiting_total) == (49, 0)


async def test_a_batch_loses_the_models_of_its_key(serving: Serving, keys: GivenKeys, eventually: Eventually) -> None:
    """Also what waits on such a queue already: each line is told what a request of that key would be told now."""
    who = keys.give("who", models=[MODEL])
    async with serving(keys=keys.path) as served, openai_on(served, api_key=who["authorization"][7:]) as client:
        batch = await make_batch(client, jsonl(*(chat_line(number) for number in range(40))))
        await served.hand.generate("done before")
        await eventually(lambda: has_one_result(served, client, batch.id))

        keys.change("who", models=["another"])
        ended = await until_ended(client, batch)

        assert ended.request_counts
        assert (ended.status, ended.request_counts.completed, ended.request_counts.failed) == ("completed", 1, 39)
        told = [line["response"] for line in (await results(client, ended.error_file_id)).values()]
        assert {(each["status_code"], each["body"]["error"]["code"]) for each in told} == {(403, "key_not_allowed")}
        assert (await served.hand.queue.survey()).waiting_total == 0


def test_rights_follow_the_key() -> None:
    """What is lost is told once; a key that is gone stays gone, whoever is given its name later."""
    standing: list[Caller | None] = [Caller(key="k")]
    rights = Rights(Caller(key="k"), lambda _: standing[-1])
    seen: list[tuple[bool, bool]] = []

    for now in (Caller(key="k", models=frozenset("ab")), Caller(key="k", models=frozenset("abc")), None, standing[0]):
        rights.has_lost_models = False
        standing.append(now)
        rights.look()
        seen.append((rights.has_lost_models, rights.is_revoked))

    assert seen == [(True, False), (False, False), (False, True), (False, True)]
    assert rights.caller.is_bulk


def answer(status: int, code: str = "", **headers: str) -> Answer:
    """An answer of a route."""
    body = b'{"error":{"code":"%b","message":"","param":null,"type":""}}' % code.encode()
    return Answer(status, Headers({name.replace("_", "-"): value for name, value in headers.items()}), body, "")


@pytest.mark.parametrize(
    ("told", "tries", "wait_s"),
    [
        (answer(200), 1, None),
        (answer(400, "invalid_value"), 1, None),
        (answer(500, "engine_failed"), 1, None),
        (answer(503, "no_worker", retry_after_ms="5000"), 99, 5.0),
        (answer(429, "queue_full", retry_after_ms="99000"), 99, MOST_S),
        (answer(503, "draining"), 1, LEAST_S),
        (answer(500, "stream_lost"), RETRIES_OF_LOST, LEAST_S),
        (answer(500, "stream_lost"), RETRIES_OF_LOST + 1, None),
    ],
)
def test_a_line_is_asked_for_again_where_nothing_was_done(told: Answer, tries: int, wait_s: float | None) -> None:
    """What was in the way passes; an answer, good or bad, stands."""
    assert patience_s(told, tries) == wait_s
