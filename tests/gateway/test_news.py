"""News of the queue: what a client is told while its job waits."""

import asyncio
import json
from functools import partial
from typing import Any

from gateway.frames import queued_comment, queued_fields
from gateway.news import queued_at
from shared.event import Queued
from shared.standing import Place
from shared.survey import Survey, WorkerView
from shared.waits import Waited

from .conftest import Eventually, Serving
from .hand import MODEL, Served, events_of, sse_of, tokens

PROMPT = {"prompt": "x"}
ASKED = "?queued=true"


async def keep_busy(served: Served, jobs: int) -> None:
    """Let so many jobs stand before the next one, and none of the worker's slots be free."""
    for _ in range(4):
        await served.http.post("/chat", json=PROMPT | {"background": True, "stream": False})
        await served.hand.claim()
    async with asyncio.timeout(5):
        while (await served.http.get("/pool")).json()["models"][0]["free_slots"]:  # noqa: ASYNC110 it gives no signal
            await asyncio.sleep(0.02)
    for _ in range(jobs):
        await served.http.post("/chat", json=PROMPT | {"background": True, "stream": False})


async def test_a_client_that_asks_is_told_how_many_are_before_it(serving: Serving) -> None:
    """At once, again when it has changed, and no more when the job runs; the numbering begins with its events."""
    async with serving() as served:
        await keep_busy(served, 2)
        async with served.follow(PROMPT, path=f"/chat{ASKED}") as client:
            assert await client.until(1, within_s=1) == [{"status": "queued", "waiting": 2}]

            await served.hand.generate()
            assert (await client.until(2))[1]["waiting"] == 1

            await served.hand.generate()
            await served.hand.generate("a")
            told = await client.end()

        rest = [event["status"] for event in told if event["status"] != "queued"]
        assert rest == ["started", "token", "done"]
        assert [event["seq"] for event in told[-3:]] == [1, 2, 3]
        assert all("seq" not in event for event in told[:-3])


async def test_who_did_not_ask_is_told_nothing(serving: Serving) -> None:
    """Its stream holds the job's events only, though it waits no less."""
    async with serving() as served:
        await keep_busy(served, 0)
        posting = asyncio.create_task(served.http.post("/chat", json=PROMPT))
        async with served.follow(PROMPT, path=f"/chat{ASKED}") as other:
            await other.until(1)
            await served.hand.generate("a")
            await served.hand.generate("a")
            told = {event["status"] for event in await other.end()}

        assert [event["status"] for event in events_of((await posting).text)] == ["started", "token", "done"]
        assert told == {"queued", "started", "token", "done"}


async def test_a_job_that_is_taken_at_once_is_told_nothing_of(serving: Serving) -> None:
    """There is nothing to tell of a queue in which nobody waits."""
    async with serving() as served:
        posting = asyncio.create_task(served.http.post(f"/chat{ASKED}", json=PROMPT))
        await served.hand.generate("a")

        assert [event["status"] for event in events_of((await posting).text)] == ["started", "token", "done"]


async def test_the_news_begins_the_answer(serving: Serving) -> None:
    """Who asked has the headers as soon as there is something to tell, not after ten seconds."""
    async with serving() as served:
        await keep_busy(served, 0)
        async with asyncio.timeout(2), served.http.stream("POST", f"/chat{ASKED}", json=PROMPT) as answer:
            assert answer.status_code == 200
            assert json.loads(await anext(answer.aiter_lines()))["status"] == "queued"


async def test_news_is_no_place_to_resume_from(serving: Serving) -> None:
    """As a server-sent event it has no id: a client that reconnects then gets all of the stream."""
    async with serving() as served:
        await keep_busy(served, 0)
        text = await told_then_run(served, "/chat", {"accept": "text/event-stream"})

        (place, news), (first, started) = sse_of(text)[:2]
        assert (place, news) == ("", {"status": "queued", "waiting": 0})
        assert (first, started["status"]) == ("1-0-00000000", "started")


async def test_openais_stream_has_it_as_a_comment(serving: Serving) -> None:
    """Whatever reads that API skips what it does not know, and people see it in the raw stream."""
    async with serving() as served:
        await keep_busy(served, 1)
        body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "stream": True}
        text = await told_then_run(served, "/v1/chat/completions", body=body, jobs=2)

        assert text.startswith(": queued waiting=1\n\n")
        assert text.endswith("data: [DONE]\n\n")
        assert all(line.startswith((":", "data: ")) for line in text.split("\n") if line)


async def test_while_the_model_is_loaded_a_client_is_told_how_far(serving: Serving, eventually: Eventually) -> None:
    """No worker has it ready, so nobody knows how long it takes; once one has, the loading is told of no more."""
    async with serving() as served:
        served.hand.tells = {"state": "loading", "slots": 0, "progress": 0.256}
        await eventually(partial(is_seen, served, loading=0.256))
        async with served.follow(PROMPT, path=f"/chat{ASKED}") as client:
            assert await client.until(1, within_s=2) == [{"status": "queued", "waiting": 0, "loading": 0.26}]

            served.hand.tells = {"slots": 1, "busy": 1, "job_seconds": 3.0}
            assert (await client.until(2))[1] == {"status": "queued", "waiting": 0, "expected_wait_ms": 3_000}
            await served.hand.generate("a")
            await client.end()


async def is_seen(served: Served, *, loading: float | None) -> bool:
    """Whether the gateway knows of the loading."""
    return (await served.http.get("/pool")).json()["models"][0]["loading"] == loading


def test_what_is_told_goes_by_class_and_size() -> None:
    """What the like of it waited where that was measured, to a tenth of a second; else the pool's pace."""
    busy = WorkerView("w", state="ready", lease_ends_in_ms=1_000, slots=1, busy=1, job_seconds=2.0)
    survey = Survey("m", 0, {"std": 9}, 1, 0, [busy], 0, {"std.x": Waited(4, 120_000, 40)})

    told = [queued_at(Place(name, 9), survey, tokens) for name, tokens in (("std", 20_000), ("hi", 20_000))]

    assert [each.expected_wait_ms for each in told] == [30_000, 20_000]
    assert queued_at(Place("std", 0), survey, None) == Queued(waiting=0, expected_wait_ms=12_000)


def test_a_loading_of_nothing_yet_is_told() -> None:
    """A nought is no absence, in JSON and in a comment alike."""
    queued = Queued(waiting=3, loading=0.0)

    assert queued_fields(queued) == {"status": "queued", "waiting": 3, "loading": 0.0}
    assert queued_comment(queued) == b": queued waiting=3 loading=0.0\n\n"


async def test_several_answers_are_told_of_by_the_first(serving: Serving) -> None:
    """It is the one that begins next."""
    async with serving() as served:
        await keep_busy(served, 0)
        body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "stream": True, "n": 2}
        text = await told_then_run(served, "/v1/chat/completions", body=body, jobs=2)

        assert [line for line in text.split("\n") if "queued" in line] == [": queued waiting=0"]


async def test_anthropics_stream_has_a_sign_of_life(serving: Serving) -> None:
    """That API has no word for it, and no event may come before the message's start."""
    async with serving() as served:
        await keep_busy(served, 0)
        body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "stream": True, "max_tokens": 9}
        text = await told_then_run(served, "/v1/messages", body=body)

        assert text.startswith(": keep-alive\n\nevent: message_start\n")


async def test_a_job_given_back_in_mid_stream_is_told_of_again(serving: Serving) -> None:
    """Its client sees why nothing comes, and then the rest."""
    async with serving() as served:
        await keep_busy(served, 0)
        async with served.follow(PROMPT, path=f"/chat{ASKED}") as client:
            await client.until(1)
            job = await served.hand.claim()
            await served.hand.say(job, served.hand.started(job), *tokens("a"))
            await client.until(3)

            await served.hand.claims.release(job.id, job.attempt)

            assert (await client.until(4))[3] == {"status": "queued", "waiting": 0}
            await served.hand.generate("b")
            await client.end()

        assert [event["status"] for event in client.events[4:]] == ["started", "token", "done"]


async def told_then_run(
    served: Served,
    path: str,
    headers: dict[str, str] | None = None,
    *,
    body: dict[str, Any] | None = None,
    jobs: int = 1,
) -> str:
    """What a client gets whose job waits first, until it was told so, and is run then."""
    text = ""
    async with served.http.stream("POST", f"{path}{ASKED}", json=body or PROMPT, headers=headers or {}) as answer:
        chunks = answer.aiter_text()
        text += await anext(chunks)
        for _ in range(jobs):
            await served.hand.generate("a")
        async for chunk in chunks:
            text += chunk
    return text
