"""Which requests become jobs: the queue they go to, the id they get, and whether they may wait there.

The choices are plain functions on values; `Admission` asks Redis for the values.
"""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import NoReturn

import msgspec

from shared.errors import Fault, Refused
from shared.job import DEFAULT_TIMEOUT_MS, Job, encode_job
from shared.outline import CachePoint, encode_outline, outline_of, tokens_in
from shared.pool import Pool
from shared.queue import Queue, Submission, Submitted, keyed_job_id, new_job_id
from shared.tracing import context_in

from .access.charge import Charge, Till, cost_of
from .aliases import Aliases, meant_by
from .caller import Caller
from .returning import come_back_ms
from .surveys import Surveys

MAX_SEED = 2**63 - 1
OUTAGE_AFTER_S = 10.0  # a rolling restart of the only worker is no outage
KEYED_LINGER_MS = 30_000
MAX_KEY_CHARACTERS = 256
_KEY_FIELD = "id"


class Ticket(msgspec.Struct, frozen=True):
    """Jobs with their place, one for each answer that is wanted: submitting them any number of times submits them once.

    `job` is the first of them; the others are delivered like it.
    """

    queue: Queue
    submissions: Sequence[Submission]
    job: Job
    linger_ms: int
    trace: str
    tenant: str
    surveys: Surveys
    charge: Charge | None = None  # what was taken for them; None: nothing is counted for this caller
    note: bytes = b""  # kept beside the first job, for whoever asks for it later

    @property
    def runs_on(self) -> bool:
        """Whether the jobs go on without anybody who follows them."""
        return self.job.background or self.linger_ms > 0

    @property
    def tokens(self) -> int:
        """How many tokens the prompt has, about."""
        return tokens_in(self.submissions[0].outline)

    async def submit(self) -> list[Submitted]:
        """Put the jobs on their queue: all, or none.

        Raises:
            Refused: queue_full, idempotency_mismatch.
            Fault: broker_down; whether the jobs are on the queue is unknown then.

        """
        try:
            submitted = await self.queue.submit(
                self.submissions,
                job_class=self.job.class_,
                attached=not self.job.background,
                may_wait=may_wait(self.job),
                tenant=self.tenant,
                trace=self.trace,
            )
        except Refused as refused:
            await self.withdraw()
            with contextlib.suppress(Fault):  # what it says by itself will do
                survey = await self.surveys.of(self.queue.model)
                refused.retry_after_ms = come_back_ms(refused, survey, self.job.class_, self.tokens)
            if refused.param == _KEY_FIELD and self.job.id is None:
                refused.param = None  # the key is a header's: no field is to blame
            raise
        if self.charge:
            await self.charge.settle({each.id: 0 for each in submitted if not each.is_new})
        if self.note:
            await self.queue.keep(submitted[0].id, self.note)
        return submitted

    def only(self, place: int) -> "Ticket":
        """One of the jobs, to be submitted again by itself: it is paid for, and the others may have ended since."""
        note = self.note if place == 0 else b""
        return msgspec.structs.replace(self, submissions=[self.submissions[place]], charge=None, note=note)

    async def withdraw(self) -> None:
        """Give back what was taken for the jobs: none of them was submitted."""
        if self.charge:
            await self.charge.withdraw()


class Admission:
    """Turns requests into tickets."""

    def __init__(
        self, pool: Pool, surveys: Surveys, till: Till, default_model: str | None, aliases: Aliases | None = None
    ) -> None:
        self._pool = pool
        self._till = till
        self._surveys = surveys
        self._default_model = default_model
        self._aliases = aliases or {}

    async def admit(
        self,
        job: Job,
        headers: Mapping[str, str],
        caller: Caller,
        *,
        answers: int = 1,
        cache_points: Sequence[CachePoint] = (),
    ) -> Ticket:
        """Give a job its queue and its id; where several answers are wanted, to each.

        Raises:
            PoolError: as `admit_all`.

        """
        jobs = [variant_of(job, number) for number in range(answers)]
        return await self.admit_all(jobs, headers, caller, cache_points=cache_points)

    async def admit_all(
        self,
        jobs: Sequence[Job],
        headers: Mapping[str, str],
        caller: Caller,
        *,
        cache_points: Sequence[CachePoint] = (),
    ) -> Ticket:
        """Give jobs of one request, which differ in prompt and seed only, their queue and their ids.

        `cache_points` are places in their conversation that the client marked.

        Raises:
            Refused: the model is unknown, or must be named; the request names two ids; the caller may not do this, or
                not so much of it.
            Fault: no_worker, broker_down.

        """
        if caller.is_bulk:
            jobs = [msgspec.structs.replace(job, class_="lo", background=True) for job in jobs]
        job = jobs[0]
        if job.class_ == "hi" and not caller.may_hi:
            raise Refused("key_not_allowed", "This key is not for jobs of the class `hi`.", param="class")
        key = key_of(job, headers.get("idempotency-key"))
        model = await self._model(job.model, caller)
        queue = self._pool.queue(model)
        ids = [id_of(model, caller.tenant, key, number) for number in range(len(jobs))]
        is_known = key is not None and (await queue.peek(ids[:1]))[0] is not None
        if not is_known and not may_wait(job):
            await self._check_workers(model)
        timeout_ms = job.timeout_ms or DEFAULT_TIMEOUT_MS
        bodies = [body_of(each, model) for each in jobs]
        linger_ms = linger_of(job, has_key=key is not None)
        is_followed = not (job.background or linger_ms)
        outlines = outlines_of(jobs, caller.tenant, cache_points)
        costs = [cost_of(each, len(body), is_followed=is_followed) for each, body in zip(jobs, bodies, strict=True)]
        return Ticket(
            queue=queue,
            submissions=[
                Submission(job_id, body, timeout_ms, outline)
                for job_id, body, outline in zip(ids, bodies, outlines, strict=True)
            ],
            job=job,
            linger_ms=linger_ms,
            trace=context_in(headers.get("traceparent", "")),
            tenant=caller.tenant,
            surveys=self._surveys,
            charge=await self._till.charge(caller, dict(zip(ids, costs, strict=True)), is_followed=is_followed),
        )

    async def _model(self, asked: str | None, caller: Caller) -> str:
        # For a key that is for some models, there are no others: not even by a name in a message.
        if asked is not None:
            served = [model for model in await self._surveys.models() if caller.may_use(model)]
            asked = meant_by(asked, served, self._aliases)
            if not caller.may_use(asked):
                raise Refused("key_not_allowed", "This key is not for this model.", param="model")
            if await self._surveys.knows(asked):
                return asked
        surveys = {survey.model: survey for survey in await self._surveys.all() if caller.may_use(survey.model)}
        ready = [model for model, survey in surveys.items() if survey.ready_workers]
        live = [model for model, survey in surveys.items() if survey.live_workers]
        default = self._default_model if self._default_model and caller.may_use(self._default_model) else None
        return choose_model(asked, served=surveys, live=live, ready=ready, default=default)

    async def _check_workers(self, model: str) -> None:
        await self._surveys.of(model)
        if self._surveys.without_worker_s(model) >= OUTAGE_AFTER_S:
            raise Fault("no_worker", f"No worker serves {model} now.")


def may_wait(job: Job) -> bool:
    """Whether the job waits for a worker as long as it takes; nobody sits in front of it."""
    return job.background or job.class_ == "lo"


def choose_model(
    asked: str | None, *, served: Collection[str], live: Collection[str], ready: Collection[str], default: str | None
) -> str:
    """The model meant by a request: the one it names, or the default, or the only one.

    The only one is the only one that is loaded, else the only one with a worker, else the only one that has a queue.

    Raises:
        Refused: the named one is not served, or several are and none was named.
        Fault: nothing is served yet.

    """
    if not served:
        raise Fault("no_worker", "No worker has joined this pool yet.")
    wanted = asked or default
    if wanted is not None:
        return wanted if wanted in served else _refuse_model(wanted, served)
    for choice in (ready, live, served):
        if len(choice) == 1:
            return next(iter(choice))
    raise Refused("missing_field", f"Several models are served: name one of {_listed(live or served)}.", param="model")


def key_of(job: Job, idempotency_key: str | None) -> str | None:
    """The client's own name for the job, from the body or the header.

    Raises:
        Refused: it gives two, or one that is too long.

    """
    if job.id and idempotency_key and job.id != idempotency_key:
        raise Refused("invalid_value", "`id` and the header Idempotency-Key are different.", param=_KEY_FIELD)
    key = job.id or idempotency_key or None
    if key and len(key) > MAX_KEY_CHARACTERS:
        raise Refused("invalid_value", f"An Idempotency-Key has at most {MAX_KEY_CHARACTERS} characters.")
    return key


def linger_of(job: Job, *, has_key: bool) -> int:
    """How long the job goes on after its last client left, in ms; one that has a key for it may come back."""
    if job.linger_ms is not None:
        return job.linger_ms
    return KEYED_LINGER_MS if has_key else 0


def variant_of(job: Job, number: int) -> Job:
    """The job for the n-th answer, from 0: a seed that was given would otherwise draw the same answer n times."""
    return job if job.seed is None or not number else msgspec.structs.replace(job, seed=(job.seed + number) & MAX_SEED)


def body_of(job: Job, model: str) -> bytes:
    """The body that goes on the queue: without what only its way needs, so that equal work is equal bytes."""
    return encode_job(msgspec.structs.replace(job, model=model, id=None, stream=True, linger_ms=None, affinity=None))


def outlines_of(jobs: Sequence[Job], tenant: str, cache_points: Sequence[CachePoint] = ()) -> list[str]:
    """What the prompts of one request's jobs begin with; several answers to one prompt are outlined once."""
    prompts = [id(getattr(job, job.prompt_field)) for job in jobs]
    outlines = {
        prompt: encode_outline(outline_of(job, tenant, cache_points))
        for prompt, job in dict(zip(prompts, jobs, strict=True)).items()
    }
    return [outlines[prompt] for prompt in prompts]


def id_of(model: str, tenant: str, key: str | None, number: int) -> str:
    """The id of a request's n-th job, from 0: with a key always the same, else a new one."""
    if key is None:
        return new_job_id(model)
    # A NUL stands in no header and no id, so no client's key is another's further answer.
    return keyed_job_id(model, tenant, f"{key}\0{number}" if number else key)


def _refuse_model(model: str, served: Collection[str]) -> NoReturn:
    raise Refused("model_not_found", f"{model!r} is not served here; served: {_listed(served)}.", param="model")


def _listed(models: Collection[str]) -> str:
    return ", ".join(sorted(models))
