"""What a process holds: memory, and descriptors that are no connections to the broker."""

import subprocess
import sys
from pathlib import Path


def resident_bytes(pid: int) -> int | None:
    """The memory of a process; None when it is gone."""
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return int(told.stdout) * 1024 if told.stdout.strip() else None


def descriptors(pid: int, *, broker_ports: frozenset[int]) -> int | None:
    """How many descriptors a process has besides its connections to the broker; None where the system can't say.

    Those are left out since a pool of connections keeps what a storm once needed, up to its bound.
    """
    if sys.platform != "linux":
        return None
    try:
        targets = [path.readlink().name for path in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return None
    to_broker = _sockets_to(pid, broker_ports)
    return sum(target not in to_broker for target in targets)


def _sockets_to(pid: int, ports: frozenset[int]) -> set[str]:
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {f"socket:[{row[9]}]" for row in rows if int(row[2].partition(":")[2], 16) in ports}
