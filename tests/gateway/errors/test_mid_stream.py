"""What goes wrong behind the 200: the same error as the last event, on a stream that does not look like a whole one."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple

import httpx
import pytest

from shared.claims import Claimed
from shared.event import AnyEvent, Cancelled, Error
from tests.gateway.conftest import Serving
from tests.gateway.hand import Hand, Served, tokens

from .apis import ANTHROPIC, CHAT, HEADERS, OPENAI_CHAT, OPENAI_TEXT, RESPONSES, Api, Told, told_in
from .row import ROWS, check_words


class Stream(NamedTuple):
    """An API's stream: how it is asked for, and how its last event is read."""

    api: Api
    last: Callable[[str], Told]
    ends_cleanly: bool = False  # where the last event can't be taken for anything else than a failure
    accept: str = "*/*"
    fields: Mapping[str, Any] = {}
    jobs: int = 1


def last_line(body: str) -> Told:
    """Of NDJSON."""
    event = json.loads(body.splitlines()[-1])
    assert event["status"] == "error"
    return told_in(event["error"])


def last_block(body: str) -> tuple[str, dict[str, Any]]:
    """Of server-sent events: the last one's name, and its object."""
    *_, block, rest = body.split("\n\n")
    assert rest == ""
    fields = dict(line.split(": ", 1) for line in block.split("\n"))
    return fields.get("event", ""), json.loads(fields["data"])


def last_of_chat(body: str) -> Told:
    """Without a name or an id: it is in no log, or the log's end."""
    name, event = last_block(body)
    assert (name, event["status"]) == ("", "error")
    return told_in(event["error"])


def last_of_openai(body: str) -> Told:
    """The envelope itself; `[DONE]` would say that all is well."""
    name, event = last_block(body)
    assert (name, set(event)) == ("", {"error"})
    assert "[DONE]" not in body
    return told_in(event["error"])


def last_of_anthropic(body: str) -> Told:
    """The envelope itself, under the name `error`; no `message_stop`."""
    name, event = last_block(body)
    assert name == "error"
    assert "message_stop" not in body
    return ANTHROPIC.told(event)


def last_of_responses(body: str) -> Told:
    """The failed response; what only this gateway met is an event of its own, and leaves the response as it is."""
    name, event = last_block(body)
    assert name == event["type"]
    if name == "response.failed":
        assert event["response"]["status"] in ("failed", "cancelled")
        return told_in(event["response"]["error"])
    assert name == "error"
    assert {key: event[key] for key in ("code", "message", "param")}.items() <= event["error"].items()
    return told_in(event["error"])


STREAMS = [
    Stream(CHAT, last_line, ends_cleanly=True),
    Stream(CHAT, last_of_chat, accept="text/event-stream"),
    Stream(OPENAI_CHAT, last_of_openai),
    Stream(OPENAI_CHAT, last_of_openai, fields={"n": 2}, jobs=2),
    Stream(OPENAI_TEXT, last_of_openai),
    Stream(ANTHROPIC, last_of_anthropic),
    Stream(RESPONSES, last_of_responses),
]


class Read(NamedTuple):
    """What came of a stream."""

    body: str
    is_clean: bool


async def read(served: Served, stream: Stream, has_begun: asyncio.Event | None = None) -> Read:
    """Read a stream to its end, or to where it is cut; tell when its text has begun."""
    api, received = stream.api, list[str]()
    given = {**api.ask, **stream.fields, "stream": True}
    headers = HEADERS | {"accept": stream.accept}
    try:
        async with served.http.stream("POST", api.path, json=given, headers=headers) as answer:
            assert answer.status_code == 200
            async for text in answer.aiter_text():
                received.append(text)
                if has_begun and "half" in "".join(received):
                    has_begun.set()
    except httpx.RemoteProtocolError:
        return Read("".join(received), is_clean=False)
    return Read("".join(received), is_clean=True)


async def begun(hand: Hand) -> Claimed:
    """Take the next job, and say something."""
    job = await hand.claim()
    await hand.say(job, hand.started(job), *tokens("half"))
    return job


def check_last(stream: Stream, body: str, code: str) -> None:
    """See that a stream's last event is this error."""
    row, told = ROWS[code], stream.last(body)
    assert "half" in body
    if stream.api.is_anthropic:
        assert told.type == row.anthropic_type
    else:
        assert (told.type, told.code) == (row.type, code)
    check_words(told.message)


ENDS: list[tuple[AnyEvent, str]] = [
    *((Error(code=code, message="No."), code) for code in ("engine_failed", "poisoned", "deadline_exceeded")),
    *((Error(code=code, message="No."), code) for code in ("does_not_fit", "invalid_value", "internal")),
    *((Error(code=code, message="No."), code) for code in ("stream_lost", "stream_diverged")),
    (Cancelled(), "job_cancelled"),
]


@pytest.mark.parametrize(("end", "code"), ENDS, ids=[code for _, code in ENDS])
async def test_a_job_that_fails_ends_its_stream_in_an_error(serving: Serving, end: AnyEvent, code: str) -> None:
    """Cut off wherever a clean end would look like success; `/chat` knows a cancelled answer, and tells it as one."""
    streams = [stream for stream in STREAMS if code != "job_cancelled" or stream.api is not CHAT]
    async with serving() as served:
        for stream in streams:
            reading = asyncio.create_task(read(served, stream))
            jobs = [await begun(served.hand) for _ in range(stream.jobs)]
            if isinstance(end, Cancelled):
                await served.http.delete(f"/chat/{jobs[0].id}")
            await served.hand.end(jobs[0], end)
            came = await reading

            check_last(stream, came.body, code)
            assert came.is_clean is (stream.ends_cleanly or stream.api is RESPONSES)


async def lose(served: Served, job: Claimed) -> None:
    """Have Redis forget a job."""
    await served.hand.broker.command("DEL", served.hand.queue.keys.job(job.id), served.hand.queue.keys.log(job.id))


async def garble(served: Served, job: Claimed) -> None:
    """Log what is no event."""
    keys = served.hand.queue.keys
    await served.hand.broker.command("XADD", keys.log(job.id), f"3-{job.attempt}", "e", "{")
    await served.hand.broker.command("HSET", keys.job(job.id), "seq", 3)


async def stop(served: Served, _: Claimed) -> None:
    """End the gateway, which gives streams no time here."""
    served.drain.begin()


Cause = Callable[[Served, Claimed], Coroutine[None, None, None]]


@pytest.mark.parametrize(("cause", "code"), [(lose, "stream_lost"), (garble, "internal"), (stop, "draining")])
async def test_what_the_gateway_meets_ends_all_streams_alike(serving: Serving, cause: Cause, code: str) -> None:
    """Each is told so in its API's words, and cut; all at once, since it takes a while to be sure of it."""
    async with serving() as served:
        in_midst = [asyncio.Event() for _ in STREAMS]
        reading = [asyncio.create_task(read(served, *each)) for each in zip(STREAMS, in_midst, strict=True)]
        jobs = [await begun(served.hand) for stream in STREAMS for _ in range(stream.jobs)]
        await asyncio.gather(*(each.wait() for each in in_midst))
        for job in jobs:
            await cause(served, job)

        for stream, came in zip(STREAMS, await asyncio.gather(*reading), strict=True):
            check_last(stream, came.body, code)
            assert came.is_clean is stream.ends_cleanly


async def test_bare_text_can_only_be_cut_off(serving: Serving) -> None:
    """An error in it would read as the model's words."""
    async with serving() as served:
        reading = asyncio.create_task(read(served, Stream(CHAT, last_line, accept="text/plain")))
        await served.hand.end(await begun(served.hand), Error(code="engine_failed", message="No."))

        assert await reading == Read("half", is_clean=False)
