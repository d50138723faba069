"""What an `up` runs now, in a file: for the commands that look for the pool, and for whoever ends what was left.

The file is written before a part's program begins to run (see `kept_part`), so no process can be left that it does not
name. Its mode is 600: the queue's address holds the password.
"""

import contextlib
import os
from pathlib import Path

import msgspec

from .part import LEFTOVER_LIMITS_S, Stage, stop_order
from .process import Identity, end


class Running(msgspec.Struct, frozen=True):
    """One process of an `up`."""

    name: str
    stage: Stage
    identity: Identity


class State(msgspec.Struct, frozen=True):
    """One `up`: where the pool answers, and its processes."""

    http_url: str
    redis_url: str
    key_file: str | None = None  # where the gateway's API key lies, if it asks for one
    running: tuple[Running, ...] = ()


class StateFile:
    """The state of this `up`, which it alone writes while it holds the folder's lock."""

    def __init__(self, path: Path, state: State) -> None:
        self._path = path
        self._state = state

    def add(self, running: Running) -> None:
        """Note a process; once this returns, it will be found even if `up` dies."""
        self._write((*self._state.running, running))

    def remove(self, identity: Identity) -> None:
        """Forget a process that has ended."""
        self._write(tuple(running for running in self._state.running if running.identity != identity))

    def _write(self, running: tuple[Running, ...]) -> None:
        self._state = msgspec.structs.replace(self._state, running=running)
        scratch = self._path.with_suffix(".new")
        with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 -- Path.open takes no mode bits
            file.write(msgspec.json.encode(self._state))
        scratch.replace(self._path)  # readers see the old state or the new one, never half of one


def read_state(path: Path) -> State | None:
    """Read the state of the `up` that runs, or that was killed, on this folder; None when there is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return None


def end_leftovers(path: Path) -> list[str]:
    """End what a killed `up` left running, in the order of stopping; returns the names of what was ended.

    The caller holds the folder's lock: nobody else starts or ends anything meanwhile.
    """
    state = read_state(path)
    if state is None:
        return []
    own = os.getpid()
    left = [running for running in state.running if running.identity.pid != own]
    for stage in stop_order(running.stage for running in left):
        for running in left:
            if running.stage == stage:
                end(running.identity, LEFTOVER_LIMITS_S[stage])
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    return [running.name for running in left]
