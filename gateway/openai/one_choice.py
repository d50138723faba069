"""A stream of one choice, which most are: each event's bytes, for `gateway.answer.stream` to send."""

from typing import assert_never

from gateway.delivery import Delivery, Text, Told
from gateway.frames import queued_comment
from shared.event import Cancelled, Done, Error, Queued, Started

from .ending import error_of
from .envelope import END, KEEP_ALIVE, MEDIA_TYPE, Chunks, Envelope, failure
from .usage import usage_of


class OneChoice:
    """The frames of a job's stream."""

    media_type = MEDIA_TYPE
    keep_alive = KEEP_ALIVE

    def __init__(self, envelope: Envelope, chunks: Chunks, *, has_usage: bool) -> None:
        self._envelope = envelope
        self._chunks = chunks
        self._text = chunks.text
        self._has_usage = has_usage
        self._has_begun = False

    def frame(self, delivery: Delivery) -> bytes:
        """The chunks that an event becomes, if any."""
        event = delivery.event
        if isinstance(event, Text):
            return self._text(event) if self._has_begun else self._begin() + self._text(event)
        match event:
            case Queued():
                return queued_comment(event)
            case Started():
                return self._begin()
            case Done():
                return self._begin() + self._finish(event)
            case Cancelled() | Error():
                return failure(error_of(event))
            case _:
                assert_never(event)

    def failure(self, error: Error) -> bytes:
        """An error event."""
        return failure(error_of(error))

    def may_end_cleanly(self, end: Told) -> bool:
        """Only when all of the answer is there: SDKs take a clean end for success."""
        return isinstance(end, Done)

    def _begin(self) -> bytes:
        # Once, whatever number of workers begin: an SDK would gather a second role as "assistantassistant".
        if self._has_begun:
            return b""
        self._has_begun = True
        return self._chunks.begin()

    def _finish(self, done: Done) -> bytes:
        usage = self._envelope.usage(self._chunks.kind, usage_of([done.usage])) if self._has_usage else b""
        return self._chunks.finish(done.reason) + usage + END
