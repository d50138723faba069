"""What a check came to. Plain data."""

from collections.abc import Sequence

import msgspec


class Verdict(msgspec.Struct, frozen=True):
    """One rule: how much it looked at, what it measured, and whatever breaks it."""

    rule: str
    promise: str
    checked: int
    faults: list[str]
    figure: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing broke the rule."""
        return not self.faults


def all_hold(verdicts: Sequence[Verdict]) -> bool:
    """Whether no rule is broken."""
    return all(verdict.holds for verdict in verdicts)
