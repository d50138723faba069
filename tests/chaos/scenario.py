"""A scenario: a pool, what is wanted of it, what befalls it, and the rules that hold all the while. Plain data."""

import msgspec

from .load import Load
from .nemesis import Nemesis
from .rules import Rules
from .shape import Shape


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table in `scenarios`."""

    name: str
    story: str  # in one sentence
    shape: Shape = Shape()
    load: Load = Load()
    nemeses: tuple[Nemesis, ...] = ()
    rules: Rules = Rules()
    seconds: float = 10.0  # when nobody says how long
    is_figure: bool = False  # as long as its load takes: for figures, not for every day
    needs_namespaces: bool = False  # not every machine has them
    is_spied: bool = True  # false where being unheard matters: a pattern subscriber hears everything
