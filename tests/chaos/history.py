"""What happened in a run: one record a line of JSON, in the order in which the driver saw it.

The driver alone writes, by its own monotonic clock; the checker alone reads, and needs nothing else. A `request` is one
client's wish, a `job` what the pool made of it: several requests may share a job. Plain data.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from .rules import Rules

Outcome = Literal["ok", "refused", "unknown"]
Manners = Literal["polite", "leaver", "canceller", "slow"]
How = Literal["done", "error", "cancelled", "refused", "left", "lost", "gave_up"]


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="what"):
    """One line; `at` is in seconds since the run began."""

    at: float


class Began(Record, frozen=True, kw_only=True, tag="began"):
    """The run: what was to be done to the pool, and the rules that hold for it."""

    scenario: str
    seed: int
    seconds: float
    rules: Rules


class Asked(Record, frozen=True, kw_only=True, tag="asked"):
    """A client wants something. `job` is known beforehand, but for a request without a key, which is told it."""

    request: str
    client: str
    body: dict[str, Any]
    job: str = ""
    manners: Manners = "polite"


class Answered(Record, frozen=True, kw_only=True, tag="answered"):
    """One try at submitting was answered, or was not: ok is accepted, refused never runs, unknown may do either."""

    request: str
    outcome: Outcome
    tried_at: float
    status: int = 0  # of HTTP; 0 where no answer came
    code: str = ""
    job: str = ""


class Received(Record, frozen=True, kw_only=True, tag="received"):
    """An event arrived at a client; `seq` is 0 for what a gateway says of itself."""

    request: str
    seq: int
    status: str
    content: str = ""
    calls: str = ""
    attempt: int = 0
    code: str = ""
    completion_tokens: int | None = None


class Cut(Record, frozen=True, kw_only=True, tag="cut"):
    """A client's connection broke in the midst of a stream; it comes back with `Last-Event-ID`."""

    request: str
    why: str


class Left(Record, frozen=True, kw_only=True, tag="left"):
    """A client went away on purpose, for good, or asked for a cancel."""

    request: str


class Over(Record, frozen=True, kw_only=True, tag="over"):
    """A request's end as its client saw it."""

    request: str
    how: How
    code: str = ""


class Struck(Record, frozen=True, kw_only=True, tag="struck"):
    """A nemesis did something to the pool."""

    nemesis: str
    target: str = ""
    detail: str = ""


class Pried(Record, frozen=True, kw_only=True, tag="pried"):
    """Somebody asked for a job that is another's, or without a key; `status` is HTTP's, 0 where no answer came."""

    job: str
    who: str  # a tenant; "" is nobody
    method: str
    status: int


class Healed(Record, frozen=True, kw_only=True, tag="healed"):
    """A nemesis took back what it did."""

    nemesis: str
    target: str = ""


class Published(Record, frozen=True, kw_only=True, tag="published"):
    """A message on a job's channel, as a pattern subscriber heard it; it is not counted among the job's listeners."""

    job: str
    attempt: int
    worker: str
    first_seq: int
    statuses: list[str]


class Logged(Record, frozen=True, kw_only=True, tag="logged"):
    """An event in a job's log, read when all was over."""

    job: str
    seq: int
    attempt: int
    status: str
    content: str = ""
    calls: str = ""
    tokens: list[int] = []
    logprobs: list[float] = []
    worker: str = ""
    code: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Kept(Record, frozen=True, kw_only=True, tag="kept"):
    """A job's record, read when all was over; `ttl_ms` is None for a record that would stay for ever."""

    job: str
    state: str
    attempt: int
    seq: int
    ttl_ms: int | None


class Buried(Record, frozen=True, kw_only=True, tag="buried"):
    """A dead letter, read when all was over."""

    job: str
    why: str


class Process(msgspec.Struct, frozen=True, omit_defaults=True):
    """One living process of the pool; None where this system does not tell."""

    name: str
    kind: str  # broker, gateway, worker, engine
    descriptors: int | None = None  # those that are no connections to the broker, whose pools keep theirs
    resident_bytes: int | None = None


class Census(Record, frozen=True, kw_only=True, tag="census"):
    """What the pool holds: at base, before the first request, and at rest, after the last one."""

    phase: Literal["base", "rest"]
    waiting: int
    running: int
    busy: int  # slots that workers call taken
    unfinished: int  # deadlines kept, cancels unheard
    strays: list[str]  # keys without a TTL that are not permanent by declaration, consumers without a lease, orphans
    processes: list[Process]
    quiet_after_s: float = 0.0


RecordT = TypeVar("RecordT", bound=Record)
AnyRecord = (
    Began
    | Asked
    | Answered
    | Received
    | Cut
    | Left
    | Over
    | Struck
    | Healed
    | Pried
    | Published
    | Logged
    | Kept
    | Buried
    | Census
)

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)


class History:
    """The history of a run that is under way: records are kept, and written as they come."""

    def __init__(self, path: Path) -> None:
        self.records: list[AnyRecord] = []
        self._began = time.monotonic()
        self._file = path.open("wb")

    def now(self) -> float:
        """Seconds since the run began."""
        return round(time.monotonic() - self._began, 6)

    def add(self, record: AnyRecord) -> None:
        """Write a record down."""
        self.records.append(record)
        self._file.write(_ENCODER.encode(record) + b"\n")

    def close(self) -> None:
        """Have everything on the disk's side."""
        self._file.close()


def how_of(status: str) -> How:
    """Say how a request is over whose last event has this status."""
    return msgspec.convert(status, How)


def read_history(lines: Iterable[bytes]) -> list[AnyRecord]:
    """Read a history as it was written."""
    return [_DECODER.decode(line) for line in lines if line.strip()]
