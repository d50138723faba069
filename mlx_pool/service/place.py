"""Where the files of a service lie, by platform and by whether it is its user's or the machine's."""

from pathlib import Path
from typing import Literal

import msgspec

from mlx_pool.failure import Unusable

from .want import Scope

Manager = Literal["launchd", "systemd"]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One service's files. `label` is what the manager calls it."""

    manager: Manager
    scope: Scope
    label: str
    unit: Path
    env_file: Path
    log: Path | None  # None: the manager keeps the log


def manager_of(platform: str) -> Manager:
    """Give what keeps services on this platform.

    Raises:
        Unusable: it is none of those known.

    """
    match platform:
        case "darwin":
            return "launchd"
        case "linux":
            return "systemd"
        case _:
            raise Unusable(f"Services are known for macOS and for Linux with systemd, not for {platform}.")


def place_of(name: str, manager: Manager, scope: Scope, home: Path) -> Place:
    """Give where a service's files are."""
    if manager == "launchd":
        label = f"mlx-pool.{name}"
        library = home / "Library" if scope == "user" else Path("/Library")
        return Place(
            manager=manager,
            scope=scope,
            label=label,
            unit=library / ("LaunchAgents" if scope == "user" else "LaunchDaemons") / f"{label}.plist",
            env_file=library / "Application Support" / "mlx-pool" / "services" / f"{name}.env",
            log=library / "Logs" / "mlx-pool" / f"{name}.log",
        )
    label = f"mlx-pool-{name}.service"
    config = home / ".config" if scope == "user" else Path("/etc")
    return Place(
        manager=manager,
        scope=scope,
        label=label,
        unit=config / "systemd" / scope / label,
        env_file=config / "mlx-pool" / f"{name}.env",
        log=None,
    )


def names_in(folder: Path, manager: Manager) -> list[str]:
    """Find the names of the services whose units lie in this folder."""
    start, end = ("mlx-pool.", ".plist") if manager == "launchd" else ("mlx-pool-", ".service")
    found = folder.glob(f"{start}*{end}")
    return sorted(path.name.removeprefix(start).removesuffix(end) for path in found)
