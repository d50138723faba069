"""What a terminal is shown: words of others without what would steer it, and colours where somebody sees them."""

import os
from collections.abc import Mapping
from typing import Final, Literal, TextIO

import msgspec

Colour = Literal["green", "yellow", "red", "dim", "bold", "plain"]
_CODES: Final[dict[Colour, str]] = {"green": "32", "yellow": "33", "red": "31", "dim": "2", "bold": "1", "plain": ""}


def clean(text: str) -> str:
    """Give the text on one line, with a dot for each character that is not seen: a name may hold an escape sequence."""
    return "".join(character if character.isprintable() else "·" for character in text)


class Ink(msgspec.Struct, frozen=True):
    """Paints words, or leaves them as they are."""

    has_colours: bool

    def paint(self, text: str, colour: Colour) -> str:
        """Give the text in a colour."""
        code = _CODES[colour]
        return f"\x1b[{code}m{text}\x1b[0m" if self.has_colours and code else text


def ink_for(out: TextIO, env: Mapping[str, str] = os.environ) -> Ink:
    """Choose: colours on a terminal that knows them, unless NO_COLOR says otherwise."""
    return Ink(out.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb")
