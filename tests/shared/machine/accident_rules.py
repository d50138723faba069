"""What befalls a queue: silence, deaths, stalls, late jobs, lost leases; and the reapers."""

from hypothesis import strategies as st

from shared.queue import Reaped

from . import reaping
from .producer_rules import NUMBER, SELDOM
from .site import age, tick_at
from .stage import Run, Stage, agree, deed, pick
from .worker_rules import WorkerRules

ENDS = ("engine", "engine", "no room", "no room", "drain", "death")
COUNT = st.sampled_from([0, 0, 0, 1, 2])


def _can_age(self: Stage) -> bool:
    return bool(_ageing(self))


def _ageing(self: Stage) -> list[str]:
    return [
        name
        for name in ("re", "sus")
        if self.world.streams[name] and not any(entry.reader for entry in self.world.streams[name])
    ]


class AccidentRules(WorkerRules):
    """Who is in the way."""

    @deed(number=NUMBER, when=lambda self: bool(self.said))
    async def say_again(self, number: int) -> None:
        """Let a worker's call arrive once more, however late."""
        await self.repeat(pick(self.said[-12:], number))

    @deed(number=NUMBER, is_forgotten=SELDOM)
    async def fall_silent(self, number: int, is_forgotten: bool) -> None:
        """Let a worker's lease end; or let Redis have lost it with its last second."""
        worker = self.world.workers.get(self.worker(number).worker_id)
        if worker and is_forgotten:
            await self.here.redis("ZREM", self.here.keys.workers, worker.id)
            worker.lease = "gone"
        elif worker and worker.lease == "live":
            await self.here.redis("ZADD", self.here.keys.workers, 1, worker.id)
            worker.lease = "ended"

    @deed(sweeps=st.booleans(), stalled=SELDOM)
    async def tick(self, sweeps: bool, stalled: bool) -> None:
        """Let the reapers look; perhaps Redis stood still for longer than any lease: then nobody who lived is dead."""
        now = await self.here.now_ms()
        for worker in self.world.alive() if stalled else []:
            await self.here.redis("ZADD", self.here.keys.workers, now - 2_100, worker.id)
        await self.tick_once(ago_ms=4_000 if stalled else 250, sweeps=sweeps)

    async def tick_once(self, *, ago_ms: int, sweeps: bool) -> None:
        """Tick so long after the tick before; a second one right behind it is too early."""
        await tick_at(self.here, ago_ms, sweeps=sweeps)
        expected = Reaped(*reaping.tick(self.world, sweeps=sweeps))
        agree(expected, await self.here.queue.reap())

    @deed(number=NUMBER, ends=st.lists(st.tuples(st.sampled_from(ENDS), COUNT), min_size=2, max_size=6))
    async def suffer(self, number: int, ends: list[tuple[str, int]]) -> None:
        """Let the job that is first in line, and whatever comes then, meet one bad end after the other."""
        for n, (end, count) in enumerate(ends):
            await self.fill_up(number + n)
            worker = self.worker((number + n // 2) % 8)
            await self.claim_for(worker, 1)
            for run in self.held(worker)[-1:]:
                await self.check()
                await self.tell_of(worker, [count], 0)
                await self.speak_of_the_past(run.job_id)
                await self._end_badly(run, end)
            await self.check()

    async def _end_badly(self, run: Run, end: str) -> None:
        match end:
            case "death":
                await self.bury_worker(run.worker.worker_id)
            case "engine":
                await self.fail_runs(run.worker, self.held(run.worker), [0])
            case _:
                not_on = run.worker.worker_id.partition(".")[0] if end == "no room" else ""
                await self.release_run(run, not_on, has_no_room=end == "no room")

    @deed(number=NUMBER)
    async def bury(self, number: int) -> None:
        """Take a supervisor's word, or a leaving worker's own, that it is gone."""
        await self.bury_worker(self.worker(number).worker_id)

    async def bury_worker(self, worker_id: str) -> None:
        """Give a worker's jobs back at once."""
        expected = Reaped(*reaping.bury(self.world, worker_id))
        agree(expected, await self.here.queue.reap(gone=worker_id))

    @deed(
        number=NUMBER,
        is_overdue=st.booleans(),
        when=lambda self: any(job.state != "ended" for job in self.world.jobs.values()),
    )
    async def be_late(self, number: int, is_overdue: bool) -> None:
        """Let a job's deadline have passed, or have passed for so long that its worker had its time."""
        job = pick([job for job in self.world.jobs.values() if job.state != "ended"], number)
        await self.here.let_deadline_pass(job.id, by_ms=1_000_000 if is_overdue else 1)
        job.lateness, job.is_timed = ("overdue" if is_overdue else "late"), True

    @deed(number=NUMBER, by_ms=st.sampled_from([4_000, 6_000, 40_000]), when=_can_age)
    async def wait_long(self, number: int, by_ms: int) -> None:
        """Let what was given back, or is suspected, have waited for seconds."""
        await age(self.here, self.world, self.sight, pick(_ageing(self), number), by_ms)
