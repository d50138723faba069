"""Finding a response again: by its name, for whom it is, as long as its job is known."""

from typing import NamedTuple

from shared.errors import Fault, Refused
from shared.job import JOB_ID
from shared.pool import Pool
from shared.queue import Queue

from .conversation import turn_of
from .events import Events
from .input_item import InputItem
from .logged import logged
from .note import Note, read_note
from .response import PREFIX, Opening, Response


class Stored(NamedTuple):
    """A response that was kept."""

    queue: Queue
    opening: Opening
    note: Note
    has_ended: bool

    @property
    def job_id(self) -> str:
        """The job that gives it."""
        return self.opening.job_id


class Shelf:
    """The responses that were kept."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, name: str, tenant: str) -> Stored:
        """The response of this name.

        Raises:
            Refused: job_not_found, alike for one that is unknown, expired, not kept, or another's.
            Fault: broker_down.

        """
        if found := await self._find(name, tenant):
            return found
        raise Refused("job_not_found", "No such response, or it has expired, or it was not stored.")

    async def _find(self, name: str, tenant: str) -> Stored | None:
        job_id = name.removeprefix(PREFIX)
        if job_id == name or not JOB_ID.fullmatch(job_id):
            return None
        queue = await self._pool.queue_of(job_id)
        kept = await queue.kept(job_id) if queue else None
        if not queue or not kept or kept.tenant != tenant:
            return None
        try:
            note = read_note(kept.note)
        except ValueError:
            return None
        opening = Opening(job_id, kept.enqueued_at_ms // 1_000, note.echo)
        return Stored(queue, opening, note, kept.state == "ended")

    async def read(self, stored: Stored) -> Response:
        """The response as it is now.

        Raises:
            Fault: broker_down.

        """
        events = Events(stored.opening)
        for event in (await logged(stored.queue, stored.job_id)).events:
            events.tell(event)
        if stored.has_ended and not events.has_ended:
            raise Fault("stream_lost", "Redis no longer has all of this response.")
        return events.response()

    async def history(self, name: str, tenant: str) -> list[InputItem]:
        """The conversation up to this response, its answer included.

        Raises:
            Refused: previous_response_not_found; or it is none to go on from.
            Fault: broker_down.

        """
        stored = await self._find(name, tenant)
        if stored is None:
            said = "There is no such response to go on from, or it has expired, or it was not stored."
            raise Refused("previous_response_not_found", said, param="previous_response_id")
        response = await self.read(stored)
        if response.status not in ("completed", "incomplete"):
            said = f"The previous response is {response.status}: there is no answer to go on from."
            raise Refused("invalid_value", said, param="previous_response_id")
        return [*stored.note.input, *turn_of(response.output)]
