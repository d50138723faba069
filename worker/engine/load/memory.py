"""How much memory this process can still have, and the most that it could ever have."""

from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")


def available_bytes(proc: Path = _PROC, cgroup: Path = _CGROUP) -> int | None:
    """Measure what can be taken without swapping, within set limits; None where it can't be told: no Linux."""
    free = [size for size in (_system(proc, "MemAvailable:"), *map(_left, _groups(proc, cgroup))) if size is not None]
    return min(free, default=None)


def total_bytes(proc: Path = _PROC, cgroup: Path = _CGROUP) -> int | None:
    """Measure what there is in all, for the machine or within its limits; None where it can't be told: no Linux."""
    sizes = [size for size in (_system(proc, "MemTotal:"), *map(_limit, _groups(proc, cgroup))) if size is not None]
    return min(sizes, default=None)


def _system(proc: Path, name: str) -> int | None:
    try:
        lines = (proc / "meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


def _groups(proc: Path, cgroup: Path) -> Iterator[Path]:
    """The control groups, version 2, whose limits hold here: a container's, a service's, and those around it."""
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    at = cgroup / own
    # A path that leads out is one of another namespace: what is limited there can't be seen.
    if ".." in at.parts:
        at = cgroup
    while at != cgroup:
        yield at
        at = at.parent
    yield cgroup


def _left(group: Path) -> int | None:
    """Tell what a control group's limit leaves; pages of files in use can be dropped."""
    if (limit := _limit(group)) is None:
        return None
    try:
        used = int((group / "memory.current").read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return max(0, limit - used + int(stat.get("inactive_file", 0)))
    except (OSError, ValueError):
        return None


def _limit(group: Path) -> int | None:
    """Read the limit of a control group: `max` is none."""
    try:
        limit = (group / "memory.max").read_text().strip()
        return None if limit == "max" else int(limit)
    except (OSError, ValueError):
        return None
