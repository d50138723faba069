"""A job that was taken becomes a run that the engine works on, after what earlier attempts have said."""

import itertools
from collections.abc import Awaitable, Callable

import structlog

from shared.claims import Claimed, Claims
from shared.errors import Refused
from shared.event import decode_event

from . import translate
from .book import Book
from .run import Past, Run, past_of
from .supervisor import Supervisor

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Beginning:
    """Begins jobs for one incarnation; `forget` has nothing more written of a job's earlier runs here."""

    def __init__(
        self, claims: Claims, book: Book, engine: Supervisor, *, forget: Callable[[str], Awaitable[bool]]
    ) -> None:
        self._claims = claims
        self._book = book
        self._engine = engine
        self._forget = forget
        self._counter = itertools.count(1)

    async def begin(self, claimed: Claimed) -> None:
        """Have the engine work on it; what can't be begun ends in an error, or goes back."""
        if await self._forget(claimed.id):
            # Redis lost the claim by which I run this job, and counts its attempts anew: two runs must never write
            # under one number. What the first one wrote is the beginning of the same stream.
            await self._claims.release(claimed.id, claimed.attempt)
            return
        pipe_id = f"{claimed.id}/{claimed.attempt}/{next(self._counter)}"
        run = Run(claimed, pipe_id, prompt_tokens_estimate=len(claimed.body) // translate.BYTES_PER_TOKEN)
        self._book.open(run)
        try:
            await self._send(run)
        except Refused as refused:
            run.add(translate.error_event(refused))
            self._book.tell()
        except BaseException:
            self._book.close(run)  # `mine` gives it back
            raise

    async def _send(self, run: Run) -> None:
        job = translate.job_of(run.claimed, self._claims.model)
        run.past = await self._past(run)
        if self._book.find(run.pipe_id) is None:
            return  # the engine died meanwhile, and the job was given back with all others
        run.seed = translate.seed(job, run.claimed, run.past)
        run.generated = len(run.past.tokens)
        run.prompt_tokens = run.prefill_left = translate.prompt_tokens_estimate(job)
        line = translate.generate_line(job, run)
        _log.info("job_claimed", **run.names, resumed_tokens=run.generated)
        if not self._engine.send(line):
            await self._claims.release(run.id, run.claimed.attempt)
            self._book.close(run)

    async def _past(self, run: Run) -> Past:
        if run.claimed.seq == 0:
            return Past()
        return past_of([decode_event(data) for data in await self._claims.read_events(run.id)])
