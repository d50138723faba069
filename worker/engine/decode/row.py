"""A row: what is to be decoded in one slot, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass

from .masks import Guide
from .settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Ids to go on after, and how. Positions count generated ids, so a resumed row draws as an undisturbed one."""

    key: int  # the caller's name for it, never reused
    ids: Sequence[int]  # the prompt, then what earlier attempts generated; at least one
    drawn: int  # how many of `ids` were generated
    limit: int  # how many may be generated in all
    settings: Settings
    tenant: str = ""  # whose rows may go on from its state
    prefixes: Sequence[tuple[str, int]] = ()  # names of what the prompt begins with, and about how many ids each has
    steps_aside: bool = False  # others are read before it
    boundaries: Sequence[int] = ()  # after how many ids its state is kept on the way, in rising order
    logprobs: int | None = None  # of how many of the likeliest ids to tell how likely; None: not even of the drawn one
    guide: Guide | None = None  # what its text must look like; fed with `drawn` ids already

    @property
    def prompt(self) -> int:
        """How many of its ids are the prompt's."""
        return len(self.ids) - self.drawn

    @property
    def longest(self) -> int:
        """The most ids it may come to hold."""
        return self.prompt + self.limit
