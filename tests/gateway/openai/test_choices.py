"""Several choices: so many jobs, one answer."""

import asyncio
import json

import pytest
from openai import APIError, InternalServerError

from shared.event import Cancelled, Error
from shared.limits import write_limits
from tests.gateway.conftest import Eventually, Serving
from tests.gateway.hand import MODEL, Served, refusal, tokens

from .sdk import ASK, CHAT, STOP, TEXT, chunks_of, openai_on, read_to_the_cut

TWO = {"model": "tiny", "messages": ASK, "n": 2, "seed": 7}


async def answer_both(served: Served) -> list[int]:
    """Answer two jobs, the later one first; their seeds."""
    jobs = [await served.hand.claim(), await served.hand.claim()]
    for job in reversed(jobs):
        seed = json.loads(job.body)["seed"]
        await served.hand.end(job, served.hand.started(job), *tokens(f"seed {seed}"), STOP)
    return sorted(json.loads(job.body)["seed"] for job in jobs)


async def test_two_answers_are_two_jobs(serving: Serving) -> None:
    """Each has a seed of its own; the prompt is counted once, both answers are."""
    async with serving() as served, openai_on(served) as client:
        asking = client.chat.completions.create(model="tiny", messages=ASK, n=2, seed=7)
        told, seeds = await asyncio.gather(asking, answer_both(served))

        assert seeds == [7, 8]
        assert [(each.index, each.message.content) for each in told.choices] == [(0, "seed 7"), (1, "seed 8")]
        assert told.usage
        assert (told.usage.prompt_tokens, told.usage.completion_tokens) == (5, 4)


async def test_two_streamed_answers_are_gathered_by_the_client(serving: Serving) -> None:
    """Whichever goes on first: the client's list of choices has each under its index."""
    async with serving() as served, openai_on(served) as client:
        answering = asyncio.create_task(answer_both(served))
        async with client.chat.completions.stream(model="tiny", messages=ASK, n=2, seed=7) as stream:
            told = await stream.get_final_completion()
        await answering

        assert [(each.index, each.message.content) for each in told.choices] == [(0, "seed 7"), (1, "seed 8")]
        assert [each.finish_reason for each in told.choices] == ["stop", "stop"]


async def test_all_choices_begin_before_any_goes_on(serving: Serving) -> None:
    """An index that begins later than a higher one breaks clients; counts and the end come once, last."""
    async with serving() as served:
        body = TWO | {"stream": True, "stream_options": {"include_usage": True}}
        answer, _ = await asyncio.gather(served.http.post(CHAT, json=body), answer_both(served))

        chunks = chunks_of(answer.text)
        roles = [chunk["choices"][0]["index"] for chunk in chunks[:2] if "role" in chunk["choices"][0]["delta"]]
        assert roles == [0, 1]
        assert sum("role" in choice["delta"] for chunk in chunks for choice in chunk["choices"]) == 2
        assert [chunk["usage"] is None for chunk in chunks] == [True] * 6 + [False]
        assert len({chunk["id"] for chunk in chunks}) == 1
        assert answer.headers["x-job-id"].split(", ")[0] == chunks[0]["id"].removeprefix("chatcmpl-")


async def test_leaving_cancels_all(serving: Serving, eventually: Eventually) -> None:
    """One client, however many jobs: none of them goes on for nobody."""
    async with serving() as served:
        posting = asyncio.create_task(served.http.post(CHAT, json=TWO | {"stream": True}))
        jobs = [await served.hand.claim(), await served.hand.claim()]
        await served.hand.say(jobs[0], served.hand.started(jobs[0]), *tokens("a"))

        posting.cancel()

        for job in jobs:
            await eventually(lambda job=job: served.hand.is_given_up(job), within=2)
            await served.hand.end(job, Cancelled(reason="unheard"))


async def test_one_that_fails_fails_the_stream(serving: Serving, eventually: Eventually) -> None:
    """An error event, no end, a cut; and the other job is given up."""
    async with serving() as served:
        reading = asyncio.create_task(read_to_the_cut(served, CHAT, TWO | {"stream": True}))
        good, bad = await served.hand.claim(), await served.hand.claim()
        await served.hand.say(good, served.hand.started(good), *tokens("a"))
        await served.hand.end(bad, served.hand.started(bad), *tokens("b"), Error(code="engine_failed", message="no"))
        body, is_clean = await reading

        assert not is_clean
        assert "[DONE]" not in body
        assert json.loads(body.split("data: ")[-1])["error"]["code"] == "engine_failed"
        await eventually(lambda: served.hand.is_given_up(good), within=2)
        await served.hand.end(good, Cancelled(reason="unheard"))


@pytest.mark.parametrize("stream", [True, False])
async def test_what_the_first_finds_at_once_is_a_status(serving: Serving, eventually: Eventually, stream: bool) -> None:
    """An error before any text is no 200, and the others are given up."""
    async with serving() as served, openai_on(served) as client:
        ask = client.chat.completions.create
        asking = asyncio.ensure_future(ask(model="tiny", messages=ASK, n=2, seed=7, stream=stream))
        first, other = await served.hand.claim(), await served.hand.claim()
        await served.hand.end(first, Error(code="engine_failed", message="no"))

        with pytest.raises(APIError) as raised:
            await asking

        assert isinstance(raised.value, InternalServerError)
        await eventually(lambda: served.hand.is_given_up(other), within=2)
        await served.hand.end(other, Cancelled(reason="unheard"))


async def test_all_are_accepted_or_none(serving: Serving) -> None:
    """A queue with room for one takes neither of two."""
    async with serving() as served:
        await write_limits(served.hand.broker, MODEL, {"waiting": 1})

        answer = await served.http.post(CHAT, json=TWO)

        assert refusal(answer) == (429, "queue_full", None)
        assert (await served.hand.queue.survey()).waiting_total == 0


async def test_prompts_and_answers_are_told_apart_by_index(serving: Serving) -> None:
    """Answer k of prompt p is choice p × n + k, behind its prompt where that was asked for."""
    async with serving() as served:
        body = {"model": "tiny", "prompt": ["one", "two"], "n": 2, "echo": True, "seed": 1}
        posting = asyncio.create_task(served.http.post(TEXT, json=body))
        for _ in range(4):
            job = await served.hand.claim()
            ask = json.loads(job.body)
            await served.hand.end(job, served.hand.started(job), *tokens(f"-{ask['prompt']}-{ask['seed']}"), STOP)
        told = (await posting).json()

        assert [(each["index"], each["text"]) for each in told["choices"]] == [
            (0, "one-one-1"),
            (1, "one-one-2"),
            (2, "two-two-1"),
            (3, "two-two-2"),
        ]
        assert (told["usage"]["prompt_tokens"], told["usage"]["completion_tokens"]) == (10, 8)
