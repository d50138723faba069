"""A job's life as it can be told later: what befell it, when, and at which worker, by its record and its log.

Redis writes down when a job came, each claim, each giving back, and the end. The first token's time is not written, as
nothing may be asked on its way: it is reckoned from how long the last attempt has decoded. No text of prompt or answer
is in it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from .connection import Broker
from .errors import Refused
from .event import AnyEvent, Cancelled, Done, Error, Started, Token, decode_event
from .keys import Keys
from .pool import Pool
from .queue import LogEntry, Queue, State, keyed_job_id

What = Literal["queued", "claimed", "started", "first_token", "given_back", "done", "error", "cancelled"]
_PAGE = 1_000
_DEFAULT_ID = re.compile(r"(std|lo)-([0-9]{1,19}-[0-9]{1,19})")


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that befell a job; `at_ms` is Redis's clock, and absent where nobody wrote it down."""

    what: What
    at_ms: int | None = None
    is_about: bool = False  # the time is reckoned
    attempt: int = 0
    worker: str = ""
    note: str = ""


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """A job so far. `tokens` are those that were generated, over all attempts."""

    id: str
    model: str
    job_class: str
    tenant: str
    state: State
    attempts: int
    tokens: int
    events: int
    deadline_at_ms: int
    steps: list[Step]


class _Told:
    """What a log says of one attempt."""

    def __init__(self) -> None:
        self.started: Started | None = None
        self.tokens = 0


async def life_of(broker: Broker, given: str, *, tenant: str = "") -> Life:
    """Tell the life of a job, by its id, or by the id that a client of this tenant gave it over HTTP.

    Raises:
        Refused: nobody knows such a job, or not any more.

    """
    pool = Pool(broker)
    for model in sorted(await pool.models()):
        for job_id in (given, keyed_job_id(model, tenant, given)):
            if life := await _life_in(broker, pool.queue(model), job_id):
                return life
    raise Refused("job_not_found", f"No queue knows a job {given}; what has ended is known for ten minutes.")


async def glance(broker: Broker, life: Life) -> Life | None:
    """Look again at a job whose life was told: only at its record, so without what its log says; None if it is gone."""
    queue = Pool(broker).queue(life.model)
    record = await _record_of(broker, queue, life.id)
    return tell(life.id, life.model, record, []) if "state" in record else await _unseen(broker, queue, life.id)


async def _life_in(broker: Broker, queue: Queue, job_id: str) -> Life | None:
    record = await _record_of(broker, queue, job_id)
    if "state" in record:
        return tell(job_id, queue.model, record, await _log_of(queue, job_id))
    return await _unseen(broker, queue, job_id)


async def _record_of(broker: Broker, queue: Queue, job_id: str) -> dict[str, str]:
    flat: Any = await broker.command("HGETALL", queue.keys.job(job_id))
    return {name.decode(): value.decode(errors="replace") for name, value in flat.items()}


async def _log_of(queue: Queue, job_id: str) -> list[LogEntry]:
    entries: list[LogEntry] = []
    while page := await queue.read_log(job_id, after=entries[-1].seq if entries else 0, count=_PAGE):
        entries += page
        if len(page) < _PAGE:
            break
    return entries


async def _unseen(broker: Broker, queue: Queue, job_id: str) -> Life | None:
    """A direct job has a record only since a worker has looked; before, its default id names its entry."""
    found = _DEFAULT_ID.fullmatch(job_id)
    if found is None:
        return None
    job_class, entry = found.groups()
    rows: list[Any] = await broker.command("XRANGE", Keys(queue.model).jobs(job_class), entry, entry)
    fields: dict[bytes, bytes] = rows[0][1] if rows else {}
    if not rows or b"id" in fields:
        return None
    record = {"state": "waiting", "class": job_class, "enqueued": entry.partition("-")[0]}
    return tell(job_id, queue.model, record | {"tenant": fields.get(b"tenant", b"").decode(errors="replace")}, [])


def tell(job_id: str, model: str, record: Mapping[str, str], log: Sequence[LogEntry]) -> Life:
    """Put record and log together. Pure."""
    told, last = _by_attempt(log)
    attempts = max([int(record.get("attempt", 0)), *told, 0])
    steps = [Step(what="queued", at_ms=_number(record, "enqueued"))]
    for number in range(1, attempts + 1):
        steps += _steps_of(number, record, told.get(number, _Told()))
    if last is not None:
        steps += _ending(last, record, attempts)
    return Life(
        id=job_id,
        model=model,
        job_class=record.get("class", ""),
        tenant=record.get("tenant", ""),
        state=msgspec.convert(record["state"], State),
        attempts=attempts,
        tokens=sum(each.tokens for each in told.values()),
        events=len(log),
        deadline_at_ms=_number(record, "deadline") or 0,
        steps=steps,
    )


def _by_attempt(log: Sequence[LogEntry]) -> tuple[dict[int, _Told], AnyEvent | None]:
    """What each attempt has said, and the event that ended the job, if one did."""
    told: dict[int, _Told] = {}
    for entry in log:
        event = decode_event(entry.data)
        attempt = told.setdefault(entry.attempt, _Told()) if entry.attempt else None
        match event:
            case Started() if attempt:
                attempt.started = event
            case Token() if attempt:
                attempt.tokens += len(event.tokens)
            case Done() | Error() | Cancelled():
                return told, event
            case _:
                pass  # what a later version tells besides
    return told, None


def _steps_of(number: int, record: Mapping[str, str], told: _Told) -> list[Step]:
    """What is known of one attempt."""
    at, _, worker = record.get(f"claim {number}", "").partition(" ")
    started = told.started
    worker = worker or (started.worker if started else "")
    steps = [Step(what="claimed", at_ms=int(at) if at else None, attempt=number, worker=worker)]
    if started:
        steps.append(Step(what="started", attempt=number, worker=worker, note=prompt_of(started)))
    if back := _number(record, f"back {number}"):
        is_alone = record["state"] == "waiting" and record.get("entry", "").startswith("sus:")
        note = f"after {told.tokens} tokens{', to run alone next' if is_alone else ''}"
        steps.append(Step(what="given_back", at_ms=back, attempt=number, worker=worker, note=note))
    return steps


def prompt_of(started: Started) -> str:
    """Put into words how much of its prompt an attempt had to read."""
    parts = [f"{started.prompt_tokens} tokens of prompt"]
    if started.cached_tokens:
        parts.append(f"{started.cached_tokens} of them cached")
    if started.resumed_tokens:
        parts.append(f"goes on after {started.resumed_tokens} tokens")
    return ", ".join(parts)


def _ending(last: AnyEvent, record: Mapping[str, str], attempts: int) -> list[Step]:
    at = _number(record, "ended")
    match last:
        case Done(reason=reason, usage=usage, timings=timings):
            note = f"{reason}, {usage.completion_tokens} tokens"
            end = Step(what="done", at_ms=at, attempt=attempts, note=note)
            if at is None or not timings.decode_ms:
                return [end]
            first = Step(what="first_token", at_ms=at - round(timings.decode_ms), is_about=True, attempt=attempts)
            return [first, end]
        case Error(code=code, message=message):
            return [Step(what="error", at_ms=at, attempt=attempts, note=f"{code}: {message}")]
        case Cancelled(reason=reason):
            return [Step(what="cancelled", at_ms=at, attempt=attempts, note=reason)]
        case _:
            raise AssertionError(last)


def _number(record: Mapping[str, str], name: str) -> int | None:
    text = record.get(name, "")
    return int(text) if text.isdecimal() else None
