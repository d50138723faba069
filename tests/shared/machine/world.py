"""The queue as its protocol describes it: plain values, without Redis and without a clock.

What callers may ask of it is in `producing`, `working` and `reaping`; here are the nouns, and the words that those
three share. An event is known by its gist (`gist.py`), an entry by its job and its place in the stream.
"""

from dataclasses import dataclass, field
from typing import Literal

CLASSES = ("re", "hi", "std", "lo", "sus")
DEAD_AFTER, SUSPECT_AFTER = 5, 3
SLOTS = 2  # of each worker
Telling = Literal["ready", "loading", "standby", "coming"]  # coming: it stands by, and makes room
WINDOW = "~win"  # to whom entries are delivered that all may see, and nobody has


@dataclass(eq=False)
class Entry:
    """A place in a stream. Of several with one job's id only the job's own counts."""

    job_id: str
    stream: str
    body: bytes
    is_named: bool = True  # its producer chose the id
    flaw: str = ""  # the code in which it ends, since nobody can run it
    wants_reply: bool = False
    tenant: str = ""
    not_on: str = ""
    reader: str = ""  # the worker that it was delivered to
    id: str = ""  # as Redis numbered it


@dataclass(eq=False)
class Job:
    """A job's record and its log."""

    id: str
    body: bytes
    entry: Entry
    job_class: str
    is_attached: bool = False
    tenant: str = ""
    attempt: int = 0
    born_at: int = 0  # attempts of an earlier life, which ended because nobody listened
    state: Literal["waiting", "running", "ended"] = "waiting"
    owner: str = ""
    log: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])  # attempt, gist
    mark: int = 0  # how long the log was when this attempt began
    barren: int = 0  # attempts in a row without a token
    strikes: int = 0  # engines that died under it
    struck_on: str = ""
    hand_backs: int = 0
    cancel: str = ""
    ending: str = ""
    why: str = ""
    unheard: Literal["", "lately", "long"] = ""
    lateness: Literal["", "late", "overdue"] = ""
    is_timed: bool = False  # the reapers know its deadline

    @property
    def seq(self) -> int:
        """The last logged event's number."""
        return len(self.log)

    @property
    def is_barren(self) -> bool:
        """Whether this attempt has told nothing but that it began."""
        return self.seq <= self.mark + 1


@dataclass(eq=False)
class Worker:
    """An incarnation: `ended` is a lease that nobody has reaped yet, `gone` one that is not there any more."""

    id: str
    host: str
    lease: Literal["live", "ended", "gone"] = "live"
    state: Telling = "ready"
    turn: int = 0
    busy: int = 0


def _streams() -> dict[str, list[Entry]]:
    return {name: [] for name in CLASSES}


@dataclass(eq=False)
class World:
    """One queue."""

    limit: int
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    streams: dict[str, list[Entry]] = field(default_factory=_streams)
    workers: dict[str, Worker] = field(default_factory=dict[str, Worker])
    consumers: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])  # class, worker
    heard: set[str] = field(default_factory=set[str])  # jobs that somebody listens to
    forewarned: set[str] = field(default_factory=set[str])  # cancelled before anybody saw their entry
    cancels: list[str] = field(default_factory=list[str])
    dead: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # why, job
    asked: set[str] = field(default_factory=set[str])  # the tenants that have asked for something
    replies: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # job, its end's gist

    def waiting(self, stream: str) -> list[Entry]:
        """What waits in a class, in the window or before it."""
        return [entry for entry in self.streams[stream] if entry.reader in {"", WINDOW}]

    def has_its_share(self, tenant: str) -> bool:
        """Whether a tenant runs on half of the seats, while others ask too."""
        running = sum(job.state == "running" and job.tenant == tenant for job in self.jobs.values())
        return running * 2 >= SLOTS * len(self.alive()) and bool(self.asked - {tenant})

    def alive(self) -> list[Worker]:
        """Who holds a lease."""
        return [worker for worker in self.workers.values() if worker.lease == "live"]

    def another_host_lives(self, host: str) -> bool:
        """Whether anybody else could take what this machine should not."""
        return any(worker.host != host for worker in self.alive())

    def another_host_comes(self, host: str) -> bool:
        """Whether anybody else will be ready to soon."""
        return any(worker.host != host and worker.state in {"loading", "coming"} for worker in self.alive())


def drop(world: World, entry: Entry) -> None:
    """Acknowledge and delete an entry."""
    if entry in world.streams[entry.stream]:
        world.streams[entry.stream].remove(entry)


def enroll(world: World, entry: Entry) -> Job:
    """Make the record of an entry that came without one."""
    job = world.jobs[entry.job_id] = Job(entry.job_id, entry.body, entry, entry.stream, tenant=entry.tenant)
    world.asked.add(entry.tenant)
    if entry.job_id in world.forewarned:
        world.forewarned.remove(entry.job_id)
        job.cancel = "cancelled"
    job.is_timed = True
    return job


def find(world: World, job_id: str) -> Job | None:
    """A job by its id, also one that has only its entry's."""
    if job := world.jobs.get(job_id):
        return job
    waiting = [entry for name in ("hi", "std", "lo") for entry in world.streams[name]]
    return next((enroll(world, entry) for entry in waiting if entry.job_id == job_id and not entry.is_named), None)


def end(world: World, job: Job, ending: str, gist: str) -> None:
    """The terminal event is logged: everything else about the job goes."""
    job.state, job.ending, job.why = "ended", ending, job.cancel
    job.owner = job.cancel = job.unheard = job.lateness = ""
    job.is_timed = False
    drop(world, job.entry)
    if job.entry.wants_reply:
        world.replies.append((job.id, gist))


def conclude(world: World, job: Job, ending: str, detail: str) -> None:
    """End a job without its worker."""
    gist = f"{ending} {detail}"
    job.log.append((job.attempt, gist))
    end(world, job, ending, gist)


def conclude_cancelled(world: World, job: Job, reason: str) -> None:
    """End a job that nobody wants."""
    job.cancel = reason
    conclude(world, job, "cancelled", reason)


def cancel_job(world: World, job: Job, reason: str) -> Literal["cancelled", "flagged"]:
    """End what waits; ask for the end of what runs, a client's word before the mere lack of listeners."""
    if job.state == "waiting":
        conclude_cancelled(world, job, reason)
        return "cancelled"
    if job.cancel in {"", "unheard"}:
        job.cancel = reason
    return "flagged"


def poison(world: World, job: Job) -> None:
    """End a job that ended its workers, and keep it."""
    world.dead.append(("poisoned", job.id))
    conclude(world, job, "error", "poisoned")


def give_back(world: World, job: Job, *, not_on: str = "", is_suspect: bool | None = None) -> None:
    """The one way back: a new entry, first in line or among the suspects, and nobody's."""
    if job.cancel:
        conclude_cancelled(world, job, job.cancel)
        return
    barren, was = (job.barren + 1 if job.is_barren else 0), job.entry
    if barren >= DEAD_AFTER:
        poison(world, job)
        return
    job.barren = barren
    if is_suspect is None:
        is_suspect = was.stream == "sus" and job.barren > 0
    drop(world, was)
    stream = "sus" if is_suspect or job.barren >= SUSPECT_AFTER else "re"
    job.entry = Entry(job.id, stream, was.body, wants_reply=was.wants_reply, not_on=not_on)
    world.streams[stream].append(job.entry)
    job.state, job.owner = "waiting", ""


def return_entry(world: World, entry: Entry) -> int:
    """Take an entry from a worker that is dead, or never learnt that it has it."""
    job = world.jobs.get(entry.job_id)
    if job and job.state == "running" and job.owner == entry.reader and job.entry is entry:
        give_back(world, job)
        return 1
    drop(world, entry)
    return 0
