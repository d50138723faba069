"""What a worker sees of a queue before it takes anything: the jobs that wait, and where their prompts were served."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from .outline import Prefix, decode_outline


class Waiting(NamedTuple):
    """A job that nobody has taken. Times are Redis TIME, in seconds; tokens are its producer's estimates."""

    entry: str  # <class>:<entry id>, by which it is taken
    cls: str
    arrived: float
    tokens: float
    prefixes: Sequence[Prefix] = ()  # what its prompt begins with, shallow to deep
    home: str = ""  # the living worker that served the deepest known of them, "" if none
    home_tokens: int = 0
    tenant: str = ""
    not_on: str = ""  # the host that gave it back, and should not be the next to take it
    is_beyond_share: bool = False  # its tenant runs on an even share of the seats without it, and others ask too

    @property
    def steps_aside(self) -> bool:
        """Whether others' prompts are read before its own."""
        return self.is_beyond_share or self.cls == "lo"


class Window(msgspec.Struct, frozen=True):
    """One look at the queue."""

    waiting: Sequence[Waiting]
    now_s: float
    another_is_free: bool  # as the workers told last
    others_read_per_s: float = 0.0  # how many tokens the quickest of those reads that are free; 0: not known
    suspect: str = ""  # the entry of a job that has to run alone, if one waits for this host
    is_suspect_due: bool = False  # this worker is the one to become empty for it
    suspect_not_on: str = ""
    behind: Sequence[str] = ()  # ids, one a class, behind which a doorbell can wait


def read_window(reply: Sequence[Any]) -> Window:
    """Take the answer of the script `look` apart."""
    now_ms, (another_is_free, others_read_per_s), (suspect, is_due, not_on), last_ids, *rows = reply
    return Window(
        waiting=list(_waiting(rows)),
        now_s=int(now_ms) / 1_000,
        another_is_free=bool(another_is_free),
        others_read_per_s=float(others_read_per_s),
        suspect=suspect.decode(),
        is_suspect_due=bool(is_due),
        suspect_not_on=not_on.decode(),
        behind=[last.decode() for last in last_ids],
    )


def _waiting(rows: Iterable[Sequence[Any]]) -> Iterable[Waiting]:
    for entry, tenant, told, home, place, not_on, is_beyond_share in rows:
        outline = decode_outline(told.decode())
        name = entry.decode()
        job_class, _, entry_id = name.partition(":")
        yield Waiting(
            entry=name,
            cls=job_class,
            arrived=int(entry_id.partition("-")[0]) / 1_000,
            tokens=outline.tokens,
            prefixes=outline.prefixes,
            home=home.decode(),
            home_tokens=outline.homes[place - 1].tokens if 0 < place <= len(outline.homes) else 0,
            tenant=tenant.decode(errors="replace"),
            not_on=not_on.decode(errors="replace"),
            is_beyond_share=bool(is_beyond_share),
        )
