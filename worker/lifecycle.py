"""A worker's life as a table; an event that is not in it raises, and changes nothing.

             ┌────────────────unload────────────────┐
             ▼                                      │
          standby ──load──► loading ──engine_ready──► ready ──drain──► draining ──empty──► gone
                               ▲                        │                 │
                               └──────engine_died───────┘                 └──engine_died──► gone

One that keeps its model begins in `loading`; one that loads it on demand in `standby`.
"""

from typing import Literal, get_args

State = Literal["standby", "loading", "ready", "draining", "gone"]
Happening = Literal["load", "engine_ready", "engine_died", "unload", "drain", "empty"]
HAPPENINGS: tuple[Happening, ...] = get_args(Happening)

TABLE: dict[State, dict[Happening, State]] = {
    "standby": {"load": "loading", "drain": "gone"},
    "loading": {"engine_ready": "ready", "engine_died": "loading", "unload": "standby", "drain": "gone"},
    "ready": {"engine_died": "loading", "unload": "standby", "drain": "draining"},
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
    head = f"| state | {' | '.join(HAPPENINGS)} |\n|{'---|' * (len(HAPPENINGS) + 1)}\n"
    rows = (f"| {state} | {' | '.join(row.get(each, '–') for each in HAPPENINGS)} |" for state, row in TABLE.items())
    return head + "\n".join(rows) + "\n"
