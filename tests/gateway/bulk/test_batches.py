"""Batches with OpenAI's own client over a real socket: from the file that goes in to the files that come out."""

import pytest
from openai import AsyncOpenAI, BadRequestError

from gateway.bulk.batches import MOST_OPEN
from shared.limits import write_limits
from tests.gateway.conftest import Eventually, Serving
from tests.gateway.hand import MODEL, refusal
from tests.gateway.openai.sdk import openai_on

from .requests import CHAT, answering, chat_line, jsonl, make_batch, results, said, until_ended


async def test_a_batch_is_run_whole(serving: Serving) -> None:
    """Every line has its result, under its own name; what was asked for is asked for once, in class lo."""
    lines = [chat_line(number) for number in range(40)]
    async with serving() as served, openai_on(served) as client, answering(served) as ran:
        batch = await make_batch(client, jsonl(*lines), metadata={"for": "me"})
        assert (batch.status, batch.metadata) == ("validating", {"for": "me"})

        ended = await until_ended(client, batch)

        assert (ended.status, ended.error_file_id) == ("completed", None)
        assert ended.request_counts
        assert (ended.request_counts.total, ended.request_counts.completed) == (40, 40)
        told = await results(client, ended.output_file_id)
        assert {name: said(line) for name, line in told.items()} == {f"r{n}": f"to q{n}" for n in range(40)}
        assert {(line["response"]["status_code"], line["error"]) for line in told.values()} == {(200, None)}
        assert len(ran) == 40
        assert {body["background"] for body in ran} == {True}


@pytest.mark.parametrize(
    ("endpoint", "body", "path"),
    [
        ("/v1/completions", {"prompt": "x"}, ["choices", 0, "text"]),
        ("/v1/responses", {"input": "x"}, ["output", 0, "content", 0, "text"]),
        (CHAT, {"messages": [{"role": "user", "content": "x"}], "n": 2}, ["choices", 1, "message", "content"]),
    ],
)
async def test_each_endpoint_answers_as_it_does(
    serving: Serving, endpoint: str, body: dict[str, object], path: list[str | int]
) -> None:
    """A line is a request to the very route."""
    line = {"custom_id": "a", "method": "POST", "url": endpoint, "body": body | {"model": "gpt-x"}}
    async with serving(model_alias="*=tiny") as served, openai_on(served) as client, answering(served):
        ended = await until_ended(client, await make_batch(client, jsonl(line), endpoint))

        told = (await results(client, ended.output_file_id))["a"]["response"]["body"]
        assert told["model"] == "gpt-x"
        for step in path:
            told = told[step]
        assert told == "to x"


async def test_what_is_wrong_with_a_line_stands_in_the_errors(serving: Serving) -> None:
    """In the route's own words; the other lines have their answers, and blank ones none."""
    wrong = {
        "r1": (chat_line(1, temperature=9), 400, "temperature"),
        "r2": (chat_line(2) | {"url": "/v1/embeddings"}, 400, "url"),
        "r3": (chat_line(3, model="nobody's"), 404, "model"),
        "r4": (chat_line(4, stream=True), 400, "body.stream"),
        "r5": ({"custom_id": "r5", "url": CHAT}, 400, "body"),
    }
    data = jsonl(chat_line(0), *(line for line, _, _ in wrong.values()), "", "  ", "{not json", chat_line(6))
    async with serving() as served, openai_on(served) as client, answering(served):
        ended = await until_ended(client, await make_batch(client, data[:-1]))

        assert ended.request_counts
        assert (ended.request_counts.total, ended.request_counts.completed, ended.request_counts.failed) == (8, 2, 6)
        assert set(await results(client, ended.output_file_id)) == {"r0", "r6"}
        errors = await results(client, ended.error_file_id)
        told = {name: line["response"] for name, line in errors.items() if name}
        assert {name: (each["status_code"], each["body"]["error"]["param"]) for name, each in told.items()} == {
            name: (status, param) for name, (_, status, param) in wrong.items()
        }


async def test_lines_of_one_name_fail_their_batch(serving: Serving) -> None:
    """Nobody could tell their results apart; the lines are named, and none of the file is run."""
    data = jsonl(chat_line(0), chat_line(1), "", chat_line(1), "{not json", chat_line(0))
    async with serving() as served, openai_on(served) as client:
        ended = await until_ended(client, await make_batch(client, data))

        assert (ended.status, ended.output_file_id, ended.error_file_id) == ("failed", None, None)
        assert ended.errors
        problems = ended.errors.data or []
        assert [(each.code, each.param, each.line) for each in problems] == [
            ("duplicate_custom_id", "custom_id", 4),
            ("duplicate_custom_id", "custom_id", 6),
        ]
        assert "line 2" in str(problems[0].message)
        assert (await served.hand.queue.survey()).waiting_total == 0


async def test_a_file_of_too_many_lines_is_refused(serving: Serving) -> None:
    """As a batch where its requests are too many, as an upload where even looking at them would take long."""
    async with serving(has_worker=False) as served, openai_on(served) as client:
        with pytest.raises(BadRequestError, match="50,000 requests"):
            await make_batch(client, b"{}\n" * 50_001)
        with pytest.raises(BadRequestError, match="blank"):
            await client.files.create(file=("in.jsonl", b"\n" * 200_001), purpose="batch")


async def test_a_full_queue_only_slows_a_batch_down(serving: Serving) -> None:
    """Its lines wait for room, and take none from those who sit in front of it."""
    async with serving() as served, openai_on(served) as client:
        await write_limits(served.hand.broker, MODEL, {"waiting": 2})
        batch = await make_batch(client, jsonl(*(chat_line(number) for number in range(6))))
        async with answering(served):
            ended = await until_ended(client, batch, within_s=40)

        assert ended.request_counts
        assert (ended.request_counts.completed, ended.request_counts.failed) == (6, 0)


async def test_a_gateway_that_is_restarted_in_its_midst_costs_nothing(serving: Serving, eventually: Eventually) -> None:
    """Another one goes on: no line is run twice, and none has two results."""
    lines = [chat_line(number) for number in range(60)]
    async with serving(has_worker=False) as first, openai_on(first) as client:
        batch = await make_batch(client, jsonl(*lines))
        async with serving() as other, openai_on(other) as another, answering(other) as ran:
            await eventually(lambda: len(ran) >= 20)
            first.drain.begin()  # the one that runs it stops
            ended = await until_ended(another, batch)
            told = await results(another, ended.output_file_id)

    assert (ended.status, len(told), len(ran)) == ("completed", 60, 60)
    assert {said(line) for line in told.values()} == {f"to q{number}" for number in range(60)}


async def test_a_batch_is_cancelled(serving: Serving, eventually: Eventually) -> None:
    """What has its result keeps it; nothing more is run, and the queue is empty again."""
    async with serving() as served, openai_on(served) as client:
        batch = await make_batch(client, jsonl(*(chat_line(number) for number in range(50))))
        await served.hand.generate("done before")
        await eventually(lambda: has_completed(client, batch.id, 1))

        cancelling = await client.batches.cancel(batch.id)
        ended = await until_ended(client, cancelling)

        assert (cancelling.status, ended.status) == ("cancelling", "cancelled")
        assert ended.cancelled_at
        assert [said(line) for line in (await results(client, ended.output_file_id)).values()] == ["done before"]
        assert (await served.hand.queue.survey()).waiting_total == 0


async def has_completed(client: AsyncOpenAI, batch_id: str, count: int) -> bool:
    """Whether so many of its lines have their results."""
    counts = (await client.batches.retrieve(batch_id)).request_counts
    return counts is not None and counts.completed == count


async def test_a_batch_has_its_time(serving: Serving, eventually: Eventually) -> None:
    """What nobody came to within it says so; what has its result keeps it."""
    async with serving() as served, openai_on(served) as client:
        batch = await make_batch(client, jsonl(*(chat_line(number) for number in range(50))))
        await served.hand.generate("in time")
        await eventually(lambda: has_completed(client, batch.id, 1))
        key = f"pool:bulk:{{{batch.id.removeprefix('batch_')}}}:batch"
        await served.hand.broker.command("HSET", key, "expires", 1)

        ended = await until_ended(client, batch)

        assert ended.status == "expired"
        assert len(await results(client, ended.output_file_id)) == 1
        errors = await results(client, ended.error_file_id)
        assert {line["error"]["code"] for line in errors.values()} == {"batch_expired"}
        assert (len(errors), (await served.hand.queue.survey()).waiting_total) == (49, 0)


async def test_batches_are_listed_the_newest_first(serving: Serving) -> None:
    """In pages."""
    async with serving() as served, openai_on(served) as client, answering(served):
        made = [(await make_batch(client, jsonl(chat_line(0)))).id for _ in range(3)]
        page = await client.batches.list(limit=2)
        rest = await client.batches.list(limit=2, after=page.data[-1].id)

        assert [batch.id for batch in (*page.data, *rest.data)] == made[::-1]
        assert page.has_more


async def test_a_tenant_has_so_many_batches_open(serving: Serving) -> None:
    """Every gateway looks at all of them again and again: one too many is told to come back."""
    async with serving(has_worker=False) as served, openai_on(served) as client:
        file = await client.files.create(file=("in.jsonl", jsonl(chat_line(0))), purpose="batch")
        body = {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h"}
        made = [await served.http.post("/v1/batches", json=body) for _ in range(MOST_OPEN)]

        answer = await served.http.post("/v1/batches", json=body)

        assert {each.status_code for each in made} == {200}
        assert refusal(answer)[:2] == (429, "too_many_jobs")
        assert "retry-after" in answer.headers


async def test_what_is_no_batch_is_refused(serving: Serving) -> None:
    """By its name; and a file that is gone fails its batch."""
    async with serving(has_worker=False) as served, openai_on(served) as client:
        for body, param in (
            ({"input_file_id": "file-x", "endpoint": CHAT}, "input_file_id"),
            ({"endpoint": CHAT}, "input_file_id"),
            ({"input_file_id": "file-x", "endpoint": "/v1/embeddings"}, "endpoint"),
        ):
            answer = await served.http.post("/v1/batches", json=body | {"completion_window": "24h"})
            assert (refusal(answer)[0], refusal(answer)[2]) == (400, param)
        assert refusal(await served.http.get("/v1/batches/batch_x")) == (404, "not_found", None)
        with pytest.raises(BadRequestError):
            await client.batches.create(
                input_file_id="file-" + "0" * 32, endpoint="/v1/completions", completion_window="24h"
            )


async def test_a_file_that_goes_fails_its_batch(serving: Serving) -> None:
    """With the reason; what was asked for before has its result."""
    async with serving() as served, openai_on(served) as client:
        file = await client.files.create(file=("in.jsonl", jsonl(chat_line(0))), purpose="batch")
        await served.hand.broker.command("UNLINK", f"pool:bulk:{{{file.id.removeprefix('file-')}}}:input:data")
        batch = await client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")

        ended = await until_ended(client, batch)

        assert ended.status == "failed"
        assert ended.errors
        assert ended.errors.data
        assert ended.errors.data[0].message
