"""Reading `multipart/form-data` as it comes: what is held is a piece of it, whatever its size.

RFC 7578, without what clients don't do: no nested parts, no transfer encodings.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from shared.errors import Refused

MAX_HEAD_BYTES = 8_192
_BOUNDARY = re.compile(r'boundary=(?:"([^"\r\n]{1,70})"|([^\s;",]{1,70})(?=[\s;,]|$))')
_NAME = re.compile(rb'[;\s]name="([^"\r\n]*)"')
_FILE_NAME = re.compile(rb'[;\s]filename="([^"\r\n]*)"')


class Head(NamedTuple):
    """A part begins: its field, and the file's name if it is one."""

    field: str
    file_name: str | None


Seen = Head | bytes


def boundary_of(content_type: str) -> bytes:
    """What stands between the parts.

    Raises:
        Refused: wrong_content_type.

    """
    kind, _, parameters = content_type.partition(";")
    found = _BOUNDARY.search(parameters)
    if kind.strip().lower() != "multipart/form-data" or not found:
        raise Refused("wrong_content_type", "The body must be a form: Content-Type: multipart/form-data; boundary=….")
    return (found.group(1) or found.group(2)).encode("latin-1", "replace")


class _State(Enum):
    BETWEEN = auto()  # before the first part, where nothing is anybody's
    TURN = auto()  # behind a delimiter, which tells whether more comes
    HEAD = auto()
    DATA = auto()
    ENDED = auto()


class Multipart:
    """The parts of one body."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._held = b"\r\n"  # so that the first delimiter is one like the others
        self._state = _State.BETWEEN

    @property
    def has_ended(self) -> bool:
        """Whether the last delimiter was there."""
        return self._state is _State.ENDED

    def feed(self, data: bytes) -> Iterator[Seen]:
        """What the next bytes of the body show: heads, and the data behind each.

        Raises:
            Refused: they are no form.

        """
        if self.has_ended:
            return  # what stands behind the last part is nobody's
        self._held += data
        steps = {_State.BETWEEN: self._seek, _State.DATA: self._seek, _State.TURN: self._turn, _State.HEAD: self._head}
        while step := steps.get(self._state):
            state = self._state
            if seen := step():
                yield seen
            if self._state is state:
                return  # more has to come first

    def _seek(self) -> bytes:
        """Go on to the next delimiter; what stands before it is the part's, if one is open."""
        was_data = self._state is _State.DATA
        at = self._held.find(self._delimiter)
        if at >= 0:
            seen, self._held = self._held[:at], self._held[at + len(self._delimiter) :]
            self._state = _State.TURN
        else:
            # Its last bytes may be the beginning of a delimiter.
            end = max(0, len(self._held) - len(self._delimiter) + 1)
            seen, self._held = self._held[:end], self._held[end:]
        return seen if was_data else b""

    def _turn(self) -> None:
        if len(self._held) < 2:
            return
        if self._held.startswith(b"--"):
            self._state = _State.ENDED
        elif self._held.startswith(b"\r\n"):
            self._state = _State.HEAD
        else:
            raise _broken("its parts are not parted by its boundary")

    def _head(self) -> Head | None:
        end = self._held.find(b"\r\n\r\n")
        if end < 0 and len(self._held) <= MAX_HEAD_BYTES:
            return None
        if not 0 <= end <= MAX_HEAD_BYTES:
            raise _broken("a part's head is too large")
        head, self._held = self._held[:end], self._held[end + 4 :]
        self._state = _State.DATA
        return _head_in(head)


def _head_in(head: bytes) -> Head:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition" and (field := _NAME.search(value)):
            file_name = _FILE_NAME.search(value)
            return Head(_text(field), _text(file_name) if file_name else None)
    raise _broken("a part has no name")


def _text(found: re.Match[bytes]) -> str:
    return found.group(1).decode("utf-8", "replace")


def _broken(why: str) -> Refused:
    return Refused("invalid_value", f"The form can't be read: {why}.")
