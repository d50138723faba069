"""Running one batch: reading its lines, asking for each, and committing what comes, while the lease holds.

It can be cut off at any point, and be gone on with by another gateway: what is committed has its results; what is not
is asked for again, under the same key, and so is the same job.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import structlog
from starlette.types import ASGIApp

from gateway.admission import id_of
from gateway.caller import Caller
from shared.bulk import Batch, Batches, Commit, Ending, Heard, Problem
from shared.bulk_file import BulkFile, BulkFiles
from shared.errors import Fault, Refused
from shared.pool import Pool

from .errand import Answer, ask
from .line import Line, LineRequest, custom_id_in, read_lines, request_in
from .names import batch_name
from .patience import patience_s
from .progress import Progress
from .result import Origin, Result, answered, refused, unasked
from .rights import Rights, Standing
from .validation import problems_in

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
LEASE_MS = 10_000
RENEW_S = 2.0
GATHER_S = 0.2  # results go out together
RETRY_S = 0.5
LAST_WORDS_S = 1.0
LINES_AT_ONCE = 32
LINES_AHEAD = 512  # of the first that is missing
MOST_ANSWERS = 32  # of one line
CANCELLED = 410
_REVOKED = "The API key of this batch was revoked."


class Tools(NamedTuple):
    """What every run needs."""

    app: ASGIApp
    pool: Pool
    batches: Batches
    files: BulkFiles
    standing: Standing


class Outcome(NamedTuple):
    """How a batch ended."""

    ending: Ending
    problems: Sequence[Problem] = ()


class Lost(Exception):
    """The batch is not ours any more."""


class Run:
    """One taking of a batch."""

    def __init__(self, tools: Tools, batch: Batch, epoch: int) -> None:
        self._tools = tools
        self._batch = batch
        self._epoch = epoch
        self._rights = Rights(msgspec.json.decode(batch.caller, type=Caller), tools.standing)
        self._has_unasked = False  # whether a line's result is that nobody may ask for it any more
        self._progress = Progress(batch)
        self._news = asyncio.Event()
        self._moved = asyncio.Event()
        self._stop = asyncio.Event()  # nothing more is asked for
        self._heard = Heard(is_cancelled=batch.cancelled is not None, is_late=False)
        self._asked: set[int] = set()
        self._withdrawn: set[int] = set()  # of those, whose jobs were cancelled here
        if self._heard.is_cancelled:
            self._stop.set()
            self._asked = self._progress.missing(LINES_AHEAD + LINES_AT_ONCE)  # by whoever had it before

    async def run(self) -> None:
        """Run it to its end, or until it is lost; being cancelled lets it go to whoever comes next."""
        try:
            await self._run()
        except* Lost as lost:
            log.info("batch_lost", batch=self._batch.tag, why=str(lost.exceptions[0]))

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                committing = tasks.create_task(self._commit_often())
                ending, problems = Outcome("cancelled") if self._heard.is_cancelled else await self._work()
                committing.cancel()
            await self._commit(self._progress.commit())  # one may be under way whose outcome nobody knows
            await self._commit(self._progress.commit(ending, problems))
            log.info("batch_ended", batch=self._batch.tag, ending=ending, lines=self._progress.results)
        except asyncio.CancelledError:
            with contextlib.suppress(TimeoutError, Fault):
                async with asyncio.timeout(LAST_WORDS_S):
                    await self._let_go()
            raise

    # The lines.

    async def _work(self) -> Outcome:
        if await self._input() is None:
            return _failed("The input file is gone.")
        if not self._batch.commits and (problems := await self._validate()):
            return Outcome("failed", problems)
        places = asyncio.Semaphore(LINES_AT_ONCE)
        batch, progress = self._batch, self._progress
        lines = read_lines(self._tools.files, batch.input, number=progress.line, offset=progress.offset)
        async with asyncio.TaskGroup() as tasks, contextlib.aclosing(lines):
            async for line in lines:
                if progress.begin(line):
                    await self._room()
                    await places.acquire()
                    if self._heard.is_cancelled:
                        break
                    tasks.create_task(self._line(line, places))
        if self._heard.is_cancelled:
            return Outcome("cancelled")
        if self._has_unasked:
            return _failed(_REVOKED)
        if progress.results < batch.total:
            return _failed("The input file went before all of it was read.")
        return Outcome("expired" if progress.has_expired else "completed")

    async def _validate(self) -> list[Problem]:
        lines = read_lines(self._tools.files, self._batch.input, number=0, offset=0)
        async with contextlib.aclosing(lines):
            return await problems_in(lines)

    async def _input(self) -> BulkFile | None:
        while True:
            with contextlib.suppress(Fault):
                return await self._tools.files.find(self._batch.input)
            await asyncio.sleep(RETRY_S)

    async def _room(self) -> None:
        while self._progress.ahead > LINES_AHEAD and not self._heard.is_cancelled:
            self._moved.clear()
            await self._moved.wait()

    async def _line(self, line: Line, places: asyncio.Semaphore) -> None:
        try:
            await self._settle(line)
        finally:
            self._moved.set()
            places.release()

    async def _settle(self, line: Line) -> None:
        if line.data is not None and not line.data.strip():
            self._note(line, None)
            return
        origin = Origin(self._batch.tag, line.number, custom_id_in(line.data))
        try:
            request = request_in(line.data, self._batch.endpoint)
        except Refused as error:
            self._note(line, refused(origin, error))
            return
        if answer := await self._answer(line, request):
            self._note(line, answered(origin, answer))
        elif self._rights.is_revoked:
            self._has_unasked = True
            self._note(line, unasked(origin, "invalid_api_key", _REVOKED))
        elif self._heard.is_late:
            self._progress.has_expired = True
            self._note(line, unasked(origin, "batch_expired", "The batch was not done within its time."))

    async def _answer(self, line: Line, request: LineRequest) -> Answer | None:
        """What the route answers in the end; None when nothing more is to be asked."""
        tries = 0
        while self._may_ask():
            self._asked.add(line.number)
            key = self._key(line.number)
            answer = await ask(self._tools.app, request.url, bytes(request.body), caller=self._rights.caller, key=key)
            self._asked.discard(line.number)
            tries += 1
            if answer.status == CANCELLED and self._stop.is_set():
                return None
            if answer.status == CANCELLED and line.number in self._withdrawn:
                self._withdrawn.discard(line.number)
                continue  # asked again, it is told why
            if (wait_s := patience_s(answer, tries)) is None:
                return answer
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stop.wait()
        return None

    def _may_ask(self) -> bool:
        self._rights.look()
        if self._rights.is_revoked:
            self._stop.set()
        return not self._stop.is_set()

    def _key(self, number: int) -> str:
        # No header that came over HTTP holds that sign, so no client's own key is ever this one.
        return f"{batch_name(self._batch.tag)}\1{number}"

    def _id(self, model: str, number: int, place: int) -> str:
        return id_of(model, self._rights.caller.tenant, self._key(number), place)

    def _note(self, line: Line, result: Result | None) -> None:
        self._progress.finish(line.number, result)
        self._news.set()

    # The record.

    async def _commit_often(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RENEW_S):
                    await self._news.wait()
                    await asyncio.sleep(GATHER_S)
            self._news.clear()
            await self._commit(self._progress.commit())

    async def _commit(self, commit: Commit) -> None:
        while True:
            try:
                await self._commit_once(commit, lease_ms=LEASE_MS)
            except Fault:
                await asyncio.sleep(RETRY_S)  # sent again it changes nothing
            else:
                return

    async def _commit_once(self, commit: Commit, *, lease_ms: int) -> None:
        heard = await self._tools.batches.commit(self._batch.tag, self._epoch, commit, lease_ms=lease_ms)
        if not isinstance(heard, Heard):
            raise Lost(heard)
        self._progress.committed()
        self._heard = heard
        if heard.is_cancelled or heard.is_late:
            self._stop.set()
        if not self._may_ask() or self._rights.has_lost_models:
            await self._cancel_jobs()
            self._rights.has_lost_models = False

    async def _let_go(self) -> None:
        await self._commit_once(self._progress.commit(), lease_ms=LEASE_MS)
        await self._commit_once(self._progress.commit(), lease_ms=0)

    async def _cancel_jobs(self) -> None:
        """Cancel what was asked for and is not to go on: all of it, or on the queues that the key has lost."""
        numbers = tuple(self._asked)
        for model in await self._tools.pool.models():
            if self._stop.is_set() or not self._rights.caller.may_use(model):
                ids = [self._id(model, number, 0) for number in numbers]
                peeks = await self._tools.pool.queue(model).peek(ids)
                for number in (number for number, peek in zip(numbers, peeks, strict=True) if peek):
                    await self._cancel_line(model, number)

    async def _cancel_line(self, model: str, number: int) -> None:
        """Cancel a line's jobs, by each name that they can have."""
        queue = self._tools.pool.queue(model)
        for place in range(MOST_ANSWERS):
            outcome = await queue.cancel(self._id(model, number, place))
            if outcome == "unknown":
                return
            self._withdrawn.add(number)


def _failed(why: str) -> Outcome:
    return Outcome("failed", [Problem("failed", why)])
