"""One turn's deeds: it is drained and ended, started anew, and asked how it is."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final, Literal

from mlx_pool.data_folder import DataFolder
from mlx_pool.failure import Failed
from mlx_pool.logs.line import drawn, is_at_least
from mlx_pool.logs.tail import Tail
from mlx_pool.service.deeds import ask, carry_out
from mlx_pool.service.place import manager_of, place_of
from mlx_pool.terminal import Ink, clean
from mlx_pool.up.process import Identity, identity_of, is_alive

from .keepers import MANAGERS, owner_for
from .turns import Turn

_LOOK_EVERY_S: Final = 0.1
_LOG_LINES: Final = 12
_LOOKED_THROUGH: Final = 200

KeeperState = Literal["running", "stopped", "failed"]


def state_of(turn: Turn) -> tuple[KeeperState, int]:
    """Ask how the keeper of a turn is, and for its first process, 0 where it has none."""
    if turn.kind == "up":
        return ("running", turn.pid) if identity_of(turn.pid) else ("failed", 0)
    manager, owner = manager_of(sys.platform), owner_for(turn.scope)
    tool, place = MANAGERS[manager], place_of(turn.name, manager, owner.scope, owner.home)
    standing = tool.standing_in(*ask(tool.asking(place, owner)))
    return standing.state, standing.pid or 0


def stop(turn: Turn, pids: tuple[int, ...]) -> None:
    """Have it drain, and return when these processes of it have ended; what they ran goes on elsewhere.

    Raises:
        Failed: its manager can't end it.

    """
    identities = [identity for pid in pids if (identity := identity_of(pid))]
    if turn.kind == "service":
        manager, owner = manager_of(sys.platform), owner_for(turn.scope)
        carry_out(MANAGERS[manager].stopping(place_of(turn.name, manager, owner.scope, owner.home), owner), owner)
    else:
        _signal(identities, signal.SIGTERM)
    deadline = time.monotonic() + turn.stop_limit_s
    # They are not our children: there is no one way to wait for them on every system.
    while left := [identity for identity in identities if is_alive(identity)]:
        if time.monotonic() > deadline:
            _signal(left, signal.SIGKILL)  # others go on with what they ran, as after any death
            return
        time.sleep(_LOOK_EVERY_S)


def start(turn: Turn) -> None:
    """Start it; an `up` does so by itself.

    Raises:
        Failed: its manager can't.

    """
    if turn.kind == "service":
        manager, owner = manager_of(sys.platform), owner_for(turn.scope)
        carry_out(MANAGERS[manager].starting(place_of(turn.name, manager, owner.scope, owner.home), owner), owner)


def last_lines(turn: Turn) -> list[str]:
    """Give the end of its log."""
    if turn.kind == "up":
        logs = sorted(DataFolder(Path(turn.data)).logs.glob("worker*.log"))
        # Which of several it was is not known here: what is wrong with any of them, and whatever is no event.
        lines = [line for log in logs for line in Tail("", log).last(_LOOKED_THROUGH)]
        wrong = [line for line in lines if not line.event or is_at_least(line, "warning")]
        return [drawn(line, Ink(has_colours=False), width=0) for line in wrong[-_LOG_LINES:]]
    manager, owner = manager_of(sys.platform), owner_for(turn.scope)
    place = place_of(turn.name, manager, owner.scope, owner.home)
    with contextlib.suppress(Failed):
        told, _ = ask(MANAGERS[manager].showing_logs(place, _LOG_LINES, follow=False))
        return [clean(line) for line in told.splitlines()[-_LOG_LINES:]]
    return []


def _signal(identities: list[Identity], number: signal.Signals) -> None:
    for identity in identities:
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, number)
