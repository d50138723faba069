"""Dead letters: jobs that nobody can run, kept for the operator to look at, retry or drop."""

import re
from typing import Any, Final

import msgspec

from .connection import Broker
from .errors import Refused
from .job import DEFAULT_TIMEOUT_MS
from .keys import Keys
from .queue import Queue, Submission, keyed_job_id

_NAME: Final = re.compile(r"[0-9]{1,19}-[0-9]{1,19}")
_PAGE: Final = 100  # letters have bodies


class DeadLetter(msgspec.Struct, frozen=True):
    """A job as it was when it was given up. `letter` names it here; `job` is the id that its readers knew."""

    letter: str
    why: str
    at_ms: int
    job: str
    body: str
    tenant: str = ""
    outline: str = ""  # what its prompt begins with, as its producer told
    on: str = ""  # the hosts that tried it, with blanks between; none where nobody could even begin


class DeadLetters:
    """The dead letters of one queue: bounded in number, bytes and age."""

    def __init__(self, broker: Broker, model: str) -> None:
        self._broker = broker
        self._key = Keys(model).dead
        self._queue = Queue(broker, model)

    async def newest(self, count: int) -> list[DeadLetter]:
        """Read the last ones, newest first."""
        rows: list[Any] = await self._broker.command("XREVRANGE", self._key, "+", "-", "COUNT", count)
        return [_letter(*row) for row in rows]

    async def names(self) -> list[str]:
        """Name all that are there, newest first."""
        names: list[str] = []
        end = "+"
        while rows := await self._broker.command("XREVRANGE", self._key, end, "-", "COUNT", _PAGE):
            names += [name.decode() for name, _ in rows]
            end = f"({names[-1]}"
        return names

    async def read(self, letter: str) -> DeadLetter:
        """Read one.

        Raises:
            Refused: there is none of that name.

        """
        _check(letter)
        rows: list[Any] = await self._broker.command("XRANGE", self._key, letter, letter)
        if not rows:
            raise Refused("not_found", f"There is no dead letter {letter}.")
        return _letter(*rows[0])

    async def retry(self, letter: str) -> str:
        """Put the job on its queue again, as a new job in class `lo`, and drop the letter; returns the new job's id.

        Saying it twice runs it once: the new id comes from the letter's name.
        """
        dead = await self.read(letter)
        job_id = keyed_job_id(self._queue.model, dead.tenant, f"retry of dead letter {letter}")
        submission = Submission(job_id, dead.body.encode(), DEFAULT_TIMEOUT_MS, dead.outline)
        await self._queue.submit([submission], job_class="lo", may_wait=True, tenant=dead.tenant)
        await self.drop(letter)
        return job_id

    async def drop(self, letter: str) -> None:
        """Forget one; dropping it again changes nothing.

        Raises:
            Refused: no letter has such a name.

        """
        _check(letter)
        await self._broker.command("XDEL", self._key, letter)


def _check(letter: str) -> None:
    # Redis would take a part of a name for the first letter that begins so.
    if not _NAME.fullmatch(letter):
        raise Refused("not_found", f"There is no dead letter {letter}.")


def _letter(name: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    told = {field.decode(): value.decode(errors="replace") for field, value in fields.items()}
    return DeadLetter(
        letter=name.decode(),
        why=told.get("why", ""),
        at_ms=int(told.get("at", "0")),
        job=told.get("id", ""),
        body=told.get("body", ""),
        tenant=told.get("tenant", ""),
        outline=told.get("outline", ""),
        on=told.get("on", ""),
    )
