"""One process that `up` runs, as plain data, and the order in which such processes start and stop."""

from collections.abc import Iterable
from typing import Literal, get_args

import msgspec

Stage = Literal["guardian", "broker", "gateway", "worker"]

# In the order of starting. They stop in the reverse: workers give their jobs back while the queue still stands.
STAGES: tuple[Stage, ...] = get_args(Stage)

# How long a stage may take to end by itself, in s. A worker's own drain takes 30 s; the broker writes its file.
STOP_LIMITS_S: dict[Stage, float] = {"worker": 40.0, "gateway": 15.0, "broker": 20.0, "guardian": 2.0}
# Nobody waits for the jobs of an `up` that was killed, and the next one may be waiting at the door.
LEFTOVER_LIMITS_S: dict[Stage, float] = {"worker": 5.0, "gateway": 3.0, "broker": 10.0, "guardian": 1.0}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """How one process is started. Its environment holds secrets: it is never logged."""

    name: str
    stage: Stage
    argv: tuple[str, ...]
    env: dict[str, str]
    holds_stdin: bool = False  # its stdin ends when `up` does; the others have none


def stop_order(stages: Iterable[Stage]) -> list[Stage]:
    """Order the stages that are there as they are to be stopped, each once."""
    present = set(stages)
    return [stage for stage in reversed(STAGES) if stage in present]
