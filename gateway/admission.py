"""Which requests become jobs: the queue they go to, the id they get, and whether they may wait there.

The choices are plain functions on values; `Admission` asks Redis for the values.
"""

import re
from collections.abc import Collection, Mapping
from typing import NoReturn

import msgspec

from shared.errors import Fault, Refused
from shared.job import DEFAULT_TIMEOUT_MS, Job, encode_job
from shared.pool import Pool
from shared.queue import Queue, Submission, Submitted, keyed_job_id, new_job_id

from .surveys import Surveys

TENANT = ""  # one shared key, one tenant
OUTAGE_AFTER_S = 10.0  # a rolling restart of the only worker is no outage
KEYED_LINGER_MS = 30_000
MAX_KEY_CHARACTERS = 256
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Ticket(msgspec.Struct, frozen=True):
    """A job with its place: submitting it any number of times submits it once."""

    queue: Queue
    submission: Submission
    job: Job
    linger_ms: int
    trace: str

    async def submit(self) -> Submitted:
        """Put the job on its queue.

        Raises:
            Refused: queue_full, idempotency_mismatch.
            Fault: broker_down; whether the job is on the queue is unknown then.

        """
        submitted = await self.queue.submit(
            [self.submission],
            job_class=self.job.class_,
            attached=not self.job.background,
            may_wait=may_wait(self.job),
            tenant=TENANT,
            trace=self.trace,
        )
        return submitted[0]


class Admission:
    """Turns requests into tickets."""

    def __init__(self, pool: Pool, surveys: Surveys, default_model: str | None) -> None:
        self._pool = pool
        self._surveys = surveys
        self._default_model = default_model

    async def admit(self, job: Job, headers: Mapping[str, str]) -> Ticket:
        """Give a job its queue and its id.

        Raises:
            Refused: the model is unknown, or must be named; the request names two ids.
            Fault: no_worker, broker_down.

        """
        key = key_of(job, headers.get("idempotency-key"))
        model = await self._model(job.model)
        queue = self._pool.queue(model)
        job_id = new_job_id(model) if key is None else keyed_job_id(model, TENANT, key)
        is_known = key is not None and (await queue.peek([job_id]))[0] is not None
        if not is_known and not may_wait(job):
            await self._check_workers(model)
        trace = headers.get("traceparent", "")
        return Ticket(
            queue=queue,
            submission=Submission(job_id, body_of(job, model), job.timeout_ms or DEFAULT_TIMEOUT_MS),
            job=job,
            linger_ms=linger_of(job, has_key=key is not None),
            trace=trace if _TRACE.fullmatch(trace) else "",
        )

    async def _model(self, asked: str | None) -> str:
        if asked is not None and await self._surveys.knows(asked):
            return asked
        surveys = {survey.model: survey for survey in await self._surveys.all()}
        live = [model for model, survey in surveys.items() if survey.live_workers]
        return choose_model(asked, served=surveys, live=live, default=self._default_model)

    async def _check_workers(self, model: str) -> None:
        await self._surveys.of(model)
        if self._surveys.without_worker_s(model) >= OUTAGE_AFTER_S:
            raise Fault("no_worker", f"No worker serves {model} now.")


def may_wait(job: Job) -> bool:
    """Whether the job waits for a worker as long as it takes; nobody sits in front of it."""
    return job.background or job.class_ == "lo"


def choose_model(asked: str | None, *, served: Collection[str], live: Collection[str], default: str | None) -> str:
    """The model meant by a request: the one it names, or the default, or the only one.

    Raises:
        Refused: the named one is not served, or several are and none was named.
        Fault: nothing is served yet.

    """
    if not served:
        raise Fault("no_worker", "No worker has joined this pool yet.")
    wanted = asked or default
    if wanted is not None:
        return wanted if wanted in served else _refuse_model(wanted, served)
    for choice in (live, served):
        if len(choice) == 1:
            return next(iter(choice))
    raise Refused("missing_field", f"Several models are served: name one of {_listed(live or served)}.", param="model")


def key_of(job: Job, idempotency_key: str | None) -> str | None:
    """The client's own name for the job, from the body or the header.

    Raises:
        Refused: it gives two, or one that is too long.

    """
    if job.id and idempotency_key and job.id != idempotency_key:
        raise Refused("invalid_value", "`id` and the header Idempotency-Key are different.", param="id")
    key = job.id or idempotency_key or None
    if key and len(key) > MAX_KEY_CHARACTERS:
        raise Refused("invalid_value", f"An Idempotency-Key has at most {MAX_KEY_CHARACTERS} characters.", param="id")
    return key


def linger_of(job: Job, *, has_key: bool) -> int:
    """How long the job goes on after its last client left, in ms; one that has a key for it may come back."""
    if job.linger_ms is not None:
        return job.linger_ms
    return KEYED_LINGER_MS if has_key else 0


def body_of(job: Job, model: str) -> bytes:
    """The body that goes on the queue: without what only its delivery needs, so that equal work is equal bytes."""
    return encode_job(msgspec.structs.replace(job, model=model, id=None, stream=True, linger_ms=None))


def _refuse_model(model: str, served: Collection[str]) -> NoReturn:
    raise Refused("model_not_found", f"{model!r} is not served here; served: {_listed(served)}.", param="model")


def _listed(models: Collection[str]) -> str:
    return ", ".join(sorted(models))
