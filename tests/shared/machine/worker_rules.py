"""What workers do, also those that do not know yet that their jobs are others'."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from shared.claims import Claimed, Claims, Ending, Row
from shared.event import AnyEvent, Cancelled, Done, Error, Started, Token, Usage, encode_event

from . import claiming, working
from .claiming import Seen
from .gist import gist_of
from .picture import apart
from .producer_rules import NUMBER, SELDOM
from .promises import MAX_BARREN
from .sight import look
from .stage import Run, Said, Stage, agree, answer, deed, pick
from .world import Entry, Telling

HOSTS = ("mac0", "mac1")
FEW = st.integers(0, 3)
STATES: list[Telling] = ["ready", "ready", "ready", "loading", "standby", "coming"]
COUNTS = st.lists(FEW, min_size=1, max_size=3)


def _has_runs(self: Stage) -> bool:
    return bool(self.held())


def _has_past(self: Stage) -> bool:
    return any(run.is_over for run in self.runs)


class WorkerRules(Stage):
    """Who answers."""

    @deed(number=NUMBER, busy=FEW, state=st.sampled_from(STATES))
    async def beat(self, number: int, busy: int, state: Telling) -> None:
        """Renew a lease, and tell how busy the worker is, and whether it has loaded the model."""
        worker = self.worker(number)
        expected = working.beat(self.world, worker.worker_id, busy, state)
        is_coming = state == "coming"
        told: dict[str, str | int | float] = {"busy": busy, "state": "standby" if is_coming else state}
        told["coming"] = int(is_coming)
        agree(expected, await answer(worker.beat(told)) or "ok")

    @deed(number=NUMBER, free=st.integers(1, 3), yields=SELDOM, is_lost=SELDOM, counts=COUNTS)
    async def claim(self, number: int, free: int, yields: bool, is_lost: bool, counts: list[int]) -> None:
        """Claim and begin; sometimes the reply does not arrive. There are always machines enough."""
        await self.fill_up(number)
        worker = self.worker(number)
        await self.claim_for(worker, free, yields=yields, is_lost=is_lost)
        if self.held(worker) and not is_lost and sum(counts):
            await self.check()
            await self.tell_of(worker, counts, 0)

    async def fill_up(self, number: int) -> None:
        """Begin workers until there are as many as machines, though perhaps all on one."""
        while len(self.world.alive()) < len(HOSTS):
            await self.register(pick(HOSTS, number + len(self.workers)))

    @deed(number=NUMBER)
    async def look_on(self, number: int) -> None:
        """Look, and take nothing."""
        await self.look_as(self.worker(number))

    @deed(number=NUMBER, numbers=st.lists(NUMBER, min_size=1, max_size=3), spare=st.lists(NUMBER, max_size=2))
    async def take_what_was_seen(self, number: int, numbers: list[int], spare: list[int]) -> None:
        """Take what somebody saw at some time, the same twice even: only what still waits is to be had."""
        if self.seen:
            wanted, instead = ([pick(self.seen[-8:], each) for each in some] for some in (numbers, spare))
            await self.take_for(self.worker(number), wanted, instead)

    async def look_as(self, worker: Claims) -> Seen | None:
        """See what a worker sees; None for one that is dead."""
        expected = claiming.look(self.world, worker.worker_id, await self.here.now_ms())
        got = await answer(worker.look())
        if isinstance(expected, str) or isinstance(got, str):
            agree(expected, got)
            return None
        suspect = _name(expected.suspect) if expected.suspect else ""
        told = (sorted(map(_name, expected.entries)), expected.another_is_free, suspect, expected.is_suspect_due)
        waiting = sorted(job.entry for job in got.waiting)
        agree(told, (waiting, got.another_is_free, got.suspect, got.is_suspect_due))
        self.seen += [entry for entry in expected.entries if entry not in self.seen]
        return expected

    async def claim_for(self, worker: Claims, free: int, *, yields: bool = False, is_lost: bool = False) -> None:
        """Look, and take what is next."""
        seen = await self.look_as(worker)
        if seen and not (yields and seen.another_is_free):
            held = len(self.held(worker))
            entries = claiming.in_turn(self.world.workers[worker.worker_id], seen, free, held)
            await self.take_for(worker, entries, is_lost=is_lost)

    async def take_for(
        self, worker: Claims, entries: list[Entry], spare: Sequence[Entry] = (), *, is_lost: bool = False
    ) -> None:
        """Take, and hold what is granted against the promises."""
        now_ms = await self.here.now_ms()
        expected = claiming.take(self.world, worker.worker_id, [*entries, *spare], now_ms, most=len(entries))
        got = await answer(worker.take([_name(entry) for entry in entries], [_name(entry) for entry in spare]))
        granted = got if isinstance(got, list) else []
        agree(expected, got if isinstance(got, str) else [_grant(job) for job in granted])
        for job in granted:
            self._check_grant(job)
            self.runs.append(Run(worker, job.id, job.attempt, job.entry, job.seq, is_lost=is_lost))

    def _check_grant(self, job: Claimed) -> None:
        assert (job.id, job.attempt) not in self.granted, f"{job.id} runs twice under attempt {job.attempt}"
        self.granted.add((job.id, job.attempt))
        assert self.sight.records.get(job.id, {}).get("state") != "ended", f"{job.id} had ended"
        known = self.world.jobs[job.id]
        last_good = max([attempt for attempt, gist in known.log if gist.startswith("token")], default=0)
        assert job.attempt - max(known.born_at, last_good) <= MAX_BARREN, f"{job.id} is delivered for ever"

    @deed(number=NUMBER, when=lambda self: any(run.is_lost for run in self.runs))
    async def arrive(self, number: int) -> None:
        """Let a lost reply arrive after all: the worker begins to run what may be another's by now."""
        pick([run for run in self.runs if run.is_lost], number).is_lost = False

    @deed(number=NUMBER, counts=COUNTS, resent=st.integers(0, 2), when=_has_runs)
    async def tell(self, number: int, counts: list[int], resent: int) -> None:
        """Log events of all that a worker runs, perhaps with some that were sent before."""
        await self.tell_of(pick(self.held(), number).worker, counts, resent)

    async def tell_of(self, worker: Claims, counts: list[int], resent: int) -> None:
        """Log so many events of each run in turn."""
        runs = self.held(worker)
        told = [self._say(run, pick(counts, n), resent) for n, run in enumerate(runs)]
        verdicts = await self._append(worker, list(zip(runs, told, strict=True)), is_to_be_repeated=True)
        for run, events, verdict in zip(runs, told, verdicts or [None] * len(runs), strict=True):
            if verdict is None or verdict[0] == "fenced":
                run.is_over = True
            else:
                run.sent += [event for event in events if event.seq > run.seq]
                run.seq = verdict[1]

    async def _append(
        self, worker: Claims, told: Sequence[tuple[Run, Sequence[AnyEvent]]], *, is_to_be_repeated: bool
    ) -> list[tuple[str, int, str]]:
        rows = [_row(run, events) for run, events in told]
        expected = working.append(self.world, worker.worker_id, [_told(*each) for each in told])
        got = await answer(worker.append(rows))
        verdicts = [] if isinstance(got, str) else [(each.verdict, each.seq, each.asked) for each in got]
        agree(expected, got if isinstance(got, str) else verdicts)
        if is_to_be_repeated:
            await self._remember(worker, [run for run, _ in told], lambda: worker.append(rows), renews=True)
        return verdicts

    @deed(number=NUMBER, when=_has_runs)
    async def leave_a_gap(self, number: int) -> None:
        """Tell what is not next: nothing lands."""
        run = pick(self.held(), number)
        self.tokens += 1
        await self._append(run.worker, [(run, [Token(seq=run.seq + 3, tokens=[self.tokens])])], is_to_be_repeated=False)

    @deed(
        number=NUMBER,
        count=FEW,
        resent=st.integers(0, 2),
        ending=st.sampled_from(["done", "done", "error", "cancelled"]),
        when=_has_runs,
    )
    async def finish(self, number: int, count: int, resent: int, ending: Ending) -> None:
        """End a job, asked or not."""
        await self.finish_run(pick(self.held(), number), count, resent, ending)

    async def finish_run(self, run: Run, count: int, resent: int, ending: Ending) -> None:
        """End a job with some last events."""
        events = self._say(run, count, resent)
        events.append(_end(ending, (events[-1].seq if events else run.seq) + 1))
        row = _row(run, events)
        expected = working.finish(self.world, run.worker.worker_id, _told(run, events), ending)
        agree(expected, await run.worker.finish(row, ending))
        await self._remember(run.worker, [run], lambda: run.worker.finish(row, ending))
        run.is_over = True

    @deed(number=NUMBER, not_on=st.sampled_from(["", *HOSTS]), has_no_room=st.booleans(), when=_has_runs)
    async def release(self, number: int, not_on: str, has_no_room: bool) -> None:
        """Hand a job over."""
        await self.release_run(pick(self.held(), number), not_on, has_no_room=has_no_room)

    async def release_run(self, run: Run, not_on: str, *, has_no_room: bool) -> None:
        """Hand a run's job over, and let go of it."""
        how: dict[str, Any] = {"not_on": not_on, "has_no_room": has_no_room}
        working.release(self.world, run.worker.worker_id, run.job_id, run.attempt, **how)
        await run.worker.release(run.job_id, run.attempt, **how)
        await self._remember(run.worker, [run], lambda: run.worker.release(run.job_id, run.attempt, **how))
        run.is_over = True

    @deed(number=NUMBER, new_tokens=st.lists(st.sampled_from([0, 15, 16, 40]), min_size=1, max_size=3), when=_has_runs)
    async def lose_an_engine(self, number: int, new_tokens: list[int]) -> None:
        """Let an engine die under all that a worker runs."""
        worker = pick(self.held(), number).worker
        await self.fail_runs(worker, self.held(worker), new_tokens)

    async def fail_runs(self, worker: Claims, runs: list[Run], new_tokens: list[int]) -> None:
        """Give back what an engine had, with so many new tokens of each in turn."""
        jobs = [(run.job_id, run.attempt, pick(new_tokens, n)) for n, run in enumerate(runs)]
        working.fail(self.world, worker.worker_id, worker.worker_id.partition(".")[0], jobs)
        await worker.fail(jobs)
        await self._remember(worker, runs, lambda: worker.fail(jobs))
        for run in runs:
            run.is_over = True

    @deed(number=NUMBER, is_long_ago=st.booleans())
    async def look_for_lost_claims(self, number: int, is_long_ago: bool) -> None:
        """Have a worker say what it holds; what was delivered beside that, long ago, goes back."""
        worker = self.worker(number)
        held = [run.entry for run in self.held(worker)]
        entries = [entry for entries in self.world.streams.values() for entry in entries]
        mine = [(entry.stream, entry.id) for entry in entries if entry.reader == worker.worker_id]
        lost = [each for each in mine if ":".join(each) not in held]
        for stream, entry_id in mine:
            words = ("XCLAIM", self.here.keys.jobs(stream), "workers", worker.worker_id, 0, entry_id)
            await self.here.redis(*words, "IDLE", 3_000 if is_long_ago else 0)
        expected = working.mine(self.world, worker.worker_id, lost if is_long_ago else [])
        agree(expected, await worker.mine(held))

    @deed(number=NUMBER, what=st.sampled_from(["append", "append", "finish", "release", "fail"]), when=_has_past)
    async def speak_late(self, number: int, what: str) -> None:
        """Let one that has let go of a job speak of it, sooner if it runs again."""
        await self.speak(pick(sorted(self._past(), key=self._distance)[:4], number), what)

    def _past(self, job_id: str | None = None) -> list[Run]:
        return [run for run in self.runs if run.is_over and job_id in {None, run.job_id}]

    def _distance(self, run: Run) -> int:
        job = self.world.jobs.get(run.job_id)
        return 3 if job is None or job.state != "running" else 2 - (job.owner == run.worker.worker_id)

    async def speak(self, run: Run, what: str) -> None:
        """Say of a job what would hit the very next seq, under an attempt that is past."""
        known = self.world.jobs.get(run.job_id)
        late = Run(run.worker, run.job_id, run.attempt, run.entry, known.seq if known else 0)
        match what:
            case "append":
                await self._append(run.worker, [(late, self._say(late, 2, 0))], is_to_be_repeated=True)
            case "finish":
                await self.finish_run(late, 0, 0, "done")
            case "release":
                await self.release_run(late, "", has_no_room=True)
            case _:
                await self.fail_runs(run.worker, [late], [0])

    async def speak_of_the_past(self, job_id: str) -> None:
        """Let the last one that ran a job before go on to tell of it."""
        for run in self._past(job_id)[-1:]:
            await self.speak(run, "append")

    async def repeat(self, said: Said) -> None:
        """Say something again: nothing that lasts may change, only its worker's lease."""
        before = await look(self.here)
        worker = self.world.workers.get(said.worker_id)
        if worker and said.renews and worker.lease == "ended":
            worker.lease = "live"
        await answer(said.again())
        changed = apart(before.lasting(), (await look(self.here)).lasting())
        assert not changed, f"said again, it changed {changed}"

    async def _remember(self, worker: Claims, runs: Sequence[Run], again: Any, *, renews: bool = False) -> None:
        """Keep what was said; of every other call the reply is lost, so that it is said again at once."""
        self.said.append(Said({run.job_id for run in runs}, worker.worker_id, again, renews))
        if len(self.said) % 2:
            await self.repeat(self.said[-1])

    def _say(self, run: Run, count: int, resent: int) -> list[AnyEvent]:
        """The next events of a run behind the last ones that it sent: `started` first, then tokens that are new."""
        old = run.sent[len(run.sent) - min(resent, len(run.sent)) :]
        new: list[AnyEvent] = []
        for seq in range(run.seq + 1, run.seq + 1 + count):
            self.tokens += 1
            new.append(Token(seq=seq, tokens=[self.tokens]))
        if new and not run.sent:
            new[0] = Started(seq=run.seq + 1, worker="w", attempt=run.attempt, seed=1, prompt_tokens=1, prompt_hash="p")
        return [*old, *new]


def _name(entry: Entry) -> str:
    return f"{entry.stream}:{entry.id}"


def _grant(job: Claimed) -> claiming.Grant:
    return claiming.Grant(job.id, job.attempt, job.entry.partition(":")[0], job.seq, job.body, job.job_class)


def _first(run: Run, events: Sequence[AnyEvent]) -> int:
    return events[0].seq if events else run.seq + 1


def _row(run: Run, events: Sequence[AnyEvent]) -> Row:
    return Row(run.job_id, run.attempt, _first(run, events), [encode_event(event) for event in events])


def _told(run: Run, events: Sequence[AnyEvent]) -> working.Told:
    return (run.job_id, run.attempt, _first(run, events), [gist_of(event) for event in events])


def _end(ending: Ending, seq: int) -> AnyEvent:
    match ending:
        case "done":
            return Done(seq=seq, reason="stop", usage=Usage(prompt_tokens=1, completion_tokens=1))
        case "error":
            return Error(seq=seq, code="internal", message="")
        case "cancelled":
            return Cancelled(seq=seq)
