"""What a key may do, its batches may do: no more, and at its pace."""

import asyncio

import pytest
from starlette.datastructures import Headers

from gateway.bulk.errand import Answer
from gateway.bulk.patience import LEAST_S, MOST_S, RETRIES_OF_LOST, patience_s
from tests.gateway.access.conftest import GivenKeys
from tests.gateway.conftest import Serving
from tests.gateway.openai.sdk import openai_on

from .requests import answering, chat_line, jsonl, make_batch, results, until_ended


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
