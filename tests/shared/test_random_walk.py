"""Many workers, producers and accidents in random order, on a real server: the promises hold in every one of them.

A walk is a seed: what failed once fails again.
"""

import random
from collections.abc import Sequence

import pytest

from shared.claims import Claimed, Claims, LeaseLost, Row
from shared.errors import Refused
from shared.event import Cancelled, Done, Error, Token, is_terminal

from .conftest import BODY, Lab, Labs, done, started, token

STEPS = 250


class Walk:
    """A pool whose workers write the next seq as the next id, so a log tells by itself whether it is whole."""

    def __init__(self, here: Lab, seed: int) -> None:
        self.here = here
        self.random = random.Random(seed)
        self.jobs: list[str] = []
        self.workers: list[Claims] = []
        self.zombies: list[tuple[Claims, Claimed, int]] = []  # claims that were taken away: all they say is fenced
        self.runs: dict[str, tuple[Claims, Claimed, int]] = {}  # job → who runs it, and the last seq it logged

    async def step(self) -> None:
        """Do one random thing."""
        deeds = [self.submit, self.submit, self.claim, self.claim, self.tell, self.tell, self.tell, self.finish]
        deeds += [self.cancel, self.release, self.fail, self.die, self.lose_a_reply, self.speak_as_a_zombie, self.tick]
        await self.random.choice(deeds)()

    async def submit(self) -> None:
        """Add a job, or one that is there already, through the script or past it."""
        job_id = f"j{self.random.randrange(40)}"
        if self.random.random() < 0.3:
            await self.here.xadd(self.random.choice(["std", "lo"]), body=BODY, id=job_id)
        else:
            await self.here.submit(job_id, job_class=self.random.choice(["hi", "std", "lo"]))
        self.jobs.append(job_id)

    async def claim(self) -> None:
        """Let a worker claim; what it gets nobody else runs."""
        worker = await self._some_worker()
        for job in await self.here.claim(worker, 2, held=self.random.randrange(2)):
            assert job.id not in self.runs, "a job runs twice"
            self.runs[job.id] = (worker, job, job.seq)

    async def tell(self) -> None:
        """Log a few events of every running job of a worker, sometimes twice."""
        worker = await self._some_worker()
        mine = [(job, seq) for owner, job, seq in self.runs.values() if owner is worker]
        rows = [Row(job.id, job.attempt, seq + 1, self._events(job, seq)) for job, seq in mine]
        for _ in range(self.random.choice([1, 1, 2])):
            verdicts = await worker.append(rows)
        for row, verdict in zip(rows, verdicts if rows else [], strict=True):  # pyright: ignore[reportPossiblyUnboundVariable] the loop runs at least once
            assert verdict.verdict == "ok"
            self._advance(row.id, verdict.seq)

    async def finish(self) -> None:
        """End a running job, sometimes twice."""
        if run := self._some_run():
            worker, job, seq = run
            row = Row(job.id, job.attempt, seq + 1, [done(seq + 1)])
            answers = [await worker.finish(row, "done") for _ in range(self.random.choice([1, 2]))]
            assert {answer for answer, _ in answers} == {"ok"}
            self._lose(job.id)

    async def cancel(self) -> None:
        """Cancel any job, running or not; a worker that is asked stops."""
        if self.jobs:
            await self.here.queue.cancel(self.random.choice(self.jobs))
        for worker, job, seq in list(self.runs.values()):
            (verdict,) = await worker.append([Row(job.id, job.attempt, seq + 1, [])])
            if verdict.asked == "cancelled":
                row = Row(job.id, job.attempt, seq + 1, [b'{"status":"cancelled","seq":%d}' % (seq + 1)])
                assert (await worker.finish(row, "cancelled"))[0] == "ok"
                self._lose(job.id)

    async def release(self) -> None:
        """Hand a job over."""
        if run := self._some_run():
            worker, job, _ = run
            await worker.release(job.id, job.attempt, not_on=self.random.choice(["", "mac0"]))
            self._lose(job.id)

    async def fail(self) -> None:
        """Let an engine die."""
        worker = await self._some_worker()
        mine = [job for owner, job, _ in self.runs.values() if owner is worker]
        await worker.fail([(job.id, job.attempt, self.random.choice([0, 16])) for job in mine])
        for job in mine:
            self._lose(job.id)

    async def die(self) -> None:
        """Let a worker be silent until it is buried."""
        worker = await self._some_worker()
        await self.here.bury(worker)
        self.workers.remove(worker)
        for owner, job, _ in list(self.runs.values()):
            if owner is worker:
                self._lose(job.id)

    async def lose_a_reply(self) -> None:
        """Let a claim's reply never arrive; `mine` puts it right."""
        worker = await self._some_worker()
        lost = await self.here.claim(worker, 1, held=1)
        for job in lost:
            job_class, _, entry = job.entry.partition(":")
            stream = self.here.keys.jobs(job_class)
            await self.here.redis("XCLAIM", stream, "workers", worker.worker_id, 0, entry, "IDLE", 3_000)
        held = [job.entry for owner, job, _ in self.runs.values() if owner is worker]
        assert await worker.mine(held) == len(lost)

    async def speak_as_a_zombie(self) -> None:
        """Let one that lost its job say what it still would."""
        for worker, job, seq in self.random.sample(self.zombies, min(5, len(self.zombies))):
            try:
                (verdict,) = await worker.append([Row(job.id, job.attempt, seq + 1, [token(seq + 1)])])
                assert verdict.verdict == "fenced"
            except LeaseLost:
                pass

    async def tick(self) -> None:
        """Let the reapers look."""
        await self.here.tick()

    async def drain(self) -> None:
        """Run everything to its end."""
        worker = await self.here.worker("last")
        for job_id in list(self.runs):
            owner, job, _ = self.runs[job_id]
            await owner.release(job_id, job.attempt)
        for _ in range(200):
            got = await self.here.claim(worker, 4)
            for job in got:
                row = Row(job.id, job.attempt, job.seq + 1, [done(job.seq + 1)])
                assert (await worker.finish(row, "done"))[0] == "ok"
            if not got:
                return

    async def check(self) -> None:
        """Hold every job against the promises."""
        for job_id in set(self.jobs):
            events = await self.here.events(job_id)
            assert sum(map(is_terminal, events)) == 1, f"{job_id} has not one end"
            assert isinstance(events[-1], (Done, Error, Cancelled))
            entries = await self.here.queue.read_log(job_id)
            attempts = [entry.attempt for entry in entries]
            assert attempts == sorted(attempts), "an older attempt landed behind a newer one"
            ids = [event.tokens[0] for event in events if isinstance(event, Token)]
            assert ids == [event.seq for event in events if isinstance(event, Token)]
        survey = await self.here.queue.survey()
        assert (survey.waiting_total, survey.running) == (0, 0)

    def _events(self, job: Claimed, seq: int) -> Sequence[bytes]:
        first = [started(seq + 1, job.attempt)] if seq == job.seq else []
        return [*first, *(token(seq + len(first) + n + 1) for n in range(self.random.randrange(3)))]

    def _advance(self, job_id: str, seq: int) -> None:
        worker, job, _ = self.runs[job_id]
        self.runs[job_id] = (worker, job, seq)

    def _lose(self, job_id: str) -> None:
        self.zombies.append(self.runs.pop(job_id))

    def _some_run(self) -> tuple[Claims, Claimed, int] | None:
        return self.random.choice(list(self.runs.values())) if self.runs else None

    async def _some_worker(self) -> Claims:
        while len(self.workers) < 3:
            self.workers.append(await self.here.worker(f"mac{len(self.workers)}"))
        return self.random.choice(self.workers)


async def _walk(here: Lab, seed: int) -> None:
    walk = Walk(here, seed)
    for _ in range(STEPS):
        try:
            await walk.step()
        except Refused as refused:
            assert refused.code == "queue_full"  # noqa: PT017 the only refusal that a walk can meet
    await walk.drain()
    await walk.check()


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_of_deeds_and_accidents_keeps_every_promise(lab: Labs, seed: int) -> None:
    """Nothing accepted is lost, nothing runs twice at once, every log is whole and has one end."""
    async with lab() as here:
        await _walk(here, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 250))
async def test_many_orders_of_deeds_and_accidents_keep_every_promise(lab: Labs, seed: int) -> None:
    """The same, as often as a run of an hour's work can afford."""
    async with lab() as here:
        await _walk(here, seed)
