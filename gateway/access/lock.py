"""The lock of the door: which keys open it, and whom each of them lets in.

Unknown, revoked and malformed keys get one and the same answer.
"""

import time
from collections.abc import Sequence

from gateway.caller import Caller, Header
from shared.errors import Refused

from .keys_file import KeysFile
from .ring import Ring

_MESSAGE = "No API key that is valid here was shown: it stands in Authorization: Bearer KEY, or in x-api-key: KEY."


class Lock:
    """Opens for the one shared key, and for the keys of a file."""

    def __init__(self, shared_key: str | None = None, file: KeysFile | None = None) -> None:
        self._shared = Ring.of_one(shared_key) if shared_key else None
        self._file = file

    def open(self, headers: Sequence[Header]) -> Caller:
        """Tell whom a request's headers show.

        Raises:
            Refused: invalid_api_key.

        """
        given = keys_given(headers)
        rings = (self._shared, self._file.ring(time.monotonic()) if self._file else None)
        for ring in rings if len(given) == 1 else ():
            if ring and (caller := ring.caller(*given)):
                return caller
        raise Refused("invalid_api_key", _MESSAGE)

    def standing(self, caller: Caller) -> Caller | None:
        """What somebody who was let in before may do now; None: nothing any more, the key was revoked.

        Of the one shared key nobody knows who had it, so whom it let in stays.
        """
        if not caller.key:
            return caller
        now = self._file.ring(time.monotonic()).named(caller.key) if self._file else None
        return now if now and now.tenant == caller.tenant else None


def keys_given(headers: Sequence[Header]) -> set[bytes]:
    """The keys that a request shows; an Authorization of another kind than Bearer counts as one that nobody has."""
    given: set[bytes] = set()
    for name, value in headers:
        if name == b"x-api-key":
            given.add(value.strip())
        elif name == b"authorization":
            scheme, _, key = value.strip().partition(b" ")
            given.add(key.strip() if scheme.lower() == b"bearer" else b"")
    return given
