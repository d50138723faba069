"""A worker in the test's hand, and reading what clients get."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Self

import httpx
import msgspec

from gateway.drain import Drain
from shared.claims import Claimed, Claims, Ending, LeaseLost, Row
from shared.connection import Broker, connect
from shared.errors import Fault
from shared.event import AnyEvent, Cancelled, Done, Error, Started, Token, Usage, encode_event
from shared.queue import Queue
from tests.claiming import claim

MODEL = "tiny"
ENDINGS: dict[type, Ending] = {Done: "done", Error: "error", Cancelled: "cancelled"}
DONE = Done(reason="stop", usage=Usage(prompt_tokens=3, completion_tokens=2))


class Hand:
    """A worker whose every step the test takes: it claims, says events, ends jobs; messages may be lost on the way."""

    def __init__(self, broker: Broker, model: str = MODEL, name: str = "host.1.aaaa") -> None:
        self.name = name
        self.broker = broker
        self.queue = Queue(broker, model)
        self.claims = Claims(broker, model, name, host=name.partition(".")[0])
        self.tells: dict[str, str | int | float] = {}  # of itself, besides or instead of what every hand does
        self._said: dict[str, int] = {}

    async def join(self) -> None:
        """Begin the lease."""
        await self.claims.register("weights", self._fields())

    async def beat(self) -> None:
        """Keep the lease, for ever; with Redis away try again, and begin anew when it was lost."""
        while True:
            with contextlib.suppress(Fault):
                try:
                    await self.claims.beat(self._fields())
                except LeaseLost:
                    await self.join()
            await asyncio.sleep(0.3)

    def _fields(self) -> dict[str, str | int | float]:
        return {"model": self.queue.model, "slots": 4, "busy": len(self._said), "state": "ready"} | self.tells

    async def claim(self) -> Claimed:
        """Take the next job, as soon as there is one."""
        async with asyncio.timeout(5):
            while not (claimed := await claim(self.claims)):  # noqa: ASYNC110 Redis has no event
                await asyncio.sleep(0.005)
        self._said[claimed[0].id] = claimed[0].seq
        return claimed[0]

    async def say(self, job: Claimed, *events: AnyEvent) -> None:
        """Log and publish events."""
        verdicts = await self.claims.append([self._row(job, events)])
        assert [verdict.verdict for verdict in verdicts] == ["ok"]

    async def say_unheard(self, job: Claimed, *events: AnyEvent) -> None:
        """Log events whose messages are lost on the way."""
        row, keys = self._row(job, events), self.queue.keys
        for seq, data in enumerate(row.events, row.first_seq):
            await self.broker.command("XADD", keys.log(job.id), f"{seq}-{job.attempt}", "e", data)
        await self.broker.command("HSET", keys.job(job.id), "seq", self._said[job.id])
        await self.broker.command("PEXPIRE", keys.log(job.id), 600_000)

    async def is_given_up(self, job: Claimed) -> bool:
        """Whether the worker that runs the job is asked to stop, since nobody listens."""
        [verdict] = await self.claims.append([Row(job.id, job.attempt, 1, [])])
        assert verdict.asked in {"", "unheard"}
        return verdict.asked == "unheard"

    def forget(self, job: Claimed, seq: int) -> None:
        """Go on numbering behind `seq`, as who sends again what was lost."""
        self._said[job.id] = seq

    async def end(self, job: Claimed, *events: AnyEvent) -> None:
        """Say the last events, the terminal one too, and let the job go."""
        outcome = await self.claims.finish(self._row(job, events), ENDINGS[type(events[-1])])
        assert outcome == ("ok", self._said.pop(job.id))

    async def generate(self, *texts: str) -> Claimed:
        """Run the next job whole: an id a text."""
        job = await self.claim()
        await self.end(job, self.started(job), *tokens(*texts), DONE)
        return job

    def started(self, job: Claimed) -> Started:
        """The first event of an attempt."""
        return Started(worker=self.name, attempt=job.attempt, seed=1, prompt_tokens=3, prompt_hash="x")

    def _row(self, job: Claimed, events: Sequence[AnyEvent]) -> Row:
        first = self._said[job.id] + 1
        self._said[job.id] += len(events)
        numbered = [msgspec.structs.replace(event, seq=seq) for seq, event in enumerate(events, first)]
        return Row(job.id, job.attempt, first, [encode_event(event) for event in numbered])


@contextlib.asynccontextmanager
async def at_work(url: str, *, has_lease: bool = True) -> AsyncGenerator[Hand]:
    """A worker that keeps its lease for the length of a block."""
    hand = Hand(connect(url, name="hand"))
    async with contextlib.aclosing(hand.broker), asyncio.TaskGroup() as tasks:
        if not has_lease:
            yield hand
            return
        await hand.join()
        beating = tasks.create_task(hand.beat())
        yield hand
        beating.cancel()


class Following:
    """A client that reads a stream while the test goes on; leaving its block hangs up."""

    def __init__(self, streaming: AbstractAsyncContextManager[httpx.Response]) -> None:
        self.events: list[dict[str, Any]] = []
        self._streaming = streaming
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        await asyncio.wait([self._reading])

    async def _read(self) -> None:
        async with self._streaming as answer:
            async for line in answer.aiter_lines():
                self.events.append(json.loads(line))
                self._news.set()

    async def until(self, count: int, *, within_s: float = 10) -> list[dict[str, Any]]:
        """Wait for so many events in all."""
        async with asyncio.timeout(within_s):
            while len(self.events) < count:
                self._news.clear()
                await self._news.wait()
        return self.events

    async def end(self) -> list[dict[str, Any]]:
        """Wait for the stream's end."""
        await asyncio.wait_for(asyncio.shield(self._reading), 10)
        return self.events


class Served:
    """A gateway that serves, a client of it, and a worker in the test's hand."""

    def __init__(self, http: httpx.AsyncClient, port: int, hand: Hand, drain: Drain) -> None:
        self.http = http
        self.port = port
        self.hand = hand
        self.drain = drain

    def follow(self, body: dict[str, Any], *, path: str = "/chat", **headers: str) -> Following:
        """Submit a job and follow it."""
        return Following(self.http.stream("POST", path, json=body, headers=headers))

    def rejoin(self, job_id: str, **params: str | int) -> Following:
        """Follow a job again."""
        return Following(self.http.stream("GET", f"/chat/{job_id}", params=params))

    async def run(self, body: dict[str, Any], *texts: str, accept: str = "*/*") -> httpx.Response:
        """Run a job to its end."""
        posting = self.http.post("/chat", json=body, headers={"accept": accept})
        answer, _ = await asyncio.gather(posting, self.hand.generate(*texts))
        return answer


def tokens(*texts: str, first: int = 1) -> list[Token]:
    """Token events, one id each, from `first` on."""
    return [Token(content=text, tokens=[number]) for number, text in enumerate(texts, first)]


def events_of(body: str) -> list[dict[str, Any]]:
    """The events of an NDJSON body."""
    return [json.loads(line) for line in body.split("\n") if line]


def text_in(body: str) -> str:
    """The text of an NDJSON body."""
    return "".join(event.get("content", "") for event in events_of(body))


def sse_of(body: str) -> list[tuple[str, dict[str, Any]]]:
    """The (id, event) pairs of a server-sent body, comments left out."""
    blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in body.split("\n\n") if block]
    return [(block.get("id", ""), json.loads(block["data"])) for block in blocks if "data" in block]


def refusal(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and param of an answer that must be the envelope."""
    error = json.loads(answer.content)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    return answer.status_code, error["code"], error["param"]
