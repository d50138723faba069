"""The bytes behind the pieces of a vocabulary. A character's bytes may be spread over several ids.

Vocabularies write bytes in one of two ways. SentencePiece writes text, with `▁` for a blank and `<0xEA>` for a byte by
itself. Byte-level BPE writes a letter for every byte: https://github.com/openai/gpt-2/blob/master/src/encoder.py.
"""

import re
from collections.abc import Collection
from typing import Protocol

_BLANK = "▁"
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
# Bytes that byte-level BPE writes as the letter of their own number, and the others, which take letters from 256 on.
_VISIBLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_OTHERS = tuple(byte for byte in range(0x100) if byte not in _VISIBLE)
_LETTERS = {chr(byte): bytes([byte]) for byte in _VISIBLE} | {
    chr(0x100 + place): bytes([byte]) for place, byte in enumerate(_OTHERS)
}
_BYTE_LEVEL_BLANK = "Ġ"


class Spelling(Protocol):
    """A way of writing bytes."""

    def __call__(self, piece: str, *, is_added: bool) -> bytes:
        """Read a piece; one that was added to the vocabulary by hand may be written as it is."""
        ...


def spelling_of(pieces: Collection[str | None]) -> Spelling | None:
    """Find how these pieces are written; None: in neither way."""
    # First SentencePiece's: a vocabulary of many languages has the other's blank as a letter.
    if _BLANK in pieces:
        return _sentencepiece
    return _byte_level if _BYTE_LEVEL_BLANK in pieces else None


def _sentencepiece(piece: str, *, is_added: bool) -> bytes:  # noqa: ARG001 the Protocol's question
    if byte := _BYTE.fullmatch(piece):
        return bytes.fromhex(byte[1])
    return piece.replace(_BLANK, " ").encode()


def _byte_level(piece: str, *, is_added: bool) -> bytes:
    if is_added:
        return piece.encode()
    return b"".join(_LETTERS.get(letter) or letter.encode() for letter in piece)
