"""What a run left in the broker, read when all is over: every log, every record, every dead letter."""

from collections.abc import AsyncIterator
from typing import Any

from .census import scan
from .history import Buried, Kept, Logged
from .log_event import read_event
from .pool import Pool

_PAGE = 1_000


async def gather(pool: Pool, *, at: float) -> AsyncIterator[Logged | Kept | Buried]:
    """Give it all as records."""
    async for key in scan(pool, pool.keys.log("*")):
        job = key.removeprefix(pool.keys.log(""))
        async for logged in _log(pool, job, at):
            yield logged
    async for key in scan(pool, pool.keys.job("*")):
        if (kept := await _record(pool, key.removeprefix(pool.keys.job("")), at)) is not None:
            yield kept
    for _, fields in await pool.redis.command("XRANGE", pool.keys.dead, "-", "+"):
        yield Buried(at=at, job=fields.get(b"id", b"").decode(), why=fields[b"why"].decode())


async def _log(pool: Pool, job: str, at: float) -> AsyncIterator[Logged]:
    last = "-"
    while True:
        rows: list[Any] = await pool.redis.command("XRANGE", pool.keys.log(job), last, "+", "COUNT", _PAGE)
        for entry_id, fields in rows:
            seq, _, attempt = entry_id.decode().partition("-")
            yield _logged(job, int(seq), int(attempt), fields[b"e"], at)
        if len(rows) < _PAGE:
            return
        last = f"({rows[-1][0].decode()}"


def _logged(job: str, seq: int, attempt: int, data: bytes, at: float) -> Logged:
    """Take the numbers from the entry's id, by which everybody reads the log; the event must agree."""
    event = read_event(data)
    usage = event.usage
    return Logged(
        at=at,
        job=job,
        seq=seq,
        attempt=attempt,
        status=event.status if event.seq == seq else f"{event.status} that calls itself {event.seq}",
        content=event.content,
        calls=event.calls,
        tokens=event.tokens,
        logprobs=[entry.logprob for entry in event.logprobs],
        worker=event.worker,
        code=event.code,
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
    )


async def _record(pool: Pool, job: str, at: float) -> Kept | None:
    key = pool.keys.job(job)
    state, attempt, seq = await pool.redis.command("HMGET", key, "state", "attempt", "seq")
    if state is None:
        return None  # a cancel that came before its job
    ttl = await pool.redis.command("PTTL", key)
    return Kept(
        at=at, job=job, state=state.decode(), attempt=int(attempt), seq=int(seq), ttl_ms=ttl if ttl >= 0 else None
    )
