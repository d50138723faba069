"""Who keeps parts of the pool alive on this machine: services, by launchd or systemd, and `up`s in some terminal."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from mlx_pool.data_folder import data_folder
from mlx_pool.failure import Unusable
from mlx_pool.service import launchd, systemd
from mlx_pool.service.deeds import ask
from mlx_pool.service.env_file import decode_env
from mlx_pool.service.owner import Owner, owner_of
from mlx_pool.service.place import Manager, Place, manager_of, names_in, place_of
from mlx_pool.service.want import PARTS, PartName, Scope
from mlx_pool.up.state import read_state
from shared.identity import host_name

from .processes import Process
from .turns import Kept

MANAGERS: Final = {"launchd": launchd, "systemd": systemd}
_SCOPES: Final[tuple[Scope, ...]] = ("user", "system")


def services_of(prefix: Path) -> list[Kept]:
    """Find the services that run from this environment: their units name it.

    Raises:
        Unusable: one is the machine's, and only root could restart it.

    """
    try:
        manager = manager_of(sys.platform)
    except Unusable:
        return []
    found = [kept for scope in _SCOPES for kept in _services(prefix, manager, owner_for(scope))]
    if os.geteuid() != 0 and (theirs := [each.name for each in found if each.scope == "system"]):
        raise Unusable(f"The machine's services {', '.join(theirs)} run from {prefix}: upgrade it with sudo.")
    return found


def ups_of(prefix: Path, listed: Sequence[Process], kept: Sequence[Kept], env: Mapping[str, str]) -> Iterator[Kept]:
    """Find the `up`s of this environment that somebody started by hand."""
    known = {each.pid for each in kept if each.pid}
    for process in listed:
        if not (process.is_of(prefix) and _is_up(process)) or known & {process.pid, process.parent}:
            continue
        data = process.value("--data")
        folder = data_folder(Path(data) if data else None, env)
        state = read_state(folder.state)
        yield Kept(
            kind="up",
            name="up" if data is None else f"up in {folder.path}",
            part="up",
            pid=process.pid,
            data=str(folder.path),
            url=state.redis_url if state else None,
            names=_names(env),
        )


def owner_for(scope: Scope) -> Owner:
    """Give whose services are looked at."""
    return owner_of(None, is_system=scope == "system", is_told_only=True)


def part_of(argv: Sequence[str], prefix: Path) -> PartName | None:
    """Tell what a service's command line runs, if it is from this environment."""
    if not argv or Path(argv[0]).parent != prefix / "bin":
        return None
    # `python -P -m worker …`, `-m mlx_pool up …`, or `-m mlx_pool.service.keep ENV_FILE LOG worker …`
    at = {"mlx_pool": 4, "mlx_pool.service.keep": 6}.get("".join(argv[3:4]), 3)
    return next((part for part in PARTS if argv[at : at + 1] == (part,)), None)


def _services(prefix: Path, manager: Manager, owner: Owner) -> Iterator[Kept]:
    tool, units = MANAGERS[manager], place_of("x", manager, owner.scope, owner.home).unit.parent
    for name in names_in(units, manager):
        place = place_of(name, manager, owner.scope, owner.home)
        with contextlib.suppress(OSError, ValueError):
            part = part_of(tool.argv_in(place.unit.read_text("utf-8")), prefix)
            if part is None:
                continue
            told = _variables(place)
            yield Kept(
                kind="service",
                name=name,
                part=part,
                pid=tool.standing_in(*ask(tool.asking(place, owner))).pid or 0,
                scope=owner.scope,
                url=told.get("MLX_POOL_REDIS_URL"),
                names=_names(told),
            )


def _variables(place: Place) -> dict[str, str]:
    """What the service is told beside its flags, as far as this user may read it."""
    with contextlib.suppress(OSError, ValueError):
        return decode_env(place.env_file.read_text("utf-8"))
    return {}


def _names(env: Mapping[str, str]) -> tuple[str, ...]:
    """What this machine may be called in the pool."""
    told = [env.get("MLX_POOL_NAME"), socket.gethostname()]
    return tuple(host_name(name) for name in told if name)


def _is_up(process: Process) -> bool:
    return process.runs("mlx_pool", "up") or (process.words[2:3] == ("up",) and process.words[1].endswith("/mlx-pool"))
