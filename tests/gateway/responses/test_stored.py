"""Responses that are asked for again: in the background, at any phase, in parts, cancelled, forgotten, gone on from."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError
from openai.types.responses import Response

from shared.claims import Claimed, Row
from shared.event import Cancelled, Error, Token, ToolCall
from tests.gateway.conftest import Eventually, Serving
from tests.gateway.hand import Served, refusal, tokens
from tests.gateway.openai.sdk import STOP, answer, answered, openai_on

CALL = ToolCall(0, "call0", "f", "{}")


async def in_background(client: AsyncOpenAI, text: str = "x") -> Response:
    """A response that nobody waits for."""
    return await client.responses.create(model="tiny", input=text, background=True)


async def is_asked_to_end(served: Served, job: Claimed) -> bool:
    """Whether the worker that runs the job is told of a client's cancel."""
    [verdict] = await served.hand.claims.append([Row(job.id, job.attempt, 1, [])])
    return verdict.asked == "cancelled"


def texts_in(items: Sequence[Any]) -> list[str]:
    """The texts of messages."""
    return [item.content[0].text for item in items]


async def test_a_background_response_is_told_at_every_phase(serving: Serving) -> None:
    """Queued, in progress with what there is, completed; always under one id and time."""
    async with serving() as served, openai_on(served) as client:
        queued = await in_background(client)
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job), *tokens("a"))
        begun = await client.responses.retrieve(queued.id)
        await served.hand.end(job, *tokens("b", first=2), STOP)
        ended = await client.responses.retrieve(queued.id)

        told = [queued, begun, ended]
        assert [response.status for response in told] == ["queued", "in_progress", "completed"]
        assert [response.output_text for response in told] == ["", "a", "ab"]
        assert len({(response.id, response.created_at) for response in told}) == 1
        assert ended.usage


async def test_a_background_stream_begins_before_its_job(serving: Serving) -> None:
    """Its client has the id to come back with at once; leaving changes nothing; it goes on behind what it had."""
    async with serving() as served, openai_on(served) as client:
        stream = await client.responses.create(model="tiny", input="x", background=True, stream=True)
        first = await anext(aiter(stream))
        await stream.close()
        assert first.type == "response.created"
        assert first.response.status == "queued"
        await answer(served, *tokens("a", "b"), STOP)

        again = await client.responses.retrieve(first.response.id, stream=True, starting_after=first.sequence_number)
        events = [event async for event in again]

        assert [event.type for event in events][:2] == ["response.queued", "response.in_progress"]
        assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
        assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "ab"


async def test_a_waiting_response_is_cancelled_at_once(serving: Serving) -> None:
    """And stays so; asking again changes nothing."""
    async with serving() as served, openai_on(served) as client:
        queued = await in_background(client)

        told = [await client.responses.cancel(queued.id) for _ in range(2)]

        assert [response.status for response in told] == ["cancelled"] * 2
        assert (await client.responses.retrieve(queued.id)).status == "cancelled"
        assert (await served.hand.queue.survey()).waiting_total == 0


async def test_a_running_response_is_cancelled_by_its_worker(serving: Serving, eventually: Eventually) -> None:
    """What was said until then is kept, as incomplete; the answer to the cancel waits for the end."""
    async with serving() as served, openai_on(served) as client:
        queued = await in_background(client)
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job), *tokens("a"))

        async def obey() -> None:
            await eventually(lambda: is_asked_to_end(served, job))
            await served.hand.end(job, Cancelled())

        cancelled, _ = await asyncio.gather(client.responses.cancel(queued.id), obey())

        assert (cancelled.status, cancelled.output_text) == ("cancelled", "a")
        [message] = cancelled.output
        assert message.type == "message"
        assert message.status == "incomplete"


async def test_a_forgotten_response_is_gone(serving: Serving) -> None:
    """With its job and all that was said; one that waits never runs."""
    async with serving() as served, openai_on(served) as client:
        told, _ = await answered(served, client.responses.create(model="tiny", input="x"), *tokens("a"), STOP)
        waiting = await in_background(client)

        for response in (told, waiting):
            await client.responses.delete(response.id)

            assert refusal(await served.http.get(f"/v1/responses/{response.id}")) == (404, "job_not_found", None)
            assert refusal(await served.http.get(f"/chat/{response.id.removeprefix('resp_')}"))[0] == 404
        assert (await served.hand.queue.survey()).waiting_total == 0


async def test_a_running_response_that_is_forgotten_frees_its_worker(serving: Serving) -> None:
    """The worker finds itself fenced at its next word, and nothing of it is written any more."""
    async with serving() as served, openai_on(served) as client:
        queued = await in_background(client)
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job))

        await client.responses.delete(queued.id)

        [verdict] = await served.hand.claims.append([Row(job.id, job.attempt, 2, [])])
        assert verdict.verdict == "fenced"
        assert await served.hand.queue.read_log(job.id) == []


async def test_a_conversation_goes_on_from_a_response(serving: Serving) -> None:
    """The model is told what went in and what came out, calls too, thoughts not; the old instructions are not."""
    async with serving() as served, openai_on(served) as client:
        ask = client.responses.create
        said = [Token(reasoning="흠", tokens=[1]), *tokens("잠시", first=2), Token(tool_calls=[CALL], tokens=[3])]
        first, _ = await answered(served, ask(model="tiny", input="하나", instructions="old"), *said, STOP)
        given = {"type": "function_call_output", "call_id": "call0", "output": "둘"}
        asking = ask(model="tiny", input=[given], previous_response_id=first.id)  # pyright: ignore[reportArgumentType] a dict
        second, job = await answered(served, asking, *tokens("셋"), STOP)
        asking = ask(model="tiny", input="넷", previous_response_id=second.id, instructions="new")
        _, last = await answered(served, asking, STOP)

        assert [message["role"] for message in job["messages"]] == ["user", "assistant", "tool"]
        assert (job["messages"][1]["content"], len(job["messages"][1]["tool_calls"])) == ("잠시", 1)
        assert second.previous_response_id == first.id
        told = [message.get("content") for message in last["messages"]]
        assert told == ["new", "하나", "잠시", "둘", "셋", "넷"]


async def test_what_went_in_can_be_read(serving: Serving) -> None:
    """The newest first, in pages."""
    async with serving() as served, openai_on(served) as client:
        items = [{"role": "user", "content": text} for text in "abc"]
        told, _ = await answered(served, client.responses.create(model="tiny", input=items), STOP)  # pyright: ignore[reportArgumentType] dicts

        page = await client.responses.input_items.list(told.id, limit=2)
        rest = await client.responses.input_items.list(told.id, limit=2, after=page.data[-1].id or "")
        ordered = await client.responses.input_items.list(told.id, order="asc")

        assert [texts_in(each.data) for each in (page, rest, ordered)] == [["c", "b"], ["a"], ["a", "b", "c"]]
        assert (page.has_more, rest.has_more) == (True, False)


@pytest.mark.parametrize("gone", ["resp_0", "resp_nobody-knows", "62c66a7a-0", "resp_" + "x" * 99, "resp_std-1-0"])
async def test_what_is_unknown_is_not_found(serving: Serving, gone: str) -> None:
    """By every call; and one can't go on from it, which is a 400, as OpenAI says it."""
    async with serving() as served, openai_on(served) as client:
        path = f"/v1/responses/{gone}"
        answers = [await served.http.get(path), await served.http.get(f"{path}?stream=true")]
        answers += [await served.http.delete(path), await served.http.post(f"{path}/cancel")]
        answers += [await served.http.get(f"{path}/input_items")]

        assert {refusal(each) for each in answers} == {(404, "job_not_found", None)}
        with pytest.raises(BadRequestError) as raised:
            await client.responses.create(model="tiny", input="x", previous_response_id=gone)
        code, param = "previous_response_not_found", "previous_response_id"
        assert (raised.value.code, raised.value.param) == (code, param)


async def test_what_is_not_stored_is_not_found(serving: Serving) -> None:
    """Nothing of its request is kept."""
    async with serving() as served, openai_on(served) as client:
        told, _ = await answered(served, client.responses.create(model="tiny", input="x", store=False), STOP)

        with pytest.raises(NotFoundError):
            await client.responses.retrieve(told.id)
        record = await served.hand.broker.command("HGET", served.hand.queue.keys.job(told.id[5:]), "note")
        assert (told.store, record) == (False, None)  # pyright: ignore[reportAttributeAccessIssue] the SDK's class lacks it


async def test_a_job_that_is_no_response_is_not_found(serving: Serving) -> None:
    """Only what was asked for here can be asked for again here."""
    async with serving() as served:
        chat = await served.run({"prompt": "x"}, "a")

        answer = await served.http.get(f"/v1/responses/resp_{chat.headers['x-job-id']}")

        assert refusal(answer) == (404, "job_not_found", None)


async def test_a_failed_response_tells_why(serving: Serving) -> None:
    """Whole, and as its stream's last event; it is none to go on from."""
    async with serving() as served, openai_on(served) as client:
        queued = await in_background(client)
        await answer(served, *tokens("a"), Error(code="engine_failed", message="no"))
        told = await client.responses.retrieve(queued.id)
        events = [event async for event in await client.responses.retrieve(queued.id, stream=True)]

        assert told.error
        assert (told.status, told.error.code, told.error.message) == ("failed", "engine_failed", "no")
        assert events[-1].type == "response.failed"
        assert events[-1].response == told
        with pytest.raises(BadRequestError, match="failed"):
            await client.responses.create(model="tiny", input="x", previous_response_id=queued.id)


async def test_a_key_asks_for_one_response_however_often(serving: Serving) -> None:
    """In the background, too: the second request tells how far the first one is."""
    async with serving() as served:
        body, key = {"input": "x", "background": True}, {"Idempotency-Key": "mine"}
        first = await served.http.post("/v1/responses", json=body, headers=key)
        await answer(served, *tokens("a"), STOP)

        again = await served.http.post("/v1/responses", json=body, headers=key)

        assert (first.json()["status"], again.json()["status"]) == ("queued", "completed")
        assert first.json()["id"] == again.json()["id"]
        assert (await served.hand.queue.survey()).waiting_total == 0
