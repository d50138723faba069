"""Charging callers for their jobs: what a job may cost is taken before it begins, and put right at its end.

Taken in advance, since many requests at once would each find a budget that none of them has spent yet; and a gateway
that dies owes nobody anything, since what was taken fills up by itself (docs/decisions/0012).
"""

import contextlib
import math
from collections.abc import Collection, Mapping, Sequence

from gateway.caller import Caller
from shared.allowance import Allowance, Charged, Left
from shared.connection import Broker
from shared.errors import Fault, Refused
from shared.job import Job
from shared.key_file import KeyLimits
from shared.pool import Pool
from shared.queue import Peek

BYTES_A_TOKEN = 4  # as a body has them, roughly: a gateway has no tokenizer
ANSWER_TOKENS = 1_024  # at most so many are taken in advance: few answers are as long as they might be
SUBMITTED_WITHIN_MS = 30_000  # from its charge: a job that has no record yet may still get one
SOONEST_MS, LATEST_MS = 1_000, 30_000  # when to ask again for a place: a guess, so no long one


class Charge:
    """What was taken for the jobs of a request."""

    def __init__(self, allowance: Allowance, taken: Mapping[str, int], begun: Sequence[str]) -> None:
        self._allowance = allowance
        self._taken = dict(taken)
        self._begun = begun

    async def withdraw(self) -> None:
        """Give it back: none of the jobs was put on the queue."""
        await self.settle(dict.fromkeys(self._taken, 0), ended=self._begun)

    async def settle(self, used: Mapping[str, int], *, ended: Collection[str] = ()) -> None:
        """Take what these jobs used in place of what was taken for them, for each once. `ended` count no more."""
        owed = sum(tokens - self._taken.pop(job_id) for job_id, tokens in used.items() if job_id in self._taken)
        limits = self._allowance.limits
        owed = owed if limits.tokens_per_minute else 0
        ended = list(ended) if limits.concurrent_jobs else []
        if owed or ended:
            with contextlib.suppress(Fault):  # what was taken fills up again, and what has ended is found out
                await self._allowance.correct(tokens=owed, ended=ended)


class Till:
    """Where charges are made."""

    def __init__(self, broker: Broker, pool: Pool) -> None:
        self._broker = broker
        self._pool = pool

    async def charge(self, caller: Caller, costs: Mapping[str, int], *, is_followed: bool) -> Charge | None:
        """Charge a caller for a request of one or several jobs, by their ids; None: nothing is counted for this caller.

        Of jobs that nobody follows to their end, what can't be taken is owed at once.

        Raises:
            Refused: rate_limited, too_many_jobs; key_not_allowed where it asks for more jobs than it may ever have.
            Fault: broker_down.

        """
        limits = caller.limits
        if limits == KeyLimits():
            return None
        if limits.concurrent_jobs and len(costs) > limits.concurrent_jobs:
            said = f"This key may have {limits.concurrent_jobs} jobs at once, and this request takes {len(costs)}."
            raise Refused("key_not_allowed", said)
        allowance = Allowance(self._broker, caller.key, limits)
        taken = affordable(costs, limits.tokens_per_minute)
        tokens, jobs = sum(taken.values()), list(taken)
        charged = await allowance.take(tokens=tokens, jobs=jobs)
        if charged.lacking == "jobs" and (ended := await self._ended(charged.counting)):
            charged = await allowance.take(tokens=tokens, jobs=jobs, ended=ended)
        caller.answer_headers[:] = told(limits, charged)
        if charged.lacking:
            raise _refusal(limits, charged, wanted=len(jobs))
        if not is_followed and (owed := sum(costs.values()) - tokens):
            await allowance.correct(tokens=owed)
            taken = costs
        return Charge(allowance, taken, charged.begun)

    async def _ended(self, counting: Sequence[tuple[str, int]]) -> list[str]:
        """Those that count but should not: they have ended, or never got as far as the queue."""
        ages, peeks = dict(counting), dict[str, Peek | None]()
        for queue, job_ids in await self._pool.by_queue(ages):
            peeks |= zip(job_ids, await queue.peek(job_ids), strict=True)
        return [job_id for job_id, age_ms in counting if counts_no_more(peeks.get(job_id), age_ms)]


def cost_of(job: Job, body_bytes: int, *, is_followed: bool) -> int:
    """How many tokens a job may cost: its prompt's and its answer's. Of one that is followed, the end is put right."""
    prompt = len(job.tokens) if job.tokens else math.ceil(body_bytes / BYTES_A_TOKEN)
    if job.kind == "count":
        return prompt
    return prompt + (min(job.max_tokens, ANSWER_TOKENS) if is_followed else job.max_tokens)


def affordable(costs: Mapping[str, int], most: int | None) -> dict[str, int]:
    """What to take in advance: of a request that costs more than a minute's worth, that; its end shows the rest."""
    share = min(1.0, (most or math.inf) / max(1, sum(costs.values())))
    return {job_id: int(cost * share) for job_id, cost in costs.items()}


def counts_no_more(peek: Peek | None, age_ms: int) -> bool:
    """Whether a job that was charged so long ago has ended, or never got as far as the queue."""
    return age_ms > SUBMITTED_WITHIN_MS if peek is None else peek.state == "ended"


def told(limits: KeyLimits, charged: Charged) -> list[tuple[bytes, bytes]]:
    """How a caller stands, in the headers that OpenAI's clients read."""
    standing = (
        (b"requests", limits.requests_per_minute, charged.requests),
        (b"tokens", limits.tokens_per_minute, charged.tokens),
    )
    return [header for what, limit, left in standing if limit for header in _headers(what, limit, left)]


def _headers(what: bytes, limit: int, left: Left) -> list[tuple[bytes, bytes]]:
    values = {b"limit": str(limit), b"remaining": str(left.count), b"reset": duration(left.full_in_ms)}
    return [(b"x-ratelimit-%s-%s" % (name, what), value.encode()) for name, value in values.items()]


def duration(ms: int) -> str:
    """A time as it stands in such a header: 250ms, 1.5s, 6m0s."""
    if ms < 1_000:
        return f"{ms}ms"
    minutes, rest_ms = divmod(ms, 60_000)
    return f"{minutes}m{rest_ms / 1_000:g}s" if minutes else f"{rest_ms / 1_000:g}s"


def next_place_ms(ages_ms: Sequence[int], wanted: int) -> int:
    """When so many of a key's jobs will have ended, about, going by how long they have been there.

    Where jobs last equally long and begin at any time, their ages are half of that in the mean; and of k whose ends lie
    anywhere in that time, the m-th one's lies at m parts of k + 1.
    """
    lasts_ms = 2 * sum(ages_ms) / max(1, len(ages_ms))
    return round(min(LATEST_MS, max(SOONEST_MS, lasts_ms * wanted / (len(ages_ms) + 1))))


def _refusal(limits: KeyLimits, charged: Charged, *, wanted: int) -> Refused:
    match charged.lacking:
        case "jobs":
            said = f"This key may have {limits.concurrent_jobs} jobs at once."
            missing = len(charged.counting) + wanted - (limits.concurrent_jobs or 0)
            wait_ms = next_place_ms([age_ms for _, age_ms in charged.counting], missing)
            return Refused("too_many_jobs", said, retry_after_ms=wait_ms)
        case "requests":
            said = f"This key may make {limits.requests_per_minute} requests a minute."
        case _:
            said = f"This key may use {limits.tokens_per_minute} tokens a minute."
    return Refused("rate_limited", said, retry_after_ms=charged.wait_ms)
