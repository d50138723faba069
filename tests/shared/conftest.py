"""A queue on a real server, seen from all sides: producers, workers, reapers, and whoever looks into Redis itself.

Time is not waited for but moved: a lease, a deadline or the reapers' clock is set back in Redis.
"""

import itertools
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import pytest
from redis.asyncio.connection import AbstractConnection

from shared.claims import Claimed, Claims, Row
from shared.connection import connect
from shared.event import AnyEvent, Done, Started, Token, decode_event, encode_event
from shared.queue import Queue, Reaped, Submission, Submitted
from tests.claiming import claim

BODY = b'{"prompt":"hello"}'
HOUR_MS = 3_600_000


def token(seq: int) -> bytes:
    """A token event; its one id is its seq, so a log tells what it holds."""
    return encode_event(Token(seq=seq, content=f"t{seq} ", tokens=[seq]))


def started(seq: int, attempt: int) -> bytes:
    """The first event of an attempt."""
    return encode_event(Started(seq=seq, worker="w", attempt=attempt, seed=1, prompt_tokens=1, prompt_hash="p"))


def done(seq: int) -> bytes:
    """The event that ends a job well."""
    return encode_event(Done(seq=seq, reason="stop", usage={"prompt_tokens": 1, "completion_tokens": 1}))  # pyright: ignore[reportArgumentType] encoded alike


class Subscriber:
    """A bare connection that listens."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection

    async def say(self, *words: str) -> None:
        """Send a command and wait for its confirmation."""
        await self._connection.send_command(*words)
        await self._next()

    async def message(self) -> bytes:
        """The next message."""
        return (await self._next())[2]

    async def _next(self) -> Any:
        return await self._connection.read_response(disable_decoding=True)  # pyright: ignore[reportUnknownVariableType] redis-py's stubs


class Lab:
    """The queue of the model `m`; to be opened by `async with`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = connect(url, name="lab", timeout_ms=20_000)  # many calls at once take a busy machine long
        self.queue = Queue(self.client, "m")
        self.keys = self.queue.keys
        self.tick_key = f"{self.keys.prefix}:tick"
        self._names = itertools.count(1)
        self._turns = Counter[str]()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def redis(self, *words: str | bytes | float) -> Any:
        """Say something to Redis itself."""
        return await self.client.command(*words)

    @asynccontextmanager
    async def subscribed(self, channel: str) -> AsyncGenerator["Subscriber"]:
        """Listen to a channel as another process would, from a connection that knows nothing else."""
        connection = connect(self.url, name="subscriber", timeout_ms=None).new_connection()
        await connection.connect()
        subscriber = Subscriber(connection)
        await subscriber.say("SUBSCRIBE", channel)
        try:
            yield subscriber
        finally:
            await connection.disconnect()

    async def now_ms(self) -> int:
        """The server's clock."""
        seconds, micros = await self.redis("TIME")
        return int(seconds) * 1_000 + int(micros) // 1_000

    async def worker(self, host: str = "mac", *, fingerprint: str = "weights", state: str = "ready") -> Claims:
        """A registered worker with a name of its own."""
        name = f"{host}.1.w{next(self._names)}"
        claims = Claims(self.client, "m", name, host=host)
        await claims.register(fingerprint, {"state": state})
        return claims

    async def submit(self, *ids: str, body: bytes = BODY, timeout_ms: int = HOUR_MS, **how: Any) -> list[Submitted]:
        """Submit jobs with these ids and one body."""
        return await self.queue.submit([Submission(each, body, timeout_ms) for each in ids], **how)

    async def xadd(self, job_class: str = "std", /, **fields: str | bytes) -> str:
        """Put a job on the queue as any other service does; returns the default id."""
        pairs = [word for pair in fields.items() for word in pair]
        entry: bytes = await self.redis("XADD", self.keys.jobs(job_class), "*", *pairs)
        return f"{job_class}-{entry.decode()}"

    async def running(self, job_id: str, worker: Claims, *, tokens: int = 0) -> Claimed:
        """A job submitted and claimed by the worker, with `started` and so many token events logged."""
        await self.submit(job_id)
        claimed = await self.claim_one(worker)
        assert claimed.id == job_id
        if tokens:
            await worker.append([Row(job_id, 1, 1, [started(1, 1), *(token(n + 2) for n in range(tokens))])])
        return claimed

    async def claim(self, worker: Claims, free: int = 1, *, held: int = 0) -> list[Claimed]:
        """Take what came first, up to so many; an empty list for nothing."""
        claimed = await claim(worker, free, held=held, turn=self._turns[worker.worker_id])
        self._turns[worker.worker_id] += len(claimed)
        return claimed

    async def claim_one(self, worker: Claims) -> Claimed:
        """The one job that waits."""
        (claimed,) = await self.claim(worker)
        return claimed

    async def events(self, job_id: str) -> list[AnyEvent]:
        """A job's log, which always is whole: seq 1, 2, 3, … and no more than one end, at its end."""
        entries = await self.queue.read_log(job_id)
        events = [decode_event(entry.data) for entry in entries]
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert [event.seq for event in events if event] == [entry.seq for entry in entries]
        return [event for event in events if event]

    async def last(self, job_id: str) -> AnyEvent:
        """The last event of a job's log."""
        return (await self.events(job_id))[-1]

    async def record(self, job_id: str) -> dict[str, str]:
        """A job's record as Redis has it."""
        told: dict[bytes, bytes] = await self.redis("HGETALL", self.keys.job(job_id))
        return {name.decode(): value.decode() for name, value in told.items()}

    async def state(self, job_id: str) -> str:
        """Where a job is in its life: waiting, running or ended."""
        return (await self.record(job_id))["state"]

    async def waiting(self) -> dict[str, int]:
        """How many wait, by class, those without any left out."""
        return {name: n for name, n in (await self.queue.survey()).waiting.items() if n}

    async def consumers(self, job_class: str) -> list[str]:
        """Those to whom entries of a class were delivered, but for the window, which stays."""
        rows: list[list[Any]] = await self.redis("XINFO", "CONSUMERS", self.keys.jobs(job_class), "workers")
        names = [dict(zip(row[::2], row[1::2], strict=True))[b"name"].decode() for row in rows]
        return [name for name in names if name != "~win"]

    async def let_lease_end(self, worker: Claims) -> None:
        """Make a worker one that has not been heard of for longer than its lease."""
        await self.redis("ZADD", self.keys.workers, await self.now_ms() - 1, worker.worker_id)

    async def tick(self) -> Reaped:
        """A reaper's tick, one interval after the one before."""
        await self.redis("HSET", self.tick_key, "at", await self.now_ms() - 250)
        reaped = await self.queue.reap()
        assert reaped is not None
        return reaped

    async def bury(self, worker: Claims) -> Reaped:
        """Let a worker die, and the reapers see it."""
        await self.let_lease_end(worker)
        return await self.tick()

    async def let_deadline_pass(self, job_id: str, *, by_ms: int = 1) -> None:
        """Make a job late."""
        at = await self.now_ms() - by_ms
        await self.redis("HSET", self.keys.job(job_id), "deadline", at)
        await self.redis("ZADD", f"{self.keys.prefix}:deadlines", at, job_id)


Labs = Callable[[], Lab]


@pytest.fixture
def lab(broker: str) -> Labs:
    """Give what makes labs, each for one `async with` block."""
    return lambda: Lab(broker)
