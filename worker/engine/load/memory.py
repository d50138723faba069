"""How much memory this process can still have, and the most that it could ever have."""

from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available_bytes(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Measure what can be taken without swapping, within a container's limit; None where it can't be told: no Linux."""
    free = [size for size in (_system(meminfo, "MemAvailable:"), _container(cgroup)) if size is not None]
    return min(free, default=None)


def total_bytes(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Measure what there is in all, for the machine or the container; None where it can't be told: no Linux."""
    sizes = [size for size in (_system(meminfo, "MemTotal:"), _limit(cgroup)) if size is not None]
    return min(sizes, default=None)


def _system(meminfo: Path, name: str) -> int | None:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


def _container(cgroup: Path) -> int | None:
    """Tell what a control group's limit leaves; pages of files in use can be dropped."""
    if (limit := _limit(cgroup)) is None:
        return None
    try:
        used = int((cgroup / "memory.current").read_text())
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return max(0, limit - used + int(stat.get("inactive_file", 0)))


def _limit(cgroup: Path) -> int | None:
    """Read the limit of control groups, version 2: `max` is none."""
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        return None if limit == "max" else int(limit)
    except (OSError, ValueError):
        return None
