"""An event's number is a function of the log: at any gateway, live or replayed, from any place."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from shared.claims import Claimed
from shared.event import AnyEvent, Done, Token, ToolCall, Usage
from tests.gateway.conftest import Eventually, Serving
from tests.gateway.hand import Hand, Served, tokens
from tests.gateway.openai.sdk import STOP

CALL = ToolCall(0, "call0", "f", "{}")
CUT = Done(reason="length", usage=Usage(prompt_tokens=3, completion_tokens=2))
SAID: list[AnyEvent] = [
    Token(reasoning="흠", tokens=[1]),
    Token(tokens=[2]),  # held back: its text comes later
    Token(reasoning=".", content="먼저 \u2028", tokens=[3, 4]),
    Token(content="\x00\x1b[2J<b>\n\n", tokens=[5]),
    Token(tool_calls=[CALL], tokens=[6]),
    Token(content="그리고", warning="hm", tokens=[7]),
]


def events_of(body: str) -> list[tuple[int, str]]:
    """The events of a stream, each by its number."""
    blocks = [block.split("\n") for block in body.split("\n\n") if block and not block.startswith(":")]
    told = [(name.removeprefix("event: "), json.loads(data.removeprefix("data: ")), data) for name, data in blocks]
    assert all(name == event["type"] for name, event, _ in told)
    return [(event["sequence_number"], data) for _, event, data in told]


async def replay(at: Served, response_id: str, **params: int) -> str:
    """A response's events, asked for again."""
    told = await at.http.get(f"/v1/responses/{response_id}", params={"stream": "true", **params})
    assert told.status_code == 200, told.text
    return told.text


async def begin(at: Served, hand: Hand, body: dict[str, Any]) -> tuple[asyncio.Task[httpx.Response], Claimed]:
    """Ask for a stream, whose job a worker has then."""
    asking = asyncio.create_task(at.http.post("/v1/responses", json=body | {"stream": True}))
    return asking, await hand.claim()


@pytest.mark.parametrize("end", [STOP, CUT], ids=["whole", "cut"])
@pytest.mark.parametrize("is_background", [False, True], ids=["attended", "background"])
async def test_replays_are_the_live_stream_byte_for_byte(
    serving: Serving, *, end: AnyEvent, is_background: bool
) -> None:
    """At two gateways, while the job runs and afterwards, whole and from every number; taken over in its midst."""
    async with serving() as one, serving(has_worker=False) as other:
        live, job = await begin(one, one.hand, {"input": "x", "background": is_background})
        watching = [asyncio.create_task(replay(at, f"resp_{job.id}")) for at in (one, other)]
        await one.hand.say(job, one.hand.started(job), *SAID[:3])
        await one.hand.say_unheard(job, *SAID[3:5])  # the channel lost them: they come out of the log
        await one.hand.claims.release(job.id, job.attempt)
        job = await one.hand.claim()
        await one.hand.end(job, one.hand.started(job), SAID[5], end)

        whole = events_of((await live).text)

        assert [number for number, _ in whole] == list(range(len(whole)))
        assert [events_of(await each) for each in watching] == [whole, whole]
        for at in (one, other):
            for number in range(-1, len(whole)):
                params = {} if number < 0 else {"starting_after": number}
                assert events_of(await replay(at, f"resp_{job.id}", **params)) == whole[number + 1 :]


async def test_a_stream_ends_with_the_whole_response(serving: Serving) -> None:
    """What GET tells afterwards, at another gateway, is what the last event told."""
    async with serving() as one, serving(has_worker=False) as other:
        live, job = await begin(one, one.hand, {"input": "x", "metadata": {"a": "b"}})
        await one.hand.end(job, one.hand.started(job), *SAID, STOP)

        _, last = events_of((await live).text)[-1]
        told = await other.http.get(f"/v1/responses/resp_{job.id}")

        assert json.loads(last.removeprefix("data: "))["response"] == told.json()
        assert told.json()["warnings"] == ["hm"]


async def lose_tail(hand: Hand, job: Claimed, keep: int) -> None:
    """Make Redis forget a job's events behind `keep`, as a crash that tore the AOF does."""
    entries, keys = await hand.queue.read_log(job.id), hand.queue.keys
    await hand.broker.command("DEL", keys.log(job.id))
    for entry in entries[:keep]:
        await hand.broker.command("XADD", keys.log(job.id), f"{entry.seq}-{entry.attempt}", "e", entry.data)
    await hand.broker.command("PEXPIRE", keys.log(job.id), 600_000)
    await hand.broker.command("HSET", keys.job(job.id), "seq", keep)
    hand.forget(job, keep)


async def test_a_lost_tail_that_is_written_alike_goes_on(serving: Serving, eventually: Eventually) -> None:
    """The worker that still has it sends it again; the numbers behind it are those of a replay."""
    async with serving() as served:
        live, job = await begin(served, served.hand, {"input": "x"})
        await served.hand.say(job, served.hand.started(job), *tokens("a", "b", "c"))
        await eventually(lambda: relayed(served, 4))
        await lose_tail(served.hand, job, 2)
        await served.hand.claims.release(job.id, job.attempt)
        job = await served.hand.claim()
        await served.hand.end(job, *tokens("b", "c", "d", first=2), STOP)

        assert events_of((await live).text) == events_of(await replay(served, f"resp_{job.id}"))


async def test_a_lost_tail_that_is_cut_otherwise_ends_the_stream(serving: Serving, eventually: Eventually) -> None:
    """The text is the same, the numbers are not: the client is told, and not given a wrong place."""
    async with serving() as served:
        live, job = await begin(served, served.hand, {"input": "x"})
        await served.hand.say(job, served.hand.started(job), *tokens("a", "b", "c"))
        await eventually(lambda: relayed(served, 4))
        await lose_tail(served.hand, job, 2)
        await served.hand.claims.release(job.id, job.attempt)
        job = await served.hand.claim()
        await served.hand.end(job, Token(content="bc", tokens=[2, 3]), *tokens("d", first=4), STOP)

        with pytest.raises(httpx.RemoteProtocolError):
            await live
        whole = await served.http.get(f"/v1/responses/resp_{job.id}")
        assert whole.json()["output"][0]["content"][0]["text"] == "abcd"


async def relayed(served: Served, events: int) -> bool:
    """Whether the gateway has passed on so many events."""
    return f"mlx_pool_gateway_events_total {events}.0" in (await served.http.get("/metrics")).text
