"""Redis away: refused quickly, healed by itself, nothing lost."""

import asyncio
from typing import Any, Protocol

import httpx
import pytest

from .conftest import Eventually, Serving
from .hand import DONE, Served, refusal, tokens

PROMPT = {"prompt": "x"}


class Own(Protocol):
    """A broker of the test's own."""

    url: str

    def start(self) -> None:
        """Start it on its data."""
        ...

    def kill(self) -> None:
        """Kill it by SIGKILL."""
        ...


ROUTES = [("POST", "/chat"), ("GET", "/chat/some-job-or-other"), ("GET", "/pool"), ("GET", "/health")]


async def code(served: Served, method: str, path: str) -> str:
    """The error code of a request, or "none"."""
    answer = await served.http.request(method, path, json=PROMPT if method == "POST" else None)
    if answer.status_code < 400:
        return "none"
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    return refusal(answer)[1]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_with_redis_away_requests_are_a_503(
    serving: Serving, own_broker: Own, eventually: Eventually, method: str, path: str
) -> None:
    """Clients are told within a second to come back, and served again as soon as Redis is."""

    async def has_code(wanted: str) -> bool:
        return await code(served, method, path) == wanted

    async with serving(url=own_broker.url) as served:
        own_broker.kill()
        await eventually(lambda: has_code("broker_down"), within=1)
        assert (await served.http.get("/health/live")).status_code == 200

        own_broker.start()
        await eventually(lambda: is_healthy(served))


async def is_healthy(served: Served) -> bool:
    """Whether a token would come."""
    return (await served.http.get("/health")).status_code == 200


async def test_a_stream_outlives_a_restart_of_redis(
    serving: Serving, durable_broker: Own, eventually: Eventually
) -> None:
    """A client in mid-stream waits through a crash of Redis and gets its whole text."""
    async with serving(url=durable_broker.url) as served, served.follow(PROMPT) as client:
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job), *tokens("a"))
        await client.until(2)

        durable_broker.kill()
        durable_broker.start()
        await eventually(lambda: is_healthy(served))
        await served.hand.end(job, *tokens("b", first=2), DONE)

        events = await client.end()
    assert [event["seq"] for event in events] == [1, 2, 3, 4]
    assert "".join(event.get("content", "") for event in events) == "ab"


async def test_without_a_worker_only_what_may_wait_is_taken(serving: Serving, eventually: Eventually) -> None:
    """A pool without workers says so to who is waiting, and keeps the work of who is not."""
    async with serving(has_worker=False) as served:
        await served.hand.join()
        await served.hand.claims.leave()
        background = PROMPT | {"background": True, "stream": False}

        assert (await served.http.post("/chat", json=background)).status_code == 202
        assert (await served.http.post("/chat", json=background | {"class": "lo"})).status_code == 202

        async def is_told() -> bool:
            return await code(served, "GET", "/health") == "no_worker"

        await eventually(is_told, within=1)


async def test_a_deadline_holds_without_any_worker(serving: Serving) -> None:
    """A job that nobody takes ends when it said it would, in a 504."""
    async with serving(has_worker=False) as served:
        await served.hand.join()
        await served.hand.claims.leave()

        answer = await served.http.post("/chat", json=PROMPT | {"timeout_ms": 200})

        assert refusal(answer) == (504, "deadline_exceeded", None)


@pytest.mark.long
async def test_an_interactive_request_is_refused_after_ten_seconds_without_a_worker(serving: Serving) -> None:
    """A rolling restart is no outage; half a minute without anybody is."""
    async with serving(has_worker=False) as served:
        await served.hand.join()
        await served.hand.claims.leave()
        patient = PROMPT | {"timeout_ms": 9_000}

        early, late = await asyncio.gather(served.http.post("/chat", json=patient), after(11, served, patient))

        assert refusal(early)[1] == "deadline_exceeded"
        assert refusal(late) == (503, "no_worker", None)
        assert int(late.headers["retry-after"]) >= 5


async def after(seconds: float, served: Served, body: dict[str, Any]) -> httpx.Response:
    """Ask after a while; nothing tells of the time passing but the time."""
    await asyncio.sleep(seconds)
    return await served.http.post("/chat", json=body)
