"""What all chunks of an answer, and the whole one, have in common; and the bytes that are alike in every stream."""

import json
from typing import Protocol

import msgspec

from gateway.delivery import Text
from gateway.errors import error_object
from gateway.frames import one_line
from shared.errors import PoolError
from shared.event import Reason

from .usage import CompletionUsage

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE = b": keep-alive\n\n"
END = b"data: [DONE]\n\n"


class Envelope(msgspec.Struct, frozen=True):
    """An answer's name, its time, and the model as the client named it."""

    id: str
    created: int
    model: str

    def head(self, kind: str) -> bytes:
        """The beginning of a chunk of this kind, up to its choices."""
        # In ASCII, so that nothing in it ever has to be looked at again.
        told = json.dumps({"id": self.id, "object": kind, "created": self.created, "model": self.model})
        return b'data: %b,"choices":' % told[:-1].encode()

    def usage(self, kind: str, usage: CompletionUsage) -> bytes:
        """The chunk of token counts, which has no choice."""
        return b'%b[],"usage":%b}\n\n' % (self.head(kind), msgspec.json.encode(usage))


class Chunks(Protocol):
    """One choice of a stream, as bytes."""

    kind: str

    def begin(self) -> bytes:
        """What comes before any text."""
        ...

    def text(self, text: Text) -> bytes:
        """A piece of the answer; nothing where it has none to show."""
        ...

    def finish(self, reason: Reason) -> bytes:
        """Why it ended."""
        ...


def failure(error: PoolError) -> bytes:
    """The last event of a stream that failed; no `END` comes behind it, and the connection is cut."""
    return b"data: %b\n\n" % one_line(msgspec.json.encode({"error": error_object(error)}))
