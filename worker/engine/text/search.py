"""Looking for strings in a text that comes in pieces.

The match that is complete first counts, and of those that end together the longest: whatever pieces the text comes in,
it is cut at the same place. Every generated id comes by here: loops in place of generators are meant.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Match(NamedTuple):
    """A string that was found: compared, the one that counts is the least."""

    end: int
    begin: int


def first_match(text: str, wanted: Iterable[str]) -> Match | None:
    """The match that is complete first."""
    found: Match | None = None
    for each in wanted:
        at = text.find(each)
        if at >= 0 and (found is None or (at + len(each), at) < found):
            found = Match(at + len(each), at)
    return found


def length_held(text: str, wanted: Iterable[str]) -> int:
    """The length of the longest end of the text that begins a wanted string, and may still become one."""
    length = 0
    for each in wanted:
        at = text.find(each[0], max(0, len(text) - len(each) + 1))
        while at >= 0 and not each.startswith(text[at:]):
            at = text.find(each[0], at + 1)
        if at >= 0:
            length = max(length, len(text) - at)
    return length
