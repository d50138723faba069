"""How a job ended, for those who want an answer: it is done, or there is an error to tell them."""

from gateway.delivery import Text, Told
from shared.errors import Fault, PoolError, Refused, from_wire
from shared.event import Cancelled, Done, Error


def done_of(end: Text | Told | None) -> Done:
    """The end of an answer that is whole.

    Raises:
        PoolError: it is not: the job failed, or was cancelled, or its end can't be read.

    """
    match end:
        case Done():
            return end
        case Cancelled() | Error():
            raise error_of(end)
        case _:
            raise Fault("stream_lost", "The job's end can't be read.")


def error_of(end: Cancelled | Error) -> PoolError:
    """What there is to tell of an end that leaves the answer in pieces."""
    if isinstance(end, Error):
        return from_wire(end.code, end.message, param=end.param)
    # Half an answer must not look like a whole one, and no `finish_reason` says that it was given up.
    return Refused("job_cancelled", "The job was cancelled.")
