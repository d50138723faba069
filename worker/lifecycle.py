"""A worker's life as a table; an event that is not in it raises, and changes nothing.

loading ──engine_ready──► ready ──drain──► draining ──empty──► gone
   ▲                        │                 │
   └──────engine_died───────┘                 └──engine_died──► gone
"""

from typing import Literal

State = Literal["loading", "ready", "draining", "gone"]
Happening = Literal["engine_ready", "engine_died", "drain", "empty"]

TABLE: dict[State, dict[Happening, State]] = {
    "loading": {"engine_ready": "ready", "engine_died": "loading", "drain": "gone"},
    "ready": {"engine_died": "loading", "drain": "draining"},
    "draining": {"empty": "gone", "engine_died": "gone", "drain": "draining"},
    "gone": {"drain": "gone", "engine_died": "gone", "empty": "gone"},
}


class Illegal(AssertionError):
    """A happening that the table does not have in this state: a mistake in our own code."""


def after(state: State, happening: Happening) -> State:
    """The state that follows."""
    try:
        return TABLE[state][happening]
    except KeyError:
        raise Illegal(f"{happening} in state {state}") from None


def drawn() -> str:
    """The table as Markdown: a row a state, a column a happening."""
    happenings: list[Happening] = ["engine_ready", "engine_died", "drain", "empty"]
    head = f"| state | {' | '.join(happenings)} |\n|{'---|' * (len(happenings) + 1)}\n"
    rows = (f"| {state} | {' | '.join(row.get(each, '–') for each in happenings)} |" for state, row in TABLE.items())
    return head + "\n".join(rows) + "\n"
