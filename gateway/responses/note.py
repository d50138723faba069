"""What is kept beside a response's job, so that any gateway can tell of it, and a later response go on from it."""

from collections.abc import Sequence

import msgspec

from .input_item import InputItem
from .response import Echo

_encode = msgspec.json.Encoder().encode


class Note(msgspec.Struct, frozen=True):
    """The request: what its response repeats, and the whole conversation, what came before it too."""

    echo: Echo
    input: list[InputItem]


_decode = msgspec.json.Decoder(Note).decode


def encode_note(echo: Echo, items: Sequence[InputItem]) -> bytes:
    """The note as it is kept."""
    return _encode(Note(echo, list(items)))


def read_note(data: bytes) -> Note:
    """What was kept.

    Raises:
        ValueError: it is another's note.

    """
    return _decode(data)
